#pragma once

#include "wire/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::wire {

/// The messages of a login: 'R' from the server, 'p' from the client.
/// Source: PostgreSQL documentation, "Message Formats"; auth.c: PG_MAX_AUTH_TOKEN_LENGTH 65535,
/// PG_MAX_SASL_MESSAGE_LENGTH 1024.
inline constexpr std::size_t kMaxAuthentication = 65'535; ///< of a body; either side's
inline constexpr std::size_t kMaxSaslResponse = 1'024;    ///< of a body that a client sends in a SASL exchange
inline constexpr std::size_t kMaxMechanisms = 16;

struct Authentication {
    enum class Kind : std::uint32_t {
        ok = 0,
        cleartext = 3,
        md5 = 5,
        sasl = 10,
        sasl_continue = 11,
        sasl_final = 12,
    };
    Kind kind = Kind::ok;  ///< also a number that has no name here: GSS, SSPI and their like
    std::string_view data; ///< what follows the number: nothing, the salt of md5 (4 bytes), or SASL's
};

/// Fails for an `ok` or `cleartext` with something behind it, and for an md5 without its four bytes.
Result<Authentication> decode_authentication(std::string_view body) noexcept;
/// The names of `sasl`'s data, in the server's order. At most kMaxMechanisms.
Result<std::vector<std::string_view>> decode_mechanisms(std::string_view data);

void append_authentication(std::string& out, Authentication::Kind, std::string_view data = {});
void append_mechanisms(std::string& out, const std::vector<std::string_view>& names);

/// A SASLInitialResponse.
struct SaslInitial {
    std::string_view mechanism;
    std::optional<std::string_view> data; ///< nullopt: none, which is not the same as an empty one
};
Result<SaslInitial> decode_sasl_initial(std::string_view body) noexcept;
void append_sasl_initial(std::string& out, std::string_view mechanism, std::string_view data);

/// A PasswordMessage's password, without its NUL.
Result<std::string_view> decode_password(std::string_view body) noexcept;
void append_password(std::string& out, std::string_view password);

} // namespace pgmemo::wire
