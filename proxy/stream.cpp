#include "proxy/stream.hpp"

#include "proxy/tls_error.hpp"

#include <boost/asio/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace pgmemo::proxy {
namespace {

using boost::system::error_code;

// What one TLS record holds at most.
constexpr std::size_t kRecord = 16 * 1024;
// As many parts as go with one call; the kernel takes up to 1,024.
constexpr std::size_t kParts = 64;

error_code last_error() noexcept
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return asio::error::would_block;
    return {errno, boost::system::system_category()};
}

int on_write(BIO* bio, const char* bytes, int size)
{
    BIO_clear_retry_flags(bio);
    const auto& stream = *static_cast<const Stream*>(BIO_get_data(bio));
    const auto written = ::send(stream.socket(), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    return static_cast<int>(written);
}

int on_read(BIO* bio, char* to, int size)
{
    BIO_clear_retry_flags(bio);
    auto& stream = *static_cast<Stream*>(BIO_get_data(bio));
    error_code error;
    const auto read = stream.read_some_plain({to, static_cast<std::size_t>(size)}, error, 0);
    if (!error)
        return static_cast<int>(read);
    if (error == asio::error::eof) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
        return 0;
    }
    if (error == asio::error::would_block)
        BIO_set_retry_read(bio);
    return -1;
}

long on_control(BIO* bio, int what, long, void*)
{
    switch (what) {
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    case BIO_CTRL_FLUSH: // nothing is held back
        return 1;
    default:
        return 0;
    }
}

/// OpenSSL's way to the socket, by the stream's own reads: these know when the socket is empty.
const BIO_METHOD* through_stream()
{
    static BIO_METHOD* const method = [] {
        auto* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgmemo stream");
        BIO_meth_set_write(made, on_write);
        BIO_meth_set_read(made, on_read);
        BIO_meth_set_ctrl(made, on_control);
        return made;
    }();
    return method;
}

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

void Stream::open(int socket)
{
    close();
    socket_ = socket;
    int yes = 1;
    ::ioctl(socket_, FIONBIO, &yes);
    watch_.emplace(loop_, socket_);
}

Task<error_code> Stream::connect(const asio::ip::tcp::endpoint& to)
{
    return connect(to.protocol().family(), to.data(), to.size());
}

Task<error_code> Stream::connect_unix(std::string path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        co_return asio::error::name_too_long;
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto error = co_await connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    co_return error;
}

/// A Unix socket whose server has too many waiting says EAGAIN and will not tell when it could be tried again: an
/// error.
Task<error_code> Stream::connect(int family, const sockaddr* address, std::size_t size)
{
    const int socket = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0)
        co_return error_code{errno, boost::system::system_category()};
    open(socket);
    if (::connect(socket_, address, static_cast<socklen_t>(size)) == 0)
        co_return error_code{};
    if (errno != EINPROGRESS)
        co_return error_code{errno, boost::system::system_category()};
    const bool connected = co_await writable();
    if (!connected)
        co_return asio::error::operation_aborted;
    int failure = 0;
    socklen_t length = sizeof failure;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failure, &length);
    co_return error_code{failure, boost::system::system_category()};
}

bool Stream::is_unix() const noexcept
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    return ::getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size) == 0 && name.ss_family == AF_UNIX;
}

std::optional<asio::ip::tcp::endpoint> Stream::peer() const noexcept
{
    asio::ip::tcp::endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    if (::getpeername(socket_, endpoint.data(), &size) != 0)
        return std::nullopt;
    const auto family = endpoint.data()->sa_family;
    if ((family != AF_INET && family != AF_INET6) || size > endpoint.capacity())
        return std::nullopt;
    endpoint.resize(size);
    return endpoint;
}

std::size_t Stream::available() const noexcept
{
    int size = 0;
    return ::ioctl(socket_, FIONREAD, &size) == 0 ? static_cast<std::size_t>(size) : 0;
}

Task<bool> Stream::at_once(bool ready)
{
    return asio::async_initiate<decltype(kAwait), void(bool)>(
        [this, ready](auto handler) {
            loop_.post(Callback{[h = std::move(handler), ready](bool) mutable { std::move(h)(ready); }});
        },
        kAwait);
}

Task<bool> Stream::readable(Look look)
{
    if (!watch_)
        return at_once(false);
    if (read_ahead_) // bytes that the socket no longer shows
        return at_once(true);
    return read_wants_write_ ? watch_->writable() : watch_->readable(look);
}

Task<bool> Stream::writable()
{
    if (!watch_)
        return at_once(false);
    return write_wants_read_ ? watch_->readable() : watch_->writable();
}

SSL* Stream::start_tls(SSL_CTX& context)
{
    ERR_clear_error();
    tls_.reset(SSL_new(&context));
    BIO* const bio = BIO_new(through_stream());
    if (!tls_ || !bio) {
        BIO_free(bio);
        tls_.reset();
        return nullptr;
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls_.get(), bio, bio);
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
        auto waiting = what == SSL_ERROR_WANT_READ ? watch_->readable() : watch_->writable();
        const bool ready = co_await std::move(waiting);
        if (!ready || !tls_) { // closed meanwhile
            broken_ = true;
            co_return std::string{"closed"};
        }
    }
    read_ahead_ = SSL_has_pending(tls_.get()) == 1; // the first message may have come with the handshake's last
    co_return std::string{};
}

std::size_t Stream::read_some(std::span<char> to, error_code& error)
{
    return tls_ ? read_some_tls(to, error, false) : read_some_plain(to, error, 0);
}

std::size_t Stream::peek_some(std::span<char> to, error_code& error)
{
    return tls_ ? read_some_tls(to, error, true) : read_some_plain(to, error, MSG_PEEK);
}

std::size_t Stream::read_some_plain(std::span<char> to, error_code& error, int flags)
{
    error = {};
    ssize_t size = 0;
    do {
        size = ::recv(socket_, to.data(), to.size(), flags);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        if (static_cast<std::size_t>(size) < to.size() && (flags & MSG_PEEK) == 0)
            watch_->drained();
        return static_cast<std::size_t>(size);
    }
    error = size == 0 ? error_code{asio::error::eof} : last_error();
    if (error == asio::error::would_block)
        watch_->drained();
    return 0;
}

std::size_t Stream::read_some_tls(std::span<char> to, error_code& error, bool peek)
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

bool Stream::write_some_plain(Gather& gather)
{
    while (!gather.empty()) {
        const auto& parts = gather.parts();
        std::array<iovec, kParts> vector; // NOLINT(cppcoreguidelines-pro-type-member-init): filled as far as it is used
        msghdr message{};
        message.msg_iov = vector.data();
        message.msg_iovlen = std::min(parts.size(), vector.size());
        for (std::size_t i = 0; i < message.msg_iovlen; ++i)
            vector[i] = {const_cast<void*>(parts[i].data()), parts[i].size()};
        const auto written = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
        if (written >= 0)
            gather.consume(static_cast<std::size_t>(written));
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return true;
        else if (errno != EINTR)
            return false;
    }
    return true;
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
    ::shutdown(socket_, SHUT_WR);
}

void Stream::shutdown()
{
    shutdown_send();
    ::shutdown(socket_, SHUT_RDWR);
}

void Stream::close()
{
    if (!is_open())
        return;
    say_close_notify();
    tls_.reset(); // before another may get the descriptor's number
    read_ahead_ = read_wants_write_ = write_wants_read_ = broken_ = said_close_ = false;
    if (watch_)
        watch_->give_up();
    watch_.reset();
    ::close(std::exchange(socket_, -1));
}

Task<bool> write_all(Stream& stream, Gather& gather)
{
    for (;;) {
        if (!stream.write_some(gather))
            co_return false;
        if (gather.empty())
            co_return true;
        const bool ready = co_await stream.writable();
        if (!ready)
            co_return false;
    }
}

Task<bool> read_exactly(Stream& stream, char* to, std::size_t size)
{
    while (size > 0) {
        error_code error;
        const auto read = stream.read_some({to, size}, error);
        to += read;
        size -= read;
        if (error && error != asio::error::would_block)
            co_return false;
        if (error) {
            const bool ready = co_await stream.readable();
            if (!ready)
                co_return false;
        }
    }
    co_return true;
}

} // namespace pgmemo::proxy
