#pragma once

#include "query/statement.hpp"

#include <string_view>
#include <vector>

namespace pgmemo::query {

/// What the number in a field is, as letters.
enum class TreeRole : char {
    plain = ' ',
    function = 'f',
    op = 'o',
    result = 'r',    ///< the type of the node's value
    converted = 'c', ///< the same, and its input function, output function or checks run
};

struct TreeField {
    std::string_view name;
    TreeRole role = TreeRole::plain;
};

/// A kind of node that was taught, with every field that it has in one of the versions 13 to 18.
struct TreeNodeKind {
    std::vector<TreeField> fields;
    Oid result = 0; ///< the type of its value, where the kind alone tells it

    const TreeField* field(std::string_view field_name) const noexcept;
};

/// Null for a kind that was not.
const TreeNodeKind* tree_node_kind(std::string_view label);

} // namespace pgmemo::query
