#include "proxy/channel_binding.hpp"

#include "wire/backend.hpp"
#include "wire/field_reader.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace pgmemo::proxy {
namespace {

constexpr std::uint32_t kSasl = 10;
constexpr std::string_view kPlus = "-PLUS";

} // namespace

ChannelBinding parse_channel_binding(const std::string& text)
{
    if (text == "disable")
        return ChannelBinding::disable;
    if (text == "prefer")
        return ChannelBinding::prefer;
    if (text == "require")
        return ChannelBinding::require;
    throw std::invalid_argument(fmt::format("invalid channel_binding value: \"{}\"", text));
}

std::optional<std::string> without_channel_binding(std::string_view body)
{
    wire::FieldReader fields{body};
    if (fields.u32() != kSasl || !fields.ok())
        return std::nullopt;
    std::string kept{body.substr(0, 4)};
    bool dropped = false;
    for (;;) {
        const auto mechanism = fields.string();
        if (!fields.ok())
            return std::nullopt;
        if (mechanism.empty())
            break;
        if (mechanism.ends_with(kPlus)) {
            dropped = true;
            continue;
        }
        kept.append(mechanism).push_back('\0');
    }
    if (!dropped)
        return std::nullopt;
    kept.push_back('\0');
    std::string message;
    wire::append_message(message, 'R', kept);
    return message;
}

bool claims_no_binding_offered(std::string_view body) noexcept
{
    wire::FieldReader fields{body};
    const auto mechanism = fields.string();
    fields.u32();
    return fields.ok() && mechanism == "SCRAM-SHA-256" && fields.left().starts_with("y,");
}

} // namespace pgmemo::proxy
