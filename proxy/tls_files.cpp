#include "proxy/tls_files.hpp"

#include "proxy/tls_error.hpp"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace pgmemo::proxy {
namespace {

// OpenSSL's own would ask on the terminal.
int give_passphrase(char* to, int size, int /*writing*/, void* passphrase)
{
    if (!passphrase)
        return 0;
    const auto& text = *static_cast<const std::string*>(passphrase);
    if (text.size() > static_cast<std::size_t>(std::max(size, 0)))
        return 0;
    std::memcpy(to, text.data(), text.size());
    return static_cast<int>(text.size());
}

/// As PostgreSQL and libpq hold it. Source: check_ssl_key_file_permissions in be-secure-common.c.
void check_key_is_private(const std::string& key)
{
    struct stat info {};
    if (::stat(key.c_str(), &info) != 0)
        throw std::invalid_argument(fmt::format("the private key {} cannot be read: {}", key, std::strerror(errno)));
    if (!S_ISREG(info.st_mode))
        throw std::invalid_argument(fmt::format("the private key {} is not a regular file", key));
    const mode_t forbidden = info.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((info.st_mode & forbidden) != 0)
        throw std::invalid_argument(
            fmt::format("the private key {} can be read by others; its permissions must be u=rw (0600) or less, or "
                        "u=rw,g=r (0640) or less if root owns it",
                        key));
}

} // namespace

TlsContext make_tls_context(const SSL_METHOD* method, const std::string* passphrase)
{
    ERR_clear_error();
    TlsContext context{SSL_CTX_new(method)};
    if (!context)
        throw std::invalid_argument(fmt::format("no TLS context: {}", openssl_reason()));
    // A peer that closes without close_notify is one that has closed: what it asked for is still answered. Messages
    // have lengths, so a cut is seen without TLS's help.
    SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(context.get(), give_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), const_cast<std::string*>(passphrase));
    return context;
}

void use_certificate(SSL_CTX& context, const std::string& certificate, const std::string& key)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(&context, certificate.c_str()) != 1)
        throw std::invalid_argument(
            fmt::format("the certificate {} cannot be loaded: {}", certificate, openssl_reason()));
    check_key_is_private(key);
    if (SSL_CTX_use_PrivateKey_file(&context, key.c_str(), SSL_FILETYPE_PEM) != 1)
        throw std::invalid_argument(fmt::format("the private key {} cannot be loaded: {}", key, openssl_reason()));
    if (SSL_CTX_check_private_key(&context) != 1)
        throw std::invalid_argument(
            fmt::format("the private key {} does not belong to the certificate {}", key, certificate));
}

int tls_version(const std::string& text)
{
    const auto is = [&text](std::string_view name) {
        return std::equal(text.begin(), text.end(), name.begin(), name.end(),
                          [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
    };
    if (text.empty())
        return 0;
    if (is("tlsv1"))
        return TLS1_VERSION;
    if (is("tlsv1.1"))
        return TLS1_1_VERSION;
    if (is("tlsv1.2"))
        return TLS1_2_VERSION;
    if (is("tlsv1.3"))
        return TLS1_3_VERSION;
    throw std::invalid_argument(fmt::format("\"{}\" is not a version of TLS", text));
}

} // namespace pgmemo::proxy
