#include "query/value.hpp"

#include "tests/support/bytes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>

namespace pgmemo::query {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing_support::at_every_truncation;
using testing_support::Exact;
using testing_support::Noise;

using Values = std::vector<std::string>;

constexpr auto kInteger = ValueClass::integer;
constexpr auto kBoolean = ValueClass::boolean;
constexpr auto kUuid = ValueClass::uuid;
constexpr auto kText = ValueClass::text;

constexpr ValueClass kClasses[] = {kInteger, kBoolean, kUuid, kText};

constexpr const char* kSomeUuid = "a0eebc999c0b4ef8bb6d6bb9bd380a11";

std::string big_endian(std::uint64_t value, std::size_t size)
{
    std::string bytes(size, '\0');
    for (std::size_t i = size; i-- > 0; value >>= 8)
        bytes[i] = static_cast<char>(value & 0xff);
    return bytes;
}

std::string i32(std::int64_t value)
{
    return big_endian(static_cast<std::uint64_t>(value), 4);
}

std::string element(const std::string& bytes)
{
    return i32(static_cast<std::int64_t>(bytes.size())) + bytes;
}

const std::string kNull = i32(-1);

/// One dimension from 1.
std::string array(Oid type, const std::vector<std::string>& elements, int flags = 0)
{
    std::string bytes = i32(1) + i32(flags) + i32(type) + i32(static_cast<std::int64_t>(elements.size())) + i32(1);
    for (const auto& each : elements)
        bytes += each;
    return bytes;
}

ParameterValue as_text(std::string_view bytes, Oid declared = 0)
{
    return {false, false, declared, bytes};
}

ParameterValue as_binary(std::string_view bytes, Oid declared = 0)
{
    return {false, true, declared, bytes};
}

ParameterValue null(Oid declared = 0, bool is_binary = false)
{
    return {true, is_binary, declared, {}};
}

struct TextCase {
    ValueClass kind;
    std::string text;
    const char* canonical; ///< null: none
};

std::ostream& operator<<(std::ostream& out, const TextCase& row)
{
    return out << static_cast<int>(row.kind) << " \"" << testing::PrintToString(row.text) << '"';
}

class CanonicalText : public testing::TestWithParam<TextCase> {};

TEST_P(CanonicalText, IsTheOneFormOrNone)
{
    const auto& row = GetParam();
    const Exact text{row.text};
    const auto found = canonical_text(row.kind, text);
    if (row.canonical == nullptr) {
        EXPECT_EQ(found, std::nullopt);
        EXPECT_EQ(canonical_parameter(row.kind, as_text(text)), std::nullopt);
        return;
    }
    ASSERT_THAT(found, Optional(std::string{row.canonical}));
    EXPECT_EQ(canonical_text(row.kind, *found), found) << "the canonical form is its own";
    EXPECT_THAT(canonical_parameter(row.kind, as_text(text)), Optional(ElementsAre(row.canonical)));
    EXPECT_EQ(canonical_text(ValueClass::none, text), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Integers, CanonicalText,
    testing::Values(
        TextCase{kInteger, "0", "0"}, TextCase{kInteger, "7", "7"}, TextCase{kInteger, "-7", "-7"},
        TextCase{kInteger, "+7", "7"}, TextCase{kInteger, "-0", "0"}, TextCase{kInteger, "+0", "0"},
        TextCase{kInteger, "000", "0"}, TextCase{kInteger, "-000", "0"}, TextCase{kInteger, "007", "7"},
        TextCase{kInteger, "-0070", "-70"}, TextCase{kInteger, std::string(100, '0') + "1", "1"},
        TextCase{kInteger, "9223372036854775807", "9223372036854775807"},
        TextCase{kInteger, "-9223372036854775808", "-9223372036854775808"},
        TextCase{kInteger, "+009223372036854775807", "9223372036854775807"},
        TextCase{kInteger, "9223372036854775808", nullptr}, TextCase{kInteger, "-9223372036854775809", nullptr},
        TextCase{kInteger, "18446744073709551616", nullptr}, TextCase{kInteger, std::string(100, '9'), nullptr},
        TextCase{kInteger, "", nullptr}, TextCase{kInteger, "-", nullptr}, TextCase{kInteger, "+", nullptr},
        TextCase{kInteger, "--1", nullptr}, TextCase{kInteger, "+-1", nullptr}, TextCase{kInteger, "1-", nullptr},
        TextCase{kInteger, "1+1", nullptr}, TextCase{kInteger, " 7", nullptr}, TextCase{kInteger, "7 ", nullptr},
        TextCase{kInteger, "- 7", nullptr}, TextCase{kInteger, "7\n", nullptr}, TextCase{kInteger, "1.0", nullptr},
        TextCase{kInteger, "1e3", nullptr}, TextCase{kInteger, "0x10", nullptr}, TextCase{kInteger, "0b1", nullptr},
        TextCase{kInteger, "0o7", nullptr}, TextCase{kInteger, "1_000", nullptr}, TextCase{kInteger, "1,000", nullptr},
        TextCase{kInteger, "a", nullptr}, TextCase{kInteger, "\0"s, nullptr}, TextCase{kInteger, "7\0"s, nullptr},
        TextCase{kInteger, "\xd9\xa3", nullptr}));

INSTANTIATE_TEST_SUITE_P(Booleans, CanonicalText,
                         testing::Values(TextCase{kBoolean, "t", "t"}, TextCase{kBoolean, "T", "t"},
                                         TextCase{kBoolean, "true", "t"}, TextCase{kBoolean, "TrUe", "t"},
                                         TextCase{kBoolean, "f", "f"}, TextCase{kBoolean, "F", "f"},
                                         TextCase{kBoolean, "false", "f"}, TextCase{kBoolean, "FALSE", "f"},
                                         TextCase{kBoolean, "", nullptr}, TextCase{kBoolean, "tr", nullptr},
                                         TextCase{kBoolean, "fals", nullptr}, TextCase{kBoolean, "truex", nullptr},
                                         TextCase{kBoolean, "1", nullptr}, TextCase{kBoolean, "0", nullptr},
                                         TextCase{kBoolean, "yes", nullptr}, TextCase{kBoolean, "no", nullptr},
                                         TextCase{kBoolean, "on", nullptr}, TextCase{kBoolean, "off", nullptr},
                                         TextCase{kBoolean, "y", nullptr}, TextCase{kBoolean, " t", nullptr},
                                         TextCase{kBoolean, "t ", nullptr}, TextCase{kBoolean, "t\0"s, nullptr}));

INSTANTIATE_TEST_SUITE_P(Uuids, CanonicalText,
                         testing::Values(TextCase{kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", kSomeUuid},
                                         TextCase{kUuid, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", kSomeUuid},
                                         TextCase{kUuid, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", kSomeUuid},
                                         TextCase{kUuid, "a0eebc999c0b4ef8bb6d6bb9bd380a11", kSomeUuid},
                                         TextCase{kUuid, "{A0eebc999c0b4ef8bb6d6bb9bd380a11}", kSomeUuid},
                                         TextCase{kUuid, "", nullptr}, TextCase{kUuid, "{}", nullptr},
                                         TextCase{kUuid, "{", nullptr},
                                         TextCase{kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", nullptr},
                                         TextCase{kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111", nullptr},
                                         TextCase{kUuid, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", nullptr},
                                         TextCase{kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", nullptr},
                                         TextCase{kUuid, "{{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}}", nullptr},
                                         TextCase{kUuid, "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", nullptr},
                                         TextCase{kUuid, "a0eebc9-99c0b-4ef8-bb6d-6bb9bd380a11", nullptr},
                                         TextCase{kUuid, "a0eebc99-9c0b-4ef8bb6d-6bb9bd380a1-1", nullptr},
                                         TextCase{kUuid, "------------------------------------", nullptr},
                                         TextCase{kUuid, "a0eebc99x9c0bx4ef8xbb6dx6bb9bd380a11", nullptr},
                                         TextCase{kUuid, "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", nullptr},
                                         TextCase{kUuid, " a0eebc999c0b4ef8bb6d6bb9bd380a11", nullptr},
                                         TextCase{kUuid, "a0eebc999c0b4ef8bb6d6bb9bd380a11 ", nullptr},
                                         TextCase{kUuid, "a0eebc999c0b4ef8bb6d6bb9bd380a1\0"s, nullptr}));

INSTANTIATE_TEST_SUITE_P(Texts, CanonicalText,
                         testing::Values(TextCase{kText, "", ""}, TextCase{kText, "abc", "abc"},
                                         TextCase{kText, "Abc", "Abc"}, TextCase{kText, " a b", " a b"},
                                         TextCase{kText, "a\tb\n", "a\tb\n"}, TextCase{kText, "007", "007"},
                                         TextCase{kText, "\x7f\x01", "\x7f\x01"}, TextCase{kText, "{\"a\\'", "{\"a\\'"},
                                         TextCase{kText, "NULL", "NULL"}, TextCase{kText, "a ", nullptr},
                                         TextCase{kText, " ", nullptr}, TextCase{kText, "a\0"s, nullptr},
                                         TextCase{kText, "\0"s, nullptr}, TextCase{kText, "caf\xc3\xa9", nullptr},
                                         TextCase{kText, "\x80", nullptr}, TextCase{kText, "\x83\x5c", nullptr}));

TEST(ValueClasses, AreThoseOfTheBuiltInTypesAndTheirArrays)
{
    const auto check = [](ValueClass kind, Oid type, Oid array_type) {
        EXPECT_EQ(value_class(type), kind) << type;
        EXPECT_EQ(element_of_array(array_type), type);
        EXPECT_EQ(value_class(array_type), ValueClass::none) << array_type;
        EXPECT_EQ(element_of_array(type), 0u);
    };
    check(kBoolean, 16, 1000);
    check(kInteger, 21, 1005);
    check(kInteger, 23, 1007);
    check(kInteger, 20, 1016);
    check(kText, 25, 1009);
    check(kText, 1043, 1015);
    check(kUuid, 2950, 2951);
    // oid, float4, float8, "char", name, bytea, bpchar, date, numeric, unknown, citext or another's type
    for (const Oid type : {0u, 26u, 700u, 701u, 18u, 19u, 17u, 1042u, 1082u, 1700u, 705u, 16385u, 0xffffffffu}) {
        EXPECT_EQ(value_class(type), ValueClass::none) << type;
        EXPECT_EQ(element_of_array(type), 0u) << type;
    }
    for (const Oid type : {1014u, 1021u, 1028u, 1003u, 1231u}) // bpchar[], float4[], oid[], name[], numeric[]
        EXPECT_EQ(element_of_array(type), 0u) << type;
}

struct BinaryCase {
    ValueClass kind;
    Oid declared;
    std::string bytes;
    const char* canonical; ///< null: none
};

std::ostream& operator<<(std::ostream& out, const BinaryCase& row)
{
    return out << static_cast<int>(row.kind) << " declared " << row.declared << ' '
               << testing::PrintToString(row.bytes);
}

class CanonicalBinary : public testing::TestWithParam<BinaryCase> {};

TEST_P(CanonicalBinary, IsThatOfTheTextOrNone)
{
    const auto& row = GetParam();
    const Exact bytes{row.bytes};
    const auto found = canonical_parameter(row.kind, as_binary(bytes, row.declared));
    if (row.canonical == nullptr)
        EXPECT_EQ(found, std::nullopt);
    else
        EXPECT_THAT(found, Optional(ElementsAre(row.canonical)));
}

INSTANTIATE_TEST_SUITE_P(
    Integers, CanonicalBinary,
    testing::Values(
        BinaryCase{kInteger, 21, big_endian(7, 2), "7"}, BinaryCase{kInteger, 21, "\xff\xff", "-1"},
        BinaryCase{kInteger, 21, "\x80\0"s, "-32768"}, BinaryCase{kInteger, 21, "\x7f\xff", "32767"},
        BinaryCase{kInteger, 23, big_endian(70'000, 4), "70000"}, BinaryCase{kInteger, 23, "\xff\xff\xff\xfe", "-2"},
        BinaryCase{kInteger, 23, "\x80\0\0\0"s, "-2147483648"},
        BinaryCase{kInteger, 20, big_endian(5'000'000'000, 8), "5000000000"},
        BinaryCase{kInteger, 20, "\x80\0\0\0\0\0\0\0"s, "-9223372036854775808"},
        BinaryCase{kInteger, 20, "\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"},
        BinaryCase{kInteger, 0, big_endian(7, 2), "7"}, BinaryCase{kInteger, 0, big_endian(7, 4), "7"},
        BinaryCase{kInteger, 0, big_endian(7, 8), "7"}, BinaryCase{kInteger, 0, "\xff\xff", "-1"},
        BinaryCase{kInteger, 21, big_endian(7, 4), nullptr}, BinaryCase{kInteger, 23, big_endian(7, 2), nullptr},
        BinaryCase{kInteger, 23, big_endian(7, 8), nullptr}, BinaryCase{kInteger, 20, big_endian(7, 4), nullptr},
        BinaryCase{kInteger, 0, "", nullptr}, BinaryCase{kInteger, 0, "7", nullptr},
        BinaryCase{kInteger, 0, big_endian(7, 3), nullptr}, BinaryCase{kInteger, 0, big_endian(7, 16), nullptr},
        BinaryCase{kInteger, 26, big_endian(7, 4), nullptr}, BinaryCase{kInteger, 705, big_endian(7, 4), nullptr},
        BinaryCase{kInteger, 1700, big_endian(7, 8), nullptr}, BinaryCase{kInteger, 1007, big_endian(7, 4), nullptr}));

INSTANTIATE_TEST_SUITE_P(
    Others, CanonicalBinary,
    testing::Values(
        BinaryCase{kBoolean, 16, "\1", "t"}, BinaryCase{kBoolean, 16, "\0"s, "f"}, BinaryCase{kBoolean, 0, "\1", "t"},
        BinaryCase{kBoolean, 16, "\2", nullptr}, BinaryCase{kBoolean, 16, "\xff", nullptr},
        BinaryCase{kBoolean, 16, "t", nullptr}, BinaryCase{kBoolean, 16, "", nullptr},
        BinaryCase{kBoolean, 16, "\1\1", nullptr}, BinaryCase{kBoolean, 23, "\1", nullptr},
        BinaryCase{kUuid, 2950, "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11", kSomeUuid},
        BinaryCase{kUuid, 0, std::string(16, '\0'), "00000000000000000000000000000000"},
        BinaryCase{kUuid, 2950, std::string(15, '\0'), nullptr},
        BinaryCase{kUuid, 2950, std::string(17, '\0'), nullptr}, BinaryCase{kUuid, 2950, kSomeUuid, nullptr},
        BinaryCase{kUuid, 25, std::string(16, '\0'), nullptr}, BinaryCase{kText, 25, "abc", "abc"},
        BinaryCase{kText, 1043, "abc", "abc"}, BinaryCase{kText, 705, "abc", "abc"}, BinaryCase{kText, 0, "", ""},
        BinaryCase{kText, 25, "a\0"s, nullptr}, BinaryCase{kText, 25, "\xc3\xa9", nullptr},
        BinaryCase{kText, 25, "a ", nullptr}, BinaryCase{kText, 1042, "abc", nullptr},
        BinaryCase{kText, 19, "abc", nullptr}, BinaryCase{kText, 17, "abc", nullptr},
        BinaryCase{ValueClass::none, 0, "abc", nullptr}, BinaryCase{ValueClass::none, 25, "abc", nullptr},
        BinaryCase{ValueClass::none, 1700, "abc", nullptr}));

TEST(Parameter, OfAnotherDeclaredTypeHasNoCanonicalFormInEitherFormat)
{
    EXPECT_THAT(canonical_parameter(kInteger, as_text("7", 21)), Optional(ElementsAre("7")));
    EXPECT_THAT(canonical_parameter(kInteger, as_text("7", 23)), Optional(ElementsAre("7")));
    EXPECT_THAT(canonical_parameter(kInteger, as_text("7", 20)), Optional(ElementsAre("7")));
    EXPECT_THAT(canonical_parameter(kText, as_text("7", 705)), Optional(ElementsAre("7")));
    for (const Oid type : {26u, 701u, 1700u, 705u, 16u, 25u, 1007u, 16385u})
        EXPECT_EQ(canonical_parameter(kInteger, as_text("7", type)), std::nullopt) << type;
    for (const Oid type : {23u, 25u, 705u, 1000u})
        EXPECT_EQ(canonical_parameter(kBoolean, as_text("t", type)), std::nullopt) << type;
    for (const Oid type : {25u, 705u, 2951u})
        EXPECT_EQ(canonical_parameter(kUuid, as_text(kSomeUuid, type)), std::nullopt) << type;
    for (const Oid type : {1042u, 18u, 19u, 23u, 1009u, 16385u}) // bpchar's equality takes no account of blanks
        EXPECT_EQ(canonical_parameter(kText, as_text("7", type)), std::nullopt) << type;
    EXPECT_EQ(canonical_parameter(ValueClass::none, as_text("7", 23)), std::nullopt);
}

TEST(Parameter, ThatIsNullSelectsNothing)
{
    for (const auto kind : kClasses) {
        EXPECT_THAT(canonical_parameter(kind, null()), Optional(IsEmpty()));
        EXPECT_THAT(canonical_parameter(kind, null(0, true)), Optional(IsEmpty()));
        EXPECT_THAT(canonical_array_parameter(kind, null()), Optional(IsEmpty()));
        EXPECT_EQ(canonical_parameter(kind, null(1700)), std::nullopt) << "of another type";
        EXPECT_EQ(canonical_array_parameter(kind, null(1231)), std::nullopt) << "of another type";
    }
    EXPECT_EQ(canonical_parameter(ValueClass::none, null()), std::nullopt);
    EXPECT_EQ(canonical_array_parameter(ValueClass::none, null()), std::nullopt);
}

struct ArrayCase {
    ValueClass kind;
    std::string text;
    std::optional<Values> values;
};

std::ostream& operator<<(std::ostream& out, const ArrayCase& row)
{
    return out << static_cast<int>(row.kind) << ' ' << testing::PrintToString(row.text);
}

class CanonicalArrayText : public testing::TestWithParam<ArrayCase> {};

TEST_P(CanonicalArrayText, IsThatOfEachElementOrNone)
{
    const auto& row = GetParam();
    const Exact text{row.text};
    EXPECT_EQ(canonical_array_text(row.kind, text), row.values);
    EXPECT_EQ(canonical_array_parameter(row.kind, as_text(text)), row.values);
    EXPECT_EQ(canonical_array_text(ValueClass::none, text), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Read, CanonicalArrayText,
    testing::Values(ArrayCase{kInteger, "{}", Values{}}, ArrayCase{kText, "{}", Values{}},
                    ArrayCase{kInteger, "{1}", Values{"1"}}, ArrayCase{kInteger, "{1,-02,+3}", Values{"1", "-2", "3"}},
                    ArrayCase{kInteger, "{\"1\",2}", Values{"1", "2"}},
                    ArrayCase{kBoolean, "{t,FALSE}", Values{"t", "f"}},
                    ArrayCase{kUuid, "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", Values{kSomeUuid}},
                    ArrayCase{kUuid, "{\"{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}\"}", Values{kSomeUuid}},
                    ArrayCase{kText, "{a,\"b\",c d}", Values{"a", "b", "c d"}}, ArrayCase{kText, "{\"\"}", Values{""}},
                    ArrayCase{kText, "{\"a,b\",\"{}\"}", Values{"a,b", "{}"}},
                    ArrayCase{kText, "{\"NULL\",\"null\",nul,nulls}", Values{"NULL", "null", "nul", "nulls"}},
                    ArrayCase{kText, "{\" a\",[1:2]=}", Values{" a", "[1:2]="}},
                    ArrayCase{kText, "{a'b}", Values{"a'b"}}));

INSTANTIATE_TEST_SUITE_P(
    Refused, CanonicalArrayText,
    testing::Values(ArrayCase{kInteger, "", {}}, ArrayCase{kInteger, "{", {}}, ArrayCase{kInteger, "}", {}},
                    ArrayCase{kInteger, "1", {}}, ArrayCase{kInteger, "1,2", {}}, ArrayCase{kInteger, "{1", {}},
                    ArrayCase{kInteger, "{1,", {}}, ArrayCase{kInteger, "{1,}", {}}, ArrayCase{kInteger, "{,1}", {}},
                    ArrayCase{kInteger, "{,}", {}}, ArrayCase{kInteger, "{1,,2}", {}}, ArrayCase{kInteger, "{1}}", {}},
                    ArrayCase{kInteger, "{1},", {}}, ArrayCase{kInteger, "{1} ", {}}, ArrayCase{kInteger, " {1}", {}},
                    ArrayCase{kInteger, "{ }", {}}, ArrayCase{kInteger, "{1, 2}", {}}, ArrayCase{kInteger, "{ 1}", {}},
                    ArrayCase{kInteger, "{1 }", {}}, ArrayCase{kInteger, "{{1}}", {}},
                    ArrayCase{kInteger, "{{1},{2}}", {}}, ArrayCase{kInteger, "{1,{2}}", {}},
                    ArrayCase{kInteger, "[1:3]={1,2,3}", {}}, ArrayCase{kInteger, "[0:0]={1}", {}},
                    ArrayCase{kInteger, "{x}", {}}, ArrayCase{kInteger, "{1,x}", {}}, ArrayCase{kInteger, "{1.0}", {}},
                    ArrayCase{kInteger, "{1;2}", {}}, ArrayCase{kInteger, "{9223372036854775808}", {}},
                    ArrayCase{kInteger, "{\"\"}", {}}, ArrayCase{kInteger, "{1\0}"s, {}},
                    ArrayCase{kInteger, "{1}\0"s, {}}, ArrayCase{kBoolean, "{1}", {}}, ArrayCase{kUuid, "{1}", {}},
                    ArrayCase{kUuid, "{{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}}", {}}, ArrayCase{kText, "{\"a}", {}},
                    ArrayCase{kText, "{\"a\"b}", {}}, ArrayCase{kText, "{a\"b\"}", {}},
                    ArrayCase{kText, "{\"a\" ,b}", {}}, ArrayCase{kText, "{\"a\"\"b\"}", {}},
                    ArrayCase{kText, "{\"a\\\"b\"}", {}}, ArrayCase{kText, "{\"a\\\\b\"}", {}},
                    ArrayCase{kText, "{a\\b}", {}}, ArrayCase{kText, "{\\a}", {}}, ArrayCase{kText, "{a\\,b}", {}},
                    ArrayCase{kText, "{\"a\"", {}}, ArrayCase{kText, "{\"", {}}, ArrayCase{kText, "{ a}", {}},
                    ArrayCase{kText, "{a }", {}}, ArrayCase{kText, "{\ta}", {}}, ArrayCase{kText, "{a\n}", {}},
                    ArrayCase{kText, "{\va}", {}}, ArrayCase{kText, "{a\f}", {}}, ArrayCase{kText, "{\ra}", {}},
                    ArrayCase{kText, "{\"a \"}", {}}, ArrayCase{kText, "{a,caf\xc3\xa9}", {}},
                    ArrayCase{kText, "{\"a\0\"}"s, {}}, ArrayCase{kText, "{NULL}", {}},
                    ArrayCase{kText, "{a,null}", {}}, ArrayCase{kText, "{nUlL,a}", {}}));

TEST(ArrayText, MayHoldAThousandElementsAndNoMore)
{
    const auto of = [](int count) {
        std::string text = "{0";
        for (int i = 1; i < count; ++i)
            text += ',' + std::to_string(i);
        return text + '}';
    };
    const auto found = canonical_array_text(kInteger, of(1000));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->size(), 1000u);
    EXPECT_EQ(found->back(), "999");
    EXPECT_EQ(canonical_array_text(kInteger, of(1001)), std::nullopt);
    EXPECT_EQ(canonical_array_parameter(kInteger, as_text(of(1001))), std::nullopt);
}

TEST(ArrayText, WithNullIsReadOnlyWhereNullCanBeNothingElse)
{
    EXPECT_EQ(canonical_array_text(kInteger, "{1,NULL,2}"), std::nullopt) << "a literal's";
    EXPECT_THAT(canonical_array_parameter(kInteger, as_text("{1,NULL,2}")), Optional(ElementsAre("1", "2")));
    EXPECT_THAT(canonical_array_parameter(kInteger, as_text("{null}")), Optional(IsEmpty()));
    EXPECT_THAT(canonical_array_parameter(kBoolean, as_text("{t,Null}")), Optional(ElementsAre("t")));
    EXPECT_THAT(canonical_array_parameter(kUuid, as_text("{NULL,NULL}")), Optional(IsEmpty()));
    EXPECT_EQ(canonical_array_parameter(kText, as_text("{a,NULL}")), std::nullopt) << "array_nulls may be off";
    EXPECT_EQ(canonical_array_parameter(kInteger, as_text("{\"NULL\"}")), std::nullopt);
}

TEST(ArrayParameter, OfAnotherDeclaredTypeHasNoCanonicalFormInEitherFormat)
{
    const std::string bytes = array(23, {element(big_endian(7, 4))});
    for (const Oid type : {0u, 1005u, 1007u, 1016u})
        EXPECT_THAT(canonical_array_parameter(kInteger, as_text("{7}", type)), Optional(ElementsAre("7"))) << type;
    for (const Oid type : {0u, 1007u})
        EXPECT_THAT(canonical_array_parameter(kInteger, as_binary(bytes, type)), Optional(ElementsAre("7"))) << type;
    for (const Oid type :
         {23u, 1000u, 1009u, 1028u, 705u, 22u, 2277u, 16385u}) { // oid[], unknown, int2vector, anyarray
        EXPECT_EQ(canonical_array_parameter(kInteger, as_text("{7}", type)), std::nullopt) << type;
        EXPECT_EQ(canonical_array_parameter(kInteger, as_binary(bytes, type)), std::nullopt) << type;
    }
    for (const Oid type : {1005u, 1016u})
        EXPECT_EQ(canonical_array_parameter(kInteger, as_binary(bytes, type)), std::nullopt) << "not of its elements";
    for (const Oid type : {25u, 1014u, 1002u, 1003u, 705u}) // text, bpchar[], "char"[], name[], unknown
        EXPECT_EQ(canonical_array_parameter(kText, as_text("{7}", type)), std::nullopt) << type;
    for (const Oid type : {0u, 1009u, 1015u})
        EXPECT_THAT(canonical_array_parameter(kText, as_text("{7}", type)), Optional(ElementsAre("7"))) << type;
    EXPECT_EQ(canonical_array_parameter(ValueClass::none, as_text("{7}")), std::nullopt);
    EXPECT_EQ(canonical_array_parameter(ValueClass::none, as_binary(bytes)), std::nullopt);
}

struct BinaryArrayCase {
    const char* name;
    ValueClass kind;
    std::string bytes;
    std::optional<Values> values;
};

std::ostream& operator<<(std::ostream& out, const BinaryArrayCase& row)
{
    return out << row.name;
}

class CanonicalArrayBinary : public testing::TestWithParam<BinaryArrayCase> {};

TEST_P(CanonicalArrayBinary, IsThatOfEachElementOrNone)
{
    const auto& row = GetParam();
    const Exact bytes{row.bytes};
    EXPECT_EQ(canonical_array_parameter(row.kind, as_binary(bytes)), row.values);
    if (row.values) {
        at_every_truncation(row.bytes, [&](const Exact& cut) {
            EXPECT_EQ(canonical_array_parameter(row.kind, as_binary(cut)), std::nullopt);
        });
        EXPECT_EQ(canonical_array_parameter(row.kind, as_binary(row.bytes + '\0')), std::nullopt) << "a byte too many";
    }
    EXPECT_EQ(canonical_array_parameter(ValueClass::none, as_binary(bytes)), std::nullopt);
}

const std::string kOne = element(big_endian(1, 4));

INSTANTIATE_TEST_SUITE_P(
    Arrays, CanonicalArrayBinary,
    testing::Values(
        BinaryArrayCase{"Empty", kInteger, i32(0) + i32(0) + i32(23), Values{}},
        BinaryArrayCase{"EmptyOfOneDimension", kInteger, array(23, {}), Values{}},
        BinaryArrayCase{"Int4", kInteger, array(23, {kOne, element("\xff\xff\xff\xff")}), Values{"1", "-1"}},
        BinaryArrayCase{"Int2", kInteger, array(21, {element(big_endian(7, 2))}), Values{"7"}},
        BinaryArrayCase{"Int8", kInteger, array(20, {element(big_endian(7, 8))}), Values{"7"}},
        BinaryArrayCase{"Bool", kBoolean, array(16, {element("\1"), element("\0"s)}), Values{"t", "f"}},
        BinaryArrayCase{"Uuid", kUuid, array(2950, {element(std::string(16, '\x11'))}), Values{std::string(32, '1')}},
        BinaryArrayCase{"Text", kText, array(25, {element("a,b"), element("")}), Values{"a,b", ""}},
        BinaryArrayCase{"TextNamedNull", kText, array(25, {element("NULL")}), Values{"NULL"}},
        BinaryArrayCase{"Varchar", kText, array(1043, {element("a")}), Values{"a"}},
        BinaryArrayCase{"Nulls", kInteger, array(23, {kNull, kOne, kNull}, 1), Values{"1"}},
        BinaryArrayCase{"NullsAlone", kText, array(25, {kNull}, 1), Values{}},
        BinaryArrayCase{"FlagWithoutNulls", kInteger, array(23, {kOne}, 1), Values{"1"}},
        BinaryArrayCase{"AnotherLowerBound", kInteger, i32(1) + i32(0) + i32(23) + i32(1) + i32(-5) + kOne,
                        Values{"1"}},
        BinaryArrayCase{"NullUnannounced", kInteger, array(23, {kNull}), {}},
        BinaryArrayCase{
            "TwoDimensions", kInteger, i32(2) + i32(0) + i32(23) + i32(1) + i32(1) + i32(1) + i32(1) + kOne, {}},
        BinaryArrayCase{"NegativeDimensions", kInteger, i32(-1) + i32(0) + i32(23), {}},
        BinaryArrayCase{"UnknownFlags", kInteger, array(23, {kOne}, 2), {}},
        BinaryArrayCase{"NegativeFlags", kInteger, array(23, {kOne}, -1), {}},
        BinaryArrayCase{"NegativeSize", kInteger, i32(1) + i32(0) + i32(23) + i32(-1) + i32(1), {}},
        BinaryArrayCase{"SizeTooLarge", kInteger, i32(1) + i32(0) + i32(23) + i32(2) + i32(1) + kOne, {}},
        BinaryArrayCase{"SizeTooSmall", kInteger, i32(1) + i32(0) + i32(23) + i32(1) + i32(1) + kOne + kOne, {}},
        BinaryArrayCase{"HugeSize", kInteger, i32(1) + i32(0) + i32(23) + i32(0x7fffffff) + i32(1) + kOne, {}},
        BinaryArrayCase{"ElementTooShort", kInteger, array(23, {element(big_endian(1, 2))}), {}},
        BinaryArrayCase{"ElementTooLong", kInteger, array(23, {element(big_endian(1, 8))}), {}},
        BinaryArrayCase{"LengthBeyondTheEnd", kText, array(25, {i32(10) + "abc"}), {}},
        BinaryArrayCase{"NegativeLength", kText, array(25, {i32(-2) + "abc"}), {}},
        BinaryArrayCase{"OfAnotherClass", kInteger, array(25, {element("1")}), {}},
        BinaryArrayCase{"OfOids", kInteger, array(26, {kOne}), {}},
        BinaryArrayCase{"OfBpchar", kText, array(1042, {element("a")}), {}},
        BinaryArrayCase{"OfUnknown", kText, array(705, {element("a")}), {}},
        BinaryArrayCase{"OfNoType", kText, array(0, {element("a")}), {}},
        BinaryArrayCase{"EmptyOfAnotherClass", kInteger, i32(0) + i32(0) + i32(25), {}},
        BinaryArrayCase{"BoolOfTwo", kBoolean, array(16, {element("\2")}), {}},
        BinaryArrayCase{"UuidTooShort", kUuid, array(2950, {element(std::string(15, '\0'))}), {}},
        BinaryArrayCase{"TextNotAscii", kText, array(25, {element("a"), element("\xc3\xa9")}), {}},
        BinaryArrayCase{"TextWithNul", kText, array(25, {element("\0"s)}), {}}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(BinaryArray, MayHoldAThousandElementsAndNoMore)
{
    const auto of = [](std::size_t count) { return array(23, std::vector<std::string>(count, kOne)); };
    EXPECT_THAT(canonical_array_parameter(kInteger, as_binary(of(1000))), Optional(testing::SizeIs(1000)));
    EXPECT_EQ(canonical_array_parameter(kInteger, as_binary(of(1001))), std::nullopt);
}

TEST(BinaryAndText, OfTheSameNumberAreOneValue)
{
    for (const std::int64_t number : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{255},
                                      std::int64_t{-256}, std::int64_t{32'767}, std::int64_t{-32'768}}) {
        const Values expected{std::to_string(number)};
        EXPECT_EQ(canonical_parameter(kInteger, as_text(expected.front())), expected);
        const auto bits = static_cast<std::uint64_t>(number);
        EXPECT_EQ(canonical_parameter(kInteger, as_binary(big_endian(bits, 2), 21)), expected);
        EXPECT_EQ(canonical_parameter(kInteger, as_binary(big_endian(bits, 4), 23)), expected);
        EXPECT_EQ(canonical_parameter(kInteger, as_binary(big_endian(bits, 8), 20)), expected);
    }
}

TEST(Noise, NeverReadsBeyondTheEnd)
{
    Noise noise{7};
    const std::string good = array(23, {kOne, kNull, kOne}, 1);
    std::size_t read = 0;
    for (int i = 0; i < 20'000; ++i) {
        const Exact damaged{noise.damaged(good)};
        const Exact text{noise.damaged("{1,\"22\",NULL,333}")};
        for (const auto kind : kClasses) {
            read += canonical_array_parameter(kind, as_binary(damaged)).has_value() ? 1 : 0;
            read += canonical_array_parameter(kind, as_text(text)).has_value() ? 1 : 0;
            read += canonical_parameter(kind, as_binary(text)).has_value() ? 1 : 0;
        }
    }
    EXPECT_GT(read, 0u);
}

} // namespace
} // namespace pgmemo::query
