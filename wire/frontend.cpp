#include "wire/frontend.hpp"

#include "wire/field_reader.hpp"

namespace pgmemo::wire {

Result<std::string_view> decode_query(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto sql = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    if (!fields.at_end())
        return Errc::left_over;
    return sql;
}

Result<Parse> decode_parse(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto statement = fields.string();
    const auto sql = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    return Parse{statement, sql, body.substr(statement.size() + 1)};
}

Result<std::string_view> decode_parse_name(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto name = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    return name;
}

Result<Bind> decode_bind(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto portal = fields.string();
    const auto statement = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    return Bind{portal, statement, fields.left()};
}

Result<std::vector<std::uint32_t>> decode_parse_types(std::string_view body)
{
    FieldReader fields{body};
    fields.string();
    fields.string();
    std::vector<std::uint32_t> types(fields.u16());
    for (auto& type : types)
        type = fields.u32();
    if (!fields.ok())
        return Errc::short_field;
    return types;
}

Result<std::vector<BindValue>> decode_bind_values(std::string_view body)
{
    FieldReader fields{body};
    fields.string();
    fields.string();
    std::vector<std::uint16_t> formats(fields.u16());
    for (auto& format : formats)
        format = fields.u16();
    std::vector<BindValue> values(fields.u16());
    if (formats.size() > 1 && formats.size() != values.size())
        return Errc::short_field;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto format = formats.empty() ? 0 : formats.size() == 1 ? formats.front() : formats[i];
        values[i].is_binary = format != 0;
        const auto size = fields.u32();
        values[i].is_null = size == 0xffffffff;
        if (!values[i].is_null)
            values[i].bytes = fields.bytes(size);
    }
    if (!fields.ok())
        return Errc::short_field;
    return values;
}

Result<Execute> decode_execute(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto portal = fields.string();
    const auto max_rows = fields.u32();
    if (!fields.ok())
        return Errc::short_field;
    return Execute{portal, max_rows};
}

Result<Describe> decode_describe(std::string_view body) noexcept
{
    FieldReader fields{body};
    const char kind = fields.byte();
    const auto name = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    return Describe{kind, name};
}

Result<std::vector<std::uint16_t>> decode_bind_results(std::string_view body)
{
    FieldReader fields{body};
    fields.string();
    fields.string();
    for (int left = fields.u16(); left > 0 && fields.ok(); --left)
        fields.u16();
    for (int left = fields.u16(); left > 0 && fields.ok(); --left)
        if (const auto size = fields.u32(); size != 0xffffffff)
            fields.bytes(size);
    std::vector<std::uint16_t> formats(fields.u16());
    for (auto& format : formats)
        format = fields.u16();
    if (!fields.at_end())
        return Errc::short_field;
    return formats;
}

namespace {

void append_head(std::string& out, char type, std::size_t body_bytes)
{
    out += type;
    append_u32(out, static_cast<std::uint32_t>(body_bytes + 4));
}

void append_name(std::string& out, std::string_view name)
{
    out += name;
    out += '\0';
}

} // namespace

void append_parse(std::string& out, std::string_view statement, std::string_view rest)
{
    append_head(out, 'P', statement.size() + 1 + rest.size());
    append_name(out, statement);
    out += rest;
}

void append_bind(std::string& out, std::string_view portal, std::string_view statement, std::string_view rest)
{
    append_head(out, 'B', portal.size() + 1 + statement.size() + 1 + rest.size());
    append_name(out, portal);
    append_name(out, statement);
    out += rest;
}

void append_describe_statement(std::string& out, std::string_view statement)
{
    append_head(out, 'D', 1 + statement.size() + 1);
    out += 'S';
    append_name(out, statement);
}

void append_execute(std::string& out, std::string_view portal)
{
    append_head(out, 'E', portal.size() + 1 + 4);
    append_name(out, portal);
    append_u32(out, 0);
}

void append_close(std::string& out, char kind, std::string_view name)
{
    append_head(out, 'C', 1 + name.size() + 1);
    out += kind;
    append_name(out, name);
}

void append_sync(std::string& out)
{
    append_head(out, 'S', 0);
}

Result<Close> decode_close(std::string_view body) noexcept
{
    FieldReader fields{body};
    const char kind = fields.byte();
    const auto name = fields.string();
    if (!fields.ok())
        return Errc::short_field;
    return Close{kind, name};
}

} // namespace pgmemo::wire
