#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pgmemo::cache {

/// The ghost queue of S3-FIFO: which keys were let go lately. Hashes and times in a table of fixed size, four ways to a
/// bucket, the oldest overwritten: a forgotten or a mistaken key costs a wrong guess about its worth, nothing else.
class Ghost {
public:
    explicit Ghost(std::size_t max_bytes)
        : slots_(std::bit_floor(std::max<std::size_t>(max_bytes / sizeof(Slot), kWays)))
        , mask_(slots_.size() - 1)
    {
    }

    std::size_t bytes() const noexcept { return slots_.size() * sizeof(Slot); }

    void remember(std::uint64_t hash) noexcept
    {
        Slot* const bucket = bucket_of(hash);
        const auto oldest =
            std::min_element(bucket, bucket + kWays, [this](const Slot& a, const Slot& b) { return age(a) > age(b); });
        *oldest = {tag_of(hash), ++time_};
    }

    /// Whether it was among the last `window` to be remembered. Forgets it.
    bool recall(std::uint64_t hash, std::size_t window) noexcept
    {
        Slot* const bucket = bucket_of(hash);
        for (std::size_t way = 0; way < kWays; ++way) {
            Slot& slot = bucket[way];
            if (slot.tag == tag_of(hash) && age(slot) < window) {
                slot = {};
                return true;
            }
        }
        return false;
    }

private:
    struct Slot {
        std::uint32_t tag = 0; ///< 0 is empty
        std::uint32_t time = 0;
    };
    static constexpr std::size_t kWays = 4;

    static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 16) | 1u; }
    Slot* bucket_of(std::uint64_t hash) noexcept { return &slots_[(hash >> 32) & mask_ & ~(kWays - 1)]; }
    std::uint32_t age(const Slot& slot) const noexcept
    {
        return slot.tag == 0 ? std::numeric_limits<std::uint32_t>::max() : time_ - slot.time;
    }

    std::vector<Slot> slots_;
    std::size_t mask_;
    std::uint32_t time_ = 0;
};

} // namespace pgmemo::cache
