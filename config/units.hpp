#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::config {

/// "4096", "64KiB", "256MiB", "1GiB" (powers of 1024), "1kB", "1MB", "1GB" (powers of 1000). Nullopt for anything else
/// and for what does not fit.
std::optional<std::size_t> parse_size(std::string_view text) noexcept;

/// "10ms", "60s", "10m", "1h", "1d". A number without a unit is refused: it would be a guess.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;

/// As parse_size reads it, in the largest unit that says it exactly.
std::string size_text(std::size_t bytes);

} // namespace pgmemo::config
