#include "proxy/prepared.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::proxy {
namespace {

// A client that never closes what it names must not fill our memory: beyond this many names, new ones mean anything.
constexpr std::size_t kMaxNames = 20000;

// The same for the values that are bound: beyond it they are not held, and may be any.
constexpr std::size_t kMaxBindBytes = std::size_t{1} << 20;

} // namespace

void Prepared::parse_sent(std::string_view name, PreparedText text)
{
    unnamed_may_exist_ |= name.empty();
    pending_.push_back({Op::parse, std::string{name}, std::move(text), false});
}

void Prepared::close_portal_sent(std::string_view portal)
{
    pending_.push_back({Op::close_portal, {}, nullptr, false});
    drop_portal(portal); // until it is bound anew it may mean anything
}

void Prepared::close_statement_sent(std::string_view name)
{
    pending_.push_back({Op::close_statement, std::string{name}, nullptr, false});
}

bool Prepared::parse_completed()
{
    if (pending_.empty() || pending_.front().op != Op::parse)
        return false;
    auto done = std::move(pending_.front());
    pending_.pop_front();
    if (done.text && (statements_.size() < kMaxNames || statements_.contains(done.name)))
        statements_.insert_or_assign(std::move(done.name), std::move(done.text));
    else
        statements_.erase(done.name);
    return true;
}

bool Prepared::close_completed()
{
    if (pending_.empty() || pending_.front().op == Op::parse)
        return false;
    if (pending_.front().op == Op::close_statement)
        statements_.erase(pending_.front().name);
    pending_.pop_front();
    return true;
}

void Prepared::group_sent()
{
    for (auto pending = pending_.rbegin(); pending != pending_.rend() && !pending->earlier_group; ++pending)
        pending->earlier_group = true;
}

void Prepared::drop_pending(std::size_t count)
{
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(std::min(count, pending_.size())));
}

void Prepared::bind_sent(std::string_view portal, std::string_view statement, std::string_view body)
{
    drop_portal(portal);
    unnamed_portal_may_go_on_ |= portal.empty();
    if (portals_.size() >= kMaxNames)
        return;
    if (body.size() > kMaxBindBytes - bind_bytes_)
        body = {};
    bind_bytes_ += body.size();
    portals_.emplace(portal, Portal{texts_of_statement(statement), std::string{body}});
}

void Prepared::execute_sent(std::string_view portal, std::uint32_t max_rows) noexcept
{
    unnamed_portal_may_go_on_ &= !portal.empty() || max_rows != 0;
}

void Prepared::drop_portal(std::string_view name)
{
    const auto found = portals_.find(name);
    if (found == portals_.end())
        return;
    bind_bytes_ -= found->second.bind.size();
    portals_.erase(found);
}

void Prepared::transaction_ended()
{
    portals_.clear();
    bind_bytes_ = 0;
    unnamed_portal_may_go_on_ = false;
}

void Prepared::forget_all()
{
    statements_.clear();
    transaction_ended();
    for (auto& pending : pending_)
        pending.text = nullptr; // acknowledged later, but made before
}

Prepared::Candidates Prepared::texts_of_portal(std::string_view portal) const
{
    const auto found = portals_.find(portal);
    return found == portals_.end() ? Candidates{nullptr} : found->second.texts;
}

std::string_view Prepared::bind_of_portal(std::string_view portal) const
{
    const auto found = portals_.find(portal);
    return found == portals_.end() ? std::string_view{} : std::string_view{found->second.bind};
}

Prepared::Candidates Prepared::texts_of_statement(std::string_view name) const
{
    Candidates candidates;
    const auto found = statements_.find(name);
    candidates.push_back(found == statements_.end() ? nullptr : found->second);
    for (const auto& pending : pending_) {
        if (pending.op != Op::parse || pending.name != name)
            continue;
        if (!pending.earlier_group)
            candidates.clear();
        candidates.push_back(pending.text);
    }
    return candidates;
}

} // namespace pgmemo::proxy
