// The smallest server that there can be: whatever is asked, the same canned reply. What it costs is what sockets cost.
//
// One thread, or several that each accept by SO_REUSEPORT; level-triggered epoll, one read and one write for a batch of
// messages.

#include "wire/backend.hpp"
#include "wire/integers.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pgmemo::bench {
namespace {

struct Replies {
    std::string login, parse, bind, describe, execute, query, sync;

    Replies(std::size_t rows, std::size_t width)
    {
        wire::append_message(login, 'R', std::string(4, '\0'));
        for (const auto& [name, value] :
             {std::pair{"server_version", "15.0"}, {"client_encoding", "UTF8"}, {"standard_conforming_strings", "on"}})
            wire::append_message(login, 'S', std::string{name} + '\0' + value + '\0');
        wire::append_backend_key_data(login, 1, "0000");
        wire::append_ready_for_query(login, wire::Status::idle);
        wire::append_message(parse, '1', {});
        wire::append_message(bind, '2', {});
        std::string column{"\0\1", 2};
        column.append("abalance").append("\0\0\0\x40\0\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0\0", 19);
        wire::append_message(describe, 'T', column);
        std::string row{"\0\1", 2};
        wire::append_u32(row, static_cast<std::uint32_t>(width));
        row.append(width, '0');
        for (std::size_t i = 0; i < rows; ++i)
            wire::append_message(execute, 'D', row);
        wire::append_command_complete(execute, "SELECT " + std::to_string(rows));
        wire::append_ready_for_query(sync, wire::Status::idle);
        query = describe + execute + sync;
    }
    const std::string* to(char type) const noexcept
    {
        switch (type) {
        case 'Q':
            return &query;
        case 'P':
            return &parse;
        case 'B':
            return &bind;
        case 'D':
            return &describe;
        case 'E':
            return &execute;
        case 'S':
            return &sync;
        default:
            return nullptr;
        }
    }
};

struct Client {
    int socket = -1;
    bool started = false;
    std::size_t held = 0;
    std::array<char, 16 * 1024> buffer{};
};

/// Answers all whole messages in the buffer. False: what came is not understood, or the client is gone.
bool answer(Client& client, const Replies& replies, std::string& out)
{
    out.clear();
    const char* at = client.buffer.data();
    std::size_t left = client.held;
    while (left >= 5) {
        const std::size_t head = client.started ? 1 : 0;
        const std::size_t size = head + wire::read_u32(at + head);
        if (size < head + 4 || size > client.buffer.size())
            return false;
        if (size > left)
            break;
        if (!client.started) {
            client.started = true;
            out += replies.login;
        } else if (const auto* const reply = replies.to(*at)) {
            out += *reply;
        }
        at += size;
        left -= size;
    }
    std::memmove(client.buffer.data(), at, left);
    client.held = left;
    for (std::string_view rest = out; !rest.empty();) {
        const auto sent = ::send(client.socket, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void serve(std::uint16_t port, const Replies& replies)
{
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 1024) != 0) {
        fmt::print(stderr, "null_responder: port {}: {}\n", port, std::strerror(errno));
        std::exit(3);
    }
    const int poll = ::epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event); // data.ptr: null
    std::string out;
    std::array<epoll_event, 256> events{};
    for (;;) {
        const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            auto* const client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (client == nullptr) {
                const int socket = ::accept4(listener, nullptr, nullptr, 0);
                if (socket < 0)
                    continue;
                ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event.data.ptr = new Client{socket}; // NOLINT(cppcoreguidelines-owning-memory): deleted when it goes
                ::epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event);
                continue;
            }
            const auto size =
                ::recv(client->socket, client->buffer.data() + client->held, client->buffer.size() - client->held, 0);
            client->held += size > 0 ? static_cast<std::size_t>(size) : 0;
            if (size <= 0 || !answer(*client, replies, out)) {
                ::close(client->socket);
                delete client; // NOLINT(cppcoreguidelines-owning-memory): made where it was accepted
            }
        }
    }
}

} // namespace
} // namespace pgmemo::bench

int main(int argc, char** argv)
{
    std::uint16_t port = 0;
    std::size_t threads = 1;
    std::size_t rows = 1;
    std::size_t width = 1;
    CLI::App app{"Answers every query with the same bytes."};
    app.add_option("--port", port)->required();
    app.add_option("--threads", threads)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--rows", rows)->capture_default_str();
    app.add_option("--width", width, "of a row's only column, in bytes")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const pgmemo::bench::Replies replies{rows, width};
    std::vector<std::jthread> running;
    for (std::size_t i = 1; i < threads; ++i)
        running.emplace_back([&] { pgmemo::bench::serve(port, replies); });
    pgmemo::bench::serve(port, replies);
}
