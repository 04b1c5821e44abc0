#include "proxy/session.hpp"

#include "proxy/channel_binding.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

// g++ 12.2: `if (a && !co_await f())` and a loop whose only statement is a co_await resumed a frame at no valid point
// (SIGILL). Here every co_await is a statement of its own, in braces.
namespace pgmemo::proxy {
namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

// How long a server may be left idle by hits before it is asked for its limit; a shorter limit is not looked after.
constexpr auto kUnknownIdleLimit = 1s;
// An upstream message is looked at whole up to this size; larger ones (rows) pass in pieces.
constexpr std::size_t kMaxHeldUpstream = 8 * 1024;

constexpr std::size_t kHead = 5; // of a message: its type and length
constexpr std::string_view kReadyIdle{"Z\0\0\0\5I", 6};
constexpr std::string_view kReadyInTransaction{"Z\0\0\0\5T", 6};

} // namespace

Session::Session(Loop& loop, int client, Services& services, observe::ThreadMetrics& metrics, std::uint64_t id,
                 RemoteClient* remote)
    : services_(services)
    , metrics_(metrics)
    , remote_(remote)
    , id_(id)
    , executor_(loop.executor())
    , client_(loop)
    , upstream_(loop)
    , quiet_(executor_)
    , client_free_(executor_)
    , from_client_(Exchange::kMaxHeld, wire::FrameReader::From::client)
    , from_upstream_(kMaxHeldUpstream, wire::FrameReader::From::server)
{
    client_.open(client);
}

Session::~Session()
{
    if (cancel_slot_)
        services_.cancels.remove(*cancel_slot_);
    if (counted_session_)
        services_.sessions.fetch_sub(1, std::memory_order_relaxed);
    if (counted_upstream_)
        services_.upstreams.fetch_sub(1, std::memory_order_relaxed);
    if (database_)
        database_->session_ended();
    upstream_.close(); // before the Exchange hands over what is unresolved: the backend learns now that it is alone
}

Task<void> Session::run()
{
    co_await begin();
    if (!exchange_)
        co_return;
    co_await run_both_pumps();
    spdlog::debug("session {}: ended", id_);
}

// ---------------------------------------------------------------------------------------------- the two pumps

/// The upstream's beside the client's. Asio's `&&` would do, but its frames are half of what an idle session costs.
Task<void> Session::run_both_pumps()
{
    bool is_over = false;
    Event over{executor_};
    std::exception_ptr failure;
    asio::co_spawn(executor_, upstream_pump(), [&](std::exception_ptr its) {
        if (its)
            on_failure(failure, std::move(its));
        is_over = true;
        over.notify();
    });
    try {
        co_await client_pump();
    } catch (...) {
        on_failure(failure, std::current_exception());
    }
    while (!is_over) {
        co_await over.wait();
    }
    if (failure)
        std::rethrow_exception(failure);
}

/// One pump has thrown: the other must not wait for what only that would have done.
void Session::on_failure(std::exception_ptr& first, std::exception_ptr its)
{
    if (!first)
        first = std::move(its);
    client_gone_ = upstream_ended_ = true;
    client_writing_ = false;
    client_.close();
    leave();
    quiet_.notify();
    client_free_.notify();
}

Task<void> Session::client_pump()
{
    const Look look{[](void* self) { return static_cast<Session*>(self)->look_at_client(); }, this};
    for (;;) {
        from_client_.give_back();
        const bool ready = co_await client_.readable(look);
        if (!ready)
            break;
        if (look_failed_)
            std::rethrow_exception(std::exchange(look_failed_, nullptr));
        auto work = std::exchange(client_looked_, std::nullopt);
        if (!work)
            work = read_client();
        if (*work == Work::none)
            continue;
        const bool goes_on = co_await finish(*work);
        if (!goes_on)
            break;
    }
    client_done_ = true;
    // What cannot be read, or has not all come, is PostgreSQL's to judge, behind what was asked before it: by its head,
    // so that nothing behind it is done undecided where a server would go on. What waits in vain for its turn, since
    // the client is gone, is not sent at all.
    if (!client_gone_ && !upstream_ended_ && !from_client_.unread().empty()) {
        to_upstream_.own(std::string{from_client_.unread().substr(0, kHead)});
        co_await write_all(upstream_, to_upstream_);
    }
    // What it has asked for is still answered, as PostgreSQL does for a client that has closed its side; then the
    // server closes.
    upstream_.shutdown_send();
}

/// What has to be waited for on the client's way. False: nothing more can be read from this client.
Task<bool> Session::finish(Work work)
{
    for (;;) {
        bool ok = true;
        switch (work) {
        case Work::none:
            co_return true;
        case Work::end:
            co_return false;
        case Work::write:
            ok = co_await write_client(to_client_);
            break;
        case Work::send:
            ok = co_await send_upstream();
            break;
        case Work::decide:
            ok = co_await until_quiet();
            break;
        case Work::look_up:
            ok = co_await look_up();
            break;
        case Work::settle: // the other pump's
            co_return true;
        case Work::refuse_login:
            co_await refuse({"28000",
                             "pgmemo cannot relay this SCRAM login: with TLS on both sides the client's channel "
                             "binding would be to pgmemo, not to PostgreSQL",
                             "Connect with channel_binding=disable, or without TLS on one side of pgmemo."});
            client_gone_ = true;
            co_return false;
        }
        if (!ok)
            co_return false;
        work = take_requests();
    }
}

/// From the loop: a pump is resumed only for what has to wait, which is `left` to it. True: it need not be.
bool Session::look(Work (Session::*read)(), const Stream& stream, wire::FrameReader& reader,
                   std::optional<Work>& left) noexcept
{
    try {
        left = (this->*read)();
    } catch (...) {
        look_failed_ = std::current_exception();
        return false;
    }
    if (*left != Work::none || stream.has_read_ahead())
        return false;
    left.reset();
    reader.give_back();
    return true;
}

bool Session::look_at_client() noexcept
{
    return look(&Session::read_client, client_, from_client_, client_looked_);
}

bool Session::look_at_upstream() noexcept
{
    return look(&Session::read_upstream, upstream_, from_upstream_, upstream_looked_);
}

Session::Work Session::read_client()
{
    boost::system::error_code error;
    const auto size = client_.read_some(from_client_.room(1), error);
    if (error == asio::error::would_block)
        return Work::none;
    if (error)
        return Work::end;
    metrics_.client_bytes_in.add(size);
    from_client_.commit(size);
    if (!answer_hits())
        return Work::end;
    return from_client_.unread().empty() && to_client_.empty() ? Work::none : take_requests();
}

/// The requests at the front of the reader that hit, in one write and without a coroutine of their own. What it leaves,
/// there or to be written, is for take_requests(). False: the client is gone.
bool Session::answer_hits()
{
    const auto read_at = cache::Clock::now();
    last_client_ = read_at;
    if (grant_)
        exchange_->admit_hits(grant_->holds(read_at));
    if (client_writing_ || !from_client_.is_between_messages())
        return true;
    std::size_t hits = 0;
    for (;;) {
        auto hit = exchange_->hit(from_client_.unread(), read_at);
        if (hit.size == 0)
            break;
        from_client_.skip(hit.size);
        to_client_.borrow(hit.before);
        to_client_.entry(std::move(hit.entry), hit.reply);
        to_client_.borrow(exchange_->status() == wire::Status::idle ? kReadyIdle : kReadyInTransaction);
        ++hits;
    }
    if (hits == 0)
        return true;
    const auto size = to_client_.size();
    client_gone_ |= !client_.write_some(to_client_);
    if (client_gone_) {
        to_client_.clear();
        return false;
    }
    metrics_.client_bytes_out.add(size - to_client_.size());
    const auto took = cache::Clock::now() - read_at;
    for (; hits > 0; --hits)
        metrics_.hit_latency.record(took);
    return true;
}

/// Everything in the reader that is whole, as far as it goes without waiting; called again, it goes on.
Session::Work Session::take_requests()
{
    bool readable = true;
    for (;;) {
        const bool was_undecided = undecided_.has_value();
        if (!was_undecided) {
            const auto frame = from_client_.next();
            readable = static_cast<bool>(frame);
            if (!frame || !*frame)
                break;
            if (binding_hidden_ && client_.tls() && !exchange_->has_started() && (*frame)->type == 'p' &&
                claims_no_binding_offered((*frame)->body)) {
                spdlog::warn("session {}: a SCRAM login with TLS on both sides cannot be relayed from a client that "
                             "wants channel binding; it is refused",
                             id_);
                metrics_.clients_refused.add();
                return Work::refuse_login;
            }
            undecided_ = **frame;
        }
        auto step = exchange_->on_client(*undecided_, was_undecided ? cache::Clock::now() : last_client_);
        if (step.kind == Step::Kind::wait || step.kind == Step::Kind::ask) {
            deciding_ = true;
            to_upstream_.own(std::move(step.upstream));
            return Work::decide;
        }
        if (step.kind == Step::Kind::look_up) {
            to_upstream_.own(std::move(step.upstream));
            return Work::look_up;
        }
        if (std::exchange(deciding_, false))
            note_waiting();
        carry_out(step, *std::exchange(undecided_, std::nullopt));
    }
    return flush(readable);
}

void Session::carry_out(Step& step, const wire::Frame& frame)
{
    switch (step.kind) {
    case Step::Kind::serve:
        to_client_.entry(std::move(step.entry));
        to_client_.borrow(exchange_->status() == wire::Status::idle ? kReadyIdle : kReadyInTransaction);
        ++hits_;
        break;
    case Step::Kind::answer:
        to_client_.own(std::move(step.client));
        break;
    case Step::Kind::reply:
        for (auto& part : exchange_->reply()) {
            if (part.entry)
                to_client_.entry(std::move(part.entry), part.bytes);
            else if (part.own.empty())
                to_client_.borrow(part.bytes);
            else
                to_client_.own(std::move(part.own));
        }
        hits_ += step.hits;
        break;
    case Step::Kind::hold:
        break;
    case Step::Kind::send:
        to_upstream_.own(std::move(step.upstream));
        break;
    default:
        to_upstream_.own(std::move(step.upstream));
        to_upstream_.borrow(frame.bytes);
        client_done_ |= frame.type == 'X' && frame.first;
        break;
    }
}

/// The answers given here come before whatever the upstream answers to what is sent now.
Session::Work Session::flush(bool readable)
{
    if (!to_client_.empty()) {
        const auto put = put_client(to_client_);
        if (put != Put::done)
            return put == Put::gone ? Work::end : Work::write;
    }
    if (hits_ > 0) {
        const auto took = cache::Clock::now() - last_client_;
        for (; hits_ > 0; --hits_)
            metrics_.hit_latency.record(took);
    }
    if (!to_upstream_.empty()) {
        const auto put = put_upstream();
        if (put != Put::done)
            return put == Put::gone ? Work::end : Work::send;
    }
    return readable ? Work::none : Work::end;
}

/// As much as goes without waiting.
Session::Put Session::put_client(Gather& gather)
{
    if (client_gone_) {
        gather.clear();
        return Put::gone;
    }
    if (client_writing_)
        return Put::blocked;
    const auto size = gather.size();
    client_gone_ |= !client_.write_some(gather);
    metrics_.client_bytes_out.add(size - gather.size());
    if (client_gone_) {
        gather.clear();
        return Put::gone;
    }
    return gather.empty() ? Put::done : Put::blocked;
}

/// As much as goes without waiting; nothing while a cancel request is on its way: it is for what was sent before.
Session::Put Session::put_upstream()
{
    if (exchange_->has_announcement())
        return Put::blocked;
    exchange_->forget_idle_limit();
    if (cancel_slot_) {
        sending_ = true;
        note_waiting();
        if (cancel_slot_->under_way.load() > 0)
            return Put::blocked;
        sending_ = false;
    }
    const auto size = to_upstream_.size();
    const bool ok = upstream_.write_some(to_upstream_);
    metrics_.upstream_bytes_out.add(size - to_upstream_.size());
    note_waiting();
    last_upstream_ = cache::Clock::now();
    if (!ok)
        return Put::gone;
    return to_upstream_.empty() ? Put::done : Put::blocked;
}

/// False: the connection is gone.
Task<bool> Session::send_upstream()
{
    for (;;) {
        while (exchange_->has_announcement()) {
            sending_ = true;
            note_waiting();
            co_await remote_->begin(exchange_->take_announcement());
            sending_ = false;
        }
        const auto put = put_upstream();
        if (put != Put::blocked)
            co_return put == Put::done;
        if (sending_) {
            co_await timeout(executor_, kCancelPause);
            continue;
        }
        metrics_.upstream_bytes_out.add(to_upstream_.size());
        const bool sent = co_await write_all(upstream_, to_upstream_);
        co_return sent;
    }
}

/// What there is to send, to both sides. False: a connection is gone.
Task<bool> Session::send_all()
{
    if (!to_client_.empty()) {
        const bool written = co_await write_client(to_client_);
        if (!written)
            co_return false;
    }
    if (!to_upstream_.empty()) {
        const bool sent = co_await send_upstream();
        if (!sent)
            co_return false;
    }
    co_return true;
}

/// Sends what there is to send, and asks the store. False: the connections are gone.
Task<bool> Session::look_up()
{
    const bool sent = co_await send_all();
    if (!sent)
        co_return false;
    const bool answered = co_await remote_->look_up(exchange_->lookup());
    exchange_->looked_up(answered, cache::Clock::now());
    co_return !upstream_ended_ && !client_gone_;
}

/// Tells the others of the commit that `unsettled_` tells the client of.
Task<void> Session::settle()
{
    auto settlement = exchange_->settlement();
    bool done = true;
    if (!settlement.moved.empty()) {
        done = co_await remote_->move(std::move(settlement.moved));
    }
    const bool ended = co_await remote_->end(std::move(settlement.landed), settlement.look_at);
    auto more = exchange_->settled(done && ended);
    if (!more.empty()) {
        co_await remote_->move(std::move(more));
    }
}

void Session::store_for_others(cache::Clock::time_point now)
{
    for (const auto& filled : exchange_->take_stored())
        remote_->store(filled, now);
}

/// Sends what there is to send, and waits until every reply owed has come. False: they never will.
Task<bool> Session::until_quiet()
{
    const bool sent = co_await send_all();
    if (!sent)
        co_return false;
    while (!exchange_->is_quiet() && !upstream_ended_) {
        co_await quiet_.wait();
    }
    co_return !upstream_ended_;
}

Task<void> Session::upstream_pump()
{
    const Look look{[](void* self) { return static_cast<Session*>(self)->look_at_upstream(); }, this};
    for (;;) {
        from_upstream_.give_back();
        const bool ready = co_await upstream_.readable(look);
        if (!ready)
            break;
        if (look_failed_)
            std::rethrow_exception(std::exchange(look_failed_, nullptr));
        auto work = std::exchange(upstream_looked_, std::nullopt);
        if (!work)
            work = read_upstream();
        while (*work == Work::settle) {
            if (!replies_.empty()) {
                co_await write_client(replies_);
            }
            co_await settle();
            work = take_replies();
        }
        if (!replies_.empty()) {
            co_await write_client(
                replies_); // false: the client is gone; what the server still does is watched to its end
        }
        if (*work == Work::end || is_over())
            break;
    }
    upstream_ended_ = true;
    quiet_.notify();
    if (!from_upstream_.in_message() && !client_gone_)
        co_await say_goodbye();
    client_.close();
    upstream_.close();
}

Session::Work Session::read_upstream()
{
    boost::system::error_code error;
    const auto size = upstream_.read_some(from_upstream_.room(1), error);
    if (error == asio::error::would_block)
        return Work::none;
    if (error)
        return Work::end;
    metrics_.upstream_bytes_in.add(size);
    from_upstream_.commit(size);
    return take_replies();
}

/// Everything in the reader that is whole, unless it has to be settled first; called again, it goes on.
Session::Work Session::take_replies()
{
    const auto now = cache::Clock::now();
    bool understood = true;
    for (;;) {
        const auto frame = unsettled_
                               ? wire::Result<std::optional<wire::Frame>>{std::exchange(unsettled_, std::nullopt)}
                               : from_upstream_.next();
        if (!frame) {
            spdlog::error("session {}: PostgreSQL sent what is no message; the session ends", id_);
            understood = false;
            break;
        }
        if (!*frame)
            break;
        if (!exchange_->has_started() && on_login(**frame, replies_))
            continue;
        if (exchange_->must_settle(**frame)) {
            unsettled_ = **frame;
            return Work::settle;
        }
        auto passage = exchange_->on_upstream(**frame, now);
        replies_.own(std::move(passage.before));
        if (passage.relay)
            replies_.borrow((*frame)->bytes);
    }
    note_waiting();
    if (exchange_->has_stored())
        store_for_others(now);
    if (exchange_->is_quiet())
        quiet_.notify();
    if (!replies_.empty() && put_client(replies_) == Put::blocked)
        return understood ? Work::write : Work::end;
    return understood && !is_over() ? Work::none : Work::end;
}

/// Whether the session ends after what the upstream has said.
bool Session::is_over() const
{
    return exchange_->is_broken() || (draining_ && exchange_->is_idle());
}

/// Why the client is left, unless the server has told it or it left by itself.
Task<void> Session::say_goodbye()
{
    if (exchange_->said_fatal() || client_done_)
        co_return;
    std::string message;
    if (draining_)
        wire::append_error(message, "FATAL", "57P01", "terminating connection: pgmemo is shutting down");
    else if (idle_too_long_)
        wire::append_error(message, "FATAL", "57P05", "terminating connection due to idle-session timeout", {},
                           "pgmemo ends connections that are idle for longer (limits.client_idle_timeout).");
    else if (exchange_->is_broken())
        wire::append_error(message, "FATAL", "08P01", "pgmemo and PostgreSQL no longer agree on this session");
    else
        wire::append_error(message, "FATAL", "08006", "the connection to PostgreSQL was lost");
    Gather gather;
    gather.own(std::move(message));
    co_await (write_client(gather) || timeout(executor_, 5s));
}

Task<bool> Session::write_client(Gather& gather)
{
    while (client_writing_) {
        co_await client_free_.wait();
    }
    const auto put = put_client(gather);
    if (put != Put::blocked)
        co_return put == Put::done;
    client_writing_ = true;
    const auto size = gather.size();
    const bool ok = co_await write_all(client_, gather);
    client_writing_ = false;
    client_free_.notify();
    client_gone_ |= !ok;
    if (ok)
        metrics_.client_bytes_out.add(size);
    else
        gather.clear();
    co_return ok;
}

/// What a cancel would hit from now on.
void Session::note_waiting() noexcept
{
    using Phase = CancelRegistry::Slot::Phase;
    if (!cancel_slot_)
        return;
    auto phase = Phase::not_yet;
    if (sending_) {
        // it may be all that the client waits for
    } else if (exchange_->client_waits() || !exchange_->blind_reason().empty()) {
        phase = Phase::client;
    } else if (!deciding_ && exchange_->is_quiet()) {
        phase = Phase::idle;
    }
    cancel_slot_->phase.store(phase);
}

void Session::drain()
{
    draining_ = true;
    if (!exchange_)
        client_.close();
    else if (exchange_->is_idle())
        leave();
}

/// The upstream's end of the session, from here: the pump that reads from it does the rest.
void Session::leave()
{
    upstream_.shutdown();
}

void Session::tend(cache::Clock::time_point now)
{
    if (!exchange_ || upstream_ended_)
        return; // the start has a limit of its own
    const auto config = services_.config.get();
    const auto& limits = config->limits;
    if (!exchange_->has_started()) {
        if (now - began_ > limits.authentication_timeout) { // as PostgreSQL: without a word
            client_gone_ = true;
            client_.close();
            leave();
        }
        return;
    }
    if (limits.client_idle_timeout && exchange_->is_idle() && !client_writing_ && !client_done_ && !idle_too_long_ &&
        now - last_client_ > *limits.client_idle_timeout) {
        idle_too_long_ = true;
        leave();
        return;
    }
    keep_upstream_alive(now);
}

/// While the client is answered from the cache the server hears nothing of it, and may have a limit to that.
void Session::keep_upstream_alive(cache::Clock::time_point now)
{
    if (last_client_ <= last_upstream_ || !to_upstream_.empty() || client_done_ || idle_too_long_ ||
        (cancel_slot_ && cancel_slot_->under_way.load() > 0))
        return;
    const auto epoch = services_.settings_epoch.load(std::memory_order_acquire);
    const auto limit = epoch == idle_limit_epoch_ ? exchange_->idle_limit() : std::nullopt;
    if (limit && limit->count() == 0)
        return;
    const auto wait = limit ? cache::Clock::duration{*limit} / 3 : cache::Clock::duration{kUnknownIdleLimit};
    if (now - last_upstream_ < wait)
        return;
    auto question = exchange_->keep_alive(now);
    if (!question)
        return;
    idle_limit_epoch_ = epoch;
    last_upstream_ = now;
    metrics_.upstream_bytes_out.add(question->size());
    to_upstream_.own(std::move(*question));
    note_waiting();
    upstream_.write_some(to_upstream_); // what does not fit goes with what comes next
}

} // namespace pgmemo::proxy
