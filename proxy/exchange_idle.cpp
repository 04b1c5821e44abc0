// A server that would end idle sessions must not end one whose client is busy hitting.

#include "proxy/exchange.hpp"

#include <charconv>

namespace pgmemo::proxy {
namespace {

// Schema-qualified throughout, so it means the same under any search_path. Its being sent is what keeps the session;
// its answer says when that is needed again. min() of nothing is NULL: there is no limit.
constexpr std::string_view kKeepAlive =
    "/* pgmemo keeps this session, which is answered from the cache */ SELECT pg_catalog.min(setting::pg_catalog.int8) "
    "FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) "
    "ANY ('{idle_session_timeout,idle_in_transaction_session_timeout}'::pg_catalog.text[]) "
    "AND setting OPERATOR(pg_catalog.<>) '0'";

} // namespace

std::optional<std::string> Exchange::keep_alive(Time now)
{
    if (!started_ || !blind_reason_.empty() || !owed_.empty() || status_ == wire::Status::failed)
        return std::nullopt;
    idle_limit_.reset();
    auto& owed = owed_.emplace_back();
    owed.kind = Owed::Kind::own_keep_alive;
    owed.since = now;
    std::string message;
    append_own_group(message, kKeepAlive);
    return message;
}

void Exchange::learn_idle_limit(const wire::Frame& frame)
{
    const auto columns = frame.whole()
                             ? wire::decode_data_row(frame.body)
                             : wire::Result<std::vector<std::optional<std::string_view>>>{wire::Errc::short_field};
    if (!columns || columns->size() != 1)
        return;
    std::int64_t milliseconds = 0;
    if (const auto text = columns->front())
        std::from_chars(text->data(), text->data() + text->size(), milliseconds);
    idle_limit_ = std::chrono::milliseconds{milliseconds};
}

} // namespace pgmemo::proxy
