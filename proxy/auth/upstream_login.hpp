#pragma once

#include "proxy/auth/denial.hpp"
#include "proxy/auth/scram_client.hpp"
#include "proxy/auth/secret.hpp"
#include "proxy/channel_binding.hpp"
#include "wire/authentication.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

/// What a login to PostgreSQL runs over, and whether it must be bound to it.
struct Channel {
    bool tls = false;
    std::optional<std::string> end_point; ///< the hash of the server's certificate, where it has one
    ChannelBinding binding = ChannelBinding::prefer;
};

/// A login to PostgreSQL as a client conducts it, from the startup packet to AuthenticationOk. Knows no socket. The
/// server is taken for hostile.
class UpstreamLogin {
public:
    UpstreamLogin(std::string user, Credentials, Channel, DerivedKeys&);
    ~UpstreamLogin();
    UpstreamLogin(const UpstreamLogin&) = delete;
    UpstreamLogin& operator=(const UpstreamLogin&) = delete;

    struct Turn {
        enum class State {
            more,
            accepted, ///< AuthenticationOk
            relay,    ///< the message is for the client as it is: NegotiateProtocolVersion; more follows
            refused,  ///< the message is PostgreSQL's refusal, for the client as it is; the end
            failed,   ///< the end, for a reason of our own
        };
        State state = State::more;
        std::string to_server;
        std::optional<Denial> denial;
        bool outdated = false; ///< what is known of this user's password is not what PostgreSQL knows
    };
    Turn on_message(char type, std::string_view body);

private:
    Turn on_authentication(std::string_view body);
    Turn on_sasl(std::string_view mechanisms);
    std::string_view unbound(const wire::Authentication&) const noexcept;
    Turn not_bound(std::string_view why);
    Turn fail(std::string detail, bool outdated = false);
    Turn cannot(std::string_view asked);

    const std::string user_;
    Credentials credentials_;
    const Channel channel_;
    DerivedKeys& derived_;
    std::optional<ScramClient> scram_;
    bool answered_ = false;
};

} // namespace pgmemo::proxy::auth
