#pragma once

#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/statement.hpp"

namespace pgmemo::query {

/// Says that a statement may do anything: what is not understood.
void allow_anything(Statement&) noexcept;

/// Adds to `statement` what one statement of its text does: `writes`, `writes_unknown`, `changes_*`, `may_commit`,
/// `sets_transaction`. Never takes anything away. `catalog` and `lookup` are both null or both given.
void add_effects(const StatementFacts&, const Catalog::Impl* catalog, const Lookup* lookup, Statement&);

/// What a statement standing alone does to its transaction, and the tag of its reply when that is certain.
Transaction transaction_of(pgm_statement) noexcept;
const char* tag_of(pgm_statement) noexcept;

} // namespace pgmemo::query
