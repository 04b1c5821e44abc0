#include "query/analyzer.hpp"

#include "query/catalog_impl.hpp"
#include "query/effects.hpp"
#include "query/explanation.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/memo.hpp"
#include "query/proof.hpp"
#include "query/shape.hpp"
#include "query/words.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

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

Refusal refusal_of(const StatementFacts& facts, Proof* proof, const Lookup* lookup)
{
    if (auto refusal = Proof::of_kind(facts); refusal.is_refused())
        return refusal;
    if (auto refusal = Proof::of_text(facts); refusal.is_refused())
        return refusal;
    return proof == nullptr ? Refusal{Reason::catalog_unknown, {}, -1} : proof->of_names(facts, *lookup);
}

template <class T>
void sort_unique(std::vector<T>& values)
{
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    values.shrink_to_fit();
}

/// What one statement reads, and why it may not be cached.
void add_proof(const StatementFacts& facts, const Catalog::Impl* catalog, const Lookup* lookup, Statement& statement,
               Trail* trail)
{
    std::optional<Proof> proof;
    if (catalog != nullptr)
        proof.emplace(*catalog, trail);
    auto refusal = refusal_of(facts, proof ? &*proof : nullptr, lookup);
    statement.reason = refusal.reason;
    statement.why = std::move(refusal.why);
    statement.place = refusal.place;
    if (!proof)
        return;
    for (auto& access : proof->reads)
        if (std::find(statement.reads.begin(), statement.reads.end(), access) == statement.reads.end())
            statement.reads.push_back(std::move(access));
    statement.read_names = std::move(proof->read_names);
    statement.settings = std::move(proof->settings);
    sort_unique(statement.read_names);
    sort_unique(statement.settings);
    statement.reads.shrink_to_fit();
}

Statement resolve(std::string_view sql, const TextFacts& text, const Catalog::Impl* catalog, const NameScope* scope,
                  Trail* trail)
{
    auto statement = nothing();
    statement.mentions_copy = contains_any(sql, {"copy"});
    statement.mentions_prepared = contains_any(sql, {"prepare", "execute", "deallocate", "discard"});
    if (text.statements.empty()) {
        statement.reason = Reason::empty;
        return statement;
    }
    std::optional<Lookup> lookup;
    if (catalog != nullptr)
        lookup.emplace(*catalog, scope);
    const Lookup* names = lookup ? &*lookup : nullptr;

    Effects effects{catalog, statement, trail};
    // Once the search_path may have changed, by SET or by a function that calls set_config, names may stand for
    // whatever has them in any schema: in what follows, and in what the same functions do when they are called again.
    std::optional<Lookup> unsettled;
    if (catalog != nullptr)
        unsettled.emplace(*catalog, nullptr);
    for (const auto& facts : text.statements) {
        effects.add(facts, statement.changes_session && unsettled ? &*unsettled : names);
        if (statement.changes_session && unsettled)
            effects.add(facts, &*unsettled);
    }
    effects.finish();

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
    statement.has_parameters = only.mentions(PGM_MARK_PARAMETER);
    statement.transaction = transaction_of(only.kind);
    statement.tag = tag_of(only.kind);
    add_proof(only, catalog, names, statement, trail);
    // A proof of cacheability and a suspicion of effects contradict each other: trust the suspicion.
    if (statement.is_cacheable() && (!statement.is_read_only() || statement.changes_session ||
                                     statement.changes_catalog || statement.changes_cluster)) {
        statement.reason = Reason::user_function;
        statement.why = "code that may do more than read";
    }
    return statement;
}

} // namespace

struct Analyzer::State {
    explicit State(std::size_t memo_bytes)
        : memo(memo_bytes)
    {
    }

    std::shared_ptr<const Statement> read(std::string_view sql, const Catalog::Impl*, const NameScope*) const;
    std::shared_ptr<const Statement> by_shape(std::string_view sql, const Catalog::Impl*, const NameScope*, MemoView);
    std::shared_ptr<const Statement> learn(std::string_view sql, const Shape&, const Catalog::Impl*, const NameScope*);

    Memo memo;
    std::shared_ptr<const Statement> unparsed = anything(Reason::unparsed);
    std::shared_ptr<const Statement> unreadable = anything(Reason::encoding);
    std::shared_ptr<const Statement> seen_once = anything(Reason::unparsed); // of shapes: to be learned the next time
};

std::shared_ptr<const Statement> Analyzer::State::read(std::string_view sql, const Catalog::Impl* catalog,
                                                       const NameScope* scope) const
{
    const auto facts = read_facts(sql);
    return facts.is_understood ? std::make_shared<const Statement>(resolve(sql, facts, catalog, scope, nullptr))
                               : unparsed;
}

/// By what is known of texts that have other values; null when each has to be looked at by itself.
std::shared_ptr<const Statement> Analyzer::State::by_shape(std::string_view sql, const Catalog::Impl* catalog,
                                                           const NameScope* scope, MemoView view)
{
    const auto shape = shape_of(sql);
    if (!shape)
        return nullptr;
    const auto key = std::string(1, '\0').append(shape->text); // no text begins so
    auto shaped = memo.find(key, view);
    if (!shaped) { // it may be the only one
        memo.remember(key, view, seen_once);
        return nullptr;
    }
    if (shaped == seen_once) {
        shaped = learn(sql, *shape, catalog, scope);
        memo.remember(key, view, shaped);
    }
    return shaped == unparsed ? nullptr : std::make_shared<const Statement>(filled(*shaped, shape->values));
}

/// The template of a shape, or `unparsed` when there is none.
std::shared_ptr<const Statement> Analyzer::State::learn(std::string_view sql, const Shape& shape,
                                                        const Catalog::Impl* catalog, const NameScope* scope)
{
    const auto same = [&](const Statement& shaped, const std::vector<std::string_view>& values, std::string_view text) {
        auto own = *read(text, catalog, scope);
        own.place = -1;
        return own == filled(shaped, values);
    };
    std::array<std::vector<std::string>, 2> made_up;
    std::array<std::vector<std::string_view>, 2> values;
    for (int set = 0; set < 2; ++set) {
        made_up.at(set) = made_up_values(shape.values.size(), set);
        values.at(set).assign(made_up.at(set).begin(), made_up.at(set).end());
    }
    const auto first = read(with_values(shape, values[0]), catalog, scope);
    if (first == unparsed)
        return unparsed;
    auto shaped = std::make_shared<const Statement>(template_of(*first, made_up[0]));
    const bool holds = same(*shaped, values[1], with_values(shape, values[1])) && same(*shaped, shape.values, sql);
    return holds ? shaped : unparsed;
}

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
    const auto* const impl = catalog ? &catalog->impl() : nullptr;
    if (auto known = state_->by_shape(sql, impl, scope.get(), view))
        return known;
    auto statement = state_->read(sql, impl, scope.get());
    state_->memo.remember(sql, view, statement);
    return statement;
} catch (...) { // out of memory
    return state_->unparsed;
}

Explanation Analyzer::explain(std::string_view sql, const std::shared_ptr<const Catalog>& catalog,
                              const std::shared_ptr<const NameScope>& scope, Dialect dialect) const
{
    const auto* impl = catalog ? &catalog->impl() : nullptr;
    Trail trail;
    auto statement = !dialect.is_readable() ? state_->unreadable : state_->unparsed;
    if (dialect.is_readable() && sql.size() <= kMaxParsedBytes)
        if (const auto facts = read_facts(sql); facts.is_understood)
            statement = std::make_shared<const Statement>(resolve(sql, facts, impl, scope.get(), &trail));
    return put_in_words(std::move(statement), std::move(trail), impl);
}

std::size_t Analyzer::memo_bytes_used() const noexcept
{
    return state_->memo.bytes_used();
}

} // namespace pgmemo::query
