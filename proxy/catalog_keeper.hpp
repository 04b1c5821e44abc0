#pragma once

#include "proxy/config_in_force.hpp"
#include "proxy/database.hpp"
#include "proxy/unresolved.hpp"
#include "proxy/upstream_target.hpp"

#include <atomic>
#include <cstdint>
#include <memory>

namespace pgmemo::proxy {

/// Keeps the catalog snapshot of every database true, over pgmemo's own connections, from a thread of its own: reads it
/// when it is missing or a change has passed through, and asks every few seconds whether it was changed by somebody
/// else, whether the server has read its configuration anew, and whether it is still the same server. Also finds out
/// when the backends of `Unresolved` have ended.
///
/// When it cannot reach a database, nothing of it is answered from the cache, and queries flow as before.
class CatalogKeeper {
public:
    CatalogKeeper(const UpstreamTarget&, Databases&, Unresolved&, const ConfigInForce&,
                  std::atomic<std::uint64_t>& settings_epoch);
    ~CatalogKeeper(); ///< stops and joins
    CatalogKeeper(const CatalogKeeper&) = delete;
    CatalogKeeper& operator=(const CatalogKeeper&) = delete;

    void start();         ///< after everything that may wake it is wired
    void wake() noexcept; ///< there is something to do; from any thread
    void stop() noexcept;

    /// Whether the database that the upstream names, or any other, has been read once: for /readyz.
    bool has_catalog() const noexcept;
    std::uint64_t reads() const noexcept;    ///< snapshots read
    std::uint64_t failures() const noexcept; ///< attempts that failed

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::proxy
