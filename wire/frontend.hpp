#pragma once

#include "wire/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::wire {

/// Views of what clients send. They borrow from the body that they were decoded from.
/// Source: PostgreSQL documentation, "Message Formats".

struct Parse {
    std::string_view statement; ///< empty: the unnamed one
    std::string_view sql;
    std::string_view rest; ///< the body behind the name: the text with its NUL, and the declared types
};

struct Bind {
    std::string_view portal;
    std::string_view statement;
    std::string_view rest; ///< the body behind the names: parameters and result formats
};

struct Execute {
    std::string_view portal;
    std::uint32_t max_rows; ///< 0: all
};

struct Describe {
    char kind; ///< 'S' a statement, 'P' a portal
    std::string_view name;
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
Result<Describe> decode_describe(std::string_view body) noexcept;
Result<Close> decode_close(std::string_view body) noexcept;

/// The format codes that a Bind asks for its result in; of one that has arrived whole.
Result<std::vector<std::uint16_t>> decode_bind_results(std::string_view body);

// What pgmemo itself says to a server as a client does. `rest` as in Parse and Bind above.
void append_parse(std::string& out, std::string_view statement, std::string_view rest);
void append_bind(std::string& out, std::string_view portal, std::string_view statement, std::string_view rest);
void append_describe_statement(std::string& out, std::string_view statement);
void append_execute(std::string& out, std::string_view portal);
/// `kind` as in Close.
void append_close(std::string& out, char kind, std::string_view name);
void append_sync(std::string& out);

} // namespace pgmemo::wire
