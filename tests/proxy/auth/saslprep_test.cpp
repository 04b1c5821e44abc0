#include "proxy/auth/saslprep.hpp"
#include "proxy/auth/secret.hpp"
#include "tests/support/bytes.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace pgmemo::proxy::auth {
namespace {

using namespace std::string_literals;

struct Case {
    const char* name;
    std::string given;
    std::string prepared;
    friend std::ostream& operator<<(std::ostream& out, const Case& row) { return out << row.name; }
};

class Saslprep : public testing::TestWithParam<Case> {};

TEST_P(Saslprep, PreparesAPasswordAsPostgreSqlDoes)
{
    EXPECT_EQ(prepared_password(GetParam().given), GetParam().prepared);
}

// The examples of RFC 4013 section 3 among them.
INSTANTIATE_TEST_SUITE_P(Prepared, Saslprep,
                         testing::Values(Case{"SoftHyphen", "I\xc2\xadX", "IX"}, Case{"Ascii", "user", "user"},
                                         Case{"CaseIsKept", "USER", "USER"}, Case{"FeminineOrdinal", "\xc2\xaa", "a"},
                                         Case{"RomanNine", "\xe2\x85\xa8", "IX"},
                                         Case{"NoBreakSpace",
                                              "a\xc2\xa0"
                                              "b",
                                              "a b"},
                                         Case{"ZeroWidthSpace",
                                              "a\xe2\x80\x8b"
                                              "b",
                                              "a b"},
                                         Case{"Composed", "e\xcc\x81", "\xc3\xa9"},
                                         Case{"GrowsMuch", "\xef\xb7\xba",
                                              "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 "
                                              "\u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"},
                                         Case{"Hebrew", "\u05d0\u05aa\u05d1", "\u05d0\u05aa\u05d1"}),
                         [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(AsItIs, Saslprep,
                         testing::Values(Case{"Empty", "", ""}, Case{"ControlInAscii", "a\x07", "a\x07"},
                                         Case{"Control", "\xc2\xa0\x07", "\xc2\xa0\x07"},
                                         Case{"Delete", "\xc2\xa0\x7f", "\xc2\xa0\x7f"},
                                         Case{"PrivateUse", "\xc2\xa0\xee\x80\x80", "\xc2\xa0\xee\x80\x80"},
                                         Case{"BothDirections", "\u05d0a\xc2\xa0", "\u05d0a\xc2\xa0"},
                                         Case{"RightToLeftEndsOtherwise",
                                              "\u0627"
                                              "1\xc2\xad",
                                              "\u0627"
                                              "1\xc2\xad"},
                                         Case{"NotInUnicode32", "\xc2\xa0\xf0\x9f\x98\x80", "\xc2\xa0\xf0\x9f\x98\x80"},
                                         Case{"NothingIsLeft", "\xc2\xad", "\xc2\xad"},
                                         Case{"Latin1", "\xe9\xa0", "\xe9\xa0"},
                                         Case{"CutShort", "\xc2\xa0\xc3", "\xc2\xa0\xc3"},
                                         Case{"Overlong", "\xc2\xa0\xc0\xaf", "\xc2\xa0\xc0\xaf"},
                                         Case{"Surrogate", "\xc2\xa0\xed\xa0\x80", "\xc2\xa0\xed\xa0\x80"},
                                         Case{"BeyondUnicode", "\xc2\xa0\xf4\x90\x80\x80", "\xc2\xa0\xf4\x90\x80\x80"},
                                         Case{"ZeroByte", "\xc2\xa0\0a"s, "\xc2\xa0\0a"s}),
                         [](const auto& row) { return row.param.name; });

TEST(SaslprepOfKeys, TwoWaysToWriteAPasswordAreOne)
{
    EXPECT_EQ(derive_keys("I\xc2\xadX", "salt", 1).client_key, derive_keys("IX", "salt", 1).client_key);
}

TEST(SaslprepOfNoise, SurvivesIt)
{
    testing_support::Noise noise{11};
    for (int i = 0; i < 20'000; ++i)
        prepared_password(noise.damaged("\xc2\xa0\xef\xb7\xba\xd7\x90 e\xcc\x81\xf0\x9f\x98\x80"));
}

} // namespace
} // namespace pgmemo::proxy::auth
