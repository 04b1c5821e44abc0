#pragma once

#include "config/auth.hpp"
#include "observe/metrics.hpp"
#include "proxy/async.hpp"
#include "proxy/auth/admission.hpp"
#include "proxy/dial.hpp"
#include "proxy/exchange.hpp"
#include "proxy/remote_client.hpp"
#include "proxy/services.hpp"
#include "proxy/stream.hpp"
#include "wire/frame_reader.hpp"
#include "wire/startup.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pgmemo::proxy {

/// One client connection and the upstream connection that is its own: moves bytes both ways and does what the Exchange
/// says.
///
/// Two pumps run side by side, so both directions are always served; each has its own buffer, writes what it has before
/// it reads more, and so holds back only the side that is too fast. Idle, a session holds no buffer.
///
/// Lifetime: lives in the frame of the coroutine that awaits run(). Threads: one, the worker's.
class Session {
public:
    /// `remote`: the thread's way to the store that other pgmemos share; null: there is none.
    Session(Loop&, int client, Services&, observe::ThreadMetrics&, std::uint64_t id, RemoteClient* remote = nullptr);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Task<void> run();

    /// pgmemo is going: end it as soon as it is outside of a transaction, with 57P01.
    void drain();

    /// Called a few times a second: what is due by the clock.
    void tend(cache::Clock::time_point now);
    bool is_drained() const noexcept { return draining_; }

private:
    /// How long a statement of pgmemo's own takes, more or less: a cancel waits for its end.
    static constexpr std::chrono::milliseconds kCancelPause{1};

    /// Has a constructor because g++ 12.2 destroys an aggregate temporary in an awaited call twice.
    struct Refusal {
        Refusal(std::string_view code, std::string text, std::string advice = {}, std::string more = {})
            : sqlstate(code)
            , message(std::move(text))
            , detail(std::move(more))
            , hint(std::move(advice))
        {
        }
        std::string sqlstate;
        std::string message;
        std::string detail;
        std::string hint;
    };

    Task<void> begin();
    Task<std::optional<std::string>> read_startup();
    Task<bool> accept_tls(SSL_CTX&, bool direct);
    std::optional<Refusal> judge(const wire::StartupMessage&) const;
    config::Origin origin_of(const wire::StartupMessage&) const;
    Task<bool> admit(auth::Admission&);
    Task<bool> log_in(auth::Admission&);
    Task<void> deny(auth::Denial);
    Task<void> cancel(wire::CancelRequest);
    Task<std::optional<Refusal>> reach_upstream(std::string_view startup);
    Task<std::string> try_host(const UpstreamTarget::Host&, std::string_view startup);
    Task<std::string> try_way(const UpstreamTarget::Host&, Way, std::string_view startup);
    Task<void> run_both_pumps();
    void on_failure(std::exception_ptr& first, std::exception_ptr its);
    /// What could be done without waiting has been done. What is left:
    enum class Work : std::uint8_t {
        none,         ///< nothing, until more can be read
        write,        ///< to the client, who takes no more at present
        send,         ///< to the upstream, which takes no more, or a cancel request is on its way to it
        decide,       ///< `undecided_`, once every reply owed has come
        look_up,      ///< what `undecided_` depends on is in the store
        settle,       ///< `unsettled_`, once others know of the commit that it tells of
        refuse_login, ///< the client wants a channel binding that cannot be relayed
        end,          ///< nothing: nothing more can be read
    };
    enum class Put : std::uint8_t { done, blocked, gone };

    Task<void> client_pump();
    Task<void> upstream_pump();
    Task<bool> finish(Work);
    bool look(Work (Session::*read)(), const Stream&, wire::FrameReader&, std::optional<Work>& left) noexcept;
    bool look_at_client() noexcept;
    bool look_at_upstream() noexcept;
    Work read_client();
    Work read_upstream();
    Work take_replies();
    Task<bool> send_all();
    Task<bool> look_up();
    Task<void> settle();
    void store_for_others(cache::Clock::time_point now);
    bool is_over() const;
    bool answer_hits();
    Work take_requests();
    void carry_out(Step&, const wire::Frame&);
    Work flush(bool readable);
    Put put_client(Gather&);
    Put put_upstream();
    Task<bool> until_quiet();
    Task<bool> send_upstream();
    void leave();
    void keep_upstream_alive(cache::Clock::time_point now);
    Task<bool> write_client(Gather&);
    Task<void> refuse(Refusal);
    Task<void> say_goodbye();
    void note_waiting() noexcept;
    bool negotiate(const wire::Frame&, Gather&);
    bool on_login(const wire::Frame&, Gather&);
    void on_backend_key(const wire::Frame&, Gather&);

    Services& services_;
    observe::ThreadMetrics& metrics_;
    RemoteClient* const remote_;
    const std::uint64_t id_;
    Executor executor_;
    Stream client_;
    Stream upstream_;
    std::size_t upstream_host_ = 0;
    bool counted_session_ = false;
    bool counted_upstream_ = false;
    Database* database_ = nullptr;
    std::optional<Exchange> exchange_;
    std::shared_ptr<auth::Grant> grant_; ///< null where the login is relayed
    std::shared_ptr<CancelRegistry::Slot> cancel_slot_;

    Event quiet_;       ///< nothing is owed any more, or the upstream is gone
    Event client_free_; ///< the other pump has finished its write to the client
    bool client_writing_ = false;
    bool client_gone_ = false; ///< nothing can be written to it
    bool client_done_ = false; ///< it has said goodbye, or closed its side
    bool upstream_ended_ = false;
    bool draining_ = false;
    bool idle_too_long_ = false;
    bool sending_ = false;    ///< upstream: what the client waits for is not under way yet
    bool deciding_ = false;   ///< about a message, with the server's help
    bool greeted_ = false;    ///< the upstream has said something
    std::uint16_t minor_ = 0; ///< of the protocol that the client asked for
    cache::Clock::time_point began_ = cache::Clock::now();
    cache::Clock::time_point last_client_ = began_;   ///< something came from it
    cache::Clock::time_point last_upstream_ = began_; ///< something went there
    std::uint64_t idle_limit_epoch_ = 0; ///< of the server's configuration, when it was asked for its limit
    bool binding_hidden_ = false;        ///< PostgreSQL has offered channel binding, and the client was not told
    wire::FrameReader from_client_;
    wire::FrameReader from_upstream_;
    std::optional<Work> client_looked_; ///< what look_at_client() has left to the client pump
    std::optional<Work> upstream_looked_;
    std::exception_ptr look_failed_;
    std::optional<wire::Frame> undecided_; ///< borrows from `from_client_`
    std::optional<wire::Frame> unsettled_; ///< borrows from `from_upstream_`
    std::size_t hits_ = 0;                 ///< in `to_client_`
    Gather to_client_;                     ///< the client pump's: hits, own answers
    Gather replies_;                       ///< the upstream pump's
    Gather to_upstream_;
};

} // namespace pgmemo::proxy
