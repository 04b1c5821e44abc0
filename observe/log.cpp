#include "observe/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <ctime>
#include <iterator>

namespace pgmemo::observe {

namespace {

/// How many bytes of well-formed UTF-8 `text` begins with, for one character; 0 when it begins with none.
/// Source: RFC 3629, section 4: overlong forms, surrogates and what lies above U+10FFFF are no UTF-8.
std::size_t utf8_length(std::string_view text) noexcept
{
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80)
        return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
        return 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (byte(1) < low || byte(1) > high)
        return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if (byte(i) < 0x80 || byte(i) > 0xbf)
            return 0;
    }
    return length;
}

template <class Buffer>
void append_json(Buffer& out, std::string_view text)
{
    const auto put = [&out](std::string_view part) { out.append(part.data(), part.data() + part.size()); };
    while (!text.empty()) {
        const auto length = utf8_length(text);
        const char c = text.front();
        if (length == 0)
            put("\\ufffd");
        else if (length > 1)
            put(text.substr(0, length));
        else if (c == '"')
            put("\\\"");
        else if (c == '\\')
            put("\\\\");
        else if (c == '\n')
            put("\\n");
        else if (c == '\r')
            put("\\r");
        else if (c == '\t')
            put("\\t");
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            put(fmt::format("\\u{:04x}", static_cast<unsigned>(c)));
        else
            put(text.substr(0, 1));
        text.remove_prefix(length == 0 ? 1 : length);
    }
}

/// A line break would let a message pass for another event, an escape sequence write on somebody's terminal.
template <class Buffer>
void append_text(Buffer& out, std::string_view text)
{
    for (const char c : text) {
        if (c == '\n')
            out.append(std::string_view{"\\n"});
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(c));
        else
            out.push_back(c);
    }
}

std::string_view level_name(spdlog::level::level_enum level) noexcept
{
    switch (level) {
    case spdlog::level::trace:
        return "trace";
    case spdlog::level::debug:
        return "debug";
    case spdlog::level::info:
        return "info";
    case spdlog::level::warn:
        return "warn";
    default:
        return "error";
    }
}

class LineFormatter final : public spdlog::formatter {
public:
    explicit LineFormatter(LogStyle style)
        : style_(style)
    {
    }

    void format(const spdlog::details::log_msg& event, spdlog::memory_buf_t& out) override
    {
        const std::string_view message{event.payload.data(), event.payload.size()};
        const auto at = std::back_inserter(out);
        if (style_ == LogStyle::json) {
            fmt::format_to(at, "{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"", time(event.time),
                           level_name(event.level));
            append_json(out, message);
            out.append(std::string_view{"\"}\n"});
        } else {
            fmt::format_to(at, "{} {:<5} ", time(event.time), level_name(event.level));
            append_text(out, message);
            out.push_back('\n');
        }
    }

    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(style_); }

private:
    static std::string time(spdlog::log_clock::time_point at)
    {
        const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
        const auto seconds = static_cast<std::time_t>(since / 1000);
        std::tm utc{};
        gmtime_r(&seconds, &utc);
        return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, since % 1000);
    }

    LogStyle style_;
};

} // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(LogStyle style)
{
    return std::make_unique<LineFormatter>(style);
}

std::string json_escape(std::string_view text)
{
    fmt::memory_buffer out;
    append_json(out, text);
    return fmt::to_string(out);
}

void start_log(std::string_view level, LogStyle style)
{
    auto logger = std::make_shared<spdlog::logger>("pgmemo", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    set_log(level, style);
}

void set_log(std::string_view level, LogStyle style)
{
    spdlog::set_formatter(make_log_formatter(style));
    spdlog::set_level(spdlog::level::from_str(std::string{level}));
}

} // namespace pgmemo::observe
