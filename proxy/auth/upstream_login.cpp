#include "proxy/auth/upstream_login.hpp"

#include "proxy/auth/scram_server.hpp"
#include "proxy/auth/scram_text.hpp"
#include "wire/authentication.hpp"
#include "wire/backend.hpp"

#include <fmt/format.h>

namespace pgmemo::proxy::auth {
namespace {

using wire::Authentication;

std::string_view known(const Credentials& credentials) noexcept
{
    switch (credentials.index()) {
    case 0:
        return "nothing of it";
    case 1:
        return "a SCRAM verifier only";
    case 2:
        return "an md5 hash only";
    default:
        return "it";
    }
}

} // namespace

UpstreamLogin::UpstreamLogin(std::string user, Credentials credentials, Channel channel, DerivedKeys& derived)
    : user_(std::move(user))
    , credentials_(std::move(credentials))
    , channel_(std::move(channel))
    , derived_(derived)
{
}

UpstreamLogin::~UpstreamLogin()
{
    if (auto* plain = std::get_if<Plaintext>(&credentials_))
        wipe(plain->password);
    else if (auto* keys = std::get_if<ScramKeys>(&credentials_))
        wipe(keys->client_key);
}

UpstreamLogin::Turn UpstreamLogin::fail(std::string detail, bool outdated)
{
    Turn turn;
    turn.state = Turn::State::failed;
    turn.outdated = outdated;
    turn.denial.emplace(outdated ? "28P01" : "28000",
                        outdated ? fmt::format("password authentication failed for user \"{}\"", user_)
                                 : fmt::format("pgmemo cannot log in to PostgreSQL as user \"{}\"", user_),
                        std::move(detail));
    return turn;
}

UpstreamLogin::Turn UpstreamLogin::cannot(std::string_view asked)
{
    return fail(fmt::format("PostgreSQL asks for {}; of the password pgmemo knows {}.", asked, known(credentials_)));
}

UpstreamLogin::Turn UpstreamLogin::not_bound(std::string_view why)
{
    return fail(fmt::format("The upstream has channel_binding=require, but {}.", why));
}

/// Why this message must not be answered, or believed, where the binding is required; empty when it may. Nothing of the
/// password is sent to a server that asks for it in another way: who asks may not be PostgreSQL.
/// Source: check_expected_areq() in fe-auth.c.
std::string_view UpstreamLogin::unbound(const Authentication& message) const noexcept
{
    switch (message.kind) {
    case Authentication::Kind::sasl:
    case Authentication::Kind::sasl_continue:
    case Authentication::Kind::sasl_final:
        return {};
    case Authentication::Kind::ok:
        return scram_ && scram_->is_verified() && scram_->binds() ? "" : "PostgreSQL lets pgmemo in without it";
    default:
        return "PostgreSQL asks for another kind of login than SCRAM";
    }
}

UpstreamLogin::Turn UpstreamLogin::on_message(char type, std::string_view body)
{
    Turn turn;
    switch (type) {
    case 'R':
        return on_authentication(body);
    case 'E': {
        turn.state = Turn::State::refused;
        const auto error = wire::decode_error(body);
        turn.outdated = answered_ && error && error->sqlstate == "28P01";
        return turn;
    }
    case 'v':
        turn.state = Turn::State::relay;
        return turn;
    case 'N':
        return turn; // clients do not expect one yet
    default:
        return fail("PostgreSQL sent what does not belong into a login.");
    }
}

UpstreamLogin::Turn UpstreamLogin::on_authentication(std::string_view body)
{
    const auto message = wire::decode_authentication(body);
    if (!message)
        return fail("PostgreSQL sent a malformed authentication request.");
    const bool in_sasl = scram_.has_value();
    const bool continues =
        message->kind == Authentication::Kind::sasl_continue || message->kind == Authentication::Kind::sasl_final;
    if (in_sasl != continues && !(message->kind == Authentication::Kind::ok && scram_ && scram_->is_verified()))
        return fail("PostgreSQL sent an authentication request out of turn.");
    if (channel_.binding == ChannelBinding::require) {
        if (const auto why = unbound(*message); !why.empty())
            return not_bound(why);
    }

    Turn turn;
    switch (message->kind) {
    case Authentication::Kind::ok:
        turn.state = Turn::State::accepted;
        return turn;
    case Authentication::Kind::cleartext: {
        const auto* plain = std::get_if<Plaintext>(&credentials_);
        if (!plain)
            return cannot("the password itself");
        wire::append_password(turn.to_server, plain->password);
        answered_ = true;
        return turn;
    }
    case Authentication::Kind::md5: {
        const auto* hash = std::get_if<Md5Hash>(&credentials_);
        const auto* plain = std::get_if<Plaintext>(&credentials_);
        if (!hash && !plain)
            return cannot("an md5 response");
        const auto stored = hash ? hash->text : md5_text(plain->password, user_);
        wire::append_password(turn.to_server, md5_text(std::string_view{stored}.substr(3), message->data));
        answered_ = true;
        return turn;
    }
    case Authentication::Kind::sasl:
        return on_sasl(message->data);
    case Authentication::Kind::sasl_continue: {
        auto answer = scram_->last(message->data);
        if (const auto* failure = std::get_if<ScramClient::Failure>(&answer)) {
            if (*failure == ScramClient::Failure::other_verifier)
                return fail("PostgreSQL has another verifier for this user than pgmemo: the password was changed "
                            "there, or the users file was made elsewhere.",
                            true);
            return fail("PostgreSQL sent a malformed SCRAM message.");
        }
        const auto& text = std::get<std::string>(answer);
        wire::append_message(turn.to_server, 'p', text);
        answered_ = true;
        return turn;
    }
    case Authentication::Kind::sasl_final:
        if (const auto failure = scram_->verify(message->data))
            return fail(*failure == ScramClient::Failure::not_proved
                            ? "PostgreSQL has not proved that it knows the verifier."
                            : "PostgreSQL sent a malformed SCRAM message.");
        return turn;
    }
    return cannot(fmt::format("authentication of kind {}, which pgmemo does not speak",
                              static_cast<std::uint32_t>(message->kind)));
}

UpstreamLogin::Turn UpstreamLogin::on_sasl(std::string_view data)
{
    const auto mechanisms = wire::decode_mechanisms(data);
    if (!mechanisms)
        return fail("PostgreSQL sent a malformed list of SASL mechanisms.");
    const auto* keys = std::get_if<ScramKeys>(&credentials_);
    const auto* plain = std::get_if<Plaintext>(&credentials_);
    if (!keys && !plain)
        return cannot("SCRAM-SHA-256");
    std::variant<Plaintext, ScramKeys> secret;
    if (keys)
        secret = *keys;
    else
        secret = *plain;
    const bool required = channel_.binding == ChannelBinding::require;
    if (required && !channel_.tls)
        return not_bound("the connection to PostgreSQL has no TLS");
    if (required && !channel_.end_point)
        return not_bound("the certificate of PostgreSQL has no hash that a login could be bound to");
    auto end_point = channel_.binding == ChannelBinding::disable ? std::nullopt : channel_.end_point;
    scram_.emplace(std::move(secret), std::move(end_point), ScramServer::fresh_nonce(), derived_);
    const auto mechanism = scram_->choose(*mechanisms);
    if (mechanism.empty())
        return fail("PostgreSQL offers no SASL mechanism that pgmemo speaks.");
    if (required && mechanism != kScramPlus)
        return not_bound("PostgreSQL does not offer SCRAM-SHA-256-PLUS");
    Turn turn;
    wire::append_sasl_initial(turn.to_server, mechanism, scram_->first());
    return turn;
}

} // namespace pgmemo::proxy::auth
