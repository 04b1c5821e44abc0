// Two sessions of the Exchange, as tests/proxy/talk.hpp drives them, with clients and servers that say anything in any
// order. The input is a list of moves. A server answers as PostgreSQL might until the input has it say something else:
// from then on nothing that it says is believed, but all must be survived.

#include "fuzz/target.hpp"

#include "tests/proxy/talk.hpp"

#include <array>
#include <deque>
#include <string>
#include <vector>

using namespace pgmemo;
using fuzz::Choices;
using fuzz::held;
using proxy::Step;
namespace say = proxy::say;

namespace {

constexpr std::array kTexts = std::to_array<std::string_view>({
    "SELECT abalance FROM accounts WHERE aid = 1",
    "SELECT name FROM users WHERE id = 1",
    "SELECT abalance FROM accounts WHERE aid = $1",
    "UPDATE accounts SET abalance = 2 WHERE aid = 1",
    "UPDATE accounts SET abalance = $2 WHERE aid = $1",
    "INSERT INTO users (id) VALUES (7)",
    "SELECT app.any_table('users')",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "SET search_path = app",
    "SET LOCAL timezone = 'UTC'",
    "DISCARD ALL",
    "DEALLOCATE s",
    "PREPARE s AS SELECT 1",
    "EXECUTE s",
    "CREATE TABLE t (a int)",
    "COPY users FROM STDIN",
    "",
    "SELEC",
    "SELECT 1; UPDATE users SET name = 'b' WHERE id = 1",
    "LISTEN a",
    "SELECT name FROM users",
    "COMMIT AND CHAIN",
});
constexpr std::array<std::string_view, 3> kNames{"", "s", "t"};
constexpr std::array<std::string_view, 5> kTags{"SELECT 1", "UPDATE 1", "BEGIN", "COMMIT", "DEALLOCATE ALL"};

std::string bind(Choices& choose)
{
    const auto portal = kNames[choose.below(2)];
    const auto statement = kNames[choose.below(kNames.size())];
    const auto how = choose.byte();
    std::string body = say::text(portal) + say::text(statement);
    body += (how & 1) != 0 ? wire::u16(1) + wire::u16((how >> 1) & 1) : wire::u16(0);
    body += wire::u16((how >> 2) & 3);
    for (int i = 0; i < ((how >> 2) & 3); ++i)
        body += (how & 16) != 0 ? wire::u32(0xffffffff) : wire::u32(1) + std::string{i == 0 ? '1' : '7'};
    body += (how & 32) != 0 ? wire::u16(1) + wire::u16((how >> 6) & 1) : wire::u16(0);
    return wire::message('B', body);
}

std::string client_message(Choices& choose)
{
    const auto text = [&] { return kTexts[choose.below(kTexts.size())]; };
    const auto name = [&] { return kNames[choose.below(kNames.size())]; };
    switch (choose.below(16)) {
    case 0:
    case 1:
        return say::query(text());
    case 2: {
        const auto statement = name();
        return say::parse(statement, text());
    }
    case 3:
        return bind(choose);
    case 4:
        return say::describe('S', name());
    case 5:
        return say::describe('P', name());
    case 6: {
        const auto portal = name();
        return say::execute(portal, static_cast<std::uint32_t>(choose.below(3)));
    }
    case 7: {
        const char kind = choose.below(2) == 0 ? 'S' : 'P';
        return say::close(kind, name());
    }
    case 8:
    case 9:
        return say::sync();
    case 10:
        return say::flush();
    case 11:
        return say::copy_data("1\tx\n");
    case 12:
        return choose.below(2) == 0 ? say::copy_done() : say::copy_fail("no");
    case 13:
        return say::function_call();
    case 14: { // anything at all
        const auto type = static_cast<char>(choose.byte());
        return wire::message(type, choose.bytes(choose.below(24)));
    }
    default: { // one that comes in pieces; not often, for it takes most of the time
        if (choose.below(8) != 0)
            return bind(choose);
        constexpr std::string_view kLarge = "QPBECDd";
        const auto type = kLarge[choose.below(kLarge.size())];
        std::string body = choose.below(2) == 0 ? say::text(name()) + std::string{text()} : std::string{};
        body.resize(proxy::Exchange::kMaxHeld + 1 + choose.below(64), ' ');
        return wire::message(type, body);
    }
    }
}

std::string server_message(Choices& choose, const proxy::Settings& settings)
{
    constexpr std::string_view kSingle = "13nsIWtcd";
    switch (choose.below(13)) {
    case 0:
        return say::ready("ITE"[choose.below(3)]);
    case 1:
        return say::complete(kTags[choose.below(kTags.size())]);
    case 2:
        return say::columns("x");
    case 3:
        return say::row({"1"});
    case 4:
        return say::error("42P01", choose.below(4) == 0 ? "FATAL" : "ERROR");
    case 5:
        return say::notice();
    case 6:
        return say::notification();
    case 7:
        return choose.below(2) == 0 ? say::parameter("client_encoding", choose.below(2) == 0 ? "UTF8" : "SJIS")
                                    : say::parameter("TimeZone", "UTC");
    case 8:
        return say::copy_in();
    case 9:
        return wire::message(kSingle[choose.below(kSingle.size())], "");
    case 10:
        return settings.answer();
    case 11: // one that comes in pieces
        return wire::message("DCE"[choose.below(3)], std::string(9000, 'x'));
    default: {
        const auto type = static_cast<char>(choose.byte());
        return wire::message(type, choose.bytes(choose.below(24)));
    }
    }
}

/// A server that says yes to everything, but to texts that fail; near enough to PostgreSQL for a session to be
/// followed.
class Server {
public:
    void take(std::string_view bytes)
    {
        while (bytes.size() >= 5) {
            const auto size = std::min<std::size_t>(bytes.size(), 1 + wire::read_u32(bytes.data() + 1));
            asked_.emplace_back(bytes.substr(0, size));
            bytes.remove_prefix(size);
        }
    }
    bool is_asked() const noexcept { return !asked_.empty(); }
    bool is_gone() const noexcept { return is_gone_; }

    /// The reply to the oldest message.
    std::string answer(const proxy::Settings& settings)
    {
        const auto message = std::move(asked_.front());
        asked_.pop_front();
        const std::string_view body = std::string_view{message}.substr(5);
        if (is_gone_)
            return {};
        if (copying_) {
            if (message[0] == 'd' || message[0] == 'H' || message[0] == 'S')
                return {};
            // Anything else ends the connection. Source: CopyGetData in src/backend/commands/copyfromparse.c.
            is_gone_ = message[0] != 'c' && message[0] != 'f';
            if (is_gone_)
                return say::error("08P01", "FATAL");
            copying_ = false;
            const bool failed = message[0] == 'f';
            skipping_ = failed && !simple_copy_;
            const auto said = failed ? error() : say::complete("COPY 0");
            return simple_copy_ ? said + say::ready(status_) : said;
        }
        if (skipping_ && message[0] != 'S')
            return {};
        switch (message[0]) {
        case 'Q': {
            const auto sql = body.substr(0, body.find('\0'));
            if (sql.find("current_schemas") != std::string_view::npos)
                return (status_ == 'E' ? error() : settings.answer()) + say::ready(status_);
            auto said = run(sql);
            simple_copy_ = copying_;
            return copying_ ? said : said + say::ready(status_);
        }
        case 'P': {
            const auto name = std::string{body.substr(0, body.find('\0'))};
            const auto sql = body.substr(std::min(body.size(), name.size() + 1));
            const auto text = sql.substr(0, sql.find('\0'));
            if (text == "SELEC" || text.size() == sql.size())
                return fail();
            prepared_[name == "" ? 0 : name == "s" ? 1 : 2] = std::string{text};
            return say::parse_complete();
        }
        case 'B': {
            const auto portal = body.substr(0, body.find('\0'));
            const auto rest = body.substr(std::min(body.size(), portal.size() + 1));
            const auto name = rest.substr(0, rest.find('\0'));
            bound_ = prepared_[name == "" ? 0 : name == "s" ? 1 : 2];
            return say::bind_complete();
        }
        case 'D':
            if (!body.starts_with('S'))
                return wire::message('n', "");
            return wire::message('t', wire::u16(0)) + wire::message('n', "");
        case 'E': {
            auto said = run(bound_);
            simple_copy_ = false;
            return said;
        }
        case 'C':
            return say::close_complete();
        case 'S':
            skipping_ = false;
            return say::ready(status_);
        case 'F':
            return wire::message('V', wire::u32(0xffffffff)) + say::ready(status_);
        default:
            return {};
        }
    }

private:
    std::string error()
    {
        if (status_ == 'T')
            status_ = 'E';
        return say::error("42601");
    }
    std::string fail()
    {
        skipping_ = true;
        return error();
    }
    std::string run(std::string_view sql)
    {
        if (sql == "SELEC" || (status_ == 'E' && sql != "COMMIT" && sql != "ROLLBACK" && sql != "ROLLBACK TO a"))
            return error();
        if (sql.starts_with("BEGIN"))
            status_ = 'T';
        else if (sql == "COMMIT" || sql == "ROLLBACK")
            status_ = 'I';
        else if (sql == "ROLLBACK TO a" && status_ == 'E')
            status_ = 'T';
        else if (sql.starts_with("COPY")) {
            copying_ = true;
            return say::copy_in();
        }
        if (sql.empty())
            return say::empty_query();
        return sql.starts_with("SELECT") ? say::row({"1"}) + say::complete("SELECT 1") : say::complete("DO");
    }

    std::deque<std::string> asked_;
    std::array<std::string, 3> prepared_;
    std::string bound_;
    char status_ = 'I';
    bool skipping_ = false;
    bool copying_ = false;
    bool simple_copy_ = false;
    bool is_gone_ = false;
};

/// A session, and the server behind it.
struct Side {
    explicit Side(proxy::World& world)
        : talk(world)
    {
        talk.login();
        talk.sent();
    }

    void carry() { server.take(talk.sent()); }
    /// Lets the server answer what it was asked, at most `most` messages.
    void answer(std::size_t most)
    {
        carry();
        for (; most > 0 && server.is_asked(); --most) {
            if (const auto said = server.answer(talk.settings); !said.empty())
                talk.server(said);
            carry();
        }
    }

    /// What a session does with a message: it is asked about again while it has to wait.
    void says(std::string_view message)
    {
        for (int i = 0; i < 8; ++i) {
            const auto kind = talk.client(message).kind;
            carry();
            if (kind != Step::Kind::wait && kind != Step::Kind::ask)
                return;
            held(!talk->is_quiet(), "what is to wait has something to wait for");
            answer(10'000);
            if (!talk->is_quiet())
                return; // the server will not say what is waited for
        }
        held(false, "a message is decided after a few questions");
    }

    proxy::Talk talk;
    Server server;
};

constexpr auto* kAtOnce = "a hit at once is what its messages are answered one by one";

/// A request as drivers send them. What is answered at once must be what its messages are answered one by one.
void asks(Side& side, Choices& choose)
{
    const auto how = choose.byte();
    const auto name = kNames[choose.below(kNames.size())];
    std::vector<std::string> messages;
    if ((how & 1) != 0)
        messages.push_back(say::parse(name, kTexts[choose.below(3)]));
    messages.push_back(say::bind("", name));
    if ((how & 2) != 0)
        messages.push_back(say::describe('P', ""));
    messages.push_back(say::execute());
    messages.push_back(say::sync());
    std::string whole;
    for (const auto& message : messages)
        whole += message;
    side.talk.seen();
    const auto hit = side.talk.at_once(whole);
    for (const auto& message : messages)
        side.says(message);
    held(hit.empty() || side.talk.seen() == hit, kAtOnce);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const std::array catalogs{query::testing::another_catalog(), query::testing::another_catalog()};
    Choices choose{fuzz::text_of(data, std::min<std::size_t>(size, 512))};
    proxy::World world{{}, catalogs[0]};
    bool is_honest = true;
    std::size_t catalog = 0;
    std::vector<std::unique_ptr<Side>> sides;
    for (int i = 0; i < 2; ++i)
        sides.push_back(std::make_unique<Side>(world));

    while (!choose.empty()) {
        const auto move = choose.byte();
        auto& side = *sides[move & 1];
        if (side.server.is_gone())
            continue;
        switch ((move >> 1) % 8) {
        case 0:
        case 1:
        case 2:
            side.says(client_message(choose));
            break;
        case 3:
            if ((move & 32) != 0)
                asks(side, choose);
            else
                side.says(client_message(choose));
            break;
        case 4:
            side.answer(1);
            break;
        case 5:
            side.answer(10'000);
            break;
        case 6:
            is_honest = false;
            side.talk.server(server_message(choose, side.talk.settings));
            side.carry();
            break;
        default:
            if ((move & 16) != 0 && is_honest) {
                side.says(say::sync());
            } else {
                catalog = 1 - catalog;
                world.shop.publish(catalogs[catalog], world.shop.wanted());
                world.shop.clear_doubts(world.shop.doubts());
            }
            break;
        }
    }
    if (is_honest) {
        for (auto& side : sides) {
            side->says(say::copy_fail("end"));
            side->says(say::sync());
            side->answer(100'000);
            held(side->talk->is_quiet() || side->server.is_gone(), "everything is answered in the end");
        }
    }
    for (const auto& side : sides)
        held(!side->talk.has_differed_at_once(), kAtOnce);
    sides.clear();
    world.unresolved.backends_gone(world.unresolved.pids());
    held(!world.is_database_flying(), "nothing is in flight when all have ended: database");
    held(!world.is_flying(proxy::kAccounts) && !world.is_flying(proxy::kUsers),
         "nothing is in flight when all have ended: tables");
    return 0;
}
