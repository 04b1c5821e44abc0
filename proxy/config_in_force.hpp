#pragma once

#include "config/config.hpp"

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

} // namespace pgmemo::proxy
