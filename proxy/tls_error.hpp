#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace pgmemo::proxy {

/// The oldest error of OpenSSL's queue, for a person; the queue is empty afterwards.
inline std::string openssl_reason()
{
    const auto code = ERR_get_error();
    ERR_clear_error();
    if (code == 0)
        return "no reason given";
    if (ERR_SYSTEM_ERROR(code))
        return std::strerror(ERR_GET_REASON(code)); // NOLINT(concurrency-mt-unsafe): glibc's is
    if (const char* reason = ERR_reason_error_string(code))
        return reason;
    return "OpenSSL error " + std::to_string(code);
}

/// Why an operation failed with `what`, of SSL_get_error.
inline std::string tls_failure(int what)
{
    const int number = errno;
    if (what == SSL_ERROR_SSL)
        return openssl_reason();
    ERR_clear_error();
    if (what == SSL_ERROR_SYSCALL && number != 0)
        return std::strerror(number); // NOLINT(concurrency-mt-unsafe): glibc's is
    return "the peer closed the connection";
}

} // namespace pgmemo::proxy
