#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmemo::config {
namespace {

struct Case {
    const char* name;
    const char* yaml;                  ///< `upstream` is added as its last line unless it says something of it itself
    std::vector<const char*> problems; ///< line:column: text
};

std::ostream& operator<<(std::ostream& out, const Case& row)
{
    return out << row.yaml;
}

class Refuses : public testing::TestWithParam<Case> {};

TEST_P(Refuses, AndSaysWhereAndWhy)
{
    std::string yaml = GetParam().yaml;
    const bool speaks_of_it = yaml.find("upstream:") != std::string::npos || yaml.ends_with("upstream");
    if (!speaks_of_it || yaml.find("max_upstream:") != std::string::npos)
        yaml += "\nupstream: postgresql://db\n";
    const auto loaded = load_text(yaml, "f", {});
    EXPECT_FALSE(loaded.config);
    std::vector<std::string> found;
    for (const auto& problem : loaded.problems)
        found.push_back(problem.str());
    std::vector<testing::Matcher<std::string>> expected;
    for (const char* problem : GetParam().problems)
        expected.emplace_back(testing::StartsWith("f:" + std::string{problem}));
    EXPECT_THAT(found, testing::ElementsAreArray(expected));
}

std::string name_of(const testing::TestParamInfo<Case>& row)
{
    return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Auth, Refuses,
    testing::Values(
        Case{"AuthMode", "auth: scramm", {"1:7: auth: \"scramm\" is not one of relay, scram; did you mean \"scram\"?"}},
        Case{"AuthKey",
             "auth:\n  method: scram\n  user: x",
             {"3:3: unknown key \"user\" in auth; did you mean \"users\"?"}},
        Case{"AuthMethodless", "auth: { users: x }", {"1:7: auth: has no method; relay or scram"}},
        Case{"AuthRelayWithMore",
             "auth: { method: relay, users: x }",
             {"1:17: auth.method: with relay PostgreSQL decides"}},
        Case{
            "AuthNobody", "auth: { method: scram, query: off }", {"1:31: auth.query: off, and there is no users file"}},
        Case{"AuthQuery",
             "auth: { method: scram, query: SELECT 1 }",
             {"1:31: auth.query: neither on, nor off, nor a query"}},
        Case{"AuthRecheck", "auth: { method: scram, recheck: 5 }", {"1:33: auth.recheck: \"5\" is not a duration"}},
        Case{"AuthRecheckTooShort", "auth: { method: scram, recheck: 5ms }", {"1:33: auth.recheck: \"5ms\" is not"}},
        Case{"HbaKey",
             "auth:\n  method: scram\n  hba:\n    - { type: host, adress: all, method: md5 }",
             {"4:21: unknown key \"adress\" in auth.hba 1; did you mean \"address\"?"}},
        Case{
            "HbaMethod",
            "auth:\n  method: scram\n  hba:\n    - { type: host, method: scram }",
            {"4:29: auth.hba 1: method: \"scram\" is not one of trust, peer, scram-sha-256, md5, cert, reject; did you "
             "mean \"scram-sha-256\"?"}},
        Case{"HbaAddress",
             "auth:\n  method: scram\n  hba:\n    - { type: host, address: 10.0.0.1/8, method: md5 }",
             {"4:30: auth.hba 1: address: \"10.0.0.1/8\" is not a range of addresses"}},
        Case{"HbaNoMethod", "auth:\n  method: scram\n  hba:\n    - { type: host }", {"4:7: auth.hba 1: has no method"}},
        Case{"HbaPeerOverTcp",
             "auth:\n  method: scram\n  hba:\n    - { type: host, method: peer }",
             {"4:29: auth.hba 1: method: peer is for Unix sockets"}},
        Case{"HbaCertWithoutTls",
             "auth:\n  method: scram\n  hba:\n    - { type: host, method: cert }",
             {"4:29: auth.hba 1: method: cert takes TLS"}},
        Case{"HbaMapOfPasswords",
             "auth:\n  method: scram\n  hba:\n    - { type: host, method: md5, map: { a: b } }",
             {"4:39: auth.hba 1: map: only peer and cert"}},
        Case{"HbaNoList", "auth:\n  method: scram\n  hba: yes", {"3:8: auth.hba: expected a list"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Keys, Refuses,
    testing::Values(
        Case{"Unknown", "cahce: off", {"1:1: unknown key \"cahce\"; did you mean \"cache\"?"}},
        Case{"UnknownInside",
             "cache:\n  memry: 1MiB",
             {"2:3: unknown key \"memry\" in cache; did you mean \"memory\"?"}},
        Case{"NothingNear", "pool: { xyz: 1 }", {"1:9: unknown key \"xyz\" in pool; known are mode, max_upstream"}},
        Case{"UnknownInRule",
             "rules:\n  - name: a\n    math: {}\n    cache: off",
             {"3:5: unknown key \"math\" in rule \"a\"; did you mean \"match\"?"}},
        Case{"UnknownInMatch",
             "rules:\n  - match: { table: x }\n    cache: off",
             {"2:14: unknown key \"table\" in rule 1: match; did you mean \"tables\"?"}},
        Case{"Twice", "threads: 1\nthreads: 2", {"2:1: threads: given twice"}},
        Case{"TwiceInside", "log: { level: info, level: warn }", {"1:21: log.level: given twice"}},
        Case{"NotAWord", "? [a, b]\n: 1\n", {"1:3: a key must be a word, not a list"}},
        Case{"LimitsTime",
             "limits: { client_idle_timeout: 5 }",
             {"1:32: limits.client_idle_timeout: \"5\" is not a duration; write a whole number with ms, s, m, h or d"}},
        Case{"TlsHalf", "tls: { certificate: a }", {"1:6: tls: certificate and key come together"}},
        Case{"TlsWithoutCertificate",
             "tls: { require: true }",
             {"1:6: tls: there is no TLS without certificate and key"}},
        Case{"TlsClientsUnverified",
             "tls: { certificate: a, key: b, client_certificate: required }",
             {"1:52: tls.client_certificate: needs tls.client_ca, to verify it against"}},
        Case{"Admin", "admin: { listen: ':1' }", {"1:1: admin: not in this version of pgmemo"}},
        Case{"StaleWhileRevalidate",
             "rules:\n  - cache: { ttl: 5m, stale_while_revalidate: 1m }",
             {"2:23: rule 1: cache.stale_while_revalidate: not in this version"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Shape, Refuses,
    testing::Values(
        Case{"Empty", "# no upstream: at all", {" upstream is required"}},
        Case{"NullUpstream", "upstream:", {" upstream is required"}},
        Case{"List", "- upstream", {"1:1: expected a mapping of keys, not a list", " upstream is required"}},
        Case{"Word", "upstream", {"1:1: expected a mapping of keys, not \"upstream\"", " upstream is required"}},
        Case{"SectionIsAWord", "pool: 5", {"1:7: pool: expected a mapping of keys, not \"5\""}},
        Case{"ValueIsAMapping", "threads: { a: 1 }", {"1:10: threads: expected one value, not a mapping"}},
        Case{"ValueIsAbsent", "cache: { memory: }", {"1:10: cache.memory: expected one value, not nothing"}},
        Case{"Unclosed", "rules: [ {", {"3:1: not YAML: "}}, Case{"Tab", "cache:\n\tmemory: 1MiB", {"2:8: not YAML: "}},
        Case{"BadIndent", "cache:\n  memory: 1MiB\n ttl: 1s", {"3:2: not YAML: "}},
        Case{"TwoDocuments", "upstream: postgres://a\n---\nupstream: postgres://b\n", {"2:1: a second YAML document"}},
        Case{"UnknownAlias", "threads: *many", {"1:10: not YAML: "}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Values, Refuses,
    testing::Values(
        Case{"Upstream", "upstream: localhost:5432", {"1:11: upstream: not a libpq URI"}},
        Case{"UpstreamOfAnotherKind",
             "upstream: mysql://u:secret@h",
             {"1:11: upstream: not a libpq URI (postgresql://…)"}},
        Case{"UpstreamList", "upstream: [a, b]", {"1:11: upstream: expected one value, not a list"}},
        Case{"Listen", "listen: 6432", {"1:9: listen: \"6432\" is not an address; write host:port"}},
        Case{"ListenItem", "listen:\n  - ':1'\n  - nowhere", {"3:5: listen: \"nowhere\" is not an address"}},
        Case{"ListenTwice", "listen: [':1', ':1']", {"1:16: listen: \":1\" is given twice"}},
        Case{"ListenEmpty", "listen: []", {"1:9: listen: the list is empty"}},
        Case{"Threads", "threads: 0", {"1:10: threads: \"0\" is not a whole number from 1 to 256"}},
        Case{"ThreadsWord", "threads: many", {"1:10: threads: \"many\" is not a whole number"}},
        Case{"MaxUpstream",
             "pool: { max_upstream: 100000 }",
             {"1:23: pool.max_upstream: \"100000\" is not a whole number from 1 to 10000"}},
        Case{"Mode",
             "pool: { mode: transparant }",
             {"1:15: pool.mode: \"transparant\" is not one of transparent, session, transaction; did you mean "
              "\"transparent\"?"}},
        Case{"SessionMode", "pool: { mode: session }", {"1:15: pool.mode: session is not in this version"}},
        Case{"TransactionMode", "pool: { mode: transaction }", {"1:15: pool.mode: transaction is not in this version"}},
        Case{"CacheWord", "cache: perhaps", {"1:8: cache: \"perhaps\" is neither on nor off"}},
        Case{"Enabled", "cache: { enabled: perhaps }", {"1:19: cache.enabled: \"perhaps\" is neither on nor off"}},
        Case{"Memory", "cache: { memory: 12XB }", {"1:18: cache.memory: \"12XB\" is not a size; write bytes"}},
        Case{"MemoryTooSmall", "cache: { memory: 10KiB }", {"1:18: cache.memory: must be at least 1MiB"}},
        Case{"MaxEntry",
             "cache: { memory: 16MiB, max_entry: 4MiB }",
             {"1:36: cache.max_entry: 4MiB is more than an eighth of cache.memory (16MiB); at most 2MiB here"}},
        Case{"MaxEntryZero", "cache: { max_entry: 0 }", {"1:21: cache.max_entry: must be more than 0"}},
        Case{"Ttl", "cache: { ttl: 60 }", {"1:15: cache.ttl: \"60\" is not a duration; write a whole number with ms"}},
        Case{"TtlZero", "cache: { ttl: 0s }", {"1:15: cache.ttl: must be more than 0"}},
        Case{"TtlForever", "cache: { ttl: 99999d }", {"1:15: cache.ttl: \"99999d\" is more than 3650d; none is"}},
        Case{"Remote",
             "cache: { remote: http://:secret@h }",
             {"1:18: cache.remote: is no address of a store: redis://host:port or rediss://host:port, or none"}},
        Case{"RemoteWithoutHost", "cache: { remote: 'redis://' }", {"1:18: cache.remote: has no host, or a port that"}},
        Case{"RemoteNamespace",
             "cache: { remote: redis://h, remote_namespace: 'a b' }",
             {"1:47: cache.remote_namespace: must be 1 to 64 letters, digits, dots, dashes and underscores"}},
        Case{"RemoteTimeout", "cache: { remote_timeout: 20s }", {"1:26: cache.remote_timeout: must be 1ms to 10000ms"}},
        Case{"RemoteLease", "cache: { remote_lease: 1ms }", {"1:24: cache.remote_lease: must be 500ms to 300000ms"}},
        Case{"RemoteMemory",
             "cache: { remote: redis://h, memory: 4MiB }",
             {"1:18: cache.remote: needs cache.memory to be at least 8MiB"}},
        Case{"Default", "cache: { default: on }", {"1:19: cache.default: \"on\" is not one of cache, bypass"}},
        Case{"CaptureOn", "capture: on", {"1:10: capture: change capture is not in this version"}},
        Case{"CaptureWord", "capture: sometimes", {"1:10: capture: \"sometimes\" is neither on nor off"}},
        Case{"Metrics", "metrics: { listen: 9632 }", {"1:20: metrics.listen: \"9632\" is not an address"}},
        Case{"MetricsWord", "metrics: on", {"1:10: metrics: expected a mapping of keys, not \"on\""}},
        Case{"Level",
             "log: { level: warning }",
             {"1:15: log.level: \"warning\" is not one of trace, debug, info, warn, error; did you mean \"warn\"?"}},
        Case{"Format", "log: { format: xml }", {"1:16: log.format: \"xml\" is not one of text, json"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Rules, Refuses,
    testing::Values(
        Case{"NotAList", "rules: { name: a }", {"1:8: rules: expected a list of rules"}},
        Case{"Word", "rules: [ a ]", {"1:10: rule 1: expected a mapping of keys, not \"a\""}},
        Case{"NameTwice",
             "rules:\n  - { name: a, cache: off }\n  - { name: a, cache: on }",
             {"3:13: another rule has the name \"a\" already"}},
        Case{"NoCache", "rules:\n  - name: a\n    match: { user: x }", {"2:5: rule \"a\": says nothing of cache"}},
        Case{"EmptyMatch", "rules:\n  - match:\n    cache: off", {"2:5: rule 1: match: says nothing; leave it out"}},
        Case{"EmptyTables",
             "rules:\n  - match: { tables: [] }\n    cache: off",
             {"2:22: rule 1: match.tables: the list is empty"}},
        Case{"Regex",
             "rules:\n  - name: r\n    match: { query: 'from (' }\n    cache: off",
             {"3:21: rule \"r\": match.query: \"from (\" is not a regular expression: missing ): from ("}},
        Case{"RegexInList",
             "rules:\n  - match:\n      query: [a, 'b**', '[']\n    cache: off",
             {"3:18: rule 1: match.query: \"b**\" is not a regular expression: bad repetition operator: **",
              "3:25: rule 1: match.query: \"[\" is not a regular expression: missing ]: ["}},
        Case{"Ttl",
             "rules:\n  - name: x\n    cache: { ttl: soon }",
             {"3:19: rule \"x\": cache.ttl: \"soon\" is not a duration"}},
        Case{"MaxEntry",
             "rules:\n  - cache: { max_entry: 33MiB }",
             {"2:25: rule 1: cache.max_entry: 33MiB is more than an eighth of cache.memory (256MiB); at most 32MiB"}},
        Case{"CacheWord", "rules:\n  - cache: maybe", {"2:12: rule 1: cache: \"maybe\" is neither on nor off"}},
        Case{"TrackWithoutMatch",
             "rules:\n  - name: a\n    track: [x]",
             {"3:12: rule \"a\": track: needs match.tables: the tables whose columns these are"}},
        Case{"TrackWithoutTables",
             "rules:\n  - match: { user: app }\n    cache: on\n    track: x",
             {"4:12: rule 1: track: needs match.tables"}},
        Case{"TrackAndWrongTables",
             "rules:\n  - match: { tables: [] }\n    track: [x]",
             {"2:22: rule 1: match.tables: the list is empty"}},
        Case{"TrackAndWrongMatch",
             "rules:\n  - match: t\n    track: [x]",
             {"2:12: rule 1: match: expected a mapping of keys, not \"t\"", "3:12: rule 1: track: needs match.tables"}},
        Case{"TrackEmpty",
             "rules:\n  - match: { tables: t }\n    track: []",
             {"3:12: rule 1: track: the list is empty"}},
        Case{"TrackNothing",
             "rules:\n  - match: { tables: t }\n    track:",
             {"3:5: rule 1: track: expected one value, not nothing"}},
        Case{"TrackAMapping",
             "rules:\n  - match: { tables: t }\n    track: [ x, { y: z } ]",
             {"3:17: rule 1: track: expected one value, not a mapping"}},
        Case{"TrackAGlob",
             "rules:\n  - match: { tables: t }\n    track: [ id, '*_id' ]",
             {"3:18: rule 1: track: \"*_id\" is a glob; write each column's own name"}},
        Case{"TrackMisspelt",
             "rules:\n  - match: { tables: t }\n    trak: [ id ]",
             {"2:5: rule 1: says nothing of cache, nor of track; write",
              "3:5: unknown key \"trak\" in rule 1; did you mean \"track\"?"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Functions, Refuses,
    testing::Values(
        Case{"NotAList", "functions: { name: f }", {"1:12: functions: expected a list of functions"}},
        Case{"AWord", "functions: public.f", {"1:12: functions: expected a list of functions"}},
        Case{"ItemIsAWord",
             "functions: [ public.f ]",
             {"1:14: function 1: expected a mapping of keys, not \"public.f\""}},
        Case{"ItemIsNothing", "functions:\n  - { name: a, reads: [] }\n  -\n", {"2:3: function 2: says nothing"}},
        Case{"NoName", "functions:\n  - reads: [t]", {"2:5: function 1: has no name; write `name: schema.function`"}},
        Case{"NameIsEmpty",
             "functions:\n  - { name: '', reads: [t] }",
             {"2:13: function 1: name: expected one value, not \"\""}},
        Case{"NameIsAList",
             "functions:\n  - { name: [f, g], reads: [t] }",
             {"2:13: function 1: name: expected one value, not a list"}},
        Case{"NameWithArguments",
             "functions:\n  - { name: public.f(integer), reads: [t] }",
             {"2:13: function \"public.f(integer)\": name: takes no arguments; write schema.function, which means "
              "every"}},
        Case{"NeitherReadsNorWrites",
             "functions:\n  - name: public.f",
             {"2:5: function \"public.f\": says neither what it reads nor what it writes; write `reads: "
              "[schema.table]`, "
              "`writes: [schema.table]`, or [] for nothing"}},
        Case{"ReadsNothingAtAll",
             "functions:\n  - { name: f, reads: , writes: [] }",
             {"2:16: function \"f\": reads: expected one value, not nothing"}},
        Case{"WritesAMapping",
             "functions:\n  - { name: f, writes: [ t, { a: b } ] }",
             {"2:29: function \"f\": writes: expected one value, not a mapping"}},
        Case{"Unknown",
             "functions:\n  - { name: f, read: [t], writes: [] }",
             {"2:16: unknown key \"read\" in function \"f\"; did you mean \"reads\"?"}},
        Case{"Misspelt", "function: []", {"1:1: unknown key \"function\"; did you mean \"functions\"?"}}),
    name_of);

TEST(Problems, AreAllToldInTheOrderOfTheFile)
{
    const auto loaded = load_text("log: { level: loud }\n"
                                  "cache: { memory: x, ttl: y }\n"
                                  "theads: 2\n"
                                  "listen: 6432\n",
                                  "f");
    std::vector<std::string> found;
    for (const auto& problem : loaded.problems)
        found.push_back(problem.str().substr(0, problem.str().find(": ")));
    EXPECT_THAT(found, testing::ElementsAre("f:1:15", "f:2:18", "f:2:26", "f:3:1", "f:4:9", "f"));
}

TEST(Problems, NeverShowWhatMayHoldAPassword)
{
    const auto loaded = load_text("upstream: mysql://u:secret@h\ncache: { remote: 'http://:secret@h' }\n", "f");
    ASSERT_EQ(loaded.problems.size(), 2u);
    for (const auto& problem : loaded.problems)
        EXPECT_EQ(problem.text.find("secret"), std::string::npos) << problem.text;
}

TEST(Problems, AreNotEndless)
{
    std::string yaml;
    for (int i = 0; i < 5000; ++i)
        yaml += "key" + std::to_string(i) + ": 1\n";
    const auto loaded = load_text(yaml, "f");
    ASSERT_EQ(loaded.problems.size(), 101u);
    EXPECT_EQ(loaded.problems.back().text, "and 4901 problems more");
}

TEST(HostileYaml, IsRefusedWhateverItsDepth)
{
    for (const char* opening : {"[", "{a: ", "- ", "? ", "- - a: ", "!x [", "&a ["}) {
        std::string yaml = "rules: ";
        if (*opening == '-' || *opening == '?')
            yaml = "rules:\n  ";
        while (yaml.size() < 200'000)
            yaml += opening;
        const auto loaded = load_text(yaml, "f");
        EXPECT_FALSE(loaded.config) << opening;
        EXPECT_FALSE(loaded.problems.empty());
    }
    EXPECT_EQ(load_text(std::string((1u << 20) + 1, ' '), "f").problems.at(0).str(), "f: the file is larger than 1MiB");
}

TEST(HostileYaml, AliasesThatMultiplyAreNotFollowed)
{
    std::string yaml = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 30; ++i) {
        const auto n = std::to_string(i);
        const auto m = std::to_string(i - 1);
        yaml += "a" + n + ": &a" + n + " [*a" + m + ", *a" + m + "]\n";
    }
    yaml += "upstream: postgres://db\nlisten: *a29\n";
    EXPECT_FALSE(load_text(yaml, "f").config);
    EXPECT_FALSE(load_text("listen: &l [ *l ]\nupstream: postgres://db\n", "f").config);
}

} // namespace
} // namespace pgmemo::config
