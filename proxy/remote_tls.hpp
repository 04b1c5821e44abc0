#pragma once

#include "config/remote.hpp"
#include "proxy/tls_files.hpp"

#include <openssl/ssl.h>

#include <string>

namespace pgmemo::proxy {

/// TLS to the store: verified always, the name of the host included.
class RemoteTls {
public:
    /// Throws std::invalid_argument with one sentence when the roots cannot be loaded.
    explicit RemoteTls(const config::Remote&);

    SSL_CTX* context() const noexcept { return context_.get(); } ///< null: plain
    void introduce(SSL* tls) const;                              ///< before the handshake
    std::string judge(const SSL* tls) const;                     ///< after it: empty, or why not

private:
    std::string host_;
    TlsInForce::Context context_;
};

} // namespace pgmemo::proxy
