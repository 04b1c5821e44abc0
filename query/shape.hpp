#pragma once

#include "query/statement.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// A text without the integers that stand directly behind a comparison operator (`id = 17`): what drivers that write
/// values into the text send again and again.
struct Shape {
    std::string text;                     ///< with a NUL byte, which no text has, in place of each
    std::vector<std::string_view> values; ///< as written, without leading zeros, none beyond int4; borrow from the text
};

/// Nullopt: there is none, or the text has something in it (escapes, dollar quotes, parameters) that makes it harder to
/// be sure what is a literal. Says nothing of whether the text means anything.
std::optional<Shape> shape_of(std::string_view sql);

/// The text with other values.
std::string with_values(const Shape&, const std::vector<std::string_view>& values);

/// What all texts of one shape have in common: their Statement, in which a value of the shape is a Bound whose
/// parameter is -1 for the first, -2 for the second and so on.
///
/// That the analysis depends on no more of a value than where it goes is not taken for granted: a template is made of
/// texts with made-up values (the caller's part), and is of no use unless it says of each, and of the text that asked
/// for it, what their own analysis says.
constexpr std::size_t kMostValues = 16;
/// The made-up values, of set 0 or 1.
std::vector<std::string> made_up_values(std::size_t count, int set);
/// `statement`: the analysis of the text that has `values`.
Statement template_of(Statement statement, const std::vector<std::string>& values);
/// A refusal's place is lost: it depends on how long the values are.
Statement filled(const Statement& shaped, const std::vector<std::string_view>& values);

} // namespace pgmemo::query
