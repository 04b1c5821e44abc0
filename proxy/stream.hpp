#pragma once

#include "proxy/async.hpp"
#include "proxy/gather.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pgmemo::proxy {

/// A socket, plain or with TLS on it. Reads and writes never wait; whoever gets `would_block` waits for the socket to
/// become ready as read_wait() and write_wait() say. A plain stream costs nothing over its socket.
///
/// Use:     before waiting to read, ask has_read_ahead(): TLS may hold bytes that the socket no longer shows.
/// Errors:  asio::error::eof when the peer has closed, by close_notify where there is TLS; any other ends the stream.
/// Threads: one.
class Stream {
public:
    explicit Stream(Socket socket)
        : socket_(std::move(socket))
    {
    }
    ~Stream() { close(); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Socket& socket() noexcept { return socket_; }
    const Socket& socket() const noexcept { return socket_; }
    const SSL* tls() const noexcept { return tls_.get(); } ///< null: plain

    /// Puts TLS on the socket; `handshake` then does its part. The socket must be non-blocking.
    SSL* start_tls(SSL_CTX& context);
    enum class Side : std::uint8_t { server, client };
    /// Empty when done, else why not, in OpenSSL's words.
    Task<std::string> handshake(Side side);

    std::size_t read_some(std::span<char> to, boost::system::error_code& error);
    /// The same, but what was read stays to be read again.
    std::size_t peek_some(std::span<char> to, boost::system::error_code& error);
    bool has_read_ahead() const noexcept { return read_ahead_; }
    Socket::wait_type read_wait() const noexcept { return read_wants_write_ ? Socket::wait_write : Socket::wait_read; }

    /// Writes as much as the kernel takes without waiting. False: the connection is gone.
    bool write_some(Gather& gather) { return tls_ ? write_some_tls(gather) : proxy::write_some(socket_, gather); }
    Socket::wait_type write_wait() const noexcept { return write_wants_read_ ? Socket::wait_read : Socket::wait_write; }

    void shutdown_send(); ///< says that nothing more comes: close_notify, then FIN
    void close();

private:
    struct Free {
        void operator()(SSL* tls) const noexcept { SSL_free(tls); }
    };

    std::size_t read_some_tls(std::span<char> to, boost::system::error_code& error, bool peek);
    bool write_some_tls(Gather& gather);
    void say_close_notify() noexcept;

    Socket socket_;
    std::unique_ptr<SSL, Free> tls_;
    bool read_ahead_ = false;
    bool read_wants_write_ = false;
    bool write_wants_read_ = false;
    bool broken_ = false; ///< TLS forbids another word after a fatal error
    bool said_close_ = false;
};

/// Writes all of it, waiting where it must. False: the connection is gone.
Task<bool> write_all(Stream& stream, Gather& gather);

/// Reads exactly `size` bytes. False: they never came.
Task<bool> read_exactly(Stream& stream, char* to, std::size_t size);

} // namespace pgmemo::proxy
