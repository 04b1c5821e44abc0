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

        /// What a signal to the backend would hit now.
        enum class Phase : std::uint8_t {
            idle,    ///< nothing: a cancel that comes now is too late
            not_yet, ///< what the client waits for is not under way, or something of our own is: come again
            client,  ///< what the client waits for
        };
        std::atomic<Phase> phase{Phase::idle};
        /// Cancels that are on their way upstream. The session sends nothing meanwhile: they would hit that.
        std::atomic<int> under_way{0};
    };

    /// A cancel's hold on its session. Either the session sees it and waits with what it sends, or it sees that the
    /// session has something else to send: both orders are sequentially consistent.
    class Aim {
    public:
        explicit Aim(Slot& slot)
            : slot_(slot)
        {
        }
        ~Aim()
        {
            if (held_)
                slot_.under_way.fetch_sub(1);
        }
        Aim(const Aim&) = delete;
        Aim& operator=(const Aim&) = delete;

        /// True: what runs upstream is the client's, and nothing else will until this is destroyed.
        bool take() noexcept
        {
            slot_.under_way.fetch_add(1);
            held_ = slot_.phase.load() == Slot::Phase::client;
            if (!held_)
                slot_.under_way.fetch_sub(1);
            return held_;
        }

    private:
        Slot& slot_;
        bool held_ = false;
    };

    /// A new key for a session whose upstream is `target`, with a secret of so many bytes.
    std::shared_ptr<Slot> add(Target target, std::size_t secret_size);
    void remove(const Slot&) noexcept;

    /// The session that the key was given to; null if it is nobody's. Compares in constant time.
    std::shared_ptr<Slot> find(std::uint32_t pid, std::string_view secret) const;

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, std::shared_ptr<Slot>> by_pid_;
};

} // namespace pgmemo::proxy
