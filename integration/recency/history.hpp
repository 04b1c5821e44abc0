#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pgmemo::recency {

using Time = std::chrono::steady_clock::time_point;

/// One read of one key. The answer was formed at some instant in [start, end].
struct Read {
    int key = 0;
    std::int64_t value = 0;
    Time start;
    Time end;
};

/// `unknown`: the connection was lost before the answer.
enum class Outcome : std::uint8_t { committed, rolled_back, unknown };

/// One write of one key. Values of a key grow by one with every write tried, and one write of a key is over before the
/// next begins, so a value names its write and the order of the values is the order of the commits.
struct Write {
    int key = 0;
    std::int64_t value = 0;
    Outcome outcome = Outcome::rolled_back;
    Time commit_sent;  ///< before the bytes that may commit it were sent; never for `rolled_back`
    Time acknowledged; ///< after its author was told; never for `unknown`
};

/// What happened, from everybody's view.
struct History {
    std::vector<Read> reads;
    std::vector<Write> writes;
    std::vector<std::string> complaints; ///< what a session saw to be wrong by itself
};

/// Everything in `history` that no database could have shown which answers each read as of an instant within it:
/// a value older than one acknowledged before the read began, or than one already read by somebody before it began; a
/// value rolled back, or not yet sent for commit when the read had ended; a value that nobody wrote. One sentence each,
/// at most `at_most`; the number of all goes to `found`.
std::vector<std::string> violations(const History& history, Time origin, std::size_t at_most, std::size_t& found);

} // namespace pgmemo::recency
