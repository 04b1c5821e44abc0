#include "config/config.hpp"

#include <gtest/gtest.h>

namespace pgmemo::config {
namespace {

struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* path;
};

std::ostream& operator<<(std::ostream& out, const Case& row)
{
    return out << row.text;
}

class ReadsAddress : public testing::TestWithParam<Case> {};

TEST_P(ReadsAddress, AndWritesItBack)
{
    const auto address = parse_address(GetParam().text);
    ASSERT_TRUE(address);
    EXPECT_EQ(address->host, GetParam().host);
    EXPECT_EQ(address->port, GetParam().port);
    EXPECT_EQ(address->path, GetParam().path);
    EXPECT_EQ(address->is_unix(), *GetParam().path != '\0');
    EXPECT_EQ(address->text(), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(Addresses, ReadsAddress,
                         testing::Values(Case{"127.0.0.1:6432", "127.0.0.1", 6432, ""},
                                         Case{"db.internal:1", "db.internal", 1, ""}, Case{":6432", "", 6432, ""},
                                         Case{"[::1]:6432", "::1", 6432, ""}, Case{"localhost:0", "localhost", 0, ""},
                                         Case{"/run/pgmemo/.s.PGSQL.6432", "", 0, "/run/pgmemo/.s.PGSQL.6432"}));

TEST(Address, RefusesWhatIsNotOne)
{
    for (const char* text : {"", "6432", "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:5x",
                             "::1:6432", "[::1]", "[]:1", "[localhost]:1", "a b:1", "a/b:1", "user@host:1", "/"})
        EXPECT_FALSE(parse_address(text)) << text;
    EXPECT_FALSE(parse_address("/" + std::string(107, 'x')));
    EXPECT_TRUE(parse_address("/" + std::string(106, 'x')));
}

} // namespace
} // namespace pgmemo::config
