#pragma once

#include "proxy/tls_files.hpp"

#include <openssl/ssl.h>

#include <cstdint>
#include <string>

namespace pgmemo::proxy {

/// libpq's `sslmode`, from no to all demands.
enum class SslMode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };

/// What a connection string says of TLS, with libpq's meanings and defaults.
/// Source: PostgreSQL documentation, "SSL Support" of libpq; initialize_SSL() in fe-secure-openssl.c.
struct UpstreamTlsOptions {
    SslMode mode = SslMode::prefer;
    std::string root_certificate; ///< empty: ~/.postgresql/root.crt if there is one; `system`: what the system trusts
    std::string certificate;      ///< empty: ~/.postgresql/postgresql.crt if there is one
    std::string key;              ///< empty: ~/.postgresql/postgresql.key
    std::string passphrase;
    std::string crl; ///< empty: ~/.postgresql/root.crl if there is one
    std::string crl_directory;
    std::string min_version = "TLSv1.2";
    std::string max_version;
    bool sni = true;
    bool direct = false; ///< sslnegotiation=direct
};

/// Throws std::invalid_argument: not one of libpq's words.
SslMode parse_ssl_mode(const std::string& text);

/// Reads the files. A root certificate that exists makes every mode verify the chain, as libpq does. Throws
/// std::invalid_argument with one sentence.
TlsInForce::Context load_upstream_tls(const UpstreamTlsOptions& options);

/// Before the handshake: the server's name, if it is one, and `postgresql` by ALPN.
void introduce(SSL* tls, const UpstreamTlsOptions& options, const std::string& host);

/// After it: empty, or why this server is not to be trusted under these options.
std::string judge_server(const SSL* tls, const UpstreamTlsOptions& options, const std::string& host);

/// Whether the certificate speaks for this name or address. Source: pq_verify_peer_name_matches_certificate() in
/// fe-secure-common.c; a common name counts only where there is no alternative name of the host's kind.
bool speaks_for(X509& certificate, const std::string& host);

} // namespace pgmemo::proxy
