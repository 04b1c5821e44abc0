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
