#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace pgmemo::bench {

/// Keys from 1 to `count`. Zipf: the n-th most frequent comes with a probability in proportion to n to the power of -s,
/// and which keys are frequent is scattered over all of them.
class Keys {
public:
    /// `distribution`: `uniform`, `zipf` (s = 0.99), `zipf:S`, or `sequential`. Throws std::invalid_argument.
    Keys(std::string_view distribution, std::uint64_t count);

    template <class Random>
    std::uint64_t next(Random& random)
    {
        if (sequential_)
            return next_++ % count_ + 1;
        if (steps_.empty())
            return std::uniform_int_distribution<std::uint64_t>{1, count_}(random);
        return scattered(std::uniform_real_distribution<double>{0, steps_.back()}(random));
    }

private:
    std::uint64_t scattered(double at) const;

    std::uint64_t count_;
    bool sequential_ = false;
    std::uint64_t next_ = 0;
    std::vector<double> steps_; ///< of Zipf: the sums of the weights
};

} // namespace pgmemo::bench
