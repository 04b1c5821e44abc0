#pragma once

#include "wire/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pgmemo::wire {

struct SslRequest {};
struct GssEncRequest {};

struct CancelRequest {
    std::uint32_t pid;
    std::string_view secret; ///< 4 bytes in protocol 3.0, up to 256 since 3.2
};

struct StartupMessage {
    std::uint16_t major = 3;
    std::uint16_t minor = 0;
    std::vector<std::pair<std::string_view, std::string_view>> parameters;

    std::optional<std::string_view> parameter(std::string_view name) const noexcept;
    std::string_view user() const noexcept { return parameter("user").value_or(std::string_view{}); }
    std::string_view database() const noexcept; ///< defaults to the user
    /// What `replication` asks for: a walsender that takes its own commands, and SQL too where it names a database.
    enum class Replication : std::uint8_t { no, physical, logical };
    Replication replication() const noexcept;
};

using StartupPacket = std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage>;

/// The untyped first messages of a connection.
/// Source: PostgreSQL documentation, "Message Formats"; src/include/libpq/pqcomm.h: MAX_STARTUP_PACKET_LENGTH 10000,
/// which ProcessStartupPacket() compares with what is left without the length word.
inline constexpr std::size_t kMaxStartupPacket = 10004;

/// An SSLRequest, to be sent.
inline constexpr std::string_view kSslRequest{"\0\0\0\x08\x04\xd2\x16\x2f", 8};

/// Length of the packet that begins with `bytes` (at least 4 of them), itself included: Errc::bad_length unless 8 to
/// 10,004.
Result<std::size_t> startup_length(std::string_view bytes) noexcept;

/// Decodes one whole packet. The result borrows from it.
Result<StartupPacket> decode_startup(std::string_view packet);

/// As a server in `on`, `true`, `yes`, `1` and their prefixes reads a boolean. Source: parse_bool in bool.c.
std::optional<bool> parse_bool(std::string_view) noexcept;

} // namespace pgmemo::wire
