#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy {

// What a relayed SCRAM login says of the TLS that it runs over. The two legs have TLS of their own or none, so what is
// true of one is not of the other.
// Source: RFC 5802 section 6 (the gs2 flags n, y, p); PostgreSQL documentation, "SASL Authentication".

/// The AuthenticationSASL message without the mechanisms that bind to a channel: they would bind to the wrong one.
/// `body` is an Authentication message's. Nullopt: it offers none, or asks for something else.
std::optional<std::string> without_channel_binding(std::string_view body);

/// A SASLInitialResponse that says: I could bind, but you cannot. A server with TLS refuses that as an attack.
bool claims_no_binding_offered(std::string_view body) noexcept;

} // namespace pgmemo::proxy
