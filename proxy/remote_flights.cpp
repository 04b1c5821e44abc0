// What is asked of the store, and what is told it, of version words.

#include "proxy/remote_client.hpp"

#include "cache/remote/scripts.hpp"
#include "proxy/remote_releases.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

// g++ 12.2: see the note on top of session.cpp.
namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using cache::resp::append_command;
using cache::resp::append_part;
using cache::resp::Reply;

constexpr std::size_t kMostUnannounced = 10'000; // words; beyond it all count as written

std::string milliseconds_text(std::chrono::steady_clock::duration time)
{
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

} // namespace

// ---------------------------------------------------------------------------------------------- for sessions

Task<bool> RemoteClient::look_up(cache::Lookup& lookup)
{
    lookup.value.clear();
    if (!link_.is_usable() || !is_same_configuration())
        co_return false;
    auto call = make_call(1);
    const std::size_t entries = lookup.key.empty() ? 0 : 1;
    append_command(call->commands, 1 + entries + lookup.words.size());
    append_part(call->commands, "MGET");
    if (entries > 0)
        append_part(call->commands, lookup.key);
    for (auto* word : lookup.words)
        append_part(call->commands, tier_.words().name(*word));
    call->measured = true;
    call->take = [this, &lookup, entries](std::size_t, const Reply& reply) {
        if (!see(reply, entries, lookup.words, &lookup.versions))
            return false;
        if (entries > 0)
            lookup.value = reply.text_at(0).value_or("");
        return true;
    };
    start(call);
    const bool answered = co_await result(call);
    const bool is_good = answered && link_.is_usable() && holds_lease();
    co_return is_good;
}

Task<bool> RemoteClient::begin(cache::Words words)
{
    const auto until = Clock::now() + timeout_;
    for (;;) {
        const bool announced = co_await announce(words);
        if (announced)
            co_return true;
        const bool may_come_back = co_await reached_again(until);
        if (!may_come_back || Clock::now() >= until)
            break;
    }
    metrics_.remote_unannounced.add();
    co_return false;
}

/// Waits for the next connection, if the last one has just been lost. False: not in time.
Task<bool> RemoteClient::reached_again(Clock::time_point until)
{
    for (;;) {
        const auto now = Clock::now();
        if (is_connected_ && holds_lease())
            co_return true;
        if (now >= until || (lost_ && now - *lost_ > timeout_))
            co_return false;
        co_await (has_connected_.wait() || timeout(loop_.executor(), until - now));
    }
}

Task<bool> RemoteClient::announce(cache::Words words)
{
    is_same_configuration();
    std::erase_if(words, [this](auto* word) {
        const auto found = flights_.find(word);
        return found == flights_.end() || found->second.announced;
    });
    bool announced = is_connected_;
    if (announced && !words.empty()) {
        auto call = make_call(0);
        insist(*call);
        if (is_other_fleet_) // by its own words it might touch too little
            add_move(*call, {&tier_.words().versions().cluster()});
        add_begin(*call, std::move(words));
        call->measured = true;
        start(call);
        announced = co_await result(call);
    }
    if (announced && !holds_lease()) {
        fail("the lease has run out"); // this process stood still, or nobody heard of it
        announced = false;
    }
    co_return announced;
}

Task<bool> RemoteClient::end(cache::Words words, const cache::Words& look_at)
{
    auto landed = take_flights(words);
    if (!is_connected_) {
        keep_unannounced(words);
        co_return false;
    }
    auto call = make_call(1);
    append_command(call->commands, 1 + look_at.size());
    append_part(call->commands, "MGET");
    for (auto* word : look_at)
        append_part(call->commands, tier_.words().name(*word));
    if (is_other_fleet_)
        add_move(*call, {&tier_.words().versions().cluster()});
    if (!landed.empty()) {
        ++call->replies;
        append_script(call->commands, cache::scripts::kEnd, landed, {cache::word_bytes(owner_)});
    }
    call->measured = true;
    call->take = [this, look_at](std::size_t index, const Reply& reply) {
        return index == 0 ? see(reply, 0, look_at) : !reply.is_error();
    };
    start(call);
    const bool ended = co_await result(call);
    const bool ok = ended && holds_lease();
    if (!ok)
        keep_unannounced(words);
    co_return ok;
}

Task<bool> RemoteClient::move(cache::Words words)
{
    const auto until = Clock::now() + timeout_;
    for (;;) {
        bool moved = false;
        if (is_connected_) {
            auto call = make_call(0);
            insist(*call);
            add_move(*call, words);
            start(call);
            moved = co_await result(call);
        }
        if (moved)
            co_return true;
        const bool may_come_back = co_await reached_again(until);
        if (!may_come_back || Clock::now() >= until)
            break;
    }
    keep_unannounced(words);
    co_return false;
}

/// False: it was changed by a reload, and is yet to be compared with the others'. Until then it is another.
bool RemoteClient::is_same_configuration()
{
    if (fleet_changes_ == tier_.fleet_changes())
        return true;
    is_other_fleet_ = true;
    set_up(false);
    return false;
}

void RemoteClient::compare_fleet(std::optional<std::string_view> others)
{
    fleet_changes_ = tier_.fleet_changes();
    const bool is_other = others != tier_.fleet();
    if (is_other && !is_warned_of_fleet_)
        spdlog::warn("store {}: others in namespace \"{}\" have another version of pgmemo, or other `track` or "
                     "`functions`; until they are gone this one serves nothing, and each of its writes drops all",
                     remote_.text(), remote_.space);
    is_warned_of_fleet_ = is_other;
    is_other_fleet_ = is_other;
    if (is_heard_)
        set_up(!is_other);
}

// ---------------------------------------------------------------------------------------------- what is in flight

void RemoteClient::hold(const cache::Words& words)
{
    for (auto* word : words)
        ++flights_[word].count;
}

/// Those of which no other session of this thread has a flight any more.
cache::Words RemoteClient::take_flights(const cache::Words& words)
{
    cache::Words landed;
    for (auto* word : words) {
        const auto found = flights_.find(word);
        if (found == flights_.end() || --found->second.count > 0)
            continue;
        flights_.erase(found);
        landed.push_back(word);
    }
    return landed;
}

cache::Words RemoteClient::open_flights() const
{
    cache::Words words;
    for (const auto& [word, flown] : flights_)
        words.push_back(word);
    return words;
}

cache::Words RemoteClient::unannounced_flights() const
{
    cache::Words words;
    for (const auto& [word, flown] : flights_)
        if (!flown.announced)
            words.push_back(word);
    return words;
}

void RemoteClient::add_begin(Call& call, cache::Words words)
{
    ++call.replies;
    const auto version = cache::RemoteTier::new_version();
    append_script(call.commands, cache::scripts::kBegin, words,
                  {cache::word_bytes(version), cache::word_bytes(owner_), nobody(Clock::now())});
    const auto number = ++begins_;
    for (auto* word : words) {
        if (const auto found = flights_.find(word); found != flights_.end() && found->second.since == 0)
            found->second.since = number;
    }
    call.then = [this, version, number, owner = owner_, all = std::move(words)](bool ok) {
        if (!ok || owner != owner_)
            return;
        for (auto* word : all) {
            const auto found = flights_.find(word);
            if (found == flights_.end() || found->second.since > number)
                continue; // the flight that this was sent for has ended: the one that there is has a version of its own
            tier_.words().adopt(*word, version);
            found->second.announced = true;
        }
    };
}

void RemoteClient::add_move(Call& call, const cache::Words& words)
{
    ++call.replies;
    append_script(call.commands, cache::scripts::kMove, words,
                  {cache::word_bytes(cache::RemoteTier::new_version()), nobody(Clock::now())});
}

/// Flights that have ended anywhere but in a session that waits for it: of commits whose outcome was not known, or of
/// sessions that could not be followed.
void RemoteClient::release(const cache::Words& words)
{
    using Kind = cache::WordScope::Kind;
    auto& versions = tier_.words().versions();
    auto landed = take_flights(words);
    if (!is_connected_) {
        keep_unannounced(words);
        return;
    }
    cache::Words moved; // what may have changed the catalog is seen by those who no longer see the flight
    std::copy_if(words.begin(), words.end(), std::back_inserter(moved), [&](auto* word) {
        const auto kind = versions.scope_of(*word).kind;
        return kind == Kind::catalog || kind == Kind::cluster;
    });
    if (is_other_fleet_)
        moved.push_back(&versions.cluster());
    auto call = make_call(0);
    if (!moved.empty())
        add_move(*call, moved);
    if (!landed.empty()) {
        ++call->replies;
        append_script(call->commands, cache::scripts::kEnd, landed, {cache::word_bytes(owner_)});
    }
    if (call->replies == 0)
        return;
    call->then = [this, all = words](bool ok) {
        if (!ok)
            keep_unannounced(all);
    };
    start(call);
}

void RemoteClient::keep_unannounced(const cache::Words& words)
{
    if (words.empty())
        return;
    if (unannounced_.empty())
        tier_.connections_with_unannounced.fetch_add(1);
    unannounced_.insert(unannounced_.end(), words.begin(), words.end());
    std::sort(unannounced_.begin(), unannounced_.end());
    unannounced_.erase(std::unique(unannounced_.begin(), unannounced_.end()), unannounced_.end());
    if (unannounced_.size() > kMostUnannounced)
        unannounced_.assign(1, &tier_.words().versions().cluster());
}

void RemoteClient::append_script(std::string& out, std::string_view script, const cache::Words& keys,
                                 std::initializer_list<std::string_view> arguments)
{
    append_command(out, 3 + keys.size() + arguments.size());
    append_part(out, "EVAL");
    append_part(out, script);
    append_part(out, std::to_string(keys.size()));
    for (auto* key : keys)
        append_part(out, tier_.words().name(*key));
    for (const auto argument : arguments)
        append_part(out, argument);
}

/// Who stands in words made anew: for a short while the same, since he is given up for dead all at once.
std::string RemoteClient::nobody(Clock::time_point now)
{
    if (nobody_.empty() || now - nobody_since_ > lease_ / 8) {
        nobody_ = cache::word_bytes(cache::RemoteTier::new_nobody());
        nobody_since_ = now;
    }
    return nobody_;
}

// ---------------------------------------------------------------------------------------------- what is seen

/// The words of an MGET's reply, from an index on. False: it is none.
bool RemoteClient::see(const Reply& reply, std::size_t from, const cache::Words& words,
                       std::vector<std::optional<std::uint64_t>>* versions)
{
    if (!reply.is_array() || reply.size() != from + words.size()) {
        fail(fmt::format("it refuses: {}", reply.text().value_or("")));
        return false;
    }
    cache::RemoteTier::Sighting sighting;
    if (versions != nullptr)
        versions->clear();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto version = tier_.see(*words[i], reply.text_at(from + i), sighting);
        if (versions != nullptr)
            versions->push_back(version);
    }
    const auto now = Clock::now();
    for (const auto owner : sighting.strangers)
        strangers_[owner].seen = now;
    const auto send = [this](std::string_view script, const cache::Words& keys,
                             std::initializer_list<std::string_view> arguments) {
        auto call = make_call(1);
        append_script(call->commands, script, keys, arguments);
        start(call);
    };
    if (!sighting.lost.empty()) {
        metrics_.remote_words_lost.add(sighting.lost.size());
        send(cache::scripts::kMake, sighting.lost, {cache::word_bytes(cache::RemoteTier::new_version()), nobody(now)});
    }
    for (const auto& [word, owner] : sighting.haunted)
        send(cache::scripts::kEnd, {word}, {cache::word_bytes(owner)});
    return true;
}

void RemoteClient::tick(Clock::time_point now)
{
    if (!holds_lease()) {
        fail("the lease has run out"); // this process stood still, or nobody heard of it
        return;
    }
    if (!is_same_configuration() || now - refreshed_ > lease_ / 4)
        refresh(now);
    check_strangers(now);
}

/// Says that this owner lives, and what it has in flight: the store may have lost it.
void RemoteClient::refresh(Clock::time_point now)
{
    refreshed_ = now;
    const auto lease = milliseconds_text(lease_);
    auto call = make_call(3);
    append_command(call->commands, {"SET", tier_.name_of_owner(owner_), alive(), "PX", lease});
    append_command(call->commands,
                   {"SET", tier_.prefix() + "fleet", tier_.fleet(), "NX", "PX", milliseconds_text(2 * lease_)});
    append_command(call->commands, {"GET", tier_.prefix() + "fleet"});
    call->take = [this](std::size_t index, const Reply& reply) {
        if (reply.is_error()) {
            fail(fmt::format("it refuses: {}", reply.text().value_or("")));
            return false;
        }
        if (index == 2)
            compare_fleet(reply.text());
        return true;
    };
    call->then = [this, now](bool ok) {
        if (ok)
            lease_until_ = now + lease_ / 2;
    };
    start(call);
    const void* nobody_watches = nullptr;
    if (tier_.watcher.compare_exchange_strong(nobody_watches, this) || nobody_watches == this) {
        auto members = make_call(1);
        append_command(members->commands, {"GET", tier_.name_of_members()});
        members->take = [this](std::size_t, const Reply& reply) {
            see_members(reply.text());
            return !reply.is_error();
        };
        start(members);
    }
    auto member = make_call(0);
    add_membership(*member);
    start(member);
    if (!is_other_fleet_) { // so that it lasts as long as somebody has it
        auto keep = make_call(1);
        append_command(keep->commands, {"PEXPIRE", tier_.prefix() + "fleet", milliseconds_text(2 * lease_)});
        start(keep);
    }
    if (auto flights = open_flights(); !flights.empty()) {
        auto again = make_call(0);
        add_begin(*again, std::move(flights));
        start(again);
    }
}

/// Once more among those that share.
void RemoteClient::add_membership(Call& call)
{
    ++call.replies;
    append_command(call.commands, {"EVAL", cache::scripts::kBegin, "1", tier_.name_of_members(),
                                   cache::word_bytes(cache::RemoteTier::new_version()), cache::word_bytes(owner_),
                                   nobody(Clock::now())});
}

void RemoteClient::leave_members(cache::Owner owner)
{
    say({"SET", tier_.name_of_owner(owner), kDone, "EX", "86400"});
    say({"EVAL", cache::scripts::kEnd, "1", tier_.name_of_members(), cache::word_bytes(owner)});
}

void RemoteClient::say(std::initializer_list<std::string_view> parts)
{
    auto call = make_call(1);
    append_command(call->commands, parts);
    start(call);
}

/// Who shares, whether he has commits in flight or not: his lease is watched.
std::vector<cache::Owner> RemoteClient::see_members(std::optional<std::string_view> bytes)
{
    const auto value = bytes ? cache::WordValue::read(*bytes) : std::nullopt;
    const auto now = Clock::now();
    std::vector<cache::Owner> members;
    for (std::size_t i = 0; value && i < value->owners(); ++i) {
        const auto owner = value->owner(i);
        if (tier_.is_own(owner) || cache::process_of(owner) == cache::kNobody)
            continue;
        members.push_back(owner);
        auto& its = strangers_[owner];
        its.seen = now;
        its.is_member = true;
    }
    if (value) // else it was lost, and those who live come back
        tier_.keep_missing(members);
    return members;
}

void RemoteClient::check_strangers(Clock::time_point now)
{
    for (auto stranger = strangers_.begin(); stranger != strangers_.end();) {
        auto& [owner, its] = *stranger;
        if (now - its.seen > 4 * lease_) {
            stranger = strangers_.erase(stranger);
            continue;
        }
        const bool is_settled = its.is_alive || its.lost;
        if (!is_settled || now - its.checked > lease_ / (its.is_member ? 4 : 2))
            check(owner, now);
        ++stranger;
    }
}

void RemoteClient::check(cache::Owner owner, Clock::time_point now)
{
    strangers_[owner].checked = now;
    auto call = make_call(1);
    append_command(call->commands, {"GET", tier_.name_of_owner(owner)});
    call->take = [this, owner](std::size_t, const Reply& reply) {
        const auto found = strangers_.find(owner);
        if (found != strangers_.end() && !reply.is_error())
            judge(owner, found->second, reply.text());
        return !reply.is_error();
    };
    start(call);
}

void RemoteClient::judge(cache::Owner owner, Stranger& its, std::optional<std::string_view> says)
{
    constexpr Clock::duration kForgottenAfter = std::chrono::minutes{10};
    const auto now = Clock::now();
    const auto name = tier_.name_of_owner(owner);
    its.is_alive = says && says->starts_with(kAlive);
    if (its.is_member && tier_.note_missing(owner, !its.is_alive && says != kDone))
        spdlog::warn(
            "store {}: a pgmemo that shares it has gone without a word; if it is cut off and goes on writing, "
            "nobody hears of it: until it is back, or ten minutes have passed, nothing is served that was read "
            "more than {} ms ago",
            remote_.text(), milliseconds_text(lease_));
    if (its.is_alive) {
        its.condemned.reset();
        its.lost.reset();
        return;
    }
    if (!says && !its.lost)
        say({"SET", name, kCondemned, "NX", "PX", milliseconds_text(8 * lease_)});
    if (!its.condemned)
        its.condemned = now;
    const bool is_overdue = says == kCondemned && now - *its.condemned > lease_ + lease_ / 4;
    if (says != kDone && says != kGivenUp && !is_overdue && !its.lost)
        return;
    tier_.declare_dead(owner);
    if (is_overdue) {
        say({"SET", name, kGivenUp, "EX", "86400"});
        metrics_.remote_owners_lost.add();
    }
    if (!its.lost)
        its.lost = now;
    if (its.is_member && (says == kDone || now - *its.lost > kForgottenAfter)) {
        leave_members(owner);
        tier_.note_missing(owner, false);
        its.is_member = false;
    }
}

} // namespace pgmemo::proxy
