#include "admin/http_server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <ostream>
#include <sys/socket.h>
#include <thread>

namespace pgmemo::admin {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const config::Address kAnyPort{"127.0.0.1", 0, {}};

Views views()
{
    return {[] { return std::string("pgmemo_up 1\n"); }, []() -> std::optional<std::string> { return {}; }};
}

/// A client that says bytes and hears bytes; ten seconds of silence fail the test instead of hanging it.
template <class Protocol>
class Client {
public:
    explicit Client(const typename Protocol::endpoint& server)
        : socket_(io_)
    {
        socket_.connect(server);
        const timeval limit{10, 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    void say(std::string_view text)
    {
        boost::system::error_code ignored; // the server may have refused and closed already
        asio::write(socket_, asio::buffer(text), ignored);
    }
    void finish() { socket_.shutdown(asio::socket_base::shutdown_send); }

    /// All that comes until the server closes.
    std::string hear_all()
    {
        std::string heard;
        for (char bytes[4096];;) {
            const auto size = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
            if (size == 0)
                return heard;
            if (size < 0) {
                ADD_FAILURE() << "not closed by the server (errno " << errno << ") after: " << heard;
                return heard;
            }
            heard.append(bytes, static_cast<std::size_t>(size));
        }
    }
    /// Until `end` has come.
    std::string hear_until(std::string_view end)
    {
        std::string heard;
        for (char byte; !std::string_view(heard).ends_with(end);) {
            if (::recv(socket_.native_handle(), &byte, 1, 0) != 1) {
                ADD_FAILURE() << "ended or silent after: " << heard;
                return heard;
            }
            heard += byte;
        }
        return heard;
    }
    /// How many bytes come until the server closes, properly or not.
    std::size_t hear_rest()
    {
        std::size_t heard = 0;
        char bytes[4096];
        for (ssize_t size; (size = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0)) > 0;)
            heard += static_cast<std::size_t>(size);
        return heard;
    }
    bool is_closed_by_the_server(std::chrono::seconds patience = 10s)
    {
        char byte;
        const int flags = patience == 0s ? MSG_DONTWAIT : 0;
        const auto size = ::recv(socket_.native_handle(), &byte, 1, flags);
        return size == 0 || (size < 0 && errno != EAGAIN);
    }

private:
    asio::io_context io_;
    typename Protocol::socket socket_;
};

using TcpClient = Client<tcp>;

tcp::endpoint at(const HttpServer& server)
{
    return {asio::ip::make_address("127.0.0.1"), server.port()};
}

/// The whole answer to one request, on a connection of its own.
std::string ask(const HttpServer& server, const std::string& request)
{
    TcpClient client{at(server)};
    client.say(request);
    return client.hear_all();
}

std::string request(const std::string& method, const std::string& target)
{
    return method + ' ' + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

std::string body_of(const std::string& answer)
{
    const auto end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
}

TEST(HttpServer, TellsThePortThatItGot)
{
    HttpServer server{kAnyPort, views()};
    EXPECT_NE(server.port(), 0);
}

TEST(HttpServer, ServesTheMetrics)
{
    HttpServer server{kAnyPort, views()};
    const auto answer = ask(server, request("GET", "/metrics"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4\r\n"));
    EXPECT_EQ(body_of(answer), "pgmemo_up 1\n");
}

TEST(HttpServer, ServesTheDashboardWithoutTrustingIt)
{
    HttpServer server{kAnyPort, views()};
    const auto answer = ask(server, request("GET", "/"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'self' 'unsafe-inline'\r\n"));
    EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(body_of(answer), StartsWith("<!doctype html>"));
}

TEST(HttpServer, TellsHealthAndReadiness)
{
    std::atomic<bool> ready = false;
    auto shown = views();
    shown.not_ready = [&]() -> std::optional<std::string> {
        return ready ? std::nullopt : std::optional<std::string>("PostgreSQL cannot be reached.");
    };
    HttpServer server{kAnyPort, shown};
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n");
    EXPECT_THAT(ask(server, request("GET", "/readyz")), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_EQ(body_of(ask(server, request("GET", "/readyz"))), "PostgreSQL cannot be reached.\n");
    ready = true;
    EXPECT_THAT(ask(server, request("GET", "/readyz")), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpServer, AnswersHeadWithTheHeaderOfGet)
{
    HttpServer server{kAnyPort, views()};
    for (const std::string target : {"/metrics", "/healthz", "/readyz", "/", "/nowhere"}) {
        const auto get = ask(server, request("GET", target));
        const auto head = ask(server, request("HEAD", target));
        EXPECT_EQ(head, get.substr(0, get.size() - body_of(get).size())) << target;
        EXPECT_THAT(head, HasSubstr("Content-Length: " + std::to_string(body_of(get).size()) + "\r\n")) << target;
    }
}

TEST(HttpServer, KnowsNothingElse)
{
    HttpServer server{kAnyPort, views()};
    EXPECT_THAT(ask(server, request("GET", "/nowhere")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST(HttpServer, AllowsOnlyGetAndHead)
{
    HttpServer server{kAnyPort, views()};
    for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"}) {
        const auto answer = ask(server, request(method, "/metrics"));
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
        EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
        EXPECT_THAT(answer, Not(HasSubstr("pgmemo_up"))) << method;
    }
}

TEST(HttpServer, ServesManyRequestsOnOneConnection)
{
    HttpServer server{kAnyPort, views()};
    TcpClient client{at(server)};
    for (int i = 0; i < 100; ++i) {
        client.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_THAT(client.hear_until("ok\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
    }
}

TEST(HttpServer, AnswersPipelinedRequestsInTheirOrder)
{
    HttpServer server{kAnyPort, views()};
    const auto answers = ask(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" +
                                         request("GET", "/metrics"));
    const auto health = answers.find("\r\n\r\nok\n");
    const auto ready = answers.find("\r\n\r\nready\n");
    const auto metrics = answers.find("\r\n\r\npgmemo_up 1\n");
    EXPECT_LT(health, ready) << answers;
    EXPECT_LT(ready, metrics) << answers;
    EXPECT_NE(metrics, std::string::npos) << answers;
}

TEST(HttpServer, ClosesAfterARequestOfHttp10)
{
    HttpServer server{kAnyPort, views()};
    EXPECT_THAT(ask(server, "GET /healthz HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 200 OK\r\n"));
}

TEST(HttpServer, ReadsARequestHoweverTcpCutsIt)
{
    HttpServer server{kAnyPort, views()};
    const auto whole = request("GET", "/healthz");
    for (std::size_t cut = 1; cut < whole.size(); cut += 5) {
        TcpClient client{at(server)};
        client.say(whole.substr(0, cut));
        std::this_thread::sleep_for(1ms);
        client.say(whole.substr(cut));
        EXPECT_EQ(body_of(client.hear_all()), "ok\n") << cut;
    }
}

// What is refused

struct Bad {
    std::string name;
    std::string request;
    std::string status;
    friend std::ostream& operator<<(std::ostream& out, const Bad& row) { return out << row.request.substr(0, 60); }
};

class Refuses : public testing::TestWithParam<Bad> {};

TEST_P(Refuses, InOneAnswerAndCloses)
{
    HttpServer server{kAnyPort, views()};
    const auto answer = ask(server, GetParam().request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + GetParam().status));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "what follows a bad request is not a request";
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n") << "others are served on";
}

std::string get_with(const std::string& fields)
{
    return "GET /metrics HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

std::string many_fields(int count)
{
    std::string fields;
    for (int i = 0; i < count; ++i)
        fields += "X-Field-" + std::to_string(i) + ": some value\r\n";
    return fields;
}

INSTANTIATE_TEST_SUITE_P(
    HttpServer, Refuses,
    testing::Values(Bad{"Garbage", "\x01\x02\x03 what is this\r\n\r\n", "400"},
                    Bad{"AStartupMessage", std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), "400"},
                    Bad{"ATlsHello", std::string("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11), "400"},
                    Bad{"ALaterVersion", "GET / HTTP/2.0\r\n\r\n", "400"},
                    Bad{"AFieldWithoutItsColon", get_with("what is this\r\n"), "400"},
                    Bad{"TwoLengths", get_with("Content-Length: 0\r\nContent-Length: 5\r\n") + "12345", "400"},
                    Bad{"ANegativeLength", get_with("Content-Length: -1\r\n"), "400"},
                    Bad{"ABody", get_with("Content-Length: 5\r\n") + "12345", "413"},
                    Bad{"ABodyThatDoesNotCome", get_with("Content-Length: 5\r\n"), "413"},
                    Bad{"AHugeBody", get_with("Content-Length: 99999999999\r\n") + std::string(100'000, 'x'), "413"},
                    Bad{"AChunkedBody", get_with("Transfer-Encoding: chunked\r\n") + "5\r\n12345\r\n0\r\n\r\n", "413"},
                    Bad{"ABodyThatHidesARequest", get_with("Content-Length: 99\r\n") + request("GET", "/metrics"),
                        "413"},
                    Bad{"ALongTarget", "GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\n\r\n", "431"},
                    Bad{"ALongField", get_with("X-Long: " + std::string(9'000, 'x') + "\r\n"), "431"},
                    Bad{"ManyFields", get_with(many_fields(600)), "431"},
                    Bad{"ALineWithoutEnd", "GET /" + std::string(200'000, 'x'), "431"}),
    [](const auto& row) { return row.param.name; });

TEST(HttpServer, TakesAHeaderOfASizeThatBrowsersSend)
{
    HttpServer server{kAnyPort, views()};
    const auto answer = ask(server, get_with("Connection: close\r\nCookie: " + std::string(6'000, 'x') + "\r\n"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpServer, TakesAnEmptyBody)
{
    HttpServer server{kAnyPort, views()};
    EXPECT_THAT(ask(server, get_with("Connection: close\r\nContent-Length: 0\r\n")), StartsWith("HTTP/1.1 200 OK\r\n"));
}

// Clients that mean no good

TEST(HttpServer, ServesOthersWhileAClientSaysNothing)
{
    HttpServer server{kAnyPort, views()};
    TcpClient silent{at(server)};
    TcpClient slow{at(server)};
    slow.say("GET /metrics HTT");
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n");
    slow.say("P/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(slow.hear_all()), "pgmemo_up 1\n");
}

TEST(HttpServer, ServesOthersWhileAClientDoesNotRead)
{
    auto shown = views();
    shown.metrics = [] { return std::string(32u << 20, '#'); };
    HttpServer server{kAnyPort, shown};
    TcpClient deaf{at(server)};
    deaf.say(request("GET", "/metrics"));
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n");
    EXPECT_EQ(body_of(deaf.hear_all()).size(), 32u << 20) << "and it gets all of it when it wakes up";
}

TEST(HttpServer, ServesOthersWhenAClientLeavesInTheMiddle)
{
    HttpServer server{kAnyPort, views()};
    for (int i = 0; i < 200; ++i) {
        TcpClient client{at(server)};
        client.say(i % 2 == 0 ? "GET /metr" : request("GET", "/metrics"));
    }
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n");
}

TEST(HttpServer, ClosesWhenTheClientHasFinished)
{
    HttpServer server{kAnyPort, views()};
    TcpClient client{at(server)};
    client.say("GET /healthz HT");
    client.finish();
    EXPECT_EQ(client.hear_all(), "");
}

TEST(HttpServer, LosesPatienceWithAClientThatSaysNothing)
{
    HttpServer server{kAnyPort, views(), 50ms};
    TcpClient silent{at(server)};
    TcpClient idle{at(server)};
    idle.say("GET /healthz HTTP/1.1\r\n\r\n");
    EXPECT_THAT(idle.hear_all(), StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(silent.hear_all(), "");
}

TEST(HttpServer, LosesPatienceWithAClientThatNeverComesToAnEnd)
{
    HttpServer server{kAnyPort, views(), 100ms};
    TcpClient slow{at(server)};
    const auto begun = std::chrono::steady_clock::now();
    slow.say("GET /metrics HTTP/1.1\r\n");
    while (!slow.is_closed_by_the_server(0s) && std::chrono::steady_clock::now() - begun < 10s) {
        slow.say("X");
        std::this_thread::sleep_for(5ms);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << "a byte now and then must not keep it open";
}

TEST(HttpServer, LosesPatienceWithAClientThatDoesNotRead)
{
    auto shown = views();
    shown.metrics = [] { return std::string(32u << 20, '#'); };
    HttpServer server{kAnyPort, shown, 50ms};
    TcpClient deaf{at(server)};
    deaf.say(request("GET", "/metrics"));
    std::this_thread::sleep_for(300ms);
    EXPECT_LT(deaf.hear_rest(), 32u << 20);
}

TEST(HttpServer, TurnsAwayTheSixtyFifthUntilAnotherLeaves)
{
    HttpServer server{kAnyPort, views()};
    std::vector<std::unique_ptr<TcpClient>> clients;
    for (int i = 0; i < 64; ++i) {
        clients.push_back(std::make_unique<TcpClient>(at(server)));
        clients.back()->say("GET /healthz HTTP/1.1\r\n\r\n");
        clients.back()->hear_until("ok\n");
    }
    EXPECT_THAT(ask(server, ""), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    clients.pop_back();
    std::string answer;
    for (int i = 0; i < 1000 && !answer.ends_with("ok\n"); ++i) { // until the server has noticed
        std::this_thread::sleep_for(1ms);
        TcpClient client{at(server)};
        client.say(request("GET", "/healthz"));
        answer = client.hear_all();
    }
    EXPECT_EQ(body_of(answer), "ok\n");
}

// Views

TEST(HttpServer, AnswersWhenAViewThrows)
{
    auto shown = views();
    shown.metrics = []() -> std::string { throw std::runtime_error("out of luck"); };
    HttpServer server{kAnyPort, shown};
    EXPECT_THAT(ask(server, request("GET", "/metrics")), StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
    EXPECT_EQ(body_of(ask(server, request("GET", "/healthz"))), "ok\n");
}

TEST(HttpServer, CallsItsViewsFromOneThreadOfItsOwn)
{
    std::promise<std::thread::id> caller;
    auto shown = views();
    shown.metrics = [&] {
        caller.set_value(std::this_thread::get_id());
        return std::string();
    };
    HttpServer server{kAnyPort, shown};
    ask(server, request("GET", "/metrics"));
    EXPECT_NE(caller.get_future().get(), std::this_thread::get_id());
}

// Beginning and end

TEST(HttpServer, StopsWhileClientsAreConnected)
{
    auto shown = views();
    shown.metrics = [] { return std::string(32u << 20, '#'); };
    auto server = std::make_unique<HttpServer>(kAnyPort, shown);
    TcpClient silent{at(*server)};
    TcpClient slow{at(*server)};
    slow.say("GET /metr");
    TcpClient deaf{at(*server)};
    deaf.say("GET /metrics HTTP/1.1\r\n\r\n");
    deaf.hear_until("\r\n\r\n");
    const auto begun = std::chrono::steady_clock::now();
    server.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_TRUE(silent.is_closed_by_the_server());
    EXPECT_TRUE(slow.is_closed_by_the_server());
}

TEST(HttpServer, StopsBeforeAnythingWasAsked)
{
    for (int i = 0; i < 50; ++i)
        HttpServer server{kAnyPort, views()};
}

TEST(HttpServer, FreesItsPort)
{
    auto first = std::make_unique<HttpServer>(kAnyPort, views());
    const config::Address same{"127.0.0.1", first->port(), {}};
    ask(*first, request("GET", "/healthz"));
    first.reset();
    HttpServer second{same, views()};
    EXPECT_EQ(body_of(ask(second, request("GET", "/healthz"))), "ok\n");
}

TEST(HttpServer, ThrowsWhenThePortIsTaken)
{
    HttpServer first{kAnyPort, views()};
    const config::Address same{"127.0.0.1", first.port(), {}};
    try {
        HttpServer second{same, views()};
        FAIL() << "it listens where another does";
    } catch (const boost::system::system_error& error) {
        EXPECT_EQ(error.code(), asio::error::address_in_use);
        EXPECT_THAT(error.what(), HasSubstr("cannot listen on 127.0.0.1:" + std::to_string(first.port())));
    }
}

TEST(HttpServer, ThrowsWhenTheAddressIsNotOfThisMachine)
{
    const config::Address elsewhere{"192.0.2.1", 0, {}}; // set aside for documentation
    EXPECT_THROW((HttpServer{elsewhere, views()}), boost::system::system_error);
}

// Unix sockets

class UnixSocket : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "pgmemo-admin-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string path() const { return (directory_ / "http").string(); }
    config::Address address() const { return {"", 0, path()}; }

    std::string ask_there()
    {
        Client<asio::local::stream_protocol> client{asio::local::stream_protocol::endpoint{path()}};
        client.say(request("GET", "/healthz"));
        return body_of(client.hear_all());
    }

private:
    std::filesystem::path directory_;
};

TEST_F(UnixSocket, IsServedLikeAPortAndRemovedAtTheEnd)
{
    {
        HttpServer server{address(), views()};
        EXPECT_EQ(server.port(), 0);
        EXPECT_EQ(ask_there(), "ok\n");
    }
    EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(UnixSocket, IsTakenOverFromAProcessThatDied)
{
    asio::io_context io;
    { // closed, but not removed
        asio::local::stream_protocol::acceptor dead{io, asio::local::stream_protocol::endpoint{path()}};
    }
    ASSERT_TRUE(std::filesystem::exists(path()));
    HttpServer server{address(), views()};
    EXPECT_EQ(ask_there(), "ok\n");
}

TEST_F(UnixSocket, IsNotTakenFromAProcessThatLives)
{
    HttpServer first{address(), views()};
    EXPECT_THROW((HttpServer{address(), views()}), boost::system::system_error);
    EXPECT_EQ(ask_there(), "ok\n");
}

TEST_F(UnixSocket, DoesNotReplaceAFile)
{
    std::ofstream{path()} << "precious";
    EXPECT_THROW((HttpServer{address(), views()}), boost::system::system_error);
    EXPECT_EQ(std::filesystem::file_size(path()), 8u);
}

TEST_F(UnixSocket, ThrowsWhenThePathIsTooLong)
{
    const config::Address longer{"", 0, path() + std::string(200, 'x')};
    EXPECT_THROW((HttpServer{longer, views()}), boost::system::system_error);
}

} // namespace
} // namespace pgmemo::admin
