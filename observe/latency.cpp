#include "observe/metrics.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace pgmemo::observe {

namespace {

constexpr std::uint64_t kQuarter_ns = 250; // of the first microsecond: the width of the narrowest bucket

} // namespace

std::size_t Latency::bucket_of(std::chrono::nanoseconds latency) noexcept
{
    if (latency.count() <= 0)
        return 0;
    // How many whole quarters lie below it; 1 less, so that a bucket includes its upper bound.
    const auto quarters = static_cast<std::uint64_t>(latency.count() - 1) / kQuarter_ns;
    if (quarters < 4)
        return 0;
    const auto octave = static_cast<std::size_t>(std::bit_width(quarters)) - 3;
    const auto step = static_cast<std::size_t>(quarters >> octave) - 4;
    return std::min(1 + 4 * octave + step, kBuckets - 1);
}

void Latency::record(std::chrono::nanoseconds latency) noexcept
{
    buckets_[bucket_of(latency)].add();
    sum_ns_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0)));
}

std::array<std::uint64_t, Latency::kBuckets> Latency::read() const noexcept
{
    std::array<std::uint64_t, kBuckets> counts{};
    std::transform(buckets_.begin(), buckets_.end(), counts.begin(), [](const Count& count) { return count.read(); });
    return counts;
}

double Latency::sum_seconds() const noexcept
{
    return static_cast<double>(sum_ns_.read()) / 1e9;
}

double Latency::upper_bound_seconds(std::size_t bucket) noexcept
{
    if (bucket == 0)
        return 1e-6;
    if (bucket >= kBuckets - 1)
        return std::numeric_limits<double>::infinity();
    const std::size_t octave = (bucket - 1) / 4;
    const std::size_t step = (bucket - 1) % 4;
    return static_cast<double>(((5 + step) << octave) * kQuarter_ns) / 1e9;
}

} // namespace pgmemo::observe
