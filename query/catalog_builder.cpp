#include "query/catalog_impl.hpp"
#include "query/catalog_traits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>

namespace pgmemo::query {
namespace {

using Row = std::span<const std::optional<std::string_view>>;

/// Reads a row's fields in order; after the first that is not as expected it yields zeros and says so.
class Fields {
public:
    explicit Fields(Row row)
        : row_(row)
    {
    }

    std::string text() { return std::string{next()}; }

    std::string text_or_none() { return std::string{next_or_none().value_or(std::string_view{})}; }

    /// One letter; a blank for the empty string that PostgreSQL's "char" shows when it holds a zero.
    char letter()
    {
        const auto field = next();
        if (field.size() > 1)
            is_bad_ = true;
        return field.empty() ? ' ' : field.front();
    }

    char letter(std::string_view allowed)
    {
        const char found = letter();
        if (allowed.find(found) == std::string_view::npos)
            is_bad_ = true;
        return found;
    }

    bool flag() { return letter("tf") == 't'; }

    template <class T>
    T number()
    {
        return number_in<T>(next());
    }

    /// PostgreSQL's text of a vector: numbers, one blank between them.
    template <class T>
    std::vector<T> numbers()
    {
        return numbers_in<T>(next());
    }

    template <class T>
    std::vector<T> numbers_or_none()
    {
        return numbers_in<T>(next_or_none().value_or(std::string_view{}));
    }

    /// PostgreSQL's text of an array of one dimension; none for NULL. Source: PostgreSQL documentation, "Array Input
    /// and Output Syntax".
    std::vector<std::string> array()
    {
        std::vector<std::string> all;
        const auto field = next_or_none();
        if (!field || *field == "{}")
            return all;
        std::size_t at = 0; // of the brace or comma before an element; the last is the brace behind them
        do
            all.push_back(element(*field, ++at));
        while (!is_bad_ && (*field)[at] == ',');
        if (!field->starts_with('{') || at + 1 != field->size())
            is_bad_ = true;
        return all;
    }

    std::optional<Tree> tree(Oid self = 0)
    {
        const auto text = next_or_none();
        return text ? std::optional{read_tree(*text, self)} : std::nullopt;
    }

    bool is_bad() const noexcept { return is_bad_ || at_ != row_.size(); }

private:
    std::optional<std::string_view> next_or_none()
    {
        if (at_ < row_.size())
            return row_[at_++];
        is_bad_ = true;
        return std::nullopt;
    }

    std::string_view next()
    {
        const auto field = next_or_none();
        if (!field)
            is_bad_ = true;
        return field.value_or(std::string_view{});
    }

    template <class T>
    T number_in(std::string_view field)
    {
        T value{};
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        if (error != std::errc{} || end != field.data() + field.size())
            is_bad_ = true;
        return value;
    }

    template <class T>
    std::vector<T> numbers_in(std::string_view left)
    {
        std::vector<T> all;
        while (!left.empty()) {
            const auto end = std::min(left.find(' '), left.size());
            all.push_back(number_in<T>(left.substr(0, end)));
            left.remove_prefix(std::min(end + 1, left.size()));
        }
        return all;
    }

    /// The element of an array that begins at `at`, which is left at the comma or brace behind it.
    std::string element(std::string_view text, std::size_t& at)
    {
        std::string found;
        const bool is_quoted = at < text.size() && text[at] == '"';
        for (at += is_quoted ? 1U : 0U; at < text.size(); ++at) {
            if (is_quoted ? text[at] == '"' : text[at] == ',' || text[at] == '}')
                break;
            if (text[at] == '\\')
                ++at;
            if (at < text.size())
                found += text[at];
        }
        at += is_quoted ? 1U : 0U;
        if (at >= text.size() || (text[at] != ',' && text[at] != '}') ||
            (!is_quoted && (found.empty() || found == "NULL")))
            is_bad_ = true;
        return found;
    }

    Row row_;
    std::size_t at_ = 0;
    bool is_bad_ = false;
};

Language language_of(std::string_view name)
{
    if (name == "internal")
        return Language::internal;
    if (name == "c")
        return Language::c;
    if (name == "sql")
        return Language::sql;
    return name == "plpgsql" ? Language::plpgsql : Language::other;
}

std::atomic<std::uint64_t> last_id{0};

} // namespace

struct CatalogBuilder::State {
    std::unique_ptr<Catalog::Impl> impl = std::make_unique<Catalog::Impl>();
    std::unordered_map<Oid, Tree> comparisons; ///< by the relation: what its operator classes call
    std::size_t query = 0;                     ///< the last that yielded a row
    std::string error;
    bool has_summary = false;

    void read_summary(Fields&);
    void read_type(Fields&);
    void read_function(Fields&);
    void read_operator(Fields&);
    void read_cast(Fields&);
    void read_relation(Fields&);
    void read_column(Fields&);
    void read_key(Fields&);
    void read_parent(Fields&);
    void read_reference(Fields&);
    void read_trigger(Fields&);
    void read_rule(Fields&);
    void read_tree_of(Fields&);
    void read_comparison(Fields&);
    void place_comparisons();

    template <class T>
    void add(std::vector<T>& all, Index& by_name, boost::unordered_flat_map<Oid, std::uint32_t>& by_oid, T item)
    {
        const auto place = static_cast<std::uint32_t>(all.size());
        by_name[item.name].push_back(place);
        by_oid.emplace(item.oid, place);
        all.push_back(std::move(item));
    }

    /// Null for what is no relation to us: an index, a TOAST table, a temporary table.
    Relation* relation(Oid oid)
    {
        const auto found = impl->relations_by_oid.find(oid);
        return found == impl->relations_by_oid.end() ? nullptr : &impl->relations[found->second];
    }
};

void CatalogBuilder::State::read_summary(Fields& fields)
{
    impl->has_event_triggers = fields.flag();
    impl->has_user_text_search_code = fields.flag();
    has_summary = true;
}

void CatalogBuilder::State::read_type(Fields& fields)
{
    Type type;
    type.oid = fields.number<Oid>();
    type.schema = fields.text();
    type.name = fields.text();
    type.is_user = type.oid >= kFirstUserOid || type.schema != "pg_catalog";
    type.kind = fields.letter();
    type.element = fields.number<Oid>();
    type.base = fields.number<Oid>();
    type.modifier = fields.number<int>();
    type.relation = fields.number<Oid>();
    type.subtype = fields.number<Oid>();
    type.input = fields.number<Oid>();
    type.output = fields.number<Oid>();
    type.is_deterministic = fields.flag();
    if (auto value = fields.tree())
        type.checks.push_back(std::move(*value));
    add(impl->types, impl->types_by_name, impl->types_by_oid, std::move(type));
}

void CatalogBuilder::State::read_function(Fields& fields)
{
    Function function;
    function.oid = fields.number<Oid>();
    function.schema = fields.text();
    function.name = fields.text();
    function.is_user = function.oid >= kFirstUserOid || function.schema != "pg_catalog";
    function.kind = fields.letter("fpaw");
    function.volatility = fields.letter("isv");
    function.language = language_of(fields.text());
    function.is_variadic = fields.flag();
    function.is_security_definer = fields.flag();
    function.is_random_only = fields.flag();
    function.defaults = fields.number<int>();
    function.arguments = fields.numbers<Oid>();
    function.result = fields.number<Oid>();
    function.settings = fields.array();
    const auto names = fields.array();
    const auto modes = fields.array(); // of all arguments; none if all of them are input
    const auto types = fields.numbers_or_none<Oid>();
    const auto is_of = [&](std::size_t i, std::string_view some) {
        return modes.empty() || (i < modes.size() && some.find(modes[i]) != std::string_view::npos);
    };
    for (std::size_t i = 0; i < names.size(); ++i)
        if (is_of(i, "ibv"))
            function.argument_names.push_back(names[i]);
    for (std::size_t i = 0; i < types.size(); ++i)
        if (is_of(i, "obt"))
            function.outputs.push_back(types[i]);
    function.default_values = fields.tree();
    function.source = fields.text_or_none();
    function.body = fields.tree();
    function.parts = fields.numbers_or_none<Oid>();
    std::erase(function.parts, 0U);
    add(impl->functions, impl->functions_by_name, impl->functions_by_oid, std::move(function));
}

void CatalogBuilder::State::read_operator(Fields& fields)
{
    Operator op;
    op.oid = fields.number<Oid>();
    op.schema = fields.text();
    op.name = fields.text();
    op.is_user = fields.flag();
    op.left = fields.number<Oid>();
    op.right = fields.number<Oid>();
    op.function = fields.number<Oid>();
    add(impl->operators, impl->operators_by_name, impl->operators_by_oid, std::move(op));
}

void CatalogBuilder::State::read_cast(Fields& fields)
{
    Cast cast;
    cast.source = fields.number<Oid>();
    cast.target = fields.number<Oid>();
    cast.function = fields.number<Oid>();
    cast.context = fields.letter("eai");
    cast.method = fields.letter("fib");
    impl->user_casts.push_back(cast);
}

void CatalogBuilder::State::read_relation(Fields& fields)
{
    Relation relation;
    relation.oid = fields.number<Oid>();
    relation.schema = fields.text();
    relation.name = fields.text();
    relation.kind = fields.letter("rvmpfS");
    relation.persistence = fields.letter("pu");
    relation.has_row_security = fields.flag();
    relation.is_security_invoker = fields.flag();
    add(impl->relations, impl->relations_by_name, impl->relations_by_oid, std::move(relation));
}

void CatalogBuilder::State::read_column(Fields& fields)
{
    auto* owner = relation(fields.number<Oid>());
    Column column;
    column.number = fields.number<int>();
    column.name = fields.text();
    column.type = fields.number<Oid>();
    column.modifier = fields.number<int>();
    column.is_deterministic = fields.flag();
    column.has_default = fields.flag();
    column.identity = fields.letter(" ad");
    column.generated = fields.letter(" sv");
    if (owner)
        owner->columns.push_back(std::move(column));
}

void CatalogBuilder::State::read_key(Fields& fields)
{
    auto* owner = relation(fields.number<Oid>());
    const auto size = fields.number<std::size_t>();
    auto columns = fields.numbers<int>();
    columns.resize(std::min(size, columns.size())); // behind them stand those that are only INCLUDEd
    const bool is_known = std::all_of(columns.begin(), columns.end(), [](int column) { return column > 0; });
    const bool is_whole = fields.flag();
    const bool is_plain = fields.flag();
    if (owner && is_whole && is_plain && is_known && columns.size() == 1)
        owner->unique.push_back(columns.front());
    if (owner && !is_plain)
        owner->oddly_unique.insert(owner->oddly_unique.end(), columns.begin(), columns.end());
    if (owner && is_known && std::find(owner->keys.begin(), owner->keys.end(), columns) == owner->keys.end())
        owner->keys.push_back(std::move(columns));
}

void CatalogBuilder::State::read_parent(Fields& fields)
{
    const auto child = fields.number<Oid>();
    const auto parent = fields.number<Oid>();
    auto* below = relation(child);
    auto* above = relation(parent);
    if (!below || !above)
        return;
    below->parents.push_back(parent);
    above->children.push_back(child);
}

void CatalogBuilder::State::read_reference(Fields& fields)
{
    auto* target = relation(fields.number<Oid>());
    Reference reference;
    reference.relation = fields.number<Oid>();
    reference.on_update = fields.letter("arcnd");
    reference.on_delete = fields.letter("arcnd");
    reference.columns = fields.numbers<int>();
    if (target)
        target->references.push_back(reference);
}

void CatalogBuilder::State::read_trigger(Fields& fields)
{
    auto* owner = relation(fields.number<Oid>());
    Trigger trigger;
    trigger.name = fields.text();
    trigger.function = fields.number<Oid>();
    trigger.type = fields.number<unsigned>();
    trigger.condition = fields.tree();
    if (owner)
        owner->triggers.push_back(std::move(trigger));
}

void CatalogBuilder::State::read_rule(Fields& fields)
{
    const auto self = fields.number<Oid>();
    auto* owner = relation(self);
    Rule rule;
    rule.event = fields.letter("1234");
    rule.is_instead = fields.flag();
    rule.action = fields.tree(self).value_or(Tree{});
    rule.condition = fields.tree(self).value_or(Tree{});
    if (!owner)
        return;
    if (rule.event == '1')
        owner->view = std::move(rule.action);
    else
        owner->rules.push_back(std::move(rule));
}

void CatalogBuilder::State::read_tree_of(Fields& fields)
{
    const char what = fields.letter("rwpd");
    const auto owner = fields.number<Oid>();
    auto tree = fields.tree().value_or(Tree{});
    if (what == 'd') {
        const auto found = impl->types_by_oid.find(owner);
        if (found != impl->types_by_oid.end())
            impl->types[found->second].checks.push_back(std::move(tree));
    } else if (auto* its = relation(owner)) {
        (what == 'r' ? its->on_read : what == 'w' ? its->on_write : its->policies).push_back(std::move(tree));
    }
}

void CatalogBuilder::State::read_comparison(Fields& fields)
{
    const char what = fields.letter("cot");
    const auto owner = fields.number<Oid>();
    const auto function = fields.number<Oid>();
    if (what == 't') {
        impl->class_functions.emplace_back(owner, function);
    } else if (what == 'c') {
        comparisons[owner].functions.push_back(function);
    } else if (auto* its = relation(owner)) {
        Tree tree;
        tree.is_understood = true;
        tree.functions = {function};
        its->on_write.push_back(std::move(tree));
    }
}

void CatalogBuilder::State::place_comparisons()
{
    for (auto& [owner, tree] : comparisons) {
        tree.is_understood = true;
        std::sort(tree.functions.begin(), tree.functions.end());
        if (auto* its = relation(owner)) {
            its->on_read.push_back(tree);
            its->on_write.push_back(std::move(tree));
        }
    }
}

CatalogBuilder::CatalogBuilder(Oid database)
    : state_(std::make_unique<State>())
{
    state_->impl->database = database;
}

CatalogBuilder::~CatalogBuilder() = default;

void CatalogBuilder::row(std::size_t query, Row columns)
{
    using Read = void (State::*)(Fields&);
    constexpr std::array<Read, 14> kReads{&State::read_summary,   &State::read_type,      &State::read_function,
                                          &State::read_operator,  &State::read_cast,      &State::read_relation,
                                          &State::read_column,    &State::read_key,       &State::read_parent,
                                          &State::read_reference, &State::read_trigger,   &State::read_rule,
                                          &State::read_tree_of,   &State::read_comparison};
    auto& state = *state_;
    if (!state.error.empty() || !state.impl)
        return;
    if (query >= kReads.size()) {
        state.error = fmt::format("there is no catalog query {}", query);
        return;
    }
    const auto name = catalog_queries()[query].name;
    if (query < state.query) {
        state.error = fmt::format("a row of the catalog query \"{}\" comes behind those of a later one", name);
        return;
    }
    state.query = query;
    Fields fields{columns};
    (state.*kReads[query])(fields);
    if (fields.is_bad())
        state.error = fmt::format("a row of the catalog query \"{}\" has a value that is not understood", name);
}

std::shared_ptr<const Catalog> CatalogBuilder::finish(const config::Config& config)
{
    auto& state = *state_;
    if (!state.error.empty() || !state.impl)
        return nullptr;
    auto& impl = *state.impl;
    if (!state.has_summary)
        state.error = "the catalog query \"summary\" yielded no row";
    else if (impl.functions.empty() || impl.operators.empty() || impl.types.empty() || impl.relations.empty())
        state.error = "the catalog shows no functions, operators, types or relations";
    if (!state.error.empty())
        return nullptr;
    state.place_comparisons();
    impl.relation_count = impl.relations.size();
    add_traits(impl, config);
    impl.id = ++last_id;
    return std::make_shared<const Catalog>(std::move(state.impl));
}

const std::string& CatalogBuilder::error() const noexcept
{
    return state_->error;
}

} // namespace pgmemo::query
