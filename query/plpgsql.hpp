#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// What the body of a PL/pgSQL function says, read without running it.
struct PlpgsqlBody {
    /// False: there is something that cannot be seen through or was not understood. The body may do anything: the
    /// flags below are all up, the lists are empty.
    bool is_understood = false;

    /// Every SQL statement and every expression in the order of the text. An expression `e` stands here as `SELECT e`,
    /// `PERFORM q` as `SELECT q`, `SELECT … INTO v …` without its INTO, a bound cursor by its query, `CASE e WHEN l` as
    /// `SELECT e` and `SELECT "__Case__Variable__" IN (l)`, an assignment to `v[i]` as `SELECT v[i]` and its value.
    /// Not here: COMMIT and ROLLBACK, `RETURN` of exactly NEW, OLD or NULL. Otherwise as in the source, comments
    /// included. Each is for PostgreSQL's own grammar to judge: SQL is cut here, not read.
    std::vector<std::string> statements;

    /// Runs what is not in the text: EXECUTE, RETURN QUERY EXECUTE, FOR … IN EXECUTE, OPEN … FOR EXECUTE, FETCH or
    /// MOVE in a cursor that was not surely opened here, or whose variable is assigned to.
    bool is_dynamic = false;
    bool controls_transaction = false; ///< COMMIT or ROLLBACK in a procedure
    bool catches_errors = false;       ///< an EXCEPTION clause

    /// What a row trigger may make of the row that is written: the fields of NEW that are assigned to (`NEW.a := …`,
    /// `… INTO NEW.a`), in lower case unless they were quoted; sorted, unique. Those of OLD too: it may be returned.
    std::vector<std::string> assigned_fields_of_new;
    /// NEW or OLD is assigned as a whole, returned is anything but NEW, OLD or NULL, or NEW is handed to something
    /// that may change it: every column may differ. Up, too, in an ordinary function that returns anything.
    bool replaces_row = false;

    /// Of DECLARE and of cursors' arguments, as they are written: `date`, `public.items%ROWTYPE`, `refcursor`.
    std::vector<std::string> variable_types;
};

/// Reads `source`, the text between the function's dollar quotes (pg_proc.prosrc).
///
/// Errs on one side: what it is not sure of makes `is_understood` false. It may understand what PostgreSQL would refuse
/// to run. Never throws but for lack of memory, recurses no deeper than a limit of its own, and takes time linear in
/// the text (but for sorting names).
/// Source: PostgreSQL documentation, "PL/pgSQL"; the grammar in src/pl/plpgsql/src/pl_gram.y, versions 13 to 18.
PlpgsqlBody read_plpgsql(std::string_view source);

} // namespace pgmemo::query
