#include "config/auth.hpp"

#include "config/glob.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pgmemo::config {

std::string IpAddress::text() const
{
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(bits == 32 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
    return text;
}

std::optional<IpAddress> parse_ip(const std::string& text)
{
    IpAddress ip;
    if (::inet_pton(AF_INET, text.c_str(), ip.bytes.data()) == 1) {
        ip.bits = 32;
        return ip;
    }
    if (::inet_pton(AF_INET6, text.c_str(), ip.bytes.data()) != 1)
        return std::nullopt;
    ip.bits = 128;
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(std::begin(kMapped), std::end(kMapped), ip.bytes.begin())) {
        IpAddress four;
        std::copy(ip.bytes.begin() + 12, ip.bytes.end(), four.bytes.begin());
        four.bits = 32;
        return four;
    }
    return ip;
}

namespace {

bool bit(const IpAddress& ip, unsigned number) noexcept
{
    return (ip.bytes[number / 8] >> (7 - number % 8) & 1) != 0;
}

} // namespace

std::optional<Cidr> parse_cidr(const std::string& text)
{
    const auto slash = text.find('/');
    const auto ip = parse_ip(text.substr(0, slash));
    if (!ip)
        return std::nullopt;
    Cidr range{*ip, ip->bits};
    if (slash != std::string::npos) {
        const auto* const begin = text.data() + slash + 1;
        const auto* const end = text.data() + text.size();
        const auto read = std::from_chars(begin, end, range.prefix);
        if (read.ec != std::errc{} || read.ptr != end || range.prefix > ip->bits)
            return std::nullopt;
    }
    for (unsigned i = range.prefix; i < ip->bits; ++i) {
        if (bit(*ip, i))
            return std::nullopt;
    }
    return range;
}

bool Cidr::contains(const IpAddress& ip) const noexcept
{
    if (ip.bits != base.bits)
        return false;
    for (unsigned i = 0; i < prefix; ++i) {
        if (bit(ip, i) != bit(base, i))
            return false;
    }
    return true;
}

bool HbaEntry::matches(const Origin& origin) const
{
    const bool local = !origin.address;
    const bool right_kind = type == Type::local     ? local
                            : type == Type::host    ? !local
                            : type == Type::hostssl ? !local && origin.tls
                                                    : !local && !origin.tls;
    if (!right_kind)
        return false;
    if (!local && !addresses.empty() && std::none_of(addresses.begin(), addresses.end(), [&](const Cidr& range) {
            return range.contains(*origin.address);
        }))
        return false;
    const bool right_database = std::any_of(databases.begin(), databases.end(), [&](const std::string& name) {
        if (origin.replication || name == "replication")
            return origin.replication && name == "replication"; // `all` does not mean it
        return name == "all" || (name == "sameuser" && origin.database == origin.user) ||
               glob_matches(name, origin.database);
    });
    return right_database && std::any_of(users.begin(), users.end(), [&](const std::string& name) {
               return name == "all" || glob_matches(name, origin.user);
           });
}

bool HbaEntry::admits(const std::string& name, const std::string& user) const
{
    if (name.empty())
        return false;
    if (map.empty())
        return name == user;
    const auto found = map.find(name);
    return found != map.end() && std::find(found->second.begin(), found->second.end(), user) != found->second.end();
}

const HbaEntry* Auth::find(const Origin& origin) const
{
    const auto found =
        std::find_if(hba.begin(), hba.end(), [&](const HbaEntry& entry) { return entry.matches(origin); });
    return found != hba.end() ? &*found : nullptr;
}

} // namespace pgmemo::config
