#include "proxy/dial.hpp"

#include "wire/startup.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <fmt/format.h>

// g++ 12.2: see the note on top of session.cpp.
namespace pgmemo::proxy {
namespace {

using tcp = asio::ip::tcp;

Task<boost::system::error_code> connect(Stream& upstream, const UpstreamTarget::Host& host,
                                        std::optional<tcp::endpoint> at)
{
    upstream.close();
    auto& socket = upstream.socket();
    if (host.is_unix()) {
        const auto path = host.text();
        if (path.size() > 107)
            co_return asio::error::name_too_long;
        const asio::generic::stream_protocol::endpoint endpoint{asio::local::stream_protocol::endpoint{path}};
        const auto [error] = co_await socket.async_connect(endpoint, kNoThrow);
        co_return error;
    }
    if (at) {
        const asio::generic::stream_protocol::endpoint endpoint{*at};
        const auto [error] = co_await socket.async_connect(endpoint, kNoThrow);
        co_return error;
    }
    asio::ip::basic_resolver<tcp, Executor> resolver{socket.get_executor()};
    const auto [failure, found] = co_await resolver.async_resolve(host.host, host.port, kNoThrow);
    if (failure)
        co_return failure;
    boost::system::error_code last = asio::error::host_not_found;
    for (const auto& entry : found) {
        upstream.close();
        const asio::generic::stream_protocol::endpoint endpoint{entry.endpoint()};
        const auto [error] = co_await socket.async_connect(endpoint, kNoThrow);
        if (!error)
            co_return error;
        last = error;
    }
    co_return last;
}

/// The server's answer to an SSLRequest: S or N, or 0 with the reason why there is none.
Task<char> ask_for_tls(Stream& upstream, std::string& failure)
{
    Gather request;
    request.borrow(wire::kSslRequest);
    char answer = 0;
    failure = "the server closed the connection on the request for TLS";
    const bool sent = co_await write_all(upstream, request);
    if (!sent)
        co_return 0;
    const bool answered = co_await read_exactly(upstream, &answer, 1);
    if (!answered)
        co_return 0;
    if (answer == 'S') {
        boost::system::error_code error;
        if (upstream.socket().available(error) > 0) { // CVE-2021-23222: bytes that could pass for encrypted ones later
            failure = "received unencrypted data after SSL response";
            co_return 0;
        }
        co_return answer;
    }
    if (answer == 'N')
        co_return answer;
    failure = answer == 'E' ? "server sent an error response during SSL exchange"
                            : "received invalid response to SSL negotiation";
    co_return 0;
}

/// TLS on a connected socket, and the server's certificate judged.
Task<std::string> secure(Stream& upstream, const UpstreamTarget& target, const UpstreamTarget::Host& host)
{
    const auto context = target.tls();
    SSL* const tls = context ? upstream.start_tls(*context) : nullptr;
    if (!tls)
        co_return std::string{"TLS cannot be started"};
    introduce(tls, target.tls_options(), host.name);
    auto failure = co_await upstream.handshake(Stream::Side::client);
    if (!failure.empty()) {
        const auto verdict = SSL_get_verify_result(tls);
        if (verdict != X509_V_OK)
            failure = fmt::format("{}: {}", failure, X509_verify_cert_error_string(verdict));
        co_return fmt::format("TLS: {}", failure);
    }
    co_return judge_server(tls, target.tls_options(), host.name);
}

} // namespace

Ways ways_of(SslMode mode) noexcept
{
    switch (mode) {
    case SslMode::disable:
        return {Way::plain, std::nullopt};
    case SslMode::allow:
        return {Way::plain, Way::tls_or_plain};
    case SslMode::prefer:
        return {Way::tls_or_plain, Way::plain};
    default:
        return {Way::tls, std::nullopt};
    }
}

Task<std::string> dial(Stream& upstream, const UpstreamTarget& target, const UpstreamTarget::Host& host, Way way,
                       std::optional<asio::ip::tcp::endpoint> at)
{
    const auto error = co_await connect(upstream, host, at);
    if (error)
        co_return error.message();
    tune(upstream.socket());
    if (way == Way::plain)
        co_return std::string{};
    std::string failure;
    if (!target.tls_options().direct) {
        const char answer = co_await ask_for_tls(upstream, failure);
        if (answer == 'N' && way == Way::tls_or_plain)
            co_return std::string{};
        if (answer == 'N')
            co_return std::string{"server does not support SSL, but SSL was required"};
        if (answer == 0)
            co_return failure;
    }
    failure = co_await secure(upstream, target, host);
    co_return failure;
}

Task<bool> begins_with_error(Stream& upstream)
{
    for (;;) {
        char first = 0;
        boost::system::error_code error;
        const auto size = upstream.peek_some({&first, 1}, error);
        if (size == 1)
            co_return first == 'E';
        if (error && error != asio::error::would_block)
            co_return false;
        const auto [failure] = co_await upstream.socket().async_wait(upstream.read_wait(), kNoThrow);
        if (failure)
            co_return false;
    }
}

void tune(Socket& socket)
{
    boost::system::error_code ignored; // a peer that is already gone is found out by the next read
    socket.non_blocking(true, ignored);
    const auto endpoint = socket.local_endpoint(ignored);
    if (ignored || (endpoint.protocol().family() != AF_INET && endpoint.protocol().family() != AF_INET6))
        return;
    socket.set_option(tcp::no_delay{true}, ignored);
    socket.set_option(asio::socket_base::keep_alive{true}, ignored);
}

} // namespace pgmemo::proxy
