// Groups of the extended protocol that go upstream.

#include "proxy/exchange.hpp"

#include "query/parameters.hpp"
#include "query/words.hpp"
#include "wire/field_reader.hpp"
#include "wire/frontend.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using query::Statement;
using query::Transaction;
using wire::Status;

// What a text is taken for that could not be read at all: it may do anything.
const Statement kAnything{};

/// Whether what a statement returns follows from the catalog and the settings alone.
bool is_describable(const Statement& statement) noexcept
{
    switch (statement.reason) {
    case Reason::none:
    case Reason::row_lock:
    case Reason::tablesample:
    case Reason::clock:
    case Reason::session_identity:
    case Reason::volatile_function:
    case Reason::stable_function:
    case Reason::user_function:
    case Reason::unsupported_syntax:
    case Reason::system_catalog:
    case Reason::view:
    case Reason::foreign_table:
    case Reason::unlogged_table:
    case Reason::other_relation:
    case Reason::unsafe_type:
    case Reason::write:
        return statement.is_single;
    case Reason::transaction_control:
        return statement.is_single &&
               (statement.transaction == Transaction::begin || statement.transaction == Transaction::commit ||
                statement.transaction == Transaction::rollback);
    default:
        return false;
    }
}

/// Whether the statement may ask for, make or drop prepared statements by their names.
bool may_name(const Statement& statement)
{
    if (statement.is_cacheable())
        return false;
    if (statement.writes_unknown)
        return true;
    switch (statement.reason) {
    case Reason::multiple:
    case Reason::unparsed:
    case Reason::encoding:
    case Reason::user_function:
    case Reason::system_catalog:
    case Reason::view:
        return true;
    default:
        break;
    }
    return statement.mentions_prepared;
}

/// The types of ParameterDescription, which begins here.
std::vector<std::uint32_t> described_types(std::string_view message)
{
    wire::FieldReader fields{message};
    if (fields.byte() != 't')
        return {};
    fields.u32();
    std::vector<std::uint32_t> types(fields.u16());
    for (auto& type : types)
        type = fields.u32();
    return fields.ok() ? types : std::vector<std::uint32_t>{};
}

} // namespace

/// Lets what was gathered go upstream, with the BEGIN held back before it.
void Exchange::release(std::string& upstream, Time now)
{
    upstream += release_begin(now);
    if (!is_gathering())
        return;
    const auto bytes = std::move(gathered_bytes_);
    const auto ops = std::move(gathered_);
    gathered_bytes_ = {};
    gathered_ = {};
    drop_gathered();
    for (const auto& op : ops) {
        const auto message = std::string_view{bytes}.substr(op.at, op.size);
        const wire::Frame frame{op.type, true, message, message.substr(5), 0};
        const auto after = blind_reason_.empty() ? forward(frame, upstream, now) : std::string{};
        upstream += message;
        upstream += after;
    }
}

/// What a message that goes upstream brings about. `before` is sent before it, what is returned behind it.
std::string Exchange::forward(const wire::Frame& frame, std::string& before, Time now)
{
    switch (frame.type) {
    case 'P':
        return forward_parse(frame, before, now);
    case 'B':
        forward_bind(frame, before, now);
        break;
    case 'E':
        forward_execute(frame, before, now);
        break;
    case 'C':
        forward_close(frame, before, now);
        break;
    case 'D':
        forward_describe(frame, before, now);
        break;
    case 'S':
        on_sync(now);
        break;
    default: // Flush: nothing is owed for it
        break;
    }
    return {};
}

Exchange::Owed& Exchange::open_group(Time now, std::string* before)
{
    const bool is_new = !group_is_open();
    if (is_new) {
        auto& group = owed_.emplace_back();
        group.kind = Owed::Kind::group;
        group.closed = false;
        group.since = now;
    }
    auto& group = owed_.back();
    ++group.messages;
    if (is_new && before != nullptr && !prepared_.stale().empty() && !prepared_.is_unsettled()) {
        for (const auto& name : prepared_.stale())
            if (!name.empty())
                hidden_close(group, name, *before);
    }
    return group;
}

void Exchange::ask_for(Owed& group, Asked asked)
{
    if (!group.error && !group.untracked)
        group.asked.push(asked);
}

// ---------------------------------------------------------------------------------------------- the messages

std::string Exchange::forward_parse(const wire::Frame& frame, std::string& before, Time now)
{
    const auto name = wire::decode_parse_name(frame.body);
    if (!name) {
        go_blind("a Parse whose name cannot be read");
        return {};
    }
    auto& group = open_group(now, &before);
    const auto parse = wire::decode_parse(frame.body);
    PreparedText text;
    if (parse && frame.whole() && PreparedSource::is_well_formed(parse->rest))
        text = std::make_shared<const PreparedSource>(parse->rest);
    if (!name->empty())
        need(group, *name, before); // that it exists is the server's to say, and that it does not
    ask_for(group, {'P'});
    ++group.ops;
    Told told;
    bool learns = false;
    if (text && group.reads_only && may_look_up() && !session_may_change()) {
        if (const auto entry = description_of(*text)) {
            told = told_now(sum_of_description(cache::reply_of(*entry)));
        } else {
            told = told_now(0);
            learns = is_describable(*analyse(*text));
        }
    }
    prepared_.parse_sent(*name, text, told);
    if (!learns)
        return {};
    std::string after;
    const int reading = describe_for(group, *name, text);
    wire::append_describe_statement(after, *name);
    ask_for(group, {'D', true, false, reading});
    return after;
}

void Exchange::forward_bind(const wire::Frame& frame, std::string& before, Time now)
{
    const auto bind = wire::decode_bind(frame.body);
    auto& group = open_group(now, &before);
    if (!bind) {
        go_blind("a Bind whose names cannot be read");
        return;
    }
    if (has_unseen_hits_ && !group.error) {
        // SET TRANSACTION must come before the first query of a transaction; PostgreSQL has not seen that there was
        // one.
        for (const auto& text : prepared_.texts_of_statement(bind->statement)) {
            if (text && analyse(*text)->sets_transaction) {
                hidden_run(group, PreparedSource{std::string{"SELECT 1"} + std::string(3, '\0')}, std::string(6, '\0'),
                           before);
                has_unseen_hits_ = false;
                break;
            }
        }
    }
    const bool refuses = !need(group, bind->statement, before);
    if (bind->portal.empty())
        finished_portal_.reset();
    for (auto& reading : group.readings)
        if (reading.kind == Reading::Kind::rows && reading.name == bind->portal)
            reading.executed = true; // what is executed now is another portal
    if (frame.whole() && !refuses)
        open_reading(group, *bind, frame.body);
    prepared_.bind_sent(bind->portal, bind->statement, frame.whole() ? frame.body : std::string_view{});
    ask_for(group, {'B', false, refuses});
}

void Exchange::forward_describe(const wire::Frame& frame, std::string& before, Time now)
{
    auto& group = open_group(now, &before);
    const auto describe = wire::decode_describe(frame.body);
    if (!describe) { // the server refuses it
        ask_for(group, {'D'});
        return;
    }
    if (describe->kind == 'S') {
        const bool refuses = !need(group, describe->name, before);
        ask_for(group, {'D', false, refuses});
        return;
    }
    need_portal(group, describe->name, before);
    Asked asked{'D'};
    for (std::size_t i = 0; i < group.readings.size(); ++i) {
        auto& reading = group.readings[i];
        if (reading.kind != Reading::Kind::rows || reading.name != describe->name || reading.executed ||
            reading.described || !reading.fill.is_open())
            continue;
        reading.described = true;
        asked.reading = static_cast<int>(i);
    }
    ask_for(group, asked);
}

void Exchange::forward_execute(const wire::Frame& frame, std::string& before, Time now)
{
    auto& group = open_group(now, &before);
    const auto execute = wire::decode_execute(frame.body);
    if (!execute) {
        go_blind("an Execute that cannot be read");
        return;
    }
    need_portal(group, execute->portal, before);
    on_execute(*execute, group, before);
    has_unseen_hits_ = false;
}

void Exchange::forward_close(const wire::Frame& frame, std::string& before, Time now)
{
    auto& group = open_group(now, &before);
    const auto close = wire::decode_close(frame.body);
    if (!close) {
        go_blind("a Close that cannot be read");
        return;
    }
    if (close->kind == 'S') {
        prepared_.close_statement_sent(close->name);
    } else {
        prepared_.close_portal_sent(close->name);
        if (close->name.empty())
            finished_portal_.reset();
        for (auto& reading : group.readings)
            if (reading.kind == Reading::Kind::rows && reading.name == close->name)
                reading.executed = true;
    }
    ++group.ops;
    ask_for(group, {'C'});
}

void Exchange::on_execute(const wire::Execute& execute, Owed& group, std::string& before)
{
    const auto found = std::find_if(group.readings.rbegin(), group.readings.rend(), [&](const Reading& reading) {
        return reading.kind == Reading::Kind::rows && reading.name == execute.portal && !reading.executed;
    });
    const bool is_read = found != group.readings.rend();
    const bool is_first = owed_.size() == 1 && status_ != Status::idle;
    const bool is_begun = owed_.size() == 2 && owed_.front().kind == Owed::Kind::own_begin;
    auto reason = Reason::extended_protocol;
    for (const auto& text : prepared_.texts_of_portal(execute.portal)) {
        const bool in_transaction = (is_first || is_begun) && !group.controls_transaction;
        if (!text) {
            reason = Reason::utility;
            need_names(group, before);
            group.may_copy = true;
            take_part(group, kAnything, in_transaction);
            prepared_.forget_all(); // it may be a PREPARE too long to be read
            close_readings(group);
            continue;
        }
        const auto statement = analyse(*text);
        group.may_copy |= may_copy(*statement, text->sql());
        if (may_name(*statement))
            need_names(group, before);
        reason = statement->is_cacheable()                      ? Reason::extended_protocol
                 : statement->reason == Reason::session_unknown ? why_no_lookup()
                                                                : statement->reason;
        if (reason == Reason::none)
            reason = Reason::session_unknown;
        std::optional<Parameters> parameters;
        if (!statement->writes.empty())
            parameters = parameters_of(*text, prepared_.bind_of_portal(execute.portal), false);
        take_part(group, *statement, in_transaction, parameters ? &*parameters : nullptr);
        forget_names_if_told(*statement, text->sql());
        const bool begins = statement->transaction == Transaction::begin && group.reads_only && group.misses == 0 &&
                            group.isolation == Isolation::read_committed && status_ == Status::idle;
        if (!statement->is_cacheable() && !begins)
            close_readings(group);
    }
    Asked asked{'E'};
    if (is_read) {
        found->executed = true;
        if (found->reason != Reason::none) {
            reason = found->reason;
        } else if (execute.max_rows == 0) {
            reason = Reason::none;
            asked.reading = static_cast<int>(group.readings.rend() - found) - 1;
        }
        if (asked.reading == Asked::kNothing)
            found->fill.close();
    }
    ask_for(group, asked);
    if (reason == Reason::none) {
        metrics_.misses.add();
        ++group.misses;
    } else {
        count_bypass(reason);
    }
}

void Exchange::on_sync(Time now)
{
    if (!owed_.empty() && owed_.front().copy_in && !owed_.front().copy_ended)
        return; // in COPY FROM STDIN the server ignores it. Source: PostgreSQL documentation, "COPY Operations".
    auto& group = open_group(now);
    --group.messages;
    group.closed = true;
    prepared_.group_sent();
}

// ---------------------------------------------------------------------------------------------- what the server lacks

/// Sees to it that the server means by the name what the client does. False: the client was told that the statement is
/// another than it would be now, so it must be refused: the server is made to have none of that name.
bool Exchange::need(Owed& group, std::string_view statement, std::string& before)
{
    if (prepared_.is_in_question(statement))
        return true; // the client's own messages have told the server
    auto* const named = prepared_.find(statement);
    if (named == nullptr) {
        if (prepared_.is_stale(statement) && !prepared_.is_being_prepared(statement, nullptr))
            hidden_close(group, statement, before);
        return true;
    }
    if (!named->text)
        return true;
    if (named->upstream) {
        if (!named->changed)
            return true;
        hidden_close(group, statement, before);
        return false;
    }
    if (standing(*named) == Standing::changed) {
        if (prepared_.is_stale(statement))
            hidden_close(group, statement, before);
        return false;
    }
    if (prepared_.is_being_prepared(statement, named->text))
        return true;
    const bool may_exist = prepared_.is_stale(statement) || prepared_.is_uncertain(statement);
    if (!statement.empty() && may_exist && !prepared_.is_being_prepared(statement, nullptr))
        hidden_close(group, statement, before);
    hidden_parse(group, statement, named->text, before);
    return true;
}

/// The unnamed portal that was executed here, should it be asked for once more: the server gets it in the same state.
void Exchange::need_portal(Owed& group, std::string_view portal, std::string& before)
{
    if (!portal.empty() || !finished_portal_)
        return;
    const auto finished = *std::exchange(finished_portal_, std::nullopt);
    hidden_run(group, *finished.text, finished.values, before);
    prepared_.bind_sent({}, {});
}

/// The server gets every statement that the client has, since something may ask for any.
void Exchange::need_names(Owed& group, std::string& before)
{
    for (const auto& name : prepared_.missing()) {
        auto* const named = prepared_.find(name);
        if (prepared_.is_in_question(name) || standing(*named) != Standing::same ||
            prepared_.is_being_prepared(name, named->text))
            continue; // one that might fail would take the client's transaction with it
        const bool may_exist = prepared_.is_stale(name) || prepared_.is_uncertain(name);
        if (may_exist && !prepared_.is_being_prepared(name, nullptr))
            hidden_close(group, name, before);
        hidden_parse(group, name, named->text, before);
    }
}

/// The same before a Query, as a group of its own.
std::string Exchange::names_for(const Statement& statement, Time now)
{
    std::string before;
    if (status_ == Status::failed || !may_name(statement) || (prepared_.stale().empty() && prepared_.missing().empty()))
        return before;
    auto& group = owed_.emplace_back();
    group.kind = Owed::Kind::own_group;
    group.since = now;
    for (const auto& name : prepared_.stale())
        if (!name.empty())
            hidden_close(group, name, before);
    need_names(group, before);
    if (before.empty()) {
        owed_.pop_back();
        return before;
    }
    wire::append_sync(before);
    prepared_.group_sent();
    return before;
}

void Exchange::hidden_parse(Owed& group, std::string_view name, const PreparedText& text, std::string& before)
{
    wire::append_parse(before, name, text->rest());
    prepared_.hidden_parse_sent(name, text);
    ++group.ops;
    ask_for(group, {'P', true});
}

void Exchange::hidden_close(Owed& group, std::string_view name, std::string& before)
{
    wire::append_close(before, 'S', name);
    prepared_.hidden_close_sent(name);
    ++group.ops;
    ask_for(group, {'C', true});
}

/// Runs a statement unseen, to the end of the unnamed portal.
void Exchange::hidden_run(Owed& group, const PreparedSource& text, std::string_view values, std::string& before)
{
    hidden_close(group, kOwnName, before); // an error may have left it the last time
    hidden_parse(group, kOwnName, std::make_shared<const PreparedSource>(text), before);
    wire::append_bind(before, {}, kOwnName, values);
    ask_for(group, {'B', true});
    wire::append_execute(before, {});
    ask_for(group, {'E', true});
    hidden_close(group, kOwnName, before);
}

// ---------------------------------------------------------------------------------------------- what is learned

int Exchange::describe_for(Owed& group, std::string_view name, const PreparedText& text)
{
    group.readings.emplace_back();
    auto& reading = group.readings.back();
    reading.kind = Reading::Kind::description;
    reading.name = name;
    reading.text = text;
    reading.told = told_now(0);
    const auto words = words_of_all();
    if (may_look_up() && !reads_own_writes(words) && why_not_shared() == Reason::none && may_share(words, {})) {
        cache::Stamp stamp{words};
        if (database_.usable_catalog_id() == known_->catalog_id) {
            key_body_.assign(1, 'S').append(text->rest());
            reading.fill = services_.cache.begin_fill({known_->identity, key_body_}, std::move(stamp), 1u << 16,
                                                      bounded(std::nullopt));
        }
    }
    return static_cast<int>(group.readings.size()) - 1;
}

void Exchange::open_reading(Owed& group, const wire::Bind& bind, std::string_view body)
{
    const auto texts = prepared_.texts_of_statement(bind.statement);
    if (texts.size() != 1 || !texts.front())
        return;
    Reading reading;
    reading.name = bind.portal;
    reading.reason = fill_for(group, reading, *texts.front(), bind, body);
    // A key says what its text means now. What was prepared when it meant something else may not be stored under it.
    if (!prepared_.is_in_question(bind.statement))
        if (auto* const named = prepared_.find(bind.statement); named == nullptr || standing(*named) != Standing::same)
            reading.fill.close();
    group.readings.push_back(std::move(reading));
}

/// Opens the fill of a portal, if it may have one. Why it bypasses the cache, or none: it is a miss.
///
/// The server takes a portal's snapshot at its Bind. Source: exec_bind_message in src/backend/tcop/postgres.c.
Reason Exchange::fill_for(Owed& group, Reading& reading, const PreparedSource& text, const wire::Bind& bind,
                          std::string_view body)
{
    const auto statement = analyse(text);
    auto refused = Reason::none;
    const auto parameters = cacheable_parameters(*statement, text, body, refused);
    if (!parameters)
        return refused;
    if (!only_plain_reads_owed(true))
        return Reason::none; // cacheable, but its turn depends on what is still under way
    if (const auto reason = why_no_lookup(); reason != Reason::none)
        return reason;
    const auto [words, fresh] = read_words(*statement, &*parameters);
    if (reads_own_writes(words) || reads_own_writes(fresh))
        return Reason::written_in_transaction;
    if (const auto reason = why_not_shared(); reason != Reason::none)
        return reason;
    if (!group.reads_only || !may_share(words, fresh))
        return Reason::none;
    const auto policy = policy_of(*statement, text.sql(), refused);
    if (!policy)
        return refused;
    key_body_.assign(1, 'E').append(text.rest()).append(bind.rest);
    reading.unless_found = cache::Stamp{fresh};
    cache::Stamp stamp{words}; // as in begin_fill
    if (database_.usable_catalog_id() != known_->catalog_id)
        return Reason::none;
    const bool quiet = stamp.is_quiet();
    reading.fill = services_.cache.begin_fill({known_->identity, key_body_}, std::move(stamp), policy->max_entry_bytes,
                                              policy->ttl);
    if (!quiet)
        metrics_.fills_moved.add();
    return Reason::none;
}

/// The values of a Bind, if the statement may be cached with them; or why not.
std::optional<Parameters> Exchange::cacheable_parameters(const Statement& statement, const PreparedSource& text,
                                                         std::string_view bind_body, Reason& refused)
{
    if (!statement.is_cacheable()) {
        refused = statement.reason == Reason::session_unknown && !may_look_up() ? why_no_lookup() : statement.reason;
        return std::nullopt;
    }
    auto parameters = parameters_of(text, bind_body, true);
    if (!parameters) {
        refused = Reason::parameters;
        return std::nullopt;
    }
    const auto declared = text.types();
    for (std::size_t i = 0; i < parameters->values.size(); ++i) {
        const auto& value = parameters->values[i];
        if (value.is_null)
            continue;
        const query::ParameterType type{i < declared.size() ? declared[i] : 0,
                                        i < parameters->types.size() ? parameters->types[i] : 0};
        refused = query::refuse_parameter(type, value.is_binary, value.bytes);
        if (refused != Reason::none)
            return std::nullopt;
    }
    return parameters;
}

/// The values of a Bind, with the types that Parse declared. `settled`: or else the server has told, which holds for a
/// statement that is as its client was told.
std::optional<Parameters> Exchange::parameters_of(const PreparedSource& text, std::string_view bind_body, bool settled)
{
    auto values = wire::decode_bind_values(bind_body);
    if (!values)
        return std::nullopt;
    Parameters parameters{*std::move(values), text.types()};
    const auto is_settled = [&] {
        return parameters.types.size() >= parameters.values.size() &&
               std::find(parameters.types.begin(), parameters.types.end(), 0U) == parameters.types.end();
    };
    if (!settled || is_settled() || !may_look_up() || session_may_change())
        return parameters;
    if (const auto entry = description_of(text)) {
        const auto types = described_types(cache::reply_of(*entry).substr(5));
        parameters.types.resize(std::max(parameters.types.size(), types.size()));
        for (std::size_t i = 0; i < types.size(); ++i)
            if (parameters.types[i] == 0)
                parameters.types[i] = types[i];
    }
    return parameters;
}

/// Something was executed in the group that is no read: what it does may show in the reads behind it.
void Exchange::close_readings(Owed& group) noexcept
{
    group.reads_only = false;
    for (auto& reading : group.readings)
        reading.fill.close();
}

} // namespace pgmemo::proxy
