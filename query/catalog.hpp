#pragma once

#include "config/config.hpp"
#include "query/statement.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// One query that reads a part of the catalog, to be run in order inside one REPEATABLE READ, READ ONLY transaction
/// with `search_path = pg_catalog`. Works on PostgreSQL 13 to 18 with no privilege beyond CONNECT.
struct CatalogQuery {
    std::string_view name;
    std::string sql;
};

/// The queries that a `CatalogBuilder` wants the rows of.
std::span<const CatalogQuery> catalog_queries();

/// One cheap query, one row, one text column: a fingerprint of everything that `catalog_queries()` reads, and of what
/// else decides who may read what (grants, role membership and attributes). Equal before and after: nothing has
/// changed.
std::string_view catalog_fingerprint_query();

/// An immutable picture of one database's catalog: what names resolve to, and what is known of functions, operators,
/// casts, types, triggers, inheritance, foreign keys, rules and policies. Thread-safe by being immutable.
class Catalog {
public:
    struct Impl;
    explicit Catalog(std::unique_ptr<const Impl>);
    ~Catalog();
    Catalog(const Catalog&) = delete;
    Catalog& operator=(const Catalog&) = delete;

    Oid database() const noexcept;
    std::uint64_t id() const noexcept; ///< unique in this process; never reused
    std::size_t relation_count() const noexcept;
    /// Custom settings (`app.tenant`) that policies, views and functions ask for: a part of who asks.
    const std::vector<std::string>& settings() const noexcept;

    const Impl& impl() const noexcept { return *impl_; } // for the analysis only; defined in catalog_impl.hpp

private:
    std::unique_ptr<const Impl> impl_;
};

/// Builds a `Catalog` from the rows of `catalog_queries()`. A row that does not have the expected columns makes
/// `finish()` yield nothing and `error()` say why: a catalog that was half understood is never used.
class CatalogBuilder {
public:
    explicit CatalogBuilder(Oid database);
    ~CatalogBuilder();

    /// A row of `catalog_queries()[query]`; SQL NULL is nullopt. The strings are copied.
    void row(std::size_t query, std::span<const std::optional<std::string_view>> columns);

    /// `config`: the columns that its rules track, and the functions that it vouches for.
    std::shared_ptr<const Catalog> finish(const config::Config& config = {});
    const std::string& error() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::query
