#include "proxy/auth/end_point.hpp"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <memory>

namespace pgmemo::proxy::auth {
namespace {

std::optional<std::string> hash_of(X509* certificate)
{
    int hash = NID_undef;
    if (!certificate || X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1 ||
        hash == NID_undef)
        return std::nullopt;
    const auto* const algorithm = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!algorithm || X509_digest(certificate, algorithm, digest, &size) != 1)
        return std::nullopt;
    return std::string{reinterpret_cast<const char*>(digest), size};
}

} // namespace

std::optional<std::string> own_end_point(const SSL* tls)
{
    return tls ? hash_of(SSL_get_certificate(tls)) : std::nullopt;
}

std::optional<std::string> peer_end_point(const SSL* tls)
{
    if (!tls)
        return std::nullopt;
    struct Free {
        void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    };
    const std::unique_ptr<X509, Free> certificate{SSL_get1_peer_certificate(tls)};
    return hash_of(certificate.get());
}

} // namespace pgmemo::proxy::auth
