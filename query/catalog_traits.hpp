#pragma once

#include "config/config.hpp"
#include "query/catalog_impl.hpp"

namespace pgmemo::query {

/// Adds to a catalog what is worked out of it and of the configuration: tracked columns, what the configuration vouches
/// for, the custom settings that results may depend on.
void add_traits(Catalog::Impl&, const config::Config&);

} // namespace pgmemo::query
