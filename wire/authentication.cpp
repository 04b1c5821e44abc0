#include "wire/authentication.hpp"

#include "wire/backend.hpp"
#include "wire/field_reader.hpp"

namespace pgmemo::wire {

Result<Authentication> decode_authentication(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto kind = static_cast<Authentication::Kind>(fields.u32());
    if (!fields.ok())
        return Errc::short_field;
    const auto data = fields.left();
    const bool takes_nothing = kind == Authentication::Kind::ok || kind == Authentication::Kind::cleartext;
    if (takes_nothing && !data.empty())
        return Errc::left_over;
    if (kind == Authentication::Kind::md5 && data.size() != 4)
        return data.size() < 4 ? Errc::short_field : Errc::left_over;
    return Authentication{kind, data};
}

Result<std::vector<std::string_view>> decode_mechanisms(std::string_view data)
{
    FieldReader fields{data};
    std::vector<std::string_view> names;
    for (;;) {
        const auto name = fields.string();
        if (!fields.ok())
            return Errc::short_field;
        if (name.empty())
            break;
        if (names.size() == kMaxMechanisms)
            return Errc::left_over;
        names.push_back(name);
    }
    if (!fields.at_end())
        return Errc::left_over;
    return names;
}

void append_authentication(std::string& out, Authentication::Kind kind, std::string_view data)
{
    std::string body;
    append_u32(body, static_cast<std::uint32_t>(kind));
    body += data;
    append_message(out, 'R', body);
}

void append_mechanisms(std::string& out, const std::vector<std::string_view>& names)
{
    std::string list;
    for (const auto name : names) {
        list += name;
        list += '\0';
    }
    list += '\0';
    append_authentication(out, Authentication::Kind::sasl, list);
}

Result<SaslInitial> decode_sasl_initial(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto mechanism = fields.string();
    const auto size = static_cast<std::int32_t>(fields.u32());
    if (!fields.ok() || size < -1)
        return Errc::short_field;
    SaslInitial initial{mechanism, std::nullopt};
    if (size >= 0)
        initial.data = fields.bytes(static_cast<std::size_t>(size));
    if (!fields.ok())
        return Errc::short_field;
    if (!fields.at_end())
        return Errc::left_over;
    return initial;
}

void append_sasl_initial(std::string& out, std::string_view mechanism, std::string_view data)
{
    std::string body{mechanism};
    body += '\0';
    append_u32(body, static_cast<std::uint32_t>(data.size()));
    body += data;
    append_message(out, 'p', body);
}

Result<std::string_view> decode_password(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto password = fields.string();
    if (!fields.at_end())
        return fields.ok() ? Errc::left_over : Errc::short_field;
    return password;
}

void append_password(std::string& out, std::string_view password)
{
    std::string body{password};
    body += '\0';
    append_message(out, 'p', body);
}

} // namespace pgmemo::wire
