#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace pgmemo::wire {

/// Integers in network byte order, as the protocol has them. Source: PostgreSQL documentation, "Message Data Types".
inline std::uint32_t read_u32(const char* at) noexcept
{
    unsigned char b[4];
    std::memcpy(b, at, 4);
    return (std::uint32_t{b[0]} << 24) | (std::uint32_t{b[1]} << 16) | (std::uint32_t{b[2]} << 8) | b[3];
}

inline std::uint16_t read_u16(const char* at) noexcept
{
    unsigned char b[2];
    std::memcpy(b, at, 2);
    return static_cast<std::uint16_t>((b[0] << 8) | b[1]);
}

inline void write_u32(char* at, std::uint32_t value) noexcept
{
    const unsigned char b[4] = {static_cast<unsigned char>(value >> 24), static_cast<unsigned char>(value >> 16),
                                static_cast<unsigned char>(value >> 8), static_cast<unsigned char>(value)};
    std::memcpy(at, b, 4);
}

inline void append_u32(std::string& out, std::uint32_t value)
{
    char b[4];
    write_u32(b, value);
    out.append(b, 4);
}

} // namespace pgmemo::wire
