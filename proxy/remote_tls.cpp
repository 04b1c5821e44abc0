#include "proxy/remote_tls.hpp"

#include "proxy/tls_error.hpp"
#include "proxy/tls_server.hpp"
#include "proxy/tls_upstream.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include <stdexcept>

namespace pgmemo::proxy {

RemoteTls::RemoteTls(const config::Remote& remote)
    : host_(remote.host)
{
    if (!remote.tls)
        return;
    context_ = make_tls_context(TLS_client_method(), nullptr);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    const bool loaded = remote.ca.empty()
                            ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
                            : SSL_CTX_load_verify_locations(context_.get(), remote.ca.c_str(), nullptr) == 1;
    if (!loaded)
        throw std::invalid_argument(
            fmt::format("cache.remote_ca: the root certificates {} cannot be loaded: {}", remote.ca, openssl_reason()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
}

void RemoteTls::introduce(SSL* tls) const
{
    boost::system::error_code error;
    boost::asio::ip::make_address(host_, error);
    if (error) // a name, not an address
        SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host_.c_str()));
}

std::string RemoteTls::judge(const SSL* tls) const
{
    X509* const certificate = SSL_get0_peer_certificate(tls);
    if (!certificate || !speaks_for(*certificate, host_))
        return fmt::format("the store's certificate does not match host name \"{}\"", host_);
    return {};
}

} // namespace pgmemo::proxy
