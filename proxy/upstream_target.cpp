#include "proxy/upstream_target.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace pgmemo::proxy {
namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::vector<std::string> split(const std::string& list)
{
    std::vector<std::string> items(1);
    for (const char c : list) {
        if (c == ',')
            items.emplace_back();
        else
            items.back() += c;
    }
    return items;
}

// libpq quotes what it could not read, and that may hold a password.
std::string without_secrets(std::string_view message)
{
    std::string text;
    const bool names_a_keyword =
        message.starts_with("invalid URI query parameter") || message.starts_with("invalid connection option");
    if (names_a_keyword)
        return std::string{message.substr(0, message.find('\n'))};
    bool quoted = false;
    for (const char c : message) {
        if (c == '"') {
            quoted = !quoted;
            text += quoted ? "\"…" : "\"";
        } else if (!quoted && c != '\n') {
            text += c;
        }
    }
    return text;
}

} // namespace

std::string UpstreamTarget::Host::text() const
{
    return is_unix() ? fmt::format("{}/.s.PGSQL.{}", host, port) : fmt::format("{}:{}", host, port);
}

UpstreamTarget::UpstreamTarget(const std::string& uri)
{
    char* error = nullptr;
    const Options parsed{PQconninfoParse(uri.c_str(), &error), &PQconninfoFree};
    if (!parsed) {
        const auto reason = without_secrets(error ? error : "out of memory");
        PQfreemem(error);
        throw std::invalid_argument(fmt::format("upstream: {}", reason));
    }
    for (const auto* option = parsed.get(); option->keyword; ++option) {
        if (option->val)
            options_.emplace_back(option->keyword, option->val);
    }
    for (const auto& [key, service] : options_) {
        if (key == "service")
            ::setenv("PGSERVICE", service.c_str(), 1); // libpq looks a service up among its defaults only
    }
    const Options defaults{PQconndefaults(), &PQconninfoFree};
    const auto value = [this, &defaults](std::string_view keyword) -> std::string {
        for (const auto& [key, text] : options_) {
            if (key == keyword)
                return text;
        }
        for (const auto* option = defaults.get(); option && option->keyword; ++option) {
            if (option->keyword == keyword && option->val)
                return option->val;
        }
        return {};
    };

    const auto sslmode = value("sslmode");
    if (sslmode == "require" || sslmode == "verify-ca" || sslmode == "verify-full")
        throw std::invalid_argument(
            fmt::format("upstream: sslmode={} asks for TLS, which this version of pgmemo cannot speak yet; use "
                        "sslmode=disable on a network that you trust",
                        sslmode));

    auto hosts = split(value("host"));
    const auto addresses = split(value("hostaddr"));
    if (addresses.size() > 1 && hosts.size() > 1 && addresses.size() != hosts.size())
        throw std::invalid_argument(fmt::format("upstream: {} addresses for {} hosts", addresses.size(), hosts.size()));
    hosts.resize(std::max(hosts.size(), addresses.size()));
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (!addresses[i].empty())
            hosts[i] = addresses[i];
    }
    const auto ports = split(value("port"));
    if (ports.size() > 1 && ports.size() != hosts.size())
        throw std::invalid_argument(fmt::format("upstream: {} ports for {} hosts", ports.size(), hosts.size()));
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const auto& port = ports.size() > 1 ? ports[i] : ports.front();
        hosts_.push_back({hosts[i].empty() ? "/var/run/postgresql" : hosts[i], port.empty() ? "5432" : port});
        if (!hosts_.back().host.empty() && hosts_.back().host.front() == '@')
            throw std::invalid_argument("upstream: Unix sockets in the abstract namespace are not supported");
    }
    const auto timeout = value("connect_timeout");
    int seconds = 0;
    if (std::from_chars(timeout.data(), timeout.data() + timeout.size(), seconds).ec == std::errc{} && seconds > 0)
        connect_timeout_ = std::chrono::seconds{seconds < 2 ? 2 : seconds}; // as libpq rounds it
}

std::string UpstreamTarget::text() const
{
    std::string text;
    for (const auto& host : hosts_) {
        if (!text.empty())
            text += ", ";
        text += host.text();
    }
    return text;
}

std::vector<std::pair<std::string, std::string>> UpstreamTarget::own_connection(std::string_view database,
                                                                                OwnUse use) const
{
    std::vector<std::pair<std::string, std::string>> options;
    for (const auto& [key, value] : options_) {
        if (key != "dbname" && key != "application_name" && key != "options" && key != "client_encoding" &&
            key != "replication" && key != "connect_timeout")
            options.emplace_back(key, value);
    }
    options.emplace_back("dbname", database);
    options.emplace_back("application_name", "pgmemo");
    options.emplace_back("connect_timeout", std::to_string(connect_timeout_.count()));
    if (use == OwnUse::session)
        return options;
    options.emplace_back("client_encoding", "UTF8");
    options.emplace_back("options", "-c search_path=pg_catalog -c statement_timeout=30s -c lock_timeout=5s "
                                    "-c default_transaction_read_only=on -c idle_in_transaction_session_timeout=60s");
    return options;
}

std::string UpstreamTarget::own_database() const
{
    for (const auto& [key, value] : options_) {
        if (key == "dbname")
            return value;
    }
    return {};
}

} // namespace pgmemo::proxy
