// Prints the catalog queries for record.py: each query's name and text, each ended by a zero byte; then the
// fingerprint query. record.py compiles it together with query/catalog_queries.cpp.

#include "query/catalog.hpp"

#include <cstdio>

int main()
{
    const auto print = [](std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fputc('\0', stdout);
    };
    for (const auto& query : pgmemo::query::catalog_queries()) {
        print(query.name);
        print(query.sql);
    }
    print("fingerprint");
    print(pgmemo::query::catalog_fingerprint_query());
}
