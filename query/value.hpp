#pragma once

#include "query/statement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// The types for which equal values have one canonical form, and so may name a key slot.
///
/// Key slots rest on it: two values that PostgreSQL holds to be equal, or that one column holds after they were
/// assigned to it, have one form here, whatever they came as. A value without one is no error: its statement is just
/// not confined to it.
enum class ValueClass : std::uint8_t {
    none,    ///< any other type: never confined
    integer, ///< int2, int4, int8: decimal, no plus sign, no leading zeros
    boolean, ///< t or f
    uuid,    ///< 32 lower-case hexadecimal digits
    text, ///< text and varchar under a deterministic collation: the bytes; ASCII only, since client encodings differ;
          ///< no blank at the end, since varchar(n) drops those that are too many from what is assigned to it
};

/// The class of a built-in type, by its OID. Source: PostgreSQL's pg_type.dat: bool 16, int8 20, int2 21, int4 23,
/// text 25, varchar 1043, uuid 2950.
ValueClass value_class(Oid type) noexcept;
/// The element type of a built-in array type of one of those classes (1000, 1005, 1007, 1016, 1009, 1015, 2951), or 0.
Oid element_of_array(Oid type) noexcept;

/// One value, from its text form as a literal or a text parameter has it. Nullopt: no canonical form is known for sure,
/// though PostgreSQL may accept it (`0x10`, `1_000`, ` 7`, a non-ASCII text, an integer beyond 64 bits).
std::optional<std::string> canonical_text(ValueClass, std::string_view text);

/// Of an array's text form: one-dimensional, without NULL, without bounds, without quoting beyond what is plain to
/// read, of at most 1,000 elements.
std::optional<std::vector<std::string>> canonical_array_text(ValueClass, std::string_view text);

/// A parameter as Bind brings it.
struct ParameterValue {
    bool is_null = false;
    bool is_binary = false;
    Oid declared = 0; ///< the type that Parse declared for it; 0: left to the server
    std::string_view bytes;
};

/// A parameter that stands on its own (`column = $1`). NULL yields no value at all: `column = NULL` selects nothing,
/// and a column set to NULL equals no value. `column` is the class of the column that it is compared with. Nullopt when
/// the declared type is not of that class, or the bytes are not what their format and type promise.
std::optional<std::vector<std::string>> canonical_parameter(ValueClass column, const ParameterValue&);
/// A parameter that is an array (`column = ANY($1)`): each element; NULL elements select nothing and are left out.
/// Nullopt too for a text array with NULL in its text form (the setting array_nulls decides what that is), and for more
/// than 1,000 elements.
std::optional<std::vector<std::string>> canonical_array_parameter(ValueClass column, const ParameterValue&);

} // namespace pgmemo::query
