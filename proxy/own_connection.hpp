#pragma once

#include "proxy/upstream_target.hpp"

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::proxy {

struct OwnConnectionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One of pgmemo's own connections, over libpq. Blocks its thread, but never longer than a tenth of a second after
/// `stop` was set, and never beyond the deadline. Errors: OwnConnectionError, with the server's words.
class OwnConnection {
public:
    using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

    OwnConnection(const UpstreamTarget&, std::string_view database, const std::atomic<bool>& stop,
                  OwnUse = OwnUse::catalog);

    Result query(const std::string& sql);
    /// With values for $1, $2 …, as text; no NUL in them.
    Result query(const std::string& sql, const std::vector<std::string>& parameters);
    /// A row of a result; SQL NULL is nullopt. Borrows from the result.
    static std::vector<std::optional<std::string_view>> row(const Result&, int number);
    bool is_open() const noexcept { return PQstatus(connection_.get()) == CONNECTION_OK; }

private:
    Result results();
    void wait(bool for_write, std::chrono::steady_clock::time_point deadline) const;
    [[noreturn]] void fail() const;

    const std::atomic<bool>& stop_;
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

} // namespace pgmemo::proxy
