#include "proxy/own_connection.hpp"

#include <poll.h>

#include <utility>

namespace pgmemo::proxy {
namespace {

using namespace std::chrono_literals;
constexpr auto kQueryLimit = 60s;

// libpq's messages have lines; a log line is one.
std::string one_line(std::string_view message)
{
    std::string text;
    for (const char c : message) {
        if (c != '\n' && c != '\t')
            text += c;
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
    }
    while (!text.empty() && text.back() == ' ')
        text.pop_back();
    return text;
}

} // namespace

OwnConnection::OwnConnection(const UpstreamTarget& target, std::string_view database, const std::atomic<bool>& stop,
                             OwnUse use)
    : stop_(stop)
    , connection_(nullptr, &PQfinish)
{
    const auto options = target.own_connection(database, use);
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [key, value] : options) {
        keywords.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (!connection_)
        throw OwnConnectionError("out of memory");
    if (PQstatus(connection_.get()) == CONNECTION_BAD)
        fail();
    const auto deadline = std::chrono::steady_clock::now() + target.connect_timeout();
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(connection_.get())) {
        if (state == PGRES_POLLING_FAILED)
            fail();
        wait(state == PGRES_POLLING_WRITING, deadline);
    }
}

OwnConnection::Result OwnConnection::query(const std::string& sql)
{
    if (PQsendQuery(connection_.get(), sql.c_str()) == 0)
        fail();
    return results();
}

OwnConnection::Result OwnConnection::query(const std::string& sql, const std::vector<std::string>& parameters)
{
    std::vector<const char*> values;
    for (const auto& value : parameters)
        values.push_back(value.c_str());
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                          nullptr, nullptr, 0) == 0)
        fail();
    return results();
}

OwnConnection::Result OwnConnection::results()
{
    const auto deadline = std::chrono::steady_clock::now() + kQueryLimit;
    Result last{nullptr, &PQclear};
    std::string error;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            wait(false, deadline);
            if (PQconsumeInput(connection_.get()) == 0)
                fail();
        }
        Result result{PQgetResult(connection_.get()), &PQclear};
        if (!result)
            break;
        const auto status = PQresultStatus(result.get());
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            error = one_line(PQresultErrorMessage(result.get())); // and on, so that the connection may be asked again
        last = std::move(result);
    }
    if (!error.empty())
        throw OwnConnectionError(error);
    return last;
}

std::vector<std::optional<std::string_view>> OwnConnection::row(const Result& result, int number)
{
    std::vector<std::optional<std::string_view>> columns;
    for (int column = 0; column < PQnfields(result.get()); ++column) {
        if (PQgetisnull(result.get(), number, column) != 0)
            columns.emplace_back(std::nullopt);
        else
            columns.emplace_back(std::string_view{PQgetvalue(result.get(), number, column),
                                                  static_cast<std::size_t>(PQgetlength(result.get(), number, column))});
    }
    return columns;
}

void OwnConnection::wait(bool for_write, std::chrono::steady_clock::time_point deadline) const
{
    for (;;) {
        if (stop_.load(std::memory_order_relaxed))
            throw OwnConnectionError("pgmemo is stopping");
        if (std::chrono::steady_clock::now() > deadline)
            throw OwnConnectionError("no answer in time");
        pollfd descriptor{PQsocket(connection_.get()), static_cast<short>(for_write ? POLLOUT : POLLIN), 0};
        if (::poll(&descriptor, 1, 100) != 0)
            return; // ready, or an error that libpq will find
    }
}

void OwnConnection::fail() const
{
    throw OwnConnectionError(one_line(PQerrorMessage(connection_.get())));
}

} // namespace pgmemo::proxy
