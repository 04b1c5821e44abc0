#pragma once

#include "cache/remote/tier.hpp"

#include <memory>

namespace pgmemo::proxy {

/// What an Exchange knows of the way to the store that other pgmemos share. Threads: one, the worker's.
struct RemoteLink {
    cache::RemoteTier& tier;
    std::shared_ptr<cache::Announcer> announcer; ///< of the flights that are announced through it
    bool is_up = false;

    /// Whether anything may be served or stored: what this process has written is known to the others.
    bool is_usable() const noexcept { return is_up && tier.connections_with_unannounced.load() == 0; }
};

} // namespace pgmemo::proxy
