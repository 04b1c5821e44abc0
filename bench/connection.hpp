#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::bench {

struct Server {
    std::string host = "127.0.0.1";
    std::uint16_t port = 5432;
    std::string database = "postgres";
    std::string user = "postgres"; ///< who comes in without a password
};

/// A client's connection. Errors are std::runtime_error: a benchmark that has lost a connection has no figures.
class Connection {
public:
    /// Connects and logs in; blocks. Afterwards the socket does not.
    explicit Connection(const Server&);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    int descriptor() const noexcept { return socket_; }
    /// Asks and waits for the ReadyForQuery behind it.
    void ask(std::string_view bytes);
    /// Sends; what the socket does not take at once is waited for.
    void send(std::string_view bytes);

    struct Received {
        std::size_t ready = 0; ///< ReadyForQuery
        std::size_t errors = 0;
    };
    /// What can be read now, counted and thrown away.
    Received receive();

private:
    void wait(short events) const;

    int socket_ = -1;
    std::vector<char> buffer_;
    std::size_t held_ = 0; // bytes of a message's head that are not whole
    std::size_t skip_ = 0; // of the present message, still to come
};

} // namespace pgmemo::bench
