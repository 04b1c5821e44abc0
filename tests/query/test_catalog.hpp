#pragma once

#include "query/analyzer.hpp"
#include "query/catalog_impl.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query::testing {

/// A row that PostgreSQL 15 answered to `catalog_queries()[query]`.
struct RecordedRow {
    std::size_t query = 0;
    std::vector<std::optional<std::string>> columns;
};

/// What was recorded of a database made by tests/query/recorded/schema.sql, in the order of the queries.
const std::vector<RecordedRow>& recorded_rows();

/// A catalog of rows; null if they are refused, and then `error` says why.
std::shared_ptr<const Catalog> catalog_of(const std::vector<RecordedRow>& rows, std::string* error = nullptr);

/// The one of `recorded_rows()`, of database 5; read once, shared by all tests.
std::shared_ptr<const Catalog> test_catalog();

/// The same again, under an id of its own.
std::shared_ptr<const Catalog> another_catalog();

/// The one of tests/query/recorded/hostile.sql, in which built-in types run the user's code.
std::shared_ptr<const Catalog> hostile_catalog();

/// What `test_catalog()` has under a name with its schema: `public.users`, `public.Mixed Case`. Of functions and
/// operators the first of that name. Where there is none: an exception, so that a test with a wrong name fails.
const Relation& relation_named(std::string_view qualified_name);
const Function& function_named(std::string_view qualified_name);
const Operator& operator_named(std::string_view qualified_name);
const Type& type_named(std::string_view qualified_name);

/// Of the relation; where there is none, of the function.
Oid oid_of(std::string_view qualified_name);

/// pg_catalog, then the schemas given.
std::shared_ptr<const NameScope> test_scope(std::vector<std::string> schemas = {"public"});

/// Texts of the same shape are by its template what they are by themselves; an exception where they are not.
void expect_the_same_by_shape(std::string_view sql, const std::shared_ptr<const Catalog>&,
                              const std::shared_ptr<const NameScope>&, Dialect = {});

/// A statement analysed with `test_catalog()` and `test_scope()`, in a readable dialect.
std::shared_ptr<const Statement> analysed(std::string_view sql);

} // namespace pgmemo::query::testing
