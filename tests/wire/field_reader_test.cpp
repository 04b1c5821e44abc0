#include "wire/field_reader.hpp"

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"

#include <gtest/gtest.h>

namespace pgmemo::wire {
namespace {

using testing_support::at_every_truncation;
using testing_support::Exact;

TEST(FieldReader, TakesFieldsInTheirOrder)
{
    const Exact body{"S" + u16(0x0102) + u32(0xfffefdfc) + z("name") + "raw" + "left"};
    FieldReader fields{body};
    EXPECT_EQ(fields.byte(), 'S');
    EXPECT_EQ(fields.u16(), 0x0102);
    EXPECT_EQ(fields.u32(), 0xfffefdfcu);
    EXPECT_EQ(fields.string(), "name");
    EXPECT_EQ(fields.bytes(3), "raw");
    EXPECT_EQ(fields.left(), "left");
    EXPECT_TRUE(fields.ok());
    EXPECT_FALSE(fields.at_end());
    EXPECT_EQ(fields.bytes(4), "left");
    EXPECT_TRUE(fields.at_end());
}

TEST(FieldReader, SaysSoWhereverTheBodyEndsTooSoon)
{
    at_every_truncation("S" + u16(1) + u32(2) + z("name") + "raw", [](const Exact& body) {
        FieldReader fields{body};
        fields.byte();
        fields.u16();
        fields.u32();
        fields.string();
        fields.bytes(3);
        EXPECT_FALSE(fields.ok());
        EXPECT_FALSE(fields.at_end());
    });
}

TEST(FieldReader, GivesNothingAfterTheFirstFieldThatDoesNotFit)
{
    const Exact body{"abc"};
    FieldReader fields{body};
    EXPECT_EQ(fields.u32(), 0u);
    EXPECT_EQ(fields.byte(), '\0') << "three bytes were there, but who knows of which field";
    EXPECT_EQ(fields.u16(), 0);
    EXPECT_EQ(fields.string(), "");
    EXPECT_EQ(fields.bytes(1), "");
    EXPECT_EQ(fields.bytes(0), "");
    EXPECT_EQ(fields.left(), "");
    EXPECT_FALSE(fields.ok());
}

TEST(FieldReader, RefusesAStringWithoutAnEnd)
{
    const Exact body{"no end"};
    FieldReader fields{body};
    EXPECT_EQ(fields.string(), "");
    EXPECT_FALSE(fields.ok());
}

TEST(FieldReader, TellsAnEmptyStringFromAMissingOne)
{
    const Exact body{z("")};
    FieldReader fields{body};
    EXPECT_EQ(fields.string(), "");
    EXPECT_TRUE(fields.at_end());
    EXPECT_EQ(fields.string(), "");
    EXPECT_FALSE(fields.ok());
}

TEST(FieldReader, TakesNoBytesFromAnEmptyBody)
{
    FieldReader fields{{}};
    EXPECT_EQ(fields.bytes(0), "");
    EXPECT_TRUE(fields.at_end());
}

TEST(FieldReader, RefusesASizeThatOnlyFitsWhenItWrapsAround)
{
    const Exact body{"abc"};
    FieldReader fields{body};
    EXPECT_EQ(fields.bytes(static_cast<std::size_t>(-1)), "");
    EXPECT_FALSE(fields.ok());
}

} // namespace
} // namespace pgmemo::wire
