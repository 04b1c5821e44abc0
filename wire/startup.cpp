#include "wire/startup.hpp"

#include "wire/field_reader.hpp"

#include <algorithm>
#include <cctype>

namespace pgmemo::wire {
namespace {

constexpr std::uint32_t kCancelCode = 80877102;
constexpr std::uint32_t kSslCode = 80877103;
constexpr std::uint32_t kGssEncCode = 80877104;
constexpr std::size_t kMaxSecret = 256;

bool is_prefix_of(std::string_view text, std::string_view word, std::size_t at_least) noexcept
{
    return text.size() >= at_least && text.size() <= word.size() &&
           std::equal(text.begin(), text.end(), word.begin(),
                      [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

} // namespace

std::optional<bool> parse_bool(std::string_view text) noexcept
{
    if (is_prefix_of(text, "true", 1) || is_prefix_of(text, "yes", 1) || is_prefix_of(text, "on", 2) || text == "1")
        return true;
    if (is_prefix_of(text, "false", 1) || is_prefix_of(text, "no", 1) || is_prefix_of(text, "off", 2) || text == "0")
        return false;
    return std::nullopt;
}

std::optional<std::string_view> StartupMessage::parameter(std::string_view name) const noexcept
{
    std::optional<std::string_view> found; // a later one overrides, as it does in the server
    for (const auto& [key, value] : parameters) {
        if (key == name)
            found = value;
    }
    return found;
}

std::string_view StartupMessage::database() const noexcept
{
    const auto name = parameter("database").value_or(std::string_view{});
    return name.empty() ? user() : name;
}

StartupMessage::Replication StartupMessage::replication() const noexcept
{
    const auto value = parameter("replication");
    if (!value)
        return Replication::no;
    if (*value == "database")
        return Replication::logical;
    return parse_bool(*value).value_or(true) ? Replication::physical : Replication::no;
}

Result<std::size_t> startup_length(std::string_view bytes) noexcept
{
    if (bytes.size() < 4)
        return Errc::short_field;
    const std::size_t length = read_u32(bytes.data());
    if (length < 8 || length > kMaxStartupPacket)
        return Errc::bad_length;
    return length;
}

Result<StartupPacket> decode_startup(std::string_view packet)
{
    FieldReader fields{packet};
    fields.u32();
    const std::uint32_t code = fields.u32();
    if (!fields.ok())
        return Errc::short_field;
    switch (code) {
    case kSslCode:
        return SslRequest{};
    case kGssEncCode:
        return GssEncRequest{};
    case kCancelCode: {
        const std::uint32_t pid = fields.u32();
        const auto secret = fields.left();
        if (!fields.ok() || secret.size() < 4 || secret.size() > kMaxSecret)
            return Errc::short_field;
        return CancelRequest{pid, secret};
    }
    default:
        break;
    }
    StartupMessage message;
    message.major = static_cast<std::uint16_t>(code >> 16);
    message.minor = static_cast<std::uint16_t>(code & 0xffff);
    if (message.major != 3)
        return StartupPacket{std::move(message)}; // what follows has a layout that we do not know
    while (!fields.left().empty()) {
        const auto name = fields.string();
        if (fields.ok() && name.empty())
            return fields.left().empty() ? Result<StartupPacket>{StartupPacket{std::move(message)}} : Errc::left_over;
        const auto value = fields.string();
        if (!fields.ok())
            return Errc::short_field;
        message.parameters.emplace_back(name, value);
    }
    return Errc::short_field; // the list was not terminated
}

} // namespace pgmemo::wire
