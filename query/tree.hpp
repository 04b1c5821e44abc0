#pragma once

#include "query/statement.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// What a relation in a stored tree is used for; bits, as pgm_use in parse_tree.h. 0 is a read.
enum TreeUse : int { tree_read = 0, tree_insert = 1, tree_update = 2, tree_delete = 4 };

struct TreeRelation {
    Oid oid = 0;
    int use = tree_read;
};

/// A text value made a date or time, or the like: an input function is called with a value that is known only when it
/// runs.
struct TreeCast {
    Oid source = 0; ///< the type of the value, 0 if it could not be told from the tree
    Oid target = 0;
};

/// An output column of a plain view that is a column of a relation in its FROM, and of which WHERE `output = value`
/// confines that relation: no aggregate, grouping, DISTINCT, window, set operation, LIMIT or set-returning function
/// stands between.
struct TreeOutput {
    int number = 0;           ///< of the view's own columns, from 1
    std::size_t relation = 0; ///< index into `relations`
    int column = 0;           ///< attribute number in that relation
};

/// What one of the server's stored trees (pg_node_tree) refers to: of a view or rule, a policy, a default, a
/// constraint, an index, a partition key, a trigger's WHEN, the body of a SQL function. Names were resolved by the
/// server when it was made; what it calls is told by OID, whatever the search_path.
///
/// Source: PostgreSQL's nodes/outfuncs.c writes it; the node and field names are those of nodes/parsenodes.h and
/// nodes/primnodes.h in versions 13 to 18.
struct Tree {
    bool is_understood = false;          ///< every node is of a kind that was taught; else nothing below is complete
    std::vector<TreeRelation> relations; ///< one for each range table entry, subqueries' and sublinks' too, in order
    std::vector<Oid> functions;          ///< called: functions, aggregates, window functions; sorted, unique
    std::vector<Oid> operators; ///< by their own OID: expressions, sorting, grouping, row comparisons; sorted, unique
    std::vector<Oid> types; ///< into or out of which values are made by I/O functions or domain checks; sorted, unique
    std::vector<TreeCast> casts;       ///< through text I/O (CoerceViaIO), one for each
    std::vector<std::string> settings; ///< names that current_setting is called with, in lower case
    std::vector<TreeOutput> outputs;   ///< of the outermost query

    bool reads_clock = false;           ///< CURRENT_DATE and its kin (SQLValueFunction)
    bool reads_identity = false;        ///< CURRENT_USER and its kin
    bool reads_unknown_setting = false; ///< current_setting of something that is not a constant
    bool has_row_lock = false;
    bool has_tablesample = false;
    bool writes = false;          ///< some query in it is an INSERT, UPDATE, DELETE, MERGE or NOTIFY
    bool has_unsupported = false; ///< known, but not to be cached: XML, table functions, nextval by node
    bool has_clock_text = false;  ///< a text constant that a date type may read as a clock (mentions_clock)
};

/// Reads the text of a pg_node_tree. `self`: the relation that it belongs to, whose `old` and `new` entries are not
/// relations of their own; 0 for none. Never throws but for lack of memory; nests no deeper than a limit.
Tree read_tree(std::string_view text, Oid self = 0);

} // namespace pgmemo::query
