#include "proxy/auth/scram_server.hpp"

#include "proxy/auth/scram_text.hpp"

#include <fmt/format.h>

namespace pgmemo::proxy::auth {
namespace {

Denial malformed(std::string detail)
{
    return {"08P01", "malformed SCRAM message", std::move(detail)};
}

constexpr std::size_t kNonceBytes = 18; // as PostgreSQL's SCRAM_RAW_NONCE_LEN

} // namespace

ScramServer::~ScramServer()
{
    wipe(client_key_);
}

std::string ScramServer::fresh_nonce()
{
    return encode_base64(random_bytes(kNonceBytes));
}

/// Takes the gs2 header off `message`, if it is one that fits the mechanism and this connection.
std::optional<Denial> ScramServer::read_binding_flag(std::string_view mechanism, std::string_view& message)
{
    const bool plus = mechanism == kScramPlus;
    if (message.size() < 2)
        return malformed("The message is too short.");
    std::string_view flag = message.substr(0, message.find(','));
    switch (message.front()) {
    case 'n':
        if (plus)
            return malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
                             "binding data.");
        break;
    case 'y':
        if (plus)
            return malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
                             "binding data.");
        // It could bind and believes that we cannot: somebody has taken our offer away on the way.
        if (setup_.end_point)
            return Denial{"28000", "SCRAM channel binding negotiation error",
                          "The client supports SCRAM channel binding but thinks the server does not.  However, this "
                          "server does support channel binding."};
        break;
    case 'p':
        if (!plus)
            return malformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message "
                             "includes channel binding data.");
        if (flag != fmt::format("p={}", kEndPoint))
            return Denial{"08P01", "unsupported SCRAM channel-binding type"};
        binds_ = true;
        break;
    default:
        return malformed("Unexpected channel-binding flag.");
    }
    if (message.front() != 'p' && flag.size() != 1)
        return malformed("Comma expected after the channel-binding flag.");
    if (message.size() < flag.size() + 2)
        return malformed("The message ends behind the channel-binding flag.");
    const char authorization = message[flag.size() + 1];
    if (authorization == 'a')
        return Denial{"0A000", "client uses authorization identity, but it is not supported"};
    if (authorization != ',')
        return malformed("Unexpected attribute in client-first-message.");
    gs2_header_ = message.substr(0, flag.size() + 2);
    message.remove_prefix(gs2_header_.size());
    return std::nullopt;
}

std::variant<std::string, Denial> ScramServer::first(std::string_view mechanism, std::string_view message)
{
    if (mechanism != kScram && !(mechanism == kScramPlus && setup_.end_point))
        return Denial{"08P01", "client selected an invalid SASL authentication mechanism"};
    if (message.find('\0') != std::string_view::npos)
        return malformed("Message length does not match input length.");
    if (auto denial = read_binding_flag(mechanism, message))
        return std::move(*denial);

    client_first_bare_ = message;
    AttributeReader attributes{message};
    if (attributes.next_is('m'))
        return Denial{"0A000", "client requires an unsupported SCRAM extension"};
    if (!attributes.take('n')) // who logs in was said in the startup packet; this name is not looked at
        return malformed("Attribute expected: n.");
    const auto nonce = attributes.take('r');
    if (!nonce)
        return malformed("Attribute expected: r.");
    if (!is_nonce(*nonce))
        return Denial{"08P01", "non-printable characters in SCRAM nonce"};
    // Optional extensions may follow, and are ignored.

    nonce_ = fmt::format("{}{}", *nonce, setup_.nonce);
    server_first_ =
        fmt::format("r={},s={},i={}", nonce_, encode_base64(setup_.verifier.salt), setup_.verifier.iterations);
    return server_first_;
}

std::variant<std::string, std::nullopt_t, Denial> ScramServer::last(std::string_view message)
{
    if (message.find('\0') != std::string_view::npos)
        return malformed("Message length does not match input length.");
    const auto proof_at = message.rfind(",p=");
    if (proof_at == std::string_view::npos)
        return malformed("Attribute expected: p.");
    const auto without_proof = message.substr(0, proof_at);
    AttributeReader attributes{without_proof};
    const auto binding = attributes.take('c');
    if (!binding)
        return malformed("Attribute expected: c.");
    const auto expected = encode_base64(gs2_header_ + (binds_ ? *setup_.end_point : std::string{}));
    if (*binding != expected) {
        if (binds_)
            return Denial{"28000", "SCRAM channel binding check failed"};
        return Denial{"08P01", "unexpected SCRAM channel-binding attribute in client-final-message"};
    }
    const auto nonce = attributes.take('r');
    if (!nonce)
        return malformed("Attribute expected: r.");
    if (!equal_in_constant_time(*nonce, nonce_))
        return Denial{"08P01", "invalid SCRAM response", "Nonce does not match."};
    const auto proof = decode_digest(message.substr(proof_at + 3));
    if (!proof)
        return malformed("Malformed proof in client-final-message.");

    const auto talk = fmt::format("{},{},{}", client_first_bare_, server_first_, without_proof);
    const auto signature = hmac_sha256(view(setup_.verifier.stored_key), talk);
    client_key_ = exclusive_or(*proof, signature);
    const bool proved = equal_in_constant_time(view(sha256(view(client_key_))), view(setup_.verifier.stored_key));
    const auto ours = hmac_sha256(view(setup_.verifier.server_key), talk);
    if (!proved || setup_.doomed) {
        wipe(client_key_);
        return std::nullopt;
    }
    return fmt::format("v={}", encode_base64(view(ours)));
}

} // namespace pgmemo::proxy::auth
