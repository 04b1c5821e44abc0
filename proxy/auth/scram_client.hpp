#pragma once

#include "proxy/auth/derived_keys.hpp"
#include "proxy/auth/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pgmemo::proxy::auth {

/// The client's side of one SCRAM-SHA-256 login, with the password, or with the keys that an earlier proof has shown.
/// The server is taken for hostile: its messages are bounded, and it must prove in turn that it knows the verifier.
/// Source: RFC 5802, RFC 7677; fe-auth-scram.c.
class ScramClient {
public:
    enum class Failure {
        malformed,      ///< what the server said makes no sense, or asks for too much
        other_verifier, ///< it has another salt or count than the keys are of
        not_proved,     ///< it does not know the verifier: it is not the server that it claims to be
    };

    /// `end_point`: the hash of the server's certificate, where there is TLS and the certificate has one.
    ScramClient(std::variant<Plaintext, ScramKeys> secret, std::optional<std::string> end_point, std::string nonce,
                DerivedKeys&);
    ~ScramClient();
    ScramClient(const ScramClient&) = delete;
    ScramClient& operator=(const ScramClient&) = delete;

    /// The best of what is offered; empty for none.
    std::string_view choose(const std::vector<std::string_view>& offered);
    /// client-first-message, after choose().
    std::string first();
    std::variant<std::string, Failure> last(std::string_view server_first);
    std::optional<Failure> verify(std::string_view server_final);
    bool binds() const noexcept { return binds_; } ///< after choose(): the proof holds for this TLS connection alone
    bool is_verified() const noexcept { return verified_; }

private:
    std::variant<Plaintext, ScramKeys> secret_;
    std::optional<std::string> end_point_;
    std::string nonce_;
    DerivedKeys& derived_;
    std::string gs2_header_;
    bool binds_ = false;
    std::string first_bare_;
    std::string talk_;
    Digest server_key_{};
    bool answered_ = false;
    bool verified_ = false;
};

} // namespace pgmemo::proxy::auth
