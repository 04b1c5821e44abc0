#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::proxy {

/// Cuts one keyword with its value out of a connection string, in either of its forms: for keywords that are newer than
/// the libpq at hand, which would refuse the whole string. Nullopt: it is not there. A string that is neither form
/// stays as it is, for libpq to judge.
std::optional<std::string> take_keyword(std::string& conninfo, std::string_view keyword);

} // namespace pgmemo::proxy
