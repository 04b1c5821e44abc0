// Linked with the build without the fence: the same promises as in cache_test.cpp, seen to be broken. If these failed,
// the consistency tests that use this build to show that they can fail would show nothing.

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

namespace pgmemo::cache {
namespace {

using namespace testing_support;

struct WithoutTheFence : testing::Test {
    Cache cache{{4u << 20, 64u << 10}};
    std::shared_ptr<const Identity> me = an_identity();
    Words words{&cache.versions().relation(1, 1)};
};

TEST_F(WithoutTheFence, AReplyReadBeforeAWriteIsServedAfterIt)
{
    auto fill = cache.begin_fill({me, "q"}, Stamp{words}, 100, {});
    fill.append("old");
    {
        Flight flight;
        flight.add(words);
    }
    EXPECT_EQ(cache.finish_fill(std::move(fill), kNow), Stored::yes);
    EXPECT_EQ(found(cache, me, "q"), "old");
}

TEST_F(WithoutTheFence, WhatIsStoredIsServedUntilTheWriterHasItsAnswer)
{
    store(cache, me, "q", "old", words);
    Flight flight;
    flight.add(words);
    EXPECT_TRUE(Stamp{words}.is_quiet());
    EXPECT_EQ(found(cache, me, "q"), "old");
    flight.end();
    EXPECT_EQ(found(cache, me, "q"), "(nothing)");
}

} // namespace
} // namespace pgmemo::cache
