#include "query/bodies.hpp"

#include "query/builtins.hpp"
#include "query/catalog_impl.hpp"
#include "query/plpgsql.hpp"

#include <iterator>
#include <string_view>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr std::size_t kMaxSource = 256 * 1024;

bool add_statements(const std::string& sql, Body& body)
{
    auto facts = read_facts(sql);
    if (!facts.is_understood)
        return false;
    std::move(facts.statements.begin(), facts.statements.end(), std::back_inserter(body.statements));
    return true;
}

void add_code(const StatementFacts& facts, AnyCode& any)
{
    switch (facts.kind) {
    case PGM_SELECT:
    case PGM_WRITE:
    case PGM_CALL:
    case PGM_SESSION:
    case PGM_COMMIT:
    case PGM_ROLLBACK:
        break;
    case PGM_SET:
    case PGM_SET_TRANSACTION:
        any.changes_session = true;
        break;
    default:
        any = {true, true, true};
    }
    for (const auto& relation : facts.relations)
        any.writes = any.writes || relation.use != 0;
    for (const auto& function : facts.functions) {
        if (function.name.name == "set_config")
            any.changes_session = true;
        else if (runs_sql(function.name.name) || function.name.name == "pg_reload_conf")
            any = {true, true, true};
    }
    if (facts.has(PGM_MARK_UNKNOWN) || facts.has(PGM_MARK_DDL) || facts.has(PGM_MARK_DDL_TEMPORARY) ||
        facts.has(PGM_MARK_EXECUTE) || facts.has_foreign_letters)
        any = {true, true, true};
}

void add_code(const Tree& tree, AnyCode& any)
{
    if (!tree.is_understood)
        any = {true, true, true};
    any.writes = any.writes || tree.writes;
    any.changes_session = true; // set_config is told by its OID only
}

} // namespace

Body read_body(Language language, const std::string& source)
{
    Body body;
    if (source.size() > kMaxSource)
        return body;
    if (language == Language::sql) {
        body.is_understood = add_statements(source, body);
        return body;
    }
    if (language != Language::plpgsql)
        return body;
    auto read = read_plpgsql(source);
    if (!read.is_understood || read.is_dynamic)
        return body;
    for (const auto& statement : read.statements)
        if (!add_statements(statement, body))
            return {};
    body.is_understood = true;
    body.replaces_row = read.replaces_row;
    body.assigned_columns = std::move(read.assigned_fields_of_new);
    body.variable_types = std::move(read.variable_types);
    return body;
}

std::shared_ptr<const Body> Bodies::of(const Function& function) const
{
    {
        const std::lock_guard lock{mutex_};
        if (const auto found = by_oid_.find(function.oid); found != by_oid_.end())
            return found->second;
    }
    auto body = std::make_shared<const Body>(read_body(function.language, function.source));
    const std::lock_guard lock{mutex_};
    return by_oid_.emplace(function.oid, std::move(body)).first->second;
}

AnyCode Bodies::any_code(const std::vector<Function>& functions) const
{
    {
        const std::lock_guard lock{mutex_};
        if (any_code_)
            return *any_code_;
    }
    AnyCode any;
    for (const auto& function : functions) {
        if (!function.is_user || function.kind == 'a' || function.vouched)
            continue;
        if (function.language == Language::internal || function.language == Language::c) {
            if (function.volatility == 'v' && !function.is_random_only)
                any.writes = any.changes_session = true;
        } else if (function.body) {
            add_code(*function.body, any);
        } else if (const auto body = of(function); body->is_understood) {
            for (const auto& facts : body->statements)
                add_code(facts, any);
        } else {
            any = {true, true, true};
        }
    }
    const std::lock_guard lock{mutex_};
    any_code_ = any;
    return any;
}

} // namespace pgmemo::query
