#pragma once

#include "config/config.hpp"
#include "proxy/own_connection.hpp"
#include "query/catalog.hpp"

#include <memory>

namespace pgmemo::proxy {

/// Reads a snapshot of the catalog of the database that the connection is in, in a transaction of its own. Never null.
/// Errors: OwnConnectionError, also for a catalog that is not understood.
std::shared_ptr<const query::Catalog> read_catalog(OwnConnection&, query::Oid database, const config::Config&);

} // namespace pgmemo::proxy
