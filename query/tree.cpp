#include "query/tree.hpp"

#include "query/tree_nodes.hpp"
#include "query/tree_text.hpp"
#include "query/words.hpp"

#include <algorithm>
#include <optional>

namespace pgmemo::query {
namespace {

constexpr Oid kBool = 16, kName = 19, kText = 25, kJson = 114, kUnknown = 705, kBpchar = 1042, kVarchar = 1043;
constexpr Oid kCurrentSetting = 2077, kCurrentSettingMissingOk = 3294; // pg_proc.dat, since 9.6

/// Source: the enums CmdType, RTEKind, OnConflictAction, SQLValueFunctionOp and SubLinkType in nodes/*.h. Of CmdType
/// the values above DELETE moved in 15: they are not told apart.
enum CommandType { command_select = 1, command_update = 2, command_insert = 3, command_delete = 4 };
enum RteKind { rte_relation = 0, rte_named_tuplestore = 7 };
constexpr int kOnConflictUpdate = 2, kLastClock = 8, kLastIdentity = 14, kExpressionSublink = 4;

std::string lower(std::string text)
{
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return text;
}

class Walk {
public:
    Walk(TreeText text, Oid self)
        : text_(std::move(text))
        , self_(self)
    {
    }

    Tree run()
    {
        const auto kind = text_.top().kind;
        if (kind == TreeValue::Kind::token || kind == TreeValue::Kind::numbers || kind == TreeValue::Kind::bytes)
            is_understood_ = false;
        visit(text_.top());
        if (is_understood_)
            find_outputs();
        tree_.is_understood = is_understood_;
        for (auto* all : {&tree_.functions, &tree_.operators, &tree_.types}) {
            std::sort(all->begin(), all->end());
            all->erase(std::unique(all->begin(), all->end()), all->end());
        }
        return std::move(tree_);
    }

private:
    const TreeValue* first(const TreeValue& parent) const { return text_.first(parent); }
    const TreeValue* after(const TreeValue& value) const { return text_.after(value); }
    const TreeValue* field(const TreeValue& node, std::string_view name) const { return text_.field(node, name); }

    /// The whole number in a field; the tree is not understood if it is not there.
    template <class T>
    T number(const TreeValue& node, std::string_view name)
    {
        const auto* value = field(node, name);
        const auto found = value && value->kind == TreeValue::Kind::token ? tree_number<T>(value->text) : std::nullopt;
        if (!found)
            is_understood_ = false;
        return found.value_or(T{0});
    }
    int integer(const TreeValue& node, std::string_view name) { return number<int>(node, name); }
    Oid oid(const TreeValue& node, std::string_view name) { return number<Oid>(node, name); }

    bool flag(const TreeValue& node, std::string_view name)
    {
        const auto* value = field(node, name);
        const bool is_true = value && value->text == "true";
        if (!is_true && !(value && value->text == "false"))
            is_understood_ = false;
        return is_true;
    }

    /// Whether a field holds anything: not `<>`, not an empty list.
    bool has(const TreeValue& node, std::string_view name) const
    {
        const auto* value = field(node, name);
        return value && value->kind != TreeValue::Kind::nothing &&
               !(value->kind == TreeValue::Kind::list && value->child == 0);
    }

    void visit(const TreeValue& value)
    {
        if (value.kind == TreeValue::Kind::node)
            return visit_node(value);
        if (value.kind == TreeValue::Kind::list)
            for (const auto* it = first(value); it; it = after(*it))
                visit(*it);
    }

    void visit_node(const TreeValue& node)
    {
        const auto* kind = tree_node_kind(node.text);
        if (!kind) {
            is_understood_ = false;
            return;
        }
        if (node.text == "QUERY")
            take_query(node); // before what is in it, so that relations come in the order of the range table
        for (const auto* it = first(node); it; it = after(*it)) {
            const auto* known = kind->field(it->name);
            if (!known) {
                is_understood_ = false;
                return;
            }
            take_field(*known, *it);
            visit(*it);
        }
        take_node(node);
    }

    void take_field(const TreeField& known, const TreeValue& value)
    {
        if (known.role == TreeRole::plain || known.role == TreeRole::result || value.kind == TreeValue::Kind::nothing)
            return;
        auto& all = known.role == TreeRole::function ? tree_.functions
                    : known.role == TreeRole::op     ? tree_.operators
                                                     : tree_.types;
        const bool has_numbers = value.kind == TreeValue::Kind::token || value.kind == TreeValue::Kind::numbers;
        if (!has_numbers || !each_tree_number<Oid>(value.text, [&](Oid one) {
                if (one != 0)
                    all.push_back(one);
            }))
            is_understood_ = false;
    }

    void take_query(const TreeValue& query)
    {
        const int command = integer(query, "commandType");
        if (command != command_select)
            tree_.writes = true;
        if (flag(query, "hasForUpdate") || has(query, "rowMarks"))
            tree_.has_row_lock = true;
        const int target = integer(query, "resultRelation");
        if (target != 0 && command == command_select)
            is_understood_ = false;
        const auto* rtable = field(query, "rtable");
        int place = 0;
        for (const auto* entry = rtable ? first(*rtable) : nullptr; entry; entry = after(*entry)) {
            ++place;
            take_entry(*entry, place, place == target ? use_of(query, command) : tree_read, place == target);
        }
        if (target < 0 || target > place)
            is_understood_ = false;
    }

    int use_of(const TreeValue& query, int command)
    {
        switch (command) {
        case command_update:
            return tree_update;
        case command_insert: {
            const auto* conflict = field(query, "onConflict");
            const bool updates = conflict && conflict->kind == TreeValue::Kind::node &&
                                 integer(*conflict, "action") == kOnConflictUpdate;
            return updates ? tree_insert | tree_update : tree_insert;
        }
        case command_delete:
            return tree_delete;
        default:
            return tree_insert | tree_update | tree_delete;
        }
    }

    void take_entry(const TreeValue& entry, int place, int use, bool is_target)
    {
        if (entry.kind != TreeValue::Kind::node || (entry.text != "RANGETBLENTRY" && entry.text != "RTE")) {
            is_understood_ = false;
            return;
        }
        const int kind = integer(entry, "rtekind");
        if (kind == rte_named_tuplestore)
            tree_.has_unsupported = true;
        if (kind == rte_relation ? is_old_or_new(entry, place, is_target) : !field(entry, "relid"))
            return;
        const auto relation = oid(entry, "relid");
        if (relation != 0)
            tree_.relations.push_back({relation, use});
        else if (kind == rte_relation)
            is_understood_ = false;
    }

    /// The entries of a rule that stand for the row before and after; until 15 those of a view have them as well. They
    /// are the first two, and no FROM, UPDATE or the like put them there.
    bool is_old_or_new(const TreeValue& entry, int place, bool is_target)
    {
        if (self_ == 0 || place > 2 || is_target || oid(entry, "relid") != self_ || flag(entry, "inh") ||
            flag(entry, "inFromCl"))
            return false;
        const auto* alias = field(entry, "eref");
        const auto* name = alias ? field(*alias, "aliasname") : nullptr;
        return name && name->text == (place == 1 ? "old" : "new");
    }

    void take_node(const TreeValue& node)
    {
        const auto label = node.text;
        if (label == "FUNCEXPR")
            take_call(node);
        else if (label == "CONST")
            take_constant(node);
        else if (label == "COERCEVIAIO")
            take_cast(node);
        else if (label == "SQLVALUEFUNCTION")
            take_value_function(node);
        else if (label == "VAR" && integer(node, "varattno") < 0)
            tree_.has_unsupported = true; // ctid, xmax and the like: they change where no row does
        else if (label == "TABLESAMPLECLAUSE")
            tree_.has_tablesample = true;
        else if (label == "NOTIFY" || label == "NOTIFYSTMT")
            tree_.writes = true;
        else if (label == "XMLEXPR" || label == "TABLEFUNC" || label == "NEXTVALUEEXPR" || label == "JSONEXPR")
            tree_.has_unsupported = true;
        else if (label == "JSONCONSTRUCTOREXPR" && !has(node, "func"))
            tree_.has_unsupported = true; // output functions and casts that the tree does not name make its value
    }

    void take_value_function(const TreeValue& node)
    {
        const int which = integer(node, "op");
        if (which >= 0 && which <= kLastClock)
            tree_.reads_clock = true;
        else if (which > kLastClock && which <= kLastIdentity)
            tree_.reads_identity = true;
        else
            is_understood_ = false;
    }

    void take_call(const TreeValue& node)
    {
        const auto called = oid(node, "funcid");
        if (called != kCurrentSetting && called != kCurrentSettingMissingOk)
            return;
        const auto* arguments = field(node, "args");
        const auto* argument = arguments ? first(*arguments) : nullptr;
        while (argument && argument->text == "RELABELTYPE")
            argument = field(*argument, "arg");
        const auto name = argument && argument->text == "CONST" ? text_of(*argument) : std::nullopt;
        if (name)
            tree_.settings.push_back(lower(*name));
        else
            tree_.reads_unknown_setting = true;
    }

    void take_cast(const TreeValue& node)
    {
        const auto* argument = field(node, "arg");
        const TreeCast cast{argument ? type_of(*argument) : 0, oid(node, "resulttype")};
        if (cast.source != 0)
            tree_.types.push_back(cast.source);
        tree_.casts.push_back(cast);
    }

    /// The type of a node's value; 0: the tree does not tell.
    Oid type_of(const TreeValue& node)
    {
        if (node.kind != TreeValue::Kind::node)
            return 0;
        if (node.text == "COLLATEEXPR" || node.text == "COLLATE" || node.text == "NAMEDARGEXPR") {
            const auto* argument = field(node, "arg");
            return argument ? type_of(*argument) : 0;
        }
        if (node.text == "SUBLINK")
            return type_of_sublink(node);
        if (node.text == "SUBSCRIPTINGREF" && !field(node, "refrestype")) // until 13
            return oid(node, has(node, "reflowerindexpr") ? "refcontainertype" : "refelemtype");
        const auto* kind = tree_node_kind(node.text);
        if (!kind)
            return 0;
        for (const auto& known : kind->fields)
            if ((known.role == TreeRole::result || known.role == TreeRole::converted) && field(node, known.name))
                return oid(node, known.name);
        return kind->result;
    }

    Oid type_of_sublink(const TreeValue& node)
    {
        const int which = integer(node, "subLinkType");
        if (which == kExpressionSublink) {
            const auto* query = field(node, "subselect");
            const auto* targets = query ? field(*query, "targetList") : nullptr;
            const auto* target = targets ? first(*targets) : nullptr;
            const auto* expression = target ? field(*target, "expr") : nullptr;
            return expression ? type_of(*expression) : 0;
        }
        return which < kExpressionSublink && which >= 0 ? kBool : 0;
    }

    // Constants

    std::string bytes_of(const TreeValue& node)
    {
        std::string bytes;
        const auto* value = field(node, "constvalue");
        if (value && value->kind == TreeValue::Kind::bytes &&
            !each_tree_number<int>(value->text, [&](int byte) { bytes += static_cast<char>(byte); }))
            is_understood_ = false;
        return bytes;
    }

    /// What is behind the header of a value of variable length; nothing if it has none that says so. Source:
    /// postgres.h, struct varlena.
    static std::optional<std::string_view> payload(std::string_view bytes)
    {
        const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
        const auto size = bytes.size();
        if (size >= 4) {
            const auto little = byte(0) | byte(1) << 8U | byte(2) << 16U | byte(3) << 24U;
            const auto big = byte(3) | byte(2) << 8U | byte(1) << 16U | byte(0) << 24U;
            if (little == size << 2U || big == size)
                return bytes.substr(4);
        }
        if (size >= 1 && (byte(0) == (size << 1U | 1U) || byte(0) == (size | 0x80U)))
            return bytes.substr(1);
        return std::nullopt;
    }

    /// The text that a constant of a text type holds.
    std::optional<std::string> text_of(const TreeValue& node)
    {
        const auto type = oid(node, "consttype");
        if (flag(node, "constisnull"))
            return std::nullopt;
        const auto bytes = bytes_of(node);
        if (type == kText || type == kVarchar || type == kBpchar) {
            const auto text = payload(bytes);
            return text ? std::optional<std::string>{*text} : std::nullopt;
        }
        if (type == kName || type == kUnknown)
            return bytes.substr(0, bytes.find('\0'));
        return std::nullopt;
    }

    /// Whether a date type may read a clock out of the constant or of a part of it. Of a type that is not a text every
    /// run of bytes counts: strings stand in arrays and jsonb side by side.
    void take_constant(const TreeValue& node)
    {
        if (flag(node, "constisnull") || flag(node, "constbyval"))
            return;
        const auto* value = field(node, "constvalue");
        if (!value || value->kind != TreeValue::Kind::bytes) {
            is_understood_ = false;
            return;
        }
        const auto type = oid(node, "consttype");
        if (const auto text = text_of(node)) {
            tree_.has_clock_text |= mentions_clock(*text);
            return;
        }
        const auto bytes = lower(bytes_of(node));
        for (const std::string_view word : {"now", "today", "tomorrow", "yesterday"})
            tree_.has_clock_text |= bytes.find(word) != std::string::npos;
        if (type == kJson) // a letter may be written as its number
            tree_.has_clock_text |= bytes.find('\\') != std::string::npos;
        if (type == kText || type == kVarchar || type == kBpchar) // compressed
            tree_.has_clock_text = true;
    }

    // Outputs

    void find_outputs()
    {
        const auto* top = &text_.top();
        if (top->kind == TreeValue::Kind::list)
            top = first(*top) && !after(*first(*top)) ? first(*top) : nullptr;
        if (!top || top->kind != TreeValue::Kind::node || top->text != "QUERY" || !passes_rows_through(*top))
            return;
        std::vector<int> joined;
        if (const auto* from = field(*top, "jointree"))
            collect_joined(*from, joined);
        const auto* targets = field(*top, "targetList");
        for (const auto* target = targets ? first(*targets) : nullptr; target; target = after(*target)) {
            const auto* var = field(*target, "expr");
            if (flag(*target, "resjunk") || !var || var->text != "VAR" || oid(*var, "varlevelsup") != 0)
                continue;
            const int entry = integer(*var, "varno");
            const int column = integer(*var, "varattno");
            const auto relation = relation_at(*top, entry);
            if (column > 0 && relation && std::find(joined.begin(), joined.end(), entry) != joined.end())
                tree_.outputs.push_back({integer(*target, "resno"), *relation, column});
        }
    }

    bool passes_rows_through(const TreeValue& query)
    {
        for (const auto name : {"hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasDistinctOn"})
            if (flag(query, name))
                return false;
        for (const auto name : {"groupClause", "groupingSets", "havingQual", "windowClause", "distinctClause",
                                "setOperations", "limitOffset", "limitCount", "rowMarks"})
            if (has(query, name))
                return false;
        return integer(query, "commandType") == command_select &&
               !(field(query, "hasGroupRTE") && flag(query, "hasGroupRTE"));
    }

    void collect_joined(const TreeValue& item, std::vector<int>& joined)
    {
        if (item.text == "RANGETBLREF")
            joined.push_back(integer(item, "rtindex"));
        else if (item.text == "FROMEXPR" || item.text == "JOINEXPR")
            for (const auto name : {"fromlist", "larg", "rarg"})
                if (const auto* inner = field(item, name)) {
                    if (inner->kind == TreeValue::Kind::list)
                        for (const auto* it = first(*inner); it; it = after(*it))
                            collect_joined(*it, joined);
                    else
                        collect_joined(*inner, joined);
                }
    }

    /// Which of `tree_.relations` an entry of the outermost range table is.
    std::optional<std::size_t> relation_at(const TreeValue& query, int place)
    {
        const auto* rtable = field(query, "rtable");
        std::size_t index = 0;
        int at = 0;
        for (const auto* entry = rtable ? first(*rtable) : nullptr; entry; entry = after(*entry)) {
            const int kind = integer(*entry, "rtekind");
            const bool counts = kind == rte_relation ? !is_old_or_new(*entry, at + 1, false)
                                                     : field(*entry, "relid") && oid(*entry, "relid") != 0;
            if (++at == place)
                return counts && kind == rte_relation ? std::optional{index} : std::nullopt;
            index += counts ? 1U : 0U;
        }
        return std::nullopt;
    }

    TreeText text_;
    Oid self_;
    Tree tree_;
    bool is_understood_ = true;
};

} // namespace

Tree read_tree(std::string_view text, Oid self)
{
    auto read = TreeText::read(text);
    return read ? Walk{std::move(*read), self}.run() : Tree{};
}

} // namespace pgmemo::query
