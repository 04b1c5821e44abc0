#pragma once

#include "cache/versions.hpp"
#include "query/statement.hpp"
#include "wire/frontend.hpp"

#include <cstdint>
#include <vector>

namespace pgmemo::proxy {

/// The values that a statement is executed with.
struct Parameters {
    std::vector<wire::BindValue> values; ///< $1 at [0]; borrow from the Bind
    std::vector<std::uint32_t> types;    ///< as Parse declared them; may be fewer
};

/// The words that a footprint stands for, of one database, unsorted. A value that is not known, or has no canonical
/// form, widens what it confines.
///
/// `fresh`: words that the reply depends on only while it shows no row (ReadAccess::is_row).
void add_read_words(const query::ReadAccess&, const Parameters*, std::uint32_t database, cache::Versions&,
                    cache::Words&, cache::Words& fresh);
void add_written_words(const query::WriteAccess&, const Parameters*, std::uint32_t database, cache::Versions&,
                       cache::Words&);

} // namespace pgmemo::proxy
