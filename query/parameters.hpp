#pragma once

#include "query/statement.hpp"

#include <string_view>

namespace pgmemo::query {

/// What is known of the type of a parameter.
struct ParameterType {
    Oid declared = 0; ///< by the client; 0: left to the server
    Oid settled = 0;  ///< as the server has said; 0: it was not asked
};

/// Why a reply that depends on this value may not be cached, or `none`.
///
/// The analysis of the text has followed what a constant in the place of the parameter would bring about, and a type
/// that the server infers is that of such a constant. What the text does not show is left: the value, which a date or
/// time type may read as a clock, and a type that the client declares, whose input may run a user's code.
Reason refuse_parameter(ParameterType, bool is_binary, std::string_view value) noexcept;

} // namespace pgmemo::query
