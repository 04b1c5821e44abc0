// Relations in a proof: tables and what is above and below them, views, the trees of both. See proof.hpp.
#include "query/proof.hpp"

#include "query/value_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr int kMaxVisits = 1000; // relations read, each time that one is: nested views may double at each step

bool is_system_schema(const std::string& schema)
{
    return schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast";
}

} // namespace

Refusal Proof::time_columns(const StatementFacts& facts, const At& at)
{
    if (!at.lookup.has_scope() && !at.is_inside)
        return {};
    for (const auto& column : facts.time_columns) {
        const bool is_made = std::any_of(facts.output_names.begin(), facts.output_names.end(),
                                         [&](const std::string& made) { return made == column || made == "*"; });
        bool is_found = false;
        bool is_other = false;
        for (const auto& fact : facts.relations)
            for (const auto* relation : at.lookup.relations(fact.name).found)
                for (const auto& own : relation->columns)
                    if (own.name == column)
                        (is_time(kind_of(catalog_, own.type)) ? is_found : is_other) = true;
        if (is_made || is_other || !is_found)
            return refuse(Reason::clock, fmt::format("column {} made a date", column), at);
    }
    return {};
}

Refusal Proof::relation(const RelationFact& fact, const Confine& confine, const At& at)
{
    const auto relations = at.lookup.relations(fact.name);
    const auto what = fmt::format("relation {}", fact.name.name);
    // In a body the session's temporary objects are asked for elsewhere: with any, nothing is looked up at all.
    if (relations.may_be_temporary && relations.is_certain)
        return refuse(Reason::temporary_table, what, at, fact.location);
    if (relations.found.empty())
        return refuse(Reason::unknown_relation, what, at, fact.location);
    At inner{at};
    if (!at.is_inside)
        inner.place = fact.location;
    inner.keeps_rows = !at.is_inside && keeps_rows_;
    Refusal first;
    for (const auto* found : relations.found) {
        auto refusal = read(*found, at.is_inside ? Confinements{} : confine.confinements(*found, fact.item), inner);
        if (refusal.is_refused() && refusal.place < 0)
            refusal.place = inner.place;
        if (at.is_inside ? refusal.is_refused() : !refusal.is_refused())
            return refusal; // of the client's own text without a scope: one of them may do
        if (!first.is_refused())
            first = std::move(refusal);
    }
    return first;
}

Refusal Proof::read(const Relation& found, const Confinements& confinements, const At& at)
{
    const auto what = fmt::format("relation {}", found.full_name());
    if (at.depth > kMaxDepth)
        return refuse(Reason::view, what + ", nested too deep", at);
    if (++visits_ > kMaxVisits)
        return refuse(Reason::view, what + ", one of too many", at);
    if (is_system_schema(found.schema))
        return refuse(Reason::system_catalog, what, at);
    read_names.push_back(found.full_name());
    switch (found.kind) {
    case 'v':
        return view(found, confinements, at);
    case 'r':
    case 'p':
    case 'm':
        break;
    case 'f':
        return refuse(Reason::foreign_table, what, at);
    default:
        return refuse(Reason::other_relation, what, at);
    }
    ReadAccess access{found.oid, {}};
    for (const auto tracked : found.tracked) {
        const auto confined = std::find_if(confinements.begin(), confinements.end(),
                                           [&](const Confinement& c) { return c.column == tracked; });
        if (confined != confinements.end()) {
            access.confined = *confined;
            break;
        }
    }
    const bool is_alone = found.kind == 'r' && found.parents.empty() && found.children.empty();
    access.is_unique =
        is_alone && std::find(found.unique.begin(), found.unique.end(), access.confined.column) != found.unique.end();
    access.is_row = access.is_unique && at.keeps_rows && access.confined.values.size() == 1 &&
                    !access.confined.values.front().is_array;
    note(access, at.via);
    reads.push_back(std::move(access));
    return stored(found, at, false);
}

/// The proof for a relation that holds rows; once for each.
Refusal Proof::stored(const Relation& found, const At& at, bool is_child)
{
    if (!relations_seen_.emplace(found.oid, at.in_policy, is_child).second)
        return {};
    const auto what = fmt::format("relation {}", found.full_name());
    if (found.persistence == 't')
        return refuse(Reason::temporary_table, what, at);
    if (found.persistence == 'u')
        return refuse(Reason::unlogged_table, what, at);
    if (found.persistence != 'p')
        return refuse(Reason::other_relation, what, at);
    const At inner{.lookup = at.lookup,
                   .via = fmt::format(", of relation {}{}", found.full_name(), at.via),
                   .place = at.place,
                   .is_inside = true,
                   .in_policy = at.in_policy,
                   .depth = at.depth + 1};
    for (const auto& column : found.columns)
        if (auto refusal = type_by_oid(column.type, inner); refusal.is_refused())
            return refusal.reason == Reason::clock || refusal.reason == Reason::stable_function
                       ? Refusal{Reason::unsafe_type, refusal.why, refusal.place}
                       : refusal;
    for (const auto& expression : found.on_read)
        if (auto refusal = tree(expression, inner); refusal.is_refused())
            return refusal;
    if (found.has_row_security && !is_child) { // through its parent only the parent's policies count
        At policy{inner};
        policy.via = fmt::format(", in a policy of relation {}{}", found.full_name(), at.via);
        policy.in_policy = true;
        for (const auto& expression : found.policies)
            if (auto refusal = tree(expression, policy); refusal.is_refused())
                return refusal;
    }
    // Its words move with its partitions' and children's; what they are made of is proved here.
    for (const auto child : found.children) {
        const auto* kin = catalog_.relation(child);
        if (kin == nullptr)
            return refuse(Reason::unknown_relation, "a child", inner);
        if (kin->kind == 'f')
            return refuse(Reason::foreign_table, fmt::format("relation {}", kin->full_name()), inner);
        if (auto refusal = stored(*kin, inner, true); refusal.is_refused())
            return refusal;
    }
    return {};
}

Refusal Proof::view(const Relation& found, const Confinements& confinements, const At& at)
{
    const auto what = fmt::format("view {}", found.full_name());
    if (!found.view || !found.view->is_understood)
        return refuse(Reason::view, what + ", which cannot be seen through", at);
    const auto& definition = *found.view;
    std::vector<Confinements> inside(definition.relations.size());
    for (const auto& confined : confinements)
        for (const auto& output : definition.outputs)
            if (output.number == confined.column && output.relation < inside.size()) {
                auto moved = confined;
                moved.column = output.column;
                inside[output.relation].push_back(std::move(moved));
            }
    const At inner{.lookup = at.lookup,
                   .via = ", in " + what + at.via,
                   .place = at.place,
                   .is_inside = true,
                   .in_policy = at.in_policy,
                   .depth = at.depth + 1};
    return tree(definition, inner, &inside, found.oid);
}

Refusal Proof::tree(const Tree& found, const At& at, const std::vector<Confinements>* confinements, Oid self)
{
    const auto is = [&](Reason reason, const char* what) { return refuse(reason, what, at); };
    if (!found.is_understood)
        return is(Reason::unsupported_syntax, "something that is not understood");
    if (found.writes)
        return is(Reason::write, "a write");
    if (found.has_row_lock)
        return is(Reason::row_lock, "a row lock");
    if (found.has_tablesample)
        return is(Reason::tablesample, "TABLESAMPLE");
    if (found.reads_clock)
        return is(Reason::clock, "the clock");
    if (found.has_clock_text)
        return is(Reason::clock, "a constant that the date types may read as a clock");
    if (found.reads_identity && !at.in_policy)
        return is(Reason::session_identity, "the role");
    if (found.has_unsupported)
        return is(Reason::unsupported_syntax, "something that is not cached");
    if (found.reads_unknown_setting)
        return is(Reason::stable_function, "a setting that is not known");
    for (const auto& name : found.settings)
        if (auto refusal = setting(name, at); refusal.is_refused())
            return refusal;
    for (const auto& cast : found.casts) {
        if (holds_time(catalog_, cast.target) && may_be_text(catalog_, cast.source))
            return is(Reason::clock, "text made a date");
        for (const auto oid : {cast.source, cast.target})
            if (oid != 0)
                if (auto refusal = type_by_oid(oid, at); refusal.is_refused())
                    return refusal;
    }
    for (const auto oid : found.functions)
        if (auto refusal = function_by_oid(oid, at); refusal.is_refused())
            return refusal;
    for (const auto oid : found.operators)
        if (auto refusal = operator_by_oid(oid, at); refusal.is_refused())
            return refusal;
    for (const auto oid : found.types)
        if (auto refusal = type_by_oid(oid, at); refusal.is_refused())
            return refusal;
    for (std::size_t i = 0; i < found.relations.size(); ++i) {
        const auto oid = found.relations[i].oid;
        if (oid == self)
            continue;
        const auto* relation = catalog_.relation(oid);
        if (relation == nullptr)
            return is(Reason::unknown_relation, "a relation");
        if (auto refusal = read(*relation, confinements != nullptr ? (*confinements)[i] : Confinements{}, at);
            refusal.is_refused())
            return refusal;
    }
    return {};
}

} // namespace pgmemo::query
