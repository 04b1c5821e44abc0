#pragma once

#include "wire/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace pgmemo::wire {

/// One v3 message, or one piece of a large one.
struct Frame {
    char type;              ///< of the message, in its later pieces too
    bool first;             ///< false for the later pieces of a large message
    std::string_view bytes; ///< as received, to be relayed untouched
    std::string_view body;  ///< `bytes` without the type byte and the length word; a later piece is all body
    std::size_t rest;       ///< body bytes still to come; 0 unless the message is larger than `max_held`

    bool whole() const noexcept { return first && rest == 0; }
};

/// Cuts a byte stream into v3 messages. Knows nothing of sockets, threads or time.
///
/// Use:      room(n), read into it, commit(read), then next() until it yields nothing.
/// Lifetime: a Frame borrows from the reader and dies at the following room() or give_back().
/// Memory:   a message over `max_held` bytes passes in pieces and is never held whole. While nothing is unread no
/// memory is
///           held, once give_back() was called: an idle connection costs no buffer.
/// Errors:   Errc::bad_length is final: nothing after it can be found; unread() holds what is left.
/// Source:   PostgreSQL documentation, "Message Formats": the length word counts itself, not the type byte. A message
///           is at most 1 GB - 1 (PQ_LARGE_MESSAGE_LIMIT in src/include/libpq/libpq.h), and of a client one that needs
///           no room at most 10,000 bytes (PQ_SMALL_MESSAGE_LIMIT; SocketBackend in src/backend/tcop/postgres.c, since
///           PostgreSQL 14), behind which the server closes the connection without a word.
class FrameReader {
public:
    static constexpr std::size_t kMaxMessage = 0x3fffffff;
    static constexpr std::size_t kMaxSmallMessage = 10'000;

    enum class From { server, client };

    FrameReader(std::size_t max_held, From from)
        : max_held_(max_held)
        , from_(from)
    {
    }

    /// Space to read into, of at least `at_least` bytes, and enough for the message that has begun to arrive to become
    /// whole.
    std::span<char> room(std::size_t at_least);
    void commit(std::size_t size) noexcept { end_ += size; }

    Result<std::optional<Frame>> next() noexcept; ///< a frame | not yet | cannot go on

    /// Goes on behind messages that the caller has read by itself: whole ones, at the front of unread(), while
    /// is_between_messages().
    void skip(std::size_t size) noexcept { begin_ += size; }
    bool is_between_messages() const noexcept { return rest_ == 0; }

    std::string_view unread() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }
    bool in_message() const noexcept { return rest_ > 0 || begin_ != end_; } ///< a message has begun and is not over
    void give_back() noexcept;                                               ///< frees the buffer if nothing is unread
    std::size_t held() const noexcept { return buffer_.size(); }

private:
    std::size_t longest(char type) const noexcept;

    std::size_t max_held_;
    From from_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0; // unread bytes are [begin_, end_)
    std::size_t end_ = 0;
    std::size_t rest_ = 0; // of a large message: body bytes not yet yielded
    char rest_type_ = 0;
};

} // namespace pgmemo::wire
