#include "proxy/auth/secret.hpp"

#include "proxy/auth/saslprep.hpp"

#include <algorithm>
#include <charconv>

namespace pgmemo::proxy::auth {
namespace {

constexpr std::string_view kScram = "SCRAM-SHA-256$";

bool is_md5(std::string_view text) noexcept
{
    return text.size() == 35 && text.starts_with("md5") &&
           text.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

std::optional<ScramVerifier> parse_verifier(std::string_view text)
{
    text.remove_prefix(kScram.size());
    const auto dollar = text.find('$');
    if (dollar == std::string_view::npos)
        return std::nullopt;
    const auto first = text.substr(0, dollar);
    const auto second = text.substr(dollar + 1);
    const auto colon = first.find(':');
    const auto colon2 = second.find(':');
    if (colon == std::string_view::npos || colon2 == std::string_view::npos)
        return std::nullopt;
    ScramVerifier verifier;
    const auto* const end = first.data() + colon;
    const auto count = std::from_chars(first.data(), end, verifier.iterations);
    if (count.ec != std::errc{} || count.ptr != end || verifier.iterations == 0 ||
        verifier.iterations > kMostIterations)
        return std::nullopt;
    auto salt = decode_base64(first.substr(colon + 1));
    const auto stored = decode_digest(second.substr(0, colon2));
    const auto server = decode_digest(second.substr(colon2 + 1));
    if (!salt || salt->empty() || salt->size() > kMostSaltBytes || !stored || !server)
        return std::nullopt;
    verifier.salt = std::move(*salt);
    verifier.stored_key = *stored;
    verifier.server_key = *server;
    return verifier;
}

} // namespace

std::optional<Secret> parse_secret(std::string_view text)
{
    if (text.empty())
        return std::nullopt;
    if (text.starts_with(kScram)) {
        if (auto verifier = parse_verifier(text))
            return Secret{std::move(*verifier)};
        return std::nullopt;
    }
    if (is_md5(text))
        return Secret{Md5Hash{std::string{text}}};
    return Secret{Plaintext{std::string{text}}};
}

ScramKeys derive_keys(std::string_view password, std::string_view salt, std::uint32_t iterations)
{
    auto prepared = prepared_password(password);
    auto salted = salted_password(prepared, salt, iterations);
    ScramKeys keys{iterations, std::string{salt}, hmac_sha256(view(salted), "Client Key"),
                   hmac_sha256(view(salted), "Server Key")};
    wipe(prepared);
    wipe(salted);
    return keys;
}

ScramVerifier verifier_of(const ScramKeys& keys)
{
    return {keys.iterations, keys.salt, sha256(view(keys.client_key)), keys.server_key};
}

} // namespace pgmemo::proxy::auth
