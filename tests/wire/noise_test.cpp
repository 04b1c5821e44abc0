// Every decoder against bytes that were never meant well. The sanitizers do most of the judging; what is checked here
// is that a decoder hands out nothing but parts of what it was given.

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"
#include "wire/backend.hpp"
#include "wire/frontend.hpp"
#include "wire/startup.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace pgmemo::wire {
namespace {

using testing_support::Exact;
using testing_support::Noise;

struct Decoder {
    std::string name;
    std::string good;                                                     ///< something that it reads, to be damaged
    std::function<std::vector<std::string_view>(std::string_view)> parts; ///< what it hands out
    friend std::ostream& operator<<(std::ostream& out, const Decoder& row) { return out << row.name; }
};

class Noisy : public testing::TestWithParam<Decoder> {};

TEST_P(Noisy, HandsOutNothingButPartsOfItsInput)
{
    const auto& decoder = GetParam();
    Noise noise{static_cast<std::uint32_t>(decoder.name.size() * 7919)};
    for (int round = 0; round < 20'000; ++round) {
        const std::string made =
            round % 2 == 0 ? noise.damaged(decoder.good) : noise.bytes(noise.below(noise.below(10) == 0 ? 400 : 24));
        const Exact body{made};
        for (const auto part : decoder.parts(body))
            ASSERT_TRUE(body.lends(part)) << testing::PrintToString(made);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Wire, Noisy,
    testing::Values(
        Decoder{"Query", z("SELECT 1"),
                [](std::string_view body) {
                    const auto sql = decode_query(body);
                    return sql ? std::vector{*sql} : std::vector<std::string_view>{};
                }},
        Decoder{"Parse", z("s1\0SELECT $1") + u16(1) + u32(23),
                [](std::string_view body) {
                    const auto got = decode_parse(body);
                    return got ? std::vector{got->statement, got->sql} : std::vector<std::string_view>{};
                }},
        Decoder{"Bind", z("p\0s") + u16(1) + u16(1) + u16(1) + u32(2) + "ab" + u16(0),
                [](std::string_view body) {
                    const auto got = decode_bind(body);
                    return got ? std::vector{got->portal, got->statement} : std::vector<std::string_view>{};
                }},
        Decoder{"Execute", z("p") + u32(10),
                [](std::string_view body) {
                    const auto got = decode_execute(body);
                    return got ? std::vector{got->portal} : std::vector<std::string_view>{};
                }},
        Decoder{"Close", z("Ss1"),
                [](std::string_view body) {
                    const auto got = decode_close(body);
                    return got ? std::vector{got->name} : std::vector<std::string_view>{};
                }},
        Decoder{"ReadyForQuery", "I",
                [](std::string_view body) {
                    (void)decode_ready_for_query(body);
                    return std::vector<std::string_view>{};
                }},
        Decoder{"ParameterStatus", z("TimeZone\0UTC"),
                [](std::string_view body) {
                    const auto got = decode_parameter_status(body);
                    return got ? std::vector{got->name, got->value} : std::vector<std::string_view>{};
                }},
        Decoder{"BackendKeyData", u32(7) + "secret",
                [](std::string_view body) {
                    const auto got = decode_backend_key_data(body);
                    return got ? std::vector{got->secret} : std::vector<std::string_view>{};
                }},
        Decoder{"DataRow", u16(3) + u32(2) + "ab" + u32(0xffffffff) + u32(0),
                [](std::string_view body) {
                    std::vector<std::string_view> parts;
                    if (const auto got = decode_data_row(body)) {
                        for (const auto& column : *got)
                            parts.push_back(column.value_or(std::string_view{}));
                    }
                    return parts;
                }},
        Decoder{
            "ErrorResponse", z("SERROR\0VERROR\0C42P01\0Mgone\0"),
            [](std::string_view body) {
                const auto got = decode_error(body);
                return got ? std::vector{got->severity, got->sqlstate, got->message} : std::vector<std::string_view>{};
            }},
        Decoder{"Startup", startup(0x00030000, z("user\0ann\0database\0shop\0replication\0on\0")),
                [](std::string_view packet) {
                    std::vector<std::string_view> parts;
                    (void)startup_length(packet);
                    if (const auto got = decode_startup(packet)) {
                        if (const auto* message = std::get_if<StartupMessage>(&*got)) {
                            for (const auto& [name, value] : message->parameters) {
                                parts.push_back(name);
                                parts.push_back(value);
                            }
                            parts.push_back(message->user());
                            parts.push_back(message->database());
                            (void)message->replication();
                        }
                    }
                    return parts;
                }},
        Decoder{"CancelRequest", startup(80877102, u32(42) + "abcd"),
                [](std::string_view packet) {
                    std::vector<std::string_view> parts;
                    if (const auto got = decode_startup(packet)) {
                        if (const auto* cancel = std::get_if<CancelRequest>(&*got))
                            parts.push_back(cancel->secret);
                    }
                    return parts;
                }}),
    [](const auto& row) { return row.param.name; });

} // namespace
} // namespace pgmemo::wire
