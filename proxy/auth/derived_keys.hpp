#pragma once

#include "proxy/auth/secret.hpp"

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

/// Remembers what PBKDF2 has made of passwords: it is by far the most that a login costs, and when everybody comes back
/// at once it is the same few passwords. Threads: safe.
class DerivedKeys {
public:
    ScramKeys of(std::string_view password, std::string_view salt, std::uint32_t iterations);

private:
    static constexpr std::size_t kMost = 1'000;
    std::mutex mutex_;
    std::map<Digest, ScramKeys> kept_; ///< by a hash of what they were made of
};

/// The salts of users that have none of their own: who is unknown, and whose password is known in the clear. Each user
/// gets the same one every time, so that a salt does not tell which of these it is.
class Salts {
public:
    explicit Salts(std::string secret)
        : secret_(std::move(secret))
    {
    }
    std::string of(std::string_view user) const;
    /// A verifier that no password fits.
    ScramVerifier mock(std::string_view user) const;

private:
    std::string secret_;
};

} // namespace pgmemo::proxy::auth
