#include "cache/memory/tier.hpp"

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <random>
#include <unordered_map>

namespace pgmemo::cache {
namespace {

using namespace testing_support;

constexpr std::size_t kReply = 300;

/// The yardstick: least recently used, of so many entries of one size.
class Lru {
public:
    explicit Lru(std::size_t capacity)
        : capacity_(capacity)
    {
    }
    bool ask(int key)
    {
        const auto found = where_.find(key);
        if (found != where_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            return true;
        }
        if (order_.size() == capacity_) {
            where_.erase(order_.back());
            order_.pop_back();
        }
        order_.push_front(key);
        where_[key] = order_.begin();
        return false;
    }

private:
    std::size_t capacity_;
    std::list<int> order_;
    std::unordered_map<int, std::list<int>::iterator> where_;
};

std::vector<int> trace(double skew, bool with_scans, std::size_t length)
{
    constexpr std::size_t kKeys = 20'000;
    std::vector<double> cumulative(kKeys);
    double sum = 0;
    for (std::size_t rank = 0; rank < kKeys; ++rank)
        cumulative[rank] = sum += 1.0 / std::pow(static_cast<double>(rank + 1), skew);
    std::mt19937_64 random{42};
    std::uniform_real_distribution<double> uniform{0, sum};
    std::vector<int> keys;
    int next_scanned = 1'000'000;
    while (keys.size() < length) {
        if (with_scans && keys.size() % 20'000 == 19'999) {
            for (int i = 0; i < 5'000; ++i)
                keys.push_back(next_scanned++); // read once and never again
        }
        const auto at = std::lower_bound(cumulative.begin(), cumulative.end(), uniform(random));
        keys.push_back(static_cast<int>(at - cumulative.begin()));
    }
    return keys;
}

struct Outcome {
    double lru = 0;
    double ours = 0;
};

Outcome compare(const std::vector<int>& keys, std::size_t memory)
{
    MemoryTier tier{{memory, 4096}};
    const auto me = an_identity();
    // Of the same memory: LRU gets as many entries as ours could hold, its own overhead not counted.
    Lru lru{(memory - tier.overhead_bytes()) / Entry::charge_for(0, key_text(0).size(), kReply)};
    std::size_t lru_hits = 0;
    std::size_t hits = 0;
    for (const int key : keys) {
        lru_hits += lru.ask(key) ? 1 : 0;
        const auto body = key_text(key);
        if (tier.find({me, body}, kNow)) {
            ++hits;
            continue;
        }
        if (Entry* const entry = tier.allot({me, body, {}, kReply, Entry::kNever}, kNow)) {
            std::memset(entry->reply_room(), 'x', kReply);
            tier.publish(entry);
        }
    }
    const auto all = static_cast<double>(keys.size());
    return {static_cast<double>(lru_hits) / all, static_cast<double>(hits) / all};
}

class Eviction : public testing::TestWithParam<std::tuple<double, bool, std::size_t>> {};

TEST_P(Eviction, BeatsLruOnTheSameMemory)
{
    const auto [skew, with_scans, memory] = GetParam();
    const auto outcome = compare(trace(skew, with_scans, 300'000), memory);
    RecordProperty("hits_percent", std::to_string(100 * outcome.ours));
    RecordProperty("lru_hits_percent", std::to_string(100 * outcome.lru));
    std::printf("  zipf %.1f%s, %zu KiB: LRU %.1f %%, ours %.1f %%\n", skew, with_scans ? " with scans" : "",
                memory >> 10, 100 * outcome.lru, 100 * outcome.ours);
    EXPECT_GT(outcome.ours, outcome.lru + 0.01);
}

INSTANTIATE_TEST_SUITE_P(Traces, Eviction,
                         testing::Combine(testing::Values(0.8, 1.0), testing::Bool(),
                                          testing::Values(std::size_t{256} << 10, std::size_t{1} << 20)));

TEST(EvictionOf, ARefilledKeyTakesItsStandingBack)
{
    // A hot key that writes invalidate again and again must not fall to a scan in between.
    MemoryTier tier{{256u << 10, 4096}};
    const auto me = an_identity();
    Word word;
    const auto put = [&](const std::string& body, bool stamped) {
        const Entry::Pair stamp[] = {{&word, word.load()}};
        Entry* const entry = tier.allot({me, body, std::span{stamp, stamped ? 1u : 0u}, kReply, Entry::kNever}, kNow);
        ASSERT_NE(entry, nullptr);
        std::memset(entry->reply_room(), 'x', kReply);
        tier.publish(entry);
    };
    int scanned = 0;
    const auto scan = [&] {
        for (int i = 0; i < 150; ++i)
            put(key_text(scanned++), false);
    };
    put("hot", true);
    int hits = 0;
    for (int round = 0; round < 50; ++round) {
        tier.find({me, "hot"}, kNow);
        scan();
        hits += tier.find({me, "hot"}, kNow) ? 1 : 0;
        word.move();
        tier.find({me, "hot"}, kNow); // finds it dead
        put("hot", true);
    }
    EXPECT_EQ(hits, 50);
}

} // namespace
} // namespace pgmemo::cache
