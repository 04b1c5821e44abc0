#pragma once

#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/statement.hpp"

namespace pgmemo::query {

/// Why one statement may not be cached: the proof, or the first step of it that fails.
///
/// In order: what kind of statement it is, what its text holds, then (with a catalog) its functions, operators, types
/// and relations. `session_unknown` comes last, so that it is said only of what a scope could still make cacheable.
Reason refusal_of_kind(const StatementFacts&) noexcept;
Reason refusal_of_text(const StatementFacts&) noexcept;
Reason refusal_of_names(const StatementFacts&, const Catalog::Impl&, const Lookup&);

} // namespace pgmemo::query
