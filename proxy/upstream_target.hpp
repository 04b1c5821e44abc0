#pragma once

#include "proxy/channel_binding.hpp"
#include "proxy/tls_upstream.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// What one of pgmemo's own connections is for.
enum class OwnUse : std::uint8_t {
    catalog, ///< reads the catalogs, under settings of its own
    session, ///< is a session like a client's: with the settings that a login gets
};

/// How dead peers are found out; 0 is the system's own.
struct TcpTuning {
    bool keep_alive = true;
    int idle_seconds = 0;
    int interval_seconds = 0;
    int count = 0;
    int user_timeout_ms = 0;
};

/// Where PostgreSQL is, as a libpq URI or connection string says it. Host, port and ssl* serve all traffic; user,
/// password and dbname only pgmemo's own connections. What the string leaves out comes from libpq's own defaults: PG*
/// variables,
/// ~/.pgpass, service files.
/// Source: PostgreSQL documentation, "Connection Strings", "Parameter Key Words".
class UpstreamTarget {
public:
    struct Host {
        std::string host; ///< a name or an address, or, where it begins with '/', the folder of a Unix socket
        std::string port;
        std::string name; ///< as `host` gives it, even where `hostaddr` says whither: what a certificate must say
        std::string text() const;
        bool is_unix() const noexcept { return !host.empty() && host.front() == '/'; }
    };

    /// Throws std::invalid_argument with one sentence for the user: not a connection string, or one that asks for what
    /// this version cannot do, or names files for TLS that cannot be used.
    explicit UpstreamTarget(const std::string& uri);

    const std::vector<Host>& hosts() const noexcept { return hosts_; } ///< to be tried in order
    std::chrono::seconds connect_timeout() const noexcept { return connect_timeout_; }
    std::string text() const; ///< the hosts, for logs; no user, no password

    const TcpTuning& tcp() const noexcept { return tcp_; } ///< libpq's keepalives… and tcp_user_timeout
    const UpstreamTlsOptions& tls_options() const noexcept { return tls_options_; }
    ChannelBinding channel_binding() const noexcept { return channel_binding_; } ///< of logins that pgmemo makes
    SslMode ssl_mode(const Host& host) const noexcept ///< Unix sockets never have TLS, whatever is asked for
    {
        return host.is_unix() ? SslMode::disable : tls_options_.mode;
    }
    bool may_use_tls() const noexcept; ///< with some host
    TlsInForce::Context tls() const { return tls_->get(); }
    /// Reads the files anew. Throws std::invalid_argument; what was in force stays then.
    void reload_tls() { tls_->set(load_tls()); }

    /// The keywords and values for one of pgmemo's own connections to a database.
    std::vector<std::pair<std::string, std::string>> own_connection(std::string_view database,
                                                                    OwnUse = OwnUse::catalog) const;
    std::string own_database() const; ///< the one that the string names

private:
    TlsInForce::Context load_tls() const;

    std::vector<std::pair<std::string, std::string>> options_;
    std::vector<Host> hosts_;
    UpstreamTlsOptions tls_options_;
    ChannelBinding channel_binding_ = ChannelBinding::prefer;
    TcpTuning tcp_;
    std::shared_ptr<TlsInForce> tls_;
    std::chrono::seconds connect_timeout_{10};
};

} // namespace pgmemo::proxy
