// How good the memory tier is at keeping what is asked for again: its hit ratio on request streams that are larger than
// it, beside that of LRU and of the optimum (Belady's, which knows the future), both with room for as many entries as
// pgmemo held.
//
// Streams: Zipf alone, and Zipf with scans in between, which is the shape that block storage and CDN traces are known
// for
// ("FIFO Queues are All You Need for Cache Eviction", SOSP 2023, from where the tier's S3-FIFO comes).

#include "bench/keys.hpp"
#include "cache/cache.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <list>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace pgmemo::bench {
namespace {

using Trace = std::vector<std::uint32_t>;

/// `scans`: the part of requests that belong to scans of keys which nobody else asks for, each `scan_length` long.
Trace make_trace(double s, std::uint32_t keys, std::size_t requests, double scans, std::size_t scan_length)
{
    std::mt19937_64 random{7};
    Keys popular{"zipf:" + std::to_string(s), keys};
    Trace trace;
    trace.reserve(requests);
    std::uint32_t next_scanned = keys + 1;
    std::uniform_real_distribution chance;
    while (trace.size() < requests) {
        if (scans > 0 && chance(random) < scans / static_cast<double>(scan_length))
            for (std::size_t i = 0; i < scan_length && trace.size() < requests; ++i)
                trace.push_back(next_scanned++);
        else
            trace.push_back(static_cast<std::uint32_t>(popular.next(random)));
    }
    return trace;
}

std::size_t distinct(const Trace& trace)
{
    auto sorted = trace;
    std::sort(sorted.begin(), sorted.end());
    return static_cast<std::size_t>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
}

struct Outcome {
    double hit_ratio = 0;
    std::size_t entries = 0; ///< held at the end
};

constexpr std::size_t kReplyBytes = 120;

std::string key_of(std::uint32_t number)
{
    return fmt::format("QSELECT abalance FROM accounts WHERE aid = {:09}", number);
}

Outcome through_the_cache(const Trace& trace, std::size_t memory_bytes)
{
    cache::Cache cache{{.memory_bytes = memory_bytes, .max_entry_bytes = 1u << 20}};
    const auto identity = cache.identities().intern("database=bench");
    const auto now = cache::Clock::now();
    const std::string reply(kReplyBytes, 'r');
    std::size_t hits = 0;
    for (const auto number : trace) {
        const auto key = key_of(number);
        if (cache.find({identity, key}, now)) {
            ++hits;
            continue;
        }
        auto fill = cache.begin_fill({identity, key}, {}, 1u << 20, std::nullopt);
        fill.append(reply);
        cache.finish_fill(std::move(fill), now);
    }
    return {static_cast<double>(hits) / static_cast<double>(trace.size()), cache.stats().entries};
}

double by_lru(const Trace& trace, std::size_t room)
{
    std::list<std::uint32_t> order; // the most recent first
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> held;
    std::size_t hits = 0;
    for (const auto key : trace) {
        if (const auto found = held.find(key); found != held.end()) {
            ++hits;
            order.splice(order.begin(), order, found->second);
            continue;
        }
        order.push_front(key);
        held[key] = order.begin();
        if (order.size() > room) {
            held.erase(order.back());
            order.pop_back();
        }
    }
    return static_cast<double>(hits) / static_cast<double>(trace.size());
}

/// Drops what is asked for again last. Source: L. A. Belady, "A study of replacement algorithms", 1966.
double by_the_optimum(const Trace& trace, std::size_t room)
{
    constexpr auto kNever = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> next(trace.size(), kNever);
    std::unordered_map<std::uint32_t, std::size_t> last;
    for (std::size_t i = trace.size(); i-- > 0;) {
        if (const auto found = last.find(trace[i]); found != last.end())
            next[i] = found->second;
        last[trace[i]] = i;
    }
    std::set<std::pair<std::size_t, std::uint32_t>> by_next; // of what is held
    std::unordered_map<std::uint32_t, std::size_t> held;
    std::size_t hits = 0;
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const auto key = trace[i];
        if (const auto found = held.find(key); found != held.end()) {
            ++hits;
            by_next.erase({found->second, key});
        } else if (held.size() >= room) {
            const auto worst = std::prev(by_next.end());
            if (worst->first <= next[i])
                continue; // this one is asked for later than all of them
            held.erase(worst->second);
            by_next.erase(worst);
        }
        held[key] = next[i];
        by_next.emplace(next[i], key);
    }
    return static_cast<double>(hits) / static_cast<double>(trace.size());
}

/// Bytes that an entry takes beyond its key and reply.
double overhead_of_an_entry()
{
    constexpr std::uint32_t kCount = 100'000;
    cache::Cache cache{{.memory_bytes = 256u << 20, .max_entry_bytes = 1u << 20}};
    const auto identity = cache.identities().intern("database=bench");
    const auto before = cache.stats();
    std::size_t bare = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
        const auto key = key_of(i);
        auto fill = cache.begin_fill({identity, key}, {}, 1u << 20, std::nullopt);
        fill.append(std::string(kReplyBytes, 'r'));
        cache.finish_fill(std::move(fill), cache::Clock::now());
        bare += key.size() + kReplyBytes;
    }
    const auto after = cache.stats();
    const auto used = after.bytes + after.overhead_bytes - before.bytes - before.overhead_bytes;
    return (static_cast<double>(used) - static_cast<double>(bare)) / kCount;
}

void compare(const char* name, const Trace& trace)
{
    // The cache is given memory; the others are given as many entries as that turned out to hold.
    const auto keys = distinct(trace);
    constexpr std::size_t kEntryBytes = 272;
    fmt::print("{}: {} requests of {} keys\n", name, trace.size(), keys);
    fmt::print("  {:>12} {:>10} {:>8} {:>8} {:>8} {:>26}\n", "memory", "entries", "LRU", "pgmemo", "optimum",
               "misses against LRU's");
    for (const double part : {0.01, 0.1, 0.3}) {
        const auto memory = static_cast<std::size_t>(part * static_cast<double>(keys * kEntryBytes)) + (1u << 20);
        const auto ours = through_the_cache(trace, memory);
        const auto lru = by_lru(trace, ours.entries);
        const auto optimum = by_the_optimum(trace, ours.entries);
        fmt::print("  {:>9.1f} MB {:>9.1f}% {:>8.4f} {:>8.4f} {:>8.4f} {:>25.1f}%\n", static_cast<double>(memory) / 1e6,
                   100.0 * static_cast<double>(ours.entries) / static_cast<double>(keys), lru, ours.hit_ratio, optimum,
                   100 * (1 - ours.hit_ratio) / (1 - lru) - 100);
    }
}

} // namespace
} // namespace pgmemo::bench

int main(int argc, char** argv)
{
    using namespace pgmemo::bench;
    std::uint32_t keys = 200'000;
    std::size_t requests = 4'000'000;
    CLI::App app{"The memory tier's hit ratio beside LRU's and the optimum's, and what an entry takes."};
    app.add_option("--keys", keys)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--requests", requests)->check(CLI::PositiveNumber)->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    fmt::print("memory of an entry beyond its key and reply: {:.0f} bytes\n", overhead_of_an_entry());
    compare("Zipf, s = 0.8", make_trace(0.8, keys, requests, 0, 1));
    compare("Zipf, s = 1.0", make_trace(1.0, keys, requests, 0, 1));
    compare("Zipf, s = 1.2", make_trace(1.2, keys, requests, 0, 1));
    compare("Zipf, s = 1.0, a tenth of it scans", make_trace(1.0, keys, requests, 0.1, 2'000));
    compare("Zipf, s = 1.0, half of it scans", make_trace(1.0, keys, requests, 0.5, 20'000));
}
