#include "wire/backend.hpp"

#include "wire/field_reader.hpp"

namespace pgmemo::wire {

Result<Status> decode_ready_for_query(std::string_view body) noexcept
{
    if (body.size() != 1)
        return Errc::short_field;
    switch (body.front()) {
    case 'I':
        return Status::idle;
    case 'T':
        return Status::in_transaction;
    case 'E':
        return Status::failed;
    default:
        return Errc::short_field;
    }
}

Result<ParameterStatus> decode_parameter_status(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto name = fields.string();
    const auto value = fields.string();
    if (!fields.at_end())
        return Errc::short_field;
    return ParameterStatus{name, value};
}

Result<BackendKeyData> decode_backend_key_data(std::string_view body) noexcept
{
    FieldReader fields{body};
    const auto pid = fields.u32();
    if (!fields.ok() || fields.left().empty())
        return Errc::short_field;
    return BackendKeyData{pid, fields.left()};
}

Result<std::vector<std::optional<std::string_view>>> decode_data_row(std::string_view body)
{
    FieldReader fields{body};
    const std::size_t count = fields.u16();
    std::vector<std::optional<std::string_view>> columns;
    for (std::size_t i = 0; i < count && fields.ok(); ++i) {
        const auto size = static_cast<std::int32_t>(fields.u32());
        if (size < 0)
            columns.emplace_back(std::nullopt);
        else
            columns.emplace_back(fields.bytes(static_cast<std::size_t>(size)));
    }
    if (!fields.at_end())
        return Errc::short_field;
    return columns;
}

Result<ErrorFields> decode_error(std::string_view body) noexcept
{
    FieldReader fields{body};
    ErrorFields error;
    std::string_view localised;
    for (;;) {
        const char code = fields.byte();
        if (!fields.ok())
            return Errc::short_field;
        if (code == '\0')
            break;
        const auto value = fields.string();
        switch (code) {
        case 'S':
            localised = value;
            break;
        case 'V':
            error.severity = value;
            break;
        case 'C':
            error.sqlstate = value;
            break;
        case 'M':
            error.message = value;
            break;
        default:
            break;
        }
    }
    if (error.severity.empty())
        error.severity = localised;
    return error;
}

void append_message(std::string& out, char type, std::string_view body)
{
    out += type;
    append_u32(out, static_cast<std::uint32_t>(body.size() + 4));
    out += body;
}

void append_query(std::string& out, std::string_view sql)
{
    out += 'Q';
    append_u32(out, static_cast<std::uint32_t>(sql.size() + 5));
    out += sql;
    out += '\0';
}

void append_command_complete(std::string& out, std::string_view tag)
{
    out += 'C';
    append_u32(out, static_cast<std::uint32_t>(tag.size() + 5));
    out += tag;
    out += '\0';
}

void append_ready_for_query(std::string& out, Status status)
{
    const char body = static_cast<char>(status);
    append_message(out, 'Z', {&body, 1});
}

void append_backend_key_data(std::string& out, std::uint32_t pid, std::string_view secret)
{
    out += 'K';
    append_u32(out, static_cast<std::uint32_t>(secret.size() + 8));
    append_u32(out, pid);
    out += secret;
}

void append_negotiate_version(std::string& out, std::uint16_t minor, std::string_view options)
{
    out += 'v';
    append_u32(out, static_cast<std::uint32_t>(options.size() + 8));
    append_u32(out, (3u << 16) | minor);
    out += options;
}

void append_error(std::string& out, std::string_view severity, std::string_view sqlstate, std::string_view message,
                  std::string_view detail, std::string_view hint)
{
    std::string body;
    const auto field = [&body](char code, std::string_view text) {
        if (text.empty())
            return;
        body += code;
        body += text;
        body += '\0';
    };
    field('S', severity);
    field('V', severity);
    field('C', sqlstate);
    field('M', message);
    field('D', detail);
    field('H', hint);
    body += '\0';
    append_message(out, 'E', body);
}

std::string encode_cancel_request(std::uint32_t pid, std::string_view secret)
{
    std::string packet;
    append_u32(packet, static_cast<std::uint32_t>(12 + secret.size()));
    append_u32(packet, 80877102);
    append_u32(packet, pid);
    packet += secret;
    return packet;
}

} // namespace pgmemo::wire
