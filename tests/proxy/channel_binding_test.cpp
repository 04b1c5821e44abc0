#include "proxy/channel_binding.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace pgmemo::proxy {
namespace {

using namespace std::string_literals;

TEST(ChannelBinding, HasTheWordsOfLibpq)
{
    EXPECT_EQ(parse_channel_binding("disable"), ChannelBinding::disable);
    EXPECT_EQ(parse_channel_binding("prefer"), ChannelBinding::prefer);
    EXPECT_EQ(parse_channel_binding("require"), ChannelBinding::require);
    for (const char* other : {"", "Require", "required"})
        EXPECT_THROW(parse_channel_binding(other), std::invalid_argument) << other;
}

TEST(ChannelBinding, IsTakenOutOfTheOffer)
{
    EXPECT_EQ(without_channel_binding("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"s),
              "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"s);
}

TEST(ChannelBinding, LeavesEveryOtherMessageAsItIs)
{
    EXPECT_FALSE(without_channel_binding("\0\0\0\x0aSCRAM-SHA-256\0\0"s));
    EXPECT_FALSE(without_channel_binding("\0\0\0\0"s));
    EXPECT_FALSE(without_channel_binding("\0\0\0\x05salt"s));
    EXPECT_FALSE(without_channel_binding(""s));
    EXPECT_FALSE(without_channel_binding("\0\0\0\x0aSCRAM-SHA-256-PLUS"s)) << "not ended";
    EXPECT_FALSE(without_channel_binding("\0\0\0\x0aSCRAM-SHA-256-PLUS\0"s)) << "the list not ended";
}

TEST(ChannelBinding, KnowsAClientThatMissesIt)
{
    EXPECT_TRUE(claims_no_binding_offered("SCRAM-SHA-256\0\0\0\0\x08y,,n=,r="s));
    EXPECT_FALSE(claims_no_binding_offered("SCRAM-SHA-256\0\0\0\0\x08n,,n=,r="s));
    EXPECT_FALSE(claims_no_binding_offered("SCRAM-SHA-256\0\0\0"s));
    EXPECT_FALSE(claims_no_binding_offered("y,,"s));
    EXPECT_FALSE(claims_no_binding_offered(""s));
}

} // namespace
} // namespace pgmemo::proxy
