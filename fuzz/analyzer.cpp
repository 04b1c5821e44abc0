// Any text as SQL, under the recorded catalog of tests/query. The first byte says under which session.

#include "fuzz/target.hpp"

#include "query/analyzer.hpp"
#include "query/explanation.hpp"
#include "tests/query/test_catalog.hpp"

#include <stdexcept>

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const auto catalog = query::testing::test_catalog();
    static const auto scope = query::testing::test_scope();
    static const auto others = query::testing::test_scope({"app", "public"});
    if (size == 0)
        return 0;
    const fuzz::Input text{fuzz::text_of(data + 1, size - 1)};
    const auto how = data[0];
    const query::Dialect dialect{(how & 1) == 0, (how & 2) == 0};
    const auto used = (how & 4) == 0 ? catalog : nullptr;
    const auto names = (how & 8) != 0 ? nullptr : (how & 16) != 0 ? others : scope;

    query::Analyzer analyzer{1u << 20};
    const auto statement = analyzer.analyse(text.view(), used, names, dialect);
    fuzz::held(statement != nullptr, "there is always a statement");
    if (statement->is_cacheable()) {
        fuzz::held(dialect.is_readable() && used && names, "nothing is cacheable that cannot be resolved");
        fuzz::held(statement->writes.empty() && !statement->writes_unknown && !statement->changes_catalog &&
                       !statement->changes_session && !statement->may_commit,
                   "what is cacheable does nothing");
    }
    (void)analyzer.explain(text.view(), used, names, dialect);
    try {
        query::testing::expect_the_same_by_shape(text.view(), used, names, dialect);
    } catch (const std::logic_error& error) {
        fuzz::held(false, error.what());
    }
    return 0;
}
