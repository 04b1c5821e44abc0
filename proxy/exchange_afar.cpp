// What other pgmemos have to do with a session: what hits must be current for all of them, and what is written is
// announced to them.

#include "proxy/exchange.hpp"

#include "wire/frontend.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using query::Statement;

constexpr std::size_t kMaxDescription = std::size_t{1} << 16;

} // namespace

void Exchange::share(RemoteLink& link)
{
    afar_ = std::make_unique<Afar>(link);
}

Reason Exchange::why_not_shared() const noexcept
{
    return afar_ && (afar_->failed || !afar_->link.is_usable()) ? Reason::remote_unavailable : Reason::none;
}

/// The words that are in every stamp.
cache::Words Exchange::words_of_all() const
{
    cache::Words words{&database_.word()};
    if (afar_)
        words.push_back(&services_.cache.versions().cluster());
    std::sort(words.begin(), words.end());
    return words;
}

/// Whether it is known under which of the store's versions a stamp of these words stands.
bool Exchange::may_share(const cache::Words& words, const cache::Words& fresh) const
{
    return !afar_ || (afar_->link.tier.words().knows(words) && afar_->link.tier.words().knows(fresh));
}

/// For how long a reply may be kept: not for longer than a lease while somebody may be writing unheard.
std::optional<std::chrono::milliseconds> Exchange::bounded(std::optional<std::chrono::milliseconds> ttl) const
{
    if (!afar_ || !afar_->link.tier.is_anybody_missing())
        return ttl;
    const auto lease = std::chrono::duration_cast<std::chrono::milliseconds>(afar_->link.tier.lease());
    return ttl ? std::min(*ttl, lease) : lease;
}

// ---------------------------------------------------------------------------------------------- what is asked

/// Before an entry in memory is served: is it current for all? Nothing when that is known, or cannot be.
std::optional<Step> Exchange::check(const cache::EntryRef& entry)
{
    if (!afar_ || afar_->checked || why_not_shared() != Reason::none)
        return std::nullopt;
    auto& versions = services_.cache.versions();
    auto& lookup = afar_->lookup;
    lookup.key.clear();
    lookup.words = {&versions.catalog(database_.number()), &versions.cluster()};
    for (const auto& [word, version] : cache::stamp_of(*entry))
        if (word != &versions.cluster())
            lookup.words.push_back(word);
    afar_->candidate = entry;
    return Step{Step::Kind::look_up};
}

/// Before something goes upstream that may be cached: is it in the store? What its fill is stamped with is known then.
/// `key_body_` is its key's.
std::optional<Step> Exchange::seek(cache::Words words, const cache::Words& fresh, std::size_t max_bytes,
                                   std::optional<std::chrono::milliseconds> ttl)
{
    if (!afar_ || afar_->sought || why_not_shared() != Reason::none)
        return std::nullopt;
    auto& versions = services_.cache.versions();
    words.insert(words.end(), fresh.begin(), fresh.end());
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::erase(words, &versions.cluster());
    // What may change the meaning of all else is seen first.
    words.insert(words.begin(), {&versions.catalog(database_.number()), &versions.cluster()});
    afar_->lookup.key = afar_->link.tier.name_of_entry({known_->identity, key_body_});
    afar_->lookup.words = std::move(words);
    afar_->candidate = nullptr;
    afar_->body = key_body_;
    afar_->is_for_rows = !key_body_.starts_with('S');
    afar_->max_bytes = max_bytes;
    afar_->ttl = ttl;
    return Step{Step::Kind::look_up};
}

std::optional<Step> Exchange::seek_query(const Statement& statement, std::string_view sql)
{
    if (!afar_ || afar_->sought || !statement.is_cacheable() || statement.has_parameters || !is_quiet() ||
        !may_look_up())
        return std::nullopt;
    auto refused = Reason::none;
    const auto policy = policy_of(statement, sql, refused);
    auto reads = read_words(statement);
    if (!policy || reads_own_writes(reads.words) || reads_own_writes(reads.fresh))
        return std::nullopt;
    key_body_.assign(1, 'Q').append(sql);
    return seek(std::move(reads.words), reads.fresh, policy->max_entry_bytes, policy->ttl);
}

/// The same for a message of a group.
std::optional<Step> Exchange::look_afar(const wire::Frame& frame, Time now)
{
    if (!afar_ || !frame.whole() || !may_look_up() || why_not_shared() != Reason::none)
        return std::nullopt;
    switch (frame.type) {
    case 'P': {
        const auto parse = wire::decode_parse(frame.body);
        if (!parse || !PreparedSource::is_well_formed(parse->rest) || afar_->sought)
            return std::nullopt;
        const PreparedSource text{parse->rest};
        if (description_of(text) || !analyse(parse->sql)->is_cacheable() ||
            reads_own_writes(cache::Words{&database_.word()}))
            return std::nullopt;
        key_body_.assign(1, 'S').append(text.rest());
        return seek(words_of_all(), {}, kMaxDescription, bounded(std::nullopt));
    }
    case 'B': {
        const auto bind = wire::decode_bind(frame.body);
        if (!bind)
            return std::nullopt;
        PreparedText text;
        if (const auto* const gathered = gathered_statement(bind->statement))
            text = gathered->text;
        else if (auto* const named = prepared_.find(bind->statement); named != nullptr)
            text = named->text;
        return text ? seek_rows(*text, *bind, frame.body, now) : std::nullopt;
    }
    case 'S':
    case 'H':
        return confirm_group();
    default:
        return std::nullopt;
    }
}

std::optional<Step> Exchange::seek_rows(const PreparedSource& text, const wire::Bind& bind, std::string_view body,
                                        Time now)
{
    key_body_.assign(1, 'E').append(text.rest()).append(bind.rest);
    if (const auto entry = services_.cache.find({known_->identity, key_body_}, now))
        return may_serve(entry) ? std::nullopt : check(entry);
    if (afar_->sought)
        return std::nullopt;
    const auto statement = analyse(text);
    auto refused = Reason::none;
    const auto parameters = cacheable_parameters(*statement, text, body, refused);
    if (!parameters)
        return std::nullopt;
    const auto policy = policy_of(*statement, text.sql(), refused);
    auto reads = read_words(*statement, &*parameters);
    if (!policy || reads_own_writes(reads.words) || reads_own_writes(reads.fresh))
        return std::nullopt;
    key_body_.assign(1, 'E').append(text.rest()).append(bind.rest);
    return seek(std::move(reads.words), reads.fresh, policy->max_entry_bytes, policy->ttl);
}

/// Before a group is answered of which nothing was asked afar: it may hold descriptions, which its catalog decides on.
std::optional<Step> Exchange::confirm_group()
{
    if (!is_gathering() || afar_->group_confirmed || afar_->checked)
        return std::nullopt;
    const auto has_entry = [](const auto& part) { return part.entry != nullptr; };
    if (std::none_of(gathered_.begin(), gathered_.end(), has_entry) &&
        std::none_of(gathered_reply_.begin(), gathered_reply_.end(), has_entry))
        return std::nullopt;
    auto& versions = services_.cache.versions();
    afar_->lookup.key.clear();
    afar_->lookup.words = {&versions.catalog(database_.number()), &versions.cluster(), &database_.word()};
    afar_->candidate = nullptr;
    return Step{Step::Kind::look_up};
}

bool Exchange::is_confirmed_group() const noexcept
{
    if (!afar_)
        return true;
    const auto is_good = [this](const auto& part) {
        return part.entry == nullptr || (afar_->group_confirmed && cache::is_current(*part.entry));
    };
    return std::all_of(gathered_.begin(), gathered_.end(), is_good) &&
           std::all_of(gathered_reply_.begin(), gathered_reply_.end(), is_good);
}

void Exchange::looked_up(bool answered, Time now)
{
    auto& afar = *afar_;
    afar.failed |= !answered;
    afar.group_confirmed |= answered;
    if (afar.lookup.key.empty()) {
        afar.checked = true;
        metrics_.remote_checks.add();
        const auto candidate = std::exchange(afar.candidate, nullptr);
        if (answered && candidate && cache::is_current(*candidate))
            afar.confirmed = candidate;
        return;
    }
    afar.sought = true;
    if (!answered)
        return;
    cache::EntryRef entry;
    if (!afar.lookup.value.empty() && known_) {
        bool refused = false;
        entry =
            afar.link.tier.admit({known_->identity, afar.body}, afar.lookup, afar.max_bytes, afar.ttl, now, refused);
        if (refused)
            metrics_.remote_refused.add();
        std::string{}.swap(afar.lookup.value);
    }
    if (entry) {
        metrics_.remote_hits.add();
        afar.confirmed = std::move(entry);
    } else {
        metrics_.remote_misses.add();
    }
}

// ---------------------------------------------------------------------------------------------- what is told

void Exchange::note_stored(cache::Filled filled)
{
    if (afar_ && filled.entry)
        afar_->stored.push_back(std::move(filled));
}

/// Moves with whatever others have done to this database's catalog.
std::uint64_t Exchange::shared_catalog() const noexcept
{
    auto& versions = services_.cache.versions();
    const auto version = [](const cache::Word& word) { return word.load() / cache::Word::kVersion; };
    return version(versions.catalog(database_.number())) + version(versions.cluster());
}

bool Exchange::is_shared_catalog_moving() const noexcept
{
    auto& versions = services_.cache.versions();
    return cache::Word::in_flight(versions.catalog(database_.number()).load()) ||
           cache::Word::in_flight(versions.cluster().load());
}

bool Exchange::must_settle(const wire::Frame& frame) const noexcept
{
    if (!afar_ || frame.type != 'Z' || owed_.empty() || !blind_reason_.empty() || afar_->settled)
        return false;
    const auto& owed = owed_.front();
    return !owed.flights.empty() || owed.effects.may_write_unseen || transaction_.effects.may_write_unseen;
}

Exchange::Settlement Exchange::settlement()
{
    const auto& owed = owed_.front();
    auto& versions = services_.cache.versions();
    auto* const catalog = &versions.catalog(database_.number());
    Settlement settlement;
    // Who sees the flight gone sees the change too.
    if (owed.commits_catalog || owed.commits_cluster)
        settlement.moved.push_back(catalog);
    if (owed.commits_cluster)
        settlement.moved.push_back(&versions.cluster());
    settlement.landed = owed.begun;
    settlement.look_at = {catalog, &versions.cluster()};
    return settlement;
}

cache::Words Exchange::settled(bool done)
{
    auto& owed = owed_.front();
    for (auto& flight : owed.flights)
        flight.announced_by(nullptr); // the others know, or will
    afar_->settled = true;
    afar_->outdated =
        !owed.flights.empty() && (!done || is_shared_catalog_moving() || owed.shared_catalog != shared_catalog() ||
                                  owed.catalog != database_.wanted() || !database_.is_usable());
    const bool is_unseen = owed.effects.may_write_unseen || transaction_.effects.may_write_unseen;
    cache::Words moved;
    if (is_unseen) // which may have been DDL
        moved.push_back(&services_.cache.versions().catalog(database_.number()));
    if (is_unseen || afar_->outdated)
        moved.push_back(&database_.word());
    return moved;
}

} // namespace pgmemo::proxy
