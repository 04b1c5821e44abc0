#pragma once

#include "query/analyzer.hpp"

#include <memory>
#include <string_view>

namespace pgmemo::query::testing {

/// Oids of the relations in `test_catalog()`, for expectations on reads and writes.
enum TestOid : Oid {
    kAccounts = 20001, ///< public.accounts(aid int4, bid int4, abalance int4)
    kUsers,            ///< public.users(id, name, created_at timestamptz, born date, note text, age int4)
    kEvents,           ///< public.events(id, at text): a text column called `at`
    kView,             ///< public.user_names
    kMaterialized,     ///< public.totals
    kPartitioned,      ///< public.measurements
    kPartition,        ///< public.measurements_1
    kParent,           ///< public.animals
    kForeign,          ///< public.remote
    kUnlogged,         ///< public.scratch
    kSequence,         ///< public.serial
    kSecured,          ///< public.secured: row security
    kRuled,            ///< public.ruled: a rewrite rule
    kTriggered,        ///< public.triggered
    kOwner,            ///< public.owner: rows elsewhere go when its rows go, and are renumbered with them
    kUserCode,         ///< public.checked: a default or constraint that runs user code
    kOdd,              ///< public.odd: a column of a user's base type
    kNames,            ///< public.names: a column of type regclass
    kTimes,            ///< public.times: a column of type timetz
    kVirtual,          ///< public.derived: a virtual generated column
    kMoods,            ///< public.moods: an enum and a domain over it, and an array
    kPublicItems,      ///< public.items
    kAppItems,         ///< app.items
    kClass,            ///< pg_catalog.pg_class
    kMixed,            ///< public."Mixed Case"
};

struct TestCatalogOptions {
    bool is_unsafe = false;
    bool has_volatile_functions = true;
    bool functions_may_set = false;
    bool functions_may_ddl = false;
    bool views_run_user_code = false;
    bool has_user_equality = false; ///< an operator `=` in schema `public`
    bool omits_summary = false;
};

/// A small catalog made of rows as a server yields them. User functions: public.volatile_one(1), public.stable_one(1),
/// public.pure_one(1), app.lower(1), public.refresh() a procedure.
std::shared_ptr<const Catalog> test_catalog(TestCatalogOptions options = {});

/// pg_catalog, then the schemas given.
std::shared_ptr<const NameScope> test_scope(std::vector<std::string> schemas = {"public"});

/// A statement analysed with a catalog and a scope, in a readable dialect.
std::shared_ptr<const Statement> analysed(std::string_view sql);

} // namespace pgmemo::query::testing
