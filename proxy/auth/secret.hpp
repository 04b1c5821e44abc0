#pragma once

#include "proxy/auth/crypto.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pgmemo::proxy::auth {

/// What a server needs to judge a SCRAM login, without the password.
/// Source: RFC 5803; PostgreSQL's pg_authid.rolpassword, "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>".
struct ScramVerifier {
    std::uint32_t iterations = 0;
    std::string salt;
    Digest stored_key{};
    Digest server_key{};
    bool operator==(const ScramVerifier&) const = default;
};

/// What a client needs to log in by SCRAM without the password: the ClientKey that its proof has shown, good wherever
/// the server has this very salt and count.
struct ScramKeys {
    std::uint32_t iterations = 0;
    std::string salt;
    Digest client_key{};
    Digest server_key{};
};

struct Md5Hash {
    std::string text; ///< "md5" and 32 digits
    bool operator==(const Md5Hash&) const = default;
};

struct Plaintext {
    std::string password; ///< never empty
    bool operator==(const Plaintext&) const = default;
};

/// What is known of a user's password.
using Secret = std::variant<ScramVerifier, Md5Hash, Plaintext>;

/// What pgmemo can log in to PostgreSQL with; monostate: nothing, which is enough where it is trusted.
using Credentials = std::variant<std::monostate, ScramKeys, Md5Hash, Plaintext>;

/// As PostgreSQL tells the kinds apart (get_password_type). Nullopt: empty, or it begins as a SCRAM verifier and is
/// none; such is never taken for a password.
std::optional<Secret> parse_secret(std::string_view text);

inline constexpr std::uint32_t kDefaultIterations = 4096; ///< PostgreSQL's own
/// More than this is refused: with it a peer would buy minutes of our time for one message.
inline constexpr std::uint32_t kMostIterations = 1'000'000;
inline constexpr std::size_t kMostSaltBytes = 256;

ScramKeys derive_keys(std::string_view password, std::string_view salt, std::uint32_t iterations);
ScramVerifier verifier_of(const ScramKeys&);

} // namespace pgmemo::proxy::auth
