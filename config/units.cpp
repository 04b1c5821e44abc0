#include "config/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace pgmemo::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr std::array kSizes{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"KiB", kKibi},
    Unit{"MiB", kKibi* kKibi},
    Unit{"GiB", kKibi* kKibi* kKibi},
    Unit{"TiB", kKibi* kKibi* kKibi* kKibi},
    Unit{"kB", 1'000},
    Unit{"KB", 1'000},
    Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"TB", 1'000'000'000'000},
};
constexpr std::array kDurations{
    Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000},
};

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) noexcept
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{})
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.size() > 1 && text.front() == ' ')
        text.remove_prefix(1);
    for (const Unit& unit : units) {
        if (unit.name != text)
            continue;
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit.factor)
            return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

} // namespace

std::optional<std::size_t> parse_size(std::string_view text) noexcept
{
    return parse(text, kSizes);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept
{
    const auto value = parse(text, kDurations);
    if (!value)
        return std::nullopt;
    return std::chrono::milliseconds{static_cast<std::int64_t>(*value)};
}

std::string size_text(std::size_t bytes)
{
    const Unit* best = &kSizes[0];
    for (std::size_t i = 2; i <= 5; ++i) {
        if (bytes != 0 && bytes % kSizes[i].factor == 0)
            best = &kSizes[i];
    }
    return fmt::format("{}{}", bytes / best->factor, best->name);
}

} // namespace pgmemo::config
