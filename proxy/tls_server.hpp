#pragma once

#include "config/config.hpp"
#include "proxy/tls_files.hpp"

#include <openssl/ssl.h>

#include <optional>
#include <string>

namespace pgmemo::proxy {

/// What clients get to see: reads the files that the configuration names; null without a certificate in it. Throws
/// std::invalid_argument with one sentence.
TlsInForce::Context load_server_tls(const config::Tls& settings);

/// Whose certificate a client has shown, verified against `tls.client_ca`.
struct ClientCertificate {
    std::string common_name;
    std::string distinguished_name; ///< as RFC 2253 writes it
};

/// Nullopt: it has shown none, or one whose name cannot be told (a zero byte in it).
std::optional<ClientCertificate> client_certificate(const SSL* tls);

/// The client has chosen `postgresql` by ALPN, as a direct TLS start requires.
bool has_chosen_postgresql(const SSL* tls) noexcept;

} // namespace pgmemo::proxy
