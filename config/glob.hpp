#pragma once

#include <string_view>

namespace pgmemo::config {

/// `*` stands for any run of characters, the empty one included; `?` for one byte; all else for itself, case and all.
bool glob_matches(std::string_view glob, std::string_view text) noexcept;

/// A glob over `schema.table`. Without a dot it speaks of the table alone, in whatever schema.
bool table_glob_matches(std::string_view glob, std::string_view table) noexcept;

} // namespace pgmemo::config
