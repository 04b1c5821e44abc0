#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pgmemo::proxy {

/// Our own cancel keys: clients never see PostgreSQL's, so that a key says nothing of the upstream and a hit has
/// nothing to cancel. Threads: safe.
class CancelRegistry {
public:
    /// What a session shows to a CancelRequest. Held by the session; gone with it.
    struct Slot {
        std::uint32_t pid = 0; ///< ours, positive as a signed integer: pg_basebackup and others print it so
        std::string secret;    ///< ours, as long as the upstream's
        std::uint32_t upstream_pid = 0;
        std::string upstream_secret;
        std::size_t upstream_host = 0;
        std::atomic<bool> cancellable{false}; ///< the client waits for something that runs upstream
    };

    struct Target {
        std::uint32_t pid;
        std::string secret;
        std::size_t host;
    };

    /// A new key for a session whose upstream has given `pid` and `secret`.
    std::shared_ptr<Slot> add(std::uint32_t upstream_pid, std::string_view upstream_secret, std::size_t upstream_host);
    void remove(const Slot&) noexcept;

    /// Whom to cancel upstream: nobody if the key is not ours or nothing of that client runs there.
    std::optional<Target> find(std::uint32_t pid, std::string_view secret) const;

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, std::shared_ptr<Slot>> by_pid_;
};

} // namespace pgmemo::proxy
