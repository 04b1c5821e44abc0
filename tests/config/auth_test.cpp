#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmemo::config {
namespace {

Origin from(const char* address, const char* user = "ann", const char* database = "shop", bool tls = false)
{
    Origin origin;
    if (*address != '\0')
        origin.address = parse_ip(address);
    origin.tls = tls;
    origin.user = user;
    origin.database = database;
    return origin;
}

std::shared_ptr<const Config> load(const std::string& auth)
{
    const auto loaded = load_text("upstream: postgresql://db\nauth:" + auth, "f");
    for (const auto& problem : loaded.problems)
        ADD_FAILURE() << problem.str();
    return loaded.config;
}

TEST(Auth, IsRelayedUnlessSaidOtherwise)
{
    EXPECT_FALSE(load_text("upstream: postgresql://db", "f").config->auth.terminate);
    EXPECT_FALSE(load(" relay")->auth.terminate);
    const auto scram = load(" scram");
    EXPECT_TRUE(scram->auth.terminate);
    EXPECT_TRUE(scram->auth.query) << "somebody must know who may come";
    EXPECT_EQ(scram->auth.find(from("192.0.2.1"))->method, HbaMethod::scram_sha_256);
    EXPECT_EQ(scram->auth.find(from(""))->method, HbaMethod::scram_sha_256);
}

TEST(Auth, ReadsItsKeys)
{
    const auto config = load(R"(
  method: scram
  users: /etc/pgmemo/users
  query: SELECT * FROM lookup($1)
  salt_secret: /var/lib/pgmemo/salts
  recheck: 5s
  hba: []
)");
    EXPECT_EQ(config->auth.users, "/etc/pgmemo/users");
    EXPECT_TRUE(config->auth.query);
    EXPECT_EQ(config->auth.query_sql, "SELECT * FROM lookup($1)");
    EXPECT_EQ(config->auth.salt_secret, "/var/lib/pgmemo/salts");
    EXPECT_EQ(config->auth.recheck, std::chrono::seconds{5});
    EXPECT_EQ(config->auth.find(from("192.0.2.1")), nullptr) << "an empty list admits nobody";
    EXPECT_FALSE(load(" { method: scram, users: /u }")->auth.query) << "the file is enough";
}

TEST(Hba, TheFirstThatMatchesDecides)
{
    const auto config = load(R"(
  method: scram
  hba:
    - { type: local, user: postgres, method: peer }
    - { type: host, user: mallory, method: reject }
    - { type: host, database: sameuser, address: 10.0.0.0/8, method: trust }
    - { type: hostssl, address: 10.0.0.0/8, method: cert }
    - { type: hostnossl, database: ["shop*", x], user: [ann, bob], address: [10.1.0.0/16, "fd00::/8"], method: md5 }
    - { type: host, database: replication, address: all, method: scram-sha-256 }
)");
    const auto& auth = config->auth;
    const auto method = [&](const Origin& origin) -> std::optional<HbaMethod> {
        const auto* entry = auth.find(origin);
        return entry ? std::optional{entry->method} : std::nullopt;
    };
    EXPECT_EQ(method(from("", "postgres")), HbaMethod::peer);
    EXPECT_EQ(method(from("", "ann")), std::nullopt);
    EXPECT_EQ(method(from("10.1.2.3", "mallory")), HbaMethod::reject);
    EXPECT_EQ(method(from("10.1.2.3", "ann", "ann")), HbaMethod::trust);
    EXPECT_EQ(method(from("10.200.2.3", "ann", "shop", true)), HbaMethod::cert);
    EXPECT_EQ(method(from("10.1.2.3")), HbaMethod::md5);
    EXPECT_EQ(method(from("::ffff:10.1.2.3")), HbaMethod::md5);
    EXPECT_EQ(method(from("fd00::7", "bob", "x")), HbaMethod::md5);
    EXPECT_EQ(method(from("fc00::7", "bob", "x")), std::nullopt);
    EXPECT_EQ(method(from("10.2.2.3")), std::nullopt);
    EXPECT_EQ(method(from("10.1.2.3", "carl")), std::nullopt);
    auto replication = from("10.1.2.3");
    replication.replication = true;
    EXPECT_EQ(method(replication), HbaMethod::scram_sha_256);
}

TEST(Hba, AllDatabasesDoNotMeanReplication)
{
    auto origin = from("192.0.2.1");
    origin.replication = true;
    EXPECT_EQ(load(" scram")->auth.find(origin), nullptr);
}

TEST(Hba, MapsOuterNames)
{
    const auto config = load(R"(
  method: scram
  hba:
    - { type: local, method: peer, map: { root: [postgres, admin], www-data: web } }
    - { type: hostssl, method: cert }
)");
    const auto& mapped = config->auth.hba[0];
    EXPECT_TRUE(mapped.admits("root", "admin"));
    EXPECT_TRUE(mapped.admits("www-data", "web"));
    EXPECT_FALSE(mapped.admits("www-data", "www-data")) << "with a map, only what stands in it";
    EXPECT_FALSE(mapped.admits("", ""));
    const auto& plain = config->auth.hba[1];
    EXPECT_TRUE(plain.admits("ann", "ann"));
    EXPECT_FALSE(plain.admits("ann", "bob"));
    EXPECT_FALSE(plain.admits("", ""));
}

TEST(Cidr, MeansOneRange)
{
    for (const char* bad : {"", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "::1/64", "10.0.0.0/", "10.0.0/8", "a", "/8",
                            "10.0.0.0/8x", "10.0.0.0/-1"})
        EXPECT_FALSE(parse_cidr(bad)) << bad;
    EXPECT_TRUE(parse_cidr("0.0.0.0/0")->contains(*parse_ip("255.1.2.3")));
    EXPECT_FALSE(parse_cidr("0.0.0.0/0")->contains(*parse_ip("::1")));
    EXPECT_TRUE(parse_cidr("10.128.0.0/9")->contains(*parse_ip("10.255.0.1")));
    EXPECT_FALSE(parse_cidr("10.128.0.0/9")->contains(*parse_ip("10.127.0.1")));
    EXPECT_TRUE(parse_cidr("10.1.2.3")->contains(*parse_ip("10.1.2.3")));
    EXPECT_FALSE(parse_cidr("10.1.2.3")->contains(*parse_ip("10.1.2.2")));
}

} // namespace
} // namespace pgmemo::config
