#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy {

/// libpq's `channel_binding`: whether a login must prove that both ends see the same TLS connection, and so that nobody
/// sits between them. Source: PostgreSQL documentation, "Parameter Key Words".
enum class ChannelBinding : std::uint8_t { disable, prefer, require };

/// Throws std::invalid_argument: not one of libpq's words.
ChannelBinding parse_channel_binding(const std::string& text);

// What a relayed SCRAM login says of the TLS that it runs over. The two legs have TLS of their own or none, so what is
// true of one is not of the other.
// Source: RFC 5802 section 6 (the gs2 flags n, y, p); PostgreSQL documentation, "SASL Authentication".

/// The AuthenticationSASL message without the mechanisms that bind to a channel: they would bind to the wrong one.
/// `body` is an Authentication message's. Nullopt: it offers none, or asks for something else.
std::optional<std::string> without_channel_binding(std::string_view body);

/// A SASLInitialResponse that says: I could bind, but you cannot. A server with TLS refuses that as an attack.
bool claims_no_binding_offered(std::string_view body) noexcept;

} // namespace pgmemo::proxy
