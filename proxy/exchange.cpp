// What a session knows of itself.

#include "proxy/exchange.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using query::Statement;
using query::Transaction;
using wire::Status;

bool is_ascii(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

} // namespace

Exchange::Exchange(Services& services, Database& database, observe::ThreadMetrics& metrics, std::string user,
                   std::string_view blind_reason)
    : services_(services)
    , database_(database)
    , metrics_(metrics)
    , user_(std::move(user))
{
    owed_.emplace_back().kind = Owed::Kind::startup;
    if (!blind_reason.empty())
        go_blind(blind_reason);
}

Exchange::~Exchange()
{
    const auto hand_over = [this](cache::Flight&& flight, bool changes_catalog) {
        if (!flight.empty())
            services_.unresolved.add({std::move(flight), backend_pid_, &database_, changes_catalog});
    };
    for (auto& owed : owed_) {
        for (auto& flight : owed.flights)
            hand_over(std::move(flight), owed.commits_catalog || owed.commits_cluster);
    }
    hand_over(std::move(blind_flight_), true);
}

Reason Exchange::why_no_lookup() const noexcept
{
    if (!blind_reason_.empty())
        return Reason::blind;
    if (!hits_admitted_)
        return Reason::login_revoked;
    if (status_ == Status::failed)
        return Reason::failed_transaction;
    if (database_.usable_catalog_id() == 0)
        return Reason::catalog_unknown;
    if (!settings_are_known())
        return Reason::session_unknown;
    if (known_->temporary_objects)
        return Reason::temporary_objects;
    if (status() == Status::in_transaction && transaction_.isolation != Isolation::read_committed)
        return transaction_.isolation == Isolation::other ? Reason::isolation : Reason::session_unknown;
    return Reason::none;
}

bool Exchange::settings_are_known() const noexcept
{
    const bool in_unknown_transaction =
        status() == Status::in_transaction && transaction_.isolation == Isolation::unknown;
    return known_ && !in_unknown_transaction && known_->catalog_id == database_.catalog_id() &&
           known_->settings_epoch == services_.settings_epoch.load(std::memory_order_acquire);
}

bool Exchange::only_plain_reads_owed(bool but_the_last) const noexcept
{
    return std::all_of(owed_.begin(), std::prev(owed_.end(), but_the_last ? 1 : 0), [](const Owed& owed) {
        if (owed.kind == Owed::Kind::own_begin)
            return true; // READ COMMITTED
        const bool is_plain = owed.kind == Owed::Kind::query || owed.kind == Owed::Kind::own_group ||
                              (owed.kind == Owed::Kind::group && owed.closed);
        return is_plain && owed.effects.words.empty() && !owed.controls_transaction && !owed.effects.changes_session;
    });
}

/// What is sent behind a SET that is not answered cannot be read: it would be taken for anything. Behind a hidden
/// Parse, or one of a name that the server lacks, it is not known what the server has. Better to wait for the answer,
/// which needs nothing more from the client; a COPY that may be among what is owed would.
bool Exchange::must_wait() const noexcept
{
    const bool for_names = prepared_.is_unsettled();
    return (session_may_change() || for_names) && std::all_of(owed_.begin(), owed_.end(), [=](const Owed& owed) {
               const bool may_copy = for_names ? owed.may_copy : !owed.effects.words.empty();
               return owed.closed && (!may_copy || owed.copy_ended);
           });
}

bool Exchange::session_may_change() const noexcept
{
    return std::any_of(owed_.begin(), owed_.end(), [](const Owed& owed) { return owed.effects.changes_session; });
}

Exchange::StatementRef Exchange::analyse(std::string_view sql)
{
    analysed_under_ = database_.wanted();
    const bool settled = !session_may_change();
    const bool readable = ascii_safe_ && settled && (utf8_ || is_ascii(sql));
    const auto scope = settled && settings_are_known() ? known_->scope : nullptr;
    return services_.analyzer.analyse(sql, database_.catalog(), scope, {conforming_strings_, readable});
}

/// The same; a prepared statement is asked for again and again.
Exchange::StatementRef Exchange::analyse(const PreparedSource& text)
{
    auto& last = text.analysed();
    analysed_under_ = database_.wanted(); // before the snapshot: when that goes in between, it is out of date
    const bool settled = !session_may_change();
    const bool has_scope = settled && settings_are_known() && known_->scope;
    const auto catalog = database_.catalog_id();
    const auto scope = has_scope ? known_->scope->id : 0;
    const query::Dialect dialect{conforming_strings_, ascii_safe_ && settled && (utf8_ || is_ascii(text.sql()))};
    if (last.statement && catalog != 0 && last.catalog == catalog && last.scope == scope && last.dialect == dialect)
        return last.statement;
    auto statement = analyse(text.sql());
    // If it is the snapshot still, it was in between: none comes back once it has gone.
    if (catalog != 0 && database_.catalog_id() == catalog)
        last = {catalog, scope, dialect, statement};
    return statement;
}

Effects Exchange::effects_of(const Statement& statement, const Parameters* parameters) const
{
    Effects effects;
    effects.catalog = analysed_under_;
    auto& versions = services_.cache.versions();
    if (statement.changes_cluster || statement.runs_unseen)
        effects.words = versions.all_databases();
    for (const auto& write : statement.writes)
        add_written_words(write, parameters, database_.number(), versions, effects.words);
    if (statement.writes_unknown || statement.changes_catalog)
        effects.words.push_back(&database_.word());
    std::sort(effects.words.begin(), effects.words.end());
    effects.words.erase(std::unique(effects.words.begin(), effects.words.end()), effects.words.end());
    effects.changes_catalog = statement.changes_catalog;
    effects.changes_cluster = statement.changes_cluster;
    effects.surely_changes = statement.surely_changes;
    effects.changes_session = statement.changes_session;
    effects.may_write_unseen = statement.reads_unseen;
    if (effects.words.empty())
        effects.catalog = 0;
    return effects;
}

Exchange::Reads Exchange::read_words(const Statement& statement, const Parameters* parameters) const
{
    auto words = words_of_all();
    cache::Words fresh;
    for (const auto& read : statement.reads)
        add_read_words(read, parameters, database_.number(), services_.cache.versions(), words, fresh);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return {std::move(words), std::move(fresh)};
}

Exchange::Isolation Exchange::isolation_begun_by(const Statement& statement) const noexcept
{
    if (statement.transaction == Transaction::begin_other)
        return Isolation::other;
    if (statement.transaction != Transaction::begin || !settings_are_known() || session_may_change())
        return Isolation::unknown;
    return known_->read_committed_by_default ? Isolation::read_committed : Isolation::other;
}

bool Exchange::is_idle() const noexcept
{
    return owed_.empty() && !is_gathering() && (begin_held_ || status_ == Status::idle);
}

bool Exchange::client_waits() const noexcept
{
    return !owed_.empty() && !owed_.front().is_own();
}

void Exchange::go_blind(std::string_view why)
{
    if (!blind_reason_.empty())
        return;
    blind_reason_ = why;
    broken_ |= begin_held_;
    metrics_.blind_sessions.add();
    cache::Words words{&database_.word()};
    if (afar_) {
        words.push_back(&services_.cache.versions().catalog(database_.number()));
        afar_->to_announce.insert(afar_->to_announce.end(), words.begin(), words.end());
        blind_flight_.announced_by(afar_->link.announcer);
    }
    blind_flight_.add(words);
    spdlog::warn(
        "database {}: a session cannot be followed ({}): it is relayed as it is, and nothing of this database is "
        "answered from the cache until it ends",
        database_.name(), why);
}

void Exchange::count_bypass(Reason reason) noexcept
{
    metrics_.bypasses[static_cast<std::size_t>(reason)].add();
}

} // namespace pgmemo::proxy
