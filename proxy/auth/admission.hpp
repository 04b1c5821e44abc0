#pragma once

#include "config/config.hpp"
#include "proxy/auth/authority.hpp"
#include "proxy/auth/client_login.hpp"
#include "proxy/auth/denial.hpp"
#include "proxy/channel_binding.hpp"
#include "proxy/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pgmemo::proxy::auth {

/// How one client comes in where pgmemo itself says who may, and how pgmemo then logs in to PostgreSQL in its name.
/// Moves the bytes; ClientLogin and UpstreamLogin decide.
///
/// Use: admit(), then, after the client's startup packet was sent upstream, log_in(), then grant().
class Admission {
public:
    Admission(Authority&, std::shared_ptr<const config::Config>, config::Origin);

    /// Nullopt: who the client says it is, it is; nothing but AuthenticationOk is missing to its login.
    Task<std::optional<Denial>> admit(Stream& client);

    enum class Login {
        done,  ///< AuthenticationOk was sent to the client
        ended, ///< PostgreSQL has refused, and the client has its words
        lost,  ///< one of the connections is gone
    };
    /// A Denial: a reason of our own, not yet told.
    Task<std::variant<Login, Denial>> log_in(Stream& client, Stream& upstream, std::uint16_t minor, ChannelBinding);

    const std::shared_ptr<Grant>& grant() const noexcept { return grant_; }

private:
    Task<std::optional<Denial>> by_password(Stream& client, bool by_md5, Finding);
    std::optional<Denial> by_name(const std::string& name, const config::HbaEntry&, std::string_view what) const;
    Denial not_listed(bool rejected) const;

    Authority& authority_;
    const std::shared_ptr<const config::Config> config_;
    const config::Origin origin_;
    Credentials credentials_;
    Grant::Clock::time_point asked_at_;
    std::shared_ptr<Grant> grant_;
};

} // namespace pgmemo::proxy::auth
