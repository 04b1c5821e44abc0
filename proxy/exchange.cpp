#include "proxy/exchange.hpp"

#include "wire/frontend.hpp"

#include <boost/algorithm/string/predicate.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
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

bool is_ascii(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void unite(cache::Words& into, const cache::Words& more)
{
    if (more.empty())
        return;
    cache::Words both;
    both.reserve(into.size() + more.size());
    std::set_union(into.begin(), into.end(), more.begin(), more.end(), std::back_inserter(both));
    into = std::move(both);
}

cache::Word* word_of(cache::Word* word) noexcept
{
    return word;
}
cache::Word* word_of(const std::pair<cache::Word*, std::uint64_t>& stamped) noexcept
{
    return stamped.first;
}

} // namespace

void Exchange::Effects::add(const Effects& more)
{
    if (!more.words.empty())
        catalog = catalog == 0 ? more.catalog : std::min(catalog, more.catalog);
    unite(words, more.words);
    changes_catalog |= more.changes_catalog;
    changes_cluster |= more.changes_cluster;
    changes_session |= more.changes_session;
}

Exchange::Exchange(Services& services, Database& database, observe::ThreadMetrics& metrics, std::string user,
                   std::string_view blind_reason)
    : services_(services), database_(database), metrics_(metrics), user_(std::move(user))
{
    owed_.emplace_back().kind = Owed::Kind::startup;
    if (!blind_reason.empty())
        go_blind(blind_reason);
}

Exchange::~Exchange()
{
    const auto hand_over = [this](cache::Flight&& flight, bool changes_catalog) {
        if (!flight.empty())
            services_.unresolved.add({std::move(flight), backend_pid_, &database_, changes_catalog});
    };
    for (auto& owed : owed_) {
        for (auto& flight : owed.flights)
            hand_over(std::move(flight), owed.commits_catalog || owed.commits_cluster);
    }
    hand_over(std::move(blind_flight_), true);
}

// ---------------------------------------------------------------------------------------------- from the client

Step Exchange::on_client(const wire::Frame& frame, Time now)
{
    if (!blind_reason_.empty() || !frame.first)
        return {};
    const bool opens_another = frame.type == 'Q' || frame.type == 'F' || (is_extended(frame.type) && !group_is_open());
    if (owed_.size() >= kMaxOwed && opens_another)
        return {Step::Kind::wait, {}, {}, {}};
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
        if (!owed_.empty()) {
            auto& owed = owed_.front().copy_in ? owed_.front() : owed_.back();
            owed.copy_ended = true;
            owed.copy_in = false;
        }
        return {};
    case 'X':
        begin_held_ = false; // it never reached the server, and now it need not
        return {};
    default:
        return {}; // CopyData, a password, or what the server will refuse
    }
}

Step Exchange::on_query(const wire::Frame& frame, Time now)
{
    if (group_is_open()) {
        // Whether this Query is executed or skipped depends on an error that may not have come yet.
        go_blind("a Query inside an extended-protocol group");
        count_bypass(Reason::blind);
        return {};
    }
    const auto sql = frame.whole() ? wire::decode_query(frame.body) : wire::Result<std::string_view>{wire::Errc::short_field};
    if (!sql) {
        count_bypass(Reason::unparsed);
        return relay_query(kAnything, std::nullopt, now);
    }
    if (known_) {
        key_body_.assign(1, 'Q').append(*sql);
        if (may_look_up()) {
            if (auto entry = services_.cache.find({known_->identity, key_body_}, now);
                entry && !reads_own_writes(cache::stamp_of(*entry))) {
                if (is_quiet()) {
                    metrics_.hits.add();
                    return {Step::Kind::serve, {}, {}, std::move(entry)};
                }
                // Behind replies that are owed it waits for its turn, and is looked up again then: what it may see depends on
                // what comes before it.
                if (only_plain_reads_owed())
                    return {Step::Kind::wait, {}, {}, {}};
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
        if (may_hit && !settings_are_known() && status_ != Status::failed && database_.usable_catalog_id() != 0 &&
            asked_in_vain_ != database_.usable_catalog_id())
            return ask(now);
    }
    forget_names_if_told(statement, sql);
    if (!statement.is_cacheable()) {
        const auto reason = statement.reason == Reason::session_unknown && !may_look_up() ? why_no_lookup() : statement.reason;
        count_bypass(reason);
        return relay_query(statement, std::nullopt, now);
    }
    return relay_query(statement, begin_fill(statement, sql), now);
}

/// A miss with its fill, open or not; or nothing where the statement bypasses the cache, which it counts.
std::optional<cache::Fill> Exchange::begin_fill(const Statement& statement, std::string_view sql)
{
    if (!only_plain_reads_owed()) {
        metrics_.misses.add(); // cacheable, but its turn depends on what is still under way
        return std::nullopt;
    }
    if (const auto reason = why_no_lookup(); reason != Reason::none) {
        count_bypass(reason);
        return std::nullopt;
    }
    const auto words = read_words(statement);
    if (reads_own_writes(words)) {
        count_bypass(Reason::written_in_transaction);
        return std::nullopt;
    }
    const auto config = services_.config.get();
    const auto verdict = config->policy_for(statement.read_names, user_, database_.name(), sql);
    if (!config->cache.enabled || !verdict.policy->enabled) {
        count_bypass(!config->cache.enabled ? Reason::disabled : verdict.rule ? Reason::rule : Reason::no_rule);
        return std::nullopt;
    }
    metrics_.misses.add();
    key_body_.assign(1, 'Q').append(sql);
    cache::Stamp stamp{words}; // before the request goes upstream, or it would vouch for too much
    // The catalog that the statement was analysed with is still the server's, and was when the stamp was read: what changes it
    // puts the snapshot out of use before it ends its flight.
    if (database_.usable_catalog_id() != known_->catalog_id)
        return std::nullopt;
    const bool quiet = stamp.is_quiet();
    auto fill = services_.cache.begin_fill({known_->identity, key_body_}, std::move(stamp), verdict.policy->max_entry_bytes,
                                           verdict.policy->ttl);
    if (!quiet)
        metrics_.fills_moved.add();
    return fill;
}

Step Exchange::relay_query(const Statement& statement, std::optional<Fill> fill, Time now)
{
    const bool in_transaction = (is_quiet() && status_ != Status::idle) || begin_held_;
    Step step;
    step.upstream = release_begin(now);
    auto& owed = owed_.emplace_back();
    owed.since = now;
    if (fill) {
        owed.fill = std::move(*fill);
        owed.measured = true;
    }
    take_part(owed, statement, in_transaction);
    return step;
}

/// Puts a statement's effects on what is owed for it, and begins what it may commit.
void Exchange::take_part(Owed& owed, const Statement& statement, bool surely_in_transaction)
{
    auto effects = effects_of(statement);
    if (statement.transaction == Transaction::inside)
        effects.changes_session |= transaction_.effects.changes_session || session_may_change(); // ROLLBACK TO undoes a SET
    const bool controls = controls_transaction(statement);
    const bool in_failed = surely_in_transaction && status_ == Status::failed && statement.is_single;
    const bool may_commit = !surely_commits_nothing(statement) && !in_failed && (controls || !surely_in_transaction);
    if (may_commit) {
        Effects all = transaction_.effects;
        for (const auto& other : owed_)
            all.add(other.effects); // this one's earlier part among them
        all.add(effects);
        if (!all.words.empty()) {
            if (all.catalog != database_.wanted())
                unite(all.words, {&database_.word()});
            auto& flight = owed.flights.empty() ? owed.flights.emplace_back() : owed.flights.back();
            flight.add(all.words);
            owed.catalog = std::min(owed.catalog, all.catalog);
            for (const auto* word : all.words)
                (word == &database_.word() ? metrics_.database_invalidations : metrics_.invalidations).add();
            owed.commits_catalog |= all.changes_catalog;
            owed.commits_cluster |= all.changes_cluster;
        }
    }
    if (controls) {
        owed.controls_transaction = true;
        owed.isolation = isolation_begun_by(statement);
    }
    owed.effects.add(effects);
}

/// A BEGIN waits until something has to go upstream, so that a transaction of hits costs PostgreSQL nothing; and with it its end.
Step Exchange::hold_begin_back(const Statement& statement, std::string_view sql)
{
    Step step;
    if (begin_held_) {
        if (statement.transaction != Transaction::commit && statement.transaction != Transaction::rollback)
            return step;
        begin_held_ = false;
    } else {
        if (statement.transaction != Transaction::begin || status_ != Status::idle || why_no_lookup() != Reason::none ||
            !known_->facts.read_committed_by_default)
            return step;
        begin_held_ = true;
        begin_text_ = sql;
        transaction_ = {};
        transaction_.isolation = Isolation::read_committed;
    }
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
    auto& owed = owed_.emplace_back();
    owed.kind = Owed::Kind::own_begin;
    owed.controls_transaction = true;
    owed.isolation = Isolation::read_committed;
    owed.since = now;
    return upstream;
}

Step Exchange::ask(Time now)
{
    Step step{Step::Kind::ask, release_begin(now), {}, {}};
    wire::append_query(step.upstream, query::settings_query());
    auto& owed = owed_.emplace_back();
    owed.kind = Owed::Kind::own_question;
    owed.since = now;
    answer_ = nullptr;
    asked_catalog_id_ = database_.usable_catalog_id();
    asked_settings_epoch_ = services_.settings_epoch.load(std::memory_order_acquire);
    metrics_.probes.add();
    return step;
}

Step Exchange::on_extended(const wire::Frame& frame, Time now)
{
    Step step;
    step.upstream = release_begin(now);
    switch (frame.type) {
    case 'P': {
        const auto parse = wire::decode_parse(frame.body);
        auto& group = open_group(now);
        if (parse && frame.whole()) {
            prepared_.parse_sent(parse->statement, std::make_shared<const std::string>(parse->sql));
        } else if (const auto name = wire::decode_parse_name(frame.body)) {
            prepared_.parse_sent(*name, nullptr);
        } else {
            go_blind("a Parse whose name cannot be read");
            return step;
        }
        ++group.ops;
        break;
    }
    case 'B': {
        open_group(now);
        const auto bind = wire::decode_bind(frame.body);
        if (!bind) {
            go_blind("a Bind whose names cannot be read");
            return step;
        }
        prepared_.bind_sent(bind->portal, bind->statement);
        break;
    }
    case 'E': {
        auto& group = open_group(now);
        const auto execute = wire::decode_execute(frame.body);
        if (!execute) {
            go_blind("an Execute that cannot be read");
            return step;
        }
        on_execute(execute->portal, group);
        break;
    }
    case 'C': {
        auto& group = open_group(now);
        const auto close = wire::decode_close(frame.body);
        if (!close) {
            go_blind("a Close that cannot be read");
            return step;
        }
        if (close->kind == 'S') {
            prepared_.close_sent(close->name);
            ++group.ops;
        } else {
            prepared_.portal_closed(close->name);
        }
        break;
    }
    case 'D':
        open_group(now);
        break;
    case 'S':
        on_sync(now);
        break;
    default: // Flush: nothing is owed for it
        break;
    }
    return step;
}

void Exchange::on_execute(std::string_view portal, Owed& group)
{
    const bool alone = owed_.size() == 1;
    for (const auto& text : prepared_.texts_of_portal(portal)) {
        const bool in_transaction = alone && status_ != Status::idle && !group.controls_transaction;
        if (!text) {
            count_bypass(Reason::utility);
            take_part(group, kAnything, in_transaction);
            continue;
        }
        const auto statement = analyse(*text);
        const bool readable = statement->is_cacheable() || statement->reason == Reason::session_unknown;
        count_bypass(readable ? Reason::extended_protocol : statement->reason);
        take_part(group, *statement, in_transaction);
        forget_names_if_told(*statement, *text);
    }
}

void Exchange::on_sync(Time now)
{
    if (!owed_.empty() && owed_.front().copy_in && !owed_.front().copy_ended)
        return; // in COPY FROM STDIN the server ignores it. Source: PostgreSQL documentation, "COPY Operations".
    open_group(now).closed = true;
    prepared_.group_sent();
}

Exchange::Owed& Exchange::open_group(Time now)
{
    if (!group_is_open()) {
        auto& group = owed_.emplace_back();
        group.kind = Owed::Kind::group;
        group.closed = false;
        group.since = now;
    }
    return owed_.back();
}

// ---------------------------------------------------------------------------------------------- what is known

Reason Exchange::why_no_lookup() const noexcept
{
    if (!blind_reason_.empty())
        return Reason::blind;
    if (status_ == Status::failed)
        return Reason::failed_transaction;
    if (database_.usable_catalog_id() == 0)
        return Reason::catalog_unknown;
    if (!settings_are_known())
        return Reason::session_unknown;
    if (known_->facts.temporary_objects)
        return Reason::temporary_objects;
    if (status() == Status::in_transaction && transaction_.isolation != Isolation::read_committed)
        return transaction_.isolation == Isolation::other ? Reason::isolation : Reason::session_unknown;
    return Reason::none;
}

bool Exchange::settings_are_known() const noexcept
{
    const bool in_unknown_transaction =
        status() == Status::in_transaction && transaction_.isolation == Isolation::unknown;
    return known_ && !in_unknown_transaction && known_->catalog_id == database_.usable_catalog_id() &&
           known_->settings_epoch == services_.settings_epoch.load(std::memory_order_acquire);
}

template <class AnyWords>
bool Exchange::reads_own_writes(const AnyWords& read) const noexcept
{
    const auto& written = transaction_.effects.words;
    if (written.empty())
        return false;
    return std::any_of(read.begin(), read.end(),
                       [&](const auto& word) { return std::binary_search(written.begin(), written.end(), word_of(word)); });
}

bool Exchange::only_plain_reads_owed() const noexcept
{
    return std::all_of(owed_.begin(), owed_.end(), [](const Owed& owed) {
        return owed.kind == Owed::Kind::query && owed.effects.words.empty() && !owed.controls_transaction &&
               !owed.effects.changes_session;
    });
}

bool Exchange::session_may_change() const noexcept
{
    return std::any_of(owed_.begin(), owed_.end(), [](const Owed& owed) { return owed.effects.changes_session; });
}

void Exchange::forget_names_if_told(const Statement& statement, std::string_view sql)
{
    const bool may_rename = statement.reason == Reason::session_command || statement.reason == Reason::multiple ||
                            statement.reason == Reason::unparsed || statement.reason == Reason::encoding ||
                            statement.reason == Reason::utility;
    if (may_rename && (boost::algorithm::icontains(sql, "deallocate") || boost::algorithm::icontains(sql, "discard") ||
                       boost::algorithm::icontains(sql, "prepare")))
        prepared_.forget_all();
}

Exchange::StatementRef Exchange::analyse(std::string_view sql)
{
    analysed_under_ = database_.wanted();
    const bool settled = !session_may_change();
    const bool readable = ascii_safe_ && settled && (utf8_ || is_ascii(sql));
    const auto scope = settled && settings_are_known() ? known_->scope : nullptr;
    return services_.analyzer.analyse(sql, database_.usable_catalog(), scope, {conforming_strings_, readable});
}

Exchange::Effects Exchange::effects_of(const Statement& statement) const
{
    Effects effects;
    effects.catalog = analysed_under_;
    auto& versions = services_.cache.versions();
    for (const auto relation : statement.writes)
        effects.words.push_back(&versions.relation(database_.number(), relation));
    if (statement.changes_cluster)
        effects.words = versions.all_databases();
    if (statement.writes_unknown || statement.changes_catalog)
        effects.words.push_back(&database_.word());
    std::sort(effects.words.begin(), effects.words.end());
    effects.words.erase(std::unique(effects.words.begin(), effects.words.end()), effects.words.end());
    effects.changes_catalog = statement.changes_catalog;
    effects.changes_cluster = statement.changes_cluster;
    effects.changes_session = statement.changes_session;
    if (effects.words.empty())
        effects.catalog = 0;
    return effects;
}

cache::Words Exchange::read_words(const Statement& statement) const
{
    cache::Words words{&database_.word()};
    for (const auto relation : statement.reads)
        words.push_back(&services_.cache.versions().relation(database_.number(), relation));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

Exchange::Isolation Exchange::isolation_begun_by(const Statement& statement) const noexcept
{
    if (statement.transaction == Transaction::begin_other)
        return Isolation::other;
    if (statement.transaction != Transaction::begin || !settings_are_known() || session_may_change())
        return Isolation::unknown;
    return known_->facts.read_committed_by_default ? Isolation::read_committed : Isolation::other;
}

// ---------------------------------------------------------------------------------------------- from upstream

Passage Exchange::on_upstream(const wire::Frame& frame, Time now)
{
    if (frame.type == 'E' && frame.first) {
        const auto error = wire::decode_error(frame.body);
        said_fatal_ |= error && (error->severity == "FATAL" || error->severity == "PANIC");
    }
    if (!blind_reason_.empty()) {
        started_ |= frame.type == 'Z';
        return {std::exchange(held_back_, {}), true};
    }
    if (frame.type == 'S' && frame.whole()) {
        if (const auto parameter = wire::decode_parameter_status(frame.body))
            on_parameter(parameter->name, parameter->value);
    }
    const bool asynchronous = frame.type == 'N' || frame.type == 'A' || frame.type == 'S';
    if (owed_.empty()) {
        if (frame.type == 'Z')
            go_blind("a ReadyForQuery that nobody was owed");
        return {};
    }
    auto& owed = owed_.front();
    const bool own = owed.kind == Owed::Kind::own_begin || owed.kind == Owed::Kind::own_question;

    if (owed.fill.is_open()) {
        if (frame.type == 'T' || frame.type == 'D' || frame.type == 'C') {
            if (!owed.fill.append(frame.bytes))
                metrics_.fills_too_large.add();
        } else if (frame.type != 'Z') {
            owed.fill.close(); // an error, or what belongs to this client alone
            metrics_.fills_unstorable.add();
        }
    }

    switch (frame.first ? frame.type : '\0') {
    case 'E':
        owed.error = true;
        break;
    case '1':
        if (owed.ops > 0)
            --owed.ops;
        if (!prepared_.parse_completed())
            go_blind("a ParseComplete that nobody was owed");
        break;
    case '3':
        if (owed.ops > 0)
            --owed.ops;
        prepared_.close_completed();
        break;
    case 'G':
        on_copy_in();
        break;
    case 'D':
        if (owed.kind == Owed::Kind::own_question)
            learn(frame);
        break;
    case 'C':
        owed.complete = true;
        break;
    case 'Z':
        if (const auto status = wire::decode_ready_for_query(frame.body)) {
            const bool may_end = owed.closed || owed.copy_in;
            if (!may_end) {
                go_blind("a ReadyForQuery before its Sync");
                return {std::exchange(held_back_, {}), true};
            }
            on_ready(*status, now); // `owed` is gone from here on
            return {std::exchange(held_back_, {}), !own};
        }
        go_blind("a transaction status that is not known");
        break;
    default:
        break;
    }

    if (own)
        return {{}, frame.type == 'A' || frame.type == 'S'};
    // The success of what may commit is told only after `end`, which is done at the ReadyForQuery behind it.
    if (frame.type == 'C' && !owed.flights.empty() && owed.kind == Owed::Kind::query && frame.whole()) {
        Passage passage{std::move(held_back_), false};
        held_back_.assign(frame.bytes);
        return passage;
    }
    if (!held_back_.empty() && asynchronous && frame.whole()) {
        held_back_.append(frame.bytes); // keeps its place in the order
        return {{}, false};
    }
    return {std::exchange(held_back_, {}), true};
}

void Exchange::on_ready(Status status, Time now)
{
    auto owed = std::move(owed_.front());
    owed_.pop_front();
    started_ = true;

    // First what others may rely on: an old snapshot is out of use before the flight ends.
    if (!owed.flights.empty()) {
        if (owed.commits_cluster)
            services_.databases.catalogs_changed();
        else if (owed.commits_catalog)
            database_.catalog_changed();
        else if (owed.catalog != database_.wanted())
            database_.word().move(); // the catalog changed under the write: it may have touched more than it seemed to
        owed.flights.clear();
    }
    if (owed.error && owed.ops > 0)
        prepared_.drop_pending(owed.ops);

    settle_transaction(owed, status);
    status_ = status;

    switch (owed.kind) {
    case Owed::Kind::own_begin:
        if (owed.error || status != Status::in_transaction)
            broken_ = true; // what follows would run outside of the transaction that the client was promised
        break;
    case Owed::Kind::own_question:
        known_ = std::exchange(answer_, nullptr);
        if (!known_ || owed.error) {
            known_ = nullptr;
            asked_in_vain_ = database_.usable_catalog_id();
        } else if (status == Status::in_transaction) {
            transaction_.isolation = known_->facts.read_committed_now ? Isolation::read_committed : Isolation::other;
        }
        break;
    default:
        store(owed, now);
        if (owed.measured)
            metrics_.miss_latency.record(now - owed.since);
        break;
    }
}

void Exchange::settle_transaction(const Owed& owed, Status status)
{
    const bool session_changed = owed.effects.changes_session || owed.kind == Owed::Kind::startup ||
                                 (status == Status::idle && transaction_.effects.changes_session);
    if (session_changed) {
        known_ = nullptr;
        asked_in_vain_ = 0;
    }
    if (status == Status::idle) {
        transaction_ = {};
        if (owed_.empty())
            prepared_.transaction_ended();
        return;
    }
    if (status_ == Status::idle || owed.controls_transaction)
        transaction_.isolation = owed.isolation;
    else if (owed.effects.changes_session)
        transaction_.isolation = Isolation::unknown;
    transaction_.effects.add(owed.effects);
}

void Exchange::store(Owed& owed, Time now)
{
    if (!owed.fill.is_open())
        return;
    if (owed.error || !owed.complete || status_ == Status::failed) {
        metrics_.fills_unstorable.add();
        return;
    }
    switch (services_.cache.finish_fill(std::move(owed.fill), now)) {
    case cache::Stored::yes:
        metrics_.fills_stored.add();
        break;
    case cache::Stored::moved:
        metrics_.fills_moved.add();
        break;
    case cache::Stored::no_room:
        metrics_.fills_too_large.add();
        break;
    }
}

void Exchange::on_parameter(std::string_view name, std::string_view value)
{
    if (name == "client_encoding") {
        utf8_ = value == "UTF8";
        ascii_safe_ = query::is_ascii_safe(value);
    } else if (name == "standard_conforming_strings") {
        conforming_strings_ = value == "on";
    }
    if (name != "application_name") {
        known_ = nullptr;
        asked_in_vain_ = 0;
    }
}

/// In COPY FROM STDIN the server ignores Sync until CopyDone or CopyFail, so a group that seemed to be closed goes on: what was
/// sent behind its Sync belongs to it.
void Exchange::on_copy_in()
{
    auto& group = owed_.front();
    group.copy_in = !group.copy_ended;
    if (group.kind != Owed::Kind::group || group.copy_ended || !group.closed)
        return;
    group.closed = false;
    while (owed_.size() > 1 && !group.closed) {
        auto next = std::move(owed_[1]);
        owed_.erase(owed_.begin() + 1);
        if (next.kind != Owed::Kind::group) {
            owed_.insert(owed_.begin() + 1, std::move(next));
            go_blind("a request inside COPY FROM STDIN");
            return;
        }
        group.effects.add(next.effects);
        for (auto& flight : next.flights)
            group.flights.push_back(std::move(flight));
        group.ops += next.ops;
        group.commits_catalog |= next.commits_catalog;
        group.commits_cluster |= next.commits_cluster;
        group.copy_ended |= next.copy_ended;
        group.copy_in = !group.copy_ended;
        group.closed = next.closed && group.copy_ended;
    }
}

void Exchange::learn(const wire::Frame& frame)
{
    if (!frame.whole())
        return;
    const auto columns = wire::decode_data_row(frame.body);
    if (!columns)
        return;
    auto facts = query::read_settings_row(*columns);
    if (!facts)
        return;
    auto known = std::make_shared<Known>();
    known->identity = services_.cache.identities().intern(facts->identity);
    if (!known->identity)
        return;
    known->scope = services_.scopes.intern(facts->schemas);
    known->facts = std::move(*facts);
    known->catalog_id = asked_catalog_id_; // of before the question: what has changed since makes the answer old
    known->settings_epoch = asked_settings_epoch_;
    answer_ = std::move(known);
}

// ---------------------------------------------------------------------------------------------- state

bool Exchange::is_idle() const noexcept
{
    return owed_.empty() && (begin_held_ || status_ == Status::idle);
}

bool Exchange::client_waits() const noexcept
{
    return !owed_.empty() && owed_.front().kind != Owed::Kind::own_begin &&
           owed_.front().kind != Owed::Kind::own_question;
}

void Exchange::go_blind(std::string_view why)
{
    if (!blind_reason_.empty())
        return;
    blind_reason_ = why;
    broken_ |= begin_held_;
    metrics_.blind_sessions.add();
    cache::Words words{&database_.word()};
    blind_flight_.add(words);
    spdlog::warn("database {}: a session cannot be followed ({}): it is relayed as it is, and nothing of this database is "
                 "answered from the cache until it ends",
                 database_.name(), why);
}

void Exchange::count_bypass(Reason reason) noexcept
{
    metrics_.bypasses[static_cast<std::size_t>(reason)].add();
}

} // namespace pgmemo::proxy
