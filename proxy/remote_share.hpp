#pragma once

#include "cache/remote/tier.hpp"
#include "config/remote.hpp"
#include "proxy/remote_tls.hpp"

namespace pgmemo::proxy {

/// What all threads' clients of the store have in common; see config `cache.remote`. Outlives them.
struct RemoteShare {
    RemoteShare(cache::Cache& cache, const cache::RemoteTier::Options& options, const config::Remote& remote)
        : config(remote)
        , tls(remote)
        , tier(cache, options)
    {
    }

    const config::Remote config;
    const RemoteTls tls;
    cache::RemoteTier tier;
};

} // namespace pgmemo::proxy
