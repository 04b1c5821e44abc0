// What PostgreSQL says, and what of it is for the client.

#include "proxy/exchange.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::proxy {

using wire::Status;

Passage Exchange::on_upstream(const wire::Frame& frame, Time now)
{
    bool fatal = false;
    if (frame.type == 'E' && frame.first) {
        const auto error = wire::decode_error(frame.body);
        fatal = error && (error->severity == "FATAL" || error->severity == "PANIC");
        said_fatal_ |= fatal;
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
    if (frame.type == 'G' && frame.first)
        on_copy_in();
    auto& owed = owed_.front();
    const bool own = owed.is_own();

    owed.found_row |= frame.type == 'D';
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
        if (!prepared_.close_completed())
            go_blind("a CloseComplete that nobody was owed");
        break;
    case 'D':
        if (owed.kind == Owed::Kind::own_question)
            learn(frame);
        else if (owed.kind == Owed::Kind::own_keep_alive)
            learn_idle_limit(frame);
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
        return {{}, frame.type == 'A' || frame.type == 'S' || fatal};
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

    if (owed.kind == Owed::Kind::own_keep_alive) {
        status_ = status; // what a transaction was it still is, or it has failed
        return;
    }
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
        if (owed.error || status != Status::in_transaction) {
            go_blind("PostgreSQL refused a BEGIN that was held back");
            broken_ = true; // what follows would run outside of the transaction that the client was promised
        }
        break;
    case Owed::Kind::own_query:
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
    if (status_ == Status::idle)
        transaction_.isolation = owed.isolation;
    else if (owed.ends_transaction || owed.effects.changes_session)
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
    if (!owed.found_row)
        owed.fill.depend_on(owed.unless_found);
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

/// In COPY FROM STDIN the server ignores Sync until CopyDone or CopyFail, so a group that seemed to be closed goes
/// on: what was sent behind its Sync belongs to it.
void Exchange::on_copy_in()
{
    auto copy = std::move(owed_.front());
    owed_.pop_front();
    const auto is_ignored_sync = [](const Owed& owed) {
        return owed.kind == Owed::Kind::group && owed.closed && owed.messages == 0 && !owed.copy_ended;
    };
    if (copy.kind == Owed::Kind::query) {
        while (!copy.copy_ended && !owed_.empty() && is_ignored_sync(owed_.front()))
            owed_.pop_front();
    } else if (copy.kind == Owed::Kind::group && copy.closed && !copy.copy_ended) {
        copy.closed = false;
        while (!copy.closed && !owed_.empty()) {
            auto next = std::move(owed_.front());
            owed_.pop_front();
            if (next.kind != Owed::Kind::group) {
                owed_.push_front(std::move(next));
                go_blind("a request inside COPY FROM STDIN");
                break;
            }
            absorb(copy, std::move(next));
        }
    }
    copy.copy_in = !copy.copy_ended;
    owed_.push_front(std::move(copy));
}

/// Makes one of two groups, of which the first was thought to be over.
void Exchange::absorb(Owed& group, Owed&& next)
{
    group.effects.add(next.effects);
    for (auto& flight : next.flights)
        group.flights.push_back(std::move(flight));
    group.begun.insert(group.begun.end(), next.begun.begin(), next.begun.end());
    std::sort(group.begun.begin(), group.begun.end());
    group.catalog = std::min(group.catalog, next.catalog);
    group.commits_catalog |= next.commits_catalog;
    group.commits_cluster |= next.commits_cluster;
    if (next.controls_transaction)
        group.isolation = next.isolation;
    group.controls_transaction |= next.controls_transaction;
    group.ends_transaction |= next.ends_transaction;
    group.messages += next.messages;
    group.ops += next.ops;
    group.copy_ended |= next.copy_ended;
    group.closed = next.closed && group.copy_ended;
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

} // namespace pgmemo::proxy
