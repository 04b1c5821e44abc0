#include "proxy/conninfo.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

namespace pgmemo::proxy {
namespace {

struct Row {
    const char* name;
    std::string text;
    std::optional<std::string> value;
    std::string left;
    friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.text; }
};

class TakeKeyword : public testing::TestWithParam<Row> {};

TEST_P(TakeKeyword, LeavesTheRestAsItWas)
{
    auto text = GetParam().text;
    EXPECT_EQ(take_keyword(text, "key"), GetParam().value);
    EXPECT_EQ(text, GetParam().left);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TakeKeyword,
    testing::Values(Row{"UriAlone", "postgresql://h/d?key=x", "x", "postgresql://h/d"},
                    Row{"UriFirst", "postgres://h?key=x&a=b", "x", "postgres://h?a=b"},
                    Row{"UriMiddle", "postgres://h?a=b&key=x&c=d", "x", "postgres://h?a=b&c=d"},
                    Row{"UriLast", "postgres://h?a=b&key=x", "x", "postgres://h?a=b"},
                    Row{"UriLongerName", "postgres://h?keys=x", std::nullopt, "postgres://h?keys=x"},
                    Row{"UriNoValue", "postgres://h?key", std::nullopt, "postgres://h?key"},
                    Row{"UriInThePassword", "postgres://u:key=x@h", std::nullopt, "postgres://u:key=x@h"},
                    Row{"WordsFirst", "key=x host=h", "x", " host=h"}, Row{"WordsLast", "host=h key=x", "x", "host=h "},
                    Row{"WordsBlanks", "host = h key = x ", "x", "host = h  "},
                    Row{"WordsQuoted", R"(key='a \' b' host=h)", "a ' b", " host=h"},
                    Row{"WordsInsideQuotes", "password='key=x' host=h", std::nullopt, "password='key=x' host=h"},
                    Row{"WordsNotEnded", "host='h", std::nullopt, "host='h"},
                    Row{"NoWords", "host", std::nullopt, "host"}, Row{"Nothing", "", std::nullopt, ""}),
    [](const auto& row) { return std::string{row.param.name}; });

} // namespace
} // namespace pgmemo::proxy
