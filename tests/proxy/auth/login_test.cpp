#include "proxy/auth/client_login.hpp"
#include "proxy/auth/upstream_login.hpp"
#include "proxy/auth/users_file.hpp"
#include "tests/support/bytes.hpp"
#include "wire/authentication.hpp"
#include "wire/backend.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace pgmemo::proxy::auth {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing_support::Noise;
using wire::Authentication;
using ClientState = ClientLogin::Turn::State;
using UpstreamState = UpstreamLogin::Turn::State;

std::string_view body_of(std::string_view message)
{
    return message.substr(5);
}

const Secret kVerifier{verifier_of(derive_keys("secret", "sixteen bytes it", 4096))};

class Logins : public testing::Test {
protected:
    ClientLogin::Setup of(std::optional<Secret> secret, bool by_md5 = false)
    {
        ClientLogin::Setup setup;
        setup.user = "ann";
        setup.secret = std::move(secret);
        setup.by_md5 = by_md5;
        return setup;
    }

    /// A client with `credentials` against pgmemo's side; gives how it ends, and the kinds of messages seen.
    std::string run(ClientLogin& server, Credentials credentials, std::string* seen = nullptr)
    {
        UpstreamLogin client{"ann", std::move(credentials), {}, derived};
        auto turn = server.begin();
        for (int i = 0; i < 10; ++i) {
            if (seen && !turn.to_client.empty())
                *seen += fmt::format("R{} ", static_cast<int>(turn.to_client[8]));
            if (turn.state == ClientState::denied)
                return fmt::format("{} {}", turn.denial->sqlstate, turn.denial->message);
            if (turn.state == ClientState::accepted)
                return "accepted";
            const auto answer = client.on_message('R', body_of(turn.to_client));
            if (answer.state != UpstreamState::more)
                return "the client gives up: " + (answer.denial ? answer.denial->detail : "");
            turn = server.on_message('p', body_of(answer.to_server));
        }
        return "endless";
    }

    DerivedKeys derived;
    Salts salts{"a secret"};
};

constexpr const char* kWrong = "28P01 password authentication failed for user \"ann\"";

TEST_F(Logins, EverySecretAdmitsItsPasswordAndNoOther)
{
    const Secret plain{Plaintext{"secret"}};
    const Secret md5{Md5Hash{md5_text("secret", "ann")}};
    for (const auto& [secret, by_md5] : std::vector<std::pair<Secret, bool>>{
             {kVerifier, false}, {kVerifier, true}, {plain, false}, {plain, true}, {md5, true}}) {
        SCOPED_TRACE(fmt::format("{} {}", secret.index(), by_md5));
        ClientLogin right{of(secret, by_md5), salts, derived};
        EXPECT_EQ(run(right, Plaintext{"secret"}), "accepted");
        ClientLogin wrong{of(secret, by_md5), salts, derived};
        EXPECT_EQ(run(wrong, Plaintext{"Secret"}), kWrong);
    }
    ClientLogin hopeless{of(md5, false), salts, derived};
    EXPECT_EQ(run(hopeless, Plaintext{"secret"}), kWrong) << "SCRAM cannot be made of an md5 hash";
}

TEST_F(Logins, WhoIsUnknownSeesWhatAWrongPasswordSees)
{
    std::string unknown, wrong;
    ClientLogin nobody{of(std::nullopt), salts, derived};
    EXPECT_EQ(run(nobody, Plaintext{"secret"}, &unknown), kWrong);
    ClientLogin somebody{of(kVerifier), salts, derived};
    EXPECT_EQ(run(somebody, Plaintext{"other"}, &wrong), kWrong);
    EXPECT_EQ(unknown, wrong);
    EXPECT_EQ(unknown, "R10 R11 ");
    EXPECT_EQ(salts.of("ann"), salts.of("ann"));
    EXPECT_NE(salts.of("ann"), salts.of("bob"));
    EXPECT_NE(salts.of("ann"), Salts{"another secret"}.of("ann"));
    EXPECT_EQ(salts.mock("ann").salt, salts.of("ann"));
}

TEST_F(Logins, TheProofLogsInElsewhereWithTheSameVerifierOnly)
{
    ClientLogin here{of(kVerifier), salts, derived};
    ASSERT_EQ(run(here, Plaintext{"secret"}), "accepted");
    const auto credentials = here.credentials();
    ASSERT_TRUE(std::holds_alternative<ScramKeys>(credentials));

    ClientLogin same{of(kVerifier), salts, derived};
    EXPECT_EQ(run(same, credentials), "accepted");
    ClientLogin changed{of(Secret{verifier_of(derive_keys("secret", "another salt", 4096))}), salts, derived};
    EXPECT_THAT(run(changed, credentials), HasSubstr("has another verifier"));
    ClientLogin md5{of(Secret{Md5Hash{md5_text("secret", "ann")}}, true), salts, derived};
    EXPECT_THAT(run(md5, credentials), HasSubstr("asks for an md5 response"));
}

TEST_F(Logins, APasswordThatIsKnownIsPassedOnAsItIs)
{
    ClientLogin login{of(Secret{Plaintext{"secret"}}), salts, derived};
    ASSERT_EQ(run(login, Plaintext{"secret"}), "accepted");
    EXPECT_TRUE(std::holds_alternative<Plaintext>(login.credentials()))
        << "keys of a verifier made up here are of no use elsewhere";
}

TEST_F(Logins, EmptyPasswordsAreRefusedBeforeAnythingIsCompared)
{
    ClientLogin login{of(Secret{Plaintext{"secret"}}, true), salts, derived};
    login.begin();
    const auto turn = login.on_message('p', "\0"s);
    ASSERT_EQ(turn.state, ClientState::denied);
    EXPECT_EQ(turn.denial->message, "empty password returned by client");
    EXPECT_FALSE(parse_secret(""));
}

TEST_F(Logins, AnythingButAPasswordIsRefused)
{
    for (const char type : {'Q', 'X', 'P', '\0', '\xff'}) {
        ClientLogin login{of(kVerifier), salts, derived};
        login.begin();
        const auto turn = login.on_message(type, "SELECT 1\0"s);
        ASSERT_EQ(turn.state, ClientState::denied);
        EXPECT_EQ(turn.denial->sqlstate, "08P01");
    }
}

TEST_F(Logins, SurviveWhateverIsSent)
{
    Noise noise{5};
    std::string initial;
    wire::append_sasl_initial(initial, "SCRAM-SHA-256", "n,,n=,r=abcdef");
    for (int i = 0; i < 3000; ++i) {
        ClientLogin login{of(kVerifier, noise.below(2) == 0), salts, derived};
        login.begin();
        for (int n = 0; n < 3; ++n) {
            const auto sent =
                noise.below(4) == 0 ? noise.bytes(noise.below(60)) : noise.damaged(std::string{body_of(initial)});
            const auto turn = login.on_message('p', sent);
            ASSERT_NE(turn.state, ClientState::accepted);
            if (turn.state == ClientState::denied)
                break;
        }
        UpstreamLogin upstream{"ann", Plaintext{"secret"}, {}, derived};
        for (int n = 0; n < 3; ++n) {
            const auto turn =
                upstream.on_message(noise.below(8) == 0 ? noise.byte() : 'R',
                                    "\0\0\0"s + static_cast<char>(noise.below(14)) + noise.bytes(noise.below(30)));
            if (turn.state != UpstreamState::more)
                break;
        }
    }
}

TEST_F(Logins, UpstreamByEveryMethodOfAKnownPassword)
{
    const auto asked = [this](Credentials credentials, std::string_view body) {
        UpstreamLogin login{"ann", std::move(credentials), {}, derived};
        const auto turn = login.on_message('R', body);
        return turn.state == UpstreamState::more ? std::string{body_of(turn.to_server)} : turn.denial->detail;
    };
    EXPECT_EQ(asked(Plaintext{"secret"}, "\0\0\0\3"s), "secret\0"s);
    const auto md5 = md5_text(md5_text("secret", "ann").substr(3), "salt") + '\0';
    EXPECT_EQ(asked(Plaintext{"secret"}, "\0\0\0\5salt"s), md5);
    EXPECT_EQ(asked(Md5Hash{md5_text("secret", "ann")}, "\0\0\0\5salt"s), md5);
    EXPECT_THAT(asked(Plaintext{"secret"}, "\0\0\0\x0aSCRAM-SHA-256\0\0"s), HasSubstr("SCRAM-SHA-256"));
    EXPECT_THAT(asked(Md5Hash{md5}, "\0\0\0\3"s), HasSubstr("asks for the password itself"));
    EXPECT_THAT(asked(std::monostate{}, "\0\0\0\5salt"s), HasSubstr("knows nothing of it"));
    EXPECT_THAT(asked(Plaintext{"secret"}, "\0\0\0\7"s), HasSubstr("which pgmemo does not speak"));
    EXPECT_THAT(asked(Plaintext{"secret"}, "\0\0\0\x0aOTHER\0\0"s), HasSubstr("no SASL mechanism"));
}

TEST_F(Logins, AServerThatHasNotProvedItselfIsNotBelieved)
{
    UpstreamLogin login{"ann", Plaintext{"secret"}, {}, derived};
    ASSERT_EQ(login.on_message('R', "\0\0\0\x0aSCRAM-SHA-256\0\0"s).state, UpstreamState::more);
    EXPECT_EQ(login.on_message('R', "\0\0\0\0"s).state, UpstreamState::failed);

    UpstreamLogin trusted{"ann", std::monostate{}, {}, derived};
    EXPECT_EQ(trusted.on_message('R', "\0\0\0\0"s).state, UpstreamState::accepted);
}

TEST_F(Logins, PostgreSqlsRefusalIsForTheClient)
{
    std::string error;
    wire::append_error(error, "FATAL", "28P01", "password authentication failed");
    UpstreamLogin login{"ann", Plaintext{"secret"}, {}, derived};
    EXPECT_FALSE(login.on_message('E', body_of(error)).outdated) << "nothing was answered yet";
    UpstreamLogin answered{"ann", Plaintext{"secret"}, {}, derived};
    answered.on_message('R', "\0\0\0\3"s);
    const auto turn = answered.on_message('E', body_of(error));
    EXPECT_EQ(turn.state, UpstreamState::refused);
    EXPECT_TRUE(turn.outdated);
    UpstreamLogin without{"ann", Plaintext{"secret"}, {}, derived};
    EXPECT_EQ(without.on_message('E', "\0"s).state, UpstreamState::refused) << "no SQLSTATE in it";
}

TEST(UsersFile, ReadsWhatPgBouncerWrites)
{
    const auto users = parse_users("; a comment\n\n"
                                   "\"ann\" \"secret\"\n"
                                   "  \"b\"\"ob\"\t\"with \"\"quotes\"\"\" \r\n"
                                   "# another\n"
                                   "\"carl\" \"md5e4cb51cba0b1b0ad5ab7b8ba2b5d01ca\"\n"
                                   "\"dora\" \"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                                   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                                   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\"",
                                   "users");
    ASSERT_EQ(users.size(), 4u);
    EXPECT_EQ(std::get<Plaintext>(users.at("ann")).password, "secret");
    EXPECT_EQ(std::get<Plaintext>(users.at("b\"ob")).password, "with \"quotes\"");
    EXPECT_TRUE(std::holds_alternative<Md5Hash>(users.at("carl")));
    // RFC 7677's example.
    EXPECT_EQ(std::get<ScramVerifier>(users.at("dora")),
              verifier_of(derive_keys("pencil", *decode_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)));
}

TEST(UsersFile, NamesTheLineAndNeverTheSecret)
{
    const auto problem = [](const std::string& text) -> std::string {
        try {
            parse_users("\n" + text, "users");
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_EQ(problem("\"ann\" secret"), "users:2: expected \"name\" \"secret\", both in quotes");
    EXPECT_EQ(problem("\"ann\" \"sec\nret\""), "users:2: expected \"name\" \"secret\", both in quotes");
    EXPECT_EQ(problem("\"ann\" \"secret\" more"), "users:2: expected \"name\" \"secret\", both in quotes");
    EXPECT_EQ(problem("\"\" \"secret\""), "users:2: expected \"name\" \"secret\", both in quotes");
    EXPECT_EQ(problem("\"ann\" \"\""), "users:2: an empty password lets nobody in; remove the line");
    EXPECT_EQ(problem("\"ann\" \"a\"\n\"ann\" \"b\""), "users:3: this user was there before");
    for (const char* verifier : {"4096", "4096:c2FsdA==", "4096:c2FsdA==$x:y", "0:c2FsdA==$x:y", "4096:!$x:y"})
        EXPECT_EQ(problem("\"ann\" \"SCRAM-SHA-256$"s + verifier + "\""),
                  "users:2: it begins as a SCRAM verifier, but is none")
            << verifier;
    EXPECT_EQ(problem("\"ann\" \"sec\0ret\""s), "users:2: a zero byte");
}

TEST(Secrets, OfMoreIterationsThanAnybodyWaitsForAreNone)
{
    const auto of = [](const std::string& iterations) {
        const auto key = std::string(43, 'A') + "=";
        return parse_secret("SCRAM-SHA-256$" + iterations + ":c2FsdA==$" + key + ":" + key);
    };
    EXPECT_TRUE(of("1000000"));
    EXPECT_FALSE(of("1000001"));
    EXPECT_FALSE(of("4294967296"));
}

TEST(UsersFile, SurvivesWhateverIsInIt)
{
    Noise noise{3};
    for (int i = 0; i < 5000; ++i) {
        try {
            parse_users(noise.damaged("\"ann\" \"SCRAM-SHA-256$4096:c2FsdA==$AAAA:BBBB\"\n\"bob\" \"x\"\n"), "users");
        } catch (const std::invalid_argument&) {
        }
    }
}

TEST(Base64, HasOneTextForOneValue)
{
    for (const std::string& bytes : {""s, "a"s, "ab"s, "abc"s, "\0\xff\x10\x83"s}) {
        EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
    }
    EXPECT_EQ(encode_base64("n,,"), "biws");
    for (const char* bad : {"a", "ab", "abc", "=", "====", "ab=c", "abc=d", "YR==", "YWJ=", "a b=", "YQ==YQ=="})
        EXPECT_FALSE(decode_base64(bad)) << bad;
}

} // namespace
} // namespace pgmemo::proxy::auth
