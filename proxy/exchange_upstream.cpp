// What PostgreSQL says, and what of it is for the client.

#include "proxy/exchange.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::proxy {
namespace {

/// As PostgreSQL says it; drivers know it by its code and routine, and prepare anew.
void append_result_type_error(std::string& out)
{
    using namespace std::string_view_literals;
    wire::append_message(out, 'E',
                         "SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0Fplancache.c\0"
                         "RRevalidateCachedQuery\0\0"sv);
}

// The tags of what takes every prepared statement away.
constexpr std::string_view kDiscardAll{"DISCARD ALL\0", 12};
constexpr std::string_view kDeallocateAll{"DEALLOCATE ALL\0", 15};

} // namespace

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
        if (blind_answered_ < owed_.size()) {
            // What was asked before it went blind comes first, and what of it is pgmemo's own stays hidden.
            auto& owed = *std::next(owed_.begin(), static_cast<std::ptrdiff_t>(blind_answered_));
            Passage passage{std::exchange(held_back_, {}), true};
            if (frame.type == 'Z')
                ++blind_answered_; // its flights stay, until the backend has ended
            else if (owed.kind == Owed::Kind::group)
                passage.relay = !follow(owed, frame, passage);
            if (owed.is_own())
                passage.relay = fatal || frame.type == 'A' || frame.type == 'S';
            return passage;
        }
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
    if (frame.type == 'C' && frame.whole() && (frame.body == kDiscardAll || frame.body == kDeallocateAll)) {
        for (const auto& name : prepared_.missing()) // those that the server has not heard of go as well
            prepared_.close_virtually(name);
    }
    auto& owed = owed_.front();
    const bool own = owed.is_own();

    if (owed.kind == Owed::Kind::group || owed.kind == Owed::Kind::own_group) {
        Passage passage;
        if (frame.type != 'Z') {
            const bool hidden = follow(owed, frame, passage);
            if (own)
                return {{}, frame.type == 'A' || frame.type == 'S' || fatal};
            passage.relay &= !hidden;
            if (!held_back_.empty())
                passage.before.insert(0, std::exchange(held_back_, {}));
            return passage;
        }
    }
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
    case '3':
        if (owed.kind != Owed::Kind::own_question && owed.kind != Owed::Kind::own_keep_alive &&
            owed.kind != Owed::Kind::own_discard)
            go_blind(frame.type == '1' ? "a ParseComplete that nobody was owed"
                                       : "a CloseComplete that nobody was owed");
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
        blind_answered_ = 1;
        break;
    default:
        break;
    }

    if (own)
        return {{}, frame.type == 'A' || frame.type == 'S' || fatal};
    // The success of what may commit is told only after `end`, which is done at the ReadyForQuery behind it.
    const bool may_tell_of_writes = !owed.flights.empty() || owed.effects.may_write_unseen ||
                                    (owed.controls_transaction && transaction_.effects.may_write_unseen);
    if (frame.type == 'C' && may_tell_of_writes && owed.kind == Owed::Kind::query && frame.whole()) {
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

/// What a commit may have done to the catalogs.
void Exchange::tell_of_catalog(const Owed& owed) noexcept
{
    if (owed.commits_cluster)
        owed.surely_changes ? services_.databases.catalogs_changed() : services_.databases.catalogs_doubted();
    else if (owed.commits_catalog)
        owed.surely_changes ? database_.catalog_changed() : database_.catalog_doubted();
}

void Exchange::on_ready(Status status, Time now)
{
    auto owed = std::move(owed_.front());
    owed_.pop_front();
    started_ = true;
    const bool is_outdated_for_all = afar_ && std::exchange(afar_->outdated, false);
    if (afar_)
        afar_->settled = false;

    if (owed.kind == Owed::Kind::own_keep_alive || owed.kind == Owed::Kind::own_discard) {
        status_ = status; // what a transaction was it still is, or it has failed
        return;
    }
    // First what others may rely on: an old snapshot is out of use before the flight ends.
    if (!owed.flights.empty()) {
        const bool is_outdated = owed.catalog != database_.wanted();
        tell_of_catalog(owed);
        if (is_outdated) { // the catalog changed under the write: it may have done more than it seemed to
            database_.catalog_doubted();
            database_.word().move();
        } else if (is_outdated_for_all) {
            database_.word().move(); // doubted already, by whoever has seen it
        }
        owed.flights.clear();
    }
    // What was read while no catalog was at hand has written, if at all, by now. No flight announced it, since a long
    // report would keep the whole database closed; nobody has been told of it yet.
    if (status == Status::idle && (owed.effects.may_write_unseen || transaction_.effects.may_write_unseen)) {
        database_.catalog_doubted();
        database_.word().move();
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
    case Owed::Kind::own_group:
        store_readings(owed, now);
        break;
    case Owed::Kind::own_question:
        known_ = std::exchange(answer_, nullptr);
        if (!known_ || owed.error) {
            known_ = nullptr;
            asked_in_vain_ = database_.catalog_id();
            break;
        }
        plans_made_under_ = asked_catalog_id_;
        if (status == Status::in_transaction)
            transaction_.isolation = known_->read_committed_now ? Isolation::read_committed : Isolation::other;
        break;
    default:
        store(owed, now);
        store_readings(owed, now);
        for (; owed.misses > 0; --owed.misses)
            metrics_.miss_latency.record(now - owed.since);
        if (owed.measured)
            metrics_.miss_latency.record(now - owed.since);
        break;
    }
}

/// Follows the answer to a group message by message, as the server gives them: in the order asked. Whether it answers
/// what the client did not ask.
bool Exchange::follow(Owed& group, const wire::Frame& frame, Passage& passage)
{
    if (!frame.first) {
        gather_answer(group, group.piece_reading, frame);
        return group.piece_hidden;
    }
    switch (frame.type) {
    case 'N':
    case 'A':
    case 'S':
        close_fills(group); // what belongs to this client alone
        return false;
    case 'E': {
        group.error = true;
        const Asked failed = group.asked.empty() ? Asked{'\0'} : group.asked.front();
        group.asked.clear(); // the rest is skipped
        if (failed.type == 'P') {
            if (group.ops > 0)
                --group.ops;
            prepared_.parse_failed();
        }
        if (const auto error = wire::decode_error(frame.body); failed.refuses && error && error->sqlstate == "26000") {
            append_result_type_error(passage.before);
            return true;
        }
        return false;
    }
    default:
        break;
    }
    if (group.error || group.untracked)
        return false;
    const char asked = group.asked.empty() ? '\0' : group.asked.front().type;
    bool is_last = true;
    bool is_expected = false;
    switch (frame.type) {
    case '1':
        is_expected = asked == 'P';
        break;
    case '2':
        is_expected = asked == 'B';
        break;
    case '3':
        is_expected = asked == 'C';
        break;
    case 'T':
    case 'n':
        is_expected = asked == 'D';
        break;
    case 't':
        is_expected = asked == 'D';
        is_last = false;
        break;
    case 'C':
    case 'I':
    case 's':
        is_expected = asked == 'E';
        break;
    default: // rows, and what COPY says
        is_expected = asked == 'E';
        is_last = false;
        break;
    }
    if (!is_expected) {
        if (group.asked.has_hidden()) {
            go_blind("an answer to what was not asked");
            broken_ = true; // nobody can tell any more what of it is for the client
        } else if (frame.type == '1' || frame.type == '3') {
            go_blind(frame.type == '1' ? "a ParseComplete that nobody was owed"
                                       : "a CloseComplete that nobody was owed");
        }
        group.untracked = true;
        group.asked.clear();
        close_fills(group);
        return false;
    }
    const Asked answered = group.asked.front();
    if (is_last)
        group.asked.pop();
    if (asked == 'P' || asked == 'C') {
        if (group.ops > 0)
            --group.ops;
        if (asked == 'P')
            prepared_.parse_completed();
        else
            prepared_.close_completed();
    }
    group.piece_reading = answered.reading;
    group.piece_hidden = answered.hidden;
    gather_answer(group, answered.reading, frame);
    return answered.hidden;
}

void Exchange::gather_answer(Owed& group, int index, const wire::Frame& frame)
{
    if (index == Asked::kNothing)
        return;
    auto& reading = group.readings[static_cast<std::size_t>(index)];
    if (reading.kind == Reading::Kind::description) {
        if (frame.type == 't' && frame.first)
            reading.bytes.assign("1\0\0\0\4", 5);
        reading.bytes += frame.bytes;
        if (frame.type != 't' && frame.rest == 0)
            settle_description(reading);
        return;
    }
    reading.found_row |= frame.type == 'D';
    reading.complete |= frame.type == 'C';
    if (!reading.fill.is_open())
        return;
    if (frame.type != 'T' && frame.type != 'D' && frame.type != 'C') {
        reading.fill.close();
        metrics_.fills_unstorable.add();
    } else if (!reading.fill.append(frame.bytes)) {
        metrics_.fills_too_large.add();
    }
}

void Exchange::settle_description(Reading& reading)
{
    reading.complete = true;
    reading.fill.append(reading.bytes);
    auto* const named = prepared_.find(reading.name);
    if (named == nullptr || named->text != reading.text || reading.is_copy)
        return;
    const auto description = sum_of_description(reading.bytes);
    if (named->told.description == 0) {
        named->told = reading.told;
        named->told.description = description;
    } else if (named->told.description == description) {
        named->told = reading.told;
        named->told.description = description;
    } else {
        named->changed = true;
    }
}

void Exchange::close_fills(Owed& group) noexcept
{
    for (auto& reading : group.readings) {
        if (!reading.fill.is_open())
            continue;
        reading.fill.close();
        if (reading.kind == Reading::Kind::rows)
            metrics_.fills_unstorable.add();
    }
}

void Exchange::store_readings(Owed& owed, Time now)
{
    const bool settled = !owed.error && status_ != Status::failed && !owed.effects.changes_session &&
                         !owed.effects.changes_catalog && !owed.effects.changes_cluster &&
                         !std::binary_search(owed.effects.words.begin(), owed.effects.words.end(), &database_.word());
    for (auto& reading : owed.readings) {
        if (!reading.fill.is_open())
            continue;
        const bool is_rows = reading.kind == Reading::Kind::rows;
        if (!settled || !reading.complete) {
            if (is_rows)
                metrics_.fills_unstorable.add();
            reading.fill.close();
            continue;
        }
        if (is_rows && !reading.found_row)
            reading.fill.depend_on(reading.unless_found);
        cache::Filled filled;
        const auto stored = services_.cache.finish_fill(std::move(reading.fill), now, &filled);
        note_stored(std::move(filled));
        if (!is_rows)
            continue;
        (stored == cache::Stored::yes     ? metrics_.fills_stored
         : stored == cache::Stored::moved ? metrics_.fills_moved
                                          : metrics_.fills_too_large)
            .add();
    }
}

void Exchange::settle_transaction(const Owed& owed, Status status)
{
    const bool session_changed = owed.effects.changes_session || owed.kind == Owed::Kind::startup ||
                                 (status == Status::idle && transaction_.effects.changes_session);
    // Plans may have been made of a catalog that its transaction has taken back.
    const bool plans_may_be_wrong =
        (owed.error && owed.effects.surely_changes) || (status == Status::idle && transaction_.effects.surely_changes);
    if (owed.kind == Owed::Kind::startup)
        plans_made_under_ = database_.catalog_id();
    else if (plans_may_be_wrong)
        plans_made_under_ = 0;
    if (session_changed || plans_may_be_wrong) {
        known_ = nullptr;
        asked_in_vain_ = 0;
    }
    if (status == Status::idle) {
        transaction_ = {};
        has_unseen_hits_ = false;
        finished_portal_.reset();
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
    cache::Filled filled;
    const auto stored = services_.cache.finish_fill(std::move(owed.fill), now, &filled);
    note_stored(std::move(filled));
    switch (stored) {
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
    group.shared_catalog = std::min(group.shared_catalog, next.shared_catalog);
    group.catalog = std::min(group.catalog, next.catalog);
    group.commits_catalog |= next.commits_catalog;
    group.commits_cluster |= next.commits_cluster;
    group.surely_changes |= next.surely_changes;
    if (next.controls_transaction)
        group.isolation = next.isolation;
    group.controls_transaction |= next.controls_transaction;
    group.ends_transaction |= next.ends_transaction;
    group.messages += next.messages;
    group.asked.append(next.asked, static_cast<int>(group.readings.size()));
    for (auto& reading : next.readings)
        group.readings.push_back(std::move(reading));
    group.reads_only &= next.reads_only;
    group.misses += next.misses;
    group.may_copy |= next.may_copy;
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
    const auto facts = query::read_settings_row(*columns);
    if (!facts)
        return;
    auto known = std::make_shared<Known>();
    known->identity = services_.cache.identities().intern(facts->identity);
    if (!known->identity)
        return;
    known->scope = services_.scopes.intern(facts->schemas);
    known->read_committed_by_default = facts->read_committed_by_default;
    known->read_committed_now = facts->read_committed_now;
    known->temporary_objects = facts->temporary_objects;
    known->catalog_id = asked_catalog_id_; // of before the question: what has changed since makes the answer old
    known->settings_epoch = asked_settings_epoch_;
    answer_ = std::move(known);
}

} // namespace pgmemo::proxy
