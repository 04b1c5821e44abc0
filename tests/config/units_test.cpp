#include "config/units.hpp"

#include <gtest/gtest.h>

namespace pgmemo::config {
namespace {

TEST(Size, IsBytesOrAWholeNumberWithAUnit)
{
    EXPECT_EQ(parse_size("4096"), 4096u);
    EXPECT_EQ(parse_size("10B"), 10u);
    EXPECT_EQ(parse_size("64KiB"), 65536u);
    EXPECT_EQ(parse_size("256MiB"), 268435456u);
    EXPECT_EQ(parse_size("256 MiB"), 268435456u);
    EXPECT_EQ(parse_size("1GiB"), 1073741824u);
    EXPECT_EQ(parse_size("1MB"), 1000000u);
    EXPECT_EQ(parse_size("2kB"), 2000u);
    EXPECT_EQ(parse_size("0"), 0u);
}

TEST(Size, RefusesWhatIsNotOne)
{
    for (const char* text : {"", "MiB", "-1", "+1", "1.5GiB", "1mib", "1Mib", "1M", "12XB", "1 ", " 1", "1  MiB",
                             "0x10", "99999999999999999999", "9223372036854775807KiB", "8388608TiB"})
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(Size, IsWrittenInTheLargestUnitThatSaysItExactly)
{
    EXPECT_EQ(size_text(0), "0");
    EXPECT_EQ(size_text(1000), "1000");
    EXPECT_EQ(size_text(65536), "64KiB");
    EXPECT_EQ(size_text(32u << 20), "32MiB");
    EXPECT_EQ(size_text((1u << 20) + 1024), "1025KiB");
}

TEST(Duration, IsAWholeNumberWithAUnit)
{
    using std::chrono::milliseconds;
    EXPECT_EQ(parse_duration("10ms"), milliseconds{10});
    EXPECT_EQ(parse_duration("60s"), milliseconds{60'000});
    EXPECT_EQ(parse_duration("10m"), milliseconds{600'000});
    EXPECT_EQ(parse_duration("1h"), milliseconds{3'600'000});
    EXPECT_EQ(parse_duration("1d"), milliseconds{86'400'000});
    EXPECT_EQ(parse_duration("0s"), milliseconds{0});
}

TEST(Duration, RefusesWhatIsNotOne)
{
    for (const char* text : {"", "s", "10", "-1s", "1.5s", "1S", "1min", "1w", "1s ", "1h30m", "99999999999999999999s",
                             "9223372036854775807d"})
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

} // namespace
} // namespace pgmemo::config
