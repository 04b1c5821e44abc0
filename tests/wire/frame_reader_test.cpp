#include "wire/frame_reader.hpp"

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

namespace pgmemo::wire {
namespace {

using testing_support::at_every_cut;
using testing_support::Noise;
using testing_support::Pieces;

void receive(FrameReader& reader, std::string_view bytes)
{
    const auto room = reader.room(bytes.size());
    ASSERT_GE(room.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    reader.commit(bytes.size());
}

/// What a reader made of a stream: pieces of one message are put together again.
struct Heard {
    std::string types;               ///< of the messages, in order
    std::vector<std::string> bodies; ///< one a message
    std::string bytes;               ///< all that was yielded
    bool failed = false;
};

void hear(FrameReader& reader, Heard& heard)
{
    auto frame = reader.next();
    for (; frame && *frame; frame = reader.next()) {
        const Frame& got = **frame;
        heard.bytes += got.bytes;
        if (got.first) {
            heard.types += got.type;
            heard.bodies.emplace_back(got.body);
            ASSERT_EQ(got.bytes.size(), got.body.size() + 5);
            ASSERT_EQ(got.bytes.front(), got.type);
        } else {
            ASSERT_FALSE(heard.bodies.empty());
            ASSERT_EQ(got.type, heard.types.back());
            ASSERT_EQ(got.bytes, got.body);
            heard.bodies.back() += got.body;
        }
        ASSERT_EQ(got.whole(), got.first && got.rest == 0);
    }
    heard.failed = !frame;
}

Heard read_all(FrameReader& reader, const Pieces& pieces)
{
    Heard heard;
    for (const auto piece : pieces) {
        receive(reader, piece);
        hear(reader, heard);
    }
    return heard;
}

TEST(FrameReader, ReadsTheSameHoweverTcpCutsIt)
{
    const std::string sent = message('P', z("\0SELECT 1\0")) + message('B', "") + message('S', "");
    at_every_cut(sent, [&](const Pieces& pieces) {
        FrameReader reader{1024, FrameReader::From::server};
        const auto heard = read_all(reader, pieces);
        EXPECT_EQ(heard.types, "PBS");
        EXPECT_EQ(heard.bodies, (std::vector<std::string>{z("\0SELECT 1\0"), "", ""}));
        EXPECT_EQ(heard.bytes, sent);
        EXPECT_FALSE(reader.in_message());
        EXPECT_EQ(reader.unread(), "");
    });
}

TEST(FrameReader, LosesNothingHoweverLittleItMayHold)
{
    const std::string sent =
        message('P', "some text of a query") + message('S', "") + message('d', std::string(40, 'x'));
    for (std::size_t max_held = 0; max_held <= sent.size(); ++max_held) {
        SCOPED_TRACE(max_held);
        at_every_cut(sent, [&](const Pieces& pieces) {
            FrameReader reader{max_held, FrameReader::From::server};
            const auto heard = read_all(reader, pieces);
            EXPECT_EQ(heard.types, "PSd");
            EXPECT_EQ(heard.bytes, sent);
            EXPECT_FALSE(reader.in_message());
        });
    }
}

TEST(FrameReader, YieldsAMessageThatItMayHoldOnlyWhole)
{
    const std::string sent = message('Q', z("SELECT 1"));
    at_every_cut(sent, [&](const Pieces& pieces) {
        FrameReader reader{sent.size(), FrameReader::From::server};
        std::size_t received = 0;
        for (const auto piece : pieces) {
            receive(reader, piece);
            received += piece.size();
            const auto frame = reader.next();
            ASSERT_TRUE(frame);
            ASSERT_EQ(frame->has_value(), received == sent.size() && !piece.empty()) << received;
            if (*frame) {
                EXPECT_TRUE((*frame)->whole());
                return;
            }
        }
    });
}

TEST(FrameReader, ReadsHundredsOfMessagesInOneRead)
{
    std::string sent;
    std::string types;
    for (int i = 0; i < 700; ++i) {
        const char type = static_cast<char>('A' + i % 26);
        sent += message(type, std::string(static_cast<std::size_t>(i % 40), type));
        types += type;
    }
    FrameReader reader{1024, FrameReader::From::server};
    const auto heard = read_all(reader, {sent});
    EXPECT_EQ(heard.types, types);
    EXPECT_EQ(heard.bytes, sent);
}

TEST(FrameReader, PassesALargeMessageInPiecesAndNeverHoldsIt)
{
    constexpr std::size_t kSize = 8u << 20;
    constexpr std::size_t kRead = 16u << 10;
    const std::string sent = message('d', std::string(kSize, 'x')) + message('c', "");
    FrameReader reader{64u << 10, FrameReader::From::server};
    std::string types;
    std::size_t passed = 0;
    std::size_t most_held = 0;
    std::size_t rest = kSize;
    for (std::size_t at = 0; at < sent.size(); at += kRead) {
        receive(reader, std::string_view(sent).substr(at, kRead));
        most_held = std::max(most_held, reader.held());
        for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
            if ((*frame)->type == 'd') {
                rest -= (*frame)->body.size();
                EXPECT_EQ((*frame)->rest, rest);
            }
            if ((*frame)->first)
                types += (*frame)->type;
            passed += (*frame)->bytes.size();
        }
    }
    EXPECT_EQ(types, "dc");
    EXPECT_EQ(passed, sent.size());
    EXPECT_LE(most_held, 64u << 10);
}

TEST(FrameReader, TellsTheHeaderOfALargeMessageBeforeItsBodyArrives)
{
    FrameReader reader{16, FrameReader::From::server};
    receive(reader, header('d', 4 + 1000));
    auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_TRUE((*frame)->first);
    EXPECT_FALSE((*frame)->whole());
    EXPECT_EQ((*frame)->body, "");
    EXPECT_EQ((*frame)->rest, 1000u);
    frame = reader.next();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(*frame);
}

TEST(FrameReader, GivesRoomForTheMessageThatHasBegun)
{
    FrameReader reader{1u << 20, FrameReader::From::server};
    const std::string sent = message('D', std::string(200'000, 'x'));
    receive(reader, std::string_view(sent).substr(0, 5));
    ASSERT_TRUE(reader.next());
    EXPECT_GE(reader.room(1).size(), sent.size() - 5) << "one more read must be able to finish it";
    receive(reader, std::string_view(sent).substr(5));
    const auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->bytes, sent);
}

TEST(FrameReader, GivesNoRoomForAMessageThatPassesInPieces)
{
    FrameReader reader{1024, FrameReader::From::server};
    receive(reader, header('D', FrameReader::kMaxMessage));
    EXPECT_LT(reader.room(4096).size(), 1u << 20) << "a length that was only claimed must not cost memory";
}

TEST(FrameReader, KeepsWhatIsUnreadWhenRoomMovesIt)
{
    const std::string first = message('Q', std::string(20'000, 'a'));
    const std::string second = message('Q', std::string(30'000, 'b'));
    FrameReader reader{1u << 20, FrameReader::From::server};
    receive(reader, first + second.substr(0, 100));
    Heard heard;
    hear(reader, heard);
    EXPECT_EQ(reader.unread(), second.substr(0, 100));
    reader.room(50'000);
    EXPECT_EQ(reader.unread(), second.substr(0, 100));
    receive(reader, second.substr(100));
    hear(reader, heard);
    EXPECT_EQ(heard.bytes, first + second);
}

TEST(FrameReader, AlwaysGivesTheRoomThatIsAskedFor)
{
    FrameReader reader{1024, FrameReader::From::server};
    for (const std::size_t size : {1u, 100u, 32'768u, 32'769u, 1'000'000u, 1u}) {
        EXPECT_GE(reader.room(size).size(), size);
    }
}

// Lengths

struct BadLength {
    std::string name;
    std::uint32_t length;
    friend std::ostream& operator<<(std::ostream& out, const BadLength& row) { return out << row.length; }
};

class RefusesLength : public testing::TestWithParam<BadLength> {};

TEST_P(RefusesLength, ForEver)
{
    FrameReader reader{1024, FrameReader::From::server};
    const std::string bad = header('Q', GetParam().length) + "SELECT";
    const auto heard = read_all(reader, {message('S', "") + bad});
    EXPECT_EQ(heard.types, "S") << "what stood before it is good";
    EXPECT_TRUE(heard.failed);
    EXPECT_EQ(reader.unread(), bad) << "PostgreSQL shall judge it";
    const auto again = reader.next();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error(), Errc::bad_length);
    receive(reader, message('S', ""));
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.unread(), bad + message('S', ""));
}

INSTANTIATE_TEST_SUITE_P(FrameReader, RefusesLength,
                         testing::Values(BadLength{"Zero", 0}, BadLength{"Three", 3},
                                         BadLength{"OneGigabyte", 0x40000000}, BadLength{"LargestSigned", 0x7fffffff},
                                         BadLength{"SmallestSigned", 0x80000000}, BadLength{"MinusOne", 0xffffffff}),
                         [](const auto& row) { return row.param.name; });

class SmallMessage : public testing::TestWithParam<char> {};

TEST_P(SmallMessage, OfAClientIsAtMostTenThousandBytes)
{
    const char type = GetParam();
    FrameReader client{64u << 10, FrameReader::From::client};
    const std::string most = message(type, std::string(9'996, 'x'));
    EXPECT_EQ(read_all(client, {most}).types, std::string(1, type));
    FrameReader again{64u << 10, FrameReader::From::client};
    const std::string over = message(type, std::string(9'997, 'x'));
    EXPECT_TRUE(read_all(again, {over}).failed);
    EXPECT_EQ(again.unread(), over) << "PostgreSQL shall judge it";
    FrameReader server{64u << 10, FrameReader::From::server};
    EXPECT_FALSE(read_all(server, {over}).failed) << "a server's messages of these letters are others";
}

INSTANTIATE_TEST_SUITE_P(FrameReader, SmallMessage, testing::Values('C', 'D', 'E', 'H', 'S', 'X', 'c', 'f'));

TEST(FrameReader, TakesALongQueryOfAClient)
{
    FrameReader reader{64u << 10, FrameReader::From::client};
    for (const char type : {'Q', 'P', 'B', 'd', 'p'})
        EXPECT_FALSE(read_all(reader, {message(type, std::string(20'000, 'x'))}).failed) << type;
}

TEST(FrameReader, TakesTheShortestAndTheLongestLength)
{
    FrameReader reader{1024, FrameReader::From::server};
    receive(reader, header('S', 4) + header('d', FrameReader::kMaxMessage));
    auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_TRUE((*frame)->whole());
    frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->rest, FrameReader::kMaxMessage - 4);
}

TEST(FrameReader, JudgesALengthOnlyWhenAllOfItIsThere)
{
    FrameReader reader{1024, FrameReader::From::server};
    receive(reader, header('Q', 0xffffffff).substr(0, 4));
    EXPECT_TRUE(reader.next());
    receive(reader, "\xff");
    EXPECT_FALSE(reader.next());
}

// Memory

TEST(FrameReader, HoldsNothingBeforeTheFirstByte)
{
    EXPECT_EQ(FrameReader(1u << 20, FrameReader::From::server).held(), 0u);
}

TEST(FrameReader, FreesItsBufferWhenNothingIsUnread)
{
    FrameReader reader{1024, FrameReader::From::server};
    read_all(reader, {message('S', "")});
    EXPECT_GT(reader.held(), 0u);
    reader.give_back();
    EXPECT_EQ(reader.held(), 0u);
    EXPECT_EQ(read_all(reader, {message('Q', z("again"))}).types, "Q");
}

TEST(FrameReader, KeepsItsBufferWhileAMessageIsUnfinished)
{
    const std::string sent = message('Q', z("SELECT 1"));
    for (std::size_t cut = 1; cut < sent.size(); ++cut) {
        SCOPED_TRACE(cut);
        FrameReader reader{1024, FrameReader::From::server};
        receive(reader, sent.substr(0, cut));
        reader.give_back();
        EXPECT_EQ(reader.unread(), sent.substr(0, cut));
        receive(reader, sent.substr(cut));
        const auto frame = reader.next();
        ASSERT_TRUE(frame && *frame);
        EXPECT_EQ((*frame)->bytes, sent);
    }
}

TEST(FrameReader, RemembersALargeMessageWhenItsBufferIsGivenBackInBetween)
{
    FrameReader reader{16, FrameReader::From::server};
    Heard heard;
    const std::string sent = message('d', std::string(100, 'x')) + message('c', "");
    receive(reader, sent.substr(0, 50));
    hear(reader, heard);
    reader.give_back();
    EXPECT_EQ(reader.held(), 0u);
    EXPECT_TRUE(reader.in_message());
    receive(reader, sent.substr(50));
    hear(reader, heard);
    EXPECT_EQ(heard.types, "dc");
    EXPECT_EQ(heard.bytes, sent);
}

TEST(FrameReader, ShrinksAgainAfterALargeMessage)
{
    FrameReader reader{1u << 20, FrameReader::From::server};
    read_all(reader, {message('D', std::string(900'000, 'x'))});
    reader.give_back();
    read_all(reader, {message('S', "")});
    EXPECT_LT(reader.held(), 100'000u);
}

TEST(FrameReader, SharesNoBufferWithAnother)
{
    for (int round = 0; round < 3; ++round) { // from the second round on the buffers have been used before
        FrameReader one{1024, FrameReader::From::server};
        FrameReader other{1024, FrameReader::From::server};
        receive(one, message('Q', z("one")));
        receive(other, message('Q', z("other")));
        EXPECT_EQ((*one.next())->body, z("one"));
        EXPECT_EQ((*other.next())->body, z("other"));
        one.give_back();
        other.give_back();
    }
}

// In a message

TEST(FrameReader, IsInAMessageFromItsFirstByteToItsLast)
{
    const std::string sent = message('Q', z("SELECT 1"));
    for (const std::size_t max_held : {0u, 1024u}) {
        FrameReader reader{max_held, FrameReader::From::server};
        Heard heard;
        EXPECT_FALSE(reader.in_message());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            receive(reader, sent.substr(i, 1));
            EXPECT_TRUE(reader.in_message()) << i;
            hear(reader, heard);
            EXPECT_EQ(reader.in_message(), i + 1 < sent.size()) << i;
        }
    }
}

// Chance

TEST(FrameReader, LosesNothingOfAnyStreamOfMessages)
{
    Noise noise{20240229};
    for (int round = 0; round < 200; ++round) {
        SCOPED_TRACE(round);
        std::string sent;
        std::string types;
        for (std::size_t n = noise.below(30); n > 0; --n) {
            types += noise.byte();
            sent += message(types.back(), noise.bytes(noise.below(noise.below(8) == 0 ? 100'000 : 200)));
        }
        FrameReader reader{noise.below(4) == 0 ? noise.below(64) : noise.below(120'000), FrameReader::From::server};
        Heard heard;
        for (std::size_t at = 0; at < sent.size();) {
            const std::size_t size = std::min(1 + noise.below(noise.below(2) == 0 ? 7 : 50'000), sent.size() - at);
            receive(reader, std::string_view(sent).substr(at, size));
            at += size;
            if (noise.below(3) > 0)
                hear(reader, heard);
            if (noise.below(3) == 0)
                reader.give_back();
        }
        hear(reader, heard);
        ASSERT_EQ(heard.types, types);
        ASSERT_EQ(heard.bytes, sent);
        ASSERT_FALSE(reader.in_message());
    }
}

TEST(FrameReader, LosesNothingOfBytesWithoutMeaning)
{
    Noise noise{7};
    for (int round = 0; round < 2000; ++round) {
        SCOPED_TRACE(round);
        const std::string sent = noise.bytes(noise.below(300));
        FrameReader reader{noise.below(400), FrameReader::From::server};
        Heard heard;
        for (std::size_t at = 0; at < sent.size();) {
            const std::size_t size = std::min(1 + noise.below(40), sent.size() - at);
            receive(reader, std::string_view(sent).substr(at, size));
            at += size;
            hear(reader, heard);
        }
        ASSERT_EQ(heard.bytes + std::string(reader.unread()), sent);
    }
}

} // namespace
} // namespace pgmemo::wire
