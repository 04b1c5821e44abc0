// What the cache says it takes, held against what malloc and the kernel say.

#include "cache/cache.hpp"
#include "cache/state.hpp"

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
        Versions& versions = cache.versions();
        Word* const wide = &versions.wide(1, 1, 1);
        Word* const database = &versions.database(1);
        const std::string bytes(1u << 20, 'x');
        std::atomic<std::size_t> stored{0};
        const auto store_one = [&](int key, std::size_t size) {
            const std::string text = key_text(key);
            Word* const slot = &versions.slot(1, 1, 1, text);
            if (key % 100 == 0)
                slot->move(); // so that its page is ours
            const Words words{database, wide, slot};
            auto fill = cache.begin_fill({me, text}, Stamp{words}, 1u << 20, {});
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
        EXPECT_EQ(versions.slot_bytes(), kMemory / 32);
        EXPECT_GE(highest_said, versions.slot_bytes());
        std::printf("  %s: limit %zu KiB, said %zu KiB, malloc %zu KiB, resident %zu KiB, %zu stored, %zu entries\n",
                    GetParam().name, kMemory >> 10, highest_said >> 10, highest_heap >> 10, highest_resident >> 10,
                    stored.load(), static_cast<std::size_t>(cache.stats().entries));
    }
    if (!kMallocIsOurs)
        return;
    EXPECT_LE(highest_heap, kMemory);
    const std::size_t highest_said_of_heap = highest_said - kMemory / 32; // the slots are no malloc's
    EXPECT_LE(highest_heap, highest_said_of_heap * 105 / 100 + (1u << 20))
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

TEST(Bound, OfTheSlotsTakesMemoryOnlyForThoseThatAreUsed)
{
    if (!kMallocIsOurs)
        GTEST_SKIP() << "a sanitizer's shadow is resident too";
    const auto before = resident();
    Versions versions{1u << 22};
    ASSERT_EQ(versions.slot_bytes(), 32u << 20);
    EXPECT_LE(resident(), before + (1u << 20));
    versions.slot(1, 1, 1, "7").move();
    EXPECT_LE(resident(), before + (4u << 20)) << "one page, be it a huge one";
    for (int i = 0; i < 500'000; ++i)
        versions.slot(1, 1, 1, std::to_string(i)).move();
    EXPECT_GE(resident(), before + (30u << 20)) << "which shows that it is counted at all";
    EXPECT_LE(resident(), before + (34u << 20));
}

struct SlotShare {
    std::size_t memory;
    std::size_t slots; ///< words
};

TEST(Bound, OfTheSlotsIsAShareOfTheMemory)
{
    constexpr std::size_t kMi = 1u << 20;
    for (const auto& [memory, slots] :
         {SlotShare{0, 0}, SlotShare{50'000, 512}, SlotShare{kMi / 4, 4'096}, SlotShare{kMi, 4'096},
          SlotShare{2 * kMi - 1, 4'096}, SlotShare{2 * kMi, 8'192}, SlotShare{3 * kMi, 8'192},
          SlotShare{240 * kMi, 1u << 19}, SlotShare{256 * kMi, 1u << 20}, SlotShare{1'024 * kMi, 1u << 22},
          SlotShare{64 * 1'024 * kMi, 1u << 22}}) {
        SCOPED_TRACE(memory);
        const Shares shares{memory, 0};
        EXPECT_EQ(shares.slots, slots * sizeof(Word));
        EXPECT_LE(shares.entries + shares.identities + shares.fills + shares.slots, memory);
        EXPECT_GE(shares.entries, memory / 2);
    }
    Cache cache{{4 * kMi, 64u << 10}};
    EXPECT_EQ(cache.versions().slot_bytes(), 4 * kMi / 32);
    EXPECT_GE(cache.stats().overhead_bytes, cache.versions().slot_bytes());
}

} // namespace
} // namespace pgmemo::cache
