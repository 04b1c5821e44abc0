#pragma once

#include <boost/asio/ip/tcp.hpp>

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
    /// Whom to cancel, and how that server was reached: the cancel goes the same way.
    struct Target {
        std::uint32_t pid = 0;
        std::string secret;
        std::size_t host = 0;
        std::optional<boost::asio::ip::tcp::endpoint> address; ///< of many that a name may stand for; none: Unix
        bool tls = false;
    };

    /// What a session shows to a CancelRequest. Held by the session; gone with it.
    struct Slot {
        std::uint32_t pid = 0; ///< ours, positive as a signed integer: pg_basebackup and others print it so
        std::string secret;    ///< ours
        Target target;
        std::atomic<bool> cancellable{false}; ///< the client waits for something that runs upstream
    };

    /// A new key for a session whose upstream is `target`, with a secret of so many bytes.
    std::shared_ptr<Slot> add(Target target, std::size_t secret_size);
    void remove(const Slot&) noexcept;

    /// Whom to cancel upstream: nobody if the key is not ours or nothing of that client runs there.
    std::optional<Target> find(std::uint32_t pid, std::string_view secret) const;

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, std::shared_ptr<Slot>> by_pid_;
};

} // namespace pgmemo::proxy
