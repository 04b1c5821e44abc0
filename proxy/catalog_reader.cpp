#include "proxy/catalog_reader.hpp"

namespace pgmemo::proxy {

std::shared_ptr<const query::Catalog> read_catalog(OwnConnection& connection, query::Oid database,
                                                   const config::Config& config)
{
    query::CatalogBuilder builder{database};
    connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const auto queries = query::catalog_queries();
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const auto result = connection.query(queries[i].sql);
        for (int row = 0; row < PQntuples(result.get()); ++row)
            builder.row(i, OwnConnection::row(result, row));
    }
    connection.query("COMMIT");
    auto catalog = builder.finish(config);
    if (!catalog)
        throw OwnConnectionError(builder.error());
    return catalog;
}

} // namespace pgmemo::proxy
