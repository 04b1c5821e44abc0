#pragma once

#include "proxy/callback.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/intrusive/list.hpp>

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

namespace asio = boost::asio;

class Loop;

/// What Asio's coroutines run on: one thread's Loop. Copies are free.
class Executor {
public:
    explicit Executor(Loop& loop) noexcept
        : loop_(&loop)
    {
    }
    Loop& loop() const noexcept { return *loop_; }

    template <class Function>
    void execute(Function&& function) const
    {
        post(Callback{[f = std::forward<Function>(function)](bool) mutable { std::move(f)(); }});
    }
    Executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; } // as it is anyway
    friend bool operator==(const Executor& a, const Executor& b) noexcept { return a.loop_ == b.loop_; }
    friend bool operator!=(const Executor& a, const Executor& b) noexcept { return a.loop_ != b.loop_; }

private:
    void post(Callback) const;

    Loop* loop_;
};

template <class T>
using Task = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kAwait{};

/// Where coroutines of one thread wait for something that happens in it.
class Waiting : public boost::intrusive::list_base_hook<> {
public:
    explicit Waiting(Loop& loop) noexcept
        : loop_(loop)
    {
    }
    ~Waiting(); ///< drops those that still wait
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    /// False: given up; it will not come.
    Task<bool> wait()
    {
        return asio::async_initiate<decltype(kAwait), void(bool)>(
            [this](auto handler) {
                auto slot = asio::get_associated_cancellation_slot(handler);
                if (slot.is_connected())
                    slot.assign([this, number = next_](asio::cancellation_type) { cancel(number); });
                add({next_++, slot, Callback{std::move(handler)}});
            },
            kAwait);
    }
    std::size_t size() const noexcept { return items_.size(); }

    void wake(bool ready);     ///< all that wait now, in the loop's next turn
    void wake_now(bool ready); ///< at once: for the loop alone

private:
    friend class Loop;
    struct Item {
        std::uint32_t number;
        asio::cancellation_slot slot;
        Callback callback;
    };

    void add(Item);
    void cancel(std::uint32_t number);
    std::vector<Item> take() noexcept;

    Loop& loop_;
    std::vector<Item> items_;
    std::uint32_t next_ = 0;
};

/// Asked by the loop, between two turns of coroutines, when there is something to read: true when it has taken it
/// all, and nobody need be woken. Must not throw, nor end the watch.
struct Look {
    bool (*function)(void*) = nullptr;
    void* self = nullptr;
};

/// When a descriptor can be read and written. It is registered with epoll once, edge-triggered; the kernel is told
/// again only when somebody has to wait until he can write.
///
/// Use:      a reader waits until readable(), reads, and says with drained() when a read has found less than it had
///           room for. epoll(7) allows to conclude from that to an empty socket, unless the peer had hung up before.
///           (Urgent data ends a read early as well; who sends that, which PostgreSQL has no use for, is read from
///           again with his next byte.)
/// Lifetime: ends before the descriptor is closed.
class Watch {
public:
    Watch(Loop&, int descriptor);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    Task<bool> readable(Look look = {}); ///< false: given up
    Task<bool> writable();
    void drained() noexcept { may_read_ = hung_up_; }
    void give_up(); ///< wakes all that wait, with false

private:
    friend class Loop;
    void on_events(std::uint32_t events);
    void set_writing(bool watches);

    Loop& loop_;
    int descriptor_;
    bool watches_writing_ = false;
    bool may_read_ = false; // epoll says at once if it is so
    bool hung_up_ = false;
    Look look_; // of the one who waits
    Waiting readers_;
    Waiting writers_;
};

/// One thread's event loop, for Asio's coroutines: epoll, timers, and what is posted. Asio's own io_context tells epoll
/// of every wait, which is one of the four system calls of a hit (docs/decisions/0015).
///
/// Threads:  run() is one thread's. post() and stop() are anybody's; all else belongs to the thread that runs it.
/// Lifetime: outlives what waits in it. Destroyed, it drops every coroutine that still waits, without resuming it.
/// Errors:   std::system_error when the system has no descriptor or no memory left for it.
class Loop {
public:
    using Clock = std::chrono::steady_clock;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run(); ///< until stop()
    void stop() noexcept;

    /// Called by the loop in its next turn, in the order of the posts.
    void post(Callback);
    /// Returns after that time; earlier, with false, if the coroutine is cancelled.
    Task<bool> sleep(Clock::duration);
    Executor executor() noexcept { return Executor{*this}; }

private:
    friend class Waiting;
    friend class Watch;

    bool is_own_thread() const noexcept;
    int patience() const;
    void dispatch(int count);
    void run_due();
    void run_posted();
    void drop_all();

    int epoll_;
    int wake_;                // eventfd
    Clock::time_point now_{}; // as of this turn
    std::array<epoll_event, 128> events_{};
    int event_ = 0; // the one that is dealt with
    int event_count_ = 0;
    std::multimap<Clock::time_point, Callback> timers_;
    std::vector<Callback> ready_;
    boost::intrusive::list<Waiting> waiting_; // those in which somebody waits

    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::vector<Callback> posted_; // by other threads
    bool is_woken_ = false;
};

} // namespace pgmemo::proxy
