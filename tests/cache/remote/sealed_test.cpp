#include "cache/remote/sealed.hpp"

#include <gtest/gtest.h>

#include <random>

namespace pgmemo::cache {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMost = 1u << 20;
constexpr std::size_t kNever = ~std::size_t{0}; // compressed

RemoteEntry example(std::string_view reply)
{
    RemoteEntry entry;
    entry.read_at = milliseconds{1'700'000'000'000};
    entry.expires = milliseconds{1'700'000'060'000};
    entry.stamp = {{"w:d:shop", 0x0123456789abcdefu}, {"s:42", ~std::uint64_t{0}}};
    entry.identity = "an identity";
    entry.body = std::string_view{"Qselect\0 1", 10};
    entry.reply = reply;
    return entry;
}

void expect_same(const RemoteEntry& got, const RemoteEntry& wanted)
{
    EXPECT_EQ(got.read_at, wanted.read_at);
    EXPECT_EQ(got.expires, wanted.expires);
    EXPECT_EQ(got.stamp, wanted.stamp);
    EXPECT_EQ(got.identity, wanted.identity);
    EXPECT_EQ(got.body, wanted.body);
    EXPECT_EQ(got.reply, wanted.reply);
}

TEST(Sealed, ComesBackAsItWas)
{
    const Seal seal{"secret"};
    for (const std::size_t size : {0U, 1U, 1'000U, 100'000U}) {
        const std::string reply(size, 'x');
        const auto entry = example(reply);
        for (const std::size_t compress_from : {std::size_t{0}, kNever}) {
            const auto bytes = seal_entry(seal, entry, compress_from);
            EXPECT_EQ(size >= 1'000 && compress_from == 0, size > bytes.size()) << "compressed when it is asked for";
            std::string room;
            const auto got = open_entry(seal, bytes, room, kMost);
            ASSERT_TRUE(got);
            expect_same(*got, entry);
        }
    }
}

TEST(Sealed, OtherSecretsDoNotOpenIt)
{
    const auto bytes = seal_entry(Seal{"secret"}, example("reply"), kNever);
    std::string room;
    EXPECT_FALSE(open_entry(Seal{"another"}, bytes, room, kMost));
    EXPECT_FALSE(open_entry(Seal{""}, bytes, room, kMost));
}

TEST(Sealed, WhateverIsChangedInItIsFound)
{
    const Seal seal{"secret"};
    for (const std::size_t compress_from : {std::size_t{0}, kNever}) {
        const auto bytes = seal_entry(seal, example(std::string(200, 'r')), compress_from);
        std::string room;
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_FALSE(open_entry(seal, std::string_view{bytes}.substr(0, size), room, kMost)) << size;
        EXPECT_FALSE(open_entry(seal, bytes + 'x', room, kMost));
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            auto changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ 0x10);
            EXPECT_FALSE(open_entry(seal, changed, room, kMost)) << at;
        }
    }
}

TEST(Sealed, NothingLargerThanAllowedIsUnpacked)
{
    const Seal seal{"secret"};
    const auto bytes = seal_entry(seal, example(std::string(100'000, 'x')), 0);
    std::string room;
    EXPECT_FALSE(open_entry(seal, bytes, room, 50'000));
    EXPECT_LT(room.capacity(), 50'000U) << "nor is room made for it";
}

/// What has the right sum and makes no sense: of another version, say. Lengths that lead out of it are the worst.
TEST(Sealed, NonsenseWithTheRightSumIsNone)
{
    const Seal seal{"secret"};
    std::mt19937 random{7};
    const auto good = seal_entry(seal, example("reply"), kNever);
    constexpr std::size_t kSizeAt = 4 + 1 + 16;
    for (int i = 0; i < 20'000; ++i) {
        auto bytes = good;
        if (random() % 4 == 0)
            bytes[4] = static_cast<char>(random() % 3);
        for (auto changes = 1 + random() % 4; changes > 0; --changes)
            bytes[kSizeAt + random() % (bytes.size() - kSizeAt)] =
                static_cast<char>(random() % 3 == 0 ? 0xff : random());
        if (random() % 4 == 0)
            bytes.resize(kSizeAt + random() % (bytes.size() - kSizeAt));
        const std::string_view all{bytes};
        const auto sum = seal({all.substr(0, 5), all.substr(kSizeAt)});
        std::copy(sum.begin(), sum.end(), bytes.begin() + 5);
        std::string room;
        if (const auto got = open_entry(seal, bytes, room, kMost)) {
            EXPECT_LE(got->stamp.size(), kMaxSealedWords);
            EXPECT_LE(got->identity.size() + got->body.size() + got->reply.size(), bytes.size());
        }
    }
}

TEST(Seal, DependsOnEveryPartAndOnTheSecret)
{
    const Seal seal{"secret"};
    EXPECT_EQ(seal({"ab", "c"}), seal({"a", "bc"})) << "parts are one text";
    EXPECT_NE(seal({"abc"}), seal({"abd"}));
    EXPECT_NE(seal({"abc"}), Seal{"other"}({"abc"}));
    EXPECT_EQ(seal({""}), seal({}));
}

} // namespace
} // namespace pgmemo::cache
