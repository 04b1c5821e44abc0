#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pgmemo::bench {

/// Durations in nanoseconds, in buckets of under 1.6 % of their value: 64 equal ones in each power of two.
/// Source: the layout of HdrHistogram (Gil Tene), http://hdrhistogram.org.
class Histogram {
public:
    void record(std::uint64_t ns, std::uint64_t count = 1) noexcept
    {
        counts_[index_of(ns)] += count;
        total_ += count;
        sum_ += ns * count;
        max_ = ns > max_ ? ns : max_;
    }
    void add(const Histogram& other) noexcept
    {
        for (std::size_t i = 0; i < counts_.size(); ++i)
            counts_[i] += other.counts_[i];
        total_ += other.total_;
        sum_ += other.sum_;
        max_ = other.max_ > max_ ? other.max_ : max_;
    }
    std::uint64_t count() const noexcept { return total_; }
    std::uint64_t max() const noexcept { return max_; }
    double mean() const noexcept { return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_); }
    /// The least value that `part` of all do not exceed, rounded up to its bucket; 0 when there are none.
    std::uint64_t percentile(double part) const noexcept
    {
        const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(total_) + 0.5);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted && seen > 0)
                return upper_of(i) < max_ ? upper_of(i) : max_;
        }
        return max_;
    }

private:
    static constexpr unsigned kBits = 6;
    static constexpr std::size_t kPerPower = std::size_t{1} << kBits;

    static std::size_t index_of(std::uint64_t ns) noexcept
    {
        if (ns < kPerPower)
            return ns;
        const auto power = static_cast<unsigned>(std::bit_width(ns)) - 1 - kBits; // the bits below the bucket
        return (power + 1) * kPerPower + ((ns >> power) & (kPerPower - 1));
    }
    static std::uint64_t upper_of(std::size_t index) noexcept
    {
        if (index < kPerPower)
            return index;
        const auto power = index / kPerPower - 1;
        return (((index % kPerPower) + kPerPower + 1) << power) - 1;
    }

    std::array<std::uint64_t, (64 - kBits + 1) * kPerPower> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace pgmemo::bench
