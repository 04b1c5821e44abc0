#include "proxy/stream.hpp"

#include "proxy/tls_error.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pgmemo::proxy {
namespace {

// What one TLS record holds at most.
constexpr std::size_t kRecord = 16 * 1024;

/// The first bytes of what is to be written, in one piece: a record for each small part would be dear.
std::span<const char> first_record(const Gather& gather)
{
    const auto& parts = gather.parts();
    const auto& first = parts.front();
    if (parts.size() == 1 || first.size() >= kRecord)
        return {static_cast<const char*>(first.data()), std::min(first.size(), kRecord)};
    thread_local std::array<char, kRecord> joined;
    std::size_t size = 0;
    for (const auto& part : parts) {
        const auto take = std::min(part.size(), joined.size() - size);
        std::memcpy(joined.data() + size, part.data(), take);
        size += take;
        if (size == joined.size())
            break;
    }
    return {joined.data(), size};
}

} // namespace

SSL* Stream::start_tls(SSL_CTX& context)
{
    ERR_clear_error();
    tls_.reset(SSL_new(&context));
    if (!tls_ || SSL_set_fd(tls_.get(), socket_.native_handle()) != 1) {
        tls_.reset();
        return nullptr;
    }
    // A retried write may come from another place: the bytes are the same, in a Gather that has grown meanwhile.
    SSL_set_mode(tls_.get(),
                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(tls_.get(), 1); // one system call a record, not two
    return tls_.get();
}

Task<std::string> Stream::handshake(Side side)
{
    for (;;) {
        ERR_clear_error();
        const int done = side == Side::server ? SSL_accept(tls_.get()) : SSL_connect(tls_.get());
        if (done == 1)
            break;
        const int what = SSL_get_error(tls_.get(), done);
        if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) {
            broken_ = true;
            co_return tls_failure(what);
        }
        const auto wait = what == SSL_ERROR_WANT_READ ? Socket::wait_read : Socket::wait_write;
        const auto [error] = co_await socket_.async_wait(wait, kNoThrow);
        if (error) {
            broken_ = true;
            co_return error.message();
        }
    }
    read_ahead_ = SSL_has_pending(tls_.get()) == 1; // the first message may have come with the handshake's last
    co_return std::string{};
}

std::size_t Stream::read_some(std::span<char> to, boost::system::error_code& error)
{
    return tls_ ? read_some_tls(to, error, false) : socket_.read_some(asio::buffer(to.data(), to.size()), error);
}

std::size_t Stream::peek_some(std::span<char> to, boost::system::error_code& error)
{
    return tls_ ? read_some_tls(to, error, true)
                : socket_.receive(asio::buffer(to.data(), to.size()), Socket::message_peek, error);
}

std::size_t Stream::read_some_tls(std::span<char> to, boost::system::error_code& error, bool peek)
{
    error = {};
    read_ahead_ = read_wants_write_ = false;
    ERR_clear_error();
    std::size_t size = 0;
    const int done = peek ? SSL_peek_ex(tls_.get(), to.data(), to.size(), &size)
                          : SSL_read_ex(tls_.get(), to.data(), to.size(), &size);
    if (done == 1) {
        read_ahead_ = SSL_has_pending(tls_.get()) == 1;
        return size;
    }
    switch (SSL_get_error(tls_.get(), done)) {
    case SSL_ERROR_WANT_WRITE:
        read_wants_write_ = true;
        [[fallthrough]];
    case SSL_ERROR_WANT_READ:
        error = asio::error::would_block;
        break;
    case SSL_ERROR_ZERO_RETURN:
        error = asio::error::eof;
        break;
    default:
        broken_ = true;
        error = asio::error::connection_reset;
        break;
    }
    return 0;
}

bool Stream::write_some_tls(Gather& gather)
{
    while (!gather.empty()) {
        const auto bytes = first_record(gather);
        std::size_t size = 0;
        write_wants_read_ = false;
        ERR_clear_error();
        const int done = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &size);
        if (done == 1) {
            gather.consume(size);
            continue;
        }
        switch (SSL_get_error(tls_.get(), done)) {
        case SSL_ERROR_WANT_READ:
            write_wants_read_ = true;
            return true;
        case SSL_ERROR_WANT_WRITE:
            return true;
        default:
            broken_ = true;
            return false;
        }
    }
    return true;
}

void Stream::say_close_notify() noexcept
{
    if (!tls_ || broken_ || said_close_ || SSL_is_init_finished(tls_.get()) != 1)
        return;
    said_close_ = true;
    ERR_clear_error();
    SSL_shutdown(tls_.get()); // as far as it goes without waiting
}

void Stream::shutdown_send()
{
    say_close_notify();
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::close()
{
    if (socket_.is_open())
        say_close_notify();
    tls_.reset(); // before another may get the descriptor's number
    read_ahead_ = read_wants_write_ = write_wants_read_ = broken_ = said_close_ = false;
    boost::system::error_code ignored;
    socket_.close(ignored);
}

Task<bool> write_all(Stream& stream, Gather& gather)
{
    for (;;) {
        if (!stream.write_some(gather))
            co_return false;
        if (gather.empty())
            co_return true;
        const auto [error] = co_await stream.socket().async_wait(stream.write_wait(), kNoThrow);
        if (error)
            co_return false;
    }
}

Task<bool> read_exactly(Stream& stream, char* to, std::size_t size)
{
    while (size > 0) {
        boost::system::error_code error;
        const auto read = stream.read_some({to, size}, error);
        to += read;
        size -= read;
        if (error && error != asio::error::would_block)
            co_return false;
        if (error) {
            const auto [failure] = co_await stream.socket().async_wait(stream.read_wait(), kNoThrow);
            if (failure)
                co_return false;
        }
    }
    co_return true;
}

} // namespace pgmemo::proxy
