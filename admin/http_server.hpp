#pragma once

#include "admin/routes.hpp"
#include "config/config.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace pgmemo::admin {

/// Serves /metrics, /healthz, /readyz and the dashboard over HTTP/1.1, to GET and HEAD only.
///
/// Threads: one of its own, with its own io_context: a scrape never waits for a session, nor a session for a scrape.
///          The views are called there, one at a time.
/// Limits:  64 connections, 8 KiB of header, no bodies; `patience` for a request to arrive, and again for its answer
///          to be taken.
/// Errors:  the constructor throws boost::system::system_error when it cannot listen. Afterwards nothing reaches the
///          caller: a bad request costs its connection, a view that throws answers 500.
/// Trust:   there is no login. Who may connect may see the counters: no query text, no values.
class HttpServer {
public:
    HttpServer(const config::Address& listen, Views views,
               std::chrono::milliseconds patience = std::chrono::seconds{30});
    ~HttpServer(); ///< closes all connections; waits for a view that is being called, and for nothing else
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    std::uint16_t port() const noexcept; ///< the one that is bound, where port 0 was asked for; 0 for a Unix socket

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::admin
