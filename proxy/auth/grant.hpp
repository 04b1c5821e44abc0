#pragma once

#include "config/auth.hpp"
#include "proxy/auth/crypto.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

namespace pgmemo::proxy::auth {

/// That a session may be answered from the cache, as long as whoever logged in could do so still. PostgreSQL itself
/// lets a session go on whose login was revoked, and so does pgmemo; but what it asks then goes to PostgreSQL.
///
/// Every check that finds all in order makes it good for auth.recheck more, counted from before the check; one that
/// cannot be made does not. Threads: the session's reads, the authority's writes.
class Grant {
public:
    using Clock = std::chrono::steady_clock;

    /// `secret`: a hash of what the password was compared with; nullopt where there was no password.
    Grant(config::Origin origin, std::optional<Digest> secret, Clock::time_point good_until)
        : origin_(std::move(origin))
        , secret_(secret)
        , good_until_(good_until.time_since_epoch().count())
    {
    }

    bool holds(Clock::time_point now) const noexcept
    {
        return now.time_since_epoch().count() < good_until_.load(std::memory_order_acquire);
    }
    void prolong(Clock::time_point until) noexcept
    {
        good_until_.store(until.time_since_epoch().count(), std::memory_order_release);
    }
    void end() noexcept
    {
        good_until_.store(Clock::time_point::min().time_since_epoch().count(), std::memory_order_release);
    }

    const config::Origin& origin() const noexcept { return origin_; }
    const std::optional<Digest>& secret() const noexcept { return secret_; }

private:
    const config::Origin origin_;
    const std::optional<Digest> secret_;
    std::atomic<Clock::rep> good_until_;
};

} // namespace pgmemo::proxy::auth
