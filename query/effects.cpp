#include "query/effects.hpp"

#include "query/builtins.hpp"
#include "query/words.hpp"

namespace pgmemo::query {
namespace {

constexpr std::size_t kMaxWritten = 16; ///< relations that an unqualified name may mean before they are all

/// The effects of one statement, as they are found.
class Effects {
public:
    Effects(const StatementFacts& facts, const Catalog::Impl* catalog, const Lookup* lookup, Statement& statement)
        : facts_(facts)
        , catalog_(catalog)
        , lookup_(lookup)
        , statement_(statement)
    {
    }

    void add()
    {
        add_kind();
        add_marks();
        for (const auto& function : facts_.functions)
            add_function(function);
        for (const auto& op : facts_.operators)
            add_operator(op);
        for (const auto& name : facts_.fields)
            add_field(name, false);
        for (const auto& name : facts_.members)
            add_field(name, true);
        for (const auto& relation : facts_.relations)
            relation.use == 0 ? add_read(relation) : add_write(relation);
        for (const auto& type : facts_.types)
            add_type(type);
        if (catalog_ != nullptr && catalog_->casts_run_user_code)
            user_code();
        if (facts_.has_foreign_letters)
            user_code(); // some function or relation that we cannot name
    }

private:
    /// A user's VOLATILE function runs, or may run.
    void user_code()
    {
        statement_.writes_unknown = true;
        statement_.changes_session = true;
        if (catalog_ == nullptr || catalog_->functions_may_ddl) {
            statement_.changes_catalog = true;
            statement_.changes_cluster = true;
        }
    }

    /// A user's STABLE or IMMUTABLE function runs. PostgreSQL runs its SQL read-only; it may still set a setting.
    void quiet_user_code()
    {
        if (catalog_ == nullptr || catalog_->functions_may_set)
            statement_.changes_session = true;
    }

    void add(Effect effect)
    {
        if (effect == Effect::anything)
            user_code();
        else if (effect == Effect::settings)
            quiet_user_code();
    }

    void user_code_if_any()
    {
        if (catalog_ == nullptr || catalog_->has_volatile_functions)
            user_code();
        else
            quiet_user_code();
    }

    void ddl()
    {
        statement_.writes_unknown = true;
        statement_.changes_catalog = true;
        statement_.changes_session = true;
    }

    void temporary_ddl()
    {
        statement_.changes_session = true;
        if (catalog_ == nullptr || catalog_->has_event_triggers)
            user_code();
    }

    void add_kind()
    {
        switch (facts_.kind) {
        case PGM_SELECT:
        case PGM_WRITE:
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
        case PGM_COMMIT_PREPARED:
            allow_anything(statement_);
            return;
        case PGM_INTO:
        case PGM_DDL:
            ddl();
            return;
        case PGM_INTO_TEMPORARY:
        case PGM_DDL_TEMPORARY:
            temporary_ddl();
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
            // What a cursor writes was said by its DECLARE, in this same transaction: a cursor WITH HOLD is run to its
            // end at COMMIT. What it sets, it sets now.
            statement_.changes_session = true;
            return;
        case PGM_EXECUTE:
            execute();
            return;
        case PGM_CALL:
            statement_.may_commit = true;
            return; // its procedure is one of the functions
        case PGM_DO:
            statement_.may_commit = true;
            user_code();
            if (facts_.has(PGM_MARK_UNKNOWN) || mentions_ddl(facts_.block)) {
                statement_.changes_catalog = true;
                statement_.changes_cluster = true;
            }
            return;
        case PGM_REINDEX:
            user_code();
            return;
        case PGM_OTHER:
            allow_anything(statement_);
            return;
        }
        allow_anything(statement_);
    }

    /// EXECUTE of what PREPARE took: a SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES. It may call set_config or run
    /// SQL through a built-in function; no DDL of its own.
    void execute() { user_code(); }

    void add_marks()
    {
        if (facts_.has(PGM_MARK_DDL))
            ddl();
        if (facts_.has(PGM_MARK_DDL_TEMPORARY))
            temporary_ddl();
        if (facts_.has(PGM_MARK_EXECUTE))
            execute();
        if (facts_.has(PGM_MARK_CASCADE))
            user_code();
        if (facts_.has(PGM_MARK_UNKNOWN))
            allow_anything(statement_);
    }

    void add_builtin(const FunctionFact& fact, char volatility)
    {
        const auto& name = fact.name.name;
        if (name == "set_config") {
            statement_.changes_session = true;
            // its first argument names the setting
            if (fact.first_argument.empty() || names_transaction_setting(fact.first_argument))
                statement_.sets_transaction = true;
        } else if (name == "pg_reload_conf") {
            statement_.changes_cluster = true;
        } else if (runs_sql(name)) {
            user_code();
        } else if (volatility == 'v' && !is_harmless_volatile(name)) {
            statement_.writes_unknown = true;
            statement_.changes_session = true;
        }
    }

    void add_function(const FunctionFact& fact)
    {
        if (fact.planned_only) { // planning may call what is not VOLATILE, to estimate
            quiet_user_code();
            return;
        }
        if (catalog_ == nullptr) {
            // Nothing of this database is served without a catalog, so what well-known names cannot do matters little;
            // what they would cost, moved for every `count(*)`, is a catalog that is read without end.
            if (is_well_known(fact.name.name) || is_harmless_volatile(fact.name.name))
                return;
            if (fact.name.name == "set_config")
                add_builtin(fact, 'v');
            else
                user_code();
            return;
        }
        const auto candidates = lookup_->functions(fact.name, fact.arguments);
        if (candidates.empty()) { // perhaps made since the catalog was read, by somebody else
            user_code();
            statement_.changes_catalog = true;
            statement_.changes_cluster = true;
        }
        for (const auto* candidate : candidates) {
            if (candidate->is_user)
                add(candidate->effect);
            else
                add_builtin(fact, candidate->volatility);
        }
    }

    void add_operator(const OperatorFact& fact)
    {
        if (catalog_ == nullptr)
            return; // as for well-known functions
        for (const auto* candidate : lookup_->operators(fact.name)) {
            if (candidate->is_user)
                fact.planned_only ? quiet_user_code() : add(candidate->effect);
            else if (!fact.planned_only && runs_sql(candidate->function))
                user_code();
        }
    }

    void add_field(const std::string& name, bool of_any_value)
    {
        if (catalog_ == nullptr)
            return;
        if (const auto* named = Catalog::Impl::find(catalog_->functions, name))
            for (const auto& function : *named)
                if (function.takes(1)) {
                    if (function.is_user)
                        add(function.effect);
                    else if (of_any_value)
                        add_builtin({{{}, name}, 1, false, {}, false}, function.volatility);
                }
    }

    /// A cast to a user's type may check a domain or run a user's cast.
    void add_type(const Name& name)
    {
        if (catalog_ == nullptr)
            return;
        const auto types = lookup_->types(name);
        if (!types.may_be_temporary && !types.may_be_user && types.found != nullptr)
            return;
        if (catalog_->domains_run_user_code)
            user_code();
        else
            quiet_user_code();
    }

    void add_read(const RelationFact& fact)
    {
        if (catalog_ == nullptr)
            return;
        const auto relations = lookup_->relations(fact.name);
        if (relations.may_be_temporary && relations.is_certain)
            view();
        else if (relations.found.empty())
            user_code_if_any(); // perhaps a view, made meanwhile
        for (const auto* relation : relations.found) {
            const bool is_plain = relation->kind != 'v' && !relation->has_row_security && !relation->has_rules;
            if (is_plain || relation->schema == "pg_catalog" || relation->schema == "information_schema")
                continue;
            view();
        }
    }

    /// A view, rule or policy is applied, or may be. Temporary views are among those that the catalog knows of.
    void view()
    {
        if (catalog_->views_run_user_code)
            user_code();
        else
            quiet_user_code();
    }

    void add_write(const RelationFact& fact)
    {
        if (catalog_ == nullptr) {
            statement_.writes_unknown = true;
            return;
        }
        const auto relations = lookup_->relations(fact.name);
        if (relations.may_be_temporary)
            if (relations.is_certain || relations.found.empty())
                user_code_if_any(); // its triggers and defaults
        if (relations.found.empty() && !(relations.may_be_temporary && relations.is_certain))
            user_code(); // made since the catalog was read
        if (relations.found.size() > kMaxWritten) {
            user_code();
            return;
        }
        for (const auto* relation : relations.found)
            add_write(*relation, fact.use);
    }

    void add_write(const Relation& relation, int use)
    {
        const bool cascades = (relation.cascades_update && (use & PGM_UPDATE) != 0) ||
                              (relation.cascades_delete && (use & PGM_DELETE) != 0);
        const bool is_seen_through = relation.kind == 'r' && !relation.is_inherited && !relation.has_rules &&
                                     !relation.has_triggers && !relation.has_row_security && !relation.runs_user_code &&
                                     relation.schema != "pg_catalog" && relation.schema != "information_schema";
        if (relation.schema == "pg_catalog" || relation.schema == "information_schema")
            allow_anything(statement_); // UPDATE pg_settings sets; a superuser may write the catalog itself
        if (cascades)
            statement_.writes_unknown = true; // and the triggers of what it cascades to
        if (cascades || !is_seen_through)
            user_code_or_unknown();
        statement_.writes.push_back(relation.oid);
    }

    /// A write whose reach is not seen: rows anywhere, and user code if there is any.
    void user_code_or_unknown()
    {
        statement_.writes_unknown = true;
        statement_.changes_session = true; // by a rule or a default that calls set_config
        user_code_if_any();
    }

    const StatementFacts& facts_;
    const Catalog::Impl* catalog_;
    const Lookup* lookup_;
    Statement& statement_;
};

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

void add_effects(const StatementFacts& facts, const Catalog::Impl* catalog, const Lookup* lookup, Statement& statement)
{
    Effects{facts, catalog, lookup, statement}.add();
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
