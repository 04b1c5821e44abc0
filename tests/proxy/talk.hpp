#pragma once

#include "proxy/exchange.hpp"
#include "tests/proxy/messages.hpp"
#include "tests/query/test_catalog.hpp"
#include "wire/frontend.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Sessions without sockets: an Exchange with everything that it borrows, and a client and a server that are played by
/// the test.
namespace pgmemo::proxy {

inline const query::Oid kAccounts = query::testing::oid_of("public.accounts");
inline const query::Oid kUsers = query::testing::oid_of("public.users");

inline constexpr std::string_view kReadAccounts = "SELECT abalance FROM accounts WHERE aid = 1";
inline constexpr std::string_view kReadUsers = "SELECT name FROM users WHERE id = 1";
inline constexpr std::string_view kWriteAccounts = "UPDATE accounts SET abalance = 2 WHERE aid = 1";
inline constexpr std::string_view kWriteUsers = "UPDATE users SET name = 'Ann' WHERE id = 1";
inline constexpr std::string_view kWriteAnything = "SELECT app.any_table('users')";

inline std::ostream& operator<<(std::ostream& out, Step::Kind kind)
{
    constexpr const char* kNames[] = {"relay", "send", "hold", "serve", "answer", "reply", "wait", "ask", "look_up"};
    return out << kNames[static_cast<std::size_t>(kind)];
}

/// The process that sessions share.
class World {
public:
    explicit World(config::Config config = {},
                   std::shared_ptr<const query::Catalog> catalog = query::testing::another_catalog(),
                   std::optional<std::uint64_t> shared_slot_seed = {})
        : in_force(std::make_shared<const config::Config>(std::move(config)))
        , cache({.memory_bytes = 8u << 20, .max_entry_bytes = 1u << 20, .shared_slot_seed = shared_slot_seed})
    {
        spdlog::set_level(spdlog::level::off);
        shop.publish(std::move(catalog), shop.wanted());
    }

    bool is_flying(query::Oid relation) { return cache::Word::in_flight(word(relation).load()); }
    bool is_database_flying() { return cache::Word::in_flight(shop.word().load()); }
    std::uint64_t version(query::Oid relation) { return word(relation).load() / cache::Word::kVersion; }
    std::uint64_t database_version() { return shop.word().load() / cache::Word::kVersion; }
    cache::Word& word(query::Oid relation) { return cache.versions().relation(shop.number(), relation); }
    std::uint64_t bypasses(query::Reason reason) const
    {
        return metrics.bypasses[static_cast<std::size_t>(reason)].read();
    }
    /// The keeper has read the catalog anew.
    void catalog_is_read()
    {
        shop.publish(query::testing::another_catalog(), shop.wanted());
        shop.clear_doubts(shop.doubts());
    }

    ConfigInForce in_force;
    UpstreamTarget upstream{"host=127.0.0.1 port=5432 sslmode=disable"};
    cache::Cache cache;
    query::Analyzer analyzer{1u << 20};
    ScopeTable scopes;
    Databases databases{cache.versions()};
    CancelRegistry cancels;
    Unresolved unresolved;
    std::atomic<std::uint64_t> settings_epoch{1};
    std::atomic<std::uint64_t> clients{0};
    std::atomic<std::uint64_t> sessions{0};
    std::atomic<std::uint64_t> upstreams{0};
    TlsInForce client_tls;
    Services services{in_force, upstream,   client_tls,     cache,   analyzer, scopes,   databases,
                      cancels,  unresolved, settings_epoch, clients, sessions, upstreams};
    observe::ThreadMetrics metrics{query::kReasonCount};
    Database& shop = databases.get("shop");
    Exchange::Time now{std::chrono::hours{1}};
};

/// What a session asks the server of itself.
inline std::string question()
{
    return say::query(query::settings_query(query::testing::test_catalog()->settings()));
}

/// What the server says of a session when it is asked.
struct Settings {
    std::string role = "app";
    std::string search_path = "pg_catalog\x01public";
    std::string schema_count = "2";
    std::string default_isolation = "read committed";
    std::string isolation = "read committed";
    std::string temporary = "f";
    std::string others = "TimeZone=UTC";
    std::string custom = {}; ///< settings that applications made up

    std::string answer() const
    {
        return say::columns("settings") +
               say::row({"shop", role, role, "1/f/150000", search_path, schema_count, default_isolation, isolation,
                         temporary, others, custom}) +
               say::complete("SELECT 1");
    }
};

/// One session. `client` and `server` give it messages and do what it says, as proxy/session.cpp does; what reaches the
/// other side is taken with `sent` and `seen`. The verbs above them play whole statements, the hidden ones included.
class Talk {
public:
    explicit Talk(World& shared, Settings said = {}, std::string_view blind_reason = "")
        : settings(std::move(said))
        , world_(shared)
        , exchange_(
              std::make_unique<Exchange>(world_.services, world_.shop, world_.metrics, settings.role, blind_reason))
    {
        exchange_->set_backend(4711);
    }

    /// The server's first messages, up to ReadyForQuery.
    Talk& login(std::string_view encoding = "UTF8", std::string_view conforming = "on")
    {
        server(wire::message('R', wire::u32(0)) + say::parameter("client_encoding", encoding) +
               say::parameter("standard_conforming_strings", conforming) + say::ready('I'));
        seen();
        return *this;
    }

    /// Others have the same cache, and this is how they are asked: false: in vain.
    void share(RemoteLink& link, std::function<bool(cache::Lookup&)> store)
    {
        exchange_->share(link);
        store_ = std::move(store);
    }

    /// What Exchange::hit() answers to the request that these messages begin with; empty: none of them is done.
    std::string at_once(std::string_view messages)
    {
        const auto hit = exchange_->hit(messages, world_.now);
        if (hit.size == 0)
            return {};
        EXPECT_LE(hit.size, messages.size());
        return std::string{hit.before} + std::string{hit.reply} + say::ready(static_cast<char>(exchange_->status()));
    }

    /// Messages of the client, each done as told; what came of the last one. One that has to wait ends it. What would
    /// be answered at once is done both ways, which must say the same.
    Step client(std::string_view messages)
    {
        const auto hit = at_once(messages);
        if (!hit.empty())
            world_.metrics.hits.add(std::uint64_t{0} - 1); // it is counted below
        const auto before = seen_.size();
        auto last = one_by_one(messages);
        EXPECT_EQ(seen_.substr(before, hit.size()), hit);
        differs_at_once_ |= seen_.compare(before, hit.size(), hit) != 0;
        return last;
    }
    bool has_differed_at_once() const noexcept { return differs_at_once_; }
    Step one_by_one(std::string_view messages)
    {
        Step last;
        cut(messages, {Exchange::kMaxHeld, wire::FrameReader::From::client}, [&](const wire::Frame& frame) {
            auto step = exchange_->on_client(frame, world_.now);
            discard_sent_ |= step.upstream.find("DISCARD PLANS") != std::string::npos && step.kind == Step::Kind::ask;
            if (step.kind == Step::Kind::ask && frame.type != 'Q' && is_question(step.upstream)) {
                if (step.upstream[0] == 'Q') // a BEGIN before it
                    sent_ += step.upstream.substr(0, step.upstream.find(say::close('P', kOwnName)));
                begin_sent_ |= step.upstream.size() > 5 && step.upstream.substr(5).starts_with("BEGIN");
                answers_settings();
                step = exchange_->on_client(frame, world_.now);
            }
            while (step.kind == Step::Kind::look_up) {
                exchange_->looked_up(store_(exchange_->lookup()), world_.now);
                step = exchange_->on_client(frame, world_.now);
            }
            begin_sent_ |= step.upstream.size() > 5 && step.upstream.substr(5).starts_with("BEGIN");
            note_gathered(frame, step);
            sent_ += step.upstream;
            if (step.kind == Step::Kind::relay)
                sent_ += frame.bytes;
            else if (step.kind == Step::Kind::answer)
                seen_ += step.client;
            else if (step.kind == Step::Kind::reply)
                for (const auto& part : exchange_->reply())
                    seen_ += part.own.empty() ? part.bytes : std::string_view{part.own};
            else if (step.kind == Step::Kind::serve)
                seen_ += std::string{cache::reply_of(*step.entry)} + say::ready(static_cast<char>(exchange_->status()));
            note_parse(frame, step);
            const bool goes_on = step.kind != Step::Kind::wait && step.kind != Step::Kind::ask;
            if (frame.first)
                last = std::move(step);
            return goes_on;
        });
        return last;
    }

    /// Messages of the server; what came of the last one.
    Passage server(std::string_view messages)
    {
        Passage last;
        cut(messages, {8192, wire::FrameReader::From::server}, [&](const wire::Frame& frame) {
            last = exchange_->on_upstream(frame, world_.now);
            seen_ += last.before;
            if (last.relay)
                seen_ += frame.bytes;
            describe(frame);
            return true;
        });
        return last;
    }
    /// What the server says of a statement that it is asked about unseen, right behind the client's own Parse.
    std::string description = say::parameters() + say::columns("value");

    std::string sent() { return std::exchange(sent_, {}); } ///< to the server since the last call
    std::string seen() { return std::exchange(seen_, {}); } ///< by the client since the last call

    /// The server's answer to a question that was just asked.
    void answers_settings()
    {
        answers_begin();
        if (std::exchange(discard_sent_, false))
            server(say::complete("DISCARD PLANS") + say::ready(static_cast<char>(exchange_->status())));
        server(settings.answer() + say::ready(static_cast<char>(exchange_->status())));
    }
    void answers_settings(Settings changed)
    {
        settings = std::move(changed);
        answers_settings();
    }
    /// The server's answer to a BEGIN that had been held back, if one was sent.
    void answers_begin()
    {
        if (std::exchange(begin_sent_, false))
            server(say::complete("BEGIN") + say::ready('T'));
    }

    /// A Query, with the question answered if it asks one: what becomes of it then.
    Step::Kind asks(std::string_view sql)
    {
        auto step = client(say::query(sql));
        if (step.kind == Step::Kind::ask) {
            answers_settings();
            step = client(say::query(sql));
        }
        return step.kind;
    }
    /// Whether it is answered from the cache. If not, the server answers it.
    bool hits(std::string_view sql) { return !goes_upstream(sql); }
    bool misses(std::string_view sql) { return goes_upstream(sql); }

    /// A Query that has to go upstream, with the server's reply to it. False if it did not go.
    bool goes_upstream(std::string_view sql, std::string_view reply, char status)
    {
        if (asks(sql) != Step::Kind::relay)
            return false;
        answers_begin();
        server(std::string{reply} + say::ready(status));
        return true;
    }
    bool goes_upstream(std::string_view sql)
    {
        if (asks(sql) != Step::Kind::relay)
            return false;
        answers_begin();
        server(say::one_row("1") + say::ready(static_cast<char>(exchange_->status())));
        return true;
    }
    /// The same for a command: no rows.
    void does(std::string_view sql, std::string_view tag, char status)
    {
        EXPECT_TRUE(goes_upstream(sql, say::complete(tag), status)) << sql;
    }
    void does(std::string_view sql, std::string_view tag) { does(sql, tag, static_cast<char>(exchange_->status())); }
    /// A whole group, with the server's reply to it where it goes upstream. Whether it was answered here.
    bool does_group(const std::string& group, const std::string& reply, char status = 'I')
    {
        if (client(group + say::sync()).kind == Step::Kind::reply)
            return true;
        answers_begin();
        server(reply + say::ready(status));
        return false;
    }
    /// Reads it so that it is stored.
    void fills(std::string_view sql)
    {
        goes_upstream(sql);
        EXPECT_TRUE(hits(sql)) << sql << " was not stored";
        sent();
        seen();
    }
    /// A transaction that has reached the server: a BEGIN that is held back is let go by a Flush.
    void begins(std::string_view sql = "BEGIN")
    {
        if (asks(sql) == Step::Kind::relay) {
            server(say::complete("BEGIN") + say::ready('T'));
        } else {
            client(say::flush());
            answers_begin();
        }
        sent();
        seen();
    }

    /// The connection is lost, or the client goes.
    void ends() { exchange_.reset(); }

    bool is_blind() const { return !exchange_->blind_reason().empty(); }
    Exchange& exchange() { return *exchange_; }
    Exchange* operator->() { return exchange_.get(); }

    Settings settings;

private:
    template <class Do>
    static void cut(std::string_view messages, wire::FrameReader reader, Do with)
    {
        bool goes_on = true;
        while (!messages.empty()) {
            const auto room = reader.room(1);
            const auto size = std::min(room.size(), messages.size());
            std::copy_n(messages.data(), size, room.data());
            reader.commit(size);
            messages.remove_prefix(size);
            for (auto frame = reader.next(); frame && *frame && goes_on; frame = reader.next())
                goes_on = with(**frame);
            if (!goes_on)
                return;
        }
        EXPECT_FALSE(reader.in_message()) << "the test has given half a message";
    }

    /// The question of a session that must keep its unnamed statement, up to its text's end.
    static std::string question_message()
    {
        std::string message;
        wire::append_parse(message, kOwnName,
                           query::settings_query(query::testing::test_catalog()->settings()) + std::string(3, '\0'));
        return message;
    }
    static bool is_question(std::string_view upstream)
    {
        return upstream.find(question_message()) != std::string_view::npos;
    }
    /// Messages that were held, and now go upstream: the same for their Parses.
    void note_gathered(const wire::Frame& frame, Step& step)
    {
        if (step.kind == Step::Kind::hold) {
            held_.emplace_back(frame.bytes);
            return;
        }
        const auto held = std::exchange(held_, {});
        if (step.kind == Step::Kind::reply || step.kind == Step::Kind::ask)
            return;
        std::size_t at = 0;
        for (const auto& message : held) {
            at = step.upstream.find(message, at);
            if (at == std::string::npos)
                return;
            at += message.size();
            if (message.front() != 'P')
                continue;
            const auto hidden = say::describe('S', message.substr(5, message.find('\0', 5) - 5));
            const bool is_described = std::string_view{step.upstream}.substr(at).starts_with(hidden) &&
                                      std::find(held.begin(), held.end(), hidden) == held.end();
            if (is_described)
                step.upstream.erase(at, hidden.size());
            parses_.push_back({group_, is_described});
        }
    }
    /// Whether a Parse that went upstream was followed by a hidden Describe, which is taken out of what was sent.
    void note_parse(const wire::Frame& frame, const Step& step)
    {
        if (frame.type == 'S')
            ++group_;
        const bool is_sent = step.kind == Step::Kind::relay || step.kind == Step::Kind::send;
        if (frame.type != 'P' || !frame.first || !is_sent)
            return;
        const auto name = wire::decode_parse_name(frame.body);
        const auto hidden = name ? say::describe('S', *name) : std::string{};
        const bool is_described = step.kind == Step::Kind::send && sent_.ends_with(hidden);
        if (is_described)
            sent_.resize(sent_.size() - hidden.size());
        parses_.push_back({group_, is_described});
    }
    void describe(const wire::Frame& frame)
    {
        has_failed_ |= frame.type == 'E';
        if (frame.type == 'Z' && std::exchange(has_failed_, false)) {
            const auto group = parses_.empty() ? 0 : parses_.front().first;
            std::erase_if(parses_, [group](const auto& parse) { return parse.first == group; });
        }
        if (frame.type != '1' || parses_.empty())
            return;
        const bool is_described = parses_.front().second;
        parses_.erase(parses_.begin());
        if (is_described)
            server(description);
    }

    World& world_;
    std::function<bool(cache::Lookup&)> store_;
    std::unique_ptr<Exchange> exchange_;
    std::vector<std::pair<int, bool>> parses_;
    std::vector<std::string> held_;
    int group_ = 0;
    bool has_failed_ = false;
    bool discard_sent_ = false;
    bool differs_at_once_ = false;
    std::string sent_;
    std::string seen_;
    bool begin_sent_ = false;
};

/// Two sessions of the same role that have logged in; `app` knows its settings.
class TwoSessions : public testing::Test {
protected:
    TwoSessions()
    {
        app.login();
        other.login();
    }

    World world;
    Talk app{world};
    Talk other{world};
};

} // namespace pgmemo::proxy
