#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::query {

/// A piece of the text: a node, one of its fields' values or an element of a list.
struct TreeValue {
    enum class Kind : char { nothing, node, list, numbers, token, bytes };
    Kind kind = Kind::nothing;
    std::string_view name;   ///< the field that it is the value of; empty for an element of a list
    std::string_view text;   ///< a node's label; a token as it is written, with its backslashes; bytes as numbers
    std::uint32_t child = 0; ///< the first field or element; 0: there is none
    std::uint32_t next = 0;  ///< the next one beside it
};

/// The text of a pg_node_tree, cut into its values. They borrow from it.
class TreeText {
public:
    /// Nothing if the text is not one value and no more, or nests deeper than a limit.
    static std::optional<TreeText> read(std::string_view text);

    const TreeValue& top() const noexcept { return values_[1]; }
    const TreeValue* first(const TreeValue& parent) const noexcept { return at(parent.child); }
    const TreeValue* after(const TreeValue& value) const noexcept { return at(value.next); }
    const TreeValue* field(const TreeValue& node, std::string_view name) const noexcept;

private:
    explicit TreeText(std::vector<TreeValue> values)
        : values_(std::move(values))
    {
    }
    const TreeValue* at(std::uint32_t place) const noexcept { return place == 0 ? nullptr : &values_[place]; }

    std::vector<TreeValue> values_; ///< the first is none at all, so that 0 can say so
};

/// A whole number, if the text is one and no more.
template <class T>
std::optional<T> tree_number(std::string_view token)
{
    T value{};
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error != std::errc{} || end != token.data() + token.size())
        return std::nullopt;
    return value;
}

/// Every number in a text of numbers and blanks; false if anything else is in it.
template <class T, class Take>
bool each_tree_number(std::string_view text, Take take)
{
    for (std::size_t at = 0; at < text.size();) {
        const auto begin = text.find_first_not_of(" \n\t", at);
        if (begin == std::string_view::npos)
            break;
        at = std::min(text.find_first_of(" \n\t", begin), text.size());
        const auto value = tree_number<T>(text.substr(begin, at - begin));
        if (!value)
            return false;
        take(*value);
    }
    return true;
}

} // namespace pgmemo::query
