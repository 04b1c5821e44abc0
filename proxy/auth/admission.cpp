#include "proxy/auth/admission.hpp"

#include "proxy/auth/end_point.hpp"
#include "proxy/auth/peer.hpp"
#include "proxy/auth/upstream_login.hpp"
#include "proxy/tls_server.hpp"
#include "wire/authentication.hpp"
#include "wire/backend.hpp"
#include "wire/integers.hpp"
#include "wire/startup.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

// g++ 12.2: see the note on top of session.cpp.
namespace pgmemo::proxy::auth {
namespace {

using config::HbaMethod;

struct Message {
    char type = '\0';
    std::string bytes; ///< all of it
    std::string_view body() const noexcept { return std::string_view{bytes}.substr(5); }
};

enum class Received { yes, lost, too_long };

/// Reads one message and not a byte more: what follows is for whoever reads next.
Task<Received> receive(Stream& stream, std::size_t most, Message& message)
{
    message.bytes.assign(5, '\0');
    const bool begun = co_await read_exactly(stream, message.bytes.data(), 5);
    if (!begun)
        co_return Received::lost;
    message.type = message.bytes.front();
    const std::size_t length = wire::read_u32(message.bytes.data() + 1);
    if (length < 4 || length - 4 > most)
        co_return Received::too_long;
    message.bytes.resize(length + 1);
    const bool whole = co_await read_exactly(stream, message.bytes.data() + 5, length - 4);
    co_return whole ? Received::yes : Received::lost;
}

Task<bool> send(Stream& stream, std::string bytes)
{
    Gather gather;
    gather.own(std::move(bytes));
    const bool sent = co_await write_all(stream, gather);
    co_return sent;
}

Denial gone()
{
    return {"", "", {}, "the client went away"};
}

} // namespace

Admission::Admission(Authority& authority, std::shared_ptr<const config::Config> config, config::Origin origin)
    : authority_(authority)
    , config_(std::move(config))
    , origin_(std::move(origin))
{
}

/// In PostgreSQL's own words. They name a file that pgmemo has not; drivers and people know them.
Denial Admission::not_listed(bool rejected) const
{
    const auto host = origin_.address ? origin_.address->text() : "[local]";
    const auto encryption = origin_.tls ? "SSL encryption" : "no encryption";
    const auto begin = rejected ? "pg_hba.conf rejects" : "no pg_hba.conf entry for";
    const std::string_view what = origin_.replication ? "replication connection" : "connection";
    std::string text;
    if (origin_.replication)
        text = fmt::format("{} {} {} host \"{}\", user \"{}\", {}", begin, what, rejected ? "for" : "from", host,
                           origin_.user, encryption);
    else
        text = fmt::format("{}{} host \"{}\", user \"{}\", database \"{}\", {}", begin,
                           rejected ? " connection for" : "", host, origin_.user, origin_.database, encryption);
    return {
        "28000", std::move(text), {}, rejected ? "an entry of auth.hba rejects it" : "no entry of auth.hba matches"};
}

std::optional<Denial> Admission::by_name(const std::string& name, const config::HbaEntry& entry,
                                         std::string_view what) const
{
    if (entry.admits(name, origin_.user))
        return std::nullopt;
    return Denial{"28000",
                  fmt::format("{} authentication failed for user \"{}\"", what, origin_.user),
                  {},
                  name.empty() ? "it is not known who is there" : fmt::format("it is {} who is there", name)};
}

Task<std::optional<Denial>> Admission::admit(Stream& client)
{
    if (origin_.user.empty())
        co_return Denial{"28000", "no PostgreSQL user name specified in startup packet"};
    if (origin_.database.size() > kMostNameBytes)
        co_return Denial{"3D000", fmt::format("database \"{}\" does not exist", origin_.database)};
    const auto* const entry = config_->auth.find(origin_);
    if (!entry || entry->method == HbaMethod::reject)
        co_return not_listed(entry != nullptr);
    const bool asks = entry->method == HbaMethod::scram_sha_256 || entry->method == HbaMethod::md5;
    std::optional<Denial> denial;
    if (!asks && origin_.user.size() > kMostNameBytes) {
        denial.emplace("28000", fmt::format("role \"{}\" does not exist", origin_.user));
    } else if (entry->method == HbaMethod::peer) {
        denial = by_name(peer_name(client.socket()), *entry, "Peer");
    } else if (entry->method == HbaMethod::cert) {
        const auto certificate = client_certificate(client.tls());
        denial = by_name(certificate ? certificate->common_name : "", *entry, "certificate");
    }
    if (denial)
        co_return denial;

    asked_at_ = Grant::Clock::now();
    auto name = origin_.user;
    auto finding = co_await authority_.find(std::move(name), client.executor());
    if (asks) {
        denial = co_await by_password(client, entry->method == HbaMethod::md5, std::move(finding));
        co_return denial;
    }
    // Nobody has proved a password, so a verifier is of no use upstream; what can be replayed is.
    if (finding.secret) {
        if (auto* plain = std::get_if<Plaintext>(&*finding.secret))
            credentials_ = std::move(*plain);
        else if (auto* hash = std::get_if<Md5Hash>(&*finding.secret))
            credentials_ = std::move(*hash);
    }
    grant_ = authority_.grant(origin_, std::nullopt, asked_at_);
    co_return std::nullopt;
}

Task<std::optional<Denial>> Admission::by_password(Stream& client, bool by_md5, Finding finding)
{
    if (finding.unavailable)
        co_return Denial{
            "08006", "pgmemo cannot ask PostgreSQL for the passwords of users", {}, "PostgreSQL could not be asked"};
    const auto secret = finding.secret;
    ClientLogin::Setup setup;
    setup.by_md5 = by_md5;
    setup.user = origin_.user;
    setup.secret = std::move(finding.secret);
    setup.why_none = std::move(finding.why_none);
    setup.end_point = own_end_point(client.tls());
    ClientLogin login{std::move(setup), authority_.salts(), authority_.derived()};
    auto turn = login.begin();
    while (turn.state == ClientLogin::Turn::State::more) {
        const bool sent = co_await send(client, std::move(turn.to_client));
        if (!sent)
            co_return gone();
        Message message;
        const auto received = co_await receive(client, login.most(), message);
        if (received == Received::lost)
            co_return gone();
        if (received == Received::too_long)
            co_return Denial{"08P01", "invalid message length"};
        turn = login.on_message(message.type, message.body());
    }
    if (turn.state == ClientLogin::Turn::State::denied)
        co_return std::move(turn.denial);
    if (!turn.to_client.empty()) {
        const bool sent = co_await send(client, std::move(turn.to_client));
        if (!sent)
            co_return gone();
    }
    credentials_ = login.credentials();
    grant_ = authority_.grant(origin_, secret, asked_at_);
    co_return std::nullopt;
}

Task<std::variant<Admission::Login, Denial>> Admission::log_in(Stream& client, Stream& upstream, std::uint16_t minor,
                                                               ChannelBinding binding)
{
    Channel channel{upstream.tls() != nullptr, peer_end_point(upstream.tls()), binding};
    UpstreamLogin login{origin_.user, std::exchange(credentials_, {}), std::move(channel), authority_.derived()};
    using State = UpstreamLogin::Turn::State;
    bool is_negotiated = false;
    for (;;) {
        Message message;
        const auto received = co_await receive(upstream, wire::kMaxAuthentication, message);
        if (received == Received::lost)
            co_return Denial{"08006", "the connection to PostgreSQL was lost"};
        if (received == Received::too_long)
            co_return Denial{"08P01", "PostgreSQL sent what does not belong into a login"};
        auto turn = login.on_message(message.type, message.body());
        if (turn.outdated)
            spdlog::warn(
                "authentication: PostgreSQL refuses what logged {} in to pgmemo: the password was changed there, "
                "or the users file is of another server",
                origin_.user);
        bool sent = true;
        switch (turn.state) {
        case State::more:
            if (!turn.to_server.empty()) {
                sent = co_await send(upstream, std::move(turn.to_server));
                if (!sent)
                    co_return Denial{"08006", "the connection to PostgreSQL was lost"};
            }
            break;
        case State::relay:
            if (message.type == 'v' && message.body().size() >= 8) {
                std::string offer; // what pgmemo speaks, and the options that PostgreSQL does not know
                wire::append_negotiate_version(offer, std::min(minor, wire::kNewestMinor), message.body().substr(4));
                message.bytes = std::move(offer);
                is_negotiated = true;
            }
            sent = co_await send(client, std::move(message.bytes));
            break;
        case State::refused:
            co_await send(client, std::move(message.bytes));
            co_return Login::ended;
        case State::failed:
            co_return std::move(*turn.denial);
        case State::accepted: {
            std::string ok;
            if (!is_negotiated && minor > wire::kNewestMinor)
                wire::append_negotiate_version(ok, wire::kNewestMinor, {"\0\0\0\0", 4});
            wire::append_authentication(ok, wire::Authentication::Kind::ok);
            sent = co_await send(client, std::move(ok));
            co_return sent ? Login::done : Login::lost;
        }
        }
        if (!sent)
            co_return Login::lost;
    }
}

} // namespace pgmemo::proxy::auth
