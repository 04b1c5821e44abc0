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
    return Parse{statement, sql};
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
    return Bind{portal, statement};
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
