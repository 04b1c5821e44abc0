#pragma once

#include "cache/cache.hpp"
#include "config/config.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/database.hpp"
#include "proxy/scope_table.hpp"
#include "proxy/unresolved.hpp"
#include "proxy/upstream_target.hpp"
#include "query/analyzer.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace pgmemo::proxy {

/// The configuration in force. Replaced whole by a reload. Threads: safe.
class ConfigInForce {
public:
    explicit ConfigInForce(std::shared_ptr<const config::Config> config)
        : config_(std::move(config))
    {
    }
    std::shared_ptr<const config::Config> get() const
    {
        const std::lock_guard lock{mutex_};
        return config_;
    }
    void set(std::shared_ptr<const config::Config> config)
    {
        const std::lock_guard lock{mutex_};
        config_ = std::move(config);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const config::Config> config_;
};

/// What sessions borrow from main(), which outlives them all.
struct Services {
    ConfigInForce& config;
    const UpstreamTarget& upstream;
    cache::Cache& cache;
    query::Analyzer& analyzer;
    ScopeTable& scopes;
    Databases& databases;
    CancelRegistry& cancels;
    Unresolved& unresolved;
    /// Moves when the server has read its configuration anew: what sessions know of their settings is old then.
    std::atomic<std::uint64_t>& settings_epoch;
    std::atomic<std::uint64_t>& clients;   ///< connected now
    std::atomic<std::uint64_t>& upstreams; ///< upstream connections now
};

} // namespace pgmemo::proxy
