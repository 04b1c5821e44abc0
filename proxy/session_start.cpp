// How a session begins: the startup packet, TLS, the login, the way to PostgreSQL. See session.hpp; the note on top of
// session.cpp about co_await holds here too.
#include "proxy/session.hpp"

#include "proxy/channel_binding.hpp"
#include "proxy/tls_server.hpp"
#include "wire/startup.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

constexpr auto kCancelLimit = 10s;
constexpr char kTlsHandshake = 0x16; // a ClientHello's first byte: no length word begins with it
constexpr int kMaxNegotiations = 4;  // SSLRequest, GSSENCRequest and then the startup packet: more is a game

TcpTuning tuning_of(const config::Limits& limits)
{
    using namespace std::chrono;
    TcpTuning tuning;
    tuning.keep_alive = limits.tcp_keepalive.has_value();
    if (limits.tcp_keepalive)
        tuning.idle_seconds =
            static_cast<int>(std::max<std::int64_t>(duration_cast<seconds>(*limits.tcp_keepalive).count(), 1));
    if (limits.tcp_user_timeout)
        tuning.user_timeout_ms = static_cast<int>(limits.tcp_user_timeout->count());
    return tuning;
}

/// What a client has a say in, as a line of the log may hold it.
std::string one_line(std::string text)
{
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
    return text;
}

/// As PostgreSQL's messages show it.
std::string address_of(const Stream& stream)
{
    const auto peer = stream.peer();
    return peer ? peer->address().to_string() : "[local]";
}

} // namespace

/// All that comes before the first message; without an Exchange afterwards, nothing follows. Apart from run(), so that
/// its frame does not live as long as the session.
Task<void> Session::begin()
{
    const auto limits = services_.config.get()->limits;
    tune(client_, tuning_of(limits));
    auto startup = co_await (read_startup() || timeout(executor_, limits.authentication_timeout));
    auto* const packet = std::get_if<std::optional<std::string>>(&startup);
    if (!packet || !*packet)
        co_return;
    const auto decoded = wire::decode_startup(**packet);
    if (!decoded)
        co_return co_await refuse({"08P01", "invalid startup packet layout: expected terminator as last byte"});
    if (const auto* request = std::get_if<wire::CancelRequest>(&*decoded))
        co_return co_await cancel(*request);
    const auto& message = std::get<wire::StartupMessage>(*decoded);
    if (message.major != 3)
        co_return co_await refuse(
            {"0A000", fmt::format("unsupported frontend protocol {}.{}: pgmemo supports 3.0 and later 3.x",
                                  message.major, message.minor)});

    if (auto refusal = judge(message))
        co_return co_await refuse(std::move(*refusal));
    minor_ = message.minor;
    // Upstream 3.0 does: the only news of 3.2 are longer cancel keys, and clients have pgmemo's.
    (**packet)[6] = (**packet)[7] = '\0';

    counted_session_ = true;
    if (services_.sessions.fetch_add(1, std::memory_order_relaxed) >= limits.max_clients) {
        metrics_.clients_refused.add();
        co_return co_await refuse(
            {"53300", "sorry, too many clients already",
             fmt::format("pgmemo serves at most {} at a time (limits.max_clients).", limits.max_clients)});
    }
    const auto config = services_.config.get();
    std::optional<auth::Admission> admission;
    if (config->auth.terminate && services_.authority) {
        admission.emplace(*services_.authority, config, origin_of(message));
        const bool admitted = co_await admit(*admission);
        if (!admitted)
            co_return;
    }
    const auto limit = config->pool.max_upstream;
    counted_upstream_ = true;
    if (services_.upstreams.fetch_add(1, std::memory_order_relaxed) >= limit) {
        metrics_.clients_refused.add();
        co_return co_await refuse({"53300", "sorry, too many clients already",
                                   fmt::format("pgmemo serves at most {} at a time (pool.max_upstream).", limit)});
    }
    if (auto refusal = co_await reach_upstream(**packet)) {
        metrics_.upstream_failures.add();
        co_return co_await refuse(std::move(*refusal));
    }
    if (admission) {
        const bool logged_in = co_await log_in(*admission);
        if (!logged_in)
            co_return;
        grant_ = admission->grant();
        admission.reset(); // the credentials with it
    }
    using Replication = wire::StartupMessage::Replication;
    database_ = &services_.databases.get(message.database());
    database_->session_began();
    exchange_.emplace(services_, *database_, metrics_, std::string{message.user()},
                      message.replication() == Replication::no ? "" : "a replication connection");
    if (remote_ != nullptr)
        exchange_->share(remote_->link());
    spdlog::debug("session {}: {} on {} through {}", id_, message.user(), database_->name(),
                  services_.upstream.hosts()[upstream_host_].text());
}

// ---------------------------------------------------------------------------------------------- start

/// The packet that is a StartupMessage or a CancelRequest; what comes before it is answered here.
Task<std::optional<std::string>> Session::read_startup()
{
    const auto context = client_.is_unix() ? nullptr : services_.client_tls.get();
    if (context) {
        char first = 0;
        const bool ready = co_await client_.readable();
        boost::system::error_code none;
        if (!ready || client_.peek_some({&first, 1}, none) != 1)
            co_return std::nullopt; // a health check, or a client that thought better of it
        if (first == kTlsHandshake) {
            const bool secured = co_await accept_tls(*context, true);
            if (!secured)
                co_return std::nullopt;
        }
    }
    for (int i = 0; i < kMaxNegotiations; ++i) {
        std::string packet(4, '\0');
        const bool begun = co_await read_exactly(client_, packet.data(), 4);
        if (!begun)
            co_return std::nullopt;
        const auto length = wire::startup_length(packet);
        if (!length) {
            co_await refuse({"08P01", "invalid length of startup packet"});
            co_return std::nullopt;
        }
        packet.resize(*length);
        const bool whole = co_await read_exactly(client_, packet.data() + 4, *length - 4);
        if (!whole)
            co_return std::nullopt;
        const auto decoded = wire::decode_startup(packet);
        const bool asks_tls = decoded && std::holds_alternative<wire::SslRequest>(*decoded);
        const bool asks_gss = decoded && std::holds_alternative<wire::GssEncRequest>(*decoded);
        if (!asks_tls && !asks_gss)
            co_return packet;
        if (client_.tls()) {
            co_await refuse({"08P01", "an encryption request inside TLS"});
            co_return std::nullopt;
        }
        if (client_.available() > 0) { // CVE-2021-23214: bytes that could pass for encrypted ones later
            co_await refuse({"08P01", "received unencrypted data after SSL or GSSAPI encryption request"});
            co_return std::nullopt;
        }
        Gather answer;
        const bool yes = asks_tls && context;
        answer.borrow(yes ? "S" : "N");
        const bool answered = co_await write_all(client_, answer);
        if (!answered)
            co_return std::nullopt;
        if (yes) {
            const bool secured = co_await accept_tls(*context, false);
            if (!secured)
                co_return std::nullopt;
        }
    }
    co_await refuse({"08P01", "too many encryption requests"});
    co_return std::nullopt;
}

/// The handshake with a client. False: the connection is of no use.
Task<bool> Session::accept_tls(SSL_CTX& context, bool direct)
{
    std::string failure = "out of memory";
    if (client_.start_tls(context))
        failure = co_await client_.handshake(Stream::Side::server);
    if (failure.empty() && direct && !has_chosen_postgresql(client_.tls()))
        failure = "a direct TLS start without the ALPN protocol \"postgresql\"";
    if (!failure.empty())
        spdlog::info("session {}: no TLS with {}: {}", id_, address_of(client_), failure);
    co_return failure.empty();
}

/// Whether a client may come the way it has come. Cancel requests are not asked.
std::optional<Session::Refusal> Session::judge(const wire::StartupMessage& message) const
{
    if (client_.is_unix())
        return std::nullopt;
    const auto config = services_.config.get();
    if (config->tls.require && !client_.tls())
        return Refusal{"28000",
                       fmt::format("no pg_hba.conf entry for host \"{}\", user \"{}\", database \"{}\", no encryption",
                                   address_of(client_), message.user(), message.database()),
                       "pgmemo takes connections with TLS only here (tls.require)."};
    if (config->tls.require_client && !client_certificate(client_.tls()))
        return Refusal{"28000", "connection requires a valid client certificate"};
    return std::nullopt;
}

config::Origin Session::origin_of(const wire::StartupMessage& message) const
{
    config::Origin origin;
    if (!client_.is_unix())
        origin.address = config::parse_ip(address_of(client_)).value_or(config::IpAddress{});
    origin.tls = client_.tls() != nullptr;
    origin.replication = message.replication() == wire::StartupMessage::Replication::physical;
    origin.database = message.database();
    origin.user = message.user();
    return origin;
}

/// The client's half of a login that pgmemo ends itself. False: it was refused, or went away.
Task<bool> Session::admit(auth::Admission& admission)
{
    auto result = co_await (admission.admit(client_) ||
                            timeout(executor_, services_.config.get()->limits.authentication_timeout));
    auto* const denial = std::get_if<std::optional<auth::Denial>>(&result);
    if (denial && !*denial)
        co_return true;
    if (denial) {
        co_await deny(std::move(**denial));
    } else {
        spdlog::info("session {}: a login that took too long", id_); // as PostgreSQL: without a word to the client
    }
    co_return false;
}

/// The other half: PostgreSQL lets pgmemo in, in the client's name.
Task<bool> Session::log_in(auth::Admission& admission)
{
    using Login = auth::Admission::Login;
    auto result = co_await (admission.log_in(client_, upstream_, minor_, services_.upstream.channel_binding()) ||
                            timeout(executor_, services_.config.get()->limits.authentication_timeout));
    if (auto* const denial = std::get_if<auth::Denial>(&result)) { // `||` has made one variant of two
        co_await deny(std::move(*denial));
        co_return false;
    }
    const auto* const login = std::get_if<Login>(&result);
    if (!login) {
        co_await refuse({"08006", "PostgreSQL did not answer a login in time"});
    } else if (*login == Login::ended) {
        client_.shutdown_send();
    }
    greeted_ = true; // the versions have been agreed on
    const bool is_done = login != nullptr && *login == Login::done;
    co_return is_done;
}

Task<void> Session::deny(auth::Denial denial)
{
    if (!denial.reason.empty())
        spdlog::info("session {}: not let in: {} ({})", id_, one_line(denial.message), denial.reason);
    if (denial.sqlstate.empty())
        co_return; // nobody is there to be told
    metrics_.clients_refused.add();
    Refusal refusal{denial.sqlstate, std::move(denial.message), {}, std::move(denial.detail)};
    co_await refuse(std::move(refusal));
}

/// One way to one host, with the startup packet sent. Empty: done.
Task<std::string> Session::try_way(const UpstreamTarget::Host& host, Way way, std::string_view startup)
{
    auto failure = co_await dial(upstream_, services_.upstream, host, way, *services_.resolver);
    if (!failure.empty())
        co_return failure;
    Gather hello;
    hello.borrow(startup);
    const bool sent = co_await write_all(upstream_, hello);
    co_return sent ? "" : "the connection was lost";
}

/// The ways of the host's sslmode, in libpq's order.
Task<std::string> Session::try_host(const UpstreamTarget::Host& host, std::string_view startup)
{
    const auto ways = ways_of(services_.upstream.ssl_mode(host));
    auto failure = co_await try_way(host, ways.first, startup);
    if (!ways.second)
        co_return failure;
    if (failure.empty()) {
        const bool is_other = upstream_.tls() ? ways.second == Way::plain : ways.second != Way::plain;
        if (!is_other)
            co_return failure;
        const bool refused = co_await begins_with_error(upstream_);
        if (!refused)
            co_return failure;
    } else if (ways.second != Way::plain) {
        co_return failure; // `allow`: what cannot be reached plainly cannot be reached with TLS
    }
    failure = co_await try_way(host, *ways.second, startup);
    co_return failure;
}

Task<std::optional<Session::Refusal>> Session::reach_upstream(std::string_view startup)
{
    std::string failures;
    const auto& hosts = services_.upstream.hosts();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        auto result =
            co_await (try_host(hosts[i], startup) || timeout(executor_, services_.upstream.connect_timeout()));
        const auto* failure = std::get_if<std::string>(&result);
        if (failure && failure->empty()) {
            upstream_host_ = i;
            co_return std::nullopt;
        }
        if (!failures.empty())
            failures += "; ";
        failures += fmt::format("{}: {}", hosts[i].text(), failure ? *failure : "no answer in time");
    }
    spdlog::warn("session {}: PostgreSQL cannot be reached ({}); the client is refused", id_, failures);
    Refusal refusal{"08006", fmt::format("could not connect to PostgreSQL at {}", failures)};
    co_return refusal;
}

Task<void> Session::cancel(wire::CancelRequest request)
{
    using Phase = CancelRegistry::Slot::Phase;
    const auto slot = services_.cancels.find(request.pid, request.secret);
    if (!slot || slot->phase.load() == Phase::idle)
        co_return; // not one of ours, or nothing runs: as PostgreSQL, no answer
    const auto& target = slot->target;
    const auto& host = services_.upstream.hosts()[target.host];
    const auto way = target.tls ? Way::tls : Way::plain;
    const auto result = co_await (dial(upstream_, services_.upstream, host, way, *services_.resolver, target.address) ||
                                  timeout(executor_, kCancelLimit));
    const auto* failure = std::get_if<std::string>(&result);
    if (!failure || !failure->empty()) {
        spdlog::warn("session {}: a cancel request did not reach PostgreSQL at {}", id_, host.text());
        co_return;
    }
    CancelRegistry::Aim aim{*slot};
    const auto deadline = cache::Clock::now() + kCancelLimit;
    while (!aim.take()) {
        if (slot->phase.load() == Phase::idle || cache::Clock::now() > deadline)
            co_return; // what it was meant for is over
        co_await timeout(executor_, kCancelPause);
    }
    metrics_.cancels.add();
    const auto packet = wire::encode_cancel_request(target.pid, target.secret);
    Gather gather;
    gather.borrow(packet);
    const bool sent = co_await write_all(upstream_, gather);
    if (!sent)
        co_return;
    // The server closes when the signal was sent. Only then may the session send on, and the client hear of it, by our
    // closing.
    char nothing = 0;
    co_await (read_exactly(upstream_, &nothing, 1) || timeout(executor_, kCancelLimit));
}

Task<void> Session::refuse(Refusal refusal)
{
    std::string message;
    wire::append_error(message, "FATAL", refusal.sqlstate, refusal.message, refusal.detail, refusal.hint);
    Gather gather;
    gather.own(std::move(message));
    co_await (write_all(client_, gather) || timeout(executor_, 5s));
    client_.shutdown_send();
    // Closing with unread bytes would reset the connection, and the client might never see the reason.
    char unread[4096];
    for (int i = 0; i < 64 && client_.available() > 0; ++i) {
        if (::read(client_.socket(), unread, sizeof unread) <= 0)
            break;
    }
}

/// Before anything else the client hears which protocol it gets, if it asked for more. Upstream was asked for 3.0, so
/// it speaks up only about options. True: `frame` was that.
bool Session::negotiate(const wire::Frame& frame, Gather& gather)
{
    const bool speaks_up = frame.type == 'v' && frame.whole() && frame.body.size() >= 8;
    if (!speaks_up && minor_ <= wire::kNewestMinor)
        return false;
    std::string message;
    wire::append_negotiate_version(message, std::min(minor_, wire::kNewestMinor),
                                   speaks_up ? frame.body.substr(4) : std::string_view{"\0\0\0\0", 4});
    gather.own(std::move(message));
    return speaks_up;
}

/// What PostgreSQL says before the first ReadyForQuery. True: it was dealt with here.
bool Session::on_login(const wire::Frame& frame, Gather& gather)
{
    if (!std::exchange(greeted_, true) && negotiate(frame, gather))
        return true;
    if (!frame.whole())
        return false;
    if (frame.type == 'K') {
        on_backend_key(frame, gather);
        return true;
    }
    if (frame.type != 'R' || !upstream_.tls())
        return false;
    auto offer = without_channel_binding(frame.body);
    if (!offer)
        return false;
    binding_hidden_ = true;
    gather.own(std::move(*offer));
    return true;
}

void Session::on_backend_key(const wire::Frame& frame, Gather& gather)
{
    const auto key = wire::decode_backend_key_data(frame.body);
    if (!key) {
        gather.borrow(frame.bytes);
        return;
    }
    exchange_->set_backend(key->pid);
    cancel_slot_ = services_.cancels.add(
        {key->pid, std::string{key->secret}, upstream_host_, upstream_.peer(), upstream_.tls() != nullptr},
        minor_ >= wire::kNewestMinor ? wire::kLongSecret : std::size_t{4});
    std::string own;
    wire::append_backend_key_data(own, cancel_slot_->pid, cancel_slot_->secret);
    gather.own(std::move(own));
}

} // namespace pgmemo::proxy
