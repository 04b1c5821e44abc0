#pragma once

#include "query/catalog_impl.hpp"
#include "query/statement.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgmemo::query {

/// How a statement came to what it reads and writes. Proof and Effects fill it on their way when they are given one; it
/// decides nothing, so that what is explained is what is done.
struct Trail {
    struct Read {
        ReadAccess access;
        std::string through; ///< `view public.recent`; empty: named in the text itself
    };
    struct Write {
        Oid relation = 0;
        std::string why; ///< `trigger audit_it of public.items`; empty: named in the statement
        bool operator==(const Write&) const = default;
    };
    std::vector<Read> reads;
    std::vector<Write> writes;
    std::vector<std::string> unseen; ///< what may write anything; empty: the statement itself

    static constexpr std::size_t kMaxNotes = 256; ///< of writes, and of what is unseen
    void add_write(Oid relation, std::string why);
    void add_unseen(std::string what);
};

/// A `Statement` with names in the place of OIDs, and its trail.
struct Explanation {
    struct Rows { ///< those that have one of the values in the column
        std::string column;
        std::vector<std::string> values; ///< as SQL writes them: `7`, `'seven'`, `$1`, `ANY($1)`; none: no row at all
    };
    struct Read {
        std::string relation; ///< `schema.name`
        std::string through;
        std::optional<Rows> confined;
    };
    struct Write {
        std::string relation;
        std::vector<Rows> slots;
        std::vector<std::string> wide;
        std::vector<std::string> fresh;
        std::vector<std::string> why; ///< at least one, unless the trail was too long
    };

    std::shared_ptr<const Statement> statement; ///< what `Analyzer::analyse` says
    std::vector<Read> reads;                    ///< complete unless it is refused
    std::vector<Write> writes;                  ///< complete unless `statement->writes_unknown`
    std::vector<std::string> unseen;            ///< with `statement->writes_unknown`: because of what
};

/// `catalog` is null where there is none: then nothing is named.
Explanation put_in_words(std::shared_ptr<const Statement>, Trail, const Catalog::Impl* catalog);

} // namespace pgmemo::query
