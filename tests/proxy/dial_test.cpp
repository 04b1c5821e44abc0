#include "proxy/dial.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pgmemo::proxy {
namespace {

using tcp = asio::ip::tcp;

int option(const Stream& stream, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(stream.socket(), level, name, &value, &size);
    return value;
}

TEST(Tune, PutsEveryOptionOnTheSocket)
{
    asio::io_context io;
    tcp::acceptor acceptor{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
    tcp::socket connected{io};
    connected.connect(acceptor.local_endpoint());
    Loop loop;
    Stream socket{loop};
    socket.open(connected.release());
    tune(socket, {true, 11, 12, 13, 14'000});
    EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 11);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPINTVL), 12);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPCNT), 13);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 14'000);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
    tune(socket, {false, 0, 0, 0, 0});
    EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 11) << "0 leaves it";
}

TEST(Ways, AreTriedInLibpqsOrder)
{
    EXPECT_EQ(ways_of(SslMode::disable).first, Way::plain);
    EXPECT_FALSE(ways_of(SslMode::disable).second);
    EXPECT_EQ(ways_of(SslMode::allow).first, Way::plain);
    EXPECT_EQ(ways_of(SslMode::allow).second, Way::tls_or_plain);
    EXPECT_EQ(ways_of(SslMode::prefer).first, Way::tls_or_plain);
    EXPECT_EQ(ways_of(SslMode::prefer).second, Way::plain);
    for (const auto mode : {SslMode::require, SslMode::verify_ca, SslMode::verify_full}) {
        EXPECT_EQ(ways_of(mode).first, Way::tls);
        EXPECT_FALSE(ways_of(mode).second);
    }
}

} // namespace
} // namespace pgmemo::proxy
