#include "cache/remote/resp.hpp"

#include <gtest/gtest.h>

namespace pgmemo::cache::resp {
namespace {

using namespace std::string_view_literals;

TEST(Resp, WritesCommands)
{
    std::string out;
    append_command(out, {"SET", "a b", "x\r\n\0y"sv});
    EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$5\r\nx\r\n\0y\r\n"sv);
}

TEST(Resp, CutsRepliesHoweverTheyCome)
{
    constexpr auto kStream = "+OK\r\n*3\r\n$2\r\n\0\1\r\n$-1\r\n:7\r\n-ERR no\r\n$-1\r\n"sv;
    for (std::size_t piece = 1; piece <= kStream.size(); ++piece) {
        Reader reader;
        std::vector<Reply> replies;
        for (std::size_t at = 0; at < kStream.size(); at += piece) {
            ASSERT_TRUE(reader.feed(kStream.substr(at, piece)));
            for (std::optional<Reply> reply;;) {
                const auto got = reader.next(reply);
                ASSERT_NE(got, Reader::Got::nonsense);
                if (got == Reader::Got::nothing_yet)
                    break;
                replies.push_back(std::move(*reply));
            }
        }
        ASSERT_EQ(replies.size(), 4U);
        EXPECT_EQ(replies[0].text(), "OK");
        ASSERT_TRUE(replies[1].is_array());
        EXPECT_EQ(replies[1].size(), 3U);
        EXPECT_EQ(replies[1].text_at(0), "\0\1"sv);
        EXPECT_FALSE(replies[1].text_at(1));
        EXPECT_FALSE(replies[1].text_at(2)) << "a number is no string";
        EXPECT_FALSE(replies[1].text_at(3));
        EXPECT_TRUE(replies[2].is_error());
        EXPECT_EQ(replies[2].text(), "ERR no");
        EXPECT_TRUE(replies[3].is_nil());
        EXPECT_FALSE(replies[3].text());
    }
}

TEST(Resp, NonsenseIsFound)
{
    for (const auto bytes : {"what\r\n"sv, "$x\r\n"sv, "*-2\r\n"sv, "$-3\r\n"sv}) {
        Reader reader;
        std::optional<Reply> reply;
        EXPECT_TRUE(!reader.feed(bytes) || reader.next(reply) == Reader::Got::nonsense) << bytes;
    }
}

} // namespace
} // namespace pgmemo::cache::resp
