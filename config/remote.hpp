#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::config {

/// The store that several pgmemos share (`cache.remote` and the keys beside it).
struct Remote {
    std::string host;
    std::uint16_t port = 6379;
    bool tls = false; ///< rediss://: verified, the host's name included
    std::string ca;   ///< a file of roots; empty: those that the system trusts
    std::string user; ///< empty: Redis' default user
    std::string password;
    unsigned database = 0;

    std::string space = "default"; ///< `remote_namespace`
    std::string secret;            ///< of the checksums
    std::chrono::milliseconds timeout{50};
    std::chrono::milliseconds lease{5'000};

    std::string text() const; ///< for logs: no user, no password
    bool operator==(const Remote&) const = default;
};

/// `redis://[[user][:password]@]host[:port][/database]`, or `rediss://`; nullopt, and why in `problem`, for anything
/// else. What is no letter or digit of a user or password is percent-encoded, as in every URI (RFC 3986).
std::optional<Remote> parse_remote(std::string_view url, std::string& problem);

} // namespace pgmemo::config
