// The body of a Bind: the message with the most counts and lengths in it.

#include "fuzz/target.hpp"

#include "wire/frontend.hpp"

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const fuzz::Input body{fuzz::text_of(data, size)};
    if (const auto bind = wire::decode_bind(body.view())) {
        body.lends(bind->portal);
        body.lends(bind->statement);
    }
    if (const auto values = wire::decode_bind_values(body.view())) {
        fuzz::held(wire::decode_bind(body.view()).has_value(), "what has values has names");
        fuzz::held(values->size() * 4 <= size, "values are in the message");
        for (const auto& value : *values) {
            body.lends(value.bytes);
            fuzz::held(!value.is_null || value.bytes.empty(), "NULL has no bytes");
        }
    }
    return 0;
}
