#pragma once

#include "proxy/auth/denial.hpp"
#include "proxy/auth/derived_keys.hpp"
#include "proxy/auth/scram_server.hpp"
#include "proxy/auth/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

/// A client's login by password, as a server conducts it: knows no socket, takes the client's messages and says what
/// to answer.
///
/// Who does not exist, or may not log in, goes through the very same messages as somebody with a wrong password, and is
/// denied by the same words.
class ClientLogin {
public:
    struct Setup {
        bool by_md5 = false; ///< of the two that are asked by name; a SCRAM secret is asked by SCRAM all the same
        std::string user;
        std::optional<Secret> secret; ///< nullopt: there is none that lets anybody in
        std::string why_none;         ///< for the log
        std::optional<std::string> end_point;
    };
    ClientLogin(Setup setup, const Salts&, DerivedKeys&);
    ~ClientLogin();
    ClientLogin(const ClientLogin&) = delete;
    ClientLogin& operator=(const ClientLogin&) = delete;

    struct Turn {
        enum class State { more, accepted, denied };
        State state = State::more;
        std::string to_client;
        std::optional<Denial> denial;
    };
    Turn begin();
    Turn on_message(char type, std::string_view body);

    /// What the next message from the client may hold at most.
    std::size_t most() const noexcept;

    /// After `accepted`: what logs in to PostgreSQL as this user.
    Credentials credentials() const;

private:
    enum class Expects { initial, response, md5 };
    Turn deny(Denial);
    Turn wrong_password();
    Turn on_initial(std::string_view body);
    Turn on_response(std::string_view body);
    Turn on_md5(std::string_view body);

    Setup setup_;
    DerivedKeys& derived_;
    const Salts& salts_;
    Expects expects_ = Expects::initial;
    std::optional<ScramServer> scram_;
    std::string md5_salt_;
};

} // namespace pgmemo::proxy::auth
