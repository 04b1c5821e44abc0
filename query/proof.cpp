#include "query/proof.hpp"

#include "query/bodies.hpp"
#include "query/builtins.hpp"
#include "query/value_types.hpp"
#include "query/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr Oid kCurrentSetting = 2077;          // current_setting(text). Source: PostgreSQL's pg_proc.dat
constexpr Oid kCurrentSettingMissingOk = 3294; // current_setting(text, boolean)

/// A setting that an application made up (`app.tenant`). Those of the server are a part of the key anyway or depend on
/// its configuration.
bool is_custom_setting(const std::string& name)
{
    return name.find('.') != std::string::npos;
}

int place_of(const StatementFacts& facts, pgm_mark_code mark)
{
    for (const auto& [code, place] : facts.mark_places)
        if (code == mark)
            return place;
    return -1;
}

} // namespace

Refusal Proof::of_kind(const StatementFacts& facts)
{
    const auto is = [](Reason reason) { return Refusal{reason, {}, -1}; };
    switch (facts.kind) {
    case PGM_SELECT:
        break;
    case PGM_WRITE:
    case PGM_INTO:
    case PGM_INTO_TEMPORARY:
    case PGM_REFRESH:
        return is(Reason::write);
    case PGM_DDL:
    case PGM_DDL_TEMPORARY:
    case PGM_DDL_CLUSTER:
        return is(Reason::ddl);
    case PGM_BEGIN:
    case PGM_BEGIN_OTHER:
    case PGM_START:
    case PGM_START_OTHER:
    case PGM_COMMIT:
    case PGM_COMMIT_CHAIN:
    case PGM_ROLLBACK:
    case PGM_ROLLBACK_CHAIN:
    case PGM_INSIDE:
    case PGM_PREPARE_TRANSACTION:
    case PGM_COMMIT_PREPARED:
    case PGM_ROLLBACK_PREPARED:
        return is(Reason::transaction_control);
    case PGM_SET:
    case PGM_SET_TRANSACTION:
    case PGM_SESSION:
        return is(Reason::session_command);
    case PGM_UTILITY:
    case PGM_FETCH:
    case PGM_EXECUTE:
    case PGM_CALL:
    case PGM_DO:
    case PGM_REINDEX:
        return is(Reason::utility);
    case PGM_OTHER:
        return is(Reason::unparsed);
    }
    for (const auto& relation : facts.relations)
        if (relation.use != 0)
            return {Reason::write, relation.name.name, relation.location};
    if (facts.mentions(PGM_MARK_DDL) || facts.mentions(PGM_MARK_DDL_TEMPORARY))
        return is(Reason::write);
    return {};
}

Refusal Proof::of_text(const StatementFacts& facts)
{
    const auto of_mark = [&facts](pgm_mark_code mark, Reason reason) {
        return Refusal{reason, {}, place_of(facts, mark)};
    };
    if (facts.mentions(PGM_MARK_ROW_LOCK))
        return of_mark(PGM_MARK_ROW_LOCK, Reason::row_lock);
    if (facts.mentions(PGM_MARK_TABLESAMPLE))
        return of_mark(PGM_MARK_TABLESAMPLE, Reason::tablesample);
    if (facts.mentions(PGM_MARK_CLOCK))
        return of_mark(PGM_MARK_CLOCK, Reason::clock);
    if (facts.has_clock_text)
        return {Reason::clock, "a constant that the date types may read as a clock", facts.clock_place};
    if (facts.mentions(PGM_MARK_IDENTITY))
        return of_mark(PGM_MARK_IDENTITY, Reason::session_identity);
    if (facts.has_foreign_letters)
        return {Reason::encoding, "a name outside ASCII", -1};
    for (const auto mark : {PGM_MARK_UNSUPPORTED, PGM_MARK_UNKNOWN})
        if (facts.mentions(mark))
            return of_mark(mark, Reason::unsupported_syntax);
    if (((facts.marks | facts.planned_marks) & ~(1U << PGM_MARK_PARAMETER)) != 0)
        return {Reason::unsupported_syntax, {}, -1};
    return {};
}

Refusal Proof::of_names(const StatementFacts& facts, const Lookup& lookup)
{
    const At at{.lookup = lookup, .via = {}};
    keeps_rows_ = keeps_rows(facts, lookup);
    if (auto refusal = names(facts, at); refusal.is_refused())
        return refusal;
    if (auto refusal = catalog_wide(at); refusal.is_refused())
        return refusal;
    if (!lookup.has_scope())
        return {Reason::session_unknown, {}, -1};
    return {};
}

/// Whether each row of the reply is made of one row of the one relation that is read.
bool Proof::keeps_rows(const StatementFacts& facts, const Lookup& lookup)
{
    const auto& levels = facts.confinement.levels;                     // by number, from 1
    const auto may_be_aggregate = [&lookup](const std::string& name) { // `row.count`
        const auto candidates = lookup.functions({{}, name}, 1);
        return std::any_of(candidates.begin(), candidates.end(), [](const Function* f) { return f->kind == 'a'; });
    };
    return levels.size() == 2 && levels.back().keeps_rows && facts.relations.size() == 1 && facts.members.empty() &&
           std::none_of(facts.fields.begin(), facts.fields.end(), may_be_aggregate) &&
           std::none_of(facts.functions.begin(), facts.functions.end(), [&lookup](const FunctionFact& fact) {
               const auto candidates = lookup.functions(fact.name, fact.arguments);
               return std::any_of(candidates.begin(), candidates.end(),
                                  [](const Function* f) { return f->kind == 'a'; });
           });
}

Refusal Proof::refuse(Reason reason, std::string what, const At& at, int place) const
{
    return {reason, std::move(what) + at.via, at.is_inside ? at.place : place};
}

void Proof::note(const ReadAccess& access, std::string_view via) const
{
    if (trail_ == nullptr)
        return;
    for (const std::string_view lead : {", ", "in "})
        if (via.starts_with(lead))
            via.remove_prefix(lead.size());
    trail_->reads.push_back({access, std::string{via}});
}

Refusal Proof::names(const StatementFacts& facts, const At& at)
{
    const Confine confine{facts, catalog_, at.lookup};
    const Operands operands{facts, catalog_, at.lookup, &confine, !at.has_variables, at.parameters};
    for (const auto& fact : facts.functions)
        if (auto refusal = call(fact, facts, operands, at); refusal.is_refused())
            return refusal;
    for (const auto& fact : facts.operators)
        if (auto refusal = op(fact, operands, at); refusal.is_refused())
            return refusal;
    for (const auto& fact : facts.types)
        if (auto refusal = type(fact, at); refusal.is_refused())
            return refusal;
    for (const auto& name : facts.fields)
        if (auto refusal = field(name, false, at); refusal.is_refused())
            return refusal;
    for (const auto& name : facts.members)
        if (auto refusal = field(name, true, at); refusal.is_refused())
            return refusal;
    for (const auto& fact : facts.relations)
        if (auto refusal = relation(fact, confine, at); refusal.is_refused())
            return refusal;
    return time_columns(facts, at);
}

/// What may run wherever a value of a built-in type comes: casts, default orders, text search by a user's code.
Refusal Proof::catalog_wide(const At& at)
{
    const At wide{.lookup = at.lookup, .via = ", which may run unseen", .is_inside = true, .depth = at.depth + 1};
    if (catalog_.has_user_text_search_code)
        return refuse(Reason::user_function, "a text search template or parser", wide);
    const auto is_own = [this](Oid oid) { // asked of wherever such a value comes: type_by_oid
        const auto* type = catalog_.type(oid);
        return type != nullptr && is_simple_user_type(*type) && type->kind != 'd';
    };
    for (const auto& cast : catalog_.user_casts) {
        if (cast.function != 0 && !is_own(cast.source) && !is_own(cast.target))
            if (auto refusal = function_by_oid(cast.function, wide); refusal.is_refused())
                return refusal;
        if (cast.method == 'i' && cast.context != 'e') {
            if (holds_time(catalog_, cast.target) && may_be_text(catalog_, cast.source))
                return refuse(Reason::clock, "a cast that makes dates of text", wide);
            if (!is_own(cast.target))
                if (auto refusal = type_by_oid(cast.target, wide); refusal.is_refused())
                    return refusal;
        }
    }
    for (const auto& [of, code] : catalog_.class_functions)
        if (!is_own(of))
            if (auto refusal = function_by_oid(code, wide); refusal.is_refused())
                return refusal;
    return {};
}

Refusal Proof::call(const FunctionFact& fact, const StatementFacts& facts, const Operands& operands, const At& at)
{
    const auto place = fact.location;
    auto candidates = operands.functions(fact);
    if (candidates.empty()) // a cast by a type's name, or a function made meanwhile
        return refuse(Reason::volatile_function, fmt::format("function {}, which is not known", fact.name.name), at,
                      place);
    const bool has_builtin =
        std::any_of(candidates.begin(), candidates.end(), [](const Function* f) { return !f->is_user; });
    // Without a scope a user's function is only one of those that it may be; with one it is asked again.
    const bool skips_user = !at.is_inside && !at.lookup.has_scope() && has_builtin && fact.name.schema.empty();
    if (fact.name.name == "current_setting" && is_custom_setting(fact.first_argument) &&
        std::none_of(candidates.begin(), candidates.end(), [](const Function* f) { return f->is_user; }))
        return setting(lower_setting(fact.first_argument), at, place);
    // the one that takes a timetz is meant only where a `time` comes
    if (fact.name.name == "timezone" && !has_time_of_day(facts, at))
        std::erase_if(candidates, [](const Function* f) { return !f->is_user && f->verdict == Verdict::clock; });
    // the reason that tells most
    std::stable_partition(candidates.begin(), candidates.end(),
                          [](const Function* f) { return f->verdict == Verdict::clock; });
    At inner{at};
    if (!at.is_inside)
        inner.place = place;
    for (const auto* candidate : candidates) {
        if (!candidate->is_user) {
            if (auto refusal = builtin(*candidate, at, place); refusal.is_refused())
                return refusal;
        } else if (!skips_user) {
            if (auto refusal = function(*candidate, fact.arguments, inner); refusal.is_refused()) {
                if (refusal.place < 0)
                    refusal.place = inner.place;
                return refusal;
            }
        }
    }
    if (fact.arguments == 1 && at.lookup.has_scope() && fact.name.schema.empty() &&
        at.lookup.types({{}, fact.name.name}).may_be_user) // `name(x)` may be a cast to a user's type
        return type({fact.name, place}, at);
    return {};
}

/// A setting that an application made up is a part of the key when the catalog mentions it, for then every session is
/// asked for it.
Refusal Proof::setting(const std::string& name, const At& at, int place)
{
    if (!is_custom_setting(name) || !std::binary_search(catalog_.settings.begin(), catalog_.settings.end(), name))
        return refuse(Reason::stable_function, fmt::format("setting {}", name), at, place);
    settings.push_back(name);
    return {};
}

/// Whether the statement may come upon a value of type `time`: then `AT TIME ZONE` may mean timezone(text, timetz).
bool Proof::has_time_of_day(const StatementFacts& facts, const At& at) const
{
    const auto holds = [this](Oid oid) { return is_made_of(catalog_, oid, "time", true); };
    if (at.has_variables ||
        (at.parameters != nullptr && std::any_of(at.parameters->begin(), at.parameters->end(), holds)))
        return true;
    for (const auto& fact : facts.relations)
        for (const auto* relation : at.lookup.relations(fact.name).found)
            if (std::any_of(relation->columns.begin(), relation->columns.end(),
                            [&](const Column& column) { return holds(column.type); }))
                return true;
    for (const auto& fact : facts.types)
        if (const auto types = at.lookup.types(fact.name);
            types.found == nullptr || types.may_be_user != types.found->is_user || holds(types.found->oid))
            return true;
    for (const auto& fact : facts.functions)
        for (const auto* f : at.lookup.functions(fact.name, fact.arguments))
            if (holds(f->result) || std::any_of(f->outputs.begin(), f->outputs.end(), holds))
                return true;
    for (const auto& fact : facts.operators)
        for (const auto* o : at.lookup.operators(fact.name))
            if (const auto* f = o->is_user ? catalog_.function(o->function) : nullptr;
                o->is_user && (f == nullptr || holds(f->result)))
                return true;
    const auto may_call = [&](const std::string& name) { // `row.name`
        const auto* named = Catalog::Impl::named(catalog_.functions_by_name, name);
        return named != nullptr && std::any_of(named->begin(), named->end(), [&](auto index) {
                   const auto& f = catalog_.functions[index];
                   return f.takes(1) && (holds(f.result) || std::any_of(f.outputs.begin(), f.outputs.end(), holds));
               });
    };
    return std::any_of(facts.fields.begin(), facts.fields.end(), may_call) ||
           std::any_of(facts.members.begin(), facts.members.end(), may_call);
}

Refusal Proof::builtin(const Function& found, const At& at, int place)
{
    const auto is = [&](Reason reason) { return refuse(reason, fmt::format("function {}", found.name), at, place); };
    switch (found.verdict) {
    case Verdict::settings:
        return found.volatility == 'v' ? is(Reason::volatile_function) : Refusal{};
    case Verdict::clock:
        return is(Reason::clock);
    case Verdict::none:
        if (found.volatility == 'i')
            return {};
        break;
    case Verdict::outside:
    case Verdict::sql:
    case Verdict::anything:
        break;
    }
    return is(found.volatility == 'v' ? Reason::volatile_function : Reason::stable_function);
}

Refusal Proof::function(const Function& callee, int arguments, const At& at)
{
    const auto what = [&] { return fmt::format("function {}.{}", callee.schema, callee.name); };
    if (at.depth > kMaxDepth)
        return refuse(Reason::user_function, what() + ", called too deep", at);
    std::vector<Oid> types{callee.result};
    types.insert(types.end(), callee.arguments.begin(), callee.arguments.end());
    types.insert(types.end(), callee.outputs.begin(), callee.outputs.end());
    for (const auto oid : types)
        if (is_made_of(catalog_, oid, "timetz", false)) // a text or a time is made one by today's offset
            return refuse(Reason::clock, what() + ", which takes or gives a timetz", at);
    if (callee.vouched) {
        for (const auto oid : callee.vouched->reads) {
            const auto* relation = catalog_.relation(oid);
            if (relation != nullptr && relation->kind == 'v') { // its words never move: those of its relations do
                if (auto refusal = read(*relation, {},
                                        At{.lookup = at.lookup,
                                           .via = ", read by " + what() + at.via,
                                           .place = at.place,
                                           .is_inside = true,
                                           .in_policy = at.in_policy,
                                           .depth = at.depth + 1});
                    refusal.is_refused())
                    return refusal;
                continue;
            }
            reads.push_back({oid, {}});
            note(reads.back(), fmt::format(", in {}{}", what(), at.via));
            if (relation != nullptr)
                read_names.push_back(relation->full_name());
        }
        return {};
    }
    const bool has_fewer = arguments >= 0 && arguments < static_cast<int>(callee.arguments.size());
    if (has_fewer && (callee.defaults > 0 || !callee.is_variadic)) {
        if (!callee.default_values)
            return refuse(Reason::user_function, what() + ", whose defaults are not known", at);
        if (auto refusal = tree(*callee.default_values, at); refusal.is_refused())
            return refusal;
    }
    if (!functions_seen_.emplace(callee.oid, at.in_policy, at.lookup.id()).second)
        return {};
    for (const auto part : callee.parts)
        if (auto refusal = function_by_oid(part, at); refusal.is_refused())
            return refusal;
    for (auto oid : types) { // what it is called with is made one of those, and domains are checked
        const auto* type = catalog_.type(oid);
        if (type != nullptr && type->is_user && type->element != 0)
            type = catalog_.type(oid = type->element);
        if (type != nullptr && is_simple_user_type(*type))
            if (auto refusal = type_by_oid(oid, at); refusal.is_refused())
                return refusal;
    }
    if (callee.kind == 'a')
        return {};
    if (callee.is_random_only && callee.volatility == 'v')
        return refuse(Reason::volatile_function, what(), at);
    switch (callee.language) {
    case Language::sql:
    case Language::plpgsql:
        return body(callee, at);
    case Language::internal:
    case Language::c:
    case Language::other:
        if (callee.volatility == 'i') // declared so by whoever made it
            return {};
        return refuse(callee.volatility == 'v' ? Reason::volatile_function : Reason::user_function, what(), at);
    }
    return refuse(Reason::user_function, what(), at);
}

Refusal Proof::body(const Function& callee, const At& at)
{
    const auto name = fmt::format("function {}.{}", callee.schema, callee.name);
    const auto inside = at.lookup.inside(callee);
    const At inner{.lookup = inside,
                   .via = ", in " + name + at.via,
                   .place = at.place,
                   .is_inside = true,
                   .in_policy = at.in_policy,
                   .depth = at.depth + 1,
                   .parameters = &callee.arguments,
                   .has_variables = callee.language != Language::sql};
    if (callee.body)
        return tree(*callee.body, inner);
    const auto body = catalog_.bodies.of(callee);
    if (!body->is_understood)
        return refuse(Reason::user_function, name + ", which cannot be seen through", at);
    if (callee.language == Language::plpgsql) {
        // What is given to a variable is made its type, and text that is made a date may say `now`.
        // So are the arguments: they are variables as well.
        const auto takes_time = [this](Oid oid) { return holds_time(catalog_, oid); };
        const bool gives_time = holds_time(catalog_, callee.result) ||
                                std::any_of(callee.arguments.begin(), callee.arguments.end(), takes_time) ||
                                std::any_of(callee.outputs.begin(), callee.outputs.end(), takes_time);
        if (gives_time || std::any_of(body->variable_types.begin(), body->variable_types.end(), may_be_time))
            return refuse(Reason::clock, name + ", which makes dates of what it is given", at);
    }
    for (const auto& facts : body->statements) {
        if (auto refusal = of_kind(facts); refusal.is_refused())
            return refuse(Reason::user_function, name + ", which does more than read", at);
        auto refusal = of_text(facts);
        const bool is_allowed = refusal.reason == Reason::session_identity && at.in_policy &&
                                !facts.has_foreign_letters && !facts.mentions(PGM_MARK_UNSUPPORTED) &&
                                !facts.mentions(PGM_MARK_UNKNOWN);
        if (refusal.is_refused() && !is_allowed)
            return refuse(refusal.reason, refusal.why, inner);
        // A variable may be meant where a column has its name, if the function or the server says so.
        const auto& names_of_arguments = callee.argument_names;
        const bool prefers_variables =
            callee.language == Language::plpgsql && callee.source.find("variable_conflict") != std::string::npos;
        for (const auto& column : facts.time_columns)
            if (prefers_variables ||
                (callee.language == Language::plpgsql &&
                 std::find(names_of_arguments.begin(), names_of_arguments.end(), column) != names_of_arguments.end()))
                return refuse(Reason::clock, fmt::format("{} made a date", column), inner);
        for (const auto parameter : facts.time_parameters) {
            const auto index = static_cast<std::size_t>(parameter) - 1;
            if (index >= callee.arguments.size() || may_be_text(catalog_, callee.arguments[index]))
                return refuse(Reason::clock, "a parameter made a date", inner);
        }
        if (refusal = names(facts, inner); refusal.is_refused())
            return refusal;
    }
    return {};
}

Refusal Proof::function_by_oid(Oid oid, const At& at)
{
    if (oid == kCurrentSetting || oid == kCurrentSettingMissingOk)
        return {}; // the tree has said of which
    const auto* found = catalog_.function(oid);
    if (found == nullptr)
        return refuse(Reason::volatile_function, fmt::format("function {}, which is not known", oid), at);
    if (found->is_user)
        return function(*found, -1, at);
    return builtin(*found, at);
}

Refusal Proof::op(const OperatorFact& fact, const Operands& operands, const At& at)
{
    const auto candidates = operands.operators(fact);
    const bool has_builtin =
        std::any_of(candidates.begin(), candidates.end(), [](const Operator* o) { return !o->is_user; });
    if (candidates.empty())
        return refuse(Reason::user_function, fmt::format("operator {}, which is not known", fact.name.name), at,
                      fact.location);
    const bool skips_user = !at.is_inside && !at.lookup.has_scope() && has_builtin && fact.name.schema.empty();
    At inner{at};
    if (!at.is_inside)
        inner.place = fact.location;
    for (const auto* candidate : candidates) {
        if (candidate->is_user && skips_user)
            continue;
        if (auto refusal = operator_by_oid(candidate->oid, inner); refusal.is_refused()) {
            if (refusal.place < 0)
                refusal.place = inner.place;
            return refusal;
        }
    }
    return {};
}

Refusal Proof::operator_by_oid(Oid oid, const At& at)
{
    const auto* found = catalog_.op(oid);
    const auto* code = found == nullptr ? nullptr : catalog_.function(found->function);
    if (code == nullptr)
        return refuse(Reason::user_function, fmt::format("operator {}, which is not known", oid), at);
    if (code->is_user)
        return function(*code, -1,
                        At{.lookup = at.lookup,
                           .via = fmt::format(", of operator {}{}", found->name, at.via),
                           .place = at.place,
                           .is_inside = at.is_inside,
                           .in_policy = at.in_policy,
                           .depth = at.depth + 1});
    // `=` is timetz_eq as well, but no value of that type comes this far
    if (code->volatility == 'i' || (code->volatility == 's' && code->verdict == Verdict::settings))
        return {};
    return refuse(Reason::stable_function, fmt::format("operator {}", found->name), at);
}

Refusal Proof::type(const TypeFact& fact, const At& at)
{
    const auto types = at.lookup.types(fact.name);
    const auto what = fmt::format("type {}", fact.name.name);
    if (types.may_be_temporary)
        return refuse(Reason::temporary_table, what, at, fact.location);
    if (types.found == nullptr)
        return refuse(Reason::user_function, what + ", which is not known", at, fact.location);
    At inner{at};
    if (!at.is_inside)
        inner.place = fact.location;
    if (types.found->is_user && holds_time(catalog_, types.found->oid)) // text may be cast to it
        return refuse(Reason::clock, what + ", which holds dates", at, fact.location);
    if (types.may_be_user && !types.found->is_user) // either of them
        return at.lookup.has_scope() || at.is_inside ? refuse(Reason::user_function, what, at, fact.location)
                                                     : type_by_oid(types.found->oid, inner);
    auto refusal = type_by_oid(types.found->oid, inner);
    if (refusal.is_refused() && refusal.place < 0)
        refusal.place = inner.place;
    return refusal;
}

/// Whether values of a type may be made, shown and compared.
Refusal Proof::type_by_oid(Oid oid, const At& at)
{
    if (!types_seen_.insert(oid).second)
        return {};
    const auto* found = catalog_.type(oid);
    if (found == nullptr || at.depth > kMaxDepth)
        return refuse(Reason::unsafe_type, "a type that is not known", at);
    const auto what = fmt::format("type {}", found->name);
    const At inner{.lookup = at.lookup,
                   .via = fmt::format(", of type {}.{}{}", found->schema, found->name, at.via),
                   .place = at.place,
                   .is_inside = at.is_inside,
                   .in_policy = at.in_policy,
                   .depth = at.depth + 1};
    if (!found->is_user) {
        switch (builtin_type(found->name)) {
        case TypeKind::safe:
        case TypeKind::time:
            return {};
        case TypeKind::clock:
            return refuse(Reason::clock, what, at);
        case TypeKind::catalog:
            return refuse(Reason::stable_function, what, at);
        case TypeKind::unknown:
            break;
        }
        return refuse(Reason::unsafe_type, what, at);
    }
    if (found->element != 0)
        return type_by_oid(found->element, at);
    switch (found->kind) {
    case 'd':
        for (const auto& check : found->checks)
            if (auto refusal = tree(check, inner); refusal.is_refused())
                return refusal;
        return type_by_oid(found->base, inner);
    case 'c': {
        const auto* row = catalog_.relation(found->relation);
        if (row == nullptr)
            return refuse(Reason::unsafe_type, what, at);
        for (const auto& column : row->columns)
            if (auto refusal = type_by_oid(column.type, inner); refusal.is_refused())
                return refusal;
        return {};
    }
    case 'b':
    case 'e':
    case 'r':
    case 'm': {
        if (found->subtype != 0)
            if (auto refusal = type_by_oid(found->subtype, inner); refusal.is_refused())
                return refusal;
        if (found->kind == 'b') {
            for (const auto code : {found->input, found->output}) {
                const auto* io = catalog_.function(code);
                if (io == nullptr || io->volatility != 'i')
                    return refuse(Reason::unsafe_type, what, at);
            }
        }
        for (const auto& [of, code] : catalog_.class_functions)
            if (of == oid)
                if (auto refusal = function_by_oid(code, inner); refusal.is_refused())
                    return refusal;
        for (const auto& cast : catalog_.user_casts)
            if (cast.function != 0 && (cast.source == oid || cast.target == oid))
                if (auto refusal = function_by_oid(cast.function, inner); refusal.is_refused())
                    return refusal;
        return {};
    }
    default:
        return refuse(Reason::unsafe_type, what, at);
    }
}

/// `a.name` where `name` is no column calls the function `name` with the row; `(x).name` with any value.
Refusal Proof::field(const std::string& name, bool of_any_value, const At& at)
{
    const auto* named = Catalog::Impl::named(catalog_.functions_by_name, name);
    if (named == nullptr)
        return {};
    auto places = *named;
    std::stable_partition(places.begin(), places.end(), // the reason that tells most
                          [&](auto index) { return catalog_.functions[index].verdict == Verdict::clock; });
    for (const auto index : places) {
        const auto& candidate = catalog_.functions[index];
        if (!candidate.takes(1))
            continue;
        auto refusal = candidate.is_user                          ? function(candidate, 1, at)
                       : of_any_value || inspects_any_value(name) ? builtin(candidate, at)
                                                                  : Refusal{};
        if (refusal.is_refused())
            return refusal;
    }
    return {};
}

/// A column that is cast to a date or time type may be text and say `now`, unless every table that is read and has such
/// a column has it as a date or time, and the text makes none of that name itself.

} // namespace pgmemo::query
