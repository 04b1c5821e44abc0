#pragma once

#include "proxy/auth/denial.hpp"
#include "proxy/auth/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pgmemo::proxy::auth {

/// The server's side of one SCRAM-SHA-256 or SCRAM-SHA-256-PLUS login: two messages in, two out.
///
/// What a client may do wrong is answered in PostgreSQL's own words and SQLSTATEs.
/// Source: RFC 5802, RFC 7677, RFC 5929 section 4 (tls-server-end-point); auth-scram.c.
class ScramServer {
public:
    struct Setup {
        ScramVerifier verifier;
        /// Whatever the client proves, it is denied at the end: the user does not exist, or has no such secret. The
        /// verifier is then a mock with the user's own stable salt.
        bool doomed = false;
        /// The hash of our own certificate, where the connection has TLS and the certificate has one.
        std::optional<std::string> end_point;
        std::string nonce; ///< printable and unforeseeable
    };
    explicit ScramServer(Setup setup)
        : setup_(std::move(setup))
    {
    }
    ~ScramServer();
    ScramServer(const ScramServer&) = delete;
    ScramServer& operator=(const ScramServer&) = delete;

    static std::string fresh_nonce();

    /// client-first-message in, server-first-message out.
    std::variant<std::string, Denial> first(std::string_view mechanism, std::string_view message);

    /// client-final-message in. A string, server-final-message: the client has proved that it knows the password.
    /// Nullopt: it has not.
    std::variant<std::string, std::nullopt_t, Denial> last(std::string_view message);

    /// After a proof: what logs in elsewhere, where the same verifier is known.
    ScramKeys keys() const
    {
        return {setup_.verifier.iterations, setup_.verifier.salt, client_key_, setup_.verifier.server_key};
    }

private:
    std::optional<Denial> read_binding_flag(std::string_view mechanism, std::string_view& message);

    Setup setup_;
    std::string gs2_header_;
    bool binds_ = false;
    std::string client_first_bare_;
    std::string server_first_;
    std::string nonce_; ///< both parts
    Digest client_key_{};
};

} // namespace pgmemo::proxy::auth
