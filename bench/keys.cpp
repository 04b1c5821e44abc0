#include "bench/keys.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

namespace pgmemo::bench {

Keys::Keys(std::string_view distribution, std::uint64_t count)
    : count_(count)
    , sequential_(distribution == "sequential")
{
    if (count == 0)
        throw std::invalid_argument{"no keys"};
    if (sequential_ || distribution == "uniform")
        return;
    if (!distribution.starts_with("zipf"))
        throw std::invalid_argument{"a distribution is uniform, zipf, zipf:S or sequential"};
    const auto colon = distribution.find(':');
    const double s = colon == std::string_view::npos ? 0.99 : std::stod(std::string{distribution.substr(colon + 1)});
    steps_.reserve(count);
    double sum = 0;
    for (std::uint64_t n = 1; n <= count; ++n)
        steps_.push_back(sum += std::pow(static_cast<double>(n), -s));
}

std::uint64_t Keys::scattered(double at) const
{
    const auto rank = static_cast<std::uint64_t>(std::upper_bound(steps_.begin(), steps_.end(), at) - steps_.begin());
    // A multiplication by a number that shares no factor with the count takes every key to another one.
    auto factor = 2'654'435'761U % count_;
    while (factor < 2 || std::gcd(factor, count_) != 1)
        if (++factor > count_)
            return std::min(rank, count_ - 1) + 1;
    return std::min(rank, count_ - 1) * factor % count_ + 1;
}

} // namespace pgmemo::bench
