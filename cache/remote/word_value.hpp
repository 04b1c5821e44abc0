#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::cache {

/// Who has commits in flight: one connection of one pgmemo to the store. The process is in the high 40 bits, a number
/// of the connection, never reused in the process, in the low 24.
using Owner = std::uint64_t;

inline constexpr unsigned kOwnerBits = 24;
/// Of the owners that stand in a word created anew: nobody's, so they are found dead after a lease.
inline constexpr std::uint64_t kNobody = (std::uint64_t{1} << 40) - 1;
constexpr std::uint64_t process_of(Owner owner) noexcept
{
    return owner >> kOwnerBits;
}

/// A version word as it stands in the store: its version, then the owners that have commits in flight, each eight bytes
/// in big-endian order. Versions are drawn by chance: one that was used before does not come again, whatever was lost.
///
/// Fit:  no more than kMaxOwners; what is longer, or no multiple of eight, is nobody's word.
class WordValue {
public:
    static constexpr std::size_t kMaxOwners = 1'000;

    static std::optional<WordValue> read(std::string_view bytes) noexcept;

    std::uint64_t version() const noexcept { return at(0); }
    std::size_t owners() const noexcept { return bytes_.size() / 8 - 1; }
    Owner owner(std::size_t index) const noexcept { return at(index + 1); }

private:
    explicit WordValue(std::string_view bytes) noexcept
        : bytes_(bytes)
    {
    }
    std::uint64_t at(std::size_t index) const noexcept;

    std::string_view bytes_;
};

/// Eight bytes, big-endian.
std::string word_bytes(std::uint64_t number);

} // namespace pgmemo::cache
