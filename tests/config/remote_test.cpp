#include "config/config.hpp"
#include "config/remote.hpp"

#include <gtest/gtest.h>

namespace pgmemo::config {
namespace {

TEST(RemoteUrl, IsRead)
{
    std::string problem;
    const auto plain = parse_remote("redis://store", problem);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->host, "store");
    EXPECT_EQ(plain->port, 6379);
    EXPECT_FALSE(plain->tls);
    EXPECT_EQ(plain->text(), "redis://store:6379");

    const auto full = parse_remote("rediss://pg%40memo:p%3aw%2F@[::1]:7000/3", problem);
    ASSERT_TRUE(full);
    EXPECT_TRUE(full->tls);
    EXPECT_EQ(full->user, "pg@memo");
    EXPECT_EQ(full->password, "p:w/");
    EXPECT_EQ(full->host, "::1");
    EXPECT_EQ(full->port, 7000);
    EXPECT_EQ(full->database, 3U);
    EXPECT_EQ(full->text(), "rediss://[::1]:7000/3") << "no user, no password";

    const auto secret = parse_remote("redis://:only@h/", problem);
    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->user, "");
    EXPECT_EQ(secret->password, "only");
}

TEST(RemoteUrl, NonsenseIsRefused)
{
    for (const char* url : {"", "redis", "redis://", "http://h", "redis://h:0", "redis://h:65536", "redis://h:x",
                            "redis://h:", "redis://[::1", "redis://[::1]x", "redis://h/x", "redis://h/-1",
                            "redis://a%4@h", "redis://a%zz@h", "redis://:p%@h", "redis://u:p@"}) {
        std::string problem;
        EXPECT_FALSE(parse_remote(url, problem)) << url;
        EXPECT_FALSE(problem.empty()) << url;
    }
}

TEST(RemoteSettings, AreRead)
{
    const auto loaded = load_text("upstream: postgresql://db\n"
                                  "cache:\n"
                                  "  remote: redis://store:7000\n"
                                  "  remote_namespace: shop.eu\n"
                                  "  remote_secret: something\n"
                                  "  remote_ca: roots.pem\n"
                                  "  remote_timeout: 20ms\n"
                                  "  remote_lease: 10s\n",
                                  "f");
    ASSERT_TRUE(loaded.config);
    const auto& remote = loaded.config->cache.remote;
    ASSERT_TRUE(remote);
    EXPECT_EQ(remote->port, 7000);
    EXPECT_EQ(remote->space, "shop.eu");
    EXPECT_EQ(remote->secret, "something");
    EXPECT_EQ(remote->timeout, std::chrono::milliseconds{20});
    EXPECT_EQ(remote->lease, std::chrono::seconds{10});
    EXPECT_FALSE(load_text("upstream: postgresql://db\ncache: { remote: none }\n", "f").config->cache.remote);
    EXPECT_FALSE(load_text("upstream: postgresql://db\n", "f").config->cache.remote);
}

TEST(FootprintSettings, AreWhatWordsDependOn)
{
    const auto settings = [](const std::string& yaml) {
        const auto loaded = load_text("upstream: postgresql://db\n" + yaml, "f");
        return loaded.config ? loaded.config->footprint_settings() : std::string{"refused"};
    };
    const auto plain = settings("");
    EXPECT_EQ(plain, settings("cache: { ttl: 5s }\nrules: [{ match: { tables: [a.b] }, cache: off }]\n"));
    const auto tracks = settings("rules: [{ match: { tables: [a.b] }, track: [c] }]\n");
    EXPECT_NE(plain, tracks);
    EXPECT_NE(tracks, settings("rules: [{ match: { tables: [a.b] }, track: [d] }]\n"));
    EXPECT_NE(tracks, settings("rules: [{ match: { tables: [a.c] }, track: [c] }]\n"));
    EXPECT_NE(plain, settings("functions: [{ name: a.f, reads: [a.b] }]\n"));
}

} // namespace
} // namespace pgmemo::config
