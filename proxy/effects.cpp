#include "proxy/effects.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::proxy {

void Effects::add(const cache::Words& more)
{
    if (more.empty())
        return;
    cache::Words both;
    both.reserve(words.size() + more.size());
    std::set_union(words.begin(), words.end(), more.begin(), more.end(), std::back_inserter(both));
    words = std::move(both);
}

void Effects::add(const Effects& more)
{
    if (!more.words.empty())
        catalog = catalog == 0 ? more.catalog : std::min(catalog, more.catalog);
    add(more.words);
    changes_catalog |= more.changes_catalog;
    changes_cluster |= more.changes_cluster;
    surely_changes |= more.surely_changes;
    changes_session |= more.changes_session;
    may_write_unseen |= more.may_write_unseen;
}

} // namespace pgmemo::proxy
