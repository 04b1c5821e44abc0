#include "tests/proxy/talk.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// Whom flights are announced to.
class Announced final : public cache::Announcer {
public:
    void hold(const cache::Words& words) override { held += words.size(); }
    void release(cache::Words words) noexcept override { released += words.size(); }
    std::size_t held = 0;
    std::size_t released = 0;
};

/// A process that shares, with a store that is a map of words, and what was looked for in it.
class Afar : public testing::Test {
protected:
    Afar()
    {
        app.share(link, [this](cache::Lookup& lookup) { return look_up(lookup); });
        app.login();
    }

    static cache::RemoteTier::Options options()
    {
        cache::RemoteTier::Options made;
        made.space = "space";
        made.database_name = [](cache::Oid) { return std::string{"shop"}; };
        made.on_catalog_moved = [](cache::Oid) {};
        return made;
    }

    bool look_up(cache::Lookup& lookup)
    {
        looked_for.push_back(lookup.key);
        if (!answers)
            return false;
        cache::RemoteTier::Sighting ignored;
        lookup.versions.clear();
        for (auto* word : lookup.words) {
            auto& value = words.try_emplace(tier.words().name(*word), cache::word_bytes(1)).first->second;
            lookup.versions.push_back(tier.see(*word, value, ignored));
        }
        const auto found = entries.find(lookup.key);
        lookup.value = found == entries.end() ? "" : found->second;
        return true;
    }

    /// What others have done since.
    void moves(cache::Word& word) { words[tier.words().name(word)] = cache::word_bytes(++version); }
    cache::Word& relation(query::Oid oid) { return world.word(oid); }
    cache::Word& catalog() { return world.cache.versions().catalog(world.shop.number()); }

    /// Everything that is to be stored for others goes to the store.
    void store()
    {
        for (const auto& filled : app->take_stored())
            if (auto sealed = tier.seal(*filled.entry, world.now, world.now))
                entries[sealed->name] = sealed->value;
    }
    bool announces(cache::Word& word)
    {
        if (!app->has_announcement())
            return false;
        const auto told = app->take_announcement();
        return contains(told, word);
    }
    static bool contains(const cache::Words& words, cache::Word& word)
    {
        return std::find(words.begin(), words.end(), &word) != words.end();
    }

    World world{{}, query::testing::another_catalog(), 7};
    cache::RemoteTier tier{world.cache, options()};
    std::shared_ptr<Announced> announced = std::make_shared<Announced>();
    RemoteLink link{tier, announced, true};
    std::map<std::string, std::string> words;
    std::map<std::string, std::string> entries;
    std::vector<std::string> looked_for;
    std::uint64_t version = 1;
    bool answers = true;
    Talk app{world};
};

TEST_F(Afar, AMissLooksIntoTheStoreAndWhatIsReadIsForIt)
{
    EXPECT_TRUE(app.misses(kReadAccounts));
    ASSERT_EQ(looked_for.size(), 1U);
    EXPECT_NE(looked_for.front(), "");
    EXPECT_TRUE(app->has_stored());
    store();
    EXPECT_EQ(entries.count(looked_for.front()), 1U);
    EXPECT_EQ(world.metrics.remote_misses.read(), 1U);
}

TEST_F(Afar, WhatIsInTheStoreHits)
{
    app.misses(kReadAccounts);
    store();
    world.cache.clear();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(world.metrics.remote_hits.read(), 1U);
    EXPECT_EQ(world.metrics.hits.read(), 1U);
}

TEST_F(Afar, WhatIsInMemoryIsHeldAgainstThePresent)
{
    app.misses(kReadAccounts);
    looked_for.clear();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(looked_for, std::vector<std::string>{""}) << "the words alone";
    moves(world.shop.word());
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Afar, NothingIsAnsweredAtOnce)
{
    app.misses(kReadAccounts);
    EXPECT_EQ(app.at_once(say::query(kReadAccounts)), "");
}

TEST_F(Afar, AStoreThatDoesNotAnswerIsAReasonToForward)
{
    app.misses(kReadAccounts);
    app->take_stored();
    answers = false;
    EXPECT_TRUE(app.misses(kReadAccounts)) << "though it is in memory";
    EXPECT_TRUE(app.misses(kReadUsers));
    EXPECT_EQ(world.bypasses(Reason::remote_unavailable), 2U);
    EXPECT_FALSE(app->has_stored());
    answers = true;
    link.is_up = false;
    looked_for.clear();
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_TRUE(looked_for.empty()) << "nobody is asked who is known to be away";
    link.is_up = true;
    tier.connections_with_unannounced = 1;
    EXPECT_TRUE(app.misses(kReadAccounts)) << "others have not heard of a write of this process";
    tier.connections_with_unannounced = 0;
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Afar, WordsThatTheStoreLacksVouchForNothing)
{
    app.misses(kReadUsers); // the settings are known then
    app->take_stored();
    for (auto& [name, value] : words)
        value = "no word";
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_FALSE(app->has_stored());
    EXPECT_EQ(world.metrics.fills_stored.read(), 1U);
}

TEST_F(Afar, AWriteIsAnnouncedAndTakenBackBeforeItsClientIsTold)
{
    app.misses(kReadUsers);
    app.client(say::query(kWriteAccounts));
    EXPECT_GT(announced->held, 0U);
    EXPECT_TRUE(announces(relation(kAccounts)));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::complete("UPDATE 1"));
    const auto ready = say::ready('I');
    wire::FrameReader reader{8192, wire::FrameReader::From::server};
    std::copy(ready.begin(), ready.end(), reader.room(ready.size()).begin());
    reader.commit(ready.size());
    const auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    ASSERT_TRUE(app->must_settle(**frame));
    const auto settlement = app->settlement();
    EXPECT_TRUE(contains(settlement.landed, relation(kAccounts)));
    EXPECT_TRUE(contains(settlement.look_at, catalog()));
    EXPECT_TRUE(settlement.moved.empty()) << "no DDL";
    EXPECT_TRUE(app->settled(true).empty());
    EXPECT_FALSE(app->must_settle(**frame)) << "once";
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(ready);
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_EQ(announced->released, 0U) << "it was settled";
    EXPECT_TRUE(app.seen().ends_with(say::complete("UPDATE 1") + ready));
}

TEST_F(Afar, ACatalogThatMovesMeanwhileMakesTheWriteTouchAll)
{
    app.misses(kReadUsers);
    app.client(say::query(kWriteAccounts));
    app->take_announcement();
    tier.words().observe(catalog(), 50, false);
    const auto before = world.database_version();
    app->settlement();
    EXPECT_EQ(app->settled(true), cache::Words{&world.shop.word()});
    app.server(say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_GT(world.database_version(), before);
}

TEST_F(Afar, ACatalogThatIsBeingChangedDoesToo)
{
    app.misses(kReadUsers);
    tier.words().observe(catalog(), 50, true);
    app.client(say::query(kWriteAccounts));
    app->take_announcement();
    app->settlement();
    EXPECT_EQ(app->settled(true), cache::Words{&world.shop.word()});
}

TEST_F(Afar, WhatCannotBeSettledIsOutdatedToo)
{
    app.misses(kReadUsers);
    app.client(say::query(kWriteAccounts));
    app->take_announcement();
    app->settlement();
    EXPECT_EQ(app->settled(false), cache::Words{&world.shop.word()});
}

TEST_F(Afar, DdlMovesTheCatalogForAll)
{
    app.misses(kReadUsers);
    app.client(say::query("ALTER TABLE accounts ADD COLUMN more int"));
    EXPECT_TRUE(announces(catalog()));
    const auto settlement = app->settlement();
    EXPECT_TRUE(contains(settlement.moved, catalog())) << "before the flight is gone";
    EXPECT_TRUE(contains(settlement.landed, catalog()));
}

TEST_F(Afar, AClientThatGoesLeavesItsFlightsToWhoeverFindsOut)
{
    app.misses(kReadUsers);
    app.client(say::query(kWriteAccounts));
    const auto held = announced->held;
    app.ends();
    EXPECT_EQ(announced->released, 0U);
    world.unresolved.backends_gone({4711});
    EXPECT_EQ(announced->released, held);
}

TEST_F(Afar, WhileSomebodyIsMissingNothingIsKeptForLong)
{
    app.misses(kReadAccounts);
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_TRUE(tier.note_missing(5, true)) << "the first";
    EXPECT_FALSE(tier.note_missing(6, true));
    EXPECT_EQ(world.cache.stats().entries, 0U);
    app->take_stored();
    app.misses(kReadAccounts);
    const auto stored = app->take_stored();
    ASSERT_EQ(stored.size(), 1U);
    const auto sealed = tier.seal(*stored.front().entry, world.now, world.now);
    ASSERT_TRUE(sealed);
    EXPECT_LE(sealed->keep_for, std::chrono::duration_cast<std::chrono::milliseconds>(tier.lease()));
    tier.note_missing(5, false);
    EXPECT_TRUE(tier.is_anybody_missing());
    tier.keep_missing({});
    EXPECT_FALSE(tier.is_anybody_missing());
}

class AfarExtended : public Afar {
protected:
    const std::string group =
        say::parse("", kReadAccounts) + say::bind("", "") + say::describe('P', "") + say::execute("");
    const std::string reply = say::parse_complete() + say::bind_complete() + say::columns("abalance") +
                              say::row({"7"}) + say::complete("SELECT 1");
};

TEST_F(AfarExtended, AGroupHitsOnceItsRowsAreConfirmed)
{
    app.misses(kReadUsers);
    EXPECT_FALSE(app.does_group(group, reply)); // its columns are learned
    EXPECT_FALSE(app.does_group(group, reply));
    store();
    looked_for.clear();
    EXPECT_TRUE(app.does_group(group, reply));
    EXPECT_EQ(looked_for, std::vector<std::string>{""}) << "one question for the whole group";
    moves(world.shop.word());
    EXPECT_FALSE(app.does_group(group, reply));
}

TEST_F(AfarExtended, AGroupOfDescriptionsIsConfirmedAtItsEnd)
{
    const auto described = say::parse("", kReadAccounts) + say::describe('S', "");
    app.misses(kReadUsers);
    app.does_group(group, reply);
    looked_for.clear();
    EXPECT_TRUE(app.does_group(described, ""));
    EXPECT_EQ(looked_for, std::vector<std::string>{""});
    moves(world.shop.word());
    EXPECT_FALSE(app.does_group(described, say::parse_complete() + say::parameters() + say::columns("abalance")));
}

} // namespace
} // namespace pgmemo::proxy
