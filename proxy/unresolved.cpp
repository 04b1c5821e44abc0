#include "proxy/unresolved.hpp"

#include <algorithm>

namespace pgmemo::proxy {

void Unresolved::backends_gone(const std::vector<std::uint32_t>& pids)
{
    const std::lock_guard lock{mutex_};
    const auto is_gone = [&pids](const Commit& commit) {
        return std::find(pids.begin(), pids.end(), commit.backend_pid) != pids.end();
    };
    for (auto& commit : commits_) {
        if (!is_gone(commit))
            continue;
        if (commit.changes_catalog)
            commit.database->catalog_changed();
        commit.flight.end();
    }
    std::erase_if(commits_, is_gone);
}

} // namespace pgmemo::proxy
