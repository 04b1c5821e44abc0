#include "proxy/tls_upstream.hpp"

#include "proxy/tls_error.hpp"
#include "proxy/tls_server.hpp"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace pgmemo::proxy {
namespace {

constexpr std::array kModes{std::string_view{"disable"},   std::string_view{"allow"},
                            std::string_view{"prefer"},    std::string_view{"require"},
                            std::string_view{"verify-ca"}, std::string_view{"verify-full"}};

std::string home()
{
    const char* variable = std::getenv("HOME"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    if (variable && *variable)
        return variable;
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(4096);
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return found->pw_dir;
    return {};
}

bool exists(const std::string& path)
{
    return !path.empty() && ::access(path.c_str(), F_OK) == 0;
}

std::string given_or_default(const std::string& given, const char* name)
{
    if (!given.empty())
        return given;
    const auto folder = home();
    return folder.empty() ? std::string{} : fmt::format("{}/.postgresql/{}", folder, name);
}

void refuse_revoked(SSL_CTX& context, const UpstreamTlsOptions& options)
{
    const auto file =
        options.crl.empty() && options.crl_directory.empty() ? given_or_default({}, "root.crl") : options.crl;
    const bool has_file = exists(file);
    if (!has_file && !options.crl.empty())
        throw std::invalid_argument(fmt::format("sslcrl: {} cannot be read", options.crl));
    if (!has_file && options.crl_directory.empty())
        return;
    auto* store = SSL_CTX_get_cert_store(&context);
    if (X509_STORE_load_locations(store, has_file ? file.c_str() : nullptr,
                                  options.crl_directory.empty() ? nullptr : options.crl_directory.c_str()) != 1)
        throw std::invalid_argument(fmt::format("the list of revoked certificates {} cannot be loaded: {}",
                                                has_file ? file : options.crl_directory, openssl_reason()));
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

void trust_roots(SSL_CTX& context, const UpstreamTlsOptions& options)
{
    if (options.root_certificate == "system") {
        if (options.mode < SslMode::verify_full)
            throw std::invalid_argument(
                fmt::format("weak sslmode \"{}\" may not be used with sslrootcert=system (use \"verify-full\")",
                            kModes.at(static_cast<std::size_t>(options.mode))));
        if (SSL_CTX_set_default_verify_paths(&context) != 1)
            throw std::invalid_argument(
                fmt::format("the system's root certificates cannot be loaded: {}", openssl_reason()));
    } else {
        const auto file = given_or_default(options.root_certificate, "root.crt");
        if (!exists(file)) {
            if (options.mode >= SslMode::verify_ca)
                throw std::invalid_argument(
                    fmt::format("the root certificate {} does not exist; provide it (sslrootcert), use the system's "
                                "trusted roots with sslrootcert=system, or change sslmode to disable verification",
                                file));
            return;
        }
        if (SSL_CTX_load_verify_locations(&context, file.c_str(), nullptr) != 1)
            throw std::invalid_argument(
                fmt::format("the root certificate {} cannot be loaded: {}", file, openssl_reason()));
    }
    refuse_revoked(context, options);
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
}

bool is_address(const std::string& host)
{
    std::array<unsigned char, sizeof(in6_addr)> ignored{};
    return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

bool has_address_names(const X509& certificate)
{
    auto* const names =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
    bool found = false;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); ++i)
        found |= sk_GENERAL_NAME_value(names, i)->type == GEN_IPADD;
    GENERAL_NAMES_free(names);
    return found;
}

} // namespace

SslMode parse_ssl_mode(const std::string& text)
{
    for (std::size_t i = 0; i < kModes.size(); ++i) {
        if (kModes.at(i) == text)
            return static_cast<SslMode>(i);
    }
    throw std::invalid_argument(fmt::format("invalid sslmode value: \"{}\"", text));
}

TlsInForce::Context load_upstream_tls(const UpstreamTlsOptions& options)
{
    if (options.mode == SslMode::disable)
        return nullptr;
    if (options.direct && options.mode < SslMode::require)
        throw std::invalid_argument(fmt::format("weak sslmode \"{}\" may not be used with sslnegotiation=direct (use "
                                                "\"require\", \"verify-ca\", or \"verify-full\")",
                                                kModes.at(static_cast<std::size_t>(options.mode))));
    auto context = make_tls_context(TLS_client_method(), &options.passphrase);
    SSL_CTX_set_min_proto_version(context.get(), tls_version(options.min_version));
    SSL_CTX_set_max_proto_version(context.get(), tls_version(options.max_version));
    trust_roots(*context, options);
    const auto certificate = given_or_default(options.certificate, "postgresql.crt");
    if (exists(certificate)) {
        const auto key = given_or_default(options.key, "postgresql.key");
        if (!exists(key))
            throw std::invalid_argument(
                fmt::format("the certificate {} is present, but not the private key {}", certificate, key));
        use_certificate(*context, certificate, key);
    } else if (!options.certificate.empty()) {
        throw std::invalid_argument(fmt::format("sslcert: {} cannot be read", options.certificate));
    }
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), nullptr); // the options need not live as long
    return context;
}

void introduce(SSL* tls, const UpstreamTlsOptions& options, const std::string& host)
{
    static constexpr std::array<unsigned char, 11> kProtocols{10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l'};
    SSL_set_alpn_protos(tls, kProtocols.data(), kProtocols.size());
    if (options.sni && !host.empty() && !is_address(host))
        SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
}

std::string judge_server(const SSL* tls, const UpstreamTlsOptions& options, const std::string& host)
{
    if (options.direct && !has_chosen_postgresql(tls))
        return "direct SSL connection was established without ALPN protocol negotiation extension";
    if (options.mode != SslMode::verify_full)
        return {};
    if (host.empty())
        return "host name must be specified for a verified SSL connection";
    X509* const certificate = SSL_get0_peer_certificate(tls);
    if (!certificate || !speaks_for(*certificate, host))
        return fmt::format("the server's certificate does not match host name \"{}\"", host);
    return {};
}

bool speaks_for(X509& certificate, const std::string& host)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    if (is_address(host)) {
        if (X509_check_ip_asc(&certificate, host.c_str(), 0) == 1)
            return true;
        if (has_address_names(certificate))
            flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    }
    return X509_check_host(&certificate, host.data(), host.size(), flags, nullptr) == 1;
}

} // namespace pgmemo::proxy
