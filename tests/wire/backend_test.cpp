#include "wire/backend.hpp"

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace pgmemo::wire {
namespace {

using testing_support::at_every_truncation;
using testing_support::Exact;

TEST(Backend, ReadsTheThreeTransactionStates)
{
    EXPECT_EQ(*decode_ready_for_query("I"), Status::idle);
    EXPECT_EQ(*decode_ready_for_query("T"), Status::in_transaction);
    EXPECT_EQ(*decode_ready_for_query("E"), Status::failed);
}

TEST(Backend, RefusesAnyOtherTransactionState)
{
    for (const std::string_view body : {"", "i", "X", "II", "I "}) {
        const Exact exact{body};
        EXPECT_FALSE(decode_ready_for_query(exact)) << '"' << body << '"';
    }
    EXPECT_FALSE(decode_ready_for_query(std::string_view("\0", 1)));
}

TEST(Backend, ReadsAParameter)
{
    const Exact body{z("TimeZone\0Europe/Berlin")};
    const auto status = decode_parameter_status(body);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->name, "TimeZone");
    EXPECT_EQ(status->value, "Europe/Berlin");
}

TEST(Backend, RefusesAParameterThatEndsTooSoonOrTooLate)
{
    at_every_truncation(z("TimeZone\0UTC"), [](const Exact& body) { EXPECT_FALSE(decode_parameter_status(body)); });
    const Exact longer{z("TimeZone\0UTC") + "x"};
    EXPECT_FALSE(decode_parameter_status(longer));
}

TEST(Backend, ReadsCancelKeysOfBothProtocolVersions)
{
    for (const std::size_t size : {4u, 32u, 256u}) {
        const std::string secret(size, '\x80');
        const Exact body{u32(0xfedcba98) + secret};
        const auto key = decode_backend_key_data(body);
        ASSERT_TRUE(key) << size;
        EXPECT_EQ(key->pid, 0xfedcba98u);
        EXPECT_EQ(key->secret, secret);
    }
}

TEST(Backend, RefusesACancelKeyWithoutASecret)
{
    at_every_truncation(u32(1) + "s", [](const Exact& body) { EXPECT_FALSE(decode_backend_key_data(body)); });
}

// Rows

struct Row {
    std::string name;
    std::string body;
    std::vector<std::optional<std::string_view>> columns;
    friend std::ostream& operator<<(std::ostream& out, const Row& row)
    {
        return out << testing::PrintToString(row.body);
    }
};

class ReadsARow : public testing::TestWithParam<Row> {};

TEST_P(ReadsARow, AndNotAByteLessOrMore)
{
    const Exact body{GetParam().body};
    const auto columns = decode_data_row(body);
    ASSERT_TRUE(columns);
    EXPECT_EQ(*columns, GetParam().columns);
    at_every_truncation(GetParam().body, [](const Exact& prefix) { EXPECT_FALSE(decode_data_row(prefix)); });
    const Exact longer{GetParam().body + "x"};
    EXPECT_FALSE(decode_data_row(longer));
}

INSTANTIATE_TEST_SUITE_P(Backend, ReadsARow,
                         testing::Values(Row{"WithoutColumns", u16(0), {}},
                                         Row{"OfOneValue", u16(1) + u32(3) + "abc", {"abc"}},
                                         Row{"OfAnEmptyValue", u16(1) + u32(0), {""}},
                                         Row{"OfANull", u16(1) + u32(0xffffffff), {std::nullopt}},
                                         Row{"OfAll",
                                             u16(4) + u32(1) + "a" + u32(0xffffffff) + u32(0) + u32(2) + "bc",
                                             {"a", std::nullopt, "", "bc"}}),
                         [](const auto& row) { return row.param.name; });

TEST(Backend, TakesAnyNegativeColumnSizeForANull)
{
    for (const std::uint32_t size : {0xffffffffu, 0xfffffffeu, 0x80000000u}) {
        const Exact body{u16(2) + u32(size) + u32(1) + "a"};
        const auto columns = decode_data_row(body);
        ASSERT_TRUE(columns) << size;
        EXPECT_EQ(columns->at(0), std::nullopt) << "as libpq reads it";
        EXPECT_EQ(columns->at(1), "a");
    }
}

TEST(Backend, RefusesColumnsThatRunPastTheirRow)
{
    for (const std::uint32_t size : {4u, 0x7fffffffu}) {
        const Exact body{u16(1) + u32(size) + "abc"};
        EXPECT_FALSE(decode_data_row(body)) << size;
    }
    const Exact counted{u16(65535) + u32(1) + "a"};
    EXPECT_FALSE(decode_data_row(counted)) << "65,535 columns were promised";
}

// Errors

struct Said {
    std::string name;
    std::string body;
    std::string severity, sqlstate, message;
    friend std::ostream& operator<<(std::ostream& out, const Said& row)
    {
        return out << testing::PrintToString(row.body);
    }
};

class ReadsAnError : public testing::TestWithParam<Said> {};

TEST_P(ReadsAnError, WhateverTheOrderOfItsFields)
{
    const Exact body{GetParam().body};
    const auto error = decode_error(body);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->severity, GetParam().severity);
    EXPECT_EQ(error->sqlstate, GetParam().sqlstate);
    EXPECT_EQ(error->message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Backend, ReadsAnError,
    testing::Values(Said{"AsPostgresSends", z("SFEHLER\0VERROR\0C42P01\0Mno such table\0Fparse_relation.c\0L1449\0"),
                         "ERROR", "42P01", "no such table"},
                    Said{"WithVBeforeS", z("VERROR\0SFEHLER\0C42P01\0Mgone\0"), "ERROR", "42P01", "gone"},
                    Said{"Backwards", z("Mgone\0C42P01\0VERROR\0SFEHLER\0"), "ERROR", "42P01", "gone"},
                    Said{"OfAServerBefore96", z("SFATAL\0C28000\0Mno\0"), "FATAL", "28000", "no"},
                    Said{"WithFieldsThatWeDoNotKnow", z("?what\0SERROR\0~\0C42601\0Mno\0"), "ERROR", "42601", "no"},
                    Said{"WithoutFields", z(""), "", "", ""}),
    [](const auto& row) { return row.param.name; });

TEST(Backend, RefusesAnErrorThatEndsTooSoon)
{
    at_every_truncation(z("SERROR\0VERROR\0C42P01\0Mgone\0"),
                        [](const Exact& body) { EXPECT_EQ(decode_error(body).error(), Errc::short_field); });
}

// What pgmemo says itself

TEST(Backend, SaysWhatItReads)
{
    std::string out = "before";
    append_query(out, "SELECT 1");
    append_command_complete(out, "SELECT 1");
    append_ready_for_query(out, Status::failed);
    append_backend_key_data(out, 7, "secret");
    append_message(out, 'X', "");
    EXPECT_EQ(out, "before" + message('Q', z("SELECT 1")) + message('C', z("SELECT 1")) + message('Z', "E") +
                       message('K', u32(7) + "secret") + message('X', ""));
}

TEST(Backend, SaysAnErrorAsPostgresDoes)
{
    std::string out;
    append_error(out, "FATAL", "08006", "no server", "refused", "start it");
    EXPECT_EQ(out, message('E', z("SFATAL\0VFATAL\0C08006\0Mno server\0Drefused\0Hstart it\0")));
}

TEST(Backend, LeavesOutWhatAnErrorDoesNotHave)
{
    std::string out;
    append_error(out, "ERROR", "57014", "stopped");
    EXPECT_EQ(out, message('E', z("SERROR\0VERROR\0C57014\0Mstopped\0")));
    const auto error = decode_error(std::string_view(out).substr(5));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->sqlstate, "57014");
}

TEST(Backend, EncodesACancelRequestOfAnySecret)
{
    for (const std::size_t size : {4u, 32u, 256u}) {
        const std::string secret(size, 's');
        EXPECT_EQ(encode_cancel_request(0x01020304, secret), startup(80877102, u32(0x01020304) + secret));
    }
}

} // namespace
} // namespace pgmemo::wire
