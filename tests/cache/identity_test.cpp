#include "cache/identity.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pgmemo::cache {
namespace {

TEST(Identities, OfTheSameTextAreTheSame)
{
    IdentityTable table{1 << 20};
    const auto one = table.intern("db=a role=x");
    EXPECT_EQ(table.intern("db=a role=x"), one);
    EXPECT_NE(table.intern("db=a role=y"), one);
    EXPECT_EQ(one->text, "db=a role=x");
}

TEST(Identities, LiveAsLongAsSomebodyHoldsThem)
{
    IdentityTable table{1 << 20};
    auto one = table.intern("a");
    const auto id = one->id;
    EXPECT_EQ(table.size(), 1u);
    EXPECT_GT(table.bytes(), 0u);
    one.reset();
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(table.bytes(), 0u);
    EXPECT_NE(table.intern("a")->id, id) << "an id is never used again";
}

TEST(Identities, BeyondTheBoundAreRefusedUntilThereIsRoom)
{
    IdentityTable table{4096};
    std::vector<std::shared_ptr<const Identity>> held;
    for (int i = 0; i < 1000; ++i) {
        if (auto identity = table.intern(std::string(100, 'x') + std::to_string(i)))
            held.push_back(std::move(identity));
    }
    EXPECT_GT(held.size(), 4u);
    EXPECT_LT(held.size(), 41u);
    EXPECT_LE(table.bytes(), 4096u);
    EXPECT_EQ(table.intern(std::string(100, 'y')), nullptr);
    EXPECT_EQ(table.intern(held.front()->text), held.front()) << "those that are known are still given";
    held.clear();
    EXPECT_NE(table.intern(std::string(100, 'y')), nullptr);
}

TEST(Identities, MayOutliveTheirTable)
{
    std::shared_ptr<const Identity> identity;
    {
        IdentityTable table{4096};
        identity = table.intern("a");
    }
    EXPECT_EQ(identity->text, "a");
}

TEST(Identities, AreOneForAllThreadsWhileTheyComeAndGo)
{
    IdentityTable table{1 << 20};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&table] {
            for (int i = 0; i < 5'000; ++i) {
                const auto text = std::to_string(i % 3);
                const auto one = table.intern(text);
                const auto two = table.intern(text);
                ASSERT_EQ(one, two);
                ASSERT_EQ(one->text, text);
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(table.bytes(), 0u);
}

} // namespace
} // namespace pgmemo::cache
