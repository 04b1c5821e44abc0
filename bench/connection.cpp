#include "bench/connection.hpp"

#include "wire/integers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace pgmemo::bench {
namespace {

constexpr std::size_t kBuffer = 64 * 1024;
constexpr std::size_t kHead = 5;

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error{what + ": " + std::strerror(errno)};
}

} // namespace

Connection::Connection(const Server& server)
    : buffer_(kBuffer)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    if (inet_pton(AF_INET, server.host.c_str(), &address.sin_addr) != 1)
        throw std::runtime_error{"not an IPv4 address: " + server.host};
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0)
        fail("socket");
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const auto why = errno;
        ::close(socket_);
        errno = why;
        fail("connect");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);

    std::string body{"\0\3\0\0", 4};
    for (const auto& word : {std::string{"user"}, server.user, std::string{"database"}, server.database})
        body.append(word).push_back('\0');
    body.push_back('\0');
    std::string startup;
    wire::append_u32(startup, static_cast<std::uint32_t>(body.size() + 4));
    ask(startup + body);
}

Connection::~Connection()
{
    const std::string_view terminate{"X\0\0\0\4", kHead};
    ::send(socket_, terminate.data(), terminate.size(), MSG_NOSIGNAL);
    ::close(socket_);
}

void Connection::wait(short events) const
{
    pollfd one{socket_, events, 0};
    if (::poll(&one, 1, 30'000) <= 0)
        throw std::runtime_error{"no answer for 30 seconds"};
}

void Connection::ask(std::string_view bytes)
{
    send(bytes);
    for (;;) {
        wait(POLLIN);
        const auto got = receive();
        if (got.errors > 0)
            throw std::runtime_error{"the server answers with an error"};
        if (got.ready > 0)
            return;
    }
}

void Connection::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            wait(POLLOUT);
        else if (errno != EINTR)
            fail("send");
    }
}

Connection::Received Connection::receive()
{
    Received received;
    const auto size = ::recv(socket_, buffer_.data() + held_, buffer_.size() - held_, 0);
    if (size == 0)
        throw std::runtime_error{"the server has closed the connection"};
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return received;
        fail("recv");
    }
    const char* at = buffer_.data();
    std::size_t left = held_ + static_cast<std::size_t>(size);
    for (;;) {
        const auto skipped = std::min(skip_, left);
        at += skipped;
        left -= skipped;
        skip_ -= skipped;
        if (left < kHead)
            break;
        received.ready += *at == 'Z';
        received.errors += *at == 'E';
        const std::size_t length = wire::read_u32(at + 1);
        if (length < 4)
            throw std::runtime_error{"the server does not speak the protocol"};
        skip_ = length + 1;
    }
    std::memmove(buffer_.data(), at, left);
    held_ = left;
    return received;
}

} // namespace pgmemo::bench
