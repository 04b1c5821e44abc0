#include "proxy/auth/scram_client.hpp"
#include "proxy/auth/scram_server.hpp"
#include "proxy/auth/scram_text.hpp"
#include "tests/support/bytes.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmemo::proxy::auth {
namespace {

using testing_support::Noise;

// RFC 7677, section 3.
constexpr std::string_view kSalt = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientLast = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                         "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerLast = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramServer::Setup setup(std::optional<std::string> end_point = std::nullopt)
{
    static const auto verifier = verifier_of(derive_keys("pencil", *decode_base64(kSalt), 4096));
    ScramServer::Setup made;
    made.verifier = verifier;
    made.nonce = kServerNonce;
    made.end_point = std::move(end_point);
    return made;
}

std::string text(const std::variant<std::string, Denial>& answer)
{
    const auto* denial = std::get_if<Denial>(&answer);
    return denial ? fmt::format("{} {}", denial->sqlstate, denial->message) : std::get<std::string>(answer);
}

std::string text(const std::variant<std::string, std::nullopt_t, Denial>& answer)
{
    if (const auto* denial = std::get_if<Denial>(&answer))
        return fmt::format("{} {}", denial->sqlstate, denial->message);
    return std::holds_alternative<std::nullopt_t>(answer) ? "not proved" : std::get<std::string>(answer);
}

TEST(ScramServer, SaysWhatTheRfcSays)
{
    ScramServer server{setup()};
    EXPECT_EQ(text(server.first(kScram, kClientFirst)), kServerFirst);
    EXPECT_EQ(text(server.last(kClientLast)), kServerLast);
    const auto keys = server.keys();
    EXPECT_EQ(keys.client_key, derive_keys("pencil", *decode_base64(kSalt), 4096).client_key)
        << "the key is recovered from the proof";
}

TEST(ScramServer, DoesNotAcceptAnyOtherProof)
{
    for (std::size_t i = 0; i < 32; ++i) {
        ScramServer server{setup()};
        server.first(kScram, kClientFirst);
        const auto proof_at = kClientLast.find("p=") + 2;
        auto proof = *decode_base64(kClientLast.substr(proof_at));
        proof[i] = static_cast<char>(proof[i] ^ 1);
        EXPECT_EQ(text(server.last(std::string{kClientLast.substr(0, proof_at)} + encode_base64(proof))), "not proved");
        EXPECT_EQ(server.keys().client_key, Digest{}) << "no key of what was not proved";
    }
}

TEST(ScramServer, DeniesTheDoomedWhateverTheyProve)
{
    auto doomed = setup();
    doomed.doomed = true;
    ScramServer server{std::move(doomed)};
    EXPECT_EQ(text(server.first(kScram, kClientFirst)), kServerFirst);
    EXPECT_EQ(text(server.last(kClientLast)), "not proved");
    EXPECT_EQ(server.keys().client_key, Digest{});
}

struct First {
    const char* name;
    const char* mechanism;
    bool tls;
    std::string message;
    const char* answer;
};
std::ostream& operator<<(std::ostream& out, const First& row)
{
    return out << row.message;
}
class ScramFirst : public testing::TestWithParam<First> {};

TEST_P(ScramFirst, IsAnsweredAsPostgreSqlDoes)
{
    ScramServer server{setup(GetParam().tls ? std::optional<std::string>{"hash"} : std::nullopt)};
    EXPECT_THAT(text(server.first(GetParam().mechanism, GetParam().message)), testing::StartsWith(GetParam().answer));
}

constexpr const char* kPlain = "SCRAM-SHA-256";
constexpr const char* kPlus = "SCRAM-SHA-256-PLUS";
INSTANTIATE_TEST_SUITE_P(
    Messages, ScramFirst,
    testing::Values(
        First{"NoBinding", kPlain, false, "n,,n=,r=abc", "r=abc"},
        First{"NoBindingOverTls", kPlain, true, "n,,n=,r=abc", "r=abc"},
        First{"WouldBind", kPlain, false, "y,,n=,r=abc", "r=abc"},
        First{"Downgraded", kPlain, true, "y,,n=,r=abc", "28000 SCRAM channel binding negotiation error"},
        First{"Binds", kPlus, true, "p=tls-server-end-point,,n=,r=abc", "r=abc"},
        First{"BindsWithoutTls", kPlus, false, "p=tls-server-end-point,,n=,r=abc",
              "08P01 client selected an invalid SASL authentication mechanism"},
        First{"BindsByOtherMeans", kPlus, true, "p=tls-unique,,n=,r=abc", "08P01 unsupported SCRAM channel-binding"},
        First{"BindsByLonger", kPlus, true, "p=tls-server-end-pointx,,n=,r=abc", "08P01 unsupported"},
        First{"PlainMechanismBinds", kPlain, true, "p=tls-server-end-point,,n=,r=abc", "08P01 malformed"},
        First{"PlusDoesNotBind", kPlus, true, "n,,n=,r=abc", "08P01 malformed"},
        First{"PlusWouldBind", kPlus, true, "y,,n=,r=abc", "08P01 malformed"},
        First{"OtherMechanism", "PLAIN", false, "n,,n=,r=abc", "08P01 client selected an invalid SASL"},
        First{"Authorization", kPlain, false, "n,a=root,n=,r=abc", "0A000 client uses authorization identity"},
        First{"MandatoryExtension", kPlain, false, "n,,m=x,n=,r=abc", "0A000 client requires an unsupported SCRAM"},
        First{"OptionalExtension", kPlain, false, "n,,n=,r=abc,x=1", "r=abc"},
        First{"NoName", kPlain, false, "n,,r=abc", "08P01 malformed"},
        First{"NoNonce", kPlain, false, "n,,n=", "08P01 malformed"},
        First{"EmptyNonce", kPlain, false, "n,,n=,r=", "08P01 non-printable"},
        First{"NonceWithSpace", kPlain, false, "n,,n=,r=a b", "08P01 non-printable"},
        First{"ZeroByte", kPlain, false, std::string{"n,,n=,r=a\0b", 11}, "08P01 malformed"},
        First{"Empty", kPlain, false, "", "08P01 malformed"}, First{"OneByte", kPlain, false, "n", "08P01 malformed"},
        First{"OnlyFlag", kPlain, false, "n,", "08P01 malformed"},
        First{"LongFlag", kPlain, false, "nn,,n=,r=abc", "08P01 malformed"},
        First{"OtherFlag", kPlain, false, "x,,n=,r=abc", "08P01 malformed"}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(ScramServer, WhatTheLastMessageBindsToMustBeWhatTheFirstSaid)
{
    const auto answer = [](std::string_view first, std::string_view binding, bool tls) {
        ScramServer server{setup(tls ? std::optional<std::string>{"hash"} : std::nullopt)};
        const auto nonce = text(server.first(first.front() == 'p' ? kScramPlus : kScram, first));
        return text(server.last(fmt::format("c={},{},p={}", encode_base64(binding), nonce.substr(0, nonce.find(',')),
                                            encode_base64(std::string(32, 'x')))));
    };
    EXPECT_EQ(answer("n,,n=,r=abc", "n,,", false), "not proved");
    EXPECT_EQ(answer("y,,n=,r=abc", "y,,", false), "not proved");
    EXPECT_EQ(answer("n,,n=,r=abc", "y,,", false),
              "08P01 unexpected SCRAM channel-binding attribute in client-final-message");
    const std::string plus = "p=tls-server-end-point,,";
    EXPECT_EQ(answer(plus + "n=,r=abc", plus + "hash", true), "not proved");
    EXPECT_EQ(answer(plus + "n=,r=abc", plus + "hush", true), "28000 SCRAM channel binding check failed");
    EXPECT_EQ(answer(plus + "n=,r=abc", plus, true), "28000 SCRAM channel binding check failed");
}

TEST(ScramServer, TheNonceMustBeOurs)
{
    ScramServer server{setup()};
    server.first(kScram, kClientFirst);
    EXPECT_EQ(text(server.last("c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")),
              "08P01 invalid SCRAM response");
}

TEST(ScramServer, SurvivesWhateverIsSent)
{
    Noise noise{11};
    for (int i = 0; i < 3000; ++i) {
        auto made = setup(std::string{"hash"});
        ScramServer server{std::move(made)};
        const auto damaged = noise.damaged(std::string{kClientFirst});
        const auto answer = server.first(noise.below(2) == 0 ? kScram : kScramPlus, damaged);
        if (std::holds_alternative<std::string>(answer))
            server.last(noise.damaged(std::string{kClientLast}));
    }
}

class ScramBoth : public testing::Test {
protected:
    /// Runs a login; empty when both sides are content.
    std::string run(ScramClient& client, ScramServer& server, const std::vector<std::string_view>& offered)
    {
        const auto mechanism = client.choose(offered);
        if (mechanism.empty())
            return "no mechanism";
        const auto first = server.first(mechanism, client.first());
        if (!std::holds_alternative<std::string>(first))
            return text(first);
        const auto last = client.last(std::get<std::string>(first));
        if (const auto* failure = std::get_if<ScramClient::Failure>(&last))
            return fmt::format("client: {}", static_cast<int>(*failure));
        const auto verdict = server.last(std::get<std::string>(last));
        if (!std::holds_alternative<std::string>(verdict))
            return text(verdict);
        if (const auto failure = client.verify(std::get<std::string>(verdict)))
            return fmt::format("client: {}", static_cast<int>(*failure));
        EXPECT_TRUE(client.is_verified());
        return {};
    }
    DerivedKeys derived;
};

TEST_F(ScramBoth, ByPasswordAndByRecoveredKey)
{
    ScramClient by_password{Plaintext{"pencil"}, std::nullopt, "abc", derived};
    ScramServer first{setup()};
    EXPECT_EQ(run(by_password, first, {kScram}), "");

    ScramClient by_key{first.keys(), std::nullopt, "def", derived};
    ScramServer second{setup()};
    EXPECT_EQ(run(by_key, second, {kScram}), "");

    ScramClient wrong{Plaintext{"pencils"}, std::nullopt, "abc", derived};
    ScramServer third{setup()};
    EXPECT_EQ(run(wrong, third, {kScram}), "not proved");
}

TEST_F(ScramBoth, BindsWhereBothCan)
{
    ScramClient client{Plaintext{"pencil"}, "hash", "abc", derived};
    ScramServer server{setup("hash")};
    EXPECT_EQ(run(client, server, {kScramPlus, kScram}), "");

    ScramClient elsewhere{Plaintext{"pencil"}, "other", "abc", derived};
    ScramServer same{setup("hash")};
    EXPECT_EQ(run(elsewhere, same, {kScramPlus, kScram}), "28000 SCRAM channel binding check failed");

    ScramClient robbed{Plaintext{"pencil"}, "hash", "abc", derived};
    ScramServer offering{setup("hash")};
    EXPECT_EQ(run(robbed, offering, {kScram}), "28000 SCRAM channel binding negotiation error");

    ScramClient plain{Plaintext{"pencil"}, std::nullopt, "abc", derived};
    ScramServer both{setup("hash")};
    EXPECT_EQ(run(plain, both, {kScramPlus, kScram}), "");
}

TEST_F(ScramBoth, AKeyIsOfOneVerifierOnly)
{
    auto keys = derive_keys("pencil", *decode_base64(kSalt), 4096);
    keys.iterations = 4097;
    ScramClient client{keys, std::nullopt, "abc", derived};
    ScramServer server{setup()};
    EXPECT_EQ(run(client, server, {kScram}), "client: 1");
}

TEST_F(ScramBoth, TheServerMustProveItselfToo)
{
    auto liar = setup();
    liar.verifier.server_key[0] ^= 1;
    ScramClient client{Plaintext{"pencil"}, std::nullopt, "abc", derived};
    ScramServer server{std::move(liar)};
    EXPECT_EQ(run(client, server, {kScram}), "client: 2");
    EXPECT_FALSE(client.is_verified());
}

TEST(ScramClient, RefusesWhatNoServerSays)
{
    DerivedKeys derived;
    const std::string salt{kSalt};
    for (const std::string& first : std::vector<std::string>{
             std::string{}, std::string{"r=abcd"}, "r=abc,s=" + salt + ",i=4096", "r=xyz1,s=" + salt + ",i=4096",
             "r=abcd,s=,i=4096", "r=abcd,s=!,i=4096", "r=abcd,s=" + salt + ",i=0", "r=abcd,s=" + salt + ",i=-1",
             "r=abcd,s=" + salt + ",i=4096x", "r=abcd,s=" + salt + ",i=4294967296", "r=abcd,s=" + salt + ",i=2000000",
             "m=x,r=abcd,s=" + salt + ",i=4096", "r=ab cd,s=" + salt + ",i=4096",
             "r=abcd,s=" + encode_base64(std::string(300, 's')) + ",i=4096"}) {
        ScramClient client{Plaintext{"pencil"}, std::nullopt, "abc", derived};
        client.choose({kScram});
        client.first();
        const auto answer = client.last(first);
        ASSERT_TRUE(std::holds_alternative<ScramClient::Failure>(answer)) << first;
        EXPECT_EQ(std::get<ScramClient::Failure>(answer), ScramClient::Failure::malformed) << first;
        EXPECT_TRUE(client.verify(kServerLast)) << "nothing was asked yet";
    }
}

} // namespace
} // namespace pgmemo::proxy::auth
