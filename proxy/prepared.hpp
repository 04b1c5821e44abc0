#pragma once

#include "query/analyzer.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pgmemo::proxy {

/// What a Parse said, behind the name.
class PreparedSource {
public:
    /// `rest`: wire::Parse::rest, of a Parse that is_well_formed.
    explicit PreparedSource(std::string_view rest)
        : rest_(rest)
    {
    }

    /// Whether it is what the documentation says of a Parse, to the last byte.
    static bool is_well_formed(std::string_view rest) noexcept;

    std::string_view rest() const noexcept { return rest_; } ///< as it goes into keys, and to a server
    std::string_view sql() const noexcept { return {rest_.c_str()}; }
    std::vector<std::uint32_t> types() const; ///< of the parameters, as declared

    /// What the text was last found to be, and under what. For the one thread that its session lives in.
    struct Analysed {
        std::uint64_t catalog = 0;
        std::uint64_t scope = 0; ///< 0: none
        query::Dialect dialect;
        std::shared_ptr<const query::Statement> statement; ///< null: never
    };
    Analysed& analysed() const noexcept { return analysed_; }

private:
    std::string rest_;
    mutable Analysed analysed_;
};

/// What a prepared statement may stand for; nullptr in a list of candidates: anything at all.
using PreparedText = std::shared_ptr<const PreparedSource>;

/// What a statement's client was told of its columns and parameters, and when. PostgreSQL holds a statement to it: once
/// they would be others, it refuses to execute it ("cached plan must not change result type").
struct Told {
    std::uint64_t identity = 0;    ///< of the session then
    std::uint64_t database = 0;    ///< the database's word then
    std::uint64_t description = 0; ///< sum_of_description() of what was told; 0: not known
};

/// A hash of ParseComplete, ParameterDescription and RowDescription or NoData, of what PostgreSQL holds a statement to:
/// names and types. Where the columns come from may change, with search_path or a table made anew.
/// Source: RevalidateCachedQuery in plancache.c, whose descriptors are made of target lists (ExecCleanTypeFromTL).
std::uint64_t sum_of_description(std::string_view messages);

/// A session's prepared statements and portals, by the names that the client gave them.
///
/// A Parse that goes upstream takes effect when the server says so. Until then a name may mean what it meant before or
/// what it is about to, so what is asked for comes as a list of candidates, and whoever wants the writes of an Execute
/// takes them all. Within one Sync group the latest Parse decides: if it fails, everything behind it in the group is
/// skipped. Names made by SQL (PREPARE, DECLARE) are not here and mean anything.
///
/// A Parse or Close that was answered here is *virtual*: the server does not know of it. Then the two sides differ, and
/// what the server lacks is sent before it is needed (*hidden*: its answer is swallowed).
class Prepared {
public:
    /// A statement as the client knows it.
    struct Named {
        PreparedText text = {}; ///< null: not known (too long to be held)
        Told told = {};
        bool upstream = false;        ///< the server has the same
        bool changed = false;         ///< the server describes it otherwise than the client was told
        std::uint64_t checked_at = 0; ///< the database's word when the server was last asked
    };

    // What the client's own messages do, as they are sent upstream.

    /// `text` null: not known.
    void parse_sent(std::string_view name, PreparedText text, Told told = {});
    void close_statement_sent(std::string_view name);
    void close_portal_sent(std::string_view portal);
    /// A Query of the client, which destroys the unnamed statement; `reached`: it went to the server.
    void query_sent(bool reached = true);

    // What only the server hears of.

    void hidden_parse_sent(std::string_view name, PreparedText text);
    void hidden_close_sent(std::string_view name);
    /// A Query of our own, which destroys the server's unnamed statement. Sent while nothing is under way.
    void own_query_sent();

    // What only the client hears of.

    void prepare_virtually(std::string_view name, PreparedText text, Told told);
    void close_virtually(std::string_view name);

    /// ParseComplete, CloseComplete. False: nothing of the kind was under way.
    bool parse_completed();
    bool close_completed();
    /// An ErrorResponse to the Parse that was next.
    void parse_failed();
    /// Sync was sent: what is under way may fail without what follows being skipped.
    void group_sent();
    /// The server answered a group with an error, then ReadyForQuery: what was under way in it never happened.
    void drop_pending(std::size_t count);
    /// How many are under way in all.
    std::size_t pending() const noexcept { return pending_.size(); }
    /// Whether an error in what is under way would leave it open which of its names the server has.
    bool is_unsettled() const noexcept;

    /// What the client means by a name, as far as it is settled; null: nothing that is known here.
    Named* find(std::string_view name);
    /// Whether the client itself has a Parse or Close of that name under way.
    bool is_in_question(std::string_view name) const noexcept;
    /// Whether the server was just told, in the group that is open, what a name stands for.
    bool is_being_prepared(std::string_view name, const PreparedText& text) const noexcept;
    /// Whether the server may have something by that name that the client has no more.
    bool is_stale(std::string_view name) const { return stale_.contains(name); }
    /// Whether a hidden Parse of an earlier group is not answered yet.
    bool is_uncertain(std::string_view name) const noexcept;
    const std::set<std::string, std::less<>>& stale() const noexcept { return stale_; }
    bool is_full() const noexcept;
    /// SQL may have made names that are not known here.
    bool others_may_exist() const noexcept { return others_may_exist_; }
    /// The names of statements that the server lacks.
    std::vector<std::string> missing() const;

    /// Bind was sent: the portal stands for what the statement may stand for, with these values. `body` is the
    /// message's, empty when it has not all arrived.
    void bind_sent(std::string_view portal, std::string_view statement, std::string_view body = {});
    void transaction_ended(); ///< portals end with it
    void forget_all();        ///< DISCARD ALL, DEALLOCATE: what is left may mean anything
    bool has_portal(std::string_view portal) const { return portals_.contains(portal); }

    using Candidates = std::vector<PreparedText>;
    Candidates texts_of_statement(std::string_view name) const;
    Candidates texts_of_portal(std::string_view portal) const;
    /// The body of the Bind that made it; empty when that is not known.
    std::string_view bind_of_portal(std::string_view portal) const;

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
    };
    template <class T>
    using ByName = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

    enum class Op : std::uint8_t { parse, close_statement, close_portal };

    struct Pending {
        Op op;
        std::string name;
        PreparedText text;
        Told told;
        bool hidden = false;
        bool earlier_group = false;
        bool undone = false; ///< a Query behind it destroys what it makes
    };
    struct Portal {
        Candidates texts;
        std::string bind;
    };
    void drop_portal(std::string_view name);
    void mark_stale(std::string_view name) { stale_.emplace(name); }
    void unmark(std::string_view name);

    ByName<Named> statements_;
    std::set<std::string, std::less<>> stale_;
    ByName<Portal> portals_;
    bool others_may_exist_ = false;
    std::size_t bind_bytes_ = 0; ///< held in `portals_`
    std::list<Pending> pending_; ///< as Exchange::owed_
};

} // namespace pgmemo::proxy
