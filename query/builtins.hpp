#pragma once

#include <string_view>

namespace pgmemo::query {

/// What was judged by hand about PostgreSQL's own objects, which the catalog does not say.

enum class Verdict : char {
    none,     ///< not judged: an IMMUTABLE function is as it says, any other may do and depend on anything
    settings, ///< depends on its arguments and on settings of the session alone
    clock,    ///< reads the clock
    outside,  ///< depends on something else; writes no table, runs no SQL, changes no setting
    sql,      ///< runs SQL given as text, reads tables or cursors by name, or makes values of any type by its name
    anything, ///< may do anything
};

/// The verdict on a function of pg_catalog, however volatile it says that it is: judged_functions.def. `signature` is
/// its name with the names of its argument types: `age(timestamptz)`.
Verdict judged(std::string_view name, std::string_view signature) noexcept;

/// What is said of all functions of that name, while no catalog tells which is meant. All are judged, and none of them
/// runs SQL or does more than it answers.
bool is_harmless(std::string_view name) noexcept;
/// One of them runs SQL, and so may run any function.
bool runs_sql(std::string_view name) noexcept;
/// They are harmless, or a few that everybody uses.
bool is_well_known(std::string_view name) noexcept;

/// A function that says something else about a row than its columns do, and may be written `row.name`.
bool inspects_any_value(std::string_view function) noexcept;

enum class TypeKind {
    safe,    ///< its input and output depend on the text and the settings alone
    time,    ///< the same, but its input may read the clock
    clock,   ///< `time with time zone`: its input and casts to it take today's offset
    catalog, ///< reg*: its input and output look into the catalog
    unknown,
};

/// The verdict on a type of pg_catalog: judged_types.def; array types are named `_element`.
TypeKind builtin_type(std::string_view name) noexcept;

} // namespace pgmemo::query
