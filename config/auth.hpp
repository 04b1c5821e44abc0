#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::config {

/// An IP address, IPv4 as the 4 first bytes.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0; ///< 32 or 128
    std::string text() const;
};
std::optional<IpAddress> parse_ip(const std::string& text); ///< an IPv4 address in IPv6's clothes becomes IPv4

/// A range of addresses: "10.0.0.0/8", "::1/128", or one address.
struct Cidr {
    IpAddress base;
    unsigned prefix = 0;
    bool contains(const IpAddress&) const noexcept;
};
/// Nullopt as well when bits are set behind the prefix: it is then not known what is meant.
std::optional<Cidr> parse_cidr(const std::string& text);

/// Where a client comes from, and as whom.
struct Origin {
    std::optional<IpAddress> address; ///< nullopt: a Unix socket
    bool tls = false;
    bool replication = false; ///< physical, which belongs to no database
    std::string database;
    std::string user;
};

enum class HbaMethod : std::uint8_t { trust, peer, scram_sha_256, md5, cert, reject };

/// One line of who may come from where. Source: PostgreSQL documentation, "The pg_hba.conf File".
struct HbaEntry {
    enum class Type : std::uint8_t { local, host, hostssl, hostnossl };
    Type type = Type::host;
    std::vector<std::string> databases{"all"}; ///< globs; `all`, `sameuser`, `replication` as in pg_hba.conf
    std::vector<std::string> users{"all"};     ///< globs; `all`
    std::vector<Cidr> addresses;               ///< none: every address
    HbaMethod method = HbaMethod::scram_sha_256;
    /// Of peer and cert: the name that the system or the certificate tells → the roles that it may log in as. Empty:
    /// the role of that name.
    std::map<std::string, std::vector<std::string>> map;

    bool matches(const Origin&) const;
    /// Whether who is `name` outside may be `user` here.
    bool admits(const std::string& name, const std::string& user) const;
};

/// Who checks a client's password, and how.
struct Auth {
    bool terminate = false;  ///< `auth: scram`; else the login is relayed between client and PostgreSQL
    std::string users;       ///< path of a file; empty: none
    bool query = false;      ///< PostgreSQL is asked for verifiers
    std::string query_sql;   ///< empty: pg_authid
    std::string salt_secret; ///< path of a file; empty: one for the process
    std::chrono::milliseconds recheck = std::chrono::seconds{60};
    std::vector<HbaEntry> hba; ///< the first that matches decides

    const HbaEntry* find(const Origin&) const;
};

} // namespace pgmemo::config
