#pragma once

#include "proxy/async.hpp"
#include "proxy/auth/derived_keys.hpp"
#include "proxy/auth/grant.hpp"
#include "proxy/auth/secret.hpp"
#include "proxy/config_in_force.hpp"
#include "proxy/upstream_target.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pgmemo::proxy::auth {

/// Servers cut longer names (NAMEDATALEN), and then they are another's: what was decided for the long one would hold
/// for the short one.
inline constexpr std::size_t kMostNameBytes = 63;

/// What is known of a user who wants to come in.
struct Finding {
    std::optional<Secret> secret; ///< nullopt: none that lets anybody in
    std::string why_none;         ///< for the log
    bool unavailable = false;     ///< nobody could be asked
};

/// A hash of a secret, to tell later whether it is still the same.
Digest fingerprint(const Secret&);

/// Who knows the users' passwords: the users file, and PostgreSQL, asked over a connection of pgmemo's own that no
/// client has any say in (fixed search_path, qualified names, bound parameters).
///
/// One thread of its own does what blocks: reads the file when it has changed, asks the server, checks the grants of
/// live sessions again.
///
/// Shutdown: stop() before the executors of those that asked go; whoever waits then is not answered.
class Authority {
public:
    /// Throws std::invalid_argument when the users file or the salt secret of the configuration cannot be read.
    Authority(const UpstreamTarget&, const ConfigInForce&);
    ~Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    void start();
    void stop() noexcept;

    /// Called by coroutines of the executor's thread.
    Task<Finding> find(std::string user, Executor);

    /// From now on checked again, for as long as the session keeps it. `asked_at`: before the secret was found.
    std::shared_ptr<Grant> grant(config::Origin, const std::optional<Secret>&, Grant::Clock::time_point asked_at);

    const Salts& salts() const noexcept;
    DerivedKeys& derived() noexcept;

    std::uint64_t failures() const noexcept; ///< to ask PostgreSQL

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::proxy::auth
