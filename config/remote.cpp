#include "config/remote.hpp"

#include <fmt/format.h>

#include <charconv>

namespace pgmemo::config {
namespace {

std::optional<unsigned> hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

std::optional<std::string> decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
        const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
        if (!high || !low)
            return std::nullopt;
        out += static_cast<char>(*high << 4U | *low);
        i += 2;
    }
    return out;
}

std::optional<unsigned> number(std::string_view text, unsigned most) noexcept
{
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most)
        return std::nullopt;
    return value;
}

bool take_prefix(std::string_view& text, std::string_view prefix) noexcept
{
    if (!text.starts_with(prefix))
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool read_login(std::string_view login, Remote& remote)
{
    const auto colon = login.find(':');
    const auto user = decoded(login.substr(0, colon));
    const auto password = decoded(colon == std::string_view::npos ? std::string_view{} : login.substr(colon + 1));
    if (!user || !password)
        return false;
    remote.user = *user;
    remote.password = *password;
    return true;
}

bool read_host(std::string_view host, Remote& remote)
{
    std::string_view port;
    bool has_port = false;
    if (take_prefix(host, "[")) {
        const auto end = host.find(']');
        if (end == std::string_view::npos)
            return false;
        const auto behind = host.substr(end + 1);
        has_port = behind.starts_with(':');
        if (!has_port && !behind.empty())
            return false;
        port = has_port ? behind.substr(1) : port;
        host = host.substr(0, end);
    } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
        has_port = true;
        port = host.substr(colon + 1);
        host = host.substr(0, colon);
    }
    remote.host = host;
    if (has_port) {
        const auto value = number(port, 65'535);
        if (!value || *value == 0)
            return false;
        remote.port = static_cast<std::uint16_t>(*value);
    }
    return !host.empty();
}

} // namespace

std::string Remote::text() const
{
    const auto shown = host.find(':') == std::string::npos ? host : '[' + host + ']';
    return fmt::format("{}://{}:{}{}", tls ? "rediss" : "redis", shown, port,
                       database == 0 ? std::string{} : fmt::format("/{}", database));
}

std::optional<Remote> parse_remote(std::string_view url, std::string& problem)
{
    Remote remote;
    auto rest = url;
    remote.tls = take_prefix(rest, "rediss://");
    if (!remote.tls && !take_prefix(rest, "redis://")) {
        problem = "is no address of a store: redis://host:port or rediss://host:port, or none";
        return std::nullopt;
    }
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        if (!read_login(rest.substr(0, at), remote)) {
            problem = "has a user or a password that is not percent-encoded well";
            return std::nullopt;
        }
        rest.remove_prefix(at + 1);
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        const auto database = rest.substr(slash + 1);
        const auto value = database.empty() ? std::optional{0U} : number(database, 1'000'000);
        if (!value) {
            problem = "has a database that is no number";
            return std::nullopt;
        }
        remote.database = *value;
        rest = rest.substr(0, slash);
    }
    if (!read_host(rest, remote)) {
        problem = "has no host, or a port that is none";
        return std::nullopt;
    }
    return remote;
}

} // namespace pgmemo::config
