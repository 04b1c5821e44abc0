#pragma once

#include <string_view>

namespace pgmemo::query {

/// What was judged by hand about PostgreSQL's own objects, which the catalog does not say.

/// A built-in STABLE function (or the function of a built-in operator or cast) whose result depends on nothing but its
/// arguments and settings: TimeZone, DateStyle, IntervalStyle, lc_*, default_text_search_config, extra_float_digits …
bool depends_on_settings_only(std::string_view function) noexcept;

/// A built-in function that reads the clock. `arguments` tells age(x) from age(x, y).
bool reads_clock(std::string_view function, int arguments) noexcept;

/// A built-in VOLATILE function that writes no table, runs no SQL and changes no setting of the session.
bool is_harmless_volatile(std::string_view function) noexcept;

/// A built-in function, whatever its volatility, that runs SQL given as text or reads tables or cursors by name, and so
/// may run any function.
bool runs_sql(std::string_view function) noexcept;

/// A well-known built-in function that is IMMUTABLE or an aggregate: asked only while no catalog is at hand.
bool is_well_known(std::string_view function) noexcept;

/// A function that says something else about a row than its columns do, and may be written `row.name`.
bool inspects_any_value(std::string_view function) noexcept;

enum class TypeKind {
    safe,    ///< its input and output depend on the text and the settings alone
    time,    ///< the same, but its input may read the clock
    clock,   ///< `time with time zone`: its input and casts to it take today's offset
    catalog, ///< reg*: its input and output look into the catalog
    unknown,
};

/// What is known of a type of pg_catalog; array types are named `_element`.
TypeKind builtin_type(std::string_view name) noexcept;

} // namespace pgmemo::query
