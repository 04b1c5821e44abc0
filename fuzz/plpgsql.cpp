// The body of a PL/pgSQL function: whoever may create a function writes it.

#include "fuzz/target.hpp"

#include "query/bodies.hpp"
#include "query/catalog_impl.hpp"
#include "query/plpgsql.hpp"

#include <string>

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const fuzz::Input source{fuzz::text_of(data, size)};
    const auto body = query::read_plpgsql(source.view());
    std::size_t bytes = 0;
    for (const auto& statement : body.statements)
        bytes += statement.size();
    fuzz::held(bytes <= 64 * (size + 64), "what is read of a body is not much more than the body");
    fuzz::held(body.is_understood || body.statements.empty(), "a body that is not understood says nothing");
    fuzz::held(body.is_understood || (body.is_dynamic && body.controls_transaction && body.replaces_row),
               "a body that is not understood may do anything");
    (void)query::read_body(query::Language::plpgsql, std::string{source.view()});
    return 0;
}
