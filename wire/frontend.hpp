#pragma once

#include "wire/error.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace pgmemo::wire {

/// Views of what clients send. They borrow from the body that they were decoded from.
/// Source: PostgreSQL documentation, "Message Formats".

struct Parse {
    std::string_view statement; ///< empty: the unnamed one
    std::string_view sql;
};

struct Bind {
    std::string_view portal;
    std::string_view statement;
};

struct Execute {
    std::string_view portal;
    std::uint32_t max_rows; ///< 0: all
};

struct Close {
    char kind; ///< 'S' a statement, 'P' a portal
    std::string_view name;
};

/// A parameter's value, as Bind brings it.
struct BindValue {
    std::string_view bytes;
    bool is_null = false;
    bool is_binary = false;
};

/// The SQL text, without its terminating NUL.
Result<std::string_view> decode_query(std::string_view body) noexcept;
Result<Parse> decode_parse(std::string_view body) noexcept;
/// The name alone, of a Parse that has not all arrived.
Result<std::string_view> decode_parse_name(std::string_view body) noexcept;
/// The two names only, so a Bind whose values have not all arrived can be read.
Result<Bind> decode_bind(std::string_view body) noexcept;
/// The types that a Parse declares for its parameters, as OIDs; 0 leaves one to the server.
Result<std::vector<std::uint32_t>> decode_parse_types(std::string_view body);
/// The values of a Bind that has arrived whole.
Result<std::vector<BindValue>> decode_bind_values(std::string_view body);
Result<Execute> decode_execute(std::string_view body) noexcept;
Result<Close> decode_close(std::string_view body) noexcept;

} // namespace pgmemo::wire
