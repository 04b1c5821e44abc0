// The load generator: so many connections, on a few threads, ask for a while, and the latencies are written down.
//
// Closed loop: a connection asks when it has been answered. Open loop (--rate): it asks when its time has come, and a
// latency counts from then, so that a slow answer is charged to all that had to wait behind it ("coordinated omission",
// Gil Tene).

#include "bench/connection.hpp"
#include "bench/histogram.hpp"
#include "bench/workload.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace pgmemo::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    Server server;
    WorkloadOptions workload;
    std::size_t connections = 8;
    std::size_t threads = 1;
    std::size_t depth = 1; ///< requests sent together; the next are sent when all are answered
    std::size_t idle = 0;  ///< connections more, that ask nothing
    double rate = 0;       ///< requests a second in all; 0: closed loop
    double warmup = 0.5;   ///< seconds that do not count
    double seconds = 3;
    std::uint64_t requests = 0; ///< of each connection, instead of a time
    bool churn = false;         ///< a connection for each request
    std::uint64_t seed = 1;
    double linger = 0; ///< seconds that connections stay open behind the last answer
    bool progress = false;
};

struct Figures {
    Histogram latencies;
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
};

/// What happens between all threads.
struct Shared {
    std::atomic<bool> counting{false};
    std::atomic<bool> stopping{false};
    std::atomic<std::uint64_t> answered{0};
};

std::uint64_t ns_between(Clock::time_point from, Clock::time_point to)
{
    return static_cast<std::uint64_t>(std::max(std::chrono::nanoseconds{to - from}.count(), std::int64_t{0}));
}

class Client {
public:
    Client(const Options& options, std::uint64_t seed)
        : options_(options)
        , workload_(options.workload, seed)
        , interval_(options.rate > 0 ? std::chrono::nanoseconds{static_cast<std::int64_t>(
                                           1e9 * static_cast<double>(options.connections) / options.rate)}
                                     : std::chrono::nanoseconds{0})
    {
        connect();
    }

    int descriptor() const { return connection_->descriptor(); }
    bool is_asking() const noexcept { return owed_ > 0; }
    Clock::time_point due() const noexcept { return due_; }
    void begin(Clock::time_point now, std::size_t place)
    {
        due_ = now + interval_ * static_cast<std::int64_t>(place) / static_cast<std::int64_t>(options_.connections);
    }
    bool is_done() const noexcept { return options_.requests > 0 && asked_ >= options_.requests; }

    void ask(Clock::time_point now)
    {
        bytes_.clear();
        for (std::size_t i = 0; i < options_.depth; ++i)
            workload_.append_request(bytes_);
        asked_ += options_.depth;
        owed_ = options_.depth;
        since_ = now;
        if (interval_.count() > 0) {
            since_ = due_;
            due_ += interval_ * static_cast<std::int64_t>(options_.depth);
        }
        connection_->send(bytes_);
    }

    /// Whether all that was asked has been answered.
    bool take(Figures& figures, const Shared& shared)
    {
        const auto got = connection_->receive();
        if (got.ready > owed_)
            throw std::runtime_error{"more answers than questions"};
        owed_ -= got.ready;
        if (shared.counting.load(std::memory_order_relaxed)) {
            figures.errors += got.errors;
            figures.requests += got.ready;
            if (got.ready > 0)
                figures.latencies.record(ns_between(since_, Clock::now()), got.ready);
        }
        return owed_ == 0;
    }

    void connect()
    {
        connection_ = std::make_unique<Connection>(options_.server);
        if (!workload_.preparation().empty())
            connection_->ask(workload_.preparation());
    }

private:
    const Options& options_;
    Workload workload_;
    std::chrono::nanoseconds interval_;
    std::unique_ptr<Connection> connection_;
    std::string bytes_;
    std::size_t owed_ = 0;
    std::uint64_t asked_ = 0;
    Clock::time_point since_, due_;
};

class Thread {
public:
    Thread(const Options& options, Shared& shared, std::size_t number)
        : options_(options)
        , shared_(shared)
    {
        for (std::size_t i = number; i < options.connections; i += options.threads)
            clients_.push_back(std::make_unique<Client>(options, options.seed * 1'000'003 + i));
    }

    void run()
    {
        poll_ = ::epoll_create1(EPOLL_CLOEXEC);
        for (auto& client : clients_)
            watch(*client);
        const auto now = Clock::now();
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            clients_[i]->begin(now, i);
            if (options_.rate == 0)
                clients_[i]->ask(now);
        }
        std::array<epoll_event, 256> events{};
        while (!shared_.stopping.load(std::memory_order_relaxed)) {
            const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), timeout());
            for (int i = 0; i < count; ++i)
                serve(*static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr));
            if (options_.rate > 0)
                ask_those_due();
            if (options_.requests > 0 && is_done())
                break;
        }
        ::close(poll_);
    }

    const Figures& figures() const noexcept { return figures_; }

private:
    void watch(Client& client) const
    {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &client;
        if (::epoll_ctl(poll_, EPOLL_CTL_ADD, client.descriptor(), &event) != 0)
            throw std::runtime_error{"epoll_ctl"};
    }

    void serve(Client& client)
    {
        const bool all = client.take(figures_, shared_);
        shared_.answered.fetch_add(all ? options_.depth : 0, std::memory_order_relaxed);
        if (!all || client.is_done() || shared_.stopping.load(std::memory_order_relaxed))
            return;
        const auto now = Clock::now();
        if (options_.rate > 0 && client.due() > now)
            return;
        if (options_.churn) { // the old one closes, and so leaves the epoll set
            client.connect();
            watch(client);
        }
        client.ask(now);
    }

    void ask_those_due()
    {
        const auto now = Clock::now();
        for (auto& client : clients_)
            if (!client->is_asking() && client->due() <= now && !client->is_done())
                client->ask(now);
    }

    int timeout() const
    {
        if (options_.rate == 0)
            return 100;
        auto first = Clock::now() + std::chrono::milliseconds{100};
        for (const auto& client : clients_)
            if (!client->is_asking())
                first = std::min(first, client->due());
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(first - Clock::now()).count();
        return left <= 200
                   ? 0
                   : static_cast<int>(std::max<std::int64_t>(left / 1000, 0)); // waits out what is too short to sleep
    }

    bool is_done() const
    {
        for (const auto& client : clients_)
            if (!client->is_done() || client->is_asking())
                return false;
        return true;
    }

    const Options& options_;
    Shared& shared_;
    std::vector<std::unique_ptr<Client>> clients_;
    Figures figures_;
    int poll_ = -1;
};

double cpu_seconds()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void sleep_with_progress(const Options& options, const Shared& shared, double seconds, const char* what)
{
    const auto end = Clock::now() + std::chrono::duration<double>{seconds};
    auto before = shared.answered.load();
    while (Clock::now() < end) {
        const std::chrono::duration<double> left = end - Clock::now();
        std::this_thread::sleep_for(options.progress ? std::min(left, std::chrono::duration<double>{0.5}) : left);
        if (!options.progress)
            continue;
        const auto now = shared.answered.load();
        fmt::print(stderr, "\r  {} {:>10} a second ", what, (now - before) * 2);
        std::fflush(stderr);
        before = now;
    }
    if (options.progress)
        fmt::print(stderr, "\r{:40}\r", "");
}

int run(const Options& options)
{
    Shared shared;
    std::vector<std::unique_ptr<Connection>> idle;
    for (std::size_t i = 0; i < options.idle; ++i)
        idle.push_back(std::make_unique<Connection>(options.server));
    std::vector<std::unique_ptr<Thread>> threads;
    for (std::size_t i = 0; i < options.threads; ++i)
        threads.push_back(std::make_unique<Thread>(options, shared, i));
    shared.counting = options.requests > 0;
    std::exception_ptr failed;
    std::atomic_flag first = ATOMIC_FLAG_INIT;
    std::vector<std::jthread> running;
    auto began = Clock::now();
    auto cpu = cpu_seconds();
    for (auto& thread : threads)
        running.emplace_back([&] {
            try {
                thread->run();
            } catch (...) {
                if (!first.test_and_set())
                    failed = std::current_exception();
                shared.stopping = true;
            }
        });
    if (options.requests == 0) {
        sleep_with_progress(options, shared, options.warmup, "warming up");
        // A line before and after what counts: whoever measures the server takes its figures then.
        fmt::print("begin\n");
        std::fflush(stdout);
        began = Clock::now();
        cpu = cpu_seconds();
        shared.counting = true;
        sleep_with_progress(options, shared, options.seconds, "measuring");
        shared.counting = false;
        fmt::print("end\n");
        std::fflush(stdout);
        shared.stopping = true;
    }
    const auto counted = options.requests == 0 ? Clock::now() - began : Clock::duration{};
    running.clear();
    std::this_thread::sleep_for(std::chrono::duration<double>{options.linger});
    if (failed)
        std::rethrow_exception(failed);
    const std::chrono::duration<double> took = options.requests == 0 ? counted : Clock::now() - began;
    Figures all;
    for (const auto& thread : threads) {
        all.latencies.add(thread->figures().latencies);
        all.requests += thread->figures().requests;
        all.errors += thread->figures().errors;
    }
    const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
    fmt::print(R"({{"requests": {}, "errors": {}, "seconds": {:.3f}, "per_second": {:.1f}, "cpu_seconds": {:.3f}, )",
               all.requests, all.errors, took.count(), static_cast<double>(all.requests) / took.count(),
               cpu_seconds() - cpu);
    fmt::print(R"("latency_us": {{"mean": {:.1f})", all.latencies.mean() / 1000);
    for (const double part : {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999})
        fmt::print(R"(, "p{:g}": {:.1f})", part * 100, us(all.latencies.percentile(part)));
    fmt::print(R"(, "max": {:.1f}}}}})"
               "\n",
               us(all.latencies.max()));
    return all.errors == 0 ? 0 : 1;
}

} // namespace
} // namespace pgmemo::bench

int main(int argc, char** argv)
{
    using namespace pgmemo::bench;
    Options options;
    std::string mode = "prepared";
    CLI::App app{"Asks a PostgreSQL, or what stands for one, for a while; writes JSON."};
    app.add_option("--port", options.server.port)->required();
    app.add_option("--host", options.server.host, "an IPv4 address")->capture_default_str();
    app.add_option("--database", options.server.database)->capture_default_str();
    app.add_option("--user", options.server.user, "who needs no password")->capture_default_str();
    app.add_option("--mode", mode)->check(CLI::IsMember({"simple", "extended", "prepared"}))->capture_default_str();
    app.add_option("--read", options.workload.reads, "SQL, with $1 for the key; several: one by chance");
    app.add_option("--write", options.workload.writes, "the same, for writes");
    app.add_option("--writes", options.workload.write_share, "the part of requests that write")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--keys", options.workload.keys, "so many keys, from --first on")->check(CLI::PositiveNumber);
    app.add_option("--first", options.workload.first_key)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--distribution", options.workload.distribution, "uniform, zipf, zipf:S or sequential")
        ->capture_default_str();
    app.add_option("--connections", options.connections)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--idle", options.idle, "connections more that ask nothing")->capture_default_str();
    app.add_option("--threads", options.threads)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--depth", options.depth, "requests sent together")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--rate", options.rate, "requests a second in all: open loop")->check(CLI::NonNegativeNumber);
    app.add_option("--warmup", options.warmup, "seconds that do not count")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--requests", options.requests, "of each connection, instead of a time");
    app.add_flag("--churn", options.churn, "a new connection for each request");
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_option("--linger", options.linger, "seconds that connections stay open when all is over")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--progress", options.progress);
    CLI11_PARSE(app, argc, argv);
    options.workload.mode = mode == "simple" ? Mode::simple : mode == "extended" ? Mode::extended : Mode::prepared;
    if (options.workload.reads.empty() && options.workload.writes.empty())
        options.workload.reads.emplace_back("SELECT 1");
    options.threads = std::min(options.threads, options.connections);
    try {
        return run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "load: {}\n", error.what());
        return 2;
    }
}
