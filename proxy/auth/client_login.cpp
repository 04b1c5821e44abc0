#include "proxy/auth/client_login.hpp"

#include "proxy/auth/scram_text.hpp"
#include "wire/authentication.hpp"

#include <fmt/format.h>

namespace pgmemo::proxy::auth {

using wire::Authentication;

ClientLogin::ClientLogin(Setup setup, const Salts& salts, DerivedKeys& derived)
    : setup_(std::move(setup))
    , derived_(derived)
    , salts_(salts)
{
}

ClientLogin::~ClientLogin()
{
    if (setup_.secret) {
        if (auto* plain = std::get_if<Plaintext>(&*setup_.secret))
            wipe(plain->password);
    }
}

std::size_t ClientLogin::most() const noexcept
{
    return expects_ == Expects::md5 ? wire::kMaxAuthentication : wire::kMaxSaslResponse;
}

ClientLogin::Turn ClientLogin::deny(Denial denial)
{
    Turn turn;
    turn.state = Turn::State::denied;
    turn.denial.emplace(std::move(denial));
    return turn;
}

ClientLogin::Turn ClientLogin::wrong_password()
{
    return deny({"28P01",
                 fmt::format("password authentication failed for user \"{}\"", setup_.user),
                 {},
                 setup_.why_none.empty() ? "the password does not match" : setup_.why_none});
}

ClientLogin::Turn ClientLogin::begin()
{
    Turn turn;
    const bool has_scram = setup_.secret && std::holds_alternative<ScramVerifier>(*setup_.secret);
    // As PostgreSQL: by md5 only whom it can be of use to; everybody unknown is asked as most others are.
    if (setup_.by_md5 && setup_.secret && !has_scram) {
        expects_ = Expects::md5;
        md5_salt_ = random_bytes(4);
        wire::append_authentication(turn.to_client, Authentication::Kind::md5, md5_salt_);
        return turn;
    }
    ScramServer::Setup scram;
    scram.nonce = ScramServer::fresh_nonce();
    scram.end_point = setup_.end_point;
    if (has_scram) {
        scram.verifier = std::get<ScramVerifier>(*setup_.secret);
    } else if (const auto* plain = setup_.secret ? std::get_if<Plaintext>(&*setup_.secret) : nullptr) {
        scram.verifier = verifier_of(derived_.of(plain->password, salts_.of(setup_.user), kDefaultIterations));
    } else {
        scram.verifier = salts_.mock(setup_.user);
        scram.doomed = true;
        if (setup_.secret)
            setup_.why_none = "its password is known as an md5 hash only, which SCRAM cannot be made of";
    }
    scram_.emplace(std::move(scram));
    std::vector<std::string_view> offered;
    if (setup_.end_point)
        offered.push_back(kScramPlus);
    offered.push_back(kScram);
    wire::append_mechanisms(turn.to_client, offered);
    return turn;
}

ClientLogin::Turn ClientLogin::on_message(char type, std::string_view body)
{
    if (type != 'p')
        return deny({"08P01", fmt::format("expected {} response, got message type {}",
                                          expects_ == Expects::md5 ? "password" : "SASL",
                                          static_cast<int>(static_cast<unsigned char>(type)))});
    switch (expects_) {
    case Expects::initial:
        return on_initial(body);
    case Expects::response:
        return on_response(body);
    case Expects::md5:
        break;
    }
    return on_md5(body);
}

ClientLogin::Turn ClientLogin::on_initial(std::string_view body)
{
    const auto initial = wire::decode_sasl_initial(body);
    if (!initial || !initial->data)
        return deny({"08P01", "malformed SASL initial response"});
    auto answer = scram_->first(initial->mechanism, *initial->data);
    if (auto* denial = std::get_if<Denial>(&answer))
        return deny(std::move(*denial));
    expects_ = Expects::response;
    Turn turn;
    wire::append_authentication(turn.to_client, Authentication::Kind::sasl_continue, std::get<std::string>(answer));
    return turn;
}

ClientLogin::Turn ClientLogin::on_response(std::string_view body)
{
    auto answer = scram_->last(body);
    if (auto* denial = std::get_if<Denial>(&answer))
        return deny(std::move(*denial));
    if (std::holds_alternative<std::nullopt_t>(answer))
        return wrong_password();
    Turn turn;
    turn.state = Turn::State::accepted;
    wire::append_authentication(turn.to_client, Authentication::Kind::sasl_final, std::get<std::string>(answer));
    return turn;
}

ClientLogin::Turn ClientLogin::on_md5(std::string_view body)
{
    const auto given = wire::decode_password(body);
    if (!given)
        return deny({"08P01", "invalid password packet size"});
    if (given->empty())
        return deny({"28P01", "empty password returned by client"});
    const auto* hash = std::get_if<Md5Hash>(&*setup_.secret);
    const auto stored = hash ? hash->text : md5_text(std::get<Plaintext>(*setup_.secret).password, setup_.user);
    const auto expected = md5_text(std::string_view{stored}.substr(3), md5_salt_);
    if (!equal_in_constant_time(*given, expected))
        return wrong_password();
    Turn turn;
    turn.state = Turn::State::accepted;
    return turn;
}

Credentials ClientLogin::credentials() const
{
    if (!setup_.secret)
        return {};
    if (const auto* plain = std::get_if<Plaintext>(&*setup_.secret))
        return *plain; // never the keys of the verifier that was made of it: PostgreSQL has another
    if (const auto* hash = std::get_if<Md5Hash>(&*setup_.secret))
        return *hash;
    return scram_->keys();
}

} // namespace pgmemo::proxy::auth
