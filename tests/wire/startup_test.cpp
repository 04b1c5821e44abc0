#include "wire/startup.hpp"

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace pgmemo::wire {
namespace {

using testing_support::at_every_truncation;
using testing_support::Exact;
using Replication = StartupMessage::Replication;

constexpr std::uint32_t kVersion3 = 0x00030000;

// Lengths

struct Length {
    std::string name;
    std::uint32_t length;
    bool good;
    friend std::ostream& operator<<(std::ostream& out, const Length& row) { return out << row.length; }
};

class StartupLength : public testing::TestWithParam<Length> {};

TEST_P(StartupLength, IsJudgedAsPostgresJudgesIt)
{
    const Exact bytes{u32(GetParam().length)};
    const auto length = startup_length(bytes);
    ASSERT_EQ(length.has_value(), GetParam().good);
    if (length)
        EXPECT_EQ(*length, GetParam().length);
    else
        EXPECT_EQ(length.error(), Errc::bad_length);
}

// PostgreSQL compares MAX_STARTUP_PACKET_LENGTH, 10,000, with what is left when the length word is taken off.
INSTANTIATE_TEST_SUITE_P(Startup, StartupLength,
                         testing::Values(Length{"Zero", 0, false}, Length{"OfItselfOnly", 4, false},
                                         Length{"OfHalfACode", 7, false}, Length{"OfACode", 8, true},
                                         Length{"Usual", 84, true}, Length{"TenThousand", 10'000, true},
                                         Length{"TheLargest", 10'004, true}, Length{"OneMore", 10'005, false},
                                         Length{"LargestSigned", 0x7fffffff, false},
                                         Length{"MinusOne", 0xffffffff, false},
                                         Length{"OfATlsHello", 0x16030100, false}, Length{"OfHttp", 0x47455420, false}),
                         [](const auto& row) { return row.param.name; });

TEST(Startup, KnowsNoLengthBeforeItsFourBytesAreThere)
{
    at_every_truncation(u32(8),
                        [](const Exact& bytes) { EXPECT_EQ(startup_length(bytes).error(), Errc::short_field); });
}

// Requests

TEST(Startup, ReadsTheRequestsForEncryption)
{
    const Exact ssl{startup(80877103, "")};
    EXPECT_TRUE(std::holds_alternative<SslRequest>(*decode_startup(ssl)));
    const Exact gss{startup(80877104, "")};
    EXPECT_TRUE(std::holds_alternative<GssEncRequest>(*decode_startup(gss)));
}

TEST(Startup, ReadsCancelRequestsOfBothProtocolVersions)
{
    for (const std::size_t size : {4u, 32u, 256u}) {
        const Exact packet{startup(80877102, u32(42) + std::string(size, '\xfe'))};
        const auto decoded = decode_startup(packet);
        ASSERT_TRUE(decoded) << size;
        const auto& cancel = std::get<CancelRequest>(*decoded);
        EXPECT_EQ(cancel.pid, 42u);
        EXPECT_EQ(cancel.secret, std::string(size, '\xfe'));
    }
}

TEST(Startup, RefusesCancelRequestsWithoutAWholeSecret)
{
    at_every_truncation(startup(80877102, u32(42) + "abcd"),
                        [](const Exact& packet) { EXPECT_FALSE(decode_startup(packet)); });
    const Exact longer{startup(80877102, u32(42) + std::string(257, 's'))};
    EXPECT_FALSE(decode_startup(longer));
}

// Start-up messages

StartupMessage decoded(std::string_view packet)
{
    const auto result = decode_startup(packet);
    if (!result) {
        ADD_FAILURE() << result.error().message();
        return {};
    }
    return std::get<StartupMessage>(*result);
}

TEST(Startup, ReadsTheParametersInTheirOrder)
{
    const Exact packet{startup(kVersion3, z("user\0ann\0database\0shop\0options\0-c geqo=off\0"))};
    const auto message = decoded(packet);
    EXPECT_EQ(message.major, 3);
    EXPECT_EQ(message.minor, 0);
    EXPECT_EQ(message.user(), "ann");
    EXPECT_EQ(message.database(), "shop");
    EXPECT_EQ(message.parameter("options"), "-c geqo=off");
    EXPECT_EQ(message.parameter("Options"), std::nullopt);
    ASSERT_EQ(message.parameters.size(), 3u);
    EXPECT_EQ(message.parameters[1].first, "database");
    for (const auto& [name, value] : message.parameters)
        EXPECT_TRUE(packet.lends(name) && packet.lends(value));
}

TEST(Startup, TakesTheUserForADatabaseThatIsNotNamed)
{
    const Exact absent{startup(kVersion3, z("user\0ann\0"))};
    EXPECT_EQ(decoded(absent).database(), "ann");
    const Exact empty{startup(kVersion3, z("user\0ann\0database\0\0"))};
    EXPECT_EQ(decoded(empty).database(), "ann");
}

TEST(Startup, TakesTheLastOfParametersOfOneName)
{
    const Exact packet{startup(kVersion3, z("user\0ann\0user\0bob\0"))};
    EXPECT_EQ(decoded(packet).user(), "bob") << "the role that PostgreSQL logs in, and so the one in the key";
}

TEST(Startup, ReadsTheMinorVersionAndUnknownOptions)
{
    const Exact packet{startup(0x0003270f, z("user\0ann\0_pq_.test\0on\0"))};
    const auto message = decoded(packet);
    EXPECT_EQ(message.minor, 9999);
    EXPECT_EQ(message.parameter("_pq_.test"), "on");
}

TEST(Startup, ReadsOnlyTheVersionOfAnotherProtocol)
{
    const Exact packet{startup(0x00020000, "a layout of its own")};
    const auto message = decoded(packet);
    EXPECT_EQ(message.major, 2);
    EXPECT_TRUE(message.parameters.empty());
}

TEST(Startup, TakesAPacketWithoutParameters)
{
    const Exact packet{startup(kVersion3, z(""))};
    EXPECT_EQ(decoded(packet).user(), "") << "PostgreSQL refuses it in its own words";
}

TEST(Startup, RefusesAPacketThatEndsTooSoon)
{
    at_every_truncation(startup(kVersion3, z("user\0ann\0database\0shop\0")),
                        [](const Exact& packet) { EXPECT_EQ(decode_startup(packet).error(), Errc::short_field); });
}

TEST(Startup, RefusesBytesBehindTheList)
{
    const Exact packet{startup(kVersion3, z("user\0ann\0\0database\0shop\0"))};
    EXPECT_EQ(decode_startup(packet).error(), Errc::left_over);
}

TEST(Startup, RefusesANameWithoutItsValue)
{
    const Exact packet{startup(kVersion3, z("user"))};
    EXPECT_FALSE(decode_startup(packet));
}

// Replication

struct Asked {
    std::string name;
    std::string value;
    Replication replication;
    friend std::ostream& operator<<(std::ostream& out, const Asked& row) { return out << '"' << row.value << '"'; }
};

class AsksForReplication : public testing::TestWithParam<Asked> {};

TEST_P(AsksForReplication, AsPostgresReadsIt)
{
    const Exact packet{startup(kVersion3, z("user\0ann") + z("replication") + GetParam().value + z("\0"))};
    EXPECT_EQ(decoded(packet).replication(), GetParam().replication);
}

INSTANTIATE_TEST_SUITE_P(Startup, AsksForReplication,
                         testing::Values(Asked{"Database", "database", Replication::logical},
                                         Asked{"On", "on", Replication::physical},
                                         Asked{"True", "TRUE", Replication::physical},
                                         Asked{"One", "1", Replication::physical}, Asked{"Off", "off", Replication::no},
                                         Asked{"False", "f", Replication::no}, Asked{"Zero", "0", Replication::no},
                                         Asked{"DatabaseInCapitals", "DATABASE",
                                               Replication::physical}, // not SQL to us; PostgreSQL refuses it
                                         Asked{"Nonsense", "maybe", Replication::physical}),
                         [](const auto& row) { return row.param.name; });

TEST(Startup, AsksForNoReplicationWhenItIsNotNamed)
{
    const Exact packet{startup(kVersion3, z("user\0ann\0"))};
    EXPECT_EQ(decoded(packet).replication(), Replication::no);
}

// Booleans

TEST(ParseBool, ReadsWhatPostgresReads)
{
    for (const std::string_view text : {"t", "tr", "true", "TRUE", "y", "yes", "Yes", "on", "ON", "1"})
        EXPECT_EQ(parse_bool(text), true) << text;
    for (const std::string_view text : {"f", "fals", "false", "n", "no", "of", "off", "OFF", "0"})
        EXPECT_EQ(parse_bool(text), false) << text;
}

TEST(ParseBool, RefusesWhatPostgresRefuses)
{
    for (const std::string_view text : {"", "o", "truee", "yess", "onn", "2", "01", "10", " on", "on ", "enable"})
        EXPECT_EQ(parse_bool(text), std::nullopt) << '"' << text << '"';
    EXPECT_EQ(parse_bool(std::string_view("t\0", 2)), std::nullopt);
}

} // namespace
} // namespace pgmemo::wire
