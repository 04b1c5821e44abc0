#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pgmemo::proxy {

/// What a Parse said.
struct PreparedSource {
    std::string sql;
    std::vector<std::uint32_t> types; ///< of the parameters, as declared
};

/// What a prepared statement may stand for; nullptr in a list of candidates: anything at all.
using PreparedText = std::shared_ptr<const PreparedSource>;

/// A session's prepared statements and portals, by the names that the client gave them.
///
/// A Parse takes effect when the server says so. Until then a name may mean what it meant before or what it is about
/// to, so what is asked for comes as a list of candidates, and whoever wants the writes of an Execute takes them all.
/// Within one Sync group the latest Parse decides: if it fails, everything behind it in the group is skipped. Names
/// made by SQL (PREPARE, DECLARE) are not here and mean anything.
class Prepared {
public:
    /// Parse was sent. `text` null: not known (too long to be held).
    void parse_sent(std::string_view name, PreparedText text);
    void close_statement_sent(std::string_view name);
    void close_portal_sent(std::string_view portal);
    /// A Query was sent, which destroys the unnamed statement and the unnamed portal.
    void query_sent() noexcept { unnamed_may_exist_ = unnamed_portal_may_go_on_ = false; }
    bool unnamed_may_exist() const noexcept { return unnamed_may_exist_; }
    /// There may be an unnamed portal with something left to be executed.
    bool unnamed_portal_may_go_on() const noexcept { return unnamed_portal_may_go_on_; }
    /// ParseComplete, CloseComplete. False: nothing of the kind was under way.
    bool parse_completed();
    bool close_completed();
    /// Sync was sent: what is under way may fail without what follows being skipped.
    void group_sent();
    /// The server answered a group with an error, then ReadyForQuery: what was under way in it never happened.
    void drop_pending(std::size_t count);
    /// How many are under way in all.
    std::size_t pending() const noexcept { return pending_.size(); }

    /// Bind was sent: the portal stands for what the statement may stand for, with these values. `body` is the
    /// message's, empty when it has not all arrived.
    void bind_sent(std::string_view portal, std::string_view statement, std::string_view body = {});
    void execute_sent(std::string_view portal, std::uint32_t max_rows) noexcept; ///< `max_rows` 0: all
    void transaction_ended();                                                    ///< portals end with it
    void forget_all(); ///< DISCARD ALL, DEALLOCATE: what is left may mean anything

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
        bool earlier_group = false;
    };

    ByName<PreparedText> statements_;
    struct Portal {
        Candidates texts;
        std::string bind;
    };
    void drop_portal(std::string_view name);

    ByName<Portal> portals_;
    bool unnamed_may_exist_ = false;
    bool unnamed_portal_may_go_on_ = false;
    std::size_t bind_bytes_ = 0; ///< held in `portals_`
    std::deque<Pending> pending_;
};

} // namespace pgmemo::proxy
