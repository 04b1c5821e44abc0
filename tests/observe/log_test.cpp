#include "observe/log.hpp"

#include <boost/json/src.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmemo::observe {
namespace {

std::string line(LogStyle style, std::string_view message, spdlog::level::level_enum level = spdlog::level::info)
{
    spdlog::details::log_msg event{"pgmemo", level, spdlog::string_view_t{message.data(), message.size()}};
    event.time = spdlog::log_clock::time_point{std::chrono::milliseconds{1'714'564'800'123}};
    spdlog::memory_buf_t out;
    make_log_formatter(style)->format(event, out);
    return fmt::to_string(out);
}

TEST(LogText, IsTimeLevelAndMessage)
{
    EXPECT_EQ(line(LogStyle::text, "listening"), "2024-05-01T12:00:00.123Z info  listening\n");
    EXPECT_EQ(line(LogStyle::text, "gone", spdlog::level::err), "2024-05-01T12:00:00.123Z error gone\n");
}

TEST(LogText, IsOneLineWhateverTheMessageHolds)
{
    EXPECT_EQ(line(LogStyle::text, "a\nb\x1b[31m\r\x7fé"),
              "2024-05-01T12:00:00.123Z info  a\\nb\\x1b[31m\\x0d\\x7fé\n");
}

TEST(LogJson, IsOneObjectALine)
{
    EXPECT_EQ(line(LogStyle::json, "listening"),
              "{\"time\":\"2024-05-01T12:00:00.123Z\",\"level\":\"info\",\"message\":\"listening\"}\n");
}

TEST(LogJson, ComesBackAsItWent)
{
    std::string all;
    for (int c = 0; c < 128; ++c)
        all += static_cast<char>(c);
    all += "\"quoted\" \\ é € 😀";
    const auto text = line(LogStyle::json, all, spdlog::level::warn);
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    const auto parsed = boost::json::parse(text);
    EXPECT_EQ(parsed.at("message").as_string(), all);
    EXPECT_EQ(parsed.at("level").as_string(), "warn");
}

TEST(LogJson, IsUtf8EvenWhenTheMessageIsNot)
{
    for (const char* bad :
         {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5\x80"}) {
        const auto parsed = boost::json::parse(line(LogStyle::json, std::string{"a"} + bad + "z"));
        const auto& message = parsed.at("message").as_string();
        EXPECT_TRUE(message.starts_with("a\xef\xbf\xbd")) << message.c_str();
        EXPECT_TRUE(message.ends_with("z"));
    }
}

TEST(Log, WritesToStderrAtItsLevelAndCanBeSetAnew)
{
    const auto before = spdlog::default_logger();
    testing::internal::CaptureStderr();
    start_log("warn", LogStyle::text);
    spdlog::info("unheard");
    spdlog::warn("heard {}", 1);
    set_log("debug", LogStyle::json);
    spdlog::debug("heard {}", 2);
    spdlog::trace("unheard");
    const auto output = testing::internal::GetCapturedStderr();
    spdlog::set_default_logger(before);
    EXPECT_THAT(output,
                testing::ContainsRegex("^[^\n]* warn  heard 1\n\\{[^\n]*\"debug\",\"message\":\"heard 2\"\\}\n$"));
}

} // namespace
} // namespace pgmemo::observe
