#include "cache/remote/resp.hpp"

#include <charconv>
#include <new>

namespace pgmemo::cache::resp {
namespace {

void append_head(std::string& out, char type, std::size_t number)
{
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out += type;
    out.append(digits, end);
    out += "\r\n";
}

} // namespace

void append_command(std::string& out, std::size_t parts)
{
    append_head(out, '*', parts);
}

void append_part(std::string& out, std::string_view part)
{
    append_head(out, '$', part.size());
    out += part;
    out += "\r\n";
}

void append_command(std::string& out, std::initializer_list<std::string_view> parts)
{
    append_command(out, parts.size());
    for (const auto part : parts)
        append_part(out, part);
}

std::optional<std::string_view> Reply::text_of(const redisReply& reply) noexcept
{
    switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        return std::string_view{reply.str, static_cast<std::size_t>(reply.len)};
    default:
        return std::nullopt;
    }
}

std::optional<std::string_view> Reply::text() const noexcept
{
    return text_of(*reply_);
}

std::optional<std::string_view> Reply::text_at(std::size_t index) const noexcept
{
    if (index >= size())
        return std::nullopt;
    const auto& element = *reply_->element[index];
    return element.type == REDIS_REPLY_STRING ? text_of(element) : std::nullopt;
}

Reader::Reader()
    : reader_(redisReaderCreate())
{
    if (!reader_)
        throw std::bad_alloc{};
    reader_->maxbuf = 0; // keeps its buffer: it would free it between any two replies
}

bool Reader::feed(std::string_view bytes)
{
    return redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK;
}

Reader::Got Reader::next(std::optional<Reply>& reply)
{
    void* got = nullptr;
    if (redisReaderGetReply(reader_.get(), &got) != REDIS_OK)
        return Got::nonsense;
    if (got == nullptr)
        return Got::nothing_yet;
    reply.emplace(static_cast<redisReply*>(got));
    return Got::reply;
}

} // namespace pgmemo::cache::resp
