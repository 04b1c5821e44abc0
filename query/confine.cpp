#include "query/confine.hpp"

#include "query/value.hpp"

#include <algorithm>

namespace pgmemo::query {
namespace {

constexpr int kMaxNesting = 8;
constexpr std::size_t kMaxKnown = 4;    ///< sets of values remembered for one column
constexpr std::size_t kMaxTracked = 8;  ///< columns of a relation
constexpr std::size_t kMaxValues = 256; ///< beyond it a read or write is not confined
constexpr int kVarcharHeader = 4;       ///< an atttypmod of varchar counts it in. Source: VARHDRSZ

bool is_within(const RangeFact& inner, const RangeFact& outer) noexcept
{
    return inner.from >= outer.from && inner.to <= outer.to;
}

bool is_in(int item, int from, int to) noexcept
{
    return item >= from && item < to;
}

/// Whether a value that is cast in the text stays in its class: `'5'::int`, and not `'5 '::char(2)`.
bool is_cast_within(const ValueFact& value, ValueClass to) noexcept
{
    if (value.cast.empty())
        return true;
    switch (to) {
    case ValueClass::integer:
        return value.cast == "int2" || value.cast == "int4" || value.cast == "int8";
    case ValueClass::boolean:
        return value.cast == "bool";
    case ValueClass::uuid:
        return value.cast == "uuid";
    case ValueClass::text:
        return value.cast == "text" || value.cast == "varchar";
    case ValueClass::none:
        break;
    }
    return false;
}

/// The longest text that a column takes unchanged, in bytes; 0: any. A longer one may lose blanks at its end.
std::size_t longest(const Catalog::Impl& catalog, const Column& column) noexcept
{
    int modifier = column.modifier;
    const auto* type = catalog.type(column.type);
    for (int depth = 0; modifier < 0 && type != nullptr && type->kind == 'd' && depth < kMaxNesting; ++depth) {
        modifier = type->modifier;
        type = catalog.type(type->base);
    }
    return modifier >= kVarcharHeader ? static_cast<std::size_t>(modifier - kVarcharHeader) : 0;
}

} // namespace

ValueClass class_of(const Catalog::Impl& catalog, const Column& column) noexcept
{
    if (!column.is_deterministic)
        return ValueClass::none;
    auto oid = column.type;
    for (int depth = 0; depth < kMaxNesting; ++depth) {
        const auto* type = catalog.type(oid);
        if (type == nullptr || type->kind != 'd')
            return value_class(oid);
        if (!type->is_deterministic)
            return ValueClass::none;
        oid = type->base;
    }
    return ValueClass::none;
}

std::vector<int> find_tracked(const Catalog::Impl& catalog, const Relation& relation,
                              const std::vector<std::string>& named)
{
    std::vector<int> tracked;
    const auto add = [&](const Column& column) {
        const bool is_ascii = std::all_of(column.name.begin(), column.name.end(),
                                          [](char c) { return static_cast<unsigned char>(c) < 0x80; });
        if (tracked.size() < kMaxTracked && is_ascii && class_of(catalog, column) != ValueClass::none &&
            std::find(tracked.begin(), tracked.end(), column.number) == tracked.end())
            tracked.push_back(column.number);
    };
    for (const bool alone : {true, false}) // a column that is unique by itself tells the most
        for (const auto& key : relation.keys)
            if ((key.size() == 1) == alone)
                for (auto number = key.rbegin(); number != key.rend(); ++number)
                    for (const auto& column : relation.columns)
                        if (column.number == *number)
                            add(column);
    for (const auto& name : named)
        for (const auto& column : relation.columns)
            if (column.name == name)
                add(column);
    return tracked;
}

Confine::Confine(const StatementFacts& facts, const Catalog::Impl& catalog, const Lookup& lookup)
    : facts_(facts)
    , catalog_(catalog)
    , lookup_(lookup)
{
    add_items();
    add_constants();
    spread();
}

void Confine::add_items()
{
    for (const auto& fact : facts_.relations) {
        Item item{fact.level, fact.item, nullptr, 0, fact.alias, false};
        const auto relations = lookup_.relations(fact.name);
        if (relations.is_certain && !relations.may_be_temporary && relations.found.size() == 1)
            item.relation = relations.found.front();
        items_.push_back(std::move(item));
    }
    for (const auto& fact : facts_.confinement.subqueries)
        items_.push_back({fact.level, fact.item, nullptr, fact.inner, fact.alias, false});
    for (auto& item : items_)
        for (const auto& range : facts_.confinement.renamed)
            if (range.level == item.level && is_in(item.number, range.from, range.to))
                item.is_hidden = true;
}

/// The column of a relation that a column of an item is.
std::optional<Confine::Place> Confine::find_in(const Item& item, const std::string& column, int nesting) const
{
    if (item.is_hidden || nesting > kMaxNesting)
        return std::nullopt;
    if (item.relation != nullptr) {
        for (const auto& own : item.relation->columns)
            if (own.name == column)
                return Place{&item, &own, item.number};
        return std::nullopt;
    }
    const auto inner = static_cast<std::size_t>(item.inner);
    const auto& levels = facts_.confinement.levels;
    if (inner == 0 || inner >= levels.size() || !levels[inner].is_transparent)
        return std::nullopt;
    std::optional<Place> found;
    for (const auto& [name, source] : levels[inner].outputs) {
        auto name_inside = source;
        if (name == "*")
            name_inside.name = column;
        else if (name != column)
            continue;
        auto place = find(item.inner, name_inside, nesting + 1);
        if (!place)
            continue;
        if (found)
            return std::nullopt; // two of that name
        place->outer = item.number;
        found = place;
    }
    return found;
}

/// The column that a name means in a level, if that is certain.
std::optional<Confine::Place> Confine::find(int level, const ColumnName& name, int nesting) const
{
    std::vector<Place> places;
    for (const auto& item : items_)
        if (item.level == level && (name.table.empty() || item.alias == name.table))
            if (auto place = find_in(item, name.name, nesting))
                places.push_back(*place);
    if (!name.table.empty())
        return places.size() == 1 ? std::optional{places.front()} : std::nullopt;
    // JOIN … USING makes one of two columns: of the side that it preserves, which may be one that is not known here.
    for (const auto& fact : facts_.confinement.joined_using) {
        if (fact.range.level != level || (fact.column != name.name && fact.column != "*"))
            continue;
        const auto is_left = [&](const Place& place) { return is_in(place.outer, fact.range.from, fact.range.mid); };
        const auto is_right = [&](const Place& place) { return is_in(place.outer, fact.range.mid, fact.range.to); };
        switch (fact.join) {
        case PGM_JOIN_INNER:
            if (std::any_of(places.begin(), places.end(), is_left))
                std::erase_if(places, is_right);
            break;
        case PGM_JOIN_LEFT:
            std::erase_if(places, is_right);
            break;
        case PGM_JOIN_RIGHT:
            std::erase_if(places, is_left);
            break;
        case PGM_JOIN_FULL:
            std::erase_if(places, is_left);
            std::erase_if(places, is_right);
            break;
        }
    }
    return places.size() == 1 ? std::optional{places.front()} : std::nullopt;
}

const Column* Confine::column(const ColumnName& name, const RangeFact& range) const
{
    const auto& joined = facts_.confinement.joined_using; // the two sides may differ in type
    if (name.table.empty() && std::any_of(joined.begin(), joined.end(), [&](const UsingFact& fact) {
            return fact.range.level == range.level && (fact.column == name.name || fact.column == "*");
        }))
        return nullptr;
    const auto place = find(range.level, name);
    const bool is_direct = place && place->item->relation != nullptr && place->outer == place->item->number;
    return is_direct && is_in(place->outer, range.from, range.to) ? place->column : nullptr;
}

/// Whether `=` between values of the column and of its class is PostgreSQL's own.
bool Confine::is_own_equality(const Column& column) const
{
    std::vector<Oid> types{column.type};
    for (const auto* type = catalog_.type(column.type);
         type != nullptr && type->kind == 'd' && types.size() < static_cast<std::size_t>(kMaxNesting);
         type = catalog_.type(type->base))
        types.push_back(type->base);
    for (const auto& cast : catalog_.user_casts)
        if (cast.context == 'i' && std::find(types.begin(), types.end(), cast.source) != types.end())
            types.push_back(cast.target);
    // One for a built-in type may be taken for others as well: varchar is compared as text.
    const auto takes = [&](Oid operand) {
        const auto* type = catalog_.type(operand);
        return type == nullptr || !type->is_user || type->kind == 'p' ||
               std::find(types.begin(), types.end(), operand) != types.end();
    };
    for (const auto* op : lookup_.operators({{}, "="}))
        if (op->is_user && (takes(op->left) || takes(op->right)))
            return false;
    return true;
}

void Confine::add_constants()
{
    for (const auto& fact : facts_.confinement.equal) {
        if (fact.column.name.empty())
            continue;
        const auto place = find(fact.range.level, fact.column);
        if (!place || !is_in(place->outer, fact.range.from, fact.range.to))
            continue;
        auto& known = known_[{place->item->number, place->column->number}];
        if (known.size() < kMaxKnown)
            known.push_back({fact.range, &fact.values});
    }
}

/// From column to column along the equalities between them.
void Confine::spread()
{
    struct Link {
        RangeFact range;
        pgm_join join;
        Place left;
        Place right;
    };
    std::vector<Link> links;
    const auto link = [&](const RangeFact& range, pgm_join join, const std::optional<Place>& a,
                          const std::optional<Place>& b) {
        if (!a || !b || class_of(catalog_, *a->column) != class_of(catalog_, *b->column) ||
            !is_own_equality(*a->column) || !is_own_equality(*b->column))
            return;
        const bool anywhere = range.mid == range.from;
        const auto left = [&](const Place& p) { return is_in(p.outer, range.from, anywhere ? range.to : range.mid); };
        const auto right = [&](const Place& p) { return is_in(p.outer, range.mid, range.to); };
        if (left(*a) && right(*b))
            links.push_back({range, join, *a, *b});
        else if (left(*b) && right(*a))
            links.push_back({range, join, *b, *a});
    };
    for (const auto& fact : facts_.confinement.same)
        link(fact.range, fact.join, find(fact.range.level, fact.left), find(fact.range.level, fact.right));
    for (const auto& fact : facts_.confinement.joined_using) {
        // the one column of that name on either side
        const auto on_side = [&](int from, int to) -> std::optional<Place> {
            std::optional<Place> found;
            for (const auto& item : items_) {
                if (item.level != fact.range.level || !is_in(item.number, from, to))
                    continue;
                auto place = find_in(item, fact.column, 0);
                if (!place && item.relation != nullptr && !item.is_hidden)
                    continue; // it has no such column
                if (!place || found)
                    return std::nullopt;
                found = place;
            }
            return found;
        };
        link(fact.range, fact.join, on_side(fact.range.from, fact.range.mid), on_side(fact.range.mid, fact.range.to));
    }

    std::size_t steps = 0;
    for (bool grows = true; grows && steps < 64; ++steps) {
        grows = false;
        for (const auto& [range, join, left, right] : links)
            for (const auto& [from, to] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
                const auto found = known_.find({from->item->number, from->column->number});
                if (found == known_.end())
                    continue;
                // The target's side may stand without the source's, or be left out where the source's stands.
                const bool is_kept = join == PGM_JOIN_FULL || join == (to == &left ? PGM_JOIN_LEFT : PGM_JOIN_RIGHT);
                const bool is_optional =
                    join == PGM_JOIN_FULL || join == (to == &left ? PGM_JOIN_RIGHT : PGM_JOIN_LEFT);
                const auto source = found->second; // a copy: `target` may make the map grow
                auto& target = known_[{to->item->number, to->column->number}];
                for (auto known : source) {
                    if (!is_within(range, known.range) || (is_kept && !known.is_sure))
                        continue;
                    known.is_sure = known.is_sure && !is_optional;
                    const auto same = std::find_if(target.begin(), target.end(), [&](const Known& k) {
                        return k.values == known.values && k.range.from == known.range.from &&
                               k.range.to == known.range.to;
                    });
                    if (same == target.end() && target.size() < kMaxKnown) {
                        target.push_back(known);
                        grows = true;
                    } else if (same != target.end() && known.is_sure && !same->is_sure) {
                        same->is_sure = true;
                        grows = true;
                    }
                }
            }
    }
}

const std::vector<Confine::Known>* Confine::known(int item, const Column& column) const
{
    const auto found = known_.find({item, column.number});
    return found == known_.end() || found->second.empty() ? nullptr : &found->second;
}

/// Values of the text in their canonical form. `is_stored`: they are given to the column, not compared with it.
Confine::Values Confine::bounds(const Column& column, const std::vector<ValueFact>& values, bool is_stored) const
{
    const auto kind = class_of(catalog_, column);
    if (kind == ValueClass::none)
        return std::nullopt;
    const auto most = is_stored ? longest(catalog_, column) : 0;
    std::vector<Bound> bounds;
    const auto add = [&](std::string value) {
        if (most != 0 && value.size() > most)
            return false;
        bounds.push_back({.value = std::move(value)});
        return bounds.size() <= kMaxValues;
    };
    for (const auto& value : values) {
        if (!is_cast_within(value, kind))
            return std::nullopt;
        if (!value.cast.empty() && lookup_.types({{}, value.cast}).may_be_user)
            return std::nullopt;
        switch (value.kind) {
        case PGM_NULL:
            if (!is_stored)
                return std::nullopt;
            break;
        case PGM_INTEGER:
            if (kind != ValueClass::integer)
                return std::nullopt;
            [[fallthrough]];
        case PGM_TEXT: {
            auto canonical = canonical_text(kind, value.text);
            if (!canonical || !add(std::move(*canonical)))
                return std::nullopt;
            break;
        }
        case PGM_BOOLEAN:
            if (kind != ValueClass::boolean || !add(value.text))
                return std::nullopt;
            break;
        case PGM_TEXT_ARRAY: {
            auto canonical = canonical_array_text(kind, value.text);
            if (!canonical)
                return std::nullopt;
            for (auto& element : *canonical)
                if (!add(std::move(element)))
                    return std::nullopt;
            break;
        }
        case PGM_PARAMETER:
        case PGM_PARAMETER_ARRAY: {
            const auto number = static_cast<std::size_t>(value.parameter);
            const bool once = number < facts_.parameter_uses.size() && facts_.parameter_uses[number] == 1;
            bounds.push_back({.value = {},
                              .parameter = value.parameter,
                              .is_array = value.kind == PGM_PARAMETER_ARRAY,
                              .needs_declared = !once,
                              .max_bytes = most});
            break;
        }
        case PGM_EXCLUDED:
            return std::nullopt;
        }
    }
    return bounds;
}

std::vector<Confinement> Confine::confinements(const Relation& relation, int item) const
{
    std::vector<Confinement> result;
    for (const auto& column : relation.columns) {
        const auto* found = known(item, column);
        if (found == nullptr || !is_own_equality(column))
            continue;
        for (const auto& one : *found)
            if (auto values = bounds(column, *one.values, false)) {
                result.push_back({column.number, class_of(catalog_, column), std::move(*values)});
                break;
            }
    }
    return result;
}

/// What INSERT gives a column; nothing at all when it is left NULL.
Confine::Values Confine::inserted(const Relation& relation, const Column& column, int item) const
{
    const auto& all = facts_.confinement;
    for (const auto& fact : all.inserted)
        if (fact.item == item && !fact.is_known)
            return std::nullopt;
    for (const auto& fact : all.assigned) {
        if (fact.item != item || fact.by != 'i')
            continue;
        bool is_it = fact.name == column.name;
        if (fact.name.empty()) { // the columns in their order, without those that were dropped
            const auto position = static_cast<std::size_t>(fact.position);
            is_it = position <= relation.columns.size() && relation.columns[position - 1].number == column.number;
        }
        if (is_it)
            return fact.is_known ? bounds(column, fact.values, true) : std::nullopt;
    }
    const bool may_have_default = column.has_default || column.identity != ' ' || column.generated != ' ' ||
                                  catalog_.type(column.type) == nullptr || catalog_.type(column.type)->kind == 'd';
    return may_have_default ? Values{} : Values{std::vector<Bound>{}};
}

/// What UPDATE (`by` u) or ON CONFLICT DO UPDATE (c) sets a column to; nullopt when it does not.
std::optional<Confine::Values> Confine::assigned(const Relation& relation, const Column& column, int item,
                                                 char by) const
{
    std::optional<Values> result;
    for (const auto& fact : facts_.confinement.assigned) {
        if (fact.item != item || fact.by != by || fact.name != column.name)
            continue;
        auto values = Values{};
        if (fact.is_known && fact.values.size() == 1 && fact.values.front().kind == PGM_EXCLUDED) {
            if (fact.values.front().text == column.name)
                values = inserted(relation, column, item);
        } else if (fact.is_known) {
            values = bounds(column, fact.values, true);
        }
        if (!result)
            result = std::move(values);
        else if (*result && values)
            (*result)->insert((*result)->end(), values->begin(), values->end());
        else
            *result = std::nullopt;
    }
    return result;
}

std::map<std::string, Confine::Values> Confine::written(const Relation& relation, int use, int item) const
{
    std::map<std::string, Values> result;
    const auto is_conflict_column = [&](const Column& column) {
        const auto& odd = relation.oddly_unique; // the target may mean such an index, too
        if (std::find(odd.begin(), odd.end(), column.number) != odd.end())
            return false;
        return std::any_of(facts_.confinement.conflicts.begin(), facts_.confinement.conflicts.end(),
                           [&](const ConflictFact& fact) { return fact.item == item && fact.column == column.name; });
    };
    const bool is_insert =
        (use & PGM_INSERT) != 0 && std::any_of(facts_.confinement.inserted.begin(), facts_.confinement.inserted.end(),
                                               [&](const InsertedFact& fact) { return fact.item == item; });
    const bool is_upsert =
        is_insert && std::any_of(facts_.confinement.assigned.begin(), facts_.confinement.assigned.end(),
                                 [&](const AssignedFact& fact) { return fact.item == item && fact.by == 'c'; });
    for (const auto& column : relation.columns) {
        Values values{std::vector<Bound>{}};
        const auto add = [&values](const Values& more) {
            if (values && more)
                values->insert(values->end(), more->begin(), more->end());
            else
                values = std::nullopt;
        };
        if ((use & PGM_TRUNCATE) != 0 || column.generated != ' ' || !is_own_equality(column))
            values = std::nullopt;
        if (is_insert)
            add(inserted(relation, column, item));
        else if ((use & PGM_INSERT) != 0)
            values = std::nullopt;
        if (is_upsert) { // the row that is there already has the proposed row's values in the conflict's columns
            if (!is_conflict_column(column))
                values = std::nullopt;
            if (const auto set = assigned(relation, column, item, 'c'))
                add(*set);
        } else if ((use & (PGM_UPDATE | PGM_DELETE)) != 0) {
            Values before;
            if (const auto* found = known(item, column))
                for (const auto& one : *found)
                    if (!before)
                        before = bounds(column, *one.values, false);
            add(before);
            if (const auto set = assigned(relation, column, item, 'u'))
                add(*set);
        }
        if (values && values->size() > kMaxValues)
            values = std::nullopt;
        result.emplace(column.name, std::move(values));
    }
    return result;
}

} // namespace pgmemo::query
