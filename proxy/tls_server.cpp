#include "proxy/tls_server.hpp"

#include "proxy/tls_error.hpp"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <stdexcept>
#include <string_view>

namespace pgmemo::proxy {
namespace {

constexpr unsigned char kProtocols[] = "\012postgresql";
constexpr unsigned kProtocolsSize = sizeof kProtocols - 1;

int choose_protocol(SSL* /*tls*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void* /*context*/)
{
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, size, kProtocols, kProtocolsSize, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; // no_application_protocol
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

void trust_clients_of(SSL_CTX& context, const std::string& file)
{
    auto* names = SSL_load_client_CA_file(file.c_str());
    if (!names || SSL_CTX_load_verify_locations(&context, file.c_str(), nullptr) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        throw std::invalid_argument(fmt::format("tls.client_ca: {} cannot be loaded: {}", file, openssl_reason()));
    }
    SSL_CTX_set_client_CA_list(&context, names);
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, nullptr);
}

std::string text_of(BIO& bio)
{
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string{};
}

} // namespace

TlsInForce::Context load_server_tls(const config::Tls& settings)
{
    if (settings.certificate.empty())
        return nullptr;
    try {
        auto context = make_tls_context(TLS_server_method());
        use_certificate(*context, settings.certificate, settings.key);
        SSL_CTX_set_min_proto_version(context.get(), tls_version(settings.min_version));
        SSL_CTX_set_dh_auto(context.get(), 1);
        SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
        if (!settings.client_ca.empty())
            trust_clients_of(*context, settings.client_ca);
        return context;
    } catch (const std::invalid_argument& error) {
        const std::string_view text = error.what();
        throw std::invalid_argument(text.starts_with("tls") ? std::string{text} : fmt::format("tls: {}", text));
    }
}

std::optional<ClientCertificate> client_certificate(const SSL* tls)
{
    X509* const shown = tls ? SSL_get0_peer_certificate(tls) : nullptr;
    if (!shown || SSL_get_verify_result(tls) != X509_V_OK)
        return std::nullopt;
    const auto* subject = X509_get_subject_name(shown);
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio{BIO_new(BIO_s_mem()), &BIO_free};
    if (!subject || !bio || X509_NAME_print_ex(bio.get(), subject, 0, XN_FLAG_RFC2253) < 0)
        return std::nullopt;
    ClientCertificate certificate;
    certificate.distinguished_name = text_of(*bio);
    if (const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0) {
        unsigned char* name = nullptr;
        const int size = ASN1_STRING_to_UTF8(&name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (size >= 0)
            certificate.common_name.assign(reinterpret_cast<const char*>(name), static_cast<std::size_t>(size));
        OPENSSL_free(name);
    }
    if (certificate.common_name.find('\0') != std::string::npos || // CVE-2009-4034
        certificate.distinguished_name.find('\0') != std::string::npos)
        return std::nullopt;
    return certificate;
}

bool has_chosen_postgresql(const SSL* tls) noexcept
{
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls, &chosen, &size);
    return std::string_view{reinterpret_cast<const char*>(chosen), size} == "postgresql";
}

} // namespace pgmemo::proxy
