#include "cache/remote/tier.hpp"

#include "cache/entry_layout.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace pgmemo::cache {
namespace {

using std::chrono::milliseconds;

/// One pgmemo of several, with a store that is a map.
class Member {
public:
    explicit Member(std::string secret = "secret")
        : cache({64u << 20, 1u << 20, RemoteTier::slot_seed("space", secret)})
        , tier(cache, options(secret))
    {
    }

    static RemoteTier::Options options(const std::string& secret)
    {
        RemoteTier::Options made;
        made.space = "space";
        made.secret = secret;
        made.database_name = [](Oid) { return std::string{"shop"}; };
        made.on_catalog_moved = [](Oid) {};
        return made;
    }

    Words words()
    {
        return {&cache.versions().cluster(), &cache.versions().database(1), &cache.versions().relation(1, 5)};
    }

    RemoteTier::Sighting see(const std::map<std::string, std::string>& store)
    {
        RemoteTier::Sighting sighting;
        lookup.words = words();
        lookup.versions.clear();
        for (auto* word : lookup.words) {
            const auto found = store.find(tier.words().name(*word));
            lookup.versions.push_back(tier.see(
                *word, found == store.end() ? std::nullopt : std::optional<std::string_view>{found->second}, sighting));
        }
        return sighting;
    }

    EntryRef fill(std::string_view body, std::string_view reply, std::optional<milliseconds> ttl = std::nullopt)
    {
        auto fill = cache.begin_fill({identity, body}, Stamp{words()}, 1u << 20, ttl);
        fill.append(reply);
        Filled filled;
        cache.finish_fill(std::move(fill), Clock::now(), &filled);
        return filled.entry;
    }

    EntryRef admit(std::string_view body, std::string value, std::optional<milliseconds> ttl = std::nullopt)
    {
        lookup.value = std::move(value);
        return tier.admit({identity, body}, lookup, 1u << 20, ttl, Clock::now(), refused);
    }

    std::string sealed(std::string_view body, std::string_view reply, std::optional<milliseconds> ttl = std::nullopt)
    {
        const auto made = tier.seal(*fill(body, reply, ttl), Clock::now(), Clock::now());
        return made ? made->value : std::string{};
    }

    Cache cache;
    RemoteTier tier;
    Lookup lookup;
    bool refused = false;
    std::shared_ptr<const Identity> identity = cache.identities().intern("who asks");
};

class RemoteTierTest : public testing::Test {
protected:
    RemoteTierTest()
    {
        for (auto* word : a.words())
            store[a.tier.words().name(*word)] = word_bytes(100);
        a.see(store);
        b.see(store);
    }

    void set(const std::string& name, std::string value) { store["pgmemo1:space:" + name] = std::move(value); }

    std::map<std::string, std::string> store;
    Member a;
    Member b;
};

TEST_F(RemoteTierTest, WhatOneHasStoredTheOtherServes)
{
    const auto value = a.sealed("Qselect 1", "the reply");
    const auto entry = b.admit("Qselect 1", value);
    ASSERT_TRUE(entry);
    EXPECT_EQ(reply_of(*entry), "the reply");
    EXPECT_EQ(b.cache.find({b.identity, "Qselect 1"}, Clock::now()), entry) << "it is in memory";
    EXPECT_EQ(a.tier.name_of_entry({a.identity, "Qselect 1"}), b.tier.name_of_entry({b.identity, "Qselect 1"}));
    EXPECT_NE(a.tier.name_of_entry({a.identity, "Qselect 1"}), a.tier.name_of_entry({a.identity, "Qselect 2"}));
}

TEST_F(RemoteTierTest, AMovedWordEndsIt)
{
    const auto value = a.sealed("Q", "old");
    set("w:r:5:shop", word_bytes(101));
    b.see(store);
    EXPECT_FALSE(b.admit("Q", value));
    EXPECT_FALSE(b.refused) << "it is an entry, only dead";
}

TEST_F(RemoteTierTest, AFlightOfAnotherClosesIt)
{
    const auto value = a.sealed("Q", "old");
    const auto stranger = Member{}.tier.new_owner();
    set("w:r:5:shop", word_bytes(100) + word_bytes(stranger));
    const auto sighting = b.see(store);
    EXPECT_EQ(sighting.strangers, std::vector{stranger});
    EXPECT_FALSE(b.admit("Q", value));
}

/// Another thread may have seen an older version since: it does not make the entry current again.
TEST_F(RemoteTierTest, TheReplyItselfSaysWhatIsCurrent)
{
    const auto value = a.sealed("Q", "old");
    set("w:r:5:shop", word_bytes(101));
    b.see(store);
    b.tier.words().observe(b.cache.versions().relation(1, 5), 100, false);
    EXPECT_FALSE(b.admit("Q", value));
}

TEST_F(RemoteTierTest, WordsSeenOnlyByOthersAreNotCurrentEither)
{
    const auto value = a.sealed("Q", "old");
    b.see(store);
    b.tier.words().observe(b.cache.versions().relation(1, 5), 101, false); // newer than the reply
    EXPECT_FALSE(b.admit("Q", value));
}

TEST_F(RemoteTierTest, WhatIsNotThisKeysIsRefused)
{
    const auto value = a.sealed("Q1", "reply");
    EXPECT_FALSE(b.admit("Q2", value)) << "put under another's key";
    EXPECT_TRUE(b.refused);
    b.refused = false;
    EXPECT_FALSE(b.admit("Q1", "anything"));
    EXPECT_TRUE(b.refused);
    Member other{"another secret"};
    other.see(store);
    EXPECT_FALSE(other.admit("Q1", value));
    EXPECT_TRUE(other.refused);
}

TEST_F(RemoteTierTest, ItLivesNoLongerThanItMay)
{
    const auto value = a.sealed("Q", "reply", milliseconds{60'000});
    const auto entry = b.admit("Q", value);
    ASSERT_TRUE(entry);
    const auto left = static_cast<const Entry&>(*entry).time_left(Clock::now());
    ASSERT_TRUE(left);
    EXPECT_LE(*left, milliseconds{60'000});
    EXPECT_GT(*left, milliseconds{50'000});
    const auto shorter = b.admit("Q", value, milliseconds{1'000});
    ASSERT_TRUE(shorter);
    EXPECT_LE(*static_cast<const Entry&>(*shorter).time_left(Clock::now()), milliseconds{1'000});
}

TEST_F(RemoteTierTest, LostWordsAreToldAndNothingIsCurrent)
{
    const auto value = a.sealed("Q", "reply");
    const auto entry = b.admit("Q", value);
    store.erase("pgmemo1:space:w:d:shop");
    set("w:cluster", "no word");
    const auto sighting = b.see(store);
    EXPECT_EQ(sighting.lost, (Words{&b.cache.versions().cluster(), &b.cache.versions().database(1)}));
    EXPECT_FALSE(is_current(*entry));
    EXPECT_FALSE(b.admit("Q", value));
}

TEST_F(RemoteTierTest, OwnFlightsAreNotStrangersAndTheDeadCountForNothing)
{
    const auto dead = Member{}.tier.new_owner();
    set("w:r:5:shop", word_bytes(101) + word_bytes(b.tier.new_owner()) + word_bytes(dead));
    EXPECT_EQ(b.see(store).strangers, std::vector{dead});
    b.tier.declare_dead(dead);
    const auto sighting = b.see(store);
    EXPECT_TRUE(sighting.strangers.empty());
    ASSERT_EQ(sighting.haunted.size(), 1U);
    EXPECT_EQ(sighting.haunted.front().second, dead);
    EXPECT_TRUE(b.fill("Q", "reply"));
}

TEST_F(RemoteTierTest, NothingIsStoredThatIsNotCurrentOrNotKnown)
{
    const auto entry = a.fill("Q", "reply");
    a.cache.versions().relation(1, 5).move();
    EXPECT_FALSE(a.tier.seal(*entry, Clock::now(), Clock::now()));
    Member fresh;
    EXPECT_FALSE(fresh.tier.seal(*fresh.fill("Q", "reply"), Clock::now(), Clock::now())) << "its words were never seen";
}

TEST_F(RemoteTierTest, OtherSettingsAreAnotherFleet)
{
    const auto before = a.tier.fleet();
    EXPECT_EQ(before, b.tier.fleet());
    const auto changes = a.tier.fleet_changes();
    a.tier.set_fleet("tracks another column");
    EXPECT_NE(a.tier.fleet(), before);
    EXPECT_EQ(a.tier.fleet_changes(), changes + 1);
    a.tier.set_fleet("tracks another column");
    EXPECT_EQ(a.tier.fleet_changes(), changes + 1);
}

} // namespace
} // namespace pgmemo::cache
