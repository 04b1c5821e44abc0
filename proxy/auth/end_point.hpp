#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>

namespace pgmemo::proxy::auth {

/// What tls-server-end-point binds to: a hash of the server's certificate, our own on a client's connection, its on one
/// to PostgreSQL. Nullopt: no TLS, or a certificate whose signature has no hash of its own (Ed25519).
/// Source: RFC 5929 section 4.1: the signature's hash, but SHA-256 for MD5 and SHA-1.
std::optional<std::string> own_end_point(const SSL* tls);
std::optional<std::string> peer_end_point(const SSL* tls);

} // namespace pgmemo::proxy::auth
