// What hits at once: a request that is answered as it is read, in one piece. Nothing here changes anything unless it
// hits, so what it does not recognise takes the longer way (on_client), which answers the same.

#include "proxy/exchange.hpp"

#include "wire/frontend.hpp"
#include "wire/integers.hpp"

#include <utility>

namespace pgmemo::proxy {
namespace {

using namespace std::string_view_literals;
using wire::Status;

constexpr auto kBindComplete = "2\0\0\0\4"sv;
constexpr auto kParseAndBindComplete = "1\0\0\0\4"
                                       "2\0\0\0\4"sv;
constexpr std::size_t kHead = 5; // type and length word

// Behind a Bind of the unnamed portal, as every driver sends them.
constexpr auto kDescribe = "D\0\0\0\6P\0"sv;
constexpr auto kExecute = "E\0\0\0\11\0\0\0\0\0"sv;
constexpr auto kSync = "S\0\0\0\4"sv;

/// The body of the message that stands at `at`, whole; nullopt: there is none of that type.
std::optional<std::string_view> message(std::string_view bytes, std::size_t at, char type) noexcept
{
    if (bytes.size() - at < kHead || bytes[at] != type)
        return std::nullopt;
    const std::size_t length = wire::read_u32(bytes.data() + at + 1);
    if (length < 4 || length > Exchange::kMaxHeld || length >= bytes.size() - at)
        return std::nullopt;
    return bytes.substr(at + kHead, length - 4);
}

bool skip(std::string_view bytes, std::size_t& at, std::string_view expected) noexcept
{
    if (bytes.substr(at, expected.size()) != expected)
        return false;
    at += expected.size();
    return true;
}

} // namespace

Hit Exchange::hit(std::string_view bytes, Time now)
{
    if (afar_ || bytes.empty() || !owed_.empty() || is_gathering() || !may_look_up())
        return {};
    switch (bytes.front()) {
    case 'Q':
        return hit_query(bytes, now);
    case 'P':
    case 'B':
        return hit_group(bytes, now);
    default:
        return {};
    }
}

Hit Exchange::hit_query(std::string_view bytes, Time now)
{
    const auto body = message(bytes, 0, 'Q');
    if (!body)
        return {};
    const auto sql = wire::decode_query(*body);
    if (!sql)
        return {};
    auto entry = find_query(*sql, now);
    if (!entry)
        return {};
    query_is_hit();
    const auto reply = cache::reply_of(*entry);
    return {kHead + body->size(), {}, std::move(entry), reply};
}

/// Sync groups that are one execution: Bind, perhaps Describe, Execute of a prepared statement; or of the unnamed one,
/// behind a Parse of the text that it has already.
Hit Exchange::hit_group(std::string_view bytes, Time now)
{
    if (status() != Status::idle)
        return {}; // what it leaves behind counts there
    std::size_t at = 0;
    const auto parsed = message(bytes, at, 'P');
    if (parsed)
        at += kHead + parsed->size();
    const auto bound = message(bytes, at, 'B');
    if (!bound)
        return {};
    at += kHead + bound->size();
    const bool described = skip(bytes, at, kDescribe);
    if (!skip(bytes, at, kExecute) || !skip(bytes, at, kSync))
        return {};
    const auto bind = wire::decode_bind(*bound);
    if (!bind || !bind->portal.empty())
        return {};
    auto* const named = prepared_.find(bind->statement);
    if (named == nullptr || !named->text || standing(*named) != Standing::same)
        return {};
    if (parsed) {
        const auto parse = wire::decode_parse(*parsed);
        if (!parse || !parse->statement.empty() || !bind->statement.empty() || parse->rest != named->text->rest())
            return {};
    }
    key_body_.assign(1, 'E').append(named->text->rest()).append(bind->rest);
    auto entry = services_.cache.find({known_->identity, key_body_}, now);
    if (!entry)
        return {};
    auto reply = cache::reply_of(*entry);
    const bool has_columns = reply.starts_with('T');
    if (described && !has_columns)
        return {};
    if (!described && has_columns)
        reply.remove_prefix(std::size_t{1} + wire::read_u32(reply.data() + 1));
    finished_portal_.reset();
    prepared_.transaction_ended();
    metrics_.hits.add();
    return {at, parsed ? kParseAndBindComplete : kBindComplete, std::move(entry), reply};
}

cache::EntryRef Exchange::find_query(std::string_view sql, Time now)
{
    key_body_.assign(1, 'Q').append(sql);
    auto entry = services_.cache.find({known_->identity, key_body_}, now);
    if (entry && reads_own_writes(cache::stamp_of(*entry)))
        return nullptr;
    return entry;
}

void Exchange::query_is_hit()
{
    metrics_.hits.add();
    has_unseen_hits_ |= status() == Status::in_transaction;
    prepared_.query_sent(false);
    finished_portal_.reset();
}

} // namespace pgmemo::proxy
