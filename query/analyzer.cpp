#include "query/analyzer.hpp"

#include "query/catalog_impl.hpp"
#include "query/effects.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/memo.hpp"
#include "query/refusal.hpp"

#include <algorithm>

namespace pgmemo::query {
namespace {

/// A statement that does nothing: effects are added to it.
Statement nothing()
{
    Statement statement;
    statement.transaction = Transaction::none;
    statement.may_commit = false;
    statement.writes_unknown = false;
    statement.changes_catalog = false;
    statement.changes_cluster = false;
    statement.changes_session = false;
    return statement;
}

/// All that a text can be.
std::shared_ptr<const Statement> anything(Reason reason)
{
    auto statement = std::make_shared<Statement>();
    allow_anything(*statement);
    statement->reason = reason;
    return statement;
}

Reason refusal_of(const StatementFacts& facts, const Catalog::Impl* catalog, const Lookup* lookup)
{
    if (const auto reason = refusal_of_kind(facts); reason != Reason::none)
        return reason;
    if (const auto reason = refusal_of_text(facts); reason != Reason::none)
        return reason;
    return catalog == nullptr ? Reason::catalog_unknown : refusal_of_names(facts, *catalog, *lookup);
}

void add_reads(const StatementFacts& facts, const Lookup& lookup, Statement& statement)
{
    for (const auto& fact : facts.relations)
        if (fact.use == 0)
            for (const auto* relation : lookup.relations(fact.name).found) {
                statement.reads.push_back(relation->oid);
                statement.read_names.push_back(relation->schema + '.' + relation->name);
            }
}

template <class T>
void sort_unique(std::vector<T>& values)
{
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    values.shrink_to_fit();
}

Statement resolve(const TextFacts& text, const Catalog::Impl* catalog, const NameScope* scope)
{
    auto statement = nothing();
    if (text.statements.empty()) {
        statement.reason = Reason::empty;
        return statement;
    }
    std::optional<Lookup> lookup;
    if (catalog != nullptr)
        lookup.emplace(*catalog, scope);
    const Lookup* names = lookup ? &*lookup : nullptr;

    for (const auto& facts : text.statements) {
        add_effects(facts, catalog, names, statement);
        if (names != nullptr)
            add_reads(facts, *names, statement);
    }
    sort_unique(statement.reads);
    sort_unique(statement.read_names);
    sort_unique(statement.writes);

    if (text.statements.size() > 1) {
        statement.reason = Reason::multiple;
        for (const auto& facts : text.statements)
            if (transaction_of(facts.kind) != Transaction::none) {
                statement.transaction = Transaction::other;
                // what it does to the transaction decides which of its statements commit on their own
                statement.may_commit = true;
            }
        return statement;
    }
    const auto& only = text.statements.front();
    statement.is_single = true;
    statement.transaction = transaction_of(only.kind);
    statement.tag = tag_of(only.kind);
    statement.reason = refusal_of(only, catalog, names);
    // A proof of cacheability and a suspicion of effects contradict each other: trust the suspicion.
    if (statement.is_cacheable() && (!statement.is_read_only() || statement.changes_session ||
                                     statement.changes_catalog || statement.changes_cluster))
        statement.reason = Reason::user_function;
    return statement;
}

} // namespace

struct Analyzer::State {
    explicit State(std::size_t memo_bytes)
        : memo(memo_bytes)
    {
    }

    Memo memo;
    std::shared_ptr<const Statement> unparsed = anything(Reason::unparsed);
    std::shared_ptr<const Statement> unreadable = anything(Reason::encoding);
};

Analyzer::Analyzer(std::size_t memo_bytes)
    : state_(std::make_unique<State>(memo_bytes))
{
}
Analyzer::~Analyzer() = default;

std::shared_ptr<const Statement> Analyzer::analyse(std::string_view sql, const std::shared_ptr<const Catalog>& catalog,
                                                   const std::shared_ptr<const NameScope>& scope, Dialect dialect)
try {
    if (!dialect.is_readable())
        return state_->unreadable;
    if (sql.size() > kMaxParsedBytes)
        return state_->unparsed;
    const MemoView view{catalog ? catalog->id() : 0, scope ? scope->id : 0};
    if (auto known = state_->memo.find(sql, view))
        return known;
    const auto facts = read_facts(sql);
    auto statement = state_->unparsed;
    if (facts.is_understood)
        statement =
            std::make_shared<const Statement>(resolve(facts, catalog ? &catalog->impl() : nullptr, scope.get()));
    state_->memo.remember(sql, view, statement);
    return statement;
} catch (...) { // out of memory
    return state_->unparsed;
}

std::size_t Analyzer::memo_bytes_used() const noexcept
{
    return state_->memo.bytes_used();
}

} // namespace pgmemo::query
