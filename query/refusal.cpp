#include "query/refusal.hpp"

#include "query/builtins.hpp"

#include <algorithm>

namespace pgmemo::query {
namespace {

Reason of_builtin(const std::string& name, int arguments, char volatility) noexcept
{
    if (reads_clock(name, arguments))
        return Reason::clock;
    if (volatility == 'i')
        return Reason::none;
    if (volatility == 's')
        return depends_on_settings_only(name) ? Reason::none : Reason::stable_function;
    return Reason::volatile_function;
}

/// The most telling of two refusals: the one that would hold whatever the scope is.
Reason worse(Reason a, Reason b) noexcept
{
    return a == Reason::none ? b : a;
}

Reason of_function(const FunctionFact& fact, const Lookup& lookup)
{
    const auto candidates = lookup.functions(fact.name, fact.arguments);
    if (candidates.empty())
        return Reason::volatile_function; // not known: a cast by a type's name, or a function made meanwhile
    auto reason = Reason::none;
    bool has_builtin = false;
    bool has_user = false;
    for (const auto* candidate : candidates) {
        has_user = has_user || candidate->is_user;
        if (candidate->is_user)
            continue;
        has_builtin = true;
        reason = worse(reason, of_builtin(fact.name.name, fact.arguments, candidate->volatility));
    }
    if (has_user && (lookup.has_scope() || !has_builtin || !fact.name.schema.empty()))
        return Reason::user_function;
    if (reason == Reason::none && fact.arguments == 1 && lookup.has_scope() &&
        lookup.types({{}, fact.name.name}).may_be_user && fact.name.schema.empty())
        return Reason::user_function; // `name(x)` may be a cast to a user's type
    return reason;
}

Reason of_operator(const Name& name, const Lookup& lookup)
{
    auto reason = Reason::none;
    bool has_builtin = false;
    bool has_user = false;
    for (const auto* candidate : lookup.operators(name)) {
        has_user = has_user || candidate->is_user;
        if (candidate->is_user)
            continue;
        has_builtin = true;
        if (candidate->volatility != 'i' &&
            (candidate->volatility != 's' || !depends_on_settings_only(candidate->function)))
            reason = worse(reason, Reason::stable_function);
    }
    if (has_user && (lookup.has_scope() || !has_builtin || !name.schema.empty()))
        return Reason::user_function;
    if (!has_builtin)
        return Reason::user_function;
    return reason;
}

Reason of_type(const Name& name, const Lookup& lookup)
{
    const auto types = lookup.types(name);
    if (types.may_be_temporary)
        return Reason::temporary_table;
    if (types.found == nullptr)
        return Reason::user_function;
    if (types.may_be_user && (lookup.has_scope() || types.found->is_user))
        return Reason::user_function;
    switch (builtin_type(name.name)) {
    case TypeKind::safe:
    case TypeKind::time:
        return Reason::none;
    case TypeKind::clock:
        return Reason::clock;
    case TypeKind::catalog:
        return Reason::stable_function;
    case TypeKind::unknown:
        break;
    }
    return Reason::unsupported_syntax;
}

/// `a.name` where `name` is no column calls the function `name` with the row; `(x).name` with any value.
Reason of_field(const std::string& name, bool of_any_value, const Catalog::Impl& catalog)
{
    const auto* named = Catalog::Impl::find(catalog.functions, name);
    if (named == nullptr)
        return Reason::none;
    auto reason = Reason::none;
    for (const auto& function : *named) {
        if (!function.takes(1))
            continue;
        if (function.is_user)
            return Reason::user_function;
        if (of_any_value || inspects_any_value(name))
            reason = worse(reason, of_builtin(name, 1, function.volatility));
    }
    return reason;
}

Reason of_kind(const Relation& relation) noexcept
{
    if (relation.schema == "pg_catalog" || relation.schema == "information_schema" || relation.schema == "pg_toast")
        return Reason::system_catalog;
    switch (relation.kind) {
    case 'r':
        break;
    case 'v':
        return Reason::view;
    case 'm':
        return Reason::materialized_view;
    case 'p':
        return Reason::partitioned_table;
    case 'f':
        return Reason::foreign_table;
    default:
        return Reason::other_relation;
    }
    if (relation.persistence == 't')
        return Reason::temporary_table;
    if (relation.persistence == 'u')
        return Reason::unlogged_table;
    if (relation.persistence != 'p' || relation.has_rules)
        return Reason::other_relation;
    if (relation.is_inherited)
        return Reason::inheritance;
    if (relation.has_row_security)
        return Reason::row_security;
    if (relation.has_unsafe_column)
        return Reason::unsafe_type;
    return Reason::none;
}

Reason of_relation(const Name& name, const Lookup& lookup)
{
    const auto relations = lookup.relations(name);
    if (relations.may_be_temporary && relations.is_certain)
        return Reason::temporary_table;
    if (relations.found.empty())
        return Reason::unknown_relation;
    auto reason = Reason::none;
    for (const auto* relation : relations.found) {
        const auto own = of_kind(*relation);
        if (own == Reason::none)
            return Reason::none; // with a scope there is only one
        reason = worse(reason, own);
    }
    return reason;
}

/// A column that is cast to a date or time type may be text and say `now`, unless every table that is read and has such
/// a column has it as a date or time, and the text makes none of that name itself.
bool is_time_column(const std::string& column, const StatementFacts& facts, const Lookup& lookup)
{
    for (const auto& made : facts.output_names)
        if (made == column || made == "*")
            return false;
    bool is_found = false;
    for (const auto& fact : facts.relations)
        for (const auto* relation : lookup.relations(fact.name).found)
            for (const auto& [name, is_time] : relation->columns)
                if (name == column) {
                    if (!is_time)
                        return false;
                    is_found = true;
                }
    return is_found;
}

} // namespace

Reason refusal_of_kind(const StatementFacts& facts) noexcept
{
    switch (facts.kind) {
    case PGM_SELECT:
        break;
    case PGM_WRITE:
    case PGM_INTO:
    case PGM_INTO_TEMPORARY:
        return Reason::write;
    case PGM_DDL:
    case PGM_DDL_TEMPORARY:
    case PGM_DDL_CLUSTER:
        return Reason::ddl;
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
        return Reason::transaction_control;
    case PGM_SET:
    case PGM_SET_TRANSACTION:
    case PGM_SESSION:
        return Reason::session_command;
    case PGM_UTILITY:
    case PGM_FETCH:
    case PGM_EXECUTE:
    case PGM_CALL:
    case PGM_DO:
    case PGM_REINDEX:
        return Reason::utility;
    case PGM_OTHER:
        return Reason::unparsed;
    }
    for (const auto& relation : facts.relations)
        if (relation.use != 0)
            return Reason::write;
    if (facts.mentions(PGM_MARK_DDL) || facts.mentions(PGM_MARK_DDL_TEMPORARY))
        return Reason::write;
    return Reason::none;
}

Reason refusal_of_text(const StatementFacts& facts) noexcept
{
    if (facts.mentions(PGM_MARK_ROW_LOCK))
        return Reason::row_lock;
    if (facts.mentions(PGM_MARK_TABLESAMPLE))
        return Reason::tablesample;
    if (facts.mentions(PGM_MARK_CLOCK) || facts.has_clock_text)
        return Reason::clock;
    if (facts.mentions(PGM_MARK_IDENTITY))
        return Reason::session_identity;
    if (facts.has_foreign_letters)
        return Reason::encoding;
    if (facts.marks != 0 || facts.planned_marks != 0)
        return facts.mentions(PGM_MARK_UNSUPPORTED) || facts.mentions(PGM_MARK_UNKNOWN) ? Reason::unsupported_syntax
               : facts.mentions(PGM_MARK_PARAMETER)                                     ? Reason::parameters
                                                                                        : Reason::unsupported_syntax;
    return Reason::none;
}

Reason refusal_of_names(const StatementFacts& facts, const Catalog::Impl& catalog, const Lookup& lookup)
{
    auto reason = Reason::none;
    const auto settle = [&reason](Reason found) {
        reason = found;
        return found != Reason::none;
    };
    for (const auto& function : facts.functions)
        if (settle(of_function(function, lookup)))
            return reason;
    for (const auto& op : facts.operators)
        if (settle(of_operator(op.name, lookup)))
            return reason;
    for (const auto& type : facts.types)
        if (settle(of_type(type, lookup)))
            return reason;
    for (const auto& field : facts.fields)
        if (settle(of_field(field, false, catalog)))
            return reason;
    for (const auto& member : facts.members)
        if (settle(of_field(member, true, catalog)))
            return reason;
    for (const auto& relation : facts.relations)
        if (settle(of_relation(relation.name, lookup)))
            return reason;
    for (const auto& column : facts.time_columns)
        if (lookup.has_scope() && !is_time_column(column, facts, lookup))
            return Reason::clock;
    if (catalog.is_unsafe)
        return Reason::user_function;
    return lookup.has_scope() ? Reason::none : Reason::session_unknown;
}

} // namespace pgmemo::query
