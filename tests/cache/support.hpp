#pragma once

#include "cache/cache.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace pgmemo::cache::testing_support {

inline const Clock::time_point kNow = Clock::now();

inline std::shared_ptr<const Identity> an_identity(std::uint64_t id = 1)
{
    return std::make_shared<const Identity>(Identity{"database=shop role=app " + std::to_string(id), id});
}

/// Stores a reply as a session would, all in one piece.
inline Stored store(Cache& cache, const std::shared_ptr<const Identity>& identity, std::string_view body,
                    std::string_view reply, const Words& words = {},
                    std::optional<std::chrono::milliseconds> ttl = std::nullopt, Clock::time_point now = kNow)
{
    auto fill = cache.begin_fill({identity, body}, Stamp{words}, 64u << 20, ttl);
    if (!fill.is_open() || !fill.append(reply))
        return Stored::no_room;
    return cache.finish_fill(std::move(fill), now);
}

inline std::string found(Cache& cache, const std::shared_ptr<const Identity>& identity, std::string_view body,
                         Clock::time_point now = kNow)
{
    const auto entry = cache.find({identity, body}, now);
    return entry ? std::string{reply_of(*entry)} : "(nothing)";
}

/// Keys of one length, so that entries are of one size.
inline std::string key_text(int key)
{
    return "SELECT " + std::to_string(10'000'000 + key);
}

} // namespace pgmemo::cache::testing_support
