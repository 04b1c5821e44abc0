#pragma once

#include "proxy/async.hpp"
#include "proxy/gather.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace pgmemo::proxy {

/// A socket, TCP or Unix, plain or with TLS on it. Reads and writes never wait; whoever gets `would_block` waits until
/// readable() or writable(). A plain stream costs nothing over its socket.
///
/// Errors:  asio::error::eof when the peer has closed, by close_notify where there is TLS; any other ends the stream.
/// Threads: one, the loop's.
class Stream {
public:
    explicit Stream(Loop& loop) noexcept
        : loop_(loop)
    {
    }
    ~Stream() { close(); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Takes over a socket, which is non-blocking from then on; what it had before is closed.
    void open(int socket);
    /// Connects a new socket; what it had before is closed.
    Task<boost::system::error_code> connect(const asio::ip::tcp::endpoint&);
    Task<boost::system::error_code> connect_unix(std::string path);

    bool is_open() const noexcept { return socket_ >= 0; }
    int socket() const noexcept { return socket_; }
    Executor executor() const noexcept { return Executor{loop_}; }
    const SSL* tls() const noexcept { return tls_.get(); } ///< null: plain
    bool is_unix() const noexcept;
    /// Nullopt for a Unix socket, and for one that is no longer connected.
    std::optional<asio::ip::tcp::endpoint> peer() const noexcept;
    /// How many bytes there are to be read from the socket, which with TLS are not the client's.
    std::size_t available() const noexcept;

    /// Puts TLS on the socket; `handshake` then does its part.
    SSL* start_tls(SSL_CTX& context);
    enum class Side : std::uint8_t { server, client };
    /// Empty when done, else why not, in OpenSSL's words.
    Task<std::string> handshake(Side side);

    std::size_t read_some(std::span<char> to, boost::system::error_code& error);
    /// The same, but what was read stays to be read again.
    std::size_t peek_some(std::span<char> to, boost::system::error_code& error);
    /// TLS holds bytes, perhaps only a part of a record, that the socket no longer shows.
    bool has_read_ahead() const noexcept { return read_ahead_; }
    /// What the socket itself has, below TLS; `flags` are recv's.
    std::size_t read_some_plain(std::span<char> to, boost::system::error_code& error, int flags);
    /// Until there is something to read, or why there will be nothing. False: the stream was closed meanwhile.
    Task<bool> readable(Look look = {});

    /// Writes as much as the kernel takes without waiting. False: the connection is gone.
    bool write_some(Gather& gather) { return tls_ ? write_some_tls(gather) : write_some_plain(gather); }
    Task<bool> writable();

    void shutdown();      ///< both ways: whoever waits to read learns of it
    void shutdown_send(); ///< says that nothing more comes: close_notify, then FIN
    void close();

private:
    struct Free {
        void operator()(SSL* tls) const noexcept { SSL_free(tls); }
    };

    std::size_t read_some_tls(std::span<char> to, boost::system::error_code& error, bool peek);
    bool write_some_plain(Gather& gather);
    bool write_some_tls(Gather& gather);
    Task<boost::system::error_code> connect(int family, const sockaddr* address, std::size_t size);
    Task<bool> at_once(bool ready);
    void say_close_notify() noexcept;

    Loop& loop_;
    int socket_ = -1;
    std::optional<Watch> watch_; ///< while it is open
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
