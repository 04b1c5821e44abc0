#include "proxy/loop.hpp"

#include "proxy/async.hpp"
#include "proxy/stream.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

/// Runs a coroutine to its end.
void run(Loop& loop, std::function<Task<void>()> coroutine)
{
    asio::co_spawn(loop.executor(), coroutine(), [&loop](std::exception_ptr failure) {
        EXPECT_FALSE(failure);
        loop.stop();
    });
    loop.run();
}

/// A stream and its peer, which is a plain socket.
struct Pair {
    explicit Pair(Loop& loop)
        : stream(loop)
    {
        std::array<int, 2> both{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()), 0);
        stream.open(both[0]);
        peer = both[1];
    }
    ~Pair() { ::close(peer); }
    void say(std::string_view text) const { EXPECT_EQ(::write(peer, text.data(), text.size()), std::ssize(text)); }

    Stream stream;
    int peer;
};

std::string read(Stream& stream, std::size_t room = 100)
{
    std::string text(room, '\0');
    boost::system::error_code error;
    text.resize(stream.read_some(text, error));
    return error ? error == asio::error::would_block ? "nothing" : error.message() : text;
}

struct Counted {
    explicit Counted(int& c)
        : count(&c)
    {
        ++*count;
    }
    Counted(Counted&& other) noexcept
        : count(std::exchange(other.count, nullptr))
    {
    }
    Counted& operator=(Counted&&) = delete;
    ~Counted()
    {
        if (count)
            --*count;
    }
    int* count;
};

// -------------------------------------------------------------------------------------------------------- Callback

TEST(Callback, CallsOnceAndDropsWhatItHolds)
{
    int alive = 0;
    bool said = false;
    {
        Callback callback{[&said, held = Counted{alive}](bool ready) { said = ready; }};
        auto moved = std::move(callback);
        EXPECT_FALSE(callback); // NOLINT(bugprone-use-after-move): that is promised
        EXPECT_EQ(alive, 1);
        moved(true);
        EXPECT_TRUE(said);
        EXPECT_FALSE(moved);
        EXPECT_EQ(alive, 0);
    }
    {
        Callback large{[held = Counted{alive}, more = std::array<char, 200>{}](bool) { (void)more; }};
        EXPECT_EQ(alive, 1);
        large = Callback{[](bool) {}};
        EXPECT_EQ(alive, 0);
        large(false);
    }
    const Callback never_called{[held = Counted{alive}](bool) {}};
    EXPECT_EQ(alive, 1);
}

TEST(Callback, MayPutAnotherInItsPlace)
{
    int calls = 0;
    Callback callback;
    callback = Callback{[&](bool) { callback = Callback{[&](bool) { calls += 10; }}; }};
    callback(true);
    callback(true);
    EXPECT_EQ(calls, 10);
}

// ------------------------------------------------------------------------------------------------------------ Loop

TEST(Loop, CallsWhatIsPostedInOrderFromAnyThread)
{
    Loop loop;
    std::vector<int> seen;
    std::thread other{[&] {
        for (int i = 0; i < 1000; ++i)
            loop.post(Callback{[&seen, i](bool) { seen.push_back(i); }});
        loop.post(Callback{[&](bool) { loop.post(Callback{[&loop](bool) { loop.stop(); }}); }});
    }};
    loop.run();
    other.join();
    ASSERT_EQ(seen.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(Loop, IsStoppedWhileItSleeps)
{
    Loop loop;
    std::thread other{[&] { loop.stop(); }};
    loop.run();
    other.join();
}

TEST(Loop, TimersEndInTheirOrderAndWhenCancelled)
{
    Loop loop;
    run(loop, [&]() -> Task<void> {
        const auto first = co_await (loop.sleep(1h) || loop.sleep(1ms));
        EXPECT_EQ(first.index(), 1U);
        const auto next = co_await (loop.sleep(2ms) || loop.sleep(1h) || loop.sleep(1h));
        EXPECT_EQ(next.index(), 0U);
    });
}

TEST(Loop, AnEventWakesAllThatWaitAndGivesUpThoseThatAreCancelled)
{
    Loop loop;
    Event event{loop.executor()};
    int woken = 0;
    for (int i = 0; i < 3; ++i) {
        asio::co_spawn(
            loop.executor(),
            [&]() -> Task<void> {
                co_await event.wait();
                ++woken;
            },
            asio::detached);
    }
    run(loop, [&]() -> Task<void> {
        const auto waited = co_await (event.wait() || loop.sleep(1ms));
        EXPECT_EQ(waited.index(), 1U);
        EXPECT_EQ(woken, 0);
        event.notify();
        EXPECT_EQ(woken, 0) << "in a turn of their own";
        co_await loop.sleep(1ms);
        EXPECT_EQ(woken, 3);
    });
}

TEST(Loop, DropsWhatStillWaitsWhenItGoes)
{
    int alive = 0;
    {
        Loop loop;
        auto event = std::make_unique<Event>(loop.executor());
        const auto waits = [&](auto how) -> Task<void> {
            const Counted held{alive};
            Pair pair{loop};
            co_await how(pair);
            ADD_FAILURE() << "nobody woke it";
        };
        asio::co_spawn(loop.executor(), waits([&](Pair&) { return loop.sleep(1h); }), asio::detached);
        asio::co_spawn(loop.executor(), waits([&](Pair&) { return event->wait(); }), asio::detached);
        asio::co_spawn(loop.executor(), waits([&](Pair& pair) { return pair.stream.readable(); }), asio::detached);
        asio::co_spawn(loop.executor(), waits([&](Pair& pair) { return pair.stream.readable() || loop.sleep(1h); }),
                       asio::detached);
        asio::co_spawn(loop.executor(), waits([&](Pair&) { return event->wait() && loop.sleep(1h); }), asio::detached);
        run(loop, [&]() -> Task<void> { co_await loop.sleep(1ms); });
        EXPECT_EQ(alive, 5);
        asio::co_spawn(loop.executor(), waits([&](Pair&) { return loop.sleep(1h); }), asio::detached); // not begun
        asio::post(loop.executor(), [held = Counted{alive}] {});
    }
    EXPECT_EQ(alive, 0);
}

// ----------------------------------------------------------------------------------------------------------- Watch

TEST(Watch, TellsOfWhatCameBeforeAndAfterItBegan)
{
    Loop loop;
    std::array<int, 2> both{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()), 0);
    ASSERT_EQ(::write(both[1], "early", 5), 5);
    Stream stream{loop};
    stream.open(both[0]);
    run(loop, [&]() -> Task<void> {
        EXPECT_TRUE(co_await stream.readable());
        EXPECT_EQ(read(stream), "early");
        for (int i = 0; i < 10; ++i) {
            loop.post(Callback{[&](bool) { EXPECT_EQ(::write(both[1], "later", 5), 5); }});
            EXPECT_TRUE(co_await stream.readable());
            EXPECT_EQ(read(stream), "later");
        }
    });
    ::close(both[1]);
}

TEST(Watch, ReadsThatTookAllTheirRoomAreFollowedByAnother)
{
    Loop loop;
    Pair pair{loop};
    pair.say("0123456789");
    run(loop, [&]() -> Task<void> {
        for (const auto* part : {"0123", "4567", "89"}) {
            EXPECT_TRUE(co_await pair.stream.readable());
            EXPECT_EQ(read(pair.stream, 4), part);
        }
        const auto waited = co_await (pair.stream.readable() || loop.sleep(1ms));
        EXPECT_EQ(waited.index(), 1U) << "nothing is left";
        EXPECT_EQ(read(pair.stream), "nothing");
    });
}

TEST(Watch, AnEndThatCameWithTheDataIsNotLost)
{
    for (const auto how : {SHUT_WR, SHUT_RDWR}) {
        Loop loop;
        Pair pair{loop};
        pair.say("last words");
        ::shutdown(pair.peer, how); // one event tells of both
        run(loop, [&]() -> Task<void> {
            EXPECT_TRUE(co_await pair.stream.readable());
            EXPECT_EQ(read(pair.stream), "last words");
            EXPECT_TRUE(co_await pair.stream.readable());
            EXPECT_EQ(read(pair.stream), "End of file");
        });
    }
}

TEST(Watch, AnEndThatComesBetweenTheEventAndTheReadIsNotLost)
{
    Loop loop;
    Pair pair{loop};
    pair.say("last");
    run(loop, [&]() -> Task<void> {
        EXPECT_TRUE(co_await pair.stream.readable());
        pair.say(" words");
        ::shutdown(pair.peer, SHUT_WR);
        EXPECT_EQ(read(pair.stream), "last words");
        EXPECT_TRUE(co_await pair.stream.readable());
        EXPECT_EQ(read(pair.stream), "End of file");
    });
}

TEST(Watch, WhoCannotWriteWaitsUntilThePeerHasRead)
{
    Loop loop;
    Pair pair{loop};
    const std::string much(1 << 20, 'x');
    std::size_t taken = 0;
    std::thread peer{[&] {
        std::string room(1 << 16, '\0');
        while (taken < much.size()) {
            const auto size = ::read(pair.peer, room.data(), room.size());
            if (size <= 0)
                break;
            taken += static_cast<std::size_t>(size);
        }
    }};
    run(loop, [&]() -> Task<void> {
        Gather gather;
        gather.borrow(much);
        EXPECT_TRUE(co_await write_all(pair.stream, gather));
    });
    peer.join();
    EXPECT_EQ(taken, much.size());
}

TEST(Watch, BothDirectionsMayBeWaitedForAtOnce)
{
    Loop loop;
    Pair pair{loop};
    const std::string much(1 << 20, 'x');
    bool has_read = false;
    asio::co_spawn(
        loop.executor(),
        [&]() -> Task<void> {
            EXPECT_TRUE(co_await pair.stream.readable());
            EXPECT_EQ(read(pair.stream), "answer");
            has_read = true;
        },
        asio::detached);
    Gather gather;
    gather.borrow(much);
    run(loop, [&]() -> Task<void> {
        const auto waited = co_await (write_all(pair.stream, gather) || loop.sleep(1ms));
        EXPECT_EQ(waited.index(), 1U) << "nobody reads";
        pair.say("answer");
        while (!has_read) {
            co_await loop.sleep(1ms);
        }
    });
}

TEST(Watch, AClosedStreamWakesAllThatWait)
{
    Loop loop;
    Pair pair{loop};
    int woken = 0;
    asio::co_spawn(
        loop.executor(),
        [&]() -> Task<void> {
            EXPECT_FALSE(co_await pair.stream.readable());
            ++woken;
        },
        asio::detached);
    run(loop, [&]() -> Task<void> {
        co_await loop.sleep(1ms);
        pair.stream.close();
        EXPECT_FALSE(co_await pair.stream.readable());
        EXPECT_FALSE(co_await pair.stream.writable());
        EXPECT_EQ(woken, 1);
    });
}

TEST(Watch, WhatCannotBeWatchedIsClosed)
{
    Loop loop;
    const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    {
        Stream stream{loop};
        EXPECT_THROW(stream.open(file), std::system_error);
    }
    EXPECT_EQ(::fcntl(file, F_GETFD), -1);
}

TEST(Watch, IsClosedByTheEventBeforeItsOwn)
{
    Loop loop;
    std::vector<std::unique_ptr<Pair>> pairs;
    int read_from = 0;
    for (int i = 0; i < 2; ++i)
        pairs.push_back(std::make_unique<Pair>(loop));
    for (int i = 0; i < 2; ++i) {
        asio::co_spawn(
            loop.executor(),
            [&, i]() -> Task<void> {
                const bool ready = co_await pairs[static_cast<std::size_t>(i)]->stream.readable();
                if (!ready)
                    co_return;
                ++read_from;
                pairs[static_cast<std::size_t>(1 - i)]->stream.close();
            },
            asio::detached);
    }
    run(loop, [&]() -> Task<void> {
        co_await loop.sleep(1ms); // both wait
        for (auto& pair : pairs)
            pair->say("now");
        co_await loop.sleep(1ms);
    });
    EXPECT_EQ(read_from, 1);
}

TEST(Watch, ALookMaySpareTheCoroutineItsTurn)
{
    Loop loop;
    Pair pair{loop};
    struct Taker {
        Stream& stream;
        std::vector<std::string> taken;
        static bool look(void* self)
        {
            auto& me = *static_cast<Taker*>(self);
            me.taken.push_back(read(me.stream));
            return me.taken.back() != "wake";
        }
    } taker{pair.stream, {}};
    int turns = 0;
    asio::co_spawn(
        loop.executor(),
        [&]() -> Task<void> {
            while (co_await pair.stream.readable({&Taker::look, &taker})) {
                ++turns;
                if (taker.taken.back() != "wake") {
                    EXPECT_EQ(read(pair.stream), "End of file");
                }
                if (turns == 2)
                    co_return;
            }
        },
        asio::detached);
    run(loop, [&]() -> Task<void> {
        for (const auto* words : {"one", "two", "wake", "three"}) {
            co_await loop.sleep(1ms);
            pair.say(words);
        }
        co_await loop.sleep(1ms);
        EXPECT_EQ(turns, 1);
        ::shutdown(pair.peer, SHUT_WR);
        while (turns < 2) {
            co_await loop.sleep(1ms);
        }
    });
    EXPECT_EQ(taker.taken, (std::vector<std::string>{"one", "two", "wake", "three", "End of file"}));
}

} // namespace
} // namespace pgmemo::proxy
