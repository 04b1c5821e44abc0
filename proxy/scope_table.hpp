#pragma once

#include "query/analyzer.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// Interns name scopes, so that sessions with the same search path share what was analysed. A scope lives as long as a
/// session holds it. Threads: safe.
class ScopeTable {
public:
    std::shared_ptr<const query::NameScope> intern(const std::vector<std::string>& schemas)
    {
        const std::lock_guard lock{mutex_};
        auto& kept = by_schemas_[schemas];
        if (auto scope = kept.lock())
            return scope;
        auto scope = std::make_shared<query::NameScope>();
        scope->id = ++last_id_;
        scope->schemas = schemas;
        kept = scope;
        if (by_schemas_.size() > 2 * live_after_sweep_ + 64) {
            std::erase_if(by_schemas_, [](const auto& item) { return item.second.expired(); });
            live_after_sweep_ = by_schemas_.size();
        }
        return scope;
    }

private:
    std::mutex mutex_;
    std::uint64_t last_id_ = 0;
    std::size_t live_after_sweep_ = 0;
    std::map<std::vector<std::string>, std::weak_ptr<const query::NameScope>> by_schemas_;
};

} // namespace pgmemo::proxy
