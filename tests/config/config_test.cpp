#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace pgmemo::config {
namespace {

using std::chrono::milliseconds;

/// Loads what must be right.
std::shared_ptr<const Config> good(const std::string& yaml, const Overrides& flags = {})
{
    const auto loaded = load_text(yaml, "test.yaml", flags);
    for (const auto& problem : loaded.problems)
        ADD_FAILURE() << problem.str();
    if (!loaded.config)
        throw std::runtime_error("refused: " + yaml);
    return loaded.config;
}

constexpr const char* kUpstream = "upstream: postgresql://db:5432/postgres\n";

TEST(Config, NeedsNothingButUpstream)
{
    const auto config = good(kUpstream);
    EXPECT_EQ(config->upstream, "postgresql://db:5432/postgres");
    ASSERT_EQ(config->listen.size(), 1u);
    EXPECT_EQ(config->listen[0].text(), "127.0.0.1:6432");
    EXPECT_EQ(config->threads, 0u);
    EXPECT_EQ(config->pool.max_upstream, 100u);
    EXPECT_TRUE(config->cache.enabled);
    EXPECT_EQ(config->cache.memory_bytes, 256u << 20);
    EXPECT_EQ(config->cache.max_entry_bytes, 1u << 20);
    EXPECT_EQ(config->cache.ttl, milliseconds{60'000});
    EXPECT_TRUE(config->cache.cache_by_default);
    EXPECT_TRUE(config->rules.empty());
    EXPECT_TRUE(config->functions.empty());
    EXPECT_TRUE(config->tracked_columns("public.sessions").empty());
    EXPECT_EQ(config->function_spec("public.f"), nullptr);
    ASSERT_TRUE(config->metrics);
    EXPECT_EQ(config->metrics->text(), "127.0.0.1:9632");
    EXPECT_EQ(config->log.level, "info");
    EXPECT_EQ(config->log.format, LogFormat::text);
}

constexpr const char* kComplete = R"(# Everything that this version knows.
listen:                             # one address, or a list of them
  - 127.0.0.1:6432
  - "[::1]:6432"
  - /run/pgmemo/.s.PGSQL.6432
upstream: postgresql://pgmemo@db.internal:5432/postgres?sslmode=verify-full
threads: 2

pool:
  mode: transparent
  max_upstream: 50

cache:
  enabled: true
  memory: 64MiB                     # a bound on all of it, overhead included
  max_entry: 512KiB
  ttl: 30s                          # the default of rules; `none` for no expiry
  remote: none
  default: bypass                   # only what a rule names is cached

capture: auto

rules:                              # the first that matches decides
  - name: sessions
    match: { tables: [public.sessions] }
    cache: { ttl: 10m }
  - name: audit is never cached
    match: { tables: ["audit.*", audit_log] }
    cache: off
  - name: dashboards
    match: { query: "(?i)from daily_", user: grafana }
    cache: { ttl: none, max_entry: 1MiB }
  - name: sessions are asked for by user
    match: { tables: [sessions] }
    track: [user_id, device]
  - name: reporting
    match: { database: [reports, "stats_*"] }
    cache: on

functions:                          # what they do, whoever wrote this vouches for it
  - { name: public.report, reads: [public.orders, "audit.*"], writes: [] }
  - { name: "audit.*", writes: audit.log }

metrics: { listen: 127.0.0.1:9999 }
log: { level: debug, format: json }
)";

TEST(Config, ReadsAllOfAComplexFile)
{
    const auto config = good(kComplete);
    ASSERT_EQ(config->listen.size(), 3u);
    EXPECT_EQ(config->listen[1].host, "::1");
    EXPECT_TRUE(config->listen[2].is_unix());
    EXPECT_EQ(config->threads, 2u);
    EXPECT_EQ(config->pool.max_upstream, 50u);
    EXPECT_EQ(config->cache.memory_bytes, 64u << 20);
    EXPECT_EQ(config->cache.max_entry_bytes, 512u << 10);
    EXPECT_EQ(config->cache.ttl, milliseconds{30'000});
    EXPECT_FALSE(config->cache.cache_by_default);
    ASSERT_EQ(config->rules.size(), 5u);
    EXPECT_EQ(config->rules[0].cache.ttl, milliseconds{600'000});
    EXPECT_EQ(config->rules[0].cache.max_entry_bytes, 512u << 10);
    EXPECT_FALSE(config->rules[1].cache.enabled);
    EXPECT_EQ(config->rules[2].cache.ttl, std::nullopt);
    EXPECT_EQ(config->rules[2].cache.max_entry_bytes, 1u << 20);
    EXPECT_TRUE(config->rules[4].cache.enabled);
    EXPECT_THAT(config->rules[3].track, testing::ElementsAre("user_id", "device"));
    ASSERT_EQ(config->functions.size(), 2u);
    EXPECT_EQ(config->functions[0].name, "public.report");
    EXPECT_THAT(config->functions[0].reads, testing::ElementsAre("public.orders", "audit.*"));
    EXPECT_THAT(config->functions[0].writes, testing::IsEmpty());
    EXPECT_EQ(config->functions[1].name, "audit.*");
    EXPECT_THAT(config->functions[1].reads, testing::IsEmpty());
    EXPECT_THAT(config->functions[1].writes, testing::ElementsAre("audit.log"));
    EXPECT_EQ(config->metrics->port, 9999);
    EXPECT_EQ(config->log.level, "debug");
    EXPECT_EQ(config->log.format, LogFormat::json);
}

TEST(Rules, TheFirstThatMatchesDecides)
{
    const auto config = good(kComplete);
    const auto name = [&](std::vector<std::string> tables, const char* user, const char* database, const char* sql) {
        const auto verdict = config->policy_for(tables, user, database, sql);
        return verdict.rule != nullptr ? verdict.rule->name : verdict.policy->enabled ? "default" : "no rule";
    };
    EXPECT_EQ(name({"public.sessions"}, "app", "shop", "SELECT"), "sessions");
    EXPECT_EQ(name({"public.users", "public.sessions"}, "app", "shop", "SELECT"), "sessions");
    EXPECT_EQ(name({"audit.sessions"}, "app", "shop", "SELECT"), "audit is never cached");
    EXPECT_EQ(name({"public.sessions", "audit.log"}, "app", "shop", "SELECT"), "sessions");
    EXPECT_EQ(name({"any.audit_log"}, "app", "shop", "SELECT"), "audit is never cached");
    EXPECT_EQ(name({"public.daily_sales"}, "grafana", "shop", "select * FROM daily_sales"), "dashboards");
    EXPECT_EQ(name({"public.daily_sales"}, "app", "shop", "select * FROM daily_sales"), "no rule");
    EXPECT_EQ(name({"public.x"}, "app", "stats_2024", "SELECT"), "reporting");
    EXPECT_EQ(name({}, "app", "shop", "SELECT 1"), "no rule");
}

TEST(Rules, WithoutMatchARuleMatchesEverything)
{
    const auto config = good(std::string{kUpstream} + "rules:\n  - cache: { ttl: 1s }\n");
    const auto verdict = config->policy_for({}, "", "", "");
    ASSERT_NE(verdict.rule, nullptr);
    EXPECT_EQ(verdict.rule->name, "rule 1");
    EXPECT_EQ(verdict.policy->ttl, milliseconds{1000});
}

TEST(Rules, OfSeveralRegularExpressionsOneIsEnoughAndFlagsStayWithTheirOwn)
{
    const auto config =
        good(std::string{kUpstream} + "rules:\n  - match: { query: ['(?i)alpha', 'beta|gamma'] }\n    cache: off\n");
    const Rule& rule = config->rules[0];
    EXPECT_TRUE(rule.matches({}, "", "", "x ALPHA x"));
    EXPECT_TRUE(rule.matches({}, "", "", "gamma"));
    EXPECT_FALSE(rule.matches({}, "", "", "BETA"));
}

TEST(Rules, AreNotAskedWhenTheCacheIsOff)
{
    const auto config = good(std::string{kUpstream} + "cache: off\nrules: [ { cache: on } ]\n");
    EXPECT_FALSE(config->cache.enabled);
    EXPECT_FALSE(config->policy_for({}, "", "", "").policy->enabled);
}

TEST(Rules, TakeTheirDefaultsFromCacheWhereverItStands)
{
    const auto config =
        good(std::string{kUpstream} + "rules: [ { cache: on } ]\ncache: { ttl: 5s, max_entry: 9KiB }\n");
    EXPECT_EQ(config->rules[0].cache.ttl, milliseconds{5000});
    EXPECT_EQ(config->rules[0].cache.max_entry_bytes, 9u << 10);
}

TEST(Rules, ThatOnlyTrackDecideNothing)
{
    const auto config =
        good(std::string{kUpstream} + "rules:\n"
                                      "  - { name: tracks, match: { tables: [public.a] }, track: x }\n"
                                      "  - { name: does both, match: { tables: [public.b] }, cache: off, track: [x] }\n"
                                      "  - { name: decides, match: { tables: 'public.*' }, cache: { ttl: 7s } }\n");
    const auto rule = [&](const char* table) { return config->policy_for({table}, "", "", "").rule; };
    ASSERT_NE(rule("public.a"), nullptr);
    EXPECT_EQ(rule("public.a")->name, "decides");
    EXPECT_EQ(rule("public.b")->name, "does both");
    EXPECT_FALSE(config->policy_for({"public.b"}, "", "", "").policy->enabled);
    EXPECT_EQ(rule("shop.a"), nullptr);
    EXPECT_FALSE(config->rules[0].decides);
    EXPECT_TRUE(config->rules[1].decides);
    EXPECT_TRUE(config->rules[2].decides);
}

TEST(TrackedColumns, AreThoseOfEveryRuleThatNamesTheTable)
{
    const auto config = good(std::string{kUpstream} +
                             "rules:\n"
                             "  - { match: { tables: 'public.*' }, cache: { ttl: 7s } }\n"
                             "  - { match: { tables: [public.orders] }, cache: off, track: [customer, state] }\n"
                             "  - { match: { tables: [orders, 'shop.?'] }, track: [customer, Region, customer] }\n"
                             "  - { match: { tables: [a.b], user: nobody, query: nothing }, track: place }\n");
    EXPECT_THAT(config->tracked_columns("public.orders"), testing::ElementsAre("Region", "customer", "state"));
    EXPECT_THAT(config->tracked_columns("other.orders"), testing::ElementsAre("Region", "customer"));
    EXPECT_THAT(config->tracked_columns("shop.x"), testing::ElementsAre("Region", "customer"));
    EXPECT_THAT(config->tracked_columns("a.b"), testing::ElementsAre("place")) << "match.tables alone counts";
    EXPECT_THAT(config->tracked_columns("public.items"), testing::IsEmpty());
    EXPECT_THAT(config->tracked_columns("shop.xy"), testing::IsEmpty());
    EXPECT_THAT(config->tracked_columns("public.Orders"), testing::IsEmpty());
}

TEST(TrackedColumns, DoNotHangOnTheCacheBeingOn)
{
    const auto config = good(std::string{kUpstream} + "cache: off\nrules: [ { match: { tables: t }, track: [c] } ]\n");
    EXPECT_THAT(config->tracked_columns("public.t"), testing::ElementsAre("c"));
}

TEST(Functions, TheFirstEntryThatMatchesDecides)
{
    const auto config = good(std::string{kUpstream} + "functions:\n"
                                                      "  - { name: public.report, reads: [a.b] }\n"
                                                      "  - { name: 'public.*', reads: [], writes: [public.log] }\n"
                                                      "  - { name: public.report, writes: [never.asked] }\n"
                                                      "  - { name: refresh_*, writes: '*' }\n");
    const auto number = [&](const char* name) {
        const auto* spec = config->function_spec(name);
        return spec != nullptr ? spec - config->functions.data() : -1;
    };
    ASSERT_EQ(config->functions.size(), 4u);
    EXPECT_EQ(number("public.report"), 0);
    EXPECT_EQ(number("public.reports"), 1);
    EXPECT_EQ(number("public.refresh_all"), 1);
    EXPECT_EQ(number("shop.refresh_all"), 3);
    EXPECT_EQ(number("shop.report"), -1);
    EXPECT_EQ(number("Public.report"), -1);
    EXPECT_EQ(number("refresh"), -1);
}

TEST(Config, AcceptsWhatPeopleWrite)
{
    EXPECT_FALSE(good(std::string{kUpstream} + "cache: { enabled: false }")->cache.enabled);
    EXPECT_EQ(good(std::string{kUpstream} + "metrics: off")->metrics, std::nullopt);
    EXPECT_EQ(good(std::string{kUpstream} + "listen: ':6432'")->listen[0].text(), ":6432");
    EXPECT_EQ(good(std::string{kUpstream} + "cache:\nrules:\nfunctions:\nlog:\n")->cache.memory_bytes, 256u << 20);
    EXPECT_EQ(good(std::string{kUpstream} + "capture: off\nthreads: auto\npool: { mode: transparent }")->threads, 0u);
    EXPECT_EQ(good(std::string{kUpstream} + "cache: { ttl: none }")->cache.ttl, std::nullopt);
    EXPECT_EQ(good("upstream: host=/run/postgresql user=me password='a b'")->upstream,
              "host=/run/postgresql user=me password='a b'");
    EXPECT_EQ(good("{\"upstream\": \"postgres://db\", \"threads\": 3}")->threads, 3u) << "JSON is YAML";
}

TEST(Config, OfASmallMemoryTheLargestEntryIsAnEighth)
{
    EXPECT_EQ(good(std::string{kUpstream} + "cache: { memory: 4MiB }")->cache.max_entry_bytes, 512u << 10);
    EXPECT_EQ(good(std::string{kUpstream} + "cache: { memory: 4MiB }")->default_policy.max_entry_bytes, 512u << 10);
}

TEST(Flags, WinOverTheFile)
{
    Overrides flags;
    flags.upstream = "postgres://other";
    flags.listen = {":1", "/tmp/s"};
    flags.memory = "8MiB";
    flags.ttl = "none";
    flags.metrics = "off";
    flags.log_level = "error";
    const auto config = good(kComplete + std::string{}, [&] {
        auto f = flags;
        f.memory = "16MiB";
        return f;
    }());
    EXPECT_EQ(config->upstream, "postgres://other");
    EXPECT_EQ(config->listen.size(), 2u);
    EXPECT_EQ(config->cache.memory_bytes, 16u << 20);
    EXPECT_EQ(config->cache.ttl, std::nullopt);
    EXPECT_EQ(config->metrics, std::nullopt);
    EXPECT_EQ(config->log.level, "error");

    const auto alone = load_flags(flags);
    ASSERT_TRUE(alone.config);
    EXPECT_EQ(alone.config->cache.memory_bytes, 8u << 20);
}

TEST(Flags, AProblemNamesTheFlag)
{
    Overrides flags;
    flags.upstream = "nonsense";
    flags.listen = {"nowhere"};
    flags.memory = "lots";
    flags.log_level = "loud";
    const auto loaded = load_flags(flags);
    EXPECT_FALSE(loaded.config);
    std::vector<std::string> texts;
    for (const auto& problem : loaded.problems)
        texts.push_back(problem.str());
    EXPECT_THAT(texts, testing::UnorderedElementsAre(testing::HasSubstr("--upstream: not a libpq URI"),
                                                     testing::HasSubstr("--listen: \"nowhere\" is not an address"),
                                                     testing::HasSubstr("--memory: \"lots\" is not a size"),
                                                     testing::HasSubstr("--log-level: \"loud\" is not one of")));
}

TEST(File, IsReadFromDisk)
{
    const std::string path = testing::TempDir() + "/pgmemo_config_test.yaml";
    std::ofstream{path} << kComplete;
    EXPECT_TRUE(load_file(path).config);
    std::ofstream{path} << "upstream: 12\n";
    const auto loaded = load_file(path);
    ASSERT_EQ(loaded.problems.size(), 1u);
    EXPECT_EQ(loaded.problems[0].str(),
              path + ":1:11: upstream: not a libpq URI (postgresql://…) or connection string (key=value …)");
    std::remove(path.c_str());
}

TEST(File, ThatCannotBeReadIsOneProblem)
{
    EXPECT_EQ(load_file("/nonexistent/pgmemo.yaml").problems.at(0).str(),
              "/nonexistent/pgmemo.yaml: cannot be read: No such file or directory");
    EXPECT_EQ(load_file("/").problems.at(0).str(), "/: cannot be read: Is a directory");
}

} // namespace
} // namespace pgmemo::config
