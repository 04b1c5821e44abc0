#include "proxy/server.hpp"

#include "proxy/async.hpp"
#include "proxy/remote_client.hpp"
#include "proxy/remote_share.hpp"
#include "proxy/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <exception>
#include <thread>
#include <unordered_set>
#include <utility>

namespace pgmemo::proxy {
namespace {

using tcp = asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;
using namespace std::chrono_literals;

// How often dead entries are looked for, and how many entries are visited at a time.
constexpr auto kReclaimEvery = 20ms;
constexpr std::size_t kReclaimVisits = 2000;
constexpr auto kTendEvery = 200ms;

/// One I/O thread and its sessions.
struct Worker {
    Worker(Services& s, observe::ThreadMetrics& m)
        : services(s)
        , metrics(m)
    {
        if (s.remote != nullptr)
            remote.emplace(loop, s.remote->tier, s.remote->config, s.remote->tls, *s.resolver, m);
    }

    Task<void> serve(int client, std::uint64_t id)
    {
        Session session{loop, client, services, metrics, id, remote ? &*remote : nullptr};
        const struct Listed {
            Worker& worker;
            Session* session;
            Listed(Worker& w, Session* s)
                : worker(w)
                , session(s)
            {
                worker.sessions.insert(session);
            }
            ~Listed() { worker.sessions.erase(session); }
        } listed{*this, &session};
        if (draining)
            session.drain();
        co_await session.run();
    }

    Services& services;
    observe::ThreadMetrics& metrics;
    std::unordered_set<Session*> sessions; // this thread's only
    bool draining = false;                 // this thread's only
    Loop loop;
    std::optional<RemoteClient> remote;
    std::thread thread;
};

/// What is due by the clock in a worker's sessions.
Task<void> tend(Worker& worker)
{
    for (;;) {
        co_await worker.loop.sleep(kTendEvery);
        const auto now = cache::Clock::now();
        for (auto* session : worker.sessions)
            session->tend(now);
    }
}

// The main thread's: listeners, signals, and what is due for all.
template <class T>
using MainTask = asio::awaitable<T, asio::io_context::executor_type>;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable_t<asio::io_context::executor_type>{});

/// A connection on its way to its worker's thread.
class Accepted {
public:
    explicit Accepted(int socket) noexcept
        : socket_(socket)
    {
    }
    Accepted(Accepted&& other) noexcept
        : socket_(std::exchange(other.socket_, -1))
    {
    }
    Accepted& operator=(Accepted&&) = delete;
    ~Accepted()
    {
        if (socket_ >= 0)
            ::close(socket_);
    }
    int release() noexcept { return std::exchange(socket_, -1); }

private:
    int socket_;
};

template <class Protocol>
using Acceptor = asio::basic_socket_acceptor<Protocol, asio::io_context::executor_type>;

} // namespace

struct Server::State {
    State(Services& s)
        : services(s)
    {
    }

    template <class Protocol>
    MainTask<void> accept(Acceptor<Protocol>& acceptor);
    MainTask<void> handle_signals(std::function<void()> on_reload);
    MainTask<void> reclaim();
    void listen(const config::Address&);
    void listen_unix(const std::string& path);
    void listen_tcp(const config::Address&);
    void admit(Accepted client);
    void session_ended(std::exception_ptr) noexcept;
    void drain();
    void stop();
    void stop_if_drained();

    Services& services;
    asio::io_context io{1};
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<std::unique_ptr<Acceptor<tcp>>> tcp_acceptors;
    std::vector<std::unique_ptr<Acceptor<unix_stream>>> unix_acceptors;
    std::vector<std::string> unix_paths;
    std::vector<std::string> bound;
    std::size_t next_worker = 0;
    std::uint64_t last_id = 0;
    std::atomic<bool> draining{false};
};

Server::Server(const std::vector<config::Address>& listen, unsigned threads, Services& services,
               observe::Metrics& metrics)
    : state_(std::make_unique<State>(services))
{
    for (unsigned i = 0; i < std::max(1u, threads); ++i)
        state_->workers.push_back(std::make_unique<Worker>(services, metrics.thread()));
    for (const auto& address : listen)
        state_->listen(address);
}

Server::~Server()
{
    stop();
    for (auto& worker : state_->workers) {
        if (worker->thread.joinable())
            worker->thread.join();
    }
    for (const auto& path : state_->unix_paths)
        ::unlink(path.c_str());
}

void Server::State::listen(const config::Address& address)
{
    try {
        address.is_unix() ? listen_unix(address.path) : listen_tcp(address);
    } catch (const boost::system::system_error& error) {
        throw CannotListen(fmt::format("cannot listen on {}: {}", address.text(), error.code().message()));
    }
}

void Server::State::listen_tcp(const config::Address& address)
{
    tcp::resolver resolver{io};
    const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive);
    for (const auto& entry : found) {
        auto acceptor = std::make_unique<Acceptor<tcp>>(io.get_executor());
        acceptor->open(entry.endpoint().protocol());
        acceptor->set_option(asio::socket_base::reuse_address{true});
        if (entry.endpoint().protocol() == tcp::v6())
            acceptor->set_option(asio::ip::v6_only{true});
        acceptor->bind(entry.endpoint());
        acceptor->listen(4096);
        const auto endpoint = acceptor->local_endpoint();
        const auto host = endpoint.address().is_v6() ? fmt::format("[{}]", endpoint.address().to_string())
                                                     : endpoint.address().to_string();
        bound.push_back(fmt::format("{}:{}", host, endpoint.port()));
        tcp_acceptors.push_back(std::move(acceptor));
    }
}

void Server::State::listen_unix(const std::string& path)
{
    const unix_stream::endpoint endpoint{path};
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) { // left behind, or in use?
        unix_stream::socket probe{io};
        boost::system::error_code error;
        probe.connect(endpoint, error);
        if (error == asio::error::connection_refused)
            ::unlink(path.c_str());
    }
    auto acceptor = std::make_unique<Acceptor<unix_stream>>(io.get_executor());
    acceptor->open();
    acceptor->bind(endpoint);
    ::chmod(path.c_str(), 0777); // as PostgreSQL's own unix_socket_permissions
    acceptor->listen(4096);
    unix_paths.push_back(path);
    bound.push_back(path);
    unix_acceptors.push_back(std::move(acceptor));
}

template <class Protocol>
MainTask<void> Server::State::accept(Acceptor<Protocol>& acceptor)
{
    while (acceptor.is_open()) {
        typename Protocol::socket client{io};
        const auto [error] = co_await acceptor.async_accept(client, kNoThrow);
        if (!error) {
            boost::system::error_code released;
            const int socket = client.release(released);
            if (!released)
                admit(Accepted{socket});
            continue;
        }
        if (error == asio::error::operation_aborted || draining)
            co_return;
        spdlog::error("cannot accept a connection: {}; trying again in 100 ms", error.message());
        asio::steady_timer pause{io, 100ms}; // out of file descriptors, mostly: others will be given back
        co_await pause.async_wait(kNoThrow);
    }
}

void Server::State::admit(Accepted client)
{
    auto& worker = *workers[next_worker++ % workers.size()];
    services.clients.fetch_add(1, std::memory_order_relaxed);
    const auto id = ++last_id;
    asio::post(worker.loop.executor(), [this, &worker, id, client = std::move(client)]() mutable {
        worker.metrics.clients_accepted.add();
        asio::co_spawn(worker.loop.executor(), worker.serve(client.release(), id),
                       [this](std::exception_ptr failure) { session_ended(std::move(failure)); });
    });
}

void Server::State::session_ended(std::exception_ptr failure) noexcept
{
    try {
        if (failure)
            std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        spdlog::error("a session ended by an error of pgmemo's own: {}", error.what());
    } catch (...) {
        spdlog::error("a session ended by an error of pgmemo's own");
    }
    services.clients.fetch_sub(1, std::memory_order_relaxed);
    if (draining)
        stop_if_drained();
}

void Server::State::drain()
{
    if (draining.exchange(true))
        return;
    spdlog::info(
        "draining: no new clients; each connection ends when its transaction has; a second signal ends at once");
    asio::post(io, [this] {
        boost::system::error_code ignored;
        for (auto& acceptor : tcp_acceptors)
            acceptor->close(ignored);
        for (auto& acceptor : unix_acceptors)
            acceptor->close(ignored);
    });
    for (auto& worker : workers) {
        asio::post(worker->loop.executor(), [&w = *worker] {
            w.draining = true;
            for (auto* session : w.sessions)
                session->drain();
        });
    }
    stop_if_drained();
}

void Server::State::stop_if_drained()
{
    if (services.clients.load() == 0)
        stop();
}

void Server::State::stop()
{
    for (auto& worker : workers)
        worker->loop.stop();
    io.stop();
}

MainTask<void> Server::State::handle_signals(std::function<void()> on_reload)
{
    asio::signal_set signals{io, SIGHUP, SIGTERM, SIGINT};
    for (;;) {
        const auto [error, signal] = co_await signals.async_wait(kNoThrow);
        if (error)
            co_return;
        if (signal == SIGHUP)
            on_reload();
        else if (draining)
            stop();
        else
            drain();
    }
}

MainTask<void> Server::State::reclaim()
{
    asio::steady_timer timer{io};
    for (;;) {
        timer.expires_after(kReclaimEvery);
        const auto [error] = co_await timer.async_wait(kNoThrow);
        if (error)
            co_return;
        services.cache.reclaim(cache::Clock::now(), kReclaimVisits);
    }
}

void Server::run(std::function<void()> on_reload)
{
    auto& state = *state_;
    const auto fatal = [](std::exception_ptr failure) {
        if (failure)
            std::rethrow_exception(failure);
    };
    for (auto& acceptor : state.tcp_acceptors)
        asio::co_spawn(state.io, state.accept(*acceptor), fatal);
    for (auto& acceptor : state.unix_acceptors)
        asio::co_spawn(state.io, state.accept(*acceptor), fatal);
    asio::co_spawn(state.io, state.handle_signals(std::move(on_reload)), fatal);
    asio::co_spawn(state.io, state.reclaim(), fatal);
    for (auto& worker : state.workers) {
        asio::co_spawn(worker->loop.executor(), tend(*worker), fatal);
        if (worker->remote)
            asio::co_spawn(worker->loop.executor(), worker->remote->run(), fatal);
        worker->thread = std::thread([&w = *worker] { w.loop.run(); });
    }
    state.io.run();
    for (auto& worker : state.workers) {
        if (worker->thread.joinable())
            worker->thread.join();
    }
}

void Server::tell_others(cache::Words words)
{
    auto& worker = *state_->workers.front();
    if (!worker.remote)
        return;
    asio::post(worker.loop.executor(), [&worker, moved = std::move(words)]() mutable {
        asio::co_spawn(worker.loop.executor(), worker.remote->move(std::move(moved)), [](std::exception_ptr, bool) {});
    });
}

void Server::drain()
{
    state_->drain();
}

void Server::stop()
{
    state_->stop();
}

bool Server::is_draining() const noexcept
{
    return state_->draining.load();
}

const std::vector<std::string>& Server::bound() const noexcept
{
    return state_->bound;
}

} // namespace pgmemo::proxy
