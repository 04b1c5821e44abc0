// The connection to the store, and what is asked on it.

#include "proxy/remote_client.hpp"

#include "cache/remote/scripts.hpp"
#include "proxy/dial.hpp"
#include "proxy/remote_releases.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

// g++ 12.2: see the note on top of session.cpp.
namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using cache::resp::append_command;
using cache::resp::Reply;
using Clock = cache::RemoteTier::Clock;

constexpr Clock::duration kSetUpTime = 1s; // for connecting, and for each step of the introduction
constexpr Clock::duration kShortestPause = 5ms;
constexpr Clock::duration kLongestPause = 1s;
constexpr Clock::duration kGoodWhile = 1s; // a connection that has lasted that long was a good one
constexpr std::size_t kReadSize = std::size_t{64} << 10;
constexpr std::size_t kMostOutput = std::size_t{8} << 20; // that waits; entries are not worth more
constexpr std::size_t kSlotsAtOnce = 2'048;

std::string milliseconds_text(Clock::duration time)
{
    return std::to_string(
        std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(time).count()));
}

} // namespace

RemoteClient::RemoteClient(Loop& loop, cache::RemoteTier& tier, const config::Remote& remote, const RemoteTls& tls,
                           Resolver& resolver, observe::ThreadMetrics& metrics)
    : loop_(loop)
    , tier_(tier)
    , remote_(remote)
    , tls_(tls)
    , resolver_(resolver)
    , metrics_(metrics)
    , timeout_(remote.timeout)
    , lease_(remote.lease)
    , stream_(loop)
    , has_output_(loop.executor())
    , has_pending_(loop.executor())
    , has_connected_(loop.executor())
    , releases_(std::make_shared<Releases>(*this))
    , link_{tier, releases_}
{
}

RemoteClient::~RemoteClient()
{
    releases_->close();
    const void* is_watching = this;
    tier_.watcher.compare_exchange_strong(is_watching, nullptr);
    if (!is_connected_ || !flights_.empty() || !unannounced_.empty())
        return; // the others will find out
    // Nobody need wait for what this one may still write. It goes out with the connection's end.
    out_.clear();
    leave_members(owner_);
    Gather gather;
    gather.own(std::move(out_));
    stream_.write_some(gather);
}

// ---------------------------------------------------------------------------------------------- the connection

Task<void> RemoteClient::run()
{
    auto pause = kShortestPause;
    for (;;) {
        failure_ = co_await connect();
        if (failure_.empty()) {
            reached_ = Clock::now();
            co_await converse();
            if (Clock::now() - reached_ > kGoodWhile)
                pause = kShortestPause;
        }
        on_lost();
        co_await loop_.sleep(pause);
        pause = std::min(2 * pause, kLongestPause);
    }
}

/// Empty: done; else why not.
Task<std::string> RemoteClient::connect()
{
    const auto found = co_await resolver_.resolve(remote_.host, std::to_string(remote_.port), loop_.executor());
    if (found.error)
        co_return found.error.message();
    std::string failure = "the name has no address";
    for (const auto& endpoint : found.endpoints) {
        auto attempt = co_await (reach(endpoint) || timeout(loop_.executor(), kSetUpTime));
        failure = attempt.index() == 0 ? std::get<0>(std::move(attempt)) : std::string{"no answer within a second"};
        if (failure.empty())
            break;
    }
    co_return failure;
}

Task<std::string> RemoteClient::reach(const asio::ip::tcp::endpoint& endpoint)
{
    const auto error = co_await stream_.connect(endpoint);
    if (error)
        co_return error.message();
    tune(stream_, {});
    if (tls_.context() == nullptr)
        co_return std::string{};
    SSL* const tls = stream_.start_tls(*tls_.context());
    if (tls == nullptr)
        co_return std::string{"TLS cannot be started"};
    tls_.introduce(tls);
    auto failure = co_await stream_.handshake(Stream::Side::client);
    if (!failure.empty()) {
        const auto verdict = SSL_get_verify_result(tls);
        if (verdict != X509_V_OK)
            failure = fmt::format("{}: {}", failure, X509_verify_cert_error_string(verdict));
        co_return "TLS: " + failure;
    }
    co_return tls_.judge(tls);
}

/// Until the connection has ended, by whichever of these.
Task<void> RemoteClient::converse()
{
    reader_ = {};
    out_.clear();
    try {
        co_await (read_replies() || write_commands() || watch_deadlines() || live());
    } catch (const boost::system::system_error&) { // what was cancelled in the middle of something
    }
    fail("ended");
}

Task<void> RemoteClient::read_replies()
{
    std::vector<char> buffer(kReadSize);
    while (failure_.empty()) {
        const bool ready = co_await stream_.readable();
        if (!ready)
            break;
        boost::system::error_code error;
        while (!error && failure_.empty()) {
            const auto size = stream_.read_some(buffer, error);
            if (size == 0)
                continue;
            metrics_.remote_bytes_in.add(size);
            if (!reader_.feed({buffer.data(), size}))
                fail("no memory for its answer");
            for (std::optional<Reply> reply; failure_.empty(); reply.reset()) {
                const auto got = reader_.next(reply);
                if (got == cache::resp::Reader::Got::nothing_yet)
                    break;
                if (got == cache::resp::Reader::Got::nonsense || !take_reply(*reply))
                    fail("it sent what is no answer");
            }
        }
        if (error != asio::error::would_block)
            fail(error == asio::error::eof ? "it closed the connection" : error.message());
    }
    fail("closed");
}

Task<void> RemoteClient::write_commands()
{
    while (failure_.empty()) {
        if (out_.empty()) {
            const bool woken = co_await has_output_.wait();
            if (!woken)
                break;
            continue;
        }
        Gather gather;
        metrics_.remote_bytes_out.add(out_.size());
        gather.own(std::exchange(out_, {}));
        const bool written = co_await write_all(stream_, gather);
        if (!written)
            fail("the connection is gone");
    }
    fail("closed");
}

Task<void> RemoteClient::watch_deadlines()
{
    while (failure_.empty()) {
        if (pending_.empty()) {
            const bool woken = co_await has_pending_.wait();
            if (!woken)
                break;
            continue;
        }
        const auto now = Clock::now();
        const auto deadline = pending_.front()->deadline;
        if (deadline <= now) {
            metrics_.remote_timeouts.add();
            fail(fmt::format(
                "no answer within {} ms",
                std::chrono::duration_cast<std::chrono::milliseconds>(now - pending_.front()->since).count()));
            break;
        }
        co_await loop_.sleep(deadline - now);
    }
    fail("closed");
}

/// What the connection is kept up with, after its introduction.
Task<void> RemoteClient::live()
{
    bool introduced = co_await introduce();
    if (introduced)
        introduced = co_await hear_others();
    if (introduced)
        on_reached();
    const auto every = std::clamp<Clock::duration>(lease_ / 16, 20ms, 250ms);
    while (introduced && failure_.empty()) {
        tick(Clock::now());
        co_await loop_.sleep(every);
    }
    fail("closed");
}

Task<bool> RemoteClient::introduce()
{
    is_connected_ = false;
    owner_ = tier_.new_owner();
    lease_until_ = Clock::now() + kSetUpTime;
    const auto lease = milliseconds_text(lease_);
    std::string who;
    if (!remote_.password.empty() && remote_.user.empty())
        append_command(who, {"AUTH", remote_.password});
    else if (!remote_.password.empty())
        append_command(who, {"AUTH", remote_.user, remote_.password});
    if (remote_.database != 0)
        append_command(who, {"SELECT", std::to_string(remote_.database)});
    const auto setting_up = [&](std::size_t replies) {
        auto call = make_call(replies);
        insist(*call);
        return call;
    };
    if (!who.empty()) {
        const std::size_t replies = (remote_.password.empty() ? 0U : 1U) + (remote_.database != 0 ? 1U : 0U);
        auto call = setting_up(replies);
        call->commands = std::move(who);
        start(call, kSetUpTime);
        const bool ok = co_await result(call);
        if (!ok)
            co_return false;
    }

    // What is in flight goes on under the name of this connection; what was written meanwhile moves. Only then are
    // those that came before it given up.
    const auto began = Clock::now();
    bool is_alive = false;
    cache::Words begun;
    while (!is_connected_) {
        auto call = setting_up(0);
        if (!is_alive) {
            ++call->replies;
            append_command(call->commands, {"SET", tier_.name_of_owner(owner_), alive(), "PX", lease});
            add_membership(*call);
        }
        cache::Words ended; // after their begin was sent
        std::copy_if(begun.begin(), begun.end(), std::back_inserter(ended),
                     [this](auto* word) { return flights_.count(word) == 0; });
        std::erase_if(begun, [this](auto* word) { return flights_.count(word) == 0; });
        if (!ended.empty()) {
            ++call->replies;
            append_script(call->commands, cache::scripts::kEnd, ended, {cache::word_bytes(owner_)});
        }
        if (auto flights = unannounced_flights(); !flights.empty()) {
            begun.insert(begun.end(), flights.begin(), flights.end());
            add_begin(*call, std::move(flights));
        }
        const auto moved = unannounced_;
        if (!moved.empty())
            add_move(*call, moved);
        const auto told = past_owners_;
        for (const auto past : told) {
            call->replies += 2;
            append_command(call->commands, {"SET", tier_.name_of_owner(past), kDone, "EX", "86400"});
            append_command(call->commands,
                           {"EVAL", cache::scripts::kEnd, "1", tier_.name_of_members(), cache::word_bytes(past)});
        }
        if (call->replies == 0) { // nothing has come in between
            is_connected_ = true;
            lost_.reset();
            has_connected_.notify();
            break;
        }
        start(call, kSetUpTime);
        const bool ok = co_await result(call);
        if (!ok)
            co_return false;
        is_alive = true;
        past_owners_.erase(past_owners_.begin(), past_owners_.begin() + static_cast<std::ptrdiff_t>(told.size()));
        cache::Words left;
        std::set_difference(unannounced_.begin(), unannounced_.end(), moved.begin(), moved.end(),
                            std::back_inserter(left));
        if (!unannounced_.empty() && left.empty())
            tier_.connections_with_unannounced.fetch_sub(1);
        unannounced_ = std::move(left);
    }
    lease_until_ = began + lease_ / 2;
    refreshed_ = began;

    bool is_first = false;
    auto fleet = setting_up(3);
    append_command(fleet->commands,
                   {"SET", tier_.prefix() + "fleet", tier_.fleet(), "NX", "PX", milliseconds_text(2 * lease_)});
    append_command(fleet->commands, {"GET", tier_.prefix() + "fleet"});
    append_command(fleet->commands, {"SET", tier_.prefix() + "slots", "1", "NX"});
    fleet->take = [this, &is_first](std::size_t index, const Reply& reply) {
        if (index == 1)
            compare_fleet(reply.text());
        else if (index == 2)
            is_first = reply.text() == "OK";
        return !reply.is_error();
    };
    start(fleet, kSetUpTime);
    const bool known = co_await result(fleet);
    if (!known)
        co_return false;
    if (is_first) {
        const bool made = co_await make_slots();
        co_return made;
    }
    co_return true;
}

/// Before anything is served: whoever shared when this connection began, and was cut off by what cut off the one before
/// it, may have written what it has not told of. So each has to say once more that it lives, or that it has been
/// replaced; or it counts as missing.
Task<bool> RemoteClient::hear_others()
{
    const auto every = std::clamp<Clock::duration>(lease_ / 16, 20ms, 250ms);
    const auto began = Clock::now();
    std::unordered_map<cache::Owner, std::string> said;
    bool is_first = true;
    for (;;) {
        std::vector<cache::Owner> members;
        auto list = make_call(1);
        append_command(list->commands, {"GET", tier_.name_of_members()});
        list->take = [this, &members](std::size_t, const Reply& reply) {
            members = see_members(reply.text());
            return !reply.is_error();
        };
        start(list, kSetUpTime);
        const bool listed = co_await result(list);
        if (!listed)
            co_return false;
        if (is_first)
            for (const auto member : members)
                said.emplace(member, std::string{});
        is_first = false;
        std::erase_if(said, [&members](const auto& one) {
            return std::find(members.begin(), members.end(), one.first) == members.end();
        });
        if (said.empty())
            co_return true;
        auto ask = make_call(1);
        std::vector<cache::Owner> asked;
        append_command(ask->commands, 1 + said.size());
        cache::resp::append_part(ask->commands, "MGET");
        for (const auto& [member, what] : said) {
            asked.push_back(member);
            cache::resp::append_part(ask->commands, tier_.name_of_owner(member));
        }
        ask->take = [this, &asked, &said](std::size_t, const Reply& reply) {
            for (std::size_t i = 0; i < asked.size() && reply.size() == asked.size(); ++i) {
                const auto says = reply.text_at(i);
                auto& before = said[asked[i]];
                const bool is_new = says && says->starts_with(kAlive) && !before.empty() && before != *says;
                if (is_new || !says || !says->starts_with(kAlive)) {
                    judge(asked[i], strangers_[asked[i]], says);
                    said.erase(asked[i]);
                } else {
                    before = *says;
                }
            }
            return reply.is_array() && reply.size() == asked.size();
        };
        start(ask, kSetUpTime);
        const bool answered = co_await result(ask);
        if (!answered)
            co_return false;
        if (said.empty())
            co_return true;
        const auto now = Clock::now();
        if (now - began > 2 * lease_)
            co_return false; // it goes on saying the same: once more from the start
        tick(now);
        co_await loop_.sleep(every);
        if (!failure_.empty())
            co_return false;
    }
}

std::string RemoteClient::alive()
{
    return fmt::format("{}{}", kAlive, ++refreshes_);
}

/// The words of all slots, by the first who comes to a store: so that each has its first lease behind it when somebody
/// needs it.
Task<bool> RemoteClient::make_slots()
{
    for (std::size_t from = 0; from < cache::Versions::kSharedSlots; from += kSlotsAtOnce) {
        auto call = make_call(1);
        append_command(call->commands, 3 + kSlotsAtOnce + 2);
        cache::resp::append_part(call->commands, "EVAL");
        cache::resp::append_part(call->commands, cache::scripts::kMake);
        cache::resp::append_part(call->commands, std::to_string(kSlotsAtOnce));
        for (std::size_t i = 0; i < kSlotsAtOnce; ++i)
            cache::resp::append_part(call->commands, tier_.name_of_slot(from + i));
        cache::resp::append_part(call->commands, cache::word_bytes(cache::RemoteTier::new_version()));
        cache::resp::append_part(call->commands, nobody(Clock::now()));
        start(call, kSetUpTime);
        const bool ok = co_await result(call);
        if (!ok)
            co_return false;
    }
    co_return true;
}

void RemoteClient::on_reached()
{
    is_heard_ = true;
    set_up(!is_other_fleet_);
    metrics_.remote_connects.add();
    if (std::exchange(is_missed_, false) && tier_.connections_lost.fetch_sub(1) == 1)
        spdlog::info("store {}: reached again", remote_.text());
}

void RemoteClient::on_lost()
{
    if (!lost_)
        lost_ = Clock::now();
    set_up(false);
    is_connected_ = is_heard_ = false;
    for (auto& [word, flown] : flights_)
        flown.announced = false;
    if (owner_ != 0) {
        constexpr std::size_t kMostPast = 64; // others find out by themselves
        if (past_owners_.size() < kMostPast)
            past_owners_.push_back(owner_);
        owner_ = 0;
    }
    const void* is_watching = this;
    if (tier_.watcher.compare_exchange_strong(is_watching, nullptr))
        for (auto& [owner, its] : strangers_)
            its.is_member = false; // whoever watches now sees to them
    fail_pending();
    stream_.close();
    metrics_.remote_failures.add();
    if (!std::exchange(is_missed_, true) && tier_.connections_lost.fetch_add(1) == 0)
        spdlog::warn("store {}: {}; what it would have to vouch for is not answered from the cache until it is reached "
                     "again",
                     remote_.text(), failure_);
    failure_.clear();
}

void RemoteClient::set_up(bool is_up)
{
    if (link_.is_up == is_up)
        return;
    link_.is_up = is_up;
    if (is_up)
        tier_.connections_up.fetch_add(1);
    else
        tier_.connections_up.fetch_sub(1);
}

// ---------------------------------------------------------------------------------------------- calls

RemoteClient::CallRef RemoteClient::make_call(std::size_t replies)
{
    auto call = std::make_shared<Call>();
    call->replies = replies;
    call->take = [](std::size_t, const Reply& reply) { return !reply.is_error(); };
    return call;
}

/// Errors end the connection: a store that refuses this cannot be relied on.
void RemoteClient::insist(Call& call)
{
    call.take = [this](std::size_t, const Reply& reply) {
        if (reply.is_error())
            fail(fmt::format("it refuses: {}", reply.text().value_or("")));
        return !reply.is_error();
    };
}

void RemoteClient::start(const CallRef& call, Clock::duration patience)
{
    call->since = Clock::now();
    call->deadline = call->since + patience;
    out_ += call->commands;
    std::string{}.swap(call->commands);
    if (pending_.empty())
        has_pending_.notify();
    pending_.push_back(call);
    has_output_.notify();
}

/// Waits for it.
Task<bool> RemoteClient::result(CallRef call)
{
    if (!call->done) {
        co_await asio::async_initiate<decltype(kAwait), void(bool)>(
            [&call](auto handler) { call->resume = Callback{std::move(handler)}; }, kAwait);
    }
    co_return call->ok;
}

void RemoteClient::finish(Call& call)
{
    call.done = true;
    if (call.measured)
        metrics_.remote_latency.record(Clock::now() - call.since);
    if (call.then)
        call.then(call.ok);
    if (call.resume)
        loop_.post(std::move(call.resume));
}

/// False: nobody was waiting for it.
bool RemoteClient::take_reply(const Reply& reply)
{
    if (pending_.empty())
        return false;
    const auto call = pending_.front();
    call->ok &= call->take(call->got++, reply);
    const bool is_still_asked = !pending_.empty() && pending_.front() == call; // unless it was a reason to end
    if (is_still_asked && call->got == call->replies) {
        pending_.pop_front();
        finish(*call);
    }
    return true;
}

/// The connection is of no use any more; the first reason counts.
void RemoteClient::fail(std::string why)
{
    if (!failure_.empty())
        return;
    failure_ = std::move(why);
    if (!lost_)
        lost_ = Clock::now();
    set_up(false);
    is_connected_ = is_heard_ = false;
    fail_pending();
    stream_.shutdown();
    has_output_.notify();
    has_pending_.notify();
}

void RemoteClient::fail_pending()
{
    while (!pending_.empty()) {
        const auto call = std::move(pending_.front());
        pending_.pop_front();
        call->ok = false;
        finish(*call);
    }
}

void RemoteClient::store(const cache::Filled& filled, cache::Clock::time_point now)
{
    if (!link_.is_usable() || out_.size() > kMostOutput)
        return;
    auto sealed = tier_.seal(*filled.entry, filled.read_at, now);
    if (!sealed)
        return;
    auto call = make_call(1);
    append_command(call->commands, {"SET", sealed->name, sealed->value, "PX", milliseconds_text(sealed->keep_for)});
    call->then = [this](bool ok) { (ok ? metrics_.remote_stored : metrics_.remote_not_stored).add(); };
    start(call);
}

} // namespace pgmemo::proxy
