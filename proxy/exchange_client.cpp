// What the client says, and what becomes of it.

#include "proxy/exchange.hpp"

#include "query/words.hpp"
#include "wire/frontend.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using query::Statement;
using query::Transaction;
using wire::Status;

// What a text is taken for that could not be read at all: it may do anything.
const Statement kAnything{};

bool controls_transaction(const Statement& statement) noexcept
{
    return statement.may_commit ||
           (statement.transaction != Transaction::none && statement.transaction != Transaction::inside);
}

// Never makes anything visible: a ROLLBACK, or the BEGIN of what comes.
bool surely_commits_nothing(const Statement& statement) noexcept
{
    return statement.is_single &&
           (statement.transaction == Transaction::rollback || statement.transaction == Transaction::begin ||
            statement.transaction == Transaction::begin_other || statement.transaction == Transaction::inside);
}

bool is_extended(char type) noexcept
{
    return type == 'P' || type == 'B' || type == 'D' || type == 'E' || type == 'C' || type == 'S';
}

} // namespace

Step Exchange::on_client(const wire::Frame& frame, Time now)
{
    auto step = take_message(frame, now);
    if (afar_ && !is_gathering())
        afar_->group_confirmed = false;
    if (afar_ && step.kind != Step::Kind::look_up) {
        afar_->checked = afar_->sought = afar_->failed = false;
        afar_->confirmed.reset();
    }
    return step;
}

Step Exchange::take_message(const wire::Frame& frame, Time now)
{
    if (is_gathering() && (!blind_reason_.empty() || !(is_extended(frame.type) || frame.type == 'H'))) {
        std::string gathered;
        release(gathered, now);
        auto step = take_message(frame, now);
        step.upstream.insert(0, gathered);
        return step;
    }
    if (!blind_reason_.empty() || !frame.first)
        return {};
    const bool opens_another = frame.type == 'Q' || frame.type == 'F' || (is_extended(frame.type) && !group_is_open());
    if (opens_another && (owed_.size() >= kMaxOwed || must_wait()))
        return {Step::Kind::wait};
    switch (frame.type) {
    case 'Q':
        return on_query(frame, now);
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C':
    case 'S':
    case 'H':
        return on_extended(frame, now);
    case 'F': { // a function call is a query of unknown effect
        Step step;
        step.upstream = release_begin(now);
        count_bypass(Reason::utility);
        const bool in_transaction = is_quiet() && status_ != Status::idle;
        auto& owed = owed_.emplace_back();
        owed.since = now;
        take_part(owed, kAnything, in_transaction);
        return step;
    }
    case 'c':
    case 'f':
        on_copy_end(now);
        return {};
    case 'X':
        begin_held_ = false; // it never reached the server, and now it need not
        return {};
    case 'd': // CopyData
        return {};
    default: // a password, or what the server will refuse: it ends the session where another answer could stand
        if (frame.type != 'p' || started_) {
            begin_held_ = false;
            go_blind("a message of a type that clients do not send");
        }
        return {};
    }
}

Step Exchange::on_query(const wire::Frame& frame, Time now)
{
    if (group_is_open() && owed_.back().messages == 0)
        owed_.pop_back(); // opened by a stray CopyDone alone
    if (group_is_open()) {
        // Whether this Query is executed or skipped depends on an error that may not have come yet.
        go_blind("a Query inside an extended-protocol group");
        count_bypass(Reason::blind);
        return {};
    }
    const auto sql =
        frame.whole() ? wire::decode_query(frame.body) : wire::Result<std::string_view>{wire::Errc::short_field};
    if (!sql) {
        count_bypass(Reason::unparsed);
        auto step = relay_query(kAnything, {}, std::nullopt, now);
        prepared_.forget_all(); // it may hold a DEALLOCATE and a PREPARE
        return step;
    }
    if (known_ && may_look_up()) {
        if (auto entry = find_query(*sql, now)) {
            if (is_quiet() && may_serve(entry)) {
                query_is_hit();
                return {Step::Kind::serve, {}, {}, std::move(entry), 1};
            }
            if (is_quiet()) {
                if (auto step = check(entry))
                    return *std::move(step);
            } else if (only_plain_reads_owed()) {
                // Behind replies that are owed it waits for its turn, and is looked up again then: what it may see
                // depends on what comes before it.
                return {Step::Kind::wait};
            }
        }
    }
    const auto statement = analyse(*sql);
    return decide(*statement, *sql, now);
}

Step Exchange::decide(const Statement& statement, std::string_view sql, Time now)
{
    if (is_quiet()) {
        if (auto step = hold_begin_back(statement, sql); step.kind == Step::Kind::answer)
            return step;
        const bool may_hit = statement.is_cacheable() || statement.reason == Reason::session_unknown;
        // once it is known which relation a name means
        const bool may_be_confined = statement.reason == Reason::write || !statement.writes.empty();
        if ((may_hit || may_be_confined) && !settings_are_known() && status_ != Status::failed &&
            database_.catalog_id() != 0 && asked_in_vain_ != database_.catalog_id())
            return ask(now);
    }
    if (auto step = seek_query(statement, sql))
        return *std::move(step);
    if (statement.is_cacheable() && !statement.has_parameters)
        return relay_query(statement, sql, begin_fill(statement, sql), now);
    const auto reason = statement.is_cacheable()                                        ? Reason::parameters
                        : statement.reason == Reason::session_unknown && !may_look_up() ? why_no_lookup()
                                                                                        : statement.reason;
    count_bypass(reason);
    auto step = relay_query(statement, sql, std::nullopt, now);
    forget_names_if_told(statement, sql);
    return step;
}

/// A miss with its fill, open or not; or nothing where the statement bypasses the cache, which it counts.
std::optional<Exchange::Miss> Exchange::begin_fill(const Statement& statement, std::string_view sql)
{
    if (!only_plain_reads_owed()) {
        metrics_.misses.add(); // cacheable, but its turn depends on what is still under way
        return std::nullopt;
    }
    if (const auto reason = why_no_lookup(); reason != Reason::none) {
        count_bypass(reason);
        return std::nullopt;
    }
    const auto [words, fresh] = read_words(statement);
    if (reads_own_writes(words) || reads_own_writes(fresh)) {
        count_bypass(Reason::written_in_transaction);
        return std::nullopt;
    }
    auto refused = Reason::none;
    const auto policy = policy_of(statement, sql, refused);
    if (!policy) {
        count_bypass(refused);
        return std::nullopt;
    }
    if (const auto reason = why_not_shared(); reason != Reason::none) {
        count_bypass(reason);
        return std::nullopt;
    }
    metrics_.misses.add();
    if (!may_share(words, fresh))
        return std::nullopt;
    key_body_.assign(1, 'Q').append(sql);
    cache::Stamp unless_found{fresh};
    cache::Stamp stamp{words}; // before the request goes upstream, or it would vouch for too much
    // The catalog that the statement was analysed with is still the server's, and was when the stamp was read: what
    // changes it puts the snapshot out of use before it ends its flight.
    if (database_.usable_catalog_id() != known_->catalog_id)
        return std::nullopt;
    const bool quiet = stamp.is_quiet();
    auto fill = services_.cache.begin_fill({known_->identity, key_body_}, std::move(stamp), policy->max_entry_bytes,
                                           policy->ttl);
    if (!quiet)
        metrics_.fills_moved.add();
    return Miss{std::move(fill), std::move(unless_found)};
}

/// How what a statement returns is cached; or why not.
std::optional<config::CachePolicy> Exchange::policy_of(const Statement& statement, std::string_view sql,
                                                       Reason& refused) const
{
    const auto config = services_.config.get();
    const auto verdict = config->policy_for(statement.read_names, user_, database_.name(), sql);
    if (config->cache.enabled && verdict.policy->enabled) {
        auto policy = *verdict.policy;
        policy.ttl = bounded(policy.ttl);
        return policy;
    }
    refused = !config->cache.enabled ? Reason::disabled : verdict.rule ? Reason::rule : Reason::no_rule;
    return std::nullopt;
}

Step Exchange::relay_query(const Statement& statement, std::string_view sql, std::optional<Miss> miss, Time now)
{
    const bool in_transaction = (is_quiet() && status_ != Status::idle) || begin_held_;
    Step step;
    const bool had_hits = std::exchange(has_unseen_hits_, false);
    step.upstream = release_begin(now);
    step.upstream += names_for(statement, now);
    if (had_hits && statement.sets_transaction) {
        // It must come before the first query of a transaction; PostgreSQL has not seen that there was one.
        wire::append_query(step.upstream, "SELECT 1");
        owed_.emplace_back().kind = Owed::Kind::own_query;
    }
    prepared_.query_sent();
    finished_portal_.reset();
    auto& owed = owed_.emplace_back();
    owed.since = now;
    owed.may_copy = sql.empty() || may_copy(statement, sql);
    if (miss) {
        owed.fill = std::move(miss->fill);
        owed.unless_found = std::move(miss->unless_found);
        owed.measured = true;
    }
    take_part(owed, statement, in_transaction);
    return step;
}

/// Begins, for what is about to be sent, every word that a commit of it would move.
void Exchange::begin(Owed& owed, Effects all)
{
    if (all.words.empty())
        return;
    if (all.catalog != database_.wanted() || (afar_ && !database_.is_usable()))
        all.add(cache::Words{&database_.word()});
    if (afar_ && (all.changes_catalog || all.changes_cluster))
        all.add(cache::Words{&services_.cache.versions().catalog(database_.number())});
    cache::Words fresh;
    std::set_difference(all.words.begin(), all.words.end(), owed.begun.begin(), owed.begun.end(),
                        std::back_inserter(fresh));
    auto& flight = owed.flights.emplace_back();
    if (afar_) {
        owed.shared_catalog = std::min(owed.shared_catalog, shared_catalog());
        flight.announced_by(afar_->link.announcer);
        afar_->to_announce.insert(afar_->to_announce.end(), fresh.begin(), fresh.end());
    }
    flight.add(fresh);
    metrics_.invalidations.add(fresh.size());
    if (std::binary_search(fresh.begin(), fresh.end(), &database_.word()))
        metrics_.database_invalidations.add();
    owed.begun.insert(owed.begun.end(), fresh.begin(), fresh.end());
    std::sort(owed.begun.begin(), owed.begun.end());
    owed.catalog = std::min(owed.catalog, all.catalog);
    owed.commits_catalog |= all.changes_catalog;
    owed.commits_cluster |= all.changes_cluster;
    owed.surely_changes |= all.surely_changes;
}

/// Puts a statement's effects on what is owed for it, and begins what it may commit.
void Exchange::take_part(Owed& owed, const Statement& statement, bool surely_in_transaction,
                         const Parameters* parameters)
{
    auto effects = effects_of(statement, parameters);
    if (statement.transaction == Transaction::inside)
        effects.changes_session |=
            transaction_.effects.changes_session || session_may_change(); // ROLLBACK TO undoes a SET
    const bool controls = controls_transaction(statement);
    // In a failed transaction one text alone commits nothing; in a group a ROLLBACK TO before it may have revived it.
    const bool in_failed =
        surely_in_transaction && status_ == Status::failed && statement.is_single && owed.kind == Owed::Kind::query;
    const bool may_commit = !surely_commits_nothing(statement) && !in_failed && (controls || !surely_in_transaction);
    if (may_commit) {
        // What was sent before has begun its own words, unless it is surely part of a transaction, which only this can
        // end.
        Effects all = effects;
        if (controls) {
            all.add(transaction_.effects);
            for (const auto& other : owed_)
                all.add(other.effects); // this one's earlier part among them
        }
        begin(owed, std::move(all));
    }
    if (controls) {
        const bool begins =
            statement.transaction == Transaction::begin || statement.transaction == Transaction::begin_other;
        owed.controls_transaction = true;
        owed.ends_transaction |= !begins;
        owed.isolation = isolation_begun_by(statement);
    }
    owed.effects.add(effects);
}

/// A BEGIN waits until something has to go upstream, so that a transaction of hits costs PostgreSQL nothing; and with
/// it its end.
Step Exchange::hold_begin_back(const Statement& statement, std::string_view sql)
{
    Step step;
    if (begin_held_) {
        if (statement.transaction != Transaction::commit && statement.transaction != Transaction::rollback)
            return step;
        begin_held_ = false;
    } else {
        if (statement.transaction != Transaction::begin || status_ != Status::idle || why_no_lookup() != Reason::none ||
            !known_->read_committed_by_default)
            return step;
        begin_held_ = true;
        has_unseen_hits_ = false;
        begin_text_ = sql;
        transaction_ = {};
        transaction_.isolation = Isolation::read_committed;
    }
    prepared_.query_sent(false);
    finished_portal_.reset();
    count_bypass(Reason::transaction_control);
    step.kind = Step::Kind::answer;
    wire::append_command_complete(step.client, statement.tag);
    wire::append_ready_for_query(step.client, status());
    return step;
}

std::string Exchange::release_begin(Time now)
{
    std::string upstream;
    if (!begin_held_)
        return upstream;
    begin_held_ = false;
    wire::append_query(upstream, begin_text_);
    prepared_.own_query_sent();
    auto& owed = owed_.emplace_back();
    owed.kind = Owed::Kind::own_begin;
    owed.controls_transaction = true;
    owed.isolation = Isolation::read_committed;
    owed.since = now;
    return upstream;
}

/// `keeps_unnamed`: in the client's eyes the unnamed statement and portal live on. A Query would destroy them.
/// A question of our own that leaves the client's unnamed statement and portal as they are.
void Exchange::append_own_group(std::string& upstream, std::string_view sql)
{
    using namespace std::string_view_literals;
    const auto close = [&upstream] { // before as well: an error may have left them the last time
        wire::append_close(upstream, 'P', kOwnName);
        wire::append_close(upstream, 'S', kOwnName);
    };
    close();
    wire::append_parse(upstream, kOwnName, std::string{sql} + std::string(3, '\0'));
    wire::append_bind(upstream, kOwnName, kOwnName, "\0\0\0\0\0\0"sv);
    wire::append_execute(upstream, kOwnName);
    close();
    wire::append_sync(upstream);
}

Step Exchange::ask(Time now, bool keeps_unnamed)
{
    Step step{Step::Kind::ask, release_begin(now)};
    const auto catalog = database_.catalog();
    const auto say = [&](Owed::Kind kind, std::string_view sql) {
        if (keeps_unnamed) {
            append_own_group(step.upstream, sql);
        } else {
            wire::append_query(step.upstream, sql);
            prepared_.own_query_sent();
        }
        auto& owed = owed_.emplace_back();
        owed.kind = kind;
        owed.since = now;
    };
    // Plans of prepared statements and of functions in PL/pgSQL go on reading the table that a name meant once, though
    // another has come to stand before it in the search path. What they answer is no answer for other sessions.
    // Source: "Plan Caching" in the documentation of PL/pgSQL; src/backend/utils/cache/plancache.c.
    if (catalog && plans_made_under_ != catalog->id())
        say(Owed::Kind::own_discard, "DISCARD PLANS");
    say(Owed::Kind::own_question,
        query::settings_query(catalog ? std::span{catalog->settings()} : std::span<const std::string>{}));
    answer_ = nullptr;
    asked_catalog_id_ = catalog ? catalog->id() : 0;
    asked_settings_epoch_ = services_.settings_epoch.load(std::memory_order_acquire);
    metrics_.probes.add();
    return step;
}

/// CopyDone or CopyFail: of the COPY that the server has asked data for, or of one that it is yet to begin.
void Exchange::on_copy_end(Time now)
{
    if (owed_.empty())
        return;
    auto& copy = owed_.front();
    if (copy.copy_in) {
        copy.copy_in = false;
        copy.copy_ended = true;
    } else if (owed_.back().kind == Owed::Kind::group) {
        // Behind a Sync that the server will have ignored it belongs to what comes next.
        if (!group_is_open()) {
            auto& group = owed_.emplace_back();
            group.kind = Owed::Kind::group;
            group.closed = false;
            group.since = now;
        }
        owed_.back().copy_ended = true;
    } else {
        owed_.back().copy_ended = true;
    }
}

/// Whether the text may be, or have in it, a COPY.
bool Exchange::may_copy(const Statement& statement, std::string_view sql)
{
    const bool is_unread = statement.reason == Reason::unparsed || statement.reason == Reason::encoding;
    return is_unread ? query::contains_any(sql, {"copy"}) : statement.mentions_copy;
}

void Exchange::forget_names_if_told(const Statement& statement, std::string_view sql)
{
    const bool may_rename = statement.reason == Reason::session_command || statement.reason == Reason::multiple ||
                            statement.reason == Reason::unparsed || statement.reason == Reason::encoding ||
                            statement.reason == Reason::utility;
    if (may_rename && query::contains_any(sql, {"deallocate", "discard", "prepare"}))
        prepared_.forget_all();
}

} // namespace pgmemo::proxy
