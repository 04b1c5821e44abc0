#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::cache::resp {

/// Appends a command's head, of which `parts` parts are to follow, each by append_part(). Source: "Redis serialization
/// protocol specification", version 2.
void append_command(std::string& out, std::size_t parts);
void append_part(std::string& out, std::string_view part);
void append_command(std::string& out, std::initializer_list<std::string_view> parts);

/// What Redis has answered. Owns what it shows.
class Reply {
public:
    explicit Reply(redisReply* reply) noexcept
        : reply_(reply)
    {
    }
    bool is_error() const noexcept { return reply_->type == REDIS_REPLY_ERROR; }
    bool is_nil() const noexcept { return reply_->type == REDIS_REPLY_NIL; }
    bool is_array() const noexcept { return reply_->type == REDIS_REPLY_ARRAY; }
    /// Of a string, a status or an error.
    std::optional<std::string_view> text() const noexcept;
    std::size_t size() const noexcept { return is_array() ? reply_->elements : 0; }
    /// A string's bytes at an index of an array; nullopt for nil and for what is no string.
    std::optional<std::string_view> text_at(std::size_t index) const noexcept;

private:
    struct Free {
        void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
    };
    static std::optional<std::string_view> text_of(const redisReply&) noexcept;

    std::unique_ptr<redisReply, Free> reply_;
};

/// Cuts a stream into replies: hiredis' reader, without a socket.
class Reader {
public:
    Reader();

    /// False: out of memory, or the stream had ended in an error before.
    bool feed(std::string_view bytes);
    enum class Got : std::uint8_t { reply, nothing_yet, nonsense };
    Got next(std::optional<Reply>&);

private:
    struct Free {
        void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
    };
    std::unique_ptr<redisReader, Free> reader_;
};

} // namespace pgmemo::cache::resp
