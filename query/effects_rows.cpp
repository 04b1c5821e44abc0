// What the writes of rows bring along: rules, triggers, foreign keys, kin. See effects.hpp.
#include "query/effects.hpp"

#include "query/value.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr std::size_t kMaxNamed = 16;   ///< relations that an unqualified name may mean before they are all
constexpr std::size_t kMaxValues = 256; ///< of one column

// Bits of pg_trigger.tgtype. Source: PostgreSQL's catalog/pg_trigger.h.
enum TriggerType : unsigned {
    trigger_row = 1,
    trigger_before = 2,
    trigger_insert = 4,
    trigger_delete = 8,
    trigger_update = 16,
    trigger_truncate = 32,
    trigger_instead = 64,
};

bool fires(const Trigger& trigger, int use) noexcept
{
    return ((use & PGM_INSERT) != 0 && (trigger.type & trigger_insert) != 0) ||
           ((use & PGM_UPDATE) != 0 && (trigger.type & trigger_update) != 0) ||
           ((use & PGM_DELETE) != 0 && (trigger.type & trigger_delete) != 0) ||
           ((use & PGM_TRUNCATE) != 0 && (trigger.type & trigger_truncate) != 0);
}

bool is_system_schema(const std::string& schema)
{
    return schema == "pg_catalog" || schema == "information_schema";
}

int use_of(const Rule& rule) noexcept
{
    return rule.event == '2' ? PGM_UPDATE : rule.event == '3' ? PGM_INSERT : rule.event == '4' ? PGM_DELETE : 0;
}

bool has(const std::vector<int>& numbers, int number)
{
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

void add_kin(const Catalog::Impl& catalog, const Relation& relation, const std::vector<Oid> Relation::*direction,
             std::size_t most, std::vector<const Relation*>& kin)
{
    for (const auto oid : relation.*direction) {
        const auto* next = catalog.relation(oid);
        if (next != nullptr && std::find(kin.begin(), kin.end(), next) == kin.end() && kin.size() <= most) {
            kin.push_back(next);
            add_kin(catalog, *next, direction, most, kin);
        }
    }
}

} // namespace

/// A relation with everything below it, and what is above any of them.
struct Effects::Kin {
    std::vector<const Relation*> below;
    std::vector<const Relation*> above;
};

Effects::Kin Effects::kin_of(const Catalog::Impl& catalog, const Relation& relation)
{
    Kin kin{{&relation}, {}};
    add_kin(catalog, relation, &Relation::children, kMaxWritten, kin.below);
    for (const auto* one : kin.below)
        add_kin(catalog, *one, &Relation::parents, kMaxWritten, kin.above);
    std::erase_if(kin.above, [&](const Relation* one) {
        return std::find(kin.below.begin(), kin.below.end(), one) != kin.below.end();
    });
    return kin;
}

void Effects::read(const RelationFact& fact, const Lookup& lookup)
{
    const auto relations = lookup.relations(fact.name);
    if (relations.may_be_temporary && relations.is_certain)
        any_code(); // of a temporary view
    if (relations.found.empty()) {
        const Step step{*this, "relation ", fact.name.name, ", which is not known"};
        any_code(); // perhaps a view, made meanwhile
    }
    for (const auto* relation : relations.found)
        read(*relation, lookup);
}

void Effects::read(const Relation& relation, const Lookup& lookup)
{
    if (is_system_schema(relation.schema) || !read_seen_.emplace(relation.oid, lookup.id()).second)
        return;
    const Step step{*this, relation.kind == 'v' ? "view " : "relation ", relation};
    if (relation.kind == 'v') {
        if (relation.view)
            tree(*relation.view, lookup, relation.oid);
        else
            any_code();
    }
    if (relation.has_row_security)
        for (const auto& policy : relation.policies)
            tree(policy, lookup);
    for (const auto& expression : relation.on_read)
        tree(expression, lookup);
    for (const auto& column : relation.columns)
        type(column.type, lookup);
    for (const auto child : relation.children)
        if (const auto* kin = catalog_->relation(child))
            read(*kin, lookup);
    if (relation.kind == 'f')
        any_code();
}

void Effects::write(const StatementFacts& facts, const RelationFact& fact, const Confine& confine, const Lookup& lookup,
                    bool is_inside)
{
    const auto relations = lookup.relations(fact.name);
    if (relations.may_be_temporary && (relations.is_certain || relations.found.empty()))
        any_code(); // its triggers and defaults
    if (relations.found.empty() && !(relations.may_be_temporary && relations.is_certain)) {
        const Step step{*this, "relation ", fact.name.name, ", which is not known"};
        anything_but_commit(); // made since the catalog was read
    }
    if (relations.found.size() > kMaxNamed) {
        write_anything();
        any_code();
        return;
    }
    std::set<std::string> assigned;
    for (const auto& assignment : facts.confinement.assigned)
        if (assignment.item == fact.item && assignment.by != 'i')
            assigned.insert(assignment.name);
    const bool is_known = !is_inside && relations.is_certain && relations.found.size() == 1;
    for (const auto* relation : relations.found) {
        auto values =
            is_known ? confine.written(*relation, fact.use, fact.item) : std::map<std::string, Confine::Values>{};
        write(
            *relation,
            {fact.use, is_known ? &values : nullptr, fact.item >= 0 ? &assigned : nullptr, facts.has(PGM_MARK_CASCADE)},
            lookup);
    }
}

void Effects::write(const Relation& relation, const Change& change, const Lookup& lookup)
{
    if (is_system_schema(relation.schema)) {
        anything(); // UPDATE pg_settings sets; a superuser may write the catalog itself
        return;
    }
    // Once in full for each kind of write; confined or not, what it brings along is the same.
    if (change.values == nullptr && change.assigned == nullptr &&
        !write_seen_.emplace(relation.oid, change.use, change.cascades, lookup.id()).second)
        return;
    if (++depth_ > kMaxDepth || written_.size() > kMaxWritten) {
        anything_but_commit();
        --depth_;
        return;
    }
    for (const auto& rule : relation.rules)
        if ((use_of(rule) & change.use) != 0) {
            const Step step{*this, "rule of ", relation};
            tree(rule.condition, lookup);
            tree(rule.action, lookup, relation.oid);
        }
    if (relation.has_row_security) {
        const Step step{*this, "policy of ", relation};
        for (const auto& policy : relation.policies)
            tree(policy, lookup);
    }
    switch (relation.kind) {
    case 'v':
        view(relation, change, lookup);
        break;
    case 'r':
    case 'p':
        rows(relation, change, lookup);
        break;
    case 'm':
        if (relation.view)
            tree(*relation.view, lookup, relation.oid);
        else
            anything_but_commit();
        rows(relation, change, lookup);
        break;
    case 'S':
        break;
    default: // a foreign table may be one of this very database
        const Step step{*this, "foreign table ", relation};
        write_anything();
        any_code();
        rows(relation, change, lookup);
    }
    --depth_;
}

/// A view passes a write on to what it is made of, unless a trigger takes it.
void Effects::view(const Relation& relation, const Change& change, const Lookup& lookup)
{
    const Step view_step{*this, "view ", relation};
    for (const auto& trigger : relation.triggers)
        if (fires(trigger, change.use)) {
            const Step step{*this, "trigger ", trigger.name, " of ", relation};
            if (trigger.condition)
                tree(*trigger.condition, lookup);
            function(trigger.function, lookup);
        }
    if (!relation.view || !relation.view->is_understood) {
        anything_but_commit();
        return;
    }
    tree(*relation.view, lookup, relation.oid);
    for (const auto& inside : relation.view->relations)
        if (const auto* base = catalog_->relation(inside.oid); base != nullptr && inside.oid != relation.oid)
            write(*base, {change.use, nullptr, nullptr, false}, lookup);
}

/// Rows of a table are written: with those of its partitions and children, and all that happens on the way.
void Effects::rows(const Relation& relation, const Change& change, const Lookup& lookup)
{
    const auto kin = kin_of(*catalog_, relation);
    if (kin.below.size() + kin.above.size() > kMaxWritten) {
        write_anything();
        any_code();
    }
    // A row that UPDATE moves from one partition to another is deleted there and inserted here.
    const bool moves_rows = (change.use & PGM_UPDATE) != 0 && relation.kind == 'p';
    const int fired = moves_rows ? change.use | PGM_INSERT | PGM_DELETE : change.use;

    Altered altered;
    for (const auto* one : kin.below) {
        triggers(*one, fired, altered, lookup);
        const Step step{*this, "default, check or column of ", *one};
        if ((change.use & (PGM_INSERT | PGM_UPDATE)) != 0)
            for (const auto& expression : one->on_write)
                tree(expression, lookup);
        for (const auto& column : one->columns) {
            type(column.type, lookup);
            if (column.generated != ' ') // a child's may be where its parent's is not
                altered.columns.insert(column.name);
        }
        for (const auto& rule : one->rules)
            altered.all = altered.all || (use_of(rule) & change.use) != 0;
    }
    for (const auto* one : kin.above)
        if (one->kind == 'p') // a partition has the triggers of what it is a part of; up to 14 they seem internal
            triggers(*one, fired, altered, lookup);
    for (const auto* one : kin.below)
        references(*one, change, fired, altered, lookup);
    touch(kin, relation, change, altered);
}

void Effects::touch_kin(const Relation& target, const Change& change, const Altered& altered)
{
    touch(kin_of(*catalog_, target), target, change, altered);
}

void Effects::touch(const Kin& kin, const Relation& target, const Change& change, const Altered& altered)
{
    touch(target, target, change, altered);
    for (const auto* one : kin.below)
        if (one != &target) {
            const Step step{*this, target.kind == 'p' ? "partition of " : "child of ", target};
            touch(*one, target, change, altered);
        }
    for (const auto* one : kin.above) {
        const Step step{*this, "parent of ", target};
        touch(*one, target, change, altered);
    }
}

void Effects::triggers(const Relation& relation, int use, Altered& altered, const Lookup& lookup)
{
    for (const auto& trigger : relation.triggers) {
        if (!fires(trigger, use))
            continue;
        const Step step{*this, "trigger ", trigger.name, " of ", relation};
        if (trigger.condition)
            tree(*trigger.condition, lookup);
        function(trigger.function, lookup);
        if ((trigger.type & (trigger_row | trigger_before)) != (trigger_row | trigger_before))
            continue;
        const auto* code = catalog_->function(trigger.function);
        const bool is_read = code != nullptr && code->language == Language::plpgsql;
        const auto body = is_read ? catalog_->bodies.of(*code) : nullptr;
        if (body == nullptr || !body->is_understood || body->replaces_row)
            altered.all = true;
        else
            altered.columns.insert(body->assigned_columns.begin(), body->assigned_columns.end());
    }
}

/// What foreign keys of other relations do to their rows.
void Effects::references(const Relation& relation, const Change& change, int use, const Altered& altered,
                         const Lookup& lookup)
{
    const auto is_assigned = [&](int number) {
        const auto column = std::find_if(relation.columns.begin(), relation.columns.end(),
                                         [&](const Column& c) { return c.number == number; });
        return column == relation.columns.end() || column->generated != ' ' || altered.columns.contains(column->name) ||
               change.assigned->contains(column->name);
    };
    const auto changes = [](char action) { return action == 'c' || action == 'n' || action == 'd'; };
    for (const auto& reference : relation.references) {
        const auto* other = catalog_->relation(reference.relation);
        if (other == nullptr) {
            anything_but_commit();
            continue;
        }
        const bool moves_key = change.assigned == nullptr || altered.all || reference.columns.empty() ||
                               std::any_of(reference.columns.begin(), reference.columns.end(), is_assigned);
        const auto action = [](char does) {
            return does == 'c' ? "CASCADE" : does == 'n' ? "SET NULL" : "SET DEFAULT";
        };
        if ((use & PGM_DELETE) != 0 && changes(reference.on_delete)) {
            const Step step{*this, "foreign key of ", *other, ", ON DELETE ", action(reference.on_delete)};
            write(*other, {reference.on_delete == 'c' ? PGM_DELETE : PGM_UPDATE, nullptr, nullptr, false}, lookup);
        }
        if ((use & PGM_UPDATE) != 0 && changes(reference.on_update) && moves_key) {
            const Step step{*this, "foreign key of ", *other, ", ON UPDATE ", action(reference.on_update)};
            write(*other, {PGM_UPDATE, nullptr, nullptr, false}, lookup);
        }
        if ((use & PGM_TRUNCATE) != 0 && change.cascades) {
            const Step step{*this, "foreign key of ", *other, ", TRUNCATE CASCADE"};
            write(*other, {PGM_TRUNCATE, nullptr, nullptr, true}, lookup);
        }
    }
}

/// Adds what moves of one relation when rows of `target` are written.
void Effects::touch(const Relation& relation, const Relation& target, const Change& change, const Altered& altered)
{
    if (trail_ != nullptr)
        trail_->add_write(relation.oid, way());
    auto& columns = written_[relation.oid];
    const bool only_adds = change.use == PGM_INSERT && change.assigned != nullptr && relation.kind == 'r' &&
                           relation.parents.empty() && relation.children.empty();
    for (const int number : relation.tracked) {
        const auto column = std::find_if(relation.columns.begin(), relation.columns.end(),
                                         [&](const Column& c) { return c.number == number; });
        const auto same = std::find_if(target.columns.begin(), target.columns.end(), [&](const Column& c) {
            return column != relation.columns.end() && c.name == column->name;
        });
        Confine::Values values;
        if (change.values != nullptr && same != target.columns.end() && !altered.all &&
            !altered.columns.contains(same->name) && class_of(*catalog_, *same) == class_of(*catalog_, *column))
            if (const auto found = change.values->find(same->name); found != change.values->end())
                values = found->second;
        if (!values && only_adds && has(relation.unique, number)) {
            columns.fresh.insert(number);
            continue;
        }
        if (!values) {
            columns.wide.insert(number);
            columns.slots.erase(number);
            continue;
        }
        if (columns.wide.contains(number))
            continue;
        auto& slots = columns.slots[number];
        slots.column = number;
        slots.values_are = class_of(*catalog_, *column);
        for (auto& value : *values)
            if (std::find(slots.values.begin(), slots.values.end(), value) == slots.values.end())
                slots.values.push_back(std::move(value));
        if (slots.values.size() > kMaxValues) {
            columns.wide.insert(number);
            columns.slots.erase(number);
        }
    }
}

} // namespace pgmemo::query
