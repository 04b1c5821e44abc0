#include "proxy/upstream_target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>

namespace pgmemo::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// Every PG* variable that decides where to go is away, and comes back afterwards.
class Upstream : public testing::Test {
protected:
    Upstream()
    {
        for (const auto* name :
             {"PGHOST", "PGHOSTADDR", "PGPORT", "PGSSLMODE", "PGREQUIRESSL", "PGSSLROOTCERT", "PGSSLCERT",
              "PGCHANNELBINDING", "PGSSLKEY", "PGSSLNEGOTIATION", "PGSSLCRL", "PGCONNECT_TIMEOUT", "PGSERVICE",
              "PGSERVICEFILE", "PGSYSCONFDIR", "PGDATABASE", "PGUSER", "PGPASSWORD"})
            set(name, nullptr);
        set("HOME", "/nowhere");
    }
    ~Upstream() override
    {
        for (const auto& [name, value] : before_)
            put(name.c_str(), value ? value->c_str() : nullptr);
    }
    void set(const char* name, const char* value)
    {
        const char* old = std::getenv(name);
        before_.emplace(name, old ? std::optional<std::string>{old} : std::nullopt);
        put(name, value);
    }
    static std::string refusal(const std::string& uri)
    {
        try {
            const UpstreamTarget target{uri};
            return "taken as " + target.text();
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
    }
    static std::map<std::string, std::string> own(const UpstreamTarget& target, std::string_view database)
    {
        std::map<std::string, std::string> options;
        for (auto& [key, value] : target.own_connection(database))
            EXPECT_TRUE(options.emplace(key, value).second) << key << " is given twice";
        return options;
    }

private:
    static void put(const char* name, const char* value) { value ? ::setenv(name, value, 1) : ::unsetenv(name); }
    std::map<std::string, std::optional<std::string>> before_;
};

struct Place {
    const char* name;
    const char* uri;
    const char* text;
    friend std::ostream& operator<<(std::ostream& out, const Place& row) { return out << row.uri; }
};

class UpstreamPlaces : public Upstream, public testing::WithParamInterface<Place> {};

TEST_P(UpstreamPlaces, AreReadAsLibpqReadsThem)
{
    EXPECT_EQ(UpstreamTarget{GetParam().uri}.text(), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Uri, UpstreamPlaces,
    testing::Values(Place{"HostAndPort", "postgresql://db.internal:5433/shop", "db.internal:5433"},
                    Place{"ShortScheme", "postgres://db.internal", "db.internal:5432"},
                    Place{"UserAndPassword", "postgresql://pgmemo:secret@db:5432/shop", "db:5432"},
                    Place{"KeywordsAndValues", "host=db port=5433 dbname=shop", "db:5433"},
                    Place{"Address6", "postgresql://[::1]:5433/shop", "::1:5433"},
                    Place{"NoHost", "postgresql:///shop", "/var/run/postgresql/.s.PGSQL.5432"},
                    Place{"Nothing", "", "/var/run/postgresql/.s.PGSQL.5432"},
                    Place{"Socket", "postgresql:///shop?host=/run/pg&port=5433", "/run/pg/.s.PGSQL.5433"},
                    Place{"EncodedSocket", "postgresql://%2Frun%2Fpg/shop", "/run/pg/.s.PGSQL.5432"},
                    Place{"SeveralHosts", "postgresql://a:1,b:2,c/shop", "a:1, b:2, c:5432"},
                    Place{"OnePortForAll", "host=a,b port=6000", "a:6000, b:6000"},
                    Place{"PortLeftOut", "host=a,b port=,6001", "a:5432, b:6001"},
                    Place{"HostLeftOut", "host=a, port=1,2", "a:1, /var/run/postgresql/.s.PGSQL.2"},
                    Place{"AddressWins", "host=db.internal hostaddr=10.0.0.7", "10.0.0.7:5432"},
                    Place{"NoTls", "postgresql://db/shop?sslmode=disable", "db:5432"},
                    Place{"TlsIfPossible", "postgresql://db/shop?sslmode=prefer", "db:5432"}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST_F(Upstream, KnowsASocketFromAHost)
{
    const UpstreamTarget target{"host=/run/pg,db"};
    ASSERT_EQ(target.hosts().size(), 2u);
    EXPECT_TRUE(target.hosts()[0].is_unix());
    EXPECT_FALSE(target.hosts()[1].is_unix());
}

TEST_F(Upstream, TakesFromTheEnvironmentWhatTheStringLeavesOut)
{
    set("PGHOST", "envhost");
    set("PGPORT", "6000");
    EXPECT_EQ(UpstreamTarget{"dbname=shop"}.text(), "envhost:6000");
    EXPECT_EQ(UpstreamTarget{"host=db"}.text(), "db:6000");
    EXPECT_EQ(UpstreamTarget{"host=db port=7000"}.text(), "db:7000");
}

TEST_F(Upstream, TakesAServiceFromTheEnvironment)
{
    const std::string file = testing::TempDir() + "pgmemo_test_pg_service.conf";
    std::ofstream{file} << "[shop]\nhost=servicehost\nport=6001\n";
    set("PGSERVICEFILE", file.c_str());
    set("PGSERVICE", "shop");
    EXPECT_EQ(UpstreamTarget{"dbname=shop"}.text(), "servicehost:6001");
    std::remove(file.c_str());
}

TEST_F(Upstream, TakesAServiceThatTheStringNames)
{
    const std::string file = testing::TempDir() + "pgmemo_test_pg_service.conf";
    std::ofstream{file} << "[shop]\nhost=servicehost\nport=6001\n";
    set("PGSERVICEFILE", file.c_str());
    EXPECT_EQ(UpstreamTarget{"service=shop"}.text(), "servicehost:6001");
    std::remove(file.c_str());
}

TEST_F(Upstream, TakesTheHostWhereItsAddressIsLeftOut)
{
    EXPECT_EQ(UpstreamTarget{"host=a,b hostaddr=10.0.0.7,"}.text(), "10.0.0.7:5432, b:5432");
}

TEST_F(Upstream, ReadsTheModesOfTlsAsLibpqDoes)
{
    EXPECT_EQ(UpstreamTarget{"host=db"}.tls_options().mode, SslMode::prefer);
    EXPECT_EQ(UpstreamTarget{"host=db sslmode=disable"}.tls_options().mode, SslMode::disable);
    EXPECT_EQ(UpstreamTarget{"postgresql://db/shop?sslmode=require"}.tls_options().mode, SslMode::require);
    set("PGSSLMODE", "allow");
    EXPECT_EQ(UpstreamTarget{"host=db"}.tls_options().mode, SslMode::allow);
    EXPECT_EQ(UpstreamTarget{"host=db sslmode=disable"}.tls_options().mode, SslMode::disable);
    EXPECT_EQ(refusal("host=db sslmode=always"), "upstream: invalid sslmode value: \"always\"");
}

TEST_F(Upstream, ReadsChannelBindingAsLibpqDoes)
{
    EXPECT_EQ(UpstreamTarget{"host=db"}.channel_binding(), ChannelBinding::prefer);
    EXPECT_EQ(UpstreamTarget{"postgresql://db/shop?channel_binding=require"}.channel_binding(),
              ChannelBinding::require);
    set("PGCHANNELBINDING", "require");
    EXPECT_EQ(UpstreamTarget{"host=db"}.channel_binding(), ChannelBinding::require);
    const UpstreamTarget target{"host=db channel_binding=disable"};
    EXPECT_EQ(target.channel_binding(), ChannelBinding::disable);
    EXPECT_EQ(own(target, "shop").at("channel_binding"), "disable");
    EXPECT_EQ(refusal("host=db channel_binding=maybe"), "upstream: invalid channel_binding value: \"maybe\"");
}

TEST_F(Upstream, NeverAsksForTlsOnAUnixSocket)
{
    const UpstreamTarget target{"host=/run/pg,db sslmode=require"};
    EXPECT_EQ(target.ssl_mode(target.hosts()[0]), SslMode::disable);
    EXPECT_EQ(target.ssl_mode(target.hosts()[1]), SslMode::require);
    EXPECT_FALSE(UpstreamTarget{"host=/run/pg sslmode=verify-full"}.may_use_tls());
}

TEST_F(Upstream, VerifiesOnlyAgainstARootThatExists)
{
    EXPECT_THAT(refusal("host=db sslmode=verify-ca"), HasSubstr("root.crt does not exist"));
    EXPECT_THAT(refusal("host=db sslmode=verify-full sslrootcert=/nowhere/ca.crt"), HasSubstr("/nowhere/ca.crt"));
    EXPECT_EQ(refusal("host=db sslmode=require sslrootcert=/nowhere/ca.crt"), "taken as db:5432") << "as libpq";
    set("PGSSLMODE", "verify-full");
    EXPECT_THAT(refusal("host=db"), HasSubstr("does not exist"));
}

TEST_F(Upstream, TrustsTheSystemOnlyWithTheWholeCheck)
{
    EXPECT_EQ(UpstreamTarget{"host=db sslrootcert=system"}.tls_options().mode, SslMode::verify_full);
    EXPECT_THAT(refusal("host=db sslmode=require sslrootcert=system"), HasSubstr("weak sslmode"));
}

TEST_F(Upstream, StartsTlsAtOnceOnlyWhereItIsRequired)
{
    EXPECT_TRUE(UpstreamTarget{"host=db sslmode=require sslnegotiation=direct"}.tls_options().direct);
    EXPECT_TRUE(UpstreamTarget{"postgresql://db?sslnegotiation=direct&sslmode=require"}.tls_options().direct);
    EXPECT_FALSE(UpstreamTarget{"host=db sslnegotiation=postgres"}.tls_options().direct);
    EXPECT_THAT(refusal("host=db sslnegotiation=direct"), HasSubstr("weak sslmode"));
    EXPECT_THAT(refusal("host=db sslmode=require sslnegotiation=now"), HasSubstr("invalid sslnegotiation"));
}

TEST_F(Upstream, RefusesFilesOfTlsThatCannotBeUsed)
{
    EXPECT_THAT(refusal("host=db sslcert=/nowhere/client.crt"), HasSubstr("/nowhere/client.crt"));
    EXPECT_THAT(refusal("host=db ssl_min_protocol_version=SSLv3"), HasSubstr("SSLv3"));
    EXPECT_EQ(refusal("host=db sslmode=disable sslcert=/nowhere/client.crt"), "taken as db:5432");
}

TEST_F(Upstream, VerifiesTheNameAndNotTheAddress)
{
    const UpstreamTarget target{"host=db.internal hostaddr=10.0.0.7"};
    EXPECT_EQ(target.hosts()[0].host, "10.0.0.7");
    EXPECT_EQ(target.hosts()[0].name, "db.internal");
}

TEST_F(Upstream, RefusesWhatIsNoConnectionString)
{
    for (const std::string uri : {"db.internal", "host", "nonsense=1", "postgresql://db/shop?nonsense=1", "host='db",
                                  "postgresql://[::1/shop"}) {
        const auto text = refusal(uri);
        EXPECT_THAT(text, testing::StartsWith("upstream: ")) << uri;
        EXPECT_THAT(text, Not(HasSubstr("\n"))) << uri;
    }
}

TEST_F(Upstream, RefusesPortsThatDoNotFitTheHosts)
{
    EXPECT_EQ(refusal("host=a,b,c port=1,2"), "upstream: 2 ports for 3 hosts");
}

TEST_F(Upstream, RefusesSocketsWithoutAPlaceInTheFileSystem)
{
    EXPECT_THAT(refusal("host=@pg"), HasSubstr("abstract"));
}

TEST_F(Upstream, NeverShowsAPasswordInItsText)
{
    const UpstreamTarget target{"postgresql://pgmemo:secret@db/shop"};
    EXPECT_THAT(target.text(), Not(HasSubstr("secret")));
}

TEST_F(Upstream, NeverShowsAPasswordInARefusal)
{
    EXPECT_THAT(refusal("postgresql://pgmemo:secret@[::1/shop"), Not(HasSubstr("secret")));
    EXPECT_THAT(refusal("postgresql://pgmemo:secret@db/shop?nonsense=1"), Not(HasSubstr("secret")));
}

TEST_F(Upstream, WaitsAsLongAsToldAndNeverLessThanLibpqDoes)
{
    EXPECT_EQ(UpstreamTarget{"host=db"}.connect_timeout(), 10s);
    EXPECT_EQ(UpstreamTarget{"host=db connect_timeout=5"}.connect_timeout(), 5s);
    EXPECT_EQ(UpstreamTarget{"host=db connect_timeout=1"}.connect_timeout(), 2s);
    EXPECT_EQ(UpstreamTarget{"host=db connect_timeout=0"}.connect_timeout(), 10s);
    set("PGCONNECT_TIMEOUT", "7");
    EXPECT_EQ(UpstreamTarget{"host=db"}.connect_timeout(), 7s);
}

// pgmemo's own connections

TEST_F(Upstream, ItsOwnConnectionsGoToTheDatabaseThatIsAskedFor)
{
    const UpstreamTarget target{"postgresql://pgmemo:secret@db:5433/postgres"};
    const auto options = own(target, "shop");
    EXPECT_EQ(options.at("dbname"), "shop");
    EXPECT_EQ(options.at("user"), "pgmemo");
    EXPECT_EQ(options.at("password"), "secret");
    EXPECT_EQ(options.at("host"), "db");
    EXPECT_EQ(options.at("port"), "5433");
    EXPECT_EQ(target.own_database(), "postgres");
    EXPECT_EQ(UpstreamTarget{"host=db"}.own_database(), "");
}

TEST_F(Upstream, ItsOwnConnectionsAreReadOnlyAndReadAsPgmemoNeedsIt)
{
    const UpstreamTarget target{
        "host=db application_name=x options='-c search_path=evil' client_encoding=SJIS connect_timeout=5"};
    const auto options = own(target, "shop");
    EXPECT_EQ(options.at("application_name"), "pgmemo");
    EXPECT_EQ(options.at("client_encoding"), "UTF8");
    EXPECT_EQ(options.at("connect_timeout"), "5");
    EXPECT_THAT(options.at("options"), HasSubstr("search_path=pg_catalog,pg_temp "));
    EXPECT_THAT(options.at("options"), HasSubstr("default_transaction_read_only=on"));
    EXPECT_THAT(options.at("options"), Not(HasSubstr("evil")));
}

} // namespace
} // namespace pgmemo::proxy
