// What the cache says it takes, held against what malloc and the kernel say.

#include "cache/cache.hpp"

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>

namespace pgmemo::cache {
namespace {

using namespace testing_support;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kMallocIsOurs = false; // a sanitizer's has other sizes
constexpr int kFills = 30'000;
constexpr std::size_t kFillBytes = 200u << 20;
#else
constexpr bool kMallocIsOurs = true;
constexpr int kFills = 300'000;
constexpr std::size_t kFillBytes = std::size_t{1} << 30;
#endif

constexpr std::size_t kMemory = 32u << 20;

std::size_t heap()
{
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd; // entries with pages of their own are in neither
}

std::size_t resident()
{
    std::ifstream file{"/proc/self/statm"};
    std::size_t total = 0;
    std::size_t resident_pages = 0;
    file >> total >> resident_pages;
    return resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

struct Mix {
    const char* name;
    std::size_t (*size)(std::mt19937&);
};

std::ostream& operator<<(std::ostream& out, const Mix& mix)
{
    return out << mix.name;
}

class Bound : public testing::TestWithParam<Mix> {};

TEST_P(Bound, HoldsAgainstWhatMallocSays)
{
    malloc_trim(0);
    const std::size_t heap_before = heap();
    const std::size_t resident_before = resident();
    std::size_t highest_heap = 0;
    std::size_t highest_resident = 0;
    std::size_t highest_said = 0;
    {
        Cache cache{{kMemory, 1u << 20}};
        const auto me = cache.identities().intern("me");
        Word& word = cache.versions().relation(1, 1);
        const Words words{&word, &cache.versions().database(1)};
        const std::string bytes(1u << 20, 'x');
        std::atomic<std::size_t> stored{0};
        const auto store_one = [&](int key, std::size_t size) {
            auto fill = cache.begin_fill({me, key_text(key)}, Stamp{words}, 1u << 20, {});
            if (fill.append(std::string_view{bytes}.substr(0, size)) &&
                cache.finish_fill(std::move(fill), kNow) == Stored::yes)
                ++stored;
        };
        std::atomic<bool> done{false};
        std::vector<std::thread> others; // read, hold what they read for a while, and store from arenas of their own
        for (unsigned t = 0; t < 2; ++t) {
            others.emplace_back([&, t] {
                std::mt19937 random{t};
                std::deque<EntryRef> held;
                while (!done) {
                    const auto key = static_cast<int>(random() % 1'000'000);
                    if (auto entry = cache.find({me, key_text(key)}, kNow))
                        held.push_back(std::move(entry));
                    if (held.size() > 10)
                        held.pop_front();
                    if (key % 4 == 0)
                        store_one(key, GetParam().size(random));
                }
            });
        }
        std::mt19937 random{7};
        std::size_t sum = 0;
        for (int i = 0; i < kFills && sum < kFillBytes; ++i) {
            const std::size_t size = GetParam().size(random);
            sum += size;
            store_one(i, size);
            if (i % 997 == 0 || size > 500'000) {
                const auto stats = cache.stats();
                const std::size_t said = stats.bytes + stats.overhead_bytes + stats.fill_bytes;
                ASSERT_LE(said, kMemory);
                highest_said = std::max(highest_said, said);
                highest_heap = std::max(highest_heap, heap() - std::min(heap(), heap_before));
                highest_resident = std::max(highest_resident, resident() - std::min(resident(), resident_before));
            }
        }
        done = true;
        for (auto& other : others)
            other.join();
        EXPECT_GT(stored, 100u);
        std::printf("  %s: limit %zu KiB, said %zu KiB, malloc %zu KiB, resident %zu KiB, %zu stored, %zu entries\n",
                    GetParam().name, kMemory >> 10, highest_said >> 10, highest_heap >> 10, highest_resident >> 10,
                    stored.load(), static_cast<std::size_t>(cache.stats().entries));
    }
    if (!kMallocIsOurs)
        return;
    EXPECT_LE(highest_heap, kMemory);
    EXPECT_LE(highest_heap, highest_said * 105 / 100 + (1u << 20))
        << "charges are honest; 1 MiB is for what is in the threads' own caches";
    EXPECT_LE(highest_resident, kMemory * 103 / 100);
}

INSTANTIATE_TEST_SUITE_P(
    Entries, Bound,
    testing::Values(Mix{"Tiny", [](std::mt19937& random) -> std::size_t { return random() % 60; }},
                    Mix{"Usual", [](std::mt19937& random) -> std::size_t { return 200 + random() % 4000; }},
                    Mix{"Mixed",
                        [](std::mt19937& random) -> std::size_t {
                            return std::size_t{1} << (random() % 20) | (random() % 1000);
                        }},
                    Mix{"Large", [](std::mt19937& random) -> std::size_t { return 100'000 + random() % 900'000; }}),
    [](const auto& row) { return std::string{row.param.name}; });

} // namespace
} // namespace pgmemo::cache
