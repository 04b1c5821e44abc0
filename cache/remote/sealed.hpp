#pragma once

#include "cache/entry.hpp"
#include "cache/remote/words.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::cache {

/// A keyed hash (SipHash-2-4, 128 bits; Aumasson and Bernstein, 2012), by OpenSSL. Who does not have the key can
/// neither make what has the right sum nor choose what collides. Threads: safe.
class Seal {
public:
    using Sum = std::array<char, 16>;

    explicit Seal(std::string_view secret); ///< of any length
    Sum operator()(std::initializer_list<std::string_view> parts) const;

private:
    std::array<unsigned char, 16> key_{};
};

/// An entry as it stands in the store. Everything in it is covered by a keyed checksum, and it holds its whole key: a
/// value that was cut short, made by another version or by anybody else, or put under another's key, is none.
///
/// Layout, integers big-endian: "pgm1"; flags, 1 byte (1: the rest is compressed by zstd); checksum, 16 bytes, of what
/// follows and what was before; size of the rest before compression, 4 bytes; then the rest: when it was read, 8 bytes
/// of milliseconds since 1970; until when it may be served, likewise, 0 for ever; the number of words of its stamp, 4
/// bytes, and of each its name's length, 2 bytes, the name without the prefix, the version, 8 bytes; the identity's and
/// the body's lengths, 4 bytes each, both texts; the reply.
struct RemoteEntry {
    using WallClock = std::chrono::system_clock;

    std::chrono::milliseconds read_at{}; ///< since 1970
    std::chrono::milliseconds expires{}; ///< likewise; 0: never
    std::vector<std::pair<std::string_view, std::uint64_t>> stamp;
    std::string_view identity;
    std::string_view body;
    std::string_view reply;
};

inline constexpr std::size_t kMaxSealedWords = 4'096;

std::string seal_entry(const Seal&, const RemoteEntry&, std::size_t compress_from);

/// What was sealed; its views are of `bytes`, or of `room`, which holds what was compressed. Nullopt for anything else.
/// `most`: bytes of the uncompressed rest.
std::optional<RemoteEntry> open_entry(const Seal&, std::string_view bytes, std::string& room, std::size_t most);

} // namespace pgmemo::cache
