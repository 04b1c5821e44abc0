#pragma once

#include "cache/cache.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/config_in_force.hpp"
#include "proxy/database.hpp"
#include "proxy/scope_table.hpp"
#include "proxy/tls_files.hpp"
#include "proxy/unresolved.hpp"
#include "proxy/upstream_target.hpp"
#include "query/analyzer.hpp"

#include <atomic>
#include <cstdint>

namespace pgmemo::proxy {

namespace auth {
class Authority;
}
class Resolver;
struct RemoteShare;

/// What sessions borrow from main(), which outlives them all.
struct Services {
    ConfigInForce& config;
    const UpstreamTarget& upstream;
    const TlsInForce& client_tls;
    cache::Cache& cache;
    query::Analyzer& analyzer;
    ScopeTable& scopes;
    Databases& databases;
    CancelRegistry& cancels;
    Unresolved& unresolved;
    /// Moves when the server has read its configuration anew: what sessions know of their settings is old then.
    std::atomic<std::uint64_t>& settings_epoch;
    std::atomic<std::uint64_t>& clients;   ///< connected now
    std::atomic<std::uint64_t>& sessions;  ///< of them, those that have asked for a session
    std::atomic<std::uint64_t>& upstreams; ///< upstream connections now
    Resolver* resolver = nullptr;          ///< needed by sessions
    RemoteShare* remote = nullptr;         ///< null: the cache is this process' alone
    auth::Authority* authority = nullptr;  ///< needed where the configuration has pgmemo check who comes in
};

} // namespace pgmemo::proxy
