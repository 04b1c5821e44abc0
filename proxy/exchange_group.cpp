// Groups of the extended protocol that are answered here.

#include "proxy/exchange.hpp"

#include "wire/field_reader.hpp"
#include "wire/frontend.hpp"
#include "wire/integers.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using query::Transaction;
using wire::Status;

constexpr std::size_t kMaxGatheredBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxGatheredMessages = 256;
constexpr std::size_t kMaxReplyBytes = std::size_t{4} << 20; // of stored replies that a group which is not over holds
constexpr std::size_t kKeptBytes = 1024;                     // of buffers, by a session at rest
constexpr std::size_t kMaxStale = 64;

// In one piece, so that what is often answered together is written as one.
constexpr std::string_view kAnswers{"1\0\0\0\4"
                                    "2\0\0\0\4"
                                    "3\0\0\0\4"
                                    "n\0\0\0\4",
                                    20};
constexpr auto kParseComplete = kAnswers.substr(0, 5);
constexpr auto kBindComplete = kAnswers.substr(5, 5);
constexpr auto kCloseComplete = kAnswers.substr(10, 5);
constexpr auto kNoData = kAnswers.substr(15, 5);

constexpr std::string_view kReady{"Z\0\0\0\5I"
                                  "Z\0\0\0\5T"
                                  "Z\0\0\0\5E",
                                  18};

std::string_view ready(Status status) noexcept
{
    return kReady.substr(status == Status::idle ? 0 : status == Status::in_transaction ? 6 : 12, 6);
}

/// The first message of stored bytes.
std::string_view first_message(std::string_view bytes) noexcept
{
    if (bytes.size() < 5)
        return {};
    return bytes.substr(0, std::min<std::size_t>(bytes.size(), std::size_t{1} + wire::read_u32(bytes.data() + 1)));
}

/// A RowDescription as Describe shows it of a statement, made that of a portal: with the formats that a Bind asked for.
/// Nullopt: they do not fit. Source: PostgreSQL documentation, "RowDescription" and "Bind".
std::optional<std::string> with_formats(std::string_view description, const std::vector<std::uint16_t>& formats)
{
    std::string made{description};
    wire::FieldReader fields{description.substr(5)};
    const std::size_t columns = fields.u16();
    if (formats.size() > 1 && formats.size() != columns)
        return std::nullopt;
    for (std::size_t i = 0; i < columns; ++i) {
        fields.string();
        fields.bytes(4 + 2 + 4 + 2 + 4);
        const auto at = description.size() - fields.left().size();
        fields.u16();
        if (!fields.ok())
            return std::nullopt;
        const auto format = formats.empty() ? 0U : formats.size() == 1 ? formats.front() : formats[i];
        made[at] = static_cast<char>(format >> 8U);
        made[at + 1] = static_cast<char>(format & 0xffU);
    }
    if (!fields.at_end())
        return std::nullopt;
    return made;
}

/// Whether a Bind brings no values and fits a statement without columns.
bool binds_nothing(std::string_view rest) noexcept
{
    using namespace std::string_view_literals;
    return rest == "\0\0\0\0\0\0"sv || rest == "\0\0\0\0\0\1\0\0"sv || rest == "\0\0\0\0\0\1\0\1"sv;
}

} // namespace

Step Exchange::on_extended(const wire::Frame& frame, Time now)
{
    if (owed_.empty()) {
        if (wants_settings(frame))
            return ask(now, true);
        if (auto step = look_afar(frame, now))
            return *std::move(step);
        if (auto step = recheck(frame, now))
            return *std::move(step);
        Step step{Step::Kind::hold};
        if (take(frame, step, now))
            return step;
    }
    Step step;
    release(step.upstream, now);
    const auto after = forward(frame, step.upstream, now);
    if (after.empty())
        return step;
    step.kind = Step::Kind::send;
    step.upstream += frame.bytes;
    step.upstream += after;
    return step;
}

// ---------------------------------------------------------------------------------------------- what has to be asked

/// Whether what begins here may hit, or could be told better what it writes, if the session's settings were known.
bool Exchange::wants_settings(const wire::Frame& frame)
{
    if (settings_are_known() || !frame.whole() || (frame.type != 'P' && frame.type != 'B') ||
        status_ == Status::failed || database_.catalog_id() == 0 || asked_in_vain_ == database_.catalog_id())
        return false;
    const auto promises = [this](std::string_view sql) {
        const auto statement = analyse(sql);
        return statement->is_cacheable() || statement->reason == Reason::session_unknown || !statement->writes.empty();
    };
    if (frame.type == 'P') {
        const auto parse = wire::decode_parse(frame.body);
        return parse && promises(parse->sql);
    }
    const auto bind = wire::decode_bind(frame.body);
    if (!bind)
        return false;
    const auto* const gathered = gathered_statement(bind->statement);
    if (gathered != nullptr)
        return gathered->text && promises(gathered->text->sql());
    const auto* const named = prepared_.find(bind->statement);
    return named != nullptr && named->text && promises(named->text->sql());
}

/// A statement of which it is not known whether it still is what its client was told, since the catalog has changed:
/// the server is asked, before it is used. One that the server is yet to hear of is prepared on the way.
std::optional<Step> Exchange::recheck(const wire::Frame& frame, Time now)
{
    // Its text may no longer be what can be parsed (a label of an enum was renamed, say), though the statement that the
    // server has goes on: an error would fail the client's transaction.
    if (status() != Status::idle)
        return std::nullopt;
    if (!frame.whole() || !may_look_up() || (frame.type != 'B' && frame.type != 'D'))
        return std::nullopt;
    std::string_view name;
    if (frame.type == 'B') {
        if (const auto bind = wire::decode_bind(frame.body))
            name = bind->statement;
    } else if (const auto describe = wire::decode_describe(frame.body); describe && describe->kind == 'S') {
        name = describe->name;
    } else {
        return std::nullopt;
    }
    if (gathered_statement(name) != nullptr)
        return std::nullopt;
    auto* const named = prepared_.find(name);
    if (named == nullptr || !named->text || standing(*named) != Standing::unknown)
        return std::nullopt;
    const auto word = database_.word().load();
    const bool was_told = named->told.description != 0;
    const bool is_of_use = named->upstream ? analyse(*named->text)->is_cacheable() : was_told;
    if (named->checked_at == word || !is_of_use)
        return std::nullopt;
    named->checked_at = word;
    Step step{Step::Kind::ask, release_begin(now)};
    auto& group = owed_.emplace_back();
    group.kind = Owed::Kind::own_group;
    group.since = now;
    const auto describe = [&](std::string_view as) {
        const int reading = describe_for(group, name, named->text);
        wire::append_describe_statement(step.upstream, as);
        group.asked.push({'D', true, false, reading});
        return reading;
    };
    if (!named->upstream) {
        if (!name.empty() && prepared_.is_stale(name))
            hidden_close(group, name, step.upstream);
        hidden_parse(group, name, named->text, step.upstream);
        describe(name);
    } else {
        if (!was_told) {
            auto& reading = group.readings[static_cast<std::size_t>(describe(name))];
            reading.fill.close(); // of what it was when it was prepared
            reading.told = {};
        }
        hidden_close(group, kOwnName, step.upstream); // an error may have left it the last time
        hidden_parse(group, kOwnName, named->text, step.upstream);
        const int reading = describe(kOwnName);
        group.readings[static_cast<std::size_t>(reading)].is_copy = true;
        hidden_close(group, kOwnName, step.upstream);
    }
    wire::append_sync(step.upstream);
    prepared_.group_sent();
    return step;
}

/// PostgreSQL compares what a statement's client was told with what it would be told now, each time that the catalog
/// has changed. Source: RevalidateCachedQuery in src/backend/utils/cache/plancache.c.
Exchange::Standing Exchange::standing(Prepared::Named& named)
{
    if (named.changed)
        return Standing::changed;
    if (!settings_are_known())
        return Standing::unknown;
    if (named.told.identity == known_->identity->id && named.told.database == database_.word().load())
        return Standing::same;
    if (named.told.description == 0)
        return Standing::unknown;
    const auto entry = description_of(*named.text);
    if (!entry)
        return Standing::unknown;
    const auto told = told_now(sum_of_description(cache::reply_of(*entry)));
    if (told.description != named.told.description)
        return Standing::changed;
    named.told = told;
    return Standing::same;
}

cache::EntryRef Exchange::description_of(const PreparedSource& text)
{
    if (!known_)
        return nullptr;
    key_body_.assign(1, 'S').append(text.rest());
    auto entry = services_.cache.find({known_->identity, key_body_}, cache::Clock::now());
    if (entry && reads_own_writes(cache::stamp_of(*entry)))
        return nullptr;
    return entry;
}

Told Exchange::told_now(std::uint64_t description) const noexcept
{
    return {known_ ? known_->identity->id : 0, database_.word().load(), description};
}

// ---------------------------------------------------------------------------------------------- taking one by one

/// Whether the message can be answered here together with all of its group so far. At the end of the group, or at a
/// Flush, `step` becomes the answer.
bool Exchange::take(const wire::Frame& frame, Step& step, Time now)
{
    if (!frame.whole() || why_not_shared() != Reason::none ||
        gathered_bytes_.size() + frame.bytes.size() > kMaxGatheredBytes || gathered_.size() >= kMaxGatheredMessages ||
        gathered_reply_bytes_ > kMaxReplyBytes || !may_look_up())
        return false;
    if (is_gathering() && gathered_.back().awaits_describe) {
        prepare_anew_if_told(frame);
        return false;
    }
    if (frame.type == 'S')
        return frame.body.empty() && answer_gathered(step, true);
    if (frame.type == 'H')
        return frame.body.empty() && answer_gathered(step, false);
    Gathered op{frame.type};
    op.at = static_cast<std::uint32_t>(gathered_bytes_.size());
    op.size = static_cast<std::uint32_t>(frame.bytes.size());
    bool taken = false;
    switch (frame.type) {
    case 'P':
        taken = take_parse(frame, op, now);
        break;
    case 'B':
        taken = take_bind(frame, op, now);
        break;
    case 'D':
        taken = take_describe(frame, op, now);
        break;
    case 'E':
        taken = take_execute(frame, op);
        break;
    case 'C':
        taken = take_close(frame, op);
        break;
    default:
        break;
    }
    if (!taken)
        return false;
    gathered_bytes_ += frame.bytes;
    gathered_.push_back(std::move(op));
    return true;
}

bool Exchange::take_parse(const wire::Frame& frame, Gathered& op, Time)
{
    const auto parse = wire::decode_parse(frame.body);
    if (!parse || !PreparedSource::is_well_formed(parse->rest))
        return false;
    const auto name = parse->statement;
    const auto* const gathered = gathered_statement(name);
    auto* const named = prepared_.find(name);
    if (!name.empty()) { // a name that exists is an error, which only the server can put in words
        const bool exists = gathered != nullptr ? gathered->type == 'P' : named != nullptr;
        if (exists || prepared_.others_may_exist() || prepared_.is_full())
            return false;
    }
    op.name_at = op.at + 5;
    op.name_size = static_cast<std::uint32_t>(name.size());
    op.text = named != nullptr && named->text && named->text->rest() == parse->rest
                  ? named->text
                  : std::make_shared<const PreparedSource>(parse->rest);
    op.entry = description_of(*op.text);
    if (!op.entry) {
        const auto statement = analyse(parse->sql);
        const bool is_known = statement->transaction == Transaction::begin ||
                              statement->transaction == Transaction::commit ||
                              statement->transaction == Transaction::rollback;
        if (!is_known || parse->rest.size() != parse->sql.size() + 3)
            return false;
    }
    append_reply(kParseComplete);
    return true;
}

bool Exchange::take_bind(const wire::Frame& frame, Gathered& op, Time now)
{
    const auto bind = wire::decode_bind(frame.body);
    if (!bind)
        return false;
    if (const auto* const gathered = gathered_statement(bind->statement)) {
        op.text = gathered->text; // null: closed
    } else if (auto* const named = prepared_.find(bind->statement); named != nullptr && named->text) {
        if (const auto is = standing(*named); is != Standing::same) {
            op.awaits_describe = is == Standing::changed && may_prepare_anew(*named, frame.body);
            op.name_at = op.at + 5;
            op.name_size = static_cast<std::uint32_t>(bind->portal.size());
            return op.awaits_describe;
        }
        op.text = named->text;
    }
    if (!op.text)
        return false;
    const auto* const before = gathered_portal(bind->portal);
    if (bind->portal.empty()) {
        if (before != nullptr && !before->executed)
            return false;
    } else if (before != nullptr || prepared_.has_portal(bind->portal) || status() != Status::idle || group_begins()) {
        return false; // it exists, or will outlive its group
    }
    for (const auto& other : gathered_)
        if (other.control == Gathered::Control::end)
            return false;
    op.name_at = op.at + 5;
    op.name_size = static_cast<std::uint32_t>(bind->portal.size());
    op.rest_at = op.at + static_cast<std::uint32_t>(frame.bytes.size() - bind->rest.size());
    key_body_.assign(1, 'E').append(op.text->rest()).append(bind->rest);
    op.entry = services_.cache.find({known_->identity, key_body_}, now);
    if (op.entry) {
        if (reads_own_writes(cache::stamp_of(*op.entry)) || !may_serve(op.entry))
            return false;
        append_reply(kBindComplete);
        return true;
    }
    if (!bind->portal.empty() || !binds_nothing(bind->rest))
        return false;
    const auto statement = analyse(*op.text);
    const bool in_transaction = begin_held_ || group_begins();
    if (statement->transaction == Transaction::begin && status_ == Status::idle && !in_transaction &&
        known_->read_committed_by_default &&
        std::none_of(gathered_.begin(), gathered_.end(), [](const Gathered& other) { return other.type == 'B'; }))
        op.control = Gathered::Control::begin;
    else if ((statement->transaction == Transaction::commit || statement->transaction == Transaction::rollback) &&
             in_transaction)
        op.control = Gathered::Control::end;
    else
        return false;
    op.tag = statement->tag;
    append_reply(kBindComplete);
    return true;
}

/// Whether a statement that PostgreSQL would refuse now ("cached plan must not change result type") may be prepared
/// anew in its client's place, should it ask for the columns: nothing has been run that an error would take back, and
/// the values mean the same whatever types the parameters have now.
bool Exchange::may_prepare_anew(const Prepared::Named& named, std::string_view bind_body)
{
    if (status() != Status::idle || !description_of(*named.text))
        return false;
    const auto values = wire::decode_bind_values(bind_body);
    if (!values)
        return false;
    const auto declared = named.text->types();
    for (std::size_t i = 0; i < values->size(); ++i)
        if ((*values)[i].is_binary && (i >= declared.size() || declared[i] == 0))
            return false;
    return true;
}

/// What was bound last is described: then its client learns the columns that it is about to get, and gets them.
void Exchange::prepare_anew_if_told(const wire::Frame& frame)
{
    const auto& bound = gathered_.back();
    const auto describe = frame.type == 'D' ? wire::decode_describe(frame.body) : wire::Errc::short_field;
    if (!describe || describe->kind != 'P' || describe->name != name_of(bound))
        return;
    const auto bind = wire::decode_bind(std::string_view{gathered_bytes_}.substr(bound.at + 5, bound.size - 5));
    auto* const named = bind ? prepared_.find(bind->statement) : nullptr;
    if (named == nullptr || !named->text)
        return;
    if (const auto entry = description_of(*named->text)) {
        prepared_.prepare_virtually(bind->statement, named->text,
                                    told_now(sum_of_description(cache::reply_of(*entry))));
        metrics_.prepared_anew.add();
    }
}

bool Exchange::take_describe(const wire::Frame& frame, Gathered&, Time)
{
    const auto describe = wire::decode_describe(frame.body);
    if (!describe || frame.body.size() != describe->name.size() + 2)
        return false;
    if (describe->kind == 'S') {
        cache::EntryRef entry;
        if (const auto* const gathered = gathered_statement(describe->name)) {
            entry = gathered->entry;
        } else if (auto* const named = prepared_.find(describe->name);
                   named != nullptr && named->text && standing(*named) == Standing::same) {
            entry = description_of(*named->text);
        }
        if (!entry)
            return false;
        append_reply(entry, cache::reply_of(*entry).substr(kParseComplete.size()));
        return true;
    }
    const auto* const portal = describe->kind == 'P' ? gathered_portal(describe->name) : nullptr;
    if (portal == nullptr)
        return false;
    if (portal->control != Gathered::Control::none) {
        append_reply(kNoData);
        return true;
    }
    if (const auto stored = cache::reply_of(*portal->entry); stored.starts_with('T')) {
        append_reply(portal->entry, first_message(stored));
        return true;
    }
    const auto entry = description_of(*portal->text);
    if (!entry)
        return false;
    auto stored = cache::reply_of(*entry).substr(kParseComplete.size());
    stored.remove_prefix(first_message(stored).size());
    const auto bind = std::string_view{gathered_bytes_}.substr(portal->at + 5, portal->size - 5);
    const auto formats = wire::decode_bind_results(bind);
    if (!stored.starts_with('T') || !formats)
        return false;
    auto made = with_formats(stored, *formats);
    if (!made)
        return false;
    gathered_reply_.push_back({nullptr, {}, *std::move(made)});
    return true;
}

bool Exchange::take_execute(const wire::Frame& frame, Gathered&)
{
    const auto execute = wire::decode_execute(frame.body);
    if (!execute || execute->max_rows != 0 || frame.body.size() != execute->portal.size() + 5)
        return false;
    auto* const portal = gathered_portal(execute->portal);
    if (portal == nullptr || portal->executed)
        return false;
    if (portal->control != Gathered::Control::none) {
        // What else was bound meanwhile has been looked at as it is before a BEGIN, or within what ends here.
        portal->executed = true;
        std::string complete;
        wire::append_command_complete(complete, portal->tag);
        gathered_reply_.push_back({nullptr, {}, std::move(complete)});
        return true;
    }
    // The statements of an implicit transaction share a snapshot unless it is READ COMMITTED.
    if (gathered_hits_ > 0 && status() == Status::idle && !known_->read_committed_by_default)
        return false;
    auto rows = cache::reply_of(*portal->entry);
    if (rows.starts_with('T'))
        rows.remove_prefix(first_message(rows).size());
    portal->executed = true;
    append_reply(portal->entry, rows);
    ++gathered_hits_;
    return true;
}

bool Exchange::take_close(const wire::Frame& frame, Gathered& op)
{
    const auto close = wire::decode_close(frame.body);
    if (!close || frame.body.size() != close->name.size() + 2)
        return false;
    op.name_at = op.at + 6;
    op.name_size = static_cast<std::uint32_t>(close->name.size());
    if (close->kind == 'S') {
        const bool is_known = gathered_statement(close->name) != nullptr || prepared_.find(close->name) != nullptr;
        if ((!is_known && !close->name.empty() && prepared_.others_may_exist()) ||
            prepared_.stale().size() >= kMaxStale)
            return false;
    } else if (close->kind == 'P') {
        op.of_portal = true;
        auto* const portal = gathered_portal(close->name);
        if (portal != nullptr) {
            // The server may still have an unnamed one from before.
            if (!portal->executed || (close->name.empty() && prepared_.has_portal({})))
                return false;
            portal->closed = true;
        } else if (!close->name.empty() || prepared_.has_portal({})) {
            return false;
        }
    } else {
        return false;
    }
    append_reply(kCloseComplete);
    return true;
}

// ---------------------------------------------------------------------------------------------- the answer

/// All that was gathered is answered, and takes effect.
bool Exchange::answer_gathered(Step& step, bool at_sync)
{
    if (!at_sync) { // nothing that depends on rows may be said before the rest of the group is known
        const bool is_early = !gathered_.empty() && std::all_of(gathered_.begin(), gathered_.end(), [](const auto& op) {
            return op.type == 'P' || op.type == 'D' || op.type == 'C';
        });
        if (!is_early)
            return false;
    }
    const auto is_open = [](const Gathered& op) { return op.type == 'B' && !op.executed; };
    if (std::any_of(gathered_.begin(), gathered_.end(), is_open) || !is_confirmed_group())
        return false;
    for (auto& op : gathered_) {
        if (op.type == 'P') {
            const auto description = op.entry ? sum_of_description(cache::reply_of(*op.entry)) : 0;
            prepared_.prepare_virtually(name_of(op), std::move(op.text), told_now(description));
        } else if (op.type == 'C' && !op.of_portal) {
            prepared_.close_virtually(name_of(op));
        } else if (op.type == 'C' && name_of(op).empty()) {
            finished_portal_.reset();
        } else if (op.type == 'B') {
            finished_portal_.reset();
            if (op.control == Gathered::Control::none && name_of(op).empty() && !op.closed)
                finished_portal_ = {std::move(op.text),
                                    gathered_bytes_.substr(op.rest_at, op.at + op.size - op.rest_at)};
            else if (op.control == Gathered::Control::begin) {
                begin_held_ = true;
                has_unseen_hits_ = false;
                begin_text_ = op.text->sql();
                transaction_ = {};
                transaction_.isolation = Isolation::read_committed;
            } else if (op.control == Gathered::Control::end) {
                begin_held_ = false;
            }
            if (op.control != Gathered::Control::none)
                count_bypass(Reason::transaction_control);
        }
    }
    if (gathered_hits_ > 0) {
        metrics_.hits.add(gathered_hits_);
        has_unseen_hits_ |= status() == Status::in_transaction;
    }
    if (at_sync) {
        if (status() == Status::idle) {
            finished_portal_.reset();
            prepared_.transaction_ended();
        }
        append_reply(ready(status()));
    }
    step.kind = Step::Kind::reply;
    step.hits = gathered_hits_;
    reply_.clear();
    reply_.swap(gathered_reply_);
    drop_gathered();
    return true;
}

void Exchange::append_reply(std::string_view bytes)
{
    gathered_reply_.push_back({nullptr, bytes, {}});
}

void Exchange::append_reply(const cache::EntryRef& entry, std::string_view bytes)
{
    gathered_reply_.push_back({entry, bytes, {}});
    gathered_reply_bytes_ += bytes.size();
}

void Exchange::drop_gathered() noexcept
{
    gathered_.clear();
    gathered_reply_.clear();
    gathered_reply_bytes_ = 0;
    gathered_hits_ = 0;
    if (afar_)
        afar_->group_confirmed = false;
    gathered_bytes_.clear();
    if (gathered_bytes_.capacity() > kKeptBytes)
        std::string{}.swap(gathered_bytes_);
    if (gathered_.capacity() * sizeof(Gathered) > kKeptBytes)
        std::vector<Gathered>{}.swap(gathered_);
}

std::string_view Exchange::name_of(const Gathered& op) const noexcept
{
    return std::string_view{gathered_bytes_}.substr(op.name_at, op.name_size);
}

const Gathered* Exchange::gathered_statement(std::string_view name) const noexcept
{
    const auto found = std::find_if(gathered_.rbegin(), gathered_.rend(), [&](const Gathered& op) {
        return (op.type == 'P' || (op.type == 'C' && !op.of_portal)) && name_of(op) == name;
    });
    return found == gathered_.rend() ? nullptr : &*found;
}

Gathered* Exchange::gathered_portal(std::string_view name) noexcept
{
    const auto found = std::find_if(gathered_.rbegin(), gathered_.rend(),
                                    [&](const Gathered& op) { return op.type == 'B' && name_of(op) == name; });
    return found == gathered_.rend() || found->closed ? nullptr : &*found;
}

bool Exchange::group_begins() const noexcept
{
    return std::any_of(gathered_.begin(), gathered_.end(),
                       [](const Gathered& op) { return op.control == Gathered::Control::begin; });
}

} // namespace pgmemo::proxy
