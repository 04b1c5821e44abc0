#include "proxy/session.hpp"

#include "wire/startup.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

// g++ 12.2: `if (a && !co_await f())` and a loop whose only statement is a co_await resumed a frame at no valid point
// (SIGILL). Here every co_await is a statement of its own, in braces.
namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

constexpr auto kStartupLimit = 60s; // PostgreSQL's own authentication_timeout
constexpr auto kCancelLimit = 10s;
constexpr int kMaxNegotiations = 4; // SSLRequest, GSSENCRequest and then the startup packet: more is a game
// An upstream message is looked at whole up to this size; larger ones (rows) pass in pieces.
constexpr std::size_t kMaxHeldUpstream = 8 * 1024;

constexpr std::string_view kReadyIdle{"Z\0\0\0\5I", 6};
constexpr std::string_view kReadyInTransaction{"Z\0\0\0\5T", 6};

Task<void> timeout(Executor executor, std::chrono::steady_clock::duration after)
{
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> timer{
        executor, after};
    co_await timer.async_wait(kNoThrow);
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

void close(Socket& socket)
{
    boost::system::error_code ignored;
    socket.close(ignored);
}

} // namespace

Session::Session(Socket client, Services& services, observe::ThreadMetrics& metrics, std::uint64_t id)
    : services_(services)
    , metrics_(metrics)
    , id_(id)
    , executor_(client.get_executor())
    , client_(std::move(client))
    , upstream_(executor_)
    , quiet_(executor_)
    , client_free_(executor_)
{
}

Session::~Session()
{
    if (cancel_slot_)
        services_.cancels.remove(*cancel_slot_);
    if (counted_upstream_)
        services_.upstreams.fetch_sub(1, std::memory_order_relaxed);
    if (database_)
        database_->session_ended();
    close(upstream_); // before the Exchange hands over what is unresolved: the backend learns now that it is alone
}

Task<void> Session::run()
{
    tune(client_);
    auto startup = co_await (read_startup() || timeout(executor_, kStartupLimit));
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

    const auto limit = services_.config.get()->pool.max_upstream;
    counted_upstream_ = true;
    if (services_.upstreams.fetch_add(1, std::memory_order_relaxed) >= limit) {
        metrics_.clients_refused.add();
        co_return co_await refuse({"53300", "sorry, too many clients already",
                                   fmt::format("pgmemo serves at most {} at a time (pool.max_upstream).", limit)});
    }
    if (auto refusal = co_await dial()) {
        metrics_.upstream_failures.add();
        co_return co_await refuse(std::move(*refusal));
    }
    using Replication = wire::StartupMessage::Replication;
    database_ = &services_.databases.get(message.database());
    database_->session_began();
    exchange_.emplace(services_, *database_, metrics_, std::string{message.user()},
                      message.replication() == Replication::no ? "" : "a replication connection");
    spdlog::debug("session {}: {} on {} through {}", id_, message.user(), database_->name(),
                  services_.upstream.hosts()[upstream_host_].text());

    Gather hello;
    hello.borrow(**packet);
    if (!co_await write_all(upstream_, hello))
        co_return co_await refuse({"08006", "the connection to PostgreSQL was lost"});
    co_await (client_pump() && upstream_pump());
    spdlog::debug("session {}: ended", id_);
}

// ---------------------------------------------------------------------------------------------- start

Task<bool> Session::read_exactly(char* to, std::size_t size)
{
    const auto [error, read] = co_await asio::async_read(client_, asio::buffer(to, size), kNoThrow);
    co_return !error;
}

/// The packet that is a StartupMessage or a CancelRequest; what comes before it is answered here.
Task<std::optional<std::string>> Session::read_startup()
{
    for (int i = 0; i < kMaxNegotiations; ++i) {
        std::string packet(4, '\0');
        if (!co_await read_exactly(packet.data(), 4))
            co_return std::nullopt; // a health check, or a client that thought better of it
        const auto length = wire::startup_length(packet);
        if (!length) {
            co_await refuse({"08P01", "invalid length of startup packet"});
            co_return std::nullopt;
        }
        packet.resize(*length);
        if (!co_await read_exactly(packet.data() + 4, *length - 4))
            co_return std::nullopt;
        const auto decoded = wire::decode_startup(packet);
        if (!decoded || (!std::holds_alternative<wire::SslRequest>(*decoded) &&
                         !std::holds_alternative<wire::GssEncRequest>(*decoded)))
            co_return packet;
        boost::system::error_code ignored;
        if (client_.available(ignored) > 0) { // CVE-2021-23214: bytes that could pass for encrypted ones later
            co_await refuse({"08P01", "received unencrypted data after SSL or GSSAPI encryption request"});
            co_return std::nullopt;
        }
        Gather no;
        no.borrow("N");
        if (!co_await write_all(client_, no))
            co_return std::nullopt;
    }
    co_await refuse({"08P01", "too many encryption requests"});
    co_return std::nullopt;
}

Task<boost::system::error_code> Session::connect_to(const UpstreamTarget::Host& host)
{
    if (host.is_unix()) {
        const auto path = host.text();
        if (path.size() > 107)
            co_return asio::error::name_too_long;
        const asio::generic::stream_protocol::endpoint endpoint{asio::local::stream_protocol::endpoint{path}};
        const auto [error] = co_await upstream_.async_connect(endpoint, kNoThrow);
        co_return error;
    }
    asio::ip::basic_resolver<tcp, Executor> resolver{executor_};
    const auto [failure, found] = co_await resolver.async_resolve(host.host, host.port, kNoThrow);
    if (failure)
        co_return failure;
    boost::system::error_code last = asio::error::host_not_found;
    for (const auto& entry : found) {
        close(upstream_);
        const asio::generic::stream_protocol::endpoint endpoint{entry.endpoint()};
        const auto [error] = co_await upstream_.async_connect(endpoint, kNoThrow);
        if (!error)
            co_return error;
        last = error;
    }
    co_return last;
}

Task<std::optional<Session::Refusal>> Session::dial()
{
    std::string failures;
    const auto& hosts = services_.upstream.hosts();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        close(upstream_);
        const auto result = co_await (connect_to(hosts[i]) || timeout(executor_, services_.upstream.connect_timeout()));
        const auto* error = std::get_if<boost::system::error_code>(&result);
        if (error && !*error) {
            upstream_host_ = i;
            tune(upstream_);
            co_return std::nullopt;
        }
        if (!failures.empty())
            failures += "; ";
        failures += fmt::format("{}: {}", hosts[i].text(), error ? error->message() : "no answer in time");
    }
    spdlog::warn("session {}: PostgreSQL cannot be reached ({}); the client is refused", id_, failures);
    Refusal refusal{"08006", fmt::format("could not connect to PostgreSQL at {}", failures)};
    co_return refusal;
}

Task<void> Session::cancel(wire::CancelRequest request)
{
    const auto target = services_.cancels.find(request.pid, request.secret);
    if (!target)
        co_return; // not one of ours, or nothing runs: as PostgreSQL, no answer
    upstream_host_ = target->host;
    const auto& host = services_.upstream.hosts()[target->host];
    const auto result = co_await (connect_to(host) || timeout(executor_, kCancelLimit));
    const auto* error = std::get_if<boost::system::error_code>(&result);
    if (!error || *error) {
        spdlog::warn("session {}: a cancel request did not reach PostgreSQL at {}", id_, host.text());
        co_return;
    }
    tune(upstream_);
    metrics_.cancels.add();
    const auto packet = wire::encode_cancel_request(target->pid, target->secret);
    Gather gather;
    gather.borrow(packet);
    if (!co_await write_all(upstream_, gather))
        co_return;
    // The server closes when the signal was sent; only then may the client hear of it, by our closing.
    char nothing[8];
    co_await (asio::async_read(upstream_, asio::buffer(nothing), kNoThrow) || timeout(executor_, kCancelLimit));
}

Task<void> Session::refuse(Refusal refusal)
{
    std::string message;
    wire::append_error(message, "FATAL", refusal.sqlstate, refusal.message, {}, refusal.hint);
    Gather gather;
    gather.own(std::move(message));
    co_await (write_all(client_, gather) || timeout(executor_, 5s));
    boost::system::error_code ignored;
    client_.shutdown(Socket::shutdown_send, ignored);
    // Closing with unread bytes would reset the connection, and the client might never see the reason.
    char unread[4096];
    for (int i = 0; i < 64 && client_.available(ignored) > 0; ++i)
        client_.read_some(asio::buffer(unread), ignored);
}

// ---------------------------------------------------------------------------------------------- the two pumps

Task<void> Session::client_pump()
{
    wire::FrameReader reader{Exchange::kMaxHeld};
    for (;;) {
        reader.give_back();
        if (const auto [error] = co_await client_.async_wait(Socket::wait_read, kNoThrow); error)
            break;
        const auto room = reader.room(1);
        boost::system::error_code error;
        const auto size = client_.read_some(asio::buffer(room.data(), room.size()), error);
        if (error == asio::error::would_block)
            continue;
        if (error)
            break;
        metrics_.client_bytes_in.add(size);
        reader.commit(size);
        if (!co_await digest(reader))
            break;
    }
    client_done_ = true;
    // What cannot be read, or has not all come, is PostgreSQL's to judge, behind what was asked before it.
    if (!reader.unread().empty()) {
        to_upstream_.own(std::string{reader.unread()});
        co_await write_all(upstream_, to_upstream_);
    }
    // What it has asked for is still answered, as PostgreSQL does for a client that has closed its side; then the
    // server closes.
    boost::system::error_code ignored;
    upstream_.shutdown(Socket::shutdown_send, ignored);
}

/// Everything in the reader that is whole. False: nothing more can be read from this client.
Task<bool> Session::digest(wire::FrameReader& reader)
{
    const auto read_at = cache::Clock::now();
    std::size_t hits = 0;
    bool readable = true;
    for (;;) {
        const auto frame = reader.next();
        if (!frame) {
            readable = false;
            break;
        }
        if (!*frame)
            break;
        auto step = exchange_->on_client(**frame, read_at);
        while (step.kind == Step::Kind::wait || step.kind == Step::Kind::ask) {
            to_upstream_.own(std::move(step.upstream));
            if (!co_await until_quiet())
                co_return false;
            step = exchange_->on_client(**frame, cache::Clock::now());
        }
        switch (step.kind) {
        case Step::Kind::serve:
            to_client_.entry(std::move(step.entry));
            to_client_.borrow(exchange_->status() == wire::Status::idle ? kReadyIdle : kReadyInTransaction);
            ++hits;
            break;
        case Step::Kind::answer:
            to_client_.own(std::move(step.client));
            break;
        case Step::Kind::reply:
            for (auto& part : exchange_->reply()) {
                if (part.entry)
                    to_client_.entry(std::move(part.entry), part.bytes);
                else if (part.own.empty())
                    to_client_.borrow(part.bytes);
                else
                    to_client_.own(std::move(part.own));
            }
            hits += step.hits;
            break;
        case Step::Kind::hold:
            break;
        case Step::Kind::send:
            to_upstream_.own(std::move(step.upstream));
            break;
        default:
            to_upstream_.own(std::move(step.upstream));
            to_upstream_.borrow((*frame)->bytes);
            client_done_ |= (*frame)->type == 'X' && (*frame)->first;
            break;
        }
    }
    // The answers given here come before whatever the upstream answers to what is sent now.
    if (!to_client_.empty()) {
        const bool written = co_await write_client(to_client_);
        if (!written)
            co_return false;
    }
    if (hits > 0) {
        const auto took = cache::Clock::now() - read_at;
        for (std::size_t i = 0; i < hits; ++i)
            metrics_.hit_latency.record(took);
    }
    if (to_upstream_.empty())
        co_return readable;
    note_waiting();
    metrics_.upstream_bytes_out.add(to_upstream_.size());
    if (!write_some(upstream_, to_upstream_))
        co_return false;
    if (to_upstream_.empty())
        co_return readable;
    const bool written = co_await write_all(upstream_, to_upstream_);
    co_return written&& readable;
}

/// Sends what there is to send, and waits until every reply owed has come. False: they never will.
Task<bool> Session::until_quiet()
{
    if (!to_client_.empty()) {
        const bool written = co_await write_client(to_client_);
        if (!written)
            co_return false;
    }
    note_waiting();
    metrics_.upstream_bytes_out.add(to_upstream_.size());
    const bool sent = co_await write_all(upstream_, to_upstream_);
    if (!sent)
        co_return false;
    while (!exchange_->is_quiet() && !upstream_ended_) {
        co_await quiet_.wait();
    }
    co_return !upstream_ended_;
}

Task<void> Session::upstream_pump()
{
    wire::FrameReader reader{kMaxHeldUpstream};
    Gather gather;
    bool understood = true;
    while (understood) {
        reader.give_back();
        if (const auto [error] = co_await upstream_.async_wait(Socket::wait_read, kNoThrow); error)
            break;
        const auto room = reader.room(1);
        boost::system::error_code error;
        const auto size = upstream_.read_some(asio::buffer(room.data(), room.size()), error);
        if (error == asio::error::would_block)
            continue;
        if (error)
            break;
        metrics_.upstream_bytes_in.add(size);
        reader.commit(size);
        const auto now = cache::Clock::now();
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                spdlog::error("session {}: PostgreSQL sent what is no message; the session ends", id_);
                understood = false;
                break;
            }
            if (!*frame)
                break;
            if ((*frame)->type == 'K' && !exchange_->has_started() && (*frame)->whole()) {
                on_backend_key(**frame, gather);
                continue;
            }
            auto passage = exchange_->on_upstream(**frame, now);
            gather.own(std::move(passage.before));
            if (passage.relay)
                gather.borrow((*frame)->bytes);
        }
        note_waiting();
        if (exchange_->is_quiet())
            quiet_.notify();
        if (!gather.empty()) {
            co_await write_client(
                gather); // false: the client is gone; what the server still does is watched to its end
        }
        if (exchange_->is_broken())
            break;
        if (draining_ && exchange_->is_idle())
            break;
    }
    upstream_ended_ = true;
    quiet_.notify();
    if (!reader.in_message() && !client_gone_)
        co_await say_goodbye();
    close(client_);
    close(upstream_);
}

void Session::on_backend_key(const wire::Frame& frame, Gather& gather)
{
    const auto key = wire::decode_backend_key_data(frame.body);
    if (!key) {
        gather.borrow(frame.bytes);
        return;
    }
    exchange_->set_backend(key->pid);
    cancel_slot_ = services_.cancels.add(key->pid, key->secret, upstream_host_);
    std::string own;
    wire::append_backend_key_data(own, cancel_slot_->pid, cancel_slot_->secret);
    gather.own(std::move(own));
}

/// Why the client is left, unless the server has told it or it left by itself.
Task<void> Session::say_goodbye()
{
    if (exchange_->said_fatal() || client_done_)
        co_return;
    std::string message;
    if (draining_)
        wire::append_error(message, "FATAL", "57P01", "terminating connection: pgmemo is shutting down");
    else if (exchange_->is_broken())
        wire::append_error(message, "FATAL", "08P01", "pgmemo and PostgreSQL no longer agree on this session");
    else
        wire::append_error(message, "FATAL", "08006", "the connection to PostgreSQL was lost");
    Gather gather;
    gather.own(std::move(message));
    co_await (write_client(gather) || timeout(executor_, 5s));
}

Task<bool> Session::write_client(Gather& gather)
{
    const auto size = gather.size();
    while (client_writing_)
        co_await client_free_.wait();
    if (client_gone_) {
        gather.clear();
        co_return false;
    }
    bool ok = write_some(client_, gather);
    if (ok && !gather.empty()) {
        client_writing_ = true;
        ok = co_await write_all(client_, gather);
        client_writing_ = false;
        client_free_.notify();
    }
    client_gone_ |= !ok;
    if (ok)
        metrics_.client_bytes_out.add(size);
    else
        gather.clear();
    co_return ok;
}

void Session::note_waiting() noexcept
{
    if (cancel_slot_)
        cancel_slot_->cancellable.store(exchange_->client_waits(), std::memory_order_release);
}

void Session::drain()
{
    draining_ = true;
    boost::system::error_code ignored;
    if (!exchange_)
        close(client_);
    else if (exchange_->is_idle())
        upstream_.shutdown(Socket::shutdown_both, ignored);
}

} // namespace pgmemo::proxy
