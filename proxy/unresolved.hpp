#pragma once

#include "cache/versions.hpp"
#include "proxy/database.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// Commits whose outcome nobody could tell: the connection was lost between the commit and its answer, and the backend
/// may still be at work. Their flights stay, so nothing that they touch is served or stored, until the backend is known
/// to be gone. Threads: safe.
class Unresolved {
public:
    struct Commit {
        cache::Flight flight;
        std::uint32_t backend_pid = 0;
        Database* database = nullptr;
        bool changes_catalog = false;
    };

    void on_added(std::function<void()> wake) { wake_ = std::move(wake); } ///< before the first add()

    void add(Commit commit)
    {
        {
            const std::lock_guard lock{mutex_};
            commits_.push_back(std::move(commit));
        }
        wake_();
    }

    std::vector<std::uint32_t> pids() const
    {
        const std::lock_guard lock{mutex_};
        std::vector<std::uint32_t> pids;
        for (const auto& commit : commits_)
            pids.push_back(commit.backend_pid);
        return pids;
    }

    /// The backends with these pids have ended.
    void backends_gone(const std::vector<std::uint32_t>& pids);

    std::size_t size() const
    {
        const std::lock_guard lock{mutex_};
        return commits_.size();
    }

private:
    std::function<void()> wake_ = [] {};
    mutable std::mutex mutex_;
    std::vector<Commit> commits_;
};

} // namespace pgmemo::proxy
