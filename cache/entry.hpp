#pragma once

#include "cache/identity.hpp"
#include "cache/versions.hpp"

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace pgmemo::cache {

using Clock = std::chrono::steady_clock;

/// Everything that determines a reply, borrowed for one call.
struct Key {
    const std::shared_ptr<const Identity>& identity;
    std::string_view body; ///< the form of the protocol and the SQL text (later: parameters and formats too)
};

/// A stored reply. Immutable once stored, but for its reference count and what the eviction notes on it. One allocation
/// holds it whole (header, stamp, key body, reply), so that its size is known and a hit touches few lines.
///
/// Reference-counted: a slow reader never copies one, an eviction never waits for one. Bytes count against the bound of
/// the cache until the last reference is gone.
class Entry;
using EntryRef = boost::intrusive_ptr<const Entry>;

void intrusive_ptr_add_ref(const Entry*) noexcept;
void intrusive_ptr_release(const Entry*) noexcept;

std::string_view reply_of(const Entry&) noexcept; ///< the stored bytes
std::span<const std::pair<Word*, std::uint64_t>> stamp_of(const Entry&) noexcept;
bool is_current(const Entry&) noexcept; ///< its stamp equals the present

} // namespace pgmemo::cache
