#include "observe/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace pgmemo::observe {
namespace {

using std::chrono::nanoseconds;

double seconds(nanoseconds latency)
{
    return static_cast<double>(latency.count()) / 1e9;
}

TEST(Latency, ABucketIncludesItsUpperBoundAndNothingAboveIt)
{
    for (std::size_t bucket = 0; bucket + 1 < Latency::kBuckets; ++bucket) {
        const nanoseconds edge{std::llround(Latency::upper_bound_seconds(bucket) * 1e9)};
        EXPECT_EQ(Latency::bucket_of(edge), bucket);
        EXPECT_EQ(Latency::bucket_of(edge + nanoseconds{1}), bucket + 1);
    }
    EXPECT_TRUE(std::isinf(Latency::upper_bound_seconds(Latency::kBuckets - 1)));
}

TEST(Latency, AnyTimeLiesInItsBucket)
{
    std::mt19937_64 random{1};
    for (int i = 0; i < 200'000; ++i) {
        const nanoseconds latency{static_cast<std::int64_t>(random() >> (random() % 40 + 24))};
        const auto bucket = Latency::bucket_of(latency);
        ASSERT_LT(bucket, Latency::kBuckets);
        EXPECT_LE(seconds(latency), Latency::upper_bound_seconds(bucket) * (1 + 1e-12)) << latency.count();
        if (bucket > 0) {
            EXPECT_GT(seconds(latency), Latency::upper_bound_seconds(bucket - 1) * (1 - 1e-12)) << latency.count();
        }
    }
}

TEST(Latency, IsKnownToAQuarterAboveOneMicrosecond)
{
    for (std::size_t bucket = 1; bucket + 1 < Latency::kBuckets; ++bucket) {
        const double ratio = Latency::upper_bound_seconds(bucket) / Latency::upper_bound_seconds(bucket - 1);
        EXPECT_GT(ratio, 1.1);
        EXPECT_LE(ratio, 1.2500001);
    }
}

TEST(Latency, TakesTheImpossible)
{
    EXPECT_EQ(Latency::bucket_of(nanoseconds{-5}), 0u);
    EXPECT_EQ(Latency::bucket_of(nanoseconds{0}), 0u);
    EXPECT_EQ(Latency::bucket_of(nanoseconds::max()), Latency::kBuckets - 1);
}

TEST(Latency, CountsAndSums)
{
    Latency latency;
    latency.record(std::chrono::microseconds{5});
    latency.record(std::chrono::seconds{2});
    latency.record(nanoseconds{-1});
    const auto counts = latency.read();
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 3u);
    EXPECT_EQ(counts[Latency::bucket_of(std::chrono::seconds{2})], 1u);
    EXPECT_DOUBLE_EQ(latency.sum_seconds(), 2.000005);
}

} // namespace
} // namespace pgmemo::observe
