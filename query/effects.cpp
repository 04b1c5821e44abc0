#include "query/effects.hpp"

#include "query/bodies.hpp"
#include "query/builtins.hpp"
#include "query/value.hpp"
#include "query/words.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr Oid kTriggerType = 2279; ///< the pseudo-type `trigger`. Source: pg_type.dat

} // namespace

void allow_anything(Statement& statement) noexcept
{
    statement.may_commit = true;
    statement.writes_unknown = true;
    statement.changes_catalog = true;
    statement.changes_cluster = true;
    statement.changes_session = true;
    statement.sets_transaction = true;
}

void Effects::add(const StatementFacts& facts, const Lookup* lookup)
{
    if (lookup == nullptr)
        statement_without_catalog(facts);
    else
        statement(facts, *lookup, false);
}

void Effects::finish()
{
    if (written_.size() > kMaxWritten) {
        write_anything();
        written_.clear();
    }
    for (auto& [relation, columns] : written_) {
        WriteAccess access{relation, {}, {columns.wide.begin(), columns.wide.end()}, {}};
        std::copy_if(columns.fresh.begin(), columns.fresh.end(), std::back_inserter(access.fresh),
                     [&columns = columns](int column) { return !columns.wide.contains(column); });
        for (auto& [number, confinement] : columns.slots)
            access.slots.push_back(std::move(confinement));
        statement_.writes.push_back(std::move(access));
    }
}

void Effects::statement(const StatementFacts& facts, const Lookup& lookup, bool is_inside, const Function* body_of)
{
    if (++depth_ > kMaxDepth) {
        anything_but_commit();
        --depth_;
        return;
    }
    kind(facts, &lookup);
    marks(facts);
    const bool knows_columns = !is_inside || (body_of != nullptr && body_of->language == Language::sql);
    const Operands operands{facts,   *catalog_,     lookup,
                            nullptr, knows_columns, body_of == nullptr ? nullptr : &body_of->arguments};
    for (const auto& fact : facts.functions)
        call(fact, operands, lookup);
    for (const auto& fact : facts.operators)
        op(fact, operands, lookup);
    for (const auto& name : facts.fields)
        field(name, false, lookup);
    for (const auto& name : facts.members)
        field(name, true, lookup);
    const bool writes = std::any_of(facts.relations.begin(), facts.relations.end(),
                                    [](const RelationFact& fact) { return fact.use != 0; });
    std::optional<Confine> confine;
    if (writes)
        confine.emplace(facts, *catalog_, lookup);
    for (const auto& fact : facts.relations)
        fact.use == 0 ? read(fact, lookup) : write(facts, fact, *confine, lookup, is_inside);
    for (const auto& fact : facts.types)
        type(fact, lookup);
    casts(lookup);
    if (facts.has_foreign_letters)
        anything_but_commit(); // some function or relation that we cannot name
    --depth_;
}

/// Nothing of this database is served without a catalog, so what well-known names cannot do matters little; what they
/// would cost, moved for every `count(*)`, is a catalog that is read without end.
void Effects::statement_without_catalog(const StatementFacts& facts)
{
    kind(facts, nullptr);
    marks(facts);
    for (const auto& fact : facts.functions) {
        if (fact.planned_only)
            statement_.changes_session = true;
        else if (fact.name.name == "set_config")
            set_config(fact.first_argument);
        else if (!is_well_known(fact.name.name))
            anything_but_commit();
    }
    statement_.reads_unseen = !facts.relations.empty() || !facts.operators.empty() || !facts.types.empty();
    // A table's triggers may do anything. That the catalog differs afterwards is left to its poll.
    for (const auto& fact : facts.relations)
        if (fact.use != 0) {
            write_anything();
            statement_.changes_session = true;
            statement_.runs_unseen = true;
        }
    if (facts.has_foreign_letters)
        anything_but_commit();
}

/// By which way the closure came here.
std::string Effects::way() const
{
    std::string all;
    for (const auto& step : way_) {
        if (!all.empty())
            all += ", then ";
        all += step;
    }
    return all;
}

void Effects::write_anything()
{
    statement_.writes_unknown = true;
    if (trail_ != nullptr)
        trail_->add_unseen(way());
}

void Effects::anything()
{
    allow_anything(statement_);
    write_anything();
}

/// Code runs that is not known: rows, settings and the catalog may differ afterwards.
void Effects::anything_but_commit()
{
    write_anything();
    statement_.changes_session = true;
    statement_.changes_catalog = true;
    statement_.changes_cluster = true;
}

void Effects::ddl()
{
    write_anything();
    statement_.changes_catalog = true;
    statement_.surely_changes = true;
    statement_.changes_session = true;
}

void Effects::temporary_ddl(const Lookup*)
{
    statement_.changes_session = true;
    if (catalog_ == nullptr || catalog_->has_event_triggers)
        anything_but_commit();
}

void Effects::any_code()
{
    const auto any = catalog_ == nullptr ? AnyCode{true, true, true} : catalog_->bodies.any_code(catalog_->functions);
    if (any.writes)
        write_anything();
    statement_.changes_session |= any.changes_session;
    statement_.changes_catalog |= any.changes_catalog;
    statement_.changes_cluster |= any.changes_catalog;
}

void Effects::kind(const StatementFacts& facts, const Lookup* lookup)
{
    switch (facts.kind) {
    case PGM_SELECT:
    case PGM_WRITE:
    case PGM_REFRESH:
    case PGM_SESSION:
    case PGM_UTILITY:
    case PGM_BEGIN:
    case PGM_BEGIN_OTHER:
    case PGM_START:
    case PGM_START_OTHER:
    case PGM_ROLLBACK:
    case PGM_ROLLBACK_CHAIN:
    case PGM_ROLLBACK_PREPARED:
    case PGM_INSIDE:
        return;
    case PGM_COMMIT:
    case PGM_COMMIT_CHAIN:
    case PGM_PREPARE_TRANSACTION:
        statement_.may_commit = true;
        return;
    case PGM_INTO:
    case PGM_DDL:
        ddl();
        return;
    case PGM_INTO_TEMPORARY:
    case PGM_DDL_TEMPORARY:
        temporary_ddl(lookup);
        return;
    case PGM_DDL_CLUSTER:
        ddl();
        statement_.changes_cluster = true;
        return;
    case PGM_SET:
        statement_.changes_session = true;
        return;
    case PGM_SET_TRANSACTION:
        statement_.changes_session = true;
        statement_.sets_transaction = true;
        return;
    case PGM_FETCH:
        // What a cursor writes was said by its DECLARE, in this same transaction: a cursor WITH HOLD is run to its end
        // at COMMIT. What it sets, it sets now.
        statement_.changes_session = true;
        return;
    case PGM_EXECUTE: // of a SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES: no DDL of its own
        write_anything();
        statement_.changes_session = true;
        any_code();
        return;
    case PGM_CALL:
        statement_.may_commit = true;
        return; // its procedure is one of the functions
    case PGM_DO:
        statement_.may_commit = true;
        block(facts, lookup);
        return;
    case PGM_REINDEX:
        write_anything();
        any_code();
        return;
    case PGM_COMMIT_PREPARED:
    case PGM_OTHER:
        anything();
        return;
    }
    anything();
}

/// DO.
void Effects::block(const StatementFacts& facts, const Lookup* lookup)
{
    const auto body = facts.has(PGM_MARK_UNKNOWN) ? Body{} : read_body(Language::plpgsql, facts.block);
    if (!body.is_understood || lookup == nullptr) {
        write_anything();
        statement_.changes_session = true;
        any_code();
        if (facts.has(PGM_MARK_UNKNOWN) || mentions_ddl(facts.block))
            anything_but_commit();
        return;
    }
    for (const auto& inner : body.statements)
        statement(inner, *lookup, true);
}

void Effects::marks(const StatementFacts& facts)
{
    if (facts.has(PGM_MARK_DDL))
        ddl();
    if (facts.has(PGM_MARK_DDL_TEMPORARY))
        temporary_ddl(nullptr);
    if (facts.has(PGM_MARK_EXECUTE)) {
        const Step step{*this, "EXECUTE of a text made at run time"};
        write_anything();
        statement_.changes_session = true;
        any_code();
    }
    if (facts.has(PGM_MARK_UNKNOWN))
        anything();
}

void Effects::set_config(const std::string& first_argument)
{
    statement_.changes_session = true;
    // its first argument names the setting
    if (first_argument.empty() || names_transaction_setting(first_argument))
        statement_.sets_transaction = true;
}

void Effects::builtin(const Function& found, const std::string& first_argument)
{
    if (found.name == "set_config") {
        set_config(first_argument);
    } else if (found.name == "pg_reload_conf") {
        statement_.changes_cluster = true;
        statement_.surely_changes = true;
    } else if (found.verdict == Verdict::sql) {
        const Step step{*this, "function ", found.name, ", which runs SQL"};
        write_anything();
        statement_.changes_session = true;
        any_code();
    } else if (found.verdict == Verdict::anything || (found.verdict == Verdict::none && found.volatility == 'v')) {
        const Step step{*this, "function ", found.name};
        write_anything();
        statement_.changes_session = true;
    }
}

void Effects::call(const FunctionFact& fact, const Operands& operands, const Lookup& lookup)
{
    const auto candidates = operands.functions(fact);
    if (candidates.empty() && !fact.planned_only) { // perhaps made since the catalog was read, by somebody else
        const Step step{*this, "function ", fact.name.name, ", which is not known"};
        anything_but_commit();
    }
    for (const auto* candidate : candidates) {
        if (fact.planned_only && candidate->volatility == 'v')
            continue; // planning may call what is not VOLATILE, to estimate
        if (candidate->is_user)
            function(*candidate, fact.arguments, lookup);
        else
            builtin(*candidate, fact.first_argument);
    }
}

void Effects::op(const OperatorFact& fact, const Operands& operands, const Lookup& lookup)
{
    for (const auto* candidate : operands.operators(fact))
        operator_by_oid(candidate->oid, lookup);
}

void Effects::field(const std::string& name, bool of_any_value, const Lookup& lookup)
{
    const auto* named = Catalog::Impl::named(catalog_->functions_by_name, name);
    if (named == nullptr)
        return;
    for (const auto index : *named) {
        const auto& candidate = catalog_->functions[index];
        if (!candidate.takes(1))
            continue;
        if (candidate.is_user)
            function(candidate, 1, lookup);
        else if (of_any_value)
            builtin(candidate, {});
    }
}

void Effects::type(const TypeFact& fact, const Lookup& lookup)
{
    const auto types = lookup.types(fact.name);
    if (types.may_be_temporary || types.found == nullptr)
        any_code();
    if (types.may_be_user && types.found != nullptr && !types.found->is_user)
        any_code(); // a user's type of a built-in type's name
    if (types.found != nullptr)
        type(types.found->oid, lookup);
}

/// Values of the type are made or shown: domains are checked, input and output functions called.
void Effects::type(Oid oid, const Lookup& lookup)
{
    if (oid < kFirstUserOid || !types_seen_.emplace(oid, lookup.id()).second)
        return;
    const auto* found = catalog_->type(oid);
    const Step step{*this, "type ",
                    found == nullptr ? std::string_view{"that is not known"} : std::string_view{found->name}};
    if (found == nullptr) {
        any_code();
        return;
    }
    for (const auto& check : found->checks)
        tree(check, lookup);
    for (const auto part : {found->element, found->base, found->subtype})
        type(part, lookup);
    for (const auto code : {found->input, found->output})
        if (code >= kFirstUserOid)
            function(code, lookup);
    for (const auto& [of, code] : catalog_->class_functions)
        if (of == oid)
            function(code, lookup);
    if (const auto* row = found->kind == 'c' ? catalog_->relation(found->relation) : nullptr)
        for (const auto& column : row->columns)
            type(column.type, lookup);
}

/// Casts and default orders by a user's code may run wherever such a value comes.
void Effects::casts(const Lookup& lookup)
{
    if (!casts_seen_.insert(lookup.id()).second)
        return;
    const Step step{*this, "a cast or an order of a built-in type"};
    for (const auto& cast : catalog_->user_casts)
        if (cast.function != 0)
            function(cast.function, lookup);
    for (const auto& [of, code] : catalog_->class_functions)
        if (of < kFirstUserOid)
            function(code, lookup);
}

void Effects::function(Oid oid, const Lookup& lookup)
{
    const auto* found = catalog_->function(oid);
    if (found == nullptr)
        anything_but_commit();
    else if (found->is_user)
        function(*found, -1, lookup);
    else
        builtin(*found, {});
}

void Effects::operator_by_oid(Oid oid, const Lookup& lookup)
{
    const auto* found = catalog_->op(oid);
    if (found == nullptr)
        anything_but_commit();
    else if (const auto* code = catalog_->function(found->function); code != nullptr && !code->is_user)
        builtin(*code, {});
    else
        function(found->function, lookup);
}

void Effects::function(const Function& callee, int arguments, const Lookup& lookup)
{
    const Step step{*this, "function ", callee.schema, ".", callee.name};
    if (callee.vouched) {
        const Change all{PGM_INSERT | PGM_UPDATE | PGM_DELETE | PGM_TRUNCATE, nullptr, nullptr, false};
        for (const auto oid : callee.vouched->writes)
            if (const auto* relation = catalog_->relation(oid)) {
                const Step by_word{*this, "as the configuration says"};
                if (relation->kind == 'v') // its words never move: those of its relations do
                    write(*relation, all, lookup);
                touch_kin(*relation, all, {});
            }
        return;
    }
    if (arguments >= 0 && arguments < static_cast<int>(callee.arguments.size()) && callee.defaults > 0) {
        if (callee.default_values)
            tree(*callee.default_values, lookup);
        else
            anything_but_commit();
    }
    if (!functions_seen_.emplace(callee.oid, lookup.id()).second)
        return;
    for (const auto part : callee.parts)
        function(part, lookup);
    for (const auto* types : {&callee.arguments, &callee.outputs}) // what it is called with is made one of those
        for (const auto oid : *types)
            type(oid, lookup);
    type(callee.result, lookup);
    if (callee.kind == 'a')
        return;
    switch (callee.language) {
    case Language::internal:
    case Language::c:
        if (callee.volatility != 'v' || callee.is_random_only)
            return;
        if (callee.result == kTriggerType) { // a trigger in C writes rows, and makes no DDL
            write_anything();
            statement_.changes_session = true;
            return;
        }
        anything_but_commit();
        return;
    case Language::sql:
    case Language::plpgsql:
        break;
    case Language::other:
        anything_but_commit();
        return;
    }
    if (++depth_ > kMaxDepth) {
        anything_but_commit();
        --depth_;
        return;
    }
    const auto inside = lookup.inside(callee);
    if (callee.language == Language::plpgsql) // its variables may be of any domain
        for (const auto& found : catalog_->types)
            if (!found.checks.empty())
                type(found.oid, inside);
    if (callee.body) {
        tree(*callee.body, inside);
    } else if (const auto body = catalog_->bodies.of(callee); body->is_understood) {
        if (!body->variable_types.empty()) // some may be domains, and what is given to them is checked
            for (const auto& one : catalog_->types)
                if (one.kind == 'd')
                    type(one.oid, inside);
        for (const auto& facts : body->statements)
            statement(facts, inside, true, &callee);
    } else {
        anything_but_commit();
    }
    --depth_;
}

void Effects::tree(const Tree& found, const Lookup& lookup, Oid self)
{
    if (!found.is_understood) {
        anything_but_commit();
        return;
    }
    if (++depth_ > kMaxDepth) {
        anything_but_commit();
        --depth_;
        return;
    }
    for (const auto oid : found.functions)
        function(oid, lookup);
    for (const auto oid : found.operators)
        operator_by_oid(oid, lookup);
    for (const auto oid : found.types)
        type(oid, lookup);
    for (const auto& cast : found.casts)
        for (const auto oid : {cast.source, cast.target})
            type(oid, lookup);
    for (const auto& [oid, use] : found.relations) {
        if (oid == self && use == tree_read)
            continue;
        const auto* relation = catalog_->relation(oid);
        if (relation == nullptr)
            use == tree_read ? any_code() : anything_but_commit();
        else if (use == tree_read)
            read(*relation, lookup);
        else
            write(*relation, {use, nullptr, nullptr, false}, lookup);
    }
    --depth_;
}

Transaction transaction_of(pgm_statement kind) noexcept
{
    switch (kind) {
    case PGM_BEGIN:
    case PGM_START:
        return Transaction::begin;
    case PGM_BEGIN_OTHER:
    case PGM_START_OTHER:
        return Transaction::begin_other;
    case PGM_COMMIT:
        return Transaction::commit;
    case PGM_ROLLBACK:
        return Transaction::rollback;
    case PGM_INSIDE:
        return Transaction::inside;
    case PGM_COMMIT_CHAIN:
    case PGM_ROLLBACK_CHAIN:
    case PGM_PREPARE_TRANSACTION:
    case PGM_COMMIT_PREPARED:
    case PGM_ROLLBACK_PREPARED:
    case PGM_CALL:
    case PGM_DO:
    case PGM_OTHER:
        return Transaction::other;
    default:
        return Transaction::none;
    }
}

const char* tag_of(pgm_statement kind) noexcept
{
    switch (kind) {
    case PGM_BEGIN:
        return "BEGIN";
    case PGM_START:
        return "START TRANSACTION";
    case PGM_COMMIT:
        return "COMMIT";
    case PGM_ROLLBACK:
        return "ROLLBACK";
    default:
        return "";
    }
}

} // namespace pgmemo::query
