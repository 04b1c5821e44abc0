#pragma once

#include "wire/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::wire {

/// Views of what servers send, and the few messages that pgmemo says itself.
/// Source: PostgreSQL documentation, "Message Formats" and "Error and Notice Message Fields".

/// The transaction status of a ReadyForQuery.
enum class Status : char { idle = 'I', in_transaction = 'T', failed = 'E' };

Result<Status> decode_ready_for_query(std::string_view body) noexcept;

struct ParameterStatus {
    std::string_view name;
    std::string_view value;
};
Result<ParameterStatus> decode_parameter_status(std::string_view body) noexcept;

struct BackendKeyData {
    std::uint32_t pid;
    std::string_view secret;
};
Result<BackendKeyData> decode_backend_key_data(std::string_view body) noexcept;

/// The columns of a DataRow; nullopt is NULL.
Result<std::vector<std::optional<std::string_view>>> decode_data_row(std::string_view body);

/// The fields of an ErrorResponse or NoticeResponse that pgmemo reads.
struct ErrorFields {
    std::string_view severity; ///< field V, never translated; S where a server is too old to send it
    std::string_view sqlstate;
    std::string_view message;
};
Result<ErrorFields> decode_error(std::string_view body) noexcept;

void append_message(std::string& out, char type, std::string_view body);
void append_query(std::string& out, std::string_view sql);
void append_command_complete(std::string& out, std::string_view tag);
void append_ready_for_query(std::string& out, Status);
void append_backend_key_data(std::string& out, std::uint32_t pid, std::string_view secret);
/// NegotiateProtocolVersion. `options`: what was not understood, as a server's message has it: a count, then the names.
void append_negotiate_version(std::string& out, std::uint16_t minor, std::string_view options);
/// Severity in both its forms (S and V), SQLSTATE, message, and, unless empty, detail and hint.
void append_error(std::string& out, std::string_view severity, std::string_view sqlstate, std::string_view message,
                  std::string_view detail = {}, std::string_view hint = {});
/// An untyped CancelRequest packet.
std::string encode_cancel_request(std::uint32_t pid, std::string_view secret);

} // namespace pgmemo::wire
