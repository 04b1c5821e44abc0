#include "proxy/gather.hpp"

#include "cache/cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

std::string written(const Gather& gather)
{
    std::string bytes;
    for (const auto& part : gather.parts())
        bytes.append(static_cast<const char*>(part.data()), part.size());
    return bytes;
}

/// A cache with one entry, to be let go while it is written.
class Store {
public:
    cache::EntryRef entry(std::string_view reply)
    {
        auto fill = cache_.begin_fill({identity_, "Qkey"}, cache::Stamp{}, 1u << 20, std::nullopt);
        EXPECT_TRUE(fill.append(reply));
        EXPECT_EQ(cache_.finish_fill(std::move(fill), {}), cache::Stored::yes);
        return cache_.find({identity_, "Qkey"}, {});
    }
    void clear() { cache_.clear(); }

private:
    cache::Cache cache_{{.memory_bytes = 4u << 20, .max_entry_bytes = 1u << 20}};
    std::shared_ptr<const cache::Identity> identity_ = cache_.identities().intern("somebody");
};

TEST(Gather, IsEmptyUntilThereIsSomethingToWrite)
{
    Gather gather;
    EXPECT_TRUE(gather.empty());
    gather.borrow("");
    gather.own("");
    EXPECT_TRUE(gather.empty());
    EXPECT_TRUE(gather.parts().empty());
    gather.own("x");
    EXPECT_FALSE(gather.empty());
    EXPECT_EQ(gather.size(), 1u);
}

TEST(Gather, KeepsTheOrder)
{
    Gather gather;
    gather.borrow("one ");
    gather.own("two ");
    gather.borrow("three");
    EXPECT_EQ(written(gather), "one two three");
    EXPECT_EQ(gather.size(), 13u);
}

TEST(Gather, MakesOneRangeOfThoseThatTouch)
{
    const std::string buffer = "ParseBindExecuteSync";
    const std::string_view all = buffer;
    Gather gather;
    gather.borrow(all.substr(0, 5));
    gather.borrow(all.substr(5, 4));
    gather.borrow(all.substr(9));
    EXPECT_EQ(gather.parts().size(), 1u);
    EXPECT_EQ(written(gather), buffer);
}

TEST(Gather, KeepsRangesApartThatDoNotTouch)
{
    const std::string buffer = "one-two";
    const std::string_view all = buffer;
    Gather gather;
    gather.borrow(all.substr(0, 3));
    gather.borrow(all.substr(4));
    EXPECT_EQ(gather.parts().size(), 2u);
    EXPECT_EQ(written(gather), "onetwo");
}

TEST(Gather, KeepsItsOwnBytesWhereTheyAre)
{
    Gather gather;
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        gather.own(std::to_string(i));
        all += std::to_string(i);
    }
    EXPECT_EQ(written(gather), all);
}

TEST(Gather, GoesOnWhereverTheKernelStopped)
{
    const std::string borrowed = "borrowed, in two ranges";
    Store store;
    const auto entry = store.entry("stored reply");
    const auto fill = [&](Gather& gather) {
        gather.borrow(std::string_view{borrowed}.substr(0, 8));
        gather.own("own");
        gather.borrow(std::string_view{borrowed}.substr(8));
        gather.entry(entry);
        gather.own("end");
    };
    Gather whole;
    fill(whole);
    const auto all = written(whole);
    for (std::size_t first = 0; first <= all.size(); ++first) {
        for (std::size_t second = 0; first + second <= all.size(); ++second) {
            Gather gather;
            fill(gather);
            gather.consume(first);
            ASSERT_EQ(written(gather), all.substr(first));
            gather.consume(second);
            ASSERT_EQ(written(gather), all.substr(first + second));
            ASSERT_EQ(gather.size(), all.size() - first - second);
            ASSERT_EQ(gather.empty(), first + second == all.size());
        }
    }
}

TEST(Gather, TakesMoreWhileSomeIsUnwritten)
{
    Gather gather;
    gather.own("abc");
    gather.consume(2);
    gather.own("def");
    EXPECT_EQ(written(gather), "cdef");
    gather.consume(4);
    EXPECT_TRUE(gather.empty());
    gather.own("ghi");
    EXPECT_EQ(written(gather), "ghi");
}

TEST(Gather, KeepsAStoredReplyAliveUntilItIsWritten)
{
    Store store;
    Gather gather;
    gather.entry(store.entry("a reply that is evicted meanwhile"));
    store.clear();
    gather.consume(2);
    EXPECT_EQ(written(gather), "reply that is evicted meanwhile");
}

TEST(Gather, LetsGoOfEverythingWhenCleared)
{
    Store store;
    Gather gather;
    gather.entry(store.entry("a reply"));
    gather.own("x");
    gather.clear();
    EXPECT_TRUE(gather.empty());
    EXPECT_TRUE(gather.parts().empty());
}

} // namespace
} // namespace pgmemo::proxy
