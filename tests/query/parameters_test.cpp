#include "query/parameters.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

namespace pgmemo::query {
namespace {

using namespace std::string_view_literals;

struct Case {
    std::string_view name;
    ParameterType type;
    bool is_binary;
    std::string_view value;
    Reason reason;

    friend std::ostream& operator<<(std::ostream& out, const Case& row) { return out << row.name; }
};

class Parameter : public testing::TestWithParam<Case> {};

TEST_P(Parameter, IsRefusedWithItsReason)
{
    const auto& row = GetParam();
    EXPECT_EQ(name_of(refuse_parameter(row.type, row.is_binary, row.value)), name_of(row.reason));
}

constexpr ParameterType declared(Oid type)
{
    return {type, 0};
}
constexpr ParameterType settled(Oid type)
{
    return {0, type};
}

INSTANTIATE_TEST_SUITE_P(Values, Parameter,
                         testing::Values(Case{"Number", declared(23), false, "7", Reason::none},
                                         Case{"BinaryNumber", declared(23), true, "\0\0\0\7"sv, Reason::none},
                                         Case{"LettersOfANumber", declared(20), true, "\0\0\0\0\0now"sv, Reason::none},
                                         Case{"Text", declared(25), false, "Ann", Reason::none},
                                         Case{"TextOfTheClock", declared(25), false, "now", Reason::clock},
                                         Case{"BinaryTextOfTheClock", declared(25), true, "today", Reason::clock},
                                         Case{"TextThatOnlyHoldsTheLetters", declared(25), true, "known", Reason::none},
                                         Case{"NotDeclared", {}, false, "Ann", Reason::none},
                                         Case{"ClockNotDeclared", {}, false, " NoW ", Reason::clock},
                                         Case{"SettledAsANumber", settled(23), false, "now", Reason::none},
                                         Case{"SettledAsADate", settled(1082), false, "yesterday", Reason::clock},
                                         Case{"DateAsText", declared(1082), false, "2020-01-01", Reason::none},
                                         Case{"DateAsTheClock", declared(1184), false, "tomorrow 12:00", Reason::clock},
                                         Case{"BinaryDate", declared(1184), true, "\0\0now\0\0"sv, Reason::none},
                                         Case{"ArrayOfTheClock", declared(1009), false, R"({"n\ow"})", Reason::clock},
                                         Case{"BinaryArrayBehindALength", declared(1009), true, "\0\0\0Anow"sv,
                                              Reason::clock},
                                         Case{"TimeWithZone", declared(1266), false, "12:00", Reason::clock},
                                         Case{"RegClass", declared(2205), false, "users", Reason::parameters},
                                         Case{"UsersType", declared(16'400), false, "x", Reason::parameters},
                                         Case{"SettledAsUsersType", settled(16'400), false, "x", Reason::none}),
                         [](const auto& row) { return std::string{row.param.name}; });

} // namespace
} // namespace pgmemo::query
