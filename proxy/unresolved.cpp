#include "proxy/unresolved.hpp"

#include <algorithm>
#include <iterator>

namespace pgmemo::proxy {

void Unresolved::backends_gone(const std::vector<std::uint32_t>& pids)
{
    std::vector<Commit> gone;
    {
        const std::lock_guard lock{mutex_};
        const auto first_gone = std::stable_partition(commits_.begin(), commits_.end(), [&pids](const Commit& commit) {
            return std::find(pids.begin(), pids.end(), commit.backend_pid) == pids.end();
        });
        std::move(first_gone, commits_.end(), std::back_inserter(gone));
        commits_.erase(first_gone, commits_.end());
    }
    // Outside of the lock: who is told of a changed catalog takes locks of its own.
    for (auto& commit : gone) {
        if (commit.changes_catalog)
            commit.database->catalog_changed();
        commit.flight.end();
    }
}

} // namespace pgmemo::proxy
