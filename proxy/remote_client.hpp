#pragma once

#include "cache/remote/resp.hpp"
#include "cache/remote/tier.hpp"
#include "config/remote.hpp"
#include "observe/metrics.hpp"
#include "proxy/async.hpp"
#include "proxy/remote_link.hpp"
#include "proxy/remote_tls.hpp"
#include "proxy/resolver.hpp"
#include "proxy/stream.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// One thread's connection to Redis, on which everything is pipelined: lookups, flights, entries. It is an owner of
/// flights (cache/remote/tier.hpp) as long as it lasts; the next connection is another one, which begins once more
/// whatever is still in flight.
///
/// Failing: whatever takes longer than the timeout, or is answered by an error where that says that the store cannot be
/// relied on, ends the connection, and everything asked on it fails at once; so does what is asked until there is
/// another. So a store that is away or slow delays each query of one moment once, and none after that. What was written
/// meanwhile is announced before `is_up`.
///
/// Threads: one, the loop's. Lifetime: ends before the Loop; whoever waits then is dropped.
class RemoteClient {
public:
    RemoteClient(Loop&, cache::RemoteTier&, const config::Remote&, const RemoteTls&, Resolver&,
                 observe::ThreadMetrics&);
    ~RemoteClient();
    RemoteClient(const RemoteClient&) = delete;
    RemoteClient& operator=(const RemoteClient&) = delete;

    Task<void> run(); ///< for ever
    RemoteLink& link() noexcept { return link_; }

    /// Asks for the present of words, and perhaps an entry. False: it is not known.
    Task<bool> look_up(cache::Lookup&);
    /// Announces flights that link().announcer holds, before what may commit is sent. A connection that was lost just
    /// now may come back within the timeout. False: others do not know of it;
    /// they will, and until then nothing is served here.
    Task<bool> begin(cache::Words);
    /// Takes them back, and looks at some words at the same time. False: neither was done; what the flights were for is
    /// announced later.
    Task<bool> end(cache::Words, const cache::Words& look_at);
    /// Moves words for a change already made. False as in begin().
    Task<bool> move(cache::Words);
    /// Stores an entry, some time, perhaps.
    void store(const cache::Filled&, cache::Clock::time_point now);

private:
    using Clock = cache::RemoteTier::Clock;
    class Releases;

    /// Commands that belong together. Owned by those who wait for it and by `pending_`.
    struct Call {
        std::string commands;
        std::size_t replies = 1;
        std::function<bool(std::size_t index, const cache::resp::Reply&)> take; ///< false: it has failed
        std::function<void(bool ok)> then;                                      ///< in place of a coroutine
        std::size_t got = 0;
        bool ok = true;
        bool done = false;
        bool measured = false;
        Clock::time_point since;
        Clock::time_point deadline;
        Callback resume;
    };
    using CallRef = std::shared_ptr<Call>;

    // What stands in an owner's key.
    static constexpr char kAlive = 'a';                 ///< and how often it has said so
    static constexpr std::string_view kCondemned = "c"; ///< it is gone; said by another
    static constexpr std::string_view kGivenUp = "x";   ///< and has not come back for a lease; said by another
    static constexpr std::string_view kDone = "d";      ///< it has nothing in flight; said by itself

    struct Flown {
        std::size_t count = 0;
        std::uint64_t since = 0; ///< the number of the first `begin` that was sent for it
        bool announced = false;
    };

    /// An owner of another process, seen with commits in flight.
    struct Stranger {
        Clock::time_point seen;
        Clock::time_point checked;
        std::optional<Clock::time_point> condemned;
        bool is_member = false;                ///< it shares, whether it has any or not
        bool is_alive = false;                 ///< when it was checked
        std::optional<Clock::time_point> lost; ///< since when it counts as dead
    };

    Task<std::string> connect();
    Task<std::string> reach(const asio::ip::tcp::endpoint&);
    Task<void> converse();
    Task<void> read_replies();
    Task<void> write_commands();
    Task<void> watch_deadlines();
    Task<void> live();
    Task<bool> introduce();
    Task<bool> make_slots();
    Task<bool> hear_others();
    Task<bool> announce(cache::Words);
    Task<bool> reached_again(Clock::time_point until);
    std::string alive();
    void tick(Clock::time_point now);
    void refresh(Clock::time_point now);
    void check_strangers(Clock::time_point now);
    void check(cache::Owner, Clock::time_point now);
    void judge(cache::Owner, Stranger&, std::optional<std::string_view> says);
    std::vector<cache::Owner> see_members(std::optional<std::string_view> bytes);
    void say(std::initializer_list<std::string_view> parts);
    void leave_members(cache::Owner);

    CallRef make_call(std::size_t replies);
    void insist(Call&);
    void start(const CallRef&, Clock::duration patience);
    void start(const CallRef& call) { start(call, timeout_); }
    Task<bool> result(CallRef);
    void finish(Call&);
    bool take_reply(const cache::resp::Reply&);
    void fail(std::string why);
    void fail_pending();
    void on_reached();
    void set_up(bool is_up);
    void on_lost();

    bool see(const cache::resp::Reply&, std::size_t from, const cache::Words&,
             std::vector<std::optional<std::uint64_t>>* versions = nullptr);
    bool is_same_configuration();
    void compare_fleet(std::optional<std::string_view> others);
    bool holds_lease() const noexcept { return Clock::now() < lease_until_; }
    void append_script(std::string& out, std::string_view script, const cache::Words& keys,
                       std::initializer_list<std::string_view> arguments);
    void add_begin(Call&, cache::Words);
    void add_move(Call&, const cache::Words&);
    void add_membership(Call&);
    void keep_unannounced(const cache::Words&);
    void hold(const cache::Words&);
    cache::Words take_flights(const cache::Words&);
    cache::Words open_flights() const;
    cache::Words unannounced_flights() const;
    void release(const cache::Words&);
    std::string nobody(Clock::time_point now);

    Loop& loop_;
    cache::RemoteTier& tier_;
    const config::Remote remote_;
    const RemoteTls& tls_;
    Resolver& resolver_;
    observe::ThreadMetrics& metrics_;
    const Clock::duration timeout_;
    const Clock::duration lease_;

    Stream stream_;
    cache::resp::Reader reader_;
    std::string out_;
    Event has_output_;
    Event has_pending_;
    Event has_connected_;
    std::optional<Clock::time_point> lost_; ///< since when there is no connection
    std::deque<CallRef> pending_;
    std::string failure_; ///< why this connection has ended; empty while it has not

    std::shared_ptr<Releases> releases_;
    RemoteLink link_;
    bool is_connected_ = false; ///< flights may be announced
    bool is_heard_ = false;     ///< what others write is heard of
    bool is_other_fleet_ = false;
    bool is_warned_of_fleet_ = false;
    std::uint64_t fleet_changes_ = 0;
    cache::Owner owner_ = 0;
    std::vector<cache::Owner> past_owners_; ///< of connections that are gone; the store is to be told
    Clock::time_point lease_until_{};
    Clock::time_point refreshed_{};
    std::uint64_t refreshes_ = 0;
    Clock::time_point reached_{};
    std::string nobody_;
    Clock::time_point nobody_since_{};

    std::unordered_map<cache::Word*, Flown> flights_;
    std::uint64_t begins_ = 0; ///< sent
    cache::Words unannounced_; ///< sorted, unique: written while others could not be told
    std::unordered_map<cache::Owner, Stranger> strangers_;
    bool is_missed_ = false; ///< the connection was lost, and not had again
};

} // namespace pgmemo::proxy
