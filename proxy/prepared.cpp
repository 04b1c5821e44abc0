#include "proxy/prepared.hpp"

#include "wire/field_reader.hpp"
#include "wire/integers.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::proxy {
namespace {

// A client that never closes what it names must not fill our memory: beyond this many names, new ones mean anything.
constexpr std::size_t kMaxNames = 20000;

// The same for the values that are bound: beyond it they are not held, and may be any.
constexpr std::size_t kMaxBindBytes = std::size_t{1} << 20;

} // namespace

std::uint64_t sum_of_description(std::string_view messages)
{
    std::string told{messages};
    for (std::size_t at = 0; at + 5 <= told.size();) {
        const std::size_t size = std::size_t{1} + wire::read_u32(told.data() + at + 1);
        if (told[at] == 'T' && size >= 5 && at + size <= told.size()) {
            wire::FieldReader fields{messages.substr(at + 5, size - 5)};
            for (auto columns = fields.u16(); columns > 0 && fields.ok(); --columns) {
                fields.string();
                const auto origin = at + size - fields.left().size();
                fields.bytes(4 + 2); // the table's OID and the column's number
                if (fields.ok())
                    told.replace(origin, 6, 6, '\0');
                fields.bytes(4 + 2 + 4 + 2);
            }
        }
        at += size;
    }
    return XXH3_64bits(told.data(), told.size());
}

bool PreparedSource::is_well_formed(std::string_view rest) noexcept
{
    wire::FieldReader fields{rest};
    fields.string();
    fields.bytes(std::size_t{4} * fields.u16());
    return fields.at_end();
}

std::vector<std::uint32_t> PreparedSource::types() const
{
    wire::FieldReader fields{rest_};
    fields.string();
    std::vector<std::uint32_t> types(fields.u16());
    for (auto& type : types)
        type = fields.u32();
    return types;
}

void Prepared::parse_sent(std::string_view name, PreparedText text, Told told)
{
    pending_.push_back({Op::parse, std::string{name}, std::move(text), told});
}

void Prepared::close_portal_sent(std::string_view portal)
{
    pending_.push_back({Op::close_portal, {}, nullptr, {}});
    drop_portal(portal); // until it is bound anew it may mean anything
}

void Prepared::close_statement_sent(std::string_view name)
{
    pending_.push_back({Op::close_statement, std::string{name}, nullptr, {}});
}

void Prepared::query_sent(bool reached)
{
    if (const auto found = statements_.find(std::string_view{}); found != statements_.end()) {
        if (!reached && found->second.upstream)
            mark_stale({});
        statements_.erase(found);
    }
    if (reached)
        unmark({});
    for (auto& pending : pending_)
        pending.undone |= pending.op == Op::parse && pending.name.empty();
}

void Prepared::hidden_parse_sent(std::string_view name, PreparedText text)
{
    pending_.push_back({Op::parse, std::string{name}, std::move(text), {}, true});
}

void Prepared::hidden_close_sent(std::string_view name)
{
    pending_.push_back({Op::close_statement, std::string{name}, nullptr, {}, true});
}

void Prepared::own_query_sent()
{
    if (auto* const unnamed = find({}))
        unnamed->upstream = false;
    unmark({});
}

void Prepared::prepare_virtually(std::string_view name, PreparedText text, Told told)
{
    auto& named = statements_.try_emplace(std::string{name}).first->second;
    if (named.upstream)
        mark_stale(name);
    named = {std::move(text), told};
}

void Prepared::close_virtually(std::string_view name)
{
    const auto found = statements_.find(name);
    if (found == statements_.end())
        return;
    if (found->second.upstream)
        mark_stale(name);
    statements_.erase(found);
}

void Prepared::unmark(std::string_view name)
{
    if (const auto found = stale_.find(name); found != stale_.end())
        stale_.erase(found);
}

bool Prepared::parse_completed()
{
    if (pending_.empty() || pending_.front().op != Op::parse)
        return false;
    auto done = std::move(pending_.front());
    pending_.pop_front();
    if (done.undone) { // for a hidden one: SQL may have taken it away again, or not
        if (done.hidden && find(done.name) != nullptr)
            mark_stale(done.name);
        return true;
    }
    unmark(done.name);
    if (done.hidden) {
        auto* const named = find(done.name);
        if (named != nullptr && named->text == done.text) {
            named->upstream = true;
        } else {
            if (named != nullptr)
                named->upstream = false;
            mark_stale(done.name);
        }
    } else if (done.name.empty() || statements_.size() < kMaxNames || statements_.contains(done.name)) {
        statements_.insert_or_assign(std::move(done.name), Named{std::move(done.text), done.told, true});
    } else {
        others_may_exist_ = true;
    }
    return true;
}

bool Prepared::close_completed()
{
    if (pending_.empty() || pending_.front().op == Op::parse)
        return false;
    const auto done = std::move(pending_.front());
    pending_.pop_front();
    if (done.op != Op::close_statement)
        return true;
    unmark(done.name);
    if (!done.hidden)
        statements_.erase(done.name);
    else if (auto* const named = find(done.name))
        named->upstream = false;
    return true;
}

/// Before it looks at the text, PostgreSQL drops what was the unnamed statement. Source: exec_parse_message in
/// src/backend/tcop/postgres.c.
void Prepared::parse_failed()
{
    if (pending_.empty() || pending_.front().op != Op::parse)
        return;
    const auto failed = std::move(pending_.front());
    pending_.pop_front();
    if (!failed.name.empty() || failed.undone)
        return;
    unmark({});
    if (!failed.hidden)
        statements_.erase(failed.name);
    else if (auto* const unnamed = find({}))
        unnamed->upstream = false;
}

void Prepared::group_sent()
{
    for (auto pending = pending_.rbegin(); pending != pending_.rend() && !pending->earlier_group; ++pending)
        pending->earlier_group = true;
}

void Prepared::drop_pending(std::size_t count)
{
    pending_.erase(pending_.begin(),
                   std::next(pending_.begin(), static_cast<std::ptrdiff_t>(std::min(count, pending_.size()))));
}

bool Prepared::is_unsettled() const noexcept
{
    return std::any_of(pending_.begin(), pending_.end(), [this](const Pending& pending) {
        if (pending.hidden)
            return true;
        const auto found = pending.op == Op::close_portal ? statements_.end() : statements_.find(pending.name);
        return found != statements_.end() && found->second.text && !found->second.upstream;
    });
}

Prepared::Named* Prepared::find(std::string_view name)
{
    const auto found = statements_.find(name);
    return found == statements_.end() ? nullptr : &found->second;
}

bool Prepared::is_in_question(std::string_view name) const noexcept
{
    return std::any_of(pending_.begin(), pending_.end(), [name](const Pending& pending) {
        return !pending.hidden && pending.op != Op::close_portal && pending.name == name;
    });
}

bool Prepared::is_being_prepared(std::string_view name, const PreparedText& text) const noexcept
{
    for (auto pending = pending_.rbegin(); pending != pending_.rend() && !pending->earlier_group; ++pending)
        if (pending->op != Op::close_portal && pending->name == name)
            return text ? pending->op == Op::parse && pending->text == text : pending->op == Op::close_statement;
    return false;
}

bool Prepared::is_uncertain(std::string_view name) const noexcept
{
    return std::any_of(pending_.begin(), pending_.end(), [name](const Pending& pending) {
        return pending.hidden && pending.earlier_group && pending.op == Op::parse && pending.name == name;
    });
}

bool Prepared::is_full() const noexcept
{
    return statements_.size() >= kMaxNames;
}

std::vector<std::string> Prepared::missing() const
{
    std::vector<std::string> names;
    for (const auto& [name, named] : statements_)
        if (!name.empty() && !named.upstream && named.text)
            names.push_back(name);
    return names;
}

void Prepared::bind_sent(std::string_view portal, std::string_view statement, std::string_view body)
{
    drop_portal(portal);
    if (portals_.size() >= kMaxNames)
        return;
    if (body.size() > kMaxBindBytes - bind_bytes_)
        body = {};
    bind_bytes_ += body.size();
    portals_.emplace(portal, Portal{texts_of_statement(statement), std::string{body}});
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
}

void Prepared::forget_all()
{
    others_may_exist_ = true;
    stale_.clear();
    // What the server does not have, no SQL can have taken away.
    std::erase_if(statements_,
                  [](const auto& item) { return !item.first.empty() && (item.second.upstream || !item.second.text); });
    transaction_ended();
    for (auto& pending : pending_) {
        if (pending.name.empty())
            continue;
        pending.text = nullptr; // acknowledged later, but made before
        pending.undone |= pending.hidden;
    }
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
    if (found != statements_.end() || !name.empty()) // the unnamed one cannot be made by SQL
        candidates.push_back(found == statements_.end() ? nullptr : found->second.text);
    for (const auto& pending : pending_) {
        if (pending.op != Op::parse || pending.name != name || pending.hidden)
            continue;
        if (!pending.earlier_group)
            candidates.clear();
        candidates.push_back(pending.text);
    }
    return candidates;
}

} // namespace pgmemo::proxy
