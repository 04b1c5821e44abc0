#pragma once

#include "cache/cache.hpp"
#include "observe/metrics.hpp"
#include "proxy/effects.hpp"
#include "proxy/footprint.hpp"
#include "proxy/group.hpp"
#include "proxy/prepared.hpp"
#include "proxy/remote_link.hpp"
#include "proxy/services.hpp"
#include "query/analyzer.hpp"
#include "query/session_settings.hpp"
#include "wire/backend.hpp"
#include "wire/frame_reader.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// What to do with a message from the client.
struct Step {
    enum class Kind : std::uint8_t {
        relay,   ///< send `upstream`, then the frame as it came
        send,    ///< send `upstream`, which holds the frame
        hold,    ///< nothing yet: it may be answered together with what is to come
        serve,   ///< answer with the stored `entry`
        answer,  ///< answer with `client`, bytes of our own
        reply,   ///< answer with reply(), which is good until the next call
        wait,    ///< nothing yet: ask again when the replies that are owed have come (is_quiet)
        ask,     ///< send `upstream`, a question of our own; ask again about this frame when it was answered
        look_up, ///< do lookup(), tell looked_up(), and ask again about this frame
    };
    Kind kind = Kind::relay;
    std::string upstream = {};
    std::string client = {};
    cache::EntryRef entry = {};
    std::size_t hits = 0; ///< of a reply: how many of its statements were answered from the cache
};

/// A request that was answered from the cache as it was read: `before`, then `reply`, then ReadyForQuery.
struct Hit {
    std::size_t size = 0;         ///< of the request, in bytes; 0: it is none, or none that is seen at once
    std::string_view before = {}; ///< lives for ever
    cache::EntryRef entry = {};
    std::string_view reply = {}; ///< of the entry
};

/// What to do with a message from upstream.
struct Passage {
    std::string before; ///< own bytes to the client first
    bool relay = true;  ///< then the frame as it came, unless it is not for the client
};

/// One session's decisions: a state machine that takes messages from both sides and says what becomes of each. It knows
/// no sockets and never waits, so every order of events can be tested.
///
/// What the client is owed stands in one queue, in the order asked: replies of PostgreSQL to be relayed, and such that
/// are to be swallowed, because pgmemo itself asked. A message is answered from the cache only while nothing is owed.
///
/// A group of the extended protocol is gathered as long as all of it can be answered here; at its Sync it is. The first
/// message that cannot lets all of it go upstream, and what follows is streamed.
///
/// The two promises that live here: what may commit is sent upstream only after `begin` of every word that it may
/// touch, and the reply that tells of it goes on only after `end`; and a stamp is taken before the read that it vouches
/// for is sent.
///
/// Threads: used by one. Lifetime: borrows from Services and the Database; when it dies with commits unanswered it
/// hands them to Services::unresolved.
class Exchange {
public:
    /// A client that has more requests under way than this waits until some are answered.
    static constexpr std::size_t kMaxOwed = 1024;
    /// Messages up to this size are read whole; larger ones pass through in pieces and may do anything.
    static constexpr std::size_t kMaxHeld = query::Analyzer::kMaxParsedBytes + 64;

    /// `blind_reason`: empty, or why this session cannot be followed from the start.
    Exchange(Services&, Database&, observe::ThreadMetrics&, std::string user, std::string_view blind_reason);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    using Time = cache::Clock::time_point;

    /// The request that `bytes` begin with, if it is whole and all of it is a hit. Otherwise nothing has happened, and
    /// its messages are for on_client. The bytes stand between messages of the client.
    Hit hit(std::string_view bytes, Time now);
    /// `now`: when the message was read.
    Step on_client(const wire::Frame&, Time now);
    Passage on_upstream(const wire::Frame&, Time now);

    /// Other pgmemos have the same cache: what hits here must be current for all. Before the first message.
    void share(RemoteLink&);
    /// What a Step::Kind::look_up asks for, and that it was asked.
    cache::Lookup& lookup() noexcept { return afar_->lookup; }
    void looked_up(bool answered, Time now);
    /// The words of flights that have begun, to be announced before anything more is sent upstream.
    bool has_announcement() const noexcept { return afar_ && !afar_->to_announce.empty(); }
    cache::Words take_announcement() noexcept { return std::exchange(afar_->to_announce, {}); }
    /// Whether a message from upstream tells of a commit that was announced: what settlement() says is done first.
    bool must_settle(const wire::Frame&) const noexcept;
    struct Settlement {
        cache::Words moved;   ///< before the others
        cache::Words landed;  ///< flights
        cache::Words look_at; ///< meanwhile
    };
    Settlement settlement();
    /// `done`: all of it. What has to move besides, since the catalog has changed under the write.
    cache::Words settled(bool done);
    /// Entries for the store.
    bool has_stored() const noexcept { return afar_ && !afar_->stored.empty(); }
    std::vector<cache::Filled> take_stored() noexcept { return std::exchange(afar_->stored, {}); }

    /// Nothing is owed, or nobody can say what is: there is nothing to wait for.
    bool is_quiet() const noexcept { return owed_.empty() || !blind_reason_.empty(); }
    std::vector<ReplyPart>& reply() noexcept { return reply_; } ///< of a Step::Kind::reply; to be taken
    bool is_idle() const noexcept;                              ///< quiet, and outside of any transaction
    bool client_waits() const noexcept; ///< for something that runs upstream and is the client's own
    bool said_fatal() const noexcept { return said_fatal_; } ///< the upstream has said why it is going
    bool is_broken() const noexcept { return broken_; }      ///< it cannot go on: end it with an error
    bool has_started() const noexcept { return started_; }   ///< the first ReadyForQuery has come
    const std::string& blind_reason() const noexcept { return blind_reason_; }

    /// A question of our own for a server that is left idle by hits, to be sent now; nullopt when nothing may be asked.
    std::optional<std::string> keep_alive(Time now);
    /// After how long an idle session is ended, as the last such question was answered: 0 for never, nullopt if nobody
    /// knows.
    std::optional<std::chrono::milliseconds> idle_limit() const noexcept { return idle_limit_; }
    void forget_idle_limit() noexcept { idle_limit_.reset(); } ///< something was sent that may have changed it

    /// Whether the session may be answered from the cache at all. It may, until told otherwise.
    void admit_hits(bool may) noexcept { hits_admitted_ = may; }

    void set_backend(std::uint32_t pid) noexcept { backend_pid_ = pid; }

    /// The status of a ReadyForQuery of our own.
    wire::Status status() const noexcept { return begin_held_ ? wire::Status::in_transaction : status_; }

private:
    enum class Isolation : std::uint8_t { unknown, read_committed, other };

    /// Something the client, or pgmemo itself, is owed; ended by a ReadyForQuery.
    struct Owed {
        enum class Kind : std::uint8_t {
            startup,
            query,
            group,
            own_begin,
            own_query,
            own_discard,
            own_question,
            own_group,
            own_keep_alive
        };
        bool is_own() const noexcept { return kind >= Kind::own_begin; } ///< to be swallowed
        Kind kind = Kind::query;
        bool closed = true;                       ///< a group: its Sync was sent
        bool controls_transaction = false;        ///< afterwards the transaction may be another
        bool ends_transaction = false;            ///< … because the one before may have ended
        Isolation isolation = Isolation::unknown; ///< of the transaction, if it begins one
        Effects effects;
        cache::Words begun; ///< the words of the flights
        std::vector<cache::Flight> flights;
        std::uint64_t catalog = ~std::uint64_t{0}; ///< the oldest catalog that the flights' words were found with
        std::uint64_t shared_catalog = ~std::uint64_t{0}; ///< what others had done to catalogs, when the flights began
        bool commits_catalog = false; ///< the commit that the flight announces may change the catalog
        bool commits_cluster = false;
        bool surely_changes = false; ///< … and does; see Statement
        cache::Fill fill;
        cache::Stamp unless_found; ///< the fill depends on these words too, unless the reply shows a row
        bool found_row = false;
        bool measured = false; ///< a miss, whose latency is to be recorded
        bool error = false;
        bool complete = false;    ///< CommandComplete has come
        bool may_copy = false;    ///< it may want rows from the client before it is answered
        bool copy_in = false;     ///< the server waits for CopyDone or CopyFail
        bool copy_ended = false;  ///< CopyDone or CopyFail was sent
        std::size_t messages = 0; ///< of a group, without its Sync
        std::size_t ops = 0;      ///< Parse and Close not yet acknowledged
        AskedQueue asked;         ///< of a group, unless it is not to be followed
        bool untracked = false;   ///< a group whose answers do not come as expected
        std::vector<Reading> readings;
        bool reads_only = true;              ///< nothing was executed in the group but reads, and a BEGIN before them
        std::size_t misses = 0;              ///< of a group: those whose latency is to be recorded
        int piece_reading = Asked::kNothing; ///< what gathers the message that comes in pieces
        bool piece_hidden = false;
        std::chrono::steady_clock::time_point since;
    };

    /// What the server has said of this session's settings.
    struct Known {
        bool read_committed_by_default = false;
        bool read_committed_now = false; ///< of the transaction that it was asked in
        bool temporary_objects = false;
        std::shared_ptr<const cache::Identity> identity;
        std::shared_ptr<const query::NameScope> scope;
        std::uint64_t catalog_id = 0;
        std::uint64_t settings_epoch = 0;
    };

    struct Underway { ///< the transaction that the session is in
        Effects effects;
        Isolation isolation = Isolation::unknown;
    };

    using StatementRef = std::shared_ptr<const query::Statement>;
    using Reason = query::Reason;
    using Fill = cache::Fill;

    struct Miss {
        Fill fill; ///< may be closed
        cache::Stamp unless_found;
    };

    // exchange_afar.cpp
    /// What is known of other pgmemos, of the message that is being decided and of its group.
    struct Afar {
        explicit Afar(RemoteLink& l)
            : link(l)
        {
        }
        RemoteLink& link;
        cache::Lookup lookup;
        cache::EntryRef candidate; ///< of the lookup, in memory
        std::string body;          ///< of its key, when it is for an entry in the store
        std::size_t max_bytes = 0;
        std::optional<std::chrono::milliseconds> ttl;
        bool is_for_rows = false;

        bool checked = false;      ///< whether what is in memory is current for all
        bool sought = false;       ///< in the store
        bool failed = false;       ///< the store has not answered
        cache::EntryRef confirmed; ///< current for all since the message came
        bool group_confirmed = false;

        cache::Words to_announce;
        std::vector<cache::Filled> stored;
        bool settled = false;
        bool outdated = false;
    };
    Step take_message(const wire::Frame&, Time now);
    bool may_serve(const cache::EntryRef& entry) const noexcept { return !afar_ || afar_->confirmed == entry; }
    std::optional<Step> check(const cache::EntryRef&);
    std::optional<Step> seek(cache::Words words, const cache::Words& fresh, std::size_t max_bytes,
                             std::optional<std::chrono::milliseconds> ttl);
    std::optional<Step> seek_query(const query::Statement&, std::string_view sql);
    std::optional<Step> look_afar(const wire::Frame&, Time now);
    std::optional<Step> seek_rows(const PreparedSource&, const wire::Bind&, std::string_view body, Time now);
    std::optional<Step> confirm_group();
    bool is_confirmed_group() const noexcept;
    Reason why_not_shared() const noexcept;
    bool may_share(const cache::Words& words, const cache::Words& fresh) const;
    std::uint64_t shared_catalog() const noexcept;
    bool is_shared_catalog_moving() const noexcept;
    cache::Words words_of_all() const;
    void note_stored(cache::Filled);

    // exchange_hit.cpp
    Hit hit_query(std::string_view bytes, Time now);
    Hit hit_group(std::string_view bytes, Time now);
    cache::EntryRef find_query(std::string_view sql, Time now); ///< needs the settings
    void query_is_hit();

    Step on_query(const wire::Frame&, Time now);
    Step decide(const query::Statement&, std::string_view sql, Time now);

    // exchange_group.cpp: what is answered here
    Step on_extended(const wire::Frame&, Time now);
    bool wants_settings(const wire::Frame&);
    std::optional<Step> recheck(const wire::Frame&, Time now);
    bool take(const wire::Frame&, Step&, Time now);
    bool take_parse(const wire::Frame&, Gathered&, Time now);
    bool take_bind(const wire::Frame&, Gathered&, Time now);
    bool may_prepare_anew(const Prepared::Named&, std::string_view bind_body);
    void prepare_anew_if_told(const wire::Frame&);
    bool take_describe(const wire::Frame&, Gathered&, Time now);
    bool take_execute(const wire::Frame&, Gathered&);
    bool take_close(const wire::Frame&, Gathered&);
    bool answer_gathered(Step&, bool at_sync);
    std::string_view name_of(const Gathered& op) const noexcept;
    const Gathered* gathered_statement(std::string_view name) const noexcept; ///< the Parse or Close that decides it
    Gathered* gathered_portal(std::string_view name) noexcept;
    bool group_begins() const noexcept;
    void append_reply(std::string_view bytes);
    void append_reply(const cache::EntryRef&, std::string_view bytes);
    void drop_gathered() noexcept;
    bool is_gathering() const noexcept { return !gathered_.empty(); }

    // exchange_forward.cpp: what goes upstream
    void release(std::string& upstream, Time now);
    std::string forward(const wire::Frame&, std::string& before, Time now);
    std::string forward_parse(const wire::Frame&, std::string& before, Time now);
    void forward_bind(const wire::Frame&, std::string& before, Time now);
    void forward_describe(const wire::Frame&, std::string& before, Time now);
    void forward_execute(const wire::Frame&, std::string& before, Time now);
    void forward_close(const wire::Frame&, std::string& before, Time now);
    bool need(Owed& group, std::string_view statement, std::string& before);
    void need_portal(Owed& group, std::string_view portal, std::string& before);
    void need_names(Owed& group, std::string& before);
    void hidden_parse(Owed& group, std::string_view name, const PreparedText&, std::string& before);
    void hidden_close(Owed& group, std::string_view name, std::string& before);
    void hidden_run(Owed& group, const PreparedSource&, std::string_view values, std::string& before);
    std::string names_for(const query::Statement&, Time now);
    void on_execute(const wire::Execute&, Owed& group, std::string& before);
    void on_sync(Time now);
    void open_reading(Owed& group, const wire::Bind&, std::string_view body);
    query::Reason fill_for(Owed& group, Reading&, const PreparedSource&, const wire::Bind&, std::string_view body);
    int describe_for(Owed& group, std::string_view name, const PreparedText&);
    std::optional<Parameters> cacheable_parameters(const query::Statement&, const PreparedSource&,
                                                   std::string_view bind_body, query::Reason&);
    std::optional<std::chrono::milliseconds> bounded(std::optional<std::chrono::milliseconds> ttl) const;
    std::optional<config::CachePolicy> policy_of(const query::Statement&, std::string_view sql, query::Reason&) const;
    std::optional<Parameters> parameters_of(const PreparedSource&, std::string_view bind_body, bool settled);
    static void close_readings(Owed& group) noexcept;
    void ask_for(Owed& group, Asked);

    enum class Standing : std::uint8_t { same, changed, unknown };
    Standing standing(Prepared::Named&); ///< of what its client was told
    cache::EntryRef description_of(const PreparedSource&);
    Told told_now(std::uint64_t description) const noexcept;

    // exchange_upstream.cpp
    bool follow(Owed& group, const wire::Frame&, Passage&);
    void gather_answer(Owed& group, int reading, const wire::Frame&);
    void settle_description(Reading&);
    void close_fills(Owed& group) noexcept;
    void store_readings(Owed&, Time now);

    Step relay_query(const query::Statement&, std::string_view sql, std::optional<Miss>, Time now);
    Step hold_begin_back(const query::Statement&, std::string_view sql);
    Step ask(Time now, bool keeps_unnamed = false);
    static void append_own_group(std::string& upstream, std::string_view sql);
    std::string release_begin(Time now); ///< the BEGIN held back, to be sent first
    std::optional<Miss> begin_fill(const query::Statement&, std::string_view sql);

    bool may_look_up() const noexcept { return why_no_lookup() == Reason::none; }
    Reason why_no_lookup() const noexcept;
    bool settings_are_known() const noexcept;
    template <class AnyWords>
    bool reads_own_writes(const AnyWords& read) const noexcept
    {
        const auto& written = transaction_.effects.words;
        return !written.empty() && std::any_of(read.begin(), read.end(), [&](const auto& word) {
            return std::binary_search(written.begin(), written.end(), word_of(word));
        });
    }
    static cache::Word* word_of(cache::Word* word) noexcept { return word; }
    static cache::Word* word_of(const std::pair<cache::Word*, std::uint64_t>& stamped) noexcept
    {
        return stamped.first;
    }
    bool group_is_open() const noexcept
    {
        return !owed_.empty() && owed_.back().kind == Owed::Kind::group && !owed_.back().closed;
    }
    bool only_plain_reads_owed(bool but_the_last = false) const noexcept;
    bool must_wait() const noexcept;
    void begin(Owed&, Effects);
    bool session_may_change() const noexcept; ///< by what is owed
    static bool may_copy(const query::Statement&, std::string_view sql);
    void forget_names_if_told(const query::Statement&, std::string_view sql);

    StatementRef analyse(std::string_view sql);
    StatementRef analyse(const PreparedSource& text);
    Effects effects_of(const query::Statement&, const Parameters*) const;
    struct Reads {
        cache::Words words; ///< of the stamp
        cache::Words fresh; ///< and of the stamp of a reply that shows no row
    };
    Reads read_words(const query::Statement&, const Parameters* = nullptr) const;
    Isolation isolation_begun_by(const query::Statement&) const noexcept;
    void take_part(Owed&, const query::Statement&, bool surely_in_transaction, const Parameters* = nullptr);
    Owed& open_group(Time now, std::string* before = nullptr);

    void on_ready(wire::Status, Time now);
    void tell_of_catalog(const Owed&) noexcept;
    void settle_transaction(const Owed&, wire::Status);
    void store(Owed&, Time now);
    void on_parameter(std::string_view name, std::string_view value);
    void on_copy_end(Time now);
    void on_copy_in();
    void absorb(Owed& group, Owed&& next);
    void learn(const wire::Frame&);
    void learn_idle_limit(const wire::Frame&);
    void go_blind(std::string_view why);
    void count_bypass(Reason) noexcept;

    Services& services_;
    Database& database_;
    observe::ThreadMetrics& metrics_;
    const std::string user_;
    std::uint32_t backend_pid_ = 0;

    std::list<Owed> owed_; ///< a list holds no memory while nothing is owed; a deque keeps a node of it
    wire::Status status_ = wire::Status::idle;
    bool started_ = false;
    bool said_fatal_ = false;
    bool broken_ = false;
    bool begin_held_ = false;
    std::string begin_text_;
    bool has_unseen_hits_ = false; ///< in the transaction, and nothing since that PostgreSQL knows of
    Underway transaction_;
    Prepared prepared_;

    std::string gathered_bytes_;
    std::vector<Gathered> gathered_;
    std::vector<ReplyPart> gathered_reply_; ///< the answer so far
    std::size_t gathered_reply_bytes_ = 0;
    std::size_t gathered_hits_ = 0;
    std::vector<ReplyPart> reply_;
    /// The unnamed portal, when it was executed to its end here and lives on in its transaction.
    struct VirtualPortal {
        PreparedText text;
        std::string values;
    };
    std::optional<VirtualPortal> finished_portal_;

    std::shared_ptr<const Known> known_;  ///< null: to be asked
    std::shared_ptr<const Known> answer_; ///< to a question under way
    std::uint64_t asked_catalog_id_ = 0;
    /// No plan that the server keeps for this session is older than this catalog; 0: that is not known.
    std::uint64_t plans_made_under_ = 0;
    std::uint64_t asked_settings_epoch_ = 0;
    std::uint64_t asked_in_vain_ =
        0; ///< catalog id under which the answer was of no use; not asked again before a change
    std::optional<std::chrono::milliseconds> idle_limit_;
    std::string client_encoding_;
    bool utf8_ = true;
    bool ascii_safe_ = false;
    bool conforming_strings_ = true;

    std::uint64_t analysed_under_ = 0; ///< Database::wanted() before the latest analysis
    std::string key_body_;             ///< of the Query being decided
    std::string held_back_;            ///< a CommandComplete that waits for `end`

    bool hits_admitted_ = true;
    std::string blind_reason_;
    std::size_t blind_answered_ = 0; ///< of `owed_`, since it is blind
    std::unique_ptr<Afar> afar_;     ///< null: the cache is this process' alone
    cache::Flight blind_flight_;     ///< while nobody knows what this session does, nothing in its database is served
};

} // namespace pgmemo::proxy
