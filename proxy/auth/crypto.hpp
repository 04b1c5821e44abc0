#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

/// The few primitives that logins are made of, over OpenSSL. Bytes are std::string; nothing here is logged.
using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes);
Digest hmac_sha256(std::string_view key, std::string_view bytes);
/// PBKDF2 with HMAC-SHA-256: RFC 5802's Hi().
Digest salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations);
/// "md5" and 32 digits: of `secret` followed by `salt`.
std::string md5_text(std::string_view secret, std::string_view salt);

/// Throws std::runtime_error when the system has no randomness to give.
std::string random_bytes(std::size_t size);

/// Takes as long whatever the bytes are. Unequal sizes are unequal.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;
void wipe(std::string& secret) noexcept;
void wipe(Digest& secret) noexcept;

inline std::string_view view(const Digest& digest) noexcept
{
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
Digest exclusive_or(const Digest& a, const Digest& b) noexcept;

std::string encode_base64(std::string_view bytes);
/// Nullopt unless it is base64 with its padding and nothing else: one text for one value.
std::optional<std::string> decode_base64(std::string_view text);
/// The same, of exactly 32 bytes.
std::optional<Digest> decode_digest(std::string_view base64);

} // namespace pgmemo::proxy::auth
