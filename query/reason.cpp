#include "query/reason.hpp"

#include <array>

namespace pgmemo::query {
namespace {

constexpr std::array<ReasonInfo, kReasonCount> kReasons{{
    {"none", "The statement is cacheable."},
    {"empty", "The text holds no statement at all."},
    {"multiple", "The text holds more than one statement."},
    {"write", "It writes: INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY FROM, SELECT INTO, or a CTE that does."},
    {"ddl", "It changes the schema, privileges or roles: CREATE, ALTER, DROP, GRANT, COMMENT, REFRESH and their like."},
    {"transaction_control", "It begins, ends or divides a transaction: BEGIN, COMMIT, SAVEPOINT and their like."},
    {"session_command",
     "It is about the session itself: SET, RESET, DISCARD, LISTEN, PREPARE, DECLARE and their like."},
    {"utility", "It is a command with a reply of its own: EXPLAIN, SHOW, FETCH, COPY TO, EXECUTE, CALL, DO, VACUUM …"},
    {"unparsed", "The parser does not understand it, or it is too long or too deeply nested to be parsed."},
    {"encoding",
     "The session's encoding or standard_conforming_strings, or a name outside ASCII, leaves its meaning open."},
    {"parameters",
     "It has parameters ($1) of types that cannot be seen through, or in a simple query, where they have no value."},
    {"row_lock", "It locks rows: FOR UPDATE, FOR SHARE and their like."},
    {"tablesample", "TABLESAMPLE yields other rows each time."},
    {"clock", "It reads the clock: now(), CURRENT_DATE, or text that a date or time type may take for now, today …"},
    {"session_identity", "It names the session's own user, database or schema: CURRENT_USER and its kin. (In a policy "
                         "they are no hindrance.)"},
    {"volatile_function", "It calls a function that is VOLATILE or not known."},
    {"stable_function", "It calls a STABLE function, or asks for a setting, of which the key does not hold everything "
                        "that it depends on."},
    {"user_function",
     "A user's function, operator or cast in it, or in what it reads, cannot be seen through, or does more than read."},
    {"unsupported_syntax", "It holds a construct that the analysis has not been taught."},
    {"unknown_relation", "A relation it names is not found in the catalog."},
    {"system_catalog", "It reads pg_catalog or information_schema."},
    {"view", "It reads a view that cannot be seen through, or too many of them."},
    {"foreign_table", "It reads a foreign table."},
    {"unlogged_table", "It reads an unlogged table, which a crash empties."},
    {"temporary_table", "It names what is, or may be, a temporary table or type of the session."},
    {"other_relation", "It reads a sequence or another kind of relation."},
    {"unsafe_type",
     "A value in it, or a column of what it reads, has a type whose text depends on more than the value."},
    {"rule", "A rule of the configuration says that it is not to be cached."},
    {"no_rule", "No rule of the configuration matches it, and the default is to bypass."},
    {"catalog_unknown", "The database's catalog has not been read, is being read again, or is in doubt."},
    {"session_unknown", "The session's settings or search path could not be learned."},
    {"temporary_objects", "The session has temporary objects, which may hide any name."},
    {"isolation", "The transaction is REPEATABLE READ or SERIALIZABLE."},
    {"failed_transaction", "The transaction has failed and waits for its ROLLBACK."},
    {"written_in_transaction", "The transaction itself has written what it now reads."},
    {"extended_protocol", "It came by the extended protocol in a way that is always forwarded: some of its rows at a "
                          "time, or from a portal of an earlier group of messages."},
    {"blind", "The session speaks what pgmemo cannot follow."},
    {"disabled", "The cache is switched off."},
    {"login_revoked",
     "Whoever logged in could not do so any more (auth.recheck), or that could not be checked in time."},
    {"remote_unavailable",
     "The store that is shared with other pgmemos (cache.remote) cannot be asked what they have written."},
}};

} // namespace

std::span<const ReasonInfo, kReasonCount> reasons() noexcept
{
    return kReasons;
}

std::string_view name_of(Reason reason) noexcept
{
    const auto index = static_cast<std::size_t>(reason);
    return index < kReasonCount ? kReasons[index].name : std::string_view{"unknown"};
}

} // namespace pgmemo::query
