#pragma once

#include "query/reason.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pgmemo::query {

/// A PostgreSQL object identifier; 0 is none. Source: PostgreSQL documentation, "Object Identifier Types".
using Oid = std::uint32_t;

enum class ValueClass : std::uint8_t; // query/value.hpp

/// A value that a column is confined to: known from the text, or brought by a parameter.
struct Bound {
    std::string value;           ///< in canonical form, see value.hpp; empty with a parameter
    int parameter = 0;           ///< $n, from 1; 0: `value`
    bool is_array = false;       ///< of the parameter: each of its elements
    bool needs_declared = false; ///< of the parameter: its type is certain only when Parse declares it
    std::size_t max_bytes = 0;   ///< of the parameter: a longer one may be cut; 0: no limit
    bool operator==(const Bound&) const = default;
};

/// A column and the values that the rows in question have in it.
struct Confinement {
    int column = 0; ///< attribute number
    ValueClass values_are{};
    std::vector<Bound> values; ///< none: no row has a value that equals any other
    bool operator==(const Confinement&) const = default;
};

/// A relation read: all of it (column 0), or those rows that have one of the values.
struct ReadAccess {
    Oid relation = 0;
    Confinement confined;
    bool is_unique = false; ///< the column is one of which no two rows have the same value
    bool is_row = false;    ///< and each row of the reply is made of the row that has the one value
    bool operator==(const ReadAccess&) const = default;
};

/// A relation written. Each of its tracked columns is in `wide`, or in `slots`, `fresh` or both; `any` moves in any
/// case.
struct WriteAccess {
    Oid relation = 0;
    std::vector<Confinement> slots; ///< the rows, as they were and as they will be, have these values
    std::vector<int> wide;          ///< or any
    std::vector<int> fresh;         ///< or any that no other row has: of new rows, in a unique column
    bool operator==(const WriteAccess&) const = default;
};

/// What a text does to the transaction that it runs in.
enum class Transaction : std::uint8_t {
    none,        ///< nothing
    begin,       ///< one plain BEGIN or START TRANSACTION: no option, or READ COMMITTED and READ WRITE spelled out
    begin_other, ///< one BEGIN that asks for another isolation, READ ONLY or DEFERRABLE
    commit,      ///< one plain COMMIT or END
    rollback,    ///< one plain ROLLBACK or ABORT
    inside,      ///< one SAVEPOINT, RELEASE, ROLLBACK TO: never leaves the transaction
    other,       ///< AND CHAIN, two-phase commit, CALL, DO, several statements of which one controls the transaction
};

/// All that is known of one SQL text (of one `Query` or `Parse` message), seen through one catalog snapshot.
/// Immutable; shared by all sessions.
///
/// It errs on one side only. Fields that allow (`reason == none`, an empty `writes`) are proved; where the
/// proof fails the text is said to do more than it does.
struct Statement {
    Reason reason = Reason::unparsed; ///< `none`: cacheable

    Transaction transaction = Transaction::other;
    bool may_commit = true;      ///< a COMMIT may happen while it runs, beyond the implicit one at its end
    bool is_single = false;      ///< exactly one statement in the text
    bool has_parameters = false; ///< `$1` …: cacheable only together with their values (refuse_parameter)

    bool writes_unknown = true;    ///< may write anything in its database: moves the database's own version word
    bool changes_catalog = true;   ///< DDL, or what may make some: the catalog may differ once it is committed
    bool changes_cluster = true;   ///< reaches beyond its database (roles, databases, COMMIT PREPARED, ALTER SYSTEM)
    bool surely_changes = false;   ///< the text itself does what these two say; else code may, and the catalog tells
    bool runs_unseen = false;      ///< triggers may run that nobody has looked at: any role may have other rights
    bool reads_unseen = false;     ///< a view may be read, or an operator used, that calls what writes
    bool changes_session = true;   ///< settings, role or temporary objects of the session may differ afterwards
    bool mentions_copy = true;     ///< the word stands in the text, in whatever role; likewise
    bool mentions_prepared = true; ///< PREPARE, EXECUTE, DEALLOCATE or DISCARD
    bool sets_transaction = false; ///< SET TRANSACTION and its like: must come before the transaction's first query

    std::vector<ReadAccess> reads;       ///< complete when `reason == none`; of one relation there may be several
    std::vector<WriteAccess> writes;     ///< one for each relation written; with `writes_unknown` not complete
    std::vector<std::string> read_names; ///< the relations that the text itself reads and those behind them, as
                                         ///< `schema.name`, for the rules' globs; sorted, unique
    std::vector<std::string> settings;   ///< custom settings (`app.tenant`) that it depends on; sorted, unique

    std::string why; ///< of a refusal: what it is about, in words; empty where the reason says it all
    int place = -1;  ///< of a refusal: where in the text, in bytes from 0; -1: not known

    std::string tag; ///< for a plain BEGIN, COMMIT, ROLLBACK: the CommandComplete tag that PostgreSQL would send

    bool operator==(const Statement&) const = default;
    bool is_cacheable() const noexcept { return reason == Reason::none; }
    bool is_read_only() const noexcept { return writes.empty() && !writes_unknown; }
};

} // namespace pgmemo::query
