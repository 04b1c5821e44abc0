#pragma once

#include "query/statement.hpp"

#include <string>
#include <vector>

namespace pgmemo::query::testing {

/// What a statement that was analysed with `test_catalog()` reads and writes, as a test's table can say it: sorted;
/// without the schema where that is `public`.
///
/// A read is `users`, or `users id=5|6|$1` where it is confined; `{$1}` is each element of an array, `$1!` a parameter
/// whose type has to be declared. A write says of each tracked column what moves: `accounts aid=7 bid=*` (any value),
/// `aid=+` (one that no row had before), and both: `aid=7+`.
std::vector<std::string> reads_of(const Statement&);
std::vector<std::string> writes_of(const Statement&);

/// The relations alone.
std::vector<std::string> relations_read(const Statement&);
std::vector<std::string> relations_written(const Statement&);

/// W writes_unknown, C changes_catalog, K changes_cluster, S changes_session, M may_commit, T sets_transaction.
std::string effects_of(const Statement&);

} // namespace pgmemo::query::testing
