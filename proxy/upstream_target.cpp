#include "proxy/upstream_target.hpp"

#include "proxy/conninfo.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <openssl/x509.h>
#include <unistd.h>

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

bool knows(const Options& options, std::string_view keyword)
{
    for (const auto* option = options.get(); option && option->keyword; ++option) {
        if (option->keyword == keyword)
            return true;
    }
    return false;
}

std::string environment(const char* name)
{
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): at start, before there are threads
    return value ? value : "";
}

/// What the system trusts as one file, for a libpq that does not know `sslrootcert=system`.
std::string system_roots()
{
    for (const auto& file :
         {environment("SSL_CERT_FILE"), std::string{X509_get_default_cert_file()},
          std::string{"/etc/ssl/certs/ca-certificates.crt"}, std::string{"/etc/pki/tls/certs/ca-bundle.crt"}}) {
        if (!file.empty() && ::access(file.c_str(), R_OK) == 0)
            return file;
    }
    return "system";
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
    std::string known_to_libpq = uri;
    auto negotiation = environment("PGSSLNEGOTIATION");
    if (!knows(Options{PQconndefaults(), &PQconninfoFree}, "sslnegotiation")) // libpq 17 does
        negotiation = take_keyword(known_to_libpq, "sslnegotiation").value_or(negotiation);
    char* error = nullptr;
    const Options parsed{PQconninfoParse(known_to_libpq.c_str(), &error), &PQconninfoFree};
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

    auto hosts = split(value("host"));
    const auto addresses = split(value("hostaddr"));
    if (addresses.size() > 1 && hosts.size() > 1 && addresses.size() != hosts.size())
        throw std::invalid_argument(fmt::format("upstream: {} addresses for {} hosts", addresses.size(), hosts.size()));
    hosts.resize(std::max(hosts.size(), addresses.size()));
    const auto names = hosts;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (!addresses[i].empty())
            hosts[i] = addresses[i];
    }
    const auto ports = split(value("port"));
    if (ports.size() > 1 && ports.size() != hosts.size())
        throw std::invalid_argument(fmt::format("upstream: {} ports for {} hosts", ports.size(), hosts.size()));
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const auto& port = ports.size() > 1 ? ports[i] : ports.front();
        hosts_.push_back({hosts[i].empty() ? "/var/run/postgresql" : hosts[i], port.empty() ? "5432" : port, names[i]});
        if (!hosts_.back().host.empty() && hosts_.back().host.front() == '@')
            throw std::invalid_argument("upstream: Unix sockets in the abstract namespace are not supported");
    }
    if (value("gssencmode") == "require")
        throw std::invalid_argument(
            "upstream: gssencmode=require asks for GSSAPI encryption, which pgmemo cannot speak");
    const auto given = value("sslnegotiation");
    negotiation = given.empty() ? negotiation : given;
    if (!negotiation.empty() && negotiation != "postgres" && negotiation != "direct")
        throw std::invalid_argument(fmt::format("upstream: invalid sslnegotiation value: \"{}\"", negotiation));
    tls_options_.direct = negotiation == "direct";
    const auto or_default = [&value](std::string_view keyword, const std::string& otherwise) {
        const auto text = value(keyword);
        return text.empty() ? otherwise : text;
    };
    try {
        tls_options_.mode = parse_ssl_mode(or_default("sslmode", "prefer"));
        channel_binding_ = parse_channel_binding(or_default("channel_binding", "prefer"));
        tls_options_.root_certificate = value("sslrootcert");
        const bool mode_is_given =
            !environment("PGSSLMODE").empty() ||
            std::any_of(options_.begin(), options_.end(), [](const auto& option) { return option.first == "sslmode"; });
        if (tls_options_.root_certificate == "system" && !mode_is_given) {
            tls_options_.mode = SslMode::verify_full;
            options_.emplace_back("sslmode", "verify-full");
        }
        tls_options_.certificate = value("sslcert");
        tls_options_.key = value("sslkey");
        tls_options_.passphrase = value("sslpassword");
        tls_options_.crl = value("sslcrl");
        tls_options_.crl_directory = value("sslcrldir");
        tls_options_.min_version = or_default("ssl_min_protocol_version", "TLSv1.2");
        tls_options_.max_version = value("ssl_max_protocol_version");
        tls_options_.sni = value("sslsni") != "0";
        tls_ = std::make_shared<TlsInForce>(load_tls());
    } catch (const std::invalid_argument& refused) {
        throw std::invalid_argument(fmt::format("upstream: {}", refused.what()));
    }
    const auto number = [&value](std::string_view keyword) {
        const auto text = value(keyword);
        int read = 0;
        std::from_chars(text.data(), text.data() + text.size(), read);
        return std::max(read, 0);
    };
    tcp_.keep_alive = value("keepalives") != "0";
    tcp_.idle_seconds = number("keepalives_idle");
    tcp_.interval_seconds = number("keepalives_interval");
    tcp_.count = number("keepalives_count");
    tcp_.user_timeout_ms = number("tcp_user_timeout");
    const auto timeout = value("connect_timeout");
    int seconds = 0;
    if (std::from_chars(timeout.data(), timeout.data() + timeout.size(), seconds).ec == std::errc{} && seconds > 0)
        connect_timeout_ = std::chrono::seconds{seconds < 2 ? 2 : seconds}; // as libpq rounds it
}

TlsInForce::Context UpstreamTarget::load_tls() const
{
    return may_use_tls() ? load_upstream_tls(tls_options_) : nullptr;
}

bool UpstreamTarget::may_use_tls() const noexcept
{
    return std::any_of(hosts_.begin(), hosts_.end(),
                       [this](const Host& host) { return ssl_mode(host) != SslMode::disable; });
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
            options.emplace_back(
                key, key == "sslrootcert" && value == "system" && PQlibVersion() < 160000 ? system_roots() : value);
    }
    options.emplace_back("dbname", database);
    options.emplace_back("application_name", "pgmemo");
    options.emplace_back("connect_timeout", std::to_string(connect_timeout_.count()));
    if (use == OwnUse::session)
        return options;
    options.emplace_back("client_encoding", "UTF8");
    options.emplace_back("options", "-c search_path=pg_catalog,pg_temp -c statement_timeout=30s -c lock_timeout=5s "
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
