#pragma once

#include "proxy/resolver.hpp"
#include "proxy/stream.hpp"
#include "proxy/upstream_target.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pgmemo::proxy {

/// How one connection to PostgreSQL is begun.
enum class Way : std::uint8_t {
    plain,
    tls,
    tls_or_plain, ///< plain if the server has no TLS
};

/// The ways that an sslmode tries, the second when PostgreSQL refuses the first; libpq's own order.
struct Ways {
    Way first;
    std::optional<Way> second;
};
Ways ways_of(SslMode mode) noexcept;

/// Connects to a host and, where the way says so, puts TLS on it. Empty: done; else why not. `at`: to this very
/// address, where the name may stand for several.
Task<std::string> dial(Stream& upstream, const UpstreamTarget& target, const UpstreamTarget::Host& host, Way way,
                       Resolver& resolver, std::optional<asio::ip::tcp::endpoint> at = std::nullopt);

/// Waits for PostgreSQL's first word: is it an ErrorResponse? What has come stays to be read.
Task<bool> begins_with_error(Stream& upstream);

/// Without delay, and dead peers found out as `tuning` says.
void tune(const Stream& stream, const TcpTuning& tuning);

} // namespace pgmemo::proxy
