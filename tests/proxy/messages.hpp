#pragma once

#include "tests/wire/messages.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

/// What clients and servers say, one message each; put together as the documentation has them ("Message Formats").
namespace pgmemo::proxy::say {

inline std::string text(std::string_view string)
{
    return std::string{string} + '\0';
}

// A client

inline std::string query(std::string_view sql)
{
    return wire::message('Q', text(sql));
}
inline std::string parse(std::string_view name, std::string_view sql)
{
    return wire::message('P', text(name) + text(sql) + wire::u16(0));
}
inline std::string bind(std::string_view portal, std::string_view statement)
{
    return wire::message('B', text(portal) + text(statement) + wire::u16(0) + wire::u16(0) + wire::u16(0));
}
inline std::string describe(char kind, std::string_view name)
{
    return wire::message('D', kind + text(name));
}
inline std::string execute(std::string_view portal = "", std::uint32_t max_rows = 0)
{
    return wire::message('E', text(portal) + wire::u32(max_rows));
}
inline std::string close(char kind, std::string_view name)
{
    return wire::message('C', kind + text(name));
}
inline std::string sync()
{
    return wire::message('S', "");
}
inline std::string flush()
{
    return wire::message('H', "");
}
inline std::string copy_data(std::string_view rows)
{
    return wire::message('d', rows);
}
inline std::string copy_done()
{
    return wire::message('c', "");
}
inline std::string copy_fail(std::string_view why)
{
    return wire::message('f', text(why));
}
inline std::string function_call()
{
    return wire::message('F', wire::u32(1) + wire::u16(0) + wire::u16(0) + wire::u16(0));
}
inline std::string terminate()
{
    return wire::message('X', "");
}

/// Parse, Bind and Execute of the unnamed statement.
inline std::string run(std::string_view sql)
{
    return say::parse("", sql) + say::bind("", "") + say::execute();
}
/// Bind and Execute of a named one.
inline std::string run_prepared(std::string_view name)
{
    return say::bind("", name) + say::execute();
}

// A server

inline std::string ready(char status)
{
    return wire::message('Z', {&status, 1});
}
inline std::string complete(std::string_view tag)
{
    return wire::message('C', text(tag));
}
inline std::string columns(std::string_view name)
{
    return wire::message('T', wire::u16(1) + text(name) + wire::u32(0) + wire::u16(0) + wire::u32(25) +
                                  wire::u16(0xffff) + wire::u32(0xffffffff) + wire::u16(0));
}
inline std::string row(std::initializer_list<std::string_view> values)
{
    std::string body = wire::u16(static_cast<unsigned>(values.size()));
    for (const auto value : values)
        body += wire::u32(static_cast<std::uint32_t>(value.size())) + std::string{value};
    return wire::message('D', body);
}
/// A whole reply of one row, but for its ReadyForQuery.
inline std::string one_row(std::string_view value)
{
    return columns("value") + row({value}) + complete("SELECT 1");
}
inline std::string error(std::string_view sqlstate, std::string_view severity = "ERROR")
{
    return wire::message('E',
                         'S' + text(severity) + 'V' + text(severity) + 'C' + text(sqlstate) + 'M' + text("no") + '\0');
}
inline std::string notice()
{
    return wire::message('N',
                         'S' + text("NOTICE") + 'V' + text("NOTICE") + 'C' + text("00000") + 'M' + text("hm") + '\0');
}
inline std::string notification()
{
    return wire::message('A', wire::u32(7) + text("channel") + text("payload"));
}
inline std::string parameter(std::string_view name, std::string_view value)
{
    return wire::message('S', text(name) + text(value));
}
inline std::string parse_complete()
{
    return wire::message('1', "");
}
inline std::string bind_complete()
{
    return wire::message('2', "");
}
inline std::string close_complete()
{
    return wire::message('3', "");
}
inline std::string parameters(std::initializer_list<unsigned> types = {})
{
    std::string body = wire::u16(static_cast<unsigned>(types.size()));
    for (const auto type : types)
        body += wire::u32(type);
    return wire::message('t', body);
}
inline std::string no_data()
{
    return wire::message('n', "");
}
inline std::string empty_query()
{
    return wire::message('I', "");
}
inline std::string suspended()
{
    return wire::message('s', "");
}
inline std::string copy_in()
{
    return wire::message('G', '\0' + wire::u16(0));
}
/// The reply to `run`, but for its ReadyForQuery.
inline std::string ran(std::string_view tag)
{
    return parse_complete() + bind_complete() + complete(tag);
}
/// The reply to `run_prepared`.
inline std::string ran_prepared(std::string_view tag)
{
    return bind_complete() + complete(tag);
}

} // namespace pgmemo::proxy::say
