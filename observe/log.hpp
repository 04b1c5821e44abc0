#pragma once

#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgmemo::observe {

/// Logs go to stderr through spdlog's default logger: `spdlog::info("session {}: …", id)`. One event is one line,
/// whatever the message holds: control characters are escaped in both forms, and bytes that are no UTF-8 are replaced
/// in JSON.
///
///   text: 2024-05-01T12:00:00.123Z info  listening on 127.0.0.1:6432
///   json: {"time":"2024-05-01T12:00:00.123Z","level":"info","message":"listening on 127.0.0.1:6432"}
enum class LogStyle : std::uint8_t { text, json };

/// Sets the default logger. Call once, before other threads start. `level`: trace, debug, info, warn or error.
void start_log(std::string_view level, LogStyle);

/// Another level or form while running. Threads: safe.
void set_log(std::string_view level, LogStyle);

/// The formatter of a style, for other sinks.
std::unique_ptr<spdlog::formatter> make_log_formatter(LogStyle);

/// `text` as the inside of a JSON string.
std::string json_escape(std::string_view text);

} // namespace pgmemo::observe
