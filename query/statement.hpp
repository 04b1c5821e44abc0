#pragma once

#include "query/reason.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pgmemo::query {

/// A PostgreSQL object identifier; 0 is none. Source: PostgreSQL documentation, "Object Identifier Types".
using Oid = std::uint32_t;

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
    bool may_commit = true; ///< a COMMIT may happen while it runs, beyond the implicit one at its end
    bool is_single = false; ///< exactly one statement in the text

    bool writes_unknown = true;    ///< may write anything in its database: moves the database's own version word
    bool changes_catalog = true;   ///< DDL: the catalog snapshot has to be read anew once it is committed
    bool changes_cluster = true;   ///< reaches beyond its database (roles, databases, COMMIT PREPARED, ALTER SYSTEM)
    bool changes_session = true;   ///< settings, role or temporary objects of the session may differ afterwards
    bool sets_transaction = false; ///< SET TRANSACTION and its like: must come before the transaction's first query

    std::vector<Oid> reads;              ///< relations read, sorted, unique; complete when `reason == none`
    std::vector<Oid> writes;             ///< relations written, sorted, unique; with `writes_unknown` not complete
    std::vector<std::string> read_names; ///< the same relations as `schema.name`, for the rules' globs

    std::string tag; ///< for a plain BEGIN, COMMIT, ROLLBACK: the CommandComplete tag that PostgreSQL would send

    bool is_cacheable() const noexcept { return reason == Reason::none; }
    bool is_read_only() const noexcept { return writes.empty() && !writes_unknown; }
};

} // namespace pgmemo::query
