#pragma once

#include "observe/metrics.hpp"
#include "proxy/services.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace pgmemo::proxy {

struct CannotListen : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The listeners and the I/O threads: one Loop a thread, sessions dealt to them in turn. The thread that calls run()
/// accepts, hears signals and reclaims.
///
/// Use:      construct (throws CannotListen), run() from the main thread until drained or stopped.
/// Shutdown: drain() stops accepting and ends each session once it is outside of a transaction; run() returns when the
/// last
///           is gone. stop() ends at once. Both may be called from any thread, and from a signal's handler coroutine.
class Server {
public:
    Server(const std::vector<config::Address>& listen, unsigned threads, Services&, observe::Metrics&);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// `on_reload`: SIGHUP came. SIGTERM and SIGINT drain; a second one stops.
    void run(std::function<void()> on_reload);
    /// Words that have moved here, and no session knows of it: they move for other pgmemos as well, soon. Any thread.
    void tell_others(cache::Words words);
    void drain();
    void stop();
    bool is_draining() const noexcept;
    const std::vector<std::string>& bound() const noexcept; ///< the addresses, with the ports that were chosen

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::proxy
