#include "proxy/auth/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace pgmemo::proxy::auth {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const unsigned char* bytes_of(std::string_view text) noexcept
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

int int_of(std::size_t size)
{
    return static_cast<int>(size); // messages of a login are bounded far below
}

[[noreturn]] void fail()
{
    throw std::runtime_error("OpenSSL refuses a primitive that a login needs");
}

} // namespace

Digest sha256(std::string_view bytes)
{
    Digest digest;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
        fail();
    return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes)
{
    Digest digest;
    // With a null key HMAC() would go on with an earlier one.
    const auto* const key_bytes = key.empty() ? bytes_of("") : bytes_of(key);
    if (!HMAC(EVP_sha256(), key_bytes, int_of(key.size()), bytes_of(bytes), bytes.size(), digest.data(), nullptr))
        fail();
    return digest;
}

Digest salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations)
{
    Digest digest;
    if (PKCS5_PBKDF2_HMAC(password.data(), int_of(password.size()), bytes_of(salt), int_of(salt.size()),
                          int_of(iterations), EVP_sha256(), int_of(digest.size()), digest.data()) != 1)
        fail();
    return digest;
}

std::string md5_text(std::string_view secret, std::string_view salt)
{
    std::string input{secret};
    input += salt;
    unsigned char digest[16];
    const bool ok = EVP_Digest(input.data(), input.size(), digest, nullptr, EVP_md5(), nullptr) == 1;
    wipe(input);
    if (!ok)
        fail(); // a policy of the system may forbid md5
    std::string text = "md5";
    for (const auto byte : digest) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

std::string random_bytes(std::size_t size)
{
    std::string bytes(size, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), int_of(size)) != 1)
        throw std::runtime_error("no random bytes can be had");
    return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept
{
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) noexcept
{
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

void wipe(Digest& secret) noexcept
{
    OPENSSL_cleanse(secret.data(), secret.size());
}

Digest exclusive_or(const Digest& a, const Digest& b) noexcept
{
    Digest result;
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = a[i] ^ b[i];
    return result;
}

std::string encode_base64(std::string_view bytes)
{
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto byte = [&](std::size_t i) -> std::uint32_t {
            return at + i < bytes.size() ? bytes_of(bytes)[at + i] : 0;
        };
        const auto group = byte(0) << 16 | byte(1) << 8 | byte(2);
        const auto digits = std::min<std::size_t>(bytes.size() - at, 3) + 1;
        for (std::size_t i = 0; i < 4; ++i)
            text += i < digits ? kDigits[(group >> (18 - 6 * i)) & 63] : '=';
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text)
{
    if (text.size() % 4 != 0)
        return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    std::string bytes;
    std::uint32_t bits = 0;
    std::size_t held = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos)
            return std::nullopt;
        bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>(bits >> held & 0xff);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return std::nullopt; // bits behind the last byte: a second text for the same value
    return bytes;
}

std::optional<Digest> decode_digest(std::string_view base64)
{
    const auto bytes = decode_base64(base64);
    Digest digest;
    if (!bytes || bytes->size() != digest.size())
        return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), digest.begin());
    return digest;
}

} // namespace pgmemo::proxy::auth
