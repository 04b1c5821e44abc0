#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pgmemo::query {

/// Why a statement is not answered from the cache and not stored: the reason code of a bypass.
///
/// The codes are an interface: metrics, logs and docs/reasons.md carry their names, so a name never changes its
/// meaning. The table in reason.cpp has one row for each, in this order.
enum class Reason : std::uint8_t {
    none = 0, ///< cacheable

    // what the text is
    empty,               ///< no statement at all
    multiple,            ///< more than one statement in the text
    write,               ///< INSERT, UPDATE, DELETE, MERGE, COPY FROM, SELECT INTO, a writing CTE
    ddl,                 ///< CREATE, ALTER, DROP, GRANT, COMMENT, REFRESH and their like
    transaction_control, ///< BEGIN, COMMIT, SAVEPOINT …
    session_command,     ///< SET, RESET, DISCARD, LISTEN, PREPARE, DECLARE, LOAD …
    utility,             ///< EXPLAIN, SHOW, FETCH, COPY TO, EXECUTE, CALL, DO, VACUUM …
    unparsed,            ///< not understood by the parser, or too long or too deep to be given to it
    encoding,   ///< a client_encoding or standard_conforming_strings under which the text cannot be read safely
    parameters, ///< `$1` of a type that may run anything, or in a simple query

    // what it contains
    row_lock, ///< FOR UPDATE, FOR SHARE …
    tablesample,
    clock,              ///< CURRENT_DATE and its kin, or a string that the date types read as a clock
    session_identity,   ///< CURRENT_USER and its kin
    volatile_function,  ///< a function that is VOLATILE, or may be
    stable_function,    ///< a STABLE function that is not known to depend on the key alone
    user_function,      ///< a function, operator, cast or type that is not built in
    unsupported_syntax, ///< a construct that the analysis has not been taught

    // what it reads
    unknown_relation, ///< a name that does not resolve
    system_catalog,   ///< pg_catalog, information_schema
    view,
    foreign_table,
    unlogged_table,
    temporary_table,
    other_relation, ///< a sequence, an index, a composite type …
    unsafe_type,    ///< a column whose type's output is not built in and not immutable

    // what the session or the proxy is in
    rule,              ///< a rule of the configuration says `cache: off`
    no_rule,           ///< no rule matches and `cache.default` is bypass
    catalog_unknown,   ///< the catalog snapshot is missing, stale or being read
    session_unknown,   ///< the session's settings could not be learned
    temporary_objects, ///< the session has temporary objects, which may hide any name
    isolation,         ///< REPEATABLE READ or SERIALIZABLE
    failed_transaction,
    written_in_transaction, ///< the transaction has written what it now reads
    extended_protocol,      ///< fetched in parts, or from a portal of an earlier group
    blind,                  ///< the session speaks what pgmemo cannot follow
    disabled,               ///< the cache is switched off
    login_revoked,          ///< who logged in could not do so now, or it is not known
    remote_unavailable,     ///< the store that is shared with others cannot be asked

    count_ ///< how many there are; not a reason
};

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::count_);

struct ReasonInfo {
    std::string_view name;    ///< the stable code, snake_case
    std::string_view meaning; ///< one sentence for users
};

/// Name and meaning of every reason, indexed by its value.
std::span<const ReasonInfo, kReasonCount> reasons() noexcept;

std::string_view name_of(Reason) noexcept;

} // namespace pgmemo::query
