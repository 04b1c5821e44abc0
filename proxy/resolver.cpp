#include "proxy/resolver.hpp"

#include "proxy/async.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <charconv>
#include <memory>
#include <optional>

namespace pgmemo::proxy {
namespace {

using tcp = asio::ip::tcp;

/// Given back to the thread of who asked, to be freed there.
struct Question {
    Question(std::string h, std::string s, Executor executor)
        : host(std::move(h))
        , service(std::move(s))
        , answered(executor)
    {
    }
    std::string host;
    std::string service;
    Event answered;
    std::optional<Resolver::Found> found;
};

Resolver::Found look_up(const std::string& host, const std::string& service)
{
    Resolver::Found found;
    asio::io_context io; // the resolver asks for one, and does not use it
    for (const auto& entry : tcp::resolver{io}.resolve(host, service, found.error))
        found.endpoints.push_back(entry.endpoint());
    return found;
}

std::optional<tcp::endpoint> as_address(const std::string& host, const std::string& service)
{
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(service.data(), service.data() + service.size(), port);
    if (error || failure != std::errc{} || end != service.data() + service.size())
        return std::nullopt;
    return tcp::endpoint{address, port};
}

} // namespace

Task<Resolver::Found> Resolver::resolve(std::string host, std::string service, Executor executor)
{
    if (const auto address = as_address(host, service)) {
        Found found;
        found.endpoints.push_back(*address);
        co_return found;
    }
    auto question = std::make_shared<Question>(std::move(host), std::move(service), executor);
    asio::post(thread_, [question, executor]() mutable {
        auto found = look_up(question->host, question->service);
        asio::post(executor, [question = std::move(question), found = std::move(found)]() mutable {
            question->found = std::move(found);
            question->answered.notify();
        });
    });
    while (!question->found) {
        co_await question->answered.wait();
    }
    co_return std::move(*question->found);
}

} // namespace pgmemo::proxy
