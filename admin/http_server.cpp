#include "admin/http_server.hpp"

#include "admin/listen.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pgmemo::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using namespace std::chrono_literals;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;

constexpr std::size_t kMaxConnections = 64;
constexpr std::uint32_t kMaxHeaderBytes = 8 * 1024;
constexpr std::size_t kMaxReadAheadBytes = 2 * kMaxHeaderBytes; // so that the header's limit is met before the buffer's
constexpr std::size_t kMaxDrainedBytes = 256 * 1024;
constexpr auto kDrainTime = 1s;
constexpr auto kAcceptPause = 100ms;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

/// One of kMaxConnections, while it lives.
class Slot {
public:
    explicit Slot(std::size_t& taken) noexcept
        : taken_(&taken)
    {
        ++taken;
    }
    Slot(Slot&& other) noexcept
        : taken_(std::exchange(other.taken_, nullptr))
    {
    }
    Slot& operator=(Slot&&) = delete;
    ~Slot()
    {
        if (taken_)
            --*taken_;
    }

private:
    std::size_t* taken_;
};

/// Whether an answer can still be heard: the client said something that is not HTTP, or too much of it.
bool is_bad_request(const error_code& error)
{
    return error.category() == http::make_error_code(http::error::bad_target).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
}

Answer refusal(const error_code& error)
{
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
        return {.status = 431, .body = "The header is too large.\n"};
    if (error == http::error::body_limit)
        return {.status = 413, .body = "Requests with a body are refused.\n"};
    return {.status = 400, .body = "This is not a valid HTTP request: " + error.message() + ".\n"};
}

http::response<http::string_body> response_to(const Answer& answer, unsigned version, bool keep_alive)
{
    http::response<http::string_body> response{http::int_to_status(answer.status), version};
    response.set(http::field::content_type, answer.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("Content-Security-Policy", "default-src 'self' 'unsafe-inline'");
    response.set("X-Content-Type-Options", "nosniff");
    if (answer.status == 405)
        response.set(http::field::allow, "GET, HEAD");
    response.keep_alive(keep_alive);
    response.content_length(answer.body.size());
    return response;
}

/// So that a client that is still sending when it is refused reads the answer, instead of a reset that overtakes it.
asio::awaitable<void> close(Stream& stream)
{
    error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    std::array<char, 4096> scratch;
    stream.expires_after(kDrainTime);
    for (std::size_t drained = 0; drained < kMaxDrainedBytes;) {
        const auto [error, size] = co_await stream.async_read_some(asio::buffer(scratch), no_throw);
        if (error)
            break;
        drained += size;
    }
}

asio::awaitable<void> serve(Stream stream, const Views& views, std::chrono::milliseconds patience, Slot)
{
    beast::flat_buffer buffer{kMaxReadAheadBytes};
    for (bool keep_alive = true; keep_alive;) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(kMaxHeaderBytes);
        parser.body_limit(0);
        stream.expires_after(patience);
        auto [error, size] = co_await http::async_read_header(stream, buffer, parser, no_throw);
        if (!error && parser.chunked())
            error = http::error::body_limit;
        if (error && !is_bad_request(error))
            co_return; // gone, or too slow

        const auto& request = parser.get();
        const bool head = !error && request.method() == http::verb::head;
        Answer said;
        if (error)
            said = refusal(error);
        else if (!head && request.method() != http::verb::get)
            said = {.status = 405, .body = "GET and HEAD only.\n"};
        else
            said = answer(request.target(), views);

        keep_alive = !error && request.keep_alive();
        auto response = response_to(said, error ? 11 : request.version(), keep_alive);
        if (!head)
            response.body() = std::move(said.body);
        stream.expires_after(patience);
        const auto [write_error, written] = co_await http::async_write(stream, response, no_throw);
        if (write_error)
            co_return;
    }
    co_await close(stream);
}

/// Without waiting: an answer this short fits into the buffer of a new socket.
void turn_away(Protocol::socket socket)
{
    static constexpr std::string_view kBusy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                              "Retry-After: 30\r\nConnection: close\r\n\r\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kBusy), ignored);
}

} // namespace

struct HttpServer::State {
    State(const config::Address& address, Views shown, std::chrono::milliseconds limit)
        : views(std::move(shown))
        , patience(limit)
        , acceptor(listen(io, address))
    {
    }

    asio::awaitable<void> accept()
    {
        asio::steady_timer pause{io};
        for (;;) {
            auto [error, socket] = co_await acceptor.async_accept(no_throw);
            if (error == asio::error::operation_aborted)
                co_return;
            if (!error && welcome(std::move(socket)))
                continue;
            pause.expires_after(kAcceptPause); // out of descriptors or of memory: later there may be some
            co_await pause.async_wait(no_throw);
        }
    }

    bool welcome(Protocol::socket socket)
    {
        try {
            if (connections >= kMaxConnections) {
                turn_away(std::move(socket));
                return true;
            }
            // A connection that ends by an exception has been closed by it, and concerns nobody else.
            asio::co_spawn(io, serve(Stream{std::move(socket)}, views, patience, Slot{connections}),
                           [](std::exception_ptr) {});
            return true;
        } catch (const std::exception&) {
            return false;
        }
    }

    void run()
    {
        for (;;) {
            try {
                io.run();
                return;
            } catch (const std::exception&) {
                // Only what Asio itself could not handle: the others are served on.
            }
        }
    }

    const Views views;
    const std::chrono::milliseconds patience;
    std::size_t connections = 0; // outlives the coroutines, which end with `io`
    std::uint16_t port = 0;
    std::string path; // to be removed
    asio::io_context io{1};
    Acceptor acceptor;
    std::thread thread;
};

HttpServer::HttpServer(const config::Address& listen, Views views, std::chrono::milliseconds patience)
    : state_(std::make_unique<State>(listen, std::move(views), patience))
{
    state_->port = bound_port(state_->acceptor);
    state_->path = listen.path;
    asio::co_spawn(state_->io, state_->accept(), [](std::exception_ptr) {});
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

HttpServer::~HttpServer()
{
    state_->io.stop();
    state_->thread.join();
    if (!state_->path.empty())
        ::unlink(state_->path.c_str());
}

std::uint16_t HttpServer::port() const noexcept
{
    return state_->port;
}

} // namespace pgmemo::admin
