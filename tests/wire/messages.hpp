#pragma once

#include "wire/backend.hpp"
#include "wire/integers.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Messages put together by hand for the tests of wire/, from the documentation and not from the code under test, where
/// that is short enough to be read.
namespace pgmemo::wire {

/// The bytes of a literal, its inner NULs and the final one included: z("a\0b") is four bytes.
template <std::size_t N>
std::string z(const char (&literal)[N])
{
    return std::string(literal, N);
}

inline std::string u16(unsigned value)
{
    return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

inline std::string u32(std::uint32_t value)
{
    return u16(value >> 16) + u16(value & 0xffff);
}

inline std::string message(char type, std::string_view body)
{
    return type + u32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
}

/// A type and a length word that need not be true.
inline std::string header(char type, std::uint32_t length)
{
    return type + u32(length);
}

inline std::string startup(std::uint32_t code, std::string_view rest)
{
    return u32(static_cast<std::uint32_t>(rest.size() + 8)) + u32(code) + std::string(rest);
}

} // namespace pgmemo::wire
