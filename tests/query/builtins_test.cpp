#include "query/builtins.hpp"

#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace pgmemo::query {
namespace {

using testing::test_catalog;

/// A line of recorded/offered.tsv: see recorded/record_builtins.py.
struct Offered {
    std::string kind;
    std::string name;
    std::string trait;
    std::string versions;
};

std::vector<Offered> offered()
{
    std::ifstream file{std::string{PROJECT_SOURCE_DIR} + "/tests/query/recorded/offered.tsv"};
    std::vector<Offered> all;
    for (std::string line; std::getline(file, line);) {
        std::istringstream columns{line};
        auto& one = all.emplace_back();
        for (auto* column : {&one.kind, &one.name, &one.trait, &one.versions})
            std::getline(columns, *column, '\t');
    }
    return all;
}

Verdict verdict_on(const std::string& signature)
{
    return judged(signature.substr(0, signature.find('(')), signature);
}

TEST(Builtins, EveryFunctionThatIsNotImmutableIsJudged)
{
    std::size_t stable = 0;
    for (const auto& one : offered())
        if (one.kind == "function" && one.trait != "i") {
            stable += one.trait == "s" ? 1U : 0U;
            EXPECT_NE(verdict_on(one.name), Verdict::none) << one.name << " of PostgreSQL " << one.versions;
        }
    EXPECT_GT(stable, 600U) << "that many are known to be offered: the list was not read";
}

TEST(Builtins, EveryTypeIsJudged)
{
    std::ifstream file{std::string{PROJECT_SOURCE_DIR} + "/query/judged_types.def"};
    std::ostringstream text;
    text << file.rdbuf();
    for (const auto& one : offered())
        if (one.kind == "type") {
            EXPECT_NE(text.str().find(", \"" + one.name + "\")"), std::string::npos)
                << one.name << " of PostgreSQL " << one.versions;
        }
}

TEST(Builtins, NoVolatileFunctionDependsOnSettingsOnly)
{
    for (const auto& one : offered())
        if (one.kind == "function" && one.trait == "v") {
            EXPECT_NE(verdict_on(one.name), Verdict::settings) << one.name;
        }
}

/// The catalog's own names of types are those that the list is written in.
TEST(Builtins, TheCatalogFindsTheVerdicts)
{
    std::size_t judged_ones = 0;
    for (const auto& function : test_catalog()->impl().functions)
        if (!function.is_user && function.volatility != 'i') {
            ++judged_ones;
            EXPECT_NE(function.verdict, Verdict::none) << function.name;
        }
    EXPECT_GT(judged_ones, 800U);
}

struct Case {
    const char* signature;
    Verdict verdict;
};

std::ostream& operator<<(std::ostream& out, const Case& row)
{
    return out << row.signature;
}

class BuiltinsAre : public ::testing::TestWithParam<Case> {};

TEST_P(BuiltinsAre, Judged)
{
    EXPECT_EQ(verdict_on(GetParam().signature), GetParam().verdict);
}

INSTANTIATE_TEST_SUITE_P(
    Functions, BuiltinsAre,
    ::testing::Values(
        Case{"age(timestamptz)", Verdict::clock}, Case{"age(xid)", Verdict::outside},
        Case{"age(timestamptz,timestamptz)", Verdict::none}, // IMMUTABLE
        Case{"date_trunc(text,timestamptz)", Verdict::settings},
        Case{"date_add(timestamptz,interval)", Verdict::settings}, Case{"timezone(timestamptz)", Verdict::settings},
        Case{"timezone(timetz)", Verdict::clock}, Case{"timezone(text,timetz)", Verdict::clock},
        Case{"timetz_pl_interval(timetz,interval)", Verdict::clock}, Case{"uuidv7(interval)", Verdict::outside},
        Case{"random(int4,int4)", Verdict::outside}, Case{"ts_rewrite(tsquery,text)", Verdict::sql},
        Case{"ts_rewrite(tsquery,tsquery,tsquery)", Verdict::none}, Case{"pg_input_is_valid(text,text)", Verdict::sql},
        Case{"xpath(text,xml)", Verdict::outside}, Case{"set_config(text,text,bool)", Verdict::anything},
        Case{"concat(int4)", Verdict::none})); // an overload that nobody knows

TEST(Builtins, NamesAloneErrOnTheSafeSide)
{
    EXPECT_TRUE(is_harmless("pg_sleep"));
    EXPECT_FALSE(is_harmless("ts_rewrite"));
    EXPECT_FALSE(is_harmless("set_config"));
    EXPECT_FALSE(is_harmless("pg_slee"));
    EXPECT_TRUE(runs_sql("ts_rewrite"));
    EXPECT_FALSE(runs_sql("ts_rewr"));
    EXPECT_TRUE(is_well_known("count"));
    EXPECT_FALSE(is_well_known("pg_reload_conf"));
}

} // namespace
} // namespace pgmemo::query
