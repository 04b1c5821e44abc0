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

constexpr std::size_t kMaxNamed = 16;    ///< relations that an unqualified name may mean before they are all
constexpr std::size_t kMaxWritten = 512; ///< relations in one closure
constexpr std::size_t kMaxValues = 256;  ///< of one column
constexpr int kMaxDepth = 64;

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

constexpr Oid kTriggerType = 2279; ///< the pseudo-type `trigger`. Source: pg_type.dat

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
             std::vector<const Relation*>& kin)
{
    for (const auto oid : relation.*direction) {
        const auto* next = catalog.relation(oid);
        if (next != nullptr && std::find(kin.begin(), kin.end(), next) == kin.end() && kin.size() <= kMaxWritten) {
            kin.push_back(next);
            add_kin(catalog, *next, direction, kin);
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
    add_kin(catalog, relation, &Relation::children, kin.below);
    for (const auto* one : kin.below)
        add_kin(catalog, *one, &Relation::parents, kin.above);
    std::erase_if(kin.above, [&](const Relation* one) {
        return std::find(kin.below.begin(), kin.below.end(), one) != kin.below.end();
    });
    return kin;
}

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
                touch(kin_of(*catalog_, *relation), *relation, all, {});
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
