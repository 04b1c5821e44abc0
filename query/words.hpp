#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace pgmemo::query {

/// Whether a string, given to a date or time type, may be read as the clock: `now`, `today`, `tomorrow`, `yesterday`
/// as words of their own.
///
/// Source: PostgreSQL's ParseDateTime takes runs of letters as one token, whatever stands beside them; so a word ends
/// at anything but an ASCII letter. Backslashes and double quotes are what array, range and row input take away before.
bool mentions_clock(std::string_view text);

/// Whether a setting's name begins with `transaction`: case does not matter to PostgreSQL.
bool names_transaction_setting(std::string_view name) noexcept;

/// A setting's name as it is compared: case does not matter.
std::string lower_setting(std::string_view name);

/// Whether one of `words`, which are in lower-case ASCII letters, stands anywhere in the text, inside other words too,
/// in whatever case. Asked of every statement that is forwarded.
bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) noexcept;

/// Whether the text of a DO block holds a word that may begin DDL or dynamic SQL.
bool mentions_ddl(std::string_view text);

} // namespace pgmemo::query
