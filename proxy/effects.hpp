#pragma once

#include "cache/versions.hpp"

#include <cstdint>

namespace pgmemo::proxy {

/// What a request may do, summed over everything that it may consist of.
struct Effects {
    cache::Words words; ///< that it may move when it commits; sorted, unique
    bool changes_catalog = false;
    bool changes_cluster = false;
    bool surely_changes = false; ///< see Statement
    bool changes_session = false;
    bool may_write_unseen = false; ///< see Statement::reads_unseen
    /// Database::wanted() when the words were found; 0 without words. Moved since: the catalog that they were found
    /// with is no longer the server's (a trigger may have come), so they may be too few.
    std::uint64_t catalog = 0;

    void add(const Effects&);
    void add(const cache::Words&);
};

} // namespace pgmemo::proxy
