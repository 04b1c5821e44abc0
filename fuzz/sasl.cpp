// Logins: what a client or a server says in a SCRAM exchange, the frames that it comes in, and secrets as files and
// tables hold them. The first byte says which. An exchange between pgmemo's own two sides shows that a login succeeds
// exactly when nobody has changed a byte of it on the way.

#include "fuzz/target.hpp"

#include "proxy/auth/scram_client.hpp"
#include "proxy/auth/scram_server.hpp"
#include "proxy/auth/scram_text.hpp"
#include "proxy/auth/secret.hpp"
#include "proxy/auth/users_file.hpp"
#include "wire/authentication.hpp"

#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

using namespace pgmemo;
using namespace pgmemo::proxy::auth;
using fuzz::Choices;
using fuzz::held;

namespace {

const ScramKeys& keys()
{
    static const auto derived = derive_keys("pencil", "0123456789abcdef", 4096);
    return derived;
}

ScramServer::Setup setup(bool with_tls)
{
    ScramServer::Setup made;
    made.verifier = verifier_of(keys());
    made.nonce = "3rfcNHYJY1ZVvWVs7j";
    if (with_tls)
        made.end_point = "the hash of a certificate";
    return made;
}

/// Whoever does not know the password proves nothing, whatever he says.
void client_says(Choices& choose)
{
    const auto how = choose.byte();
    ScramServer server{setup((how & 1) != 0)};
    const fuzz::Input first{choose.bytes(choose.byte())};
    const auto answer = server.first((how & 2) != 0 ? kScramPlus : kScram, first.view());
    if (const auto* said = std::get_if<std::string>(&answer)) {
        AttributeReader reader{*said};
        const auto nonce = reader.take('r');
        held(nonce && is_nonce(*nonce) && nonce->ends_with("3rfcNHYJY1ZVvWVs7j") && nonce->size() > 18,
             "the nonce is the client's and ours");
        held(said->size() < first.view().size() + 200, "an answer is not much longer than what it answers");
    }
    const fuzz::Input last{choose.bytes(1024)};
    const auto end = server.last(last.view());
    held(!std::holds_alternative<std::string>(end), "without the password nothing is proved");
    held(server.keys().client_key == Digest{}, "and no key is learned");
}

/// Nor does a server that does not know the verifier.
void server_says(Choices& choose)
{
    static DerivedKeys derived;
    const auto how = choose.byte();
    std::variant<Plaintext, ScramKeys> secret{keys()};
    ScramClient client{std::move(secret), (how & 1) != 0 ? std::optional<std::string>{"an end point"} : std::nullopt,
                       "fyko+d2lbbFgONRv9qkxdawL", derived};
    const auto names = wire::decode_mechanisms(choose.bytes(choose.below(64)));
    const auto chosen = client.choose(names ? *names : std::vector{kScram});
    held(chosen.empty() || chosen == kScram || chosen == kScramPlus, "only what is spoken is chosen");
    if (chosen.empty())
        return;
    client.first();
    const fuzz::Input first{choose.bytes(choose.byte())};
    (void)client.last(first.view());
    const fuzz::Input final{choose.bytes(1024)};
    (void)client.verify(final.view());
    held(!client.is_verified(), "a server that does not know the verifier is not believed");
}

/// Both sides are pgmemo's; one byte of one message may be another when it arrives.
void both_say(Choices& choose)
{
    static DerivedKeys derived;
    const auto how = choose.byte();
    const bool with_tls = (how & 1) != 0;
    const bool offers_binding = with_tls && (how & 2) != 0;
    const auto changed = (how >> 2) % 5; // which message; 4: none
    const auto place = choose.byte();
    const auto to = static_cast<char>(choose.byte());
    bool intact = true;
    const auto carry = [&](int number, std::string message) {
        if (number == changed && !message.empty()) {
            auto& byte = message[place % message.size()];
            intact = byte == to;
            byte = to;
        }
        return message;
    };

    ScramServer server{setup(with_tls)};
    std::variant<Plaintext, ScramKeys> secret{keys()};
    ScramClient client{std::move(secret),
                       with_tls ? std::optional<std::string>{"the hash of a certificate"} : std::nullopt,
                       "fyko+d2lbbFgONRv9qkxdawL", derived};
    const auto mechanism =
        client.choose(offers_binding ? std::vector{kScramPlus, kScram} : std::vector<std::string_view>{kScram});
    const auto server_first = server.first(mechanism, carry(0, client.first()));
    if (!std::holds_alternative<std::string>(server_first)) {
        // With TLS and without an offer of binding, a client that could bind says so: the offer was taken away.
        held(!intact || (with_tls && !offers_binding), "an exchange that nobody has changed begins");
        return;
    }
    const auto client_last = client.last(carry(1, std::get<std::string>(server_first)));
    if (!std::holds_alternative<std::string>(client_last)) {
        held(!intact, "an exchange that nobody has changed goes on");
        return;
    }
    const auto server_last = server.last(carry(2, std::get<std::string>(client_last)));
    if (!std::holds_alternative<std::string>(server_last)) {
        held(!intact, "who knows the password proves it");
        return;
    }
    held(intact, "what was changed on the way proves nothing");
    held(server.keys().client_key == keys().client_key, "the key is learned from the proof");
    const auto failure = client.verify(carry(3, std::get<std::string>(server_last)));
    held(client.is_verified() == intact && failure.has_value() != intact, "a server is believed that was not changed");
}

void frames(const fuzz::Input& body)
{
    if (const auto said = wire::decode_authentication(body.view())) {
        body.lends(said->data);
        if (const auto names = wire::decode_mechanisms(said->data)) {
            held(names->size() <= wire::kMaxMechanisms, "mechanisms are few");
            for (const auto name : *names)
                body.lends(name);
        }
    }
    if (const auto initial = wire::decode_sasl_initial(body.view())) {
        body.lends(initial->mechanism);
        if (initial->data) {
            body.lends(*initial->data);
            std::string again;
            wire::append_sasl_initial(again, initial->mechanism, *initial->data);
            held(std::string_view{again}.substr(5) == body.view(), "an initial response is written as it was read");
        }
    }
    if (const auto password = wire::decode_password(body.view()))
        body.lends(*password);
}

void secrets(const fuzz::Input& text)
{
    const auto secret = parse_secret(text.view());
    if (secret)
        if (const auto* verifier = std::get_if<ScramVerifier>(&*secret))
            held(verifier->iterations > 0 && verifier->iterations <= kMostIterations && !verifier->salt.empty() &&
                     verifier->salt.size() <= kMostSaltBytes,
                 "a verifier can be used");
    try {
        (void)parse_users(text.view(), "a file");
    } catch (const std::invalid_argument&) { // what it is for
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    Choices choose{fuzz::text_of(data, size)};
    switch (choose.below(5)) {
    case 0:
        client_says(choose);
        break;
    case 1:
        server_says(choose);
        break;
    case 2:
        both_say(choose);
        break;
    case 3:
        frames(fuzz::Input{choose.bytes(size)});
        break;
    default:
        secrets(fuzz::Input{choose.bytes(size)});
        break;
    }
    return 0;
}
