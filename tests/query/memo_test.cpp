#include "query/memo.hpp"
#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

TEST(Memo, RemembersByTextAndView)
{
    Memo memo{1 << 20};
    const auto statement = std::make_shared<const Statement>();
    memo.remember("SELECT 1", {1, 1}, statement);
    EXPECT_EQ(memo.find("SELECT 1", {1, 1}), statement);
    EXPECT_EQ(memo.find("SELECT 1 ", {1, 1}), nullptr);
    EXPECT_EQ(memo.find("SELECT 1", {2, 1}), nullptr);
    EXPECT_EQ(memo.find("SELECT 1", {1, 2}), nullptr);
}

TEST(Memo, StaysWithinItsBytes)
{
    constexpr std::size_t kBytes = 64 * 1024;
    Memo memo{kBytes};
    for (int i = 0; i < 5000; ++i)
        memo.remember("SELECT " + std::to_string(i), {1, 1}, std::make_shared<const Statement>());
    EXPECT_LE(memo.bytes_used(), kBytes);
    EXPECT_GT(memo.bytes_used(), kBytes / 2);
    EXPECT_NE(memo.find("SELECT 4999", {1, 1}), nullptr);
    EXPECT_EQ(memo.find("SELECT 0", {1, 1}), nullptr);
}

TEST(Memo, CountsWhatItsStatementsHold)
{
    Memo small{1 << 24};
    Memo large{1 << 24};
    Statement statement;
    small.remember("SELECT 1", {1, 1}, std::make_shared<const Statement>(statement));
    for (int i = 0; i < 50; ++i) {
        statement.reads.push_back({1, {1, {}, {Bound{.value = std::string(20, 'x')}, Bound{.value = "y"}}}});
        statement.writes.push_back({1, {{1, {}, {Bound{.value = std::string(20, 'x')}}}}, {1, 2, 3}, {4}});
        statement.settings.push_back("app.tenant");
    }
    large.remember("SELECT 1", {1, 1}, std::make_shared<const Statement>(statement));
    EXPECT_GT(large.bytes_used(), small.bytes_used() + 50 * (3 * sizeof(Bound) + 2 * sizeof(Confinement)));
}

TEST(Memo, HoldsNothingWhenThereIsNoRoom)
{
    Memo memo{0};
    memo.remember("SELECT 1", {1, 1}, std::make_shared<const Statement>());
    EXPECT_EQ(memo.bytes_used(), 0U);
}

TEST(Analyser, SharesOneStatementAmongThreads)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    const auto scope = test_scope();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                const auto sql = "SELECT name FROM users WHERE id = " + std::to_string(i % 50);
                EXPECT_TRUE(analyzer.analyse(sql, catalog, scope, {})->is_cacheable());
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(analyzer.analyse("SELECT 1", catalog, scope, {}), analyzer.analyse("SELECT 1", catalog, scope, {}));
    EXPECT_NE(analyzer.analyse("SELECT 1", catalog, scope, {}),
              analyzer.analyse("SELECT 1", catalog_of(recorded_rows()), scope, {}));
}

} // namespace
} // namespace pgmemo::query
