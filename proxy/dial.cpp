#include "proxy/dial.hpp"

#include "wire/startup.hpp"

#include <fmt/format.h>

#include <netinet/tcp.h>
#include <sys/socket.h>

// g++ 12.2: see the note on top of session.cpp.
namespace pgmemo::proxy {
namespace {

using tcp = asio::ip::tcp;

Task<boost::system::error_code> connect(Stream& upstream, const UpstreamTarget::Host& host, Resolver& resolver,
                                        std::optional<tcp::endpoint> at)
{
    if (host.is_unix()) {
        const auto error = co_await upstream.connect_unix(host.text());
        co_return error;
    }
    if (at) {
        const auto error = co_await upstream.connect(*at);
        co_return error;
    }
    const auto found = co_await resolver.resolve(host.host, host.port, upstream.executor());
    if (found.error)
        co_return found.error;
    boost::system::error_code last = asio::error::host_not_found;
    for (const auto& endpoint : found.endpoints) {
        last = co_await upstream.connect(endpoint);
        if (!last)
            break;
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
        if (upstream.available() > 0) { // CVE-2021-23222: bytes that could pass for encrypted ones later
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
                       Resolver& resolver, std::optional<asio::ip::tcp::endpoint> at)
{
    const auto error = co_await connect(upstream, host, resolver, at);
    if (error)
        co_return error.message();
    tune(upstream, target.tcp());
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
        const bool ready = co_await upstream.readable();
        if (!ready)
            co_return false;
    }
}

void tune(const Stream& stream, const TcpTuning& tuning)
{
    if (!stream.peer())
        return; // a Unix socket, or a peer that is already gone, which the next read finds out
    const auto set = [&stream](int level, int option, int value) {
        ::setsockopt(stream.socket(), level, option, &value, sizeof value);
    };
    const auto set_if_given = [&set](int option, int value) {
        if (value > 0) // 0 is the system's own
            set(IPPROTO_TCP, option, value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, tuning.keep_alive ? 1 : 0);
    set_if_given(TCP_KEEPIDLE, tuning.idle_seconds);
    set_if_given(TCP_KEEPINTVL, tuning.interval_seconds);
    set_if_given(TCP_KEEPCNT, tuning.count);
    set_if_given(TCP_USER_TIMEOUT, tuning.user_timeout_ms);
}

} // namespace pgmemo::proxy
