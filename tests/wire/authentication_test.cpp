#include "tests/support/bytes.hpp"
#include "wire/authentication.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmemo::wire {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing_support::at_every_truncation;
using testing_support::Exact;
using testing_support::Noise;
using Kind = Authentication::Kind;

std::string_view body_of(std::string_view message)
{
    return message.substr(5);
}

TEST(Authentication, ReadsWhatItWrites)
{
    std::string out;
    append_authentication(out, Kind::md5, "salt");
    EXPECT_EQ(out, "R\0\0\0\x0c\0\0\0\5salt"s);
    const Exact body{body_of(out)};
    const auto read = decode_authentication(body);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, Kind::md5);
    EXPECT_EQ(read->data, "salt");

    out.clear();
    append_mechanisms(out, {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"});
    EXPECT_EQ(out, "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"s);
    const auto names = decode_mechanisms(decode_authentication(body_of(out))->data);
    ASSERT_TRUE(names);
    EXPECT_THAT(*names, ElementsAre("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"));

    out.clear();
    append_sasl_initial(out, "SCRAM-SHA-256", "n,,n=,r=x");
    const auto initial = decode_sasl_initial(body_of(out));
    ASSERT_TRUE(initial);
    EXPECT_EQ(initial->mechanism, "SCRAM-SHA-256");
    EXPECT_EQ(initial->data, "n,,n=,r=x");

    out.clear();
    append_password(out, "secret");
    EXPECT_EQ(out, "p\0\0\0\x0bsecret\0"s);
    EXPECT_EQ(*decode_password(body_of(out)), "secret");
}

TEST(Authentication, AnInitialResponseMayBringNothing)
{
    const auto none = decode_sasl_initial("X\0\xff\xff\xff\xff"s);
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->data);
    const auto empty = decode_sasl_initial("X\0\0\0\0\0"s);
    ASSERT_TRUE(empty);
    EXPECT_EQ(empty->data, "");
}

TEST(Authentication, RefusesEveryLengthThatIsNotTrue)
{
    EXPECT_FALSE(decode_sasl_initial("X\0\xff\xff\xff\xfe"s)) << "less than -1";
    EXPECT_FALSE(decode_sasl_initial("X\0\x7f\xff\xff\xff"s)) << "more than there is";
    EXPECT_FALSE(decode_sasl_initial("X\0\x80\0\0\0"s)) << "the least there is";
    EXPECT_FALSE(decode_sasl_initial("X\0\0\0\0\1ab"s)) << "something behind it";
    EXPECT_FALSE(decode_authentication("\0\0\0\0x"s));
    EXPECT_FALSE(decode_authentication("\0\0\0\5abc"s));
    EXPECT_FALSE(decode_authentication("\0\0\0\5abcde"s));
    EXPECT_FALSE(decode_password("a\0b\0"s));
    EXPECT_FALSE(decode_password("a"));
    EXPECT_FALSE(decode_password(""));
    EXPECT_FALSE(decode_mechanisms("a\0"s)) << "no end of the list";
    EXPECT_FALSE(decode_mechanisms("a\0\0b"s)) << "something behind it";
    std::string many;
    for (std::size_t i = 0; i <= kMaxMechanisms; ++i)
        many += "m\0"s;
    EXPECT_FALSE(decode_mechanisms(many + '\0'));
}

TEST(Authentication, ReadsNothingBeyondItsEnd)
{
    std::string out;
    append_sasl_initial(out, "SCRAM-SHA-256", "n,,n=,r=x");
    at_every_truncation(body_of(out), [](const Exact& body) { EXPECT_FALSE(decode_sasl_initial(body)); });
    Noise noise{7};
    for (int i = 0; i < 20'000; ++i) {
        const Exact bytes{noise.bytes(noise.below(40))};
        const auto message = decode_authentication(bytes);
        if (message) {
            EXPECT_TRUE(bytes.lends(message->data));
        }
        if (const auto names = decode_mechanisms(bytes)) {
            for (const auto name : *names)
                EXPECT_TRUE(bytes.lends(name));
        }
        if (const auto initial = decode_sasl_initial(bytes)) {
            EXPECT_TRUE(bytes.lends(initial->data.value_or("")));
        }
        if (const auto password = decode_password(bytes)) {
            EXPECT_TRUE(bytes.lends(*password));
        }
    }
}

} // namespace
} // namespace pgmemo::wire
