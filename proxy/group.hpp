#pragma once

#include "cache/cache.hpp"
#include "proxy/prepared.hpp"
#include "query/reason.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::proxy {

/// Of a statement and a portal of our own, which are gone before anybody can ask for them.
inline constexpr std::string_view kOwnName = "pgmemo asks";

/// A piece of an answer that is given here: a range of a stored reply, or bytes that live for ever, or own ones.
struct ReplyPart {
    cache::EntryRef entry; ///< of which `bytes` are a part
    std::string_view bytes;
    std::string own;
};

/// A message of a Sync group that was sent upstream, and whose answer is still to come.
struct Asked {
    static constexpr int kNothing = -1;

    char type;              ///< P, B, D, E or C, as the client sends them
    bool hidden = false;    ///< only the server knows of it: its answer is swallowed
    bool refuses = false;   ///< sent to fail: the error that it brings means "cached plan must not change result type"
    int reading = kNothing; ///< the index of what gathers its answer
};

/// The messages of one group that are not answered yet. The server answers them in order.
class AskedQueue {
public:
    void push(Asked asked) { asked_.push_back(asked); }
    bool empty() const noexcept { return next_ == asked_.size(); }
    const Asked& front() const noexcept { return asked_[next_]; }
    void pop()
    {
        ++next_;
        if (next_ == asked_.size() || next_ >= kCompact) {
            asked_.erase(asked_.begin(), asked_.begin() + static_cast<std::ptrdiff_t>(next_));
            next_ = 0;
        }
    }
    void clear() noexcept
    {
        asked_.clear();
        next_ = 0;
    }
    bool has_hidden() const noexcept
    {
        for (auto at = next_; at < asked_.size(); ++at)
            if (asked_[at].hidden)
                return true;
        return false;
    }
    /// The other's readings stand behind `readings` of ours.
    void append(const AskedQueue& other, int readings)
    {
        for (auto at = other.next_; at < other.asked_.size(); ++at) {
            asked_.push_back(other.asked_[at]);
            if (asked_.back().reading != Asked::kNothing)
                asked_.back().reading += readings;
        }
    }

private:
    static constexpr std::size_t kCompact = 1024;
    std::vector<Asked> asked_;
    std::size_t next_ = 0;
};

/// What is gathered of the answers to one group: the rows of a portal, or the description of a statement.
struct Reading {
    enum class Kind : std::uint8_t { rows, description };

    Kind kind = Kind::rows;
    std::string name; ///< of the portal, or of the statement
    cache::Fill fill; ///< may be closed
    bool complete = false;

    // rows
    query::Reason reason = query::Reason::none; ///< why it is not cached, when it is executed
    cache::Stamp unless_found;                  ///< see Owed
    bool found_row = false;
    bool described = false; ///< its RowDescription is asked for, and stored in front of the rows
    bool executed = false;

    // a description
    PreparedText text;
    Told told;            ///< when it was asked for
    std::string bytes;    ///< ParseComplete, ParameterDescription and RowDescription or NoData
    bool is_copy = false; ///< of the same text, made only to be described
};

/// A message of a group that may yet be answered here.
struct Gathered {
    enum class Control : std::uint8_t { none, begin, end };

    char type;
    std::uint32_t at = 0; ///< where the message begins in what was gathered
    std::uint32_t size = 0;
    std::uint32_t name_at = 0; ///< of what a Parse or Bind makes, or a Close takes away
    std::uint32_t name_size = 0;
    bool of_portal = false;     ///< a Close
    PreparedText text = {};     ///< of a Parse, or of the statement that a Bind binds
    cache::EntryRef entry = {}; ///< of a Parse its description, of a Bind its rows
    Control control = Control::none;
    std::string tag = {};      ///< of a control
    std::uint32_t rest_at = 0; ///< of a Bind: where its values begin
    bool executed = false;
    bool closed = false;
    bool awaits_describe = false; ///< a Bind that only a Describe of its portal may mend
};

} // namespace pgmemo::proxy
