#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

/// The recorded catalog with overloads of known names in public, in C and VOLATILE: text = int4, int8 || int8,
/// abs(text), lower(text), ceil(numeric, int4 DEFAULT …), sqrt(VARIADIC float8[]).
std::shared_ptr<const Catalog> overloaded()
{
    static const auto catalog = [] {
        const auto function = [](const char* oid, const char* name, const char* arguments, const char* result,
                                 const char* defaults, const char* is_variadic) {
            RecordedRow row{2,
                            {oid, "public", name, "f", "v", "c", is_variadic, "f", "f", defaults, arguments, result}};
            row.columns.resize(20);
            return row;
        };
        const auto op = [](const char* oid, const char* name, const char* left, const char* right, const char* code) {
            return RecordedRow{3, {oid, "public", name, "t", left, right, code}};
        };
        auto rows = recorded_rows();
        const auto insert = [&](const RecordedRow& row) {
            rows.insert(
                std::find_if(rows.begin(), rows.end(), [&](const RecordedRow& one) { return one.query > row.query; }),
                row);
        };
        insert(function("90001", "text_is_int", "25 23", "16", "0", "f"));
        insert(function("90002", "abs", "25", "25", "0", "f"));
        insert(function("90003", "lower", "25", "25", "0", "f"));
        insert(function("90004", "ceil", "1700 23", "1700", "1", "f"));
        insert(function("90005", "sqrt", "1022", "701", "0", "t"));
        insert(op("90011", "=", "25", "23", "90001"));
        insert(op("90012", ">=", "25", "23", "90001"));
        std::string error;
        auto made = catalog_of(rows, &error);
        EXPECT_TRUE(made) << error;
        return made;
    }();
    return catalog;
}

Reason reason_of(const std::string& sql, const std::shared_ptr<const NameScope>& scope = test_scope())
{
    Analyzer analyzer{1 << 20};
    const auto statement = analyzer.analyse(sql, overloaded(), scope, {});
    SCOPED_TRACE(statement->why);
    return statement->reason;
}

struct Case {
    const char* sql;
    bool is_sure;

    friend std::ostream& operator<<(std::ostream& out, const Case& row) { return out << row.sql; }
};

class Overloads : public ::testing::TestWithParam<Case> {};

TEST_P(Overloads, AreToldApartWhereTypesAreSure)
{
    const auto reason = reason_of(std::string{"SELECT users.id FROM "} + GetParam().sql);
    EXPECT_EQ(reason == Reason::none, GetParam().is_sure) << name_of(reason);
}

INSTANTIATE_TEST_SUITE_P(
    Taken, Overloads,
    ::testing::Values(Case{"users WHERE id = 1", true}, Case{"users WHERE users.id = '1'", true},
                      Case{"users WHERE id = -1", true}, Case{"users WHERE id = 5000000000", true},
                      Case{"users WHERE '1' = id", true}, Case{"users WHERE name = 'x'", true},
                      Case{"users WHERE name = NULL", true}, Case{"users WHERE id = age", true},
                      Case{"users WHERE id IN (1, 2, 3)", true}, Case{"users WHERE id IN (1, '2')", true},
                      Case{"users WHERE id = ANY ('{1,2}')", true}, Case{"users WHERE id = ANY ('{1}'::int[])", true},
                      Case{"users WHERE id BETWEEN 1 AND 2", true}, Case{"users WHERE id IS DISTINCT FROM 2", true},
                      Case{"users WHERE name::int = 1", true}, Case{"users WHERE true = (name IS NULL)::bool", true},
                      Case{"users JOIN items i ON users.id = i.id AND value = 2", true},
                      Case{"users, LATERAL (SELECT 1 FROM items WHERE value = 2) s", true},
                      Case{"users WHERE abs(1) > 0", true}, Case{"users WHERE abs(id) > 0", true},
                      Case{"users WHERE lower(name) > 'a'", true}));

INSTANTIATE_TEST_SUITE_P(
    NotSure, Overloads,
    ::testing::Values(
        Case{"users WHERE name = 1", false},    // it is that one
        Case{"users WHERE '1' = '1'", false},   // both are bare strings
        Case{"users WHERE id = 1.5", false},    // none takes exactly int4 and numeric
        Case{"users WHERE id = 1 + 1", false},  // of an expression nothing is said
        Case{"users WHERE id = abs(1)", false}, //
        Case{"users WHERE name::varchar = 'x'", false}, Case{"users WHERE id IN (1, 2.5)", false},
        Case{"users WHERE id IN (1, name)", false}, Case{"users WHERE id IN (SELECT id FROM items)", false},
        Case{"users WHERE id = ANY (ARRAY[1])", false}, Case{"users WHERE id BETWEEN 1.5 AND 2", false},
        Case{"users WHERE id BETWEEN SYMMETRIC 1 AND 2", false}, Case{"users WHERE (id, 1) = (1, 1)", false},
        Case{"users JOIN items USING (id)", false}, // two columns, of which none is named
        Case{"users NATURAL JOIN items", false}, Case{"users u (a), users WHERE u.a = 1", false},
        Case{"users, (SELECT id AS x FROM items) s WHERE x = 1", false},
        Case{"users, generate_series(1, 2) g (n) WHERE n = 1", false},
        Case{"users WHERE EXISTS (SELECT FROM items WHERE users.age = 1)", false}, // of an outer query
        Case{"users JOIN items i ON users.id > i.id JOIN items k ON nothing = 1", false},
        Case{"users WHERE CASE id WHEN 1 THEN true END", false}, Case{"users WHERE abs('1') > 0", false},
        Case{"users WHERE abs(name) > 'a'", false}, Case{"users WHERE abs(1 + 1) > 0", false},
        Case{"users WHERE lower('A') > 'a'", false},
        Case{"users WHERE ceil(1.5) > 0", false}, // a default may come to the same
        Case{"users WHERE sqrt(1::float8) > 0", false}, Case{"users WHERE abs(VARIADIC '{1}'::int[]) > 0", false}));

TEST(Overloads, OfOneTypeAreTheFirstInThePath)
{
    const auto user_first = std::make_shared<NameScope>();
    user_first->id = 1;
    user_first->schemas = {"public", "pg_catalog"};
    const std::string lower = "SELECT lower(name) FROM users";
    EXPECT_EQ(name_of(reason_of(lower)), name_of(Reason::none));
    EXPECT_EQ(name_of(reason_of(lower, user_first)), name_of(Reason::volatile_function));
    EXPECT_EQ(name_of(reason_of("SELECT pg_catalog.lower(name) FROM users", user_first)), name_of(Reason::none));
}

} // namespace
} // namespace pgmemo::query
