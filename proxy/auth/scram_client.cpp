#include "proxy/auth/scram_client.hpp"

#include "proxy/auth/scram_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pgmemo::proxy::auth {

ScramClient::ScramClient(std::variant<Plaintext, ScramKeys> secret, std::optional<std::string> end_point,
                         std::string nonce, DerivedKeys& derived)
    : secret_(std::move(secret))
    , end_point_(std::move(end_point))
    , nonce_(std::move(nonce))
    , derived_(derived)
{
}

ScramClient::~ScramClient()
{
    if (auto* plain = std::get_if<Plaintext>(&secret_))
        wipe(plain->password);
    else
        wipe(std::get<ScramKeys>(secret_).client_key);
    wipe(server_key_);
}

std::string_view ScramClient::choose(const std::vector<std::string_view>& offered)
{
    const auto offers = [&](std::string_view name) {
        return std::find(offered.begin(), offered.end(), name) != offered.end();
    };
    if (offers(kScramPlus) && end_point_) {
        binds_ = true;
        gs2_header_ = fmt::format("p={},,", kEndPoint);
        return kScramPlus;
    }
    // `y` lets a server that has offered to bind notice that the offer did not arrive.
    gs2_header_ = end_point_ ? "y,," : "n,,";
    return offers(kScram) ? kScram : std::string_view{};
}

std::string ScramClient::first()
{
    first_bare_ = fmt::format("n=,r={}", nonce_); // the name stands in the startup packet
    return gs2_header_ + first_bare_;
}

std::variant<std::string, ScramClient::Failure> ScramClient::last(std::string_view server_first)
{
    AttributeReader attributes{server_first};
    const auto nonce = attributes.take('r');
    const auto salt64 = attributes.take('s');
    const auto count = attributes.take('i');
    if (!nonce || !salt64 || !count || !is_nonce(*nonce) || !nonce->starts_with(nonce_) ||
        nonce->size() <= nonce_.size() || answered_)
        return Failure::malformed;
    const auto salt = decode_base64(*salt64);
    std::uint32_t iterations = 0;
    const auto [end, error] = std::from_chars(count->data(), count->data() + count->size(), iterations);
    if (!salt || salt->empty() || salt->size() > kMostSaltBytes || error != std::errc{} ||
        end != count->data() + count->size() || iterations == 0 || iterations > kMostIterations)
        return Failure::malformed;

    ScramKeys keys;
    if (const auto* plain = std::get_if<Plaintext>(&secret_)) {
        keys = derived_.of(plain->password, *salt, iterations);
    } else {
        keys = std::get<ScramKeys>(secret_);
        if (keys.salt != *salt || keys.iterations != iterations)
            return Failure::other_verifier;
    }
    const auto binding = encode_base64(gs2_header_ + (binds_ ? *end_point_ : std::string{}));
    const auto without_proof = fmt::format("c={},r={}", binding, *nonce);
    talk_ = fmt::format("{},{},{}", first_bare_, server_first, without_proof);
    const auto signature = hmac_sha256(view(sha256(view(keys.client_key))), talk_);
    const auto proof = exclusive_or(keys.client_key, signature);
    server_key_ = keys.server_key;
    wipe(keys.client_key);
    answered_ = true;
    return fmt::format("{},p={}", without_proof, encode_base64(view(proof)));
}

std::optional<ScramClient::Failure> ScramClient::verify(std::string_view server_final)
{
    AttributeReader attributes{server_final};
    const auto value = attributes.take('v');
    const auto signature = value ? decode_digest(*value) : std::nullopt;
    if (!answered_ || !signature)
        return Failure::malformed;
    if (!equal_in_constant_time(view(*signature), view(hmac_sha256(view(server_key_), talk_))))
        return Failure::not_proved;
    verified_ = true;
    return std::nullopt;
}

} // namespace pgmemo::proxy::auth
