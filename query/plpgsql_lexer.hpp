#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// A token of PostgreSQL's lexer, told apart no finer than a reader of PL/pgSQL needs.
struct PlpgsqlToken {
    enum class Kind {
        word,      ///< an identifier or keyword, not quoted
        quoted,    ///< "identifier"
        parameter, ///< $1
        string,    ///< '…', E'…', $$…$$, each with its continuations on further lines
        number,    ///< 1, .5, 1e3
        other,     ///< a bit string, U&'…' or U&"…": a part of SQL, never of PL/pgSQL
        symbol,    ///< an operator, a bracket, a separator
        end        ///< stands behind the last
    };

    Kind kind = Kind::end;
    std::string_view text; ///< in the source

    /// Whether it is this keyword (lower case; unquoted and in any case in the source) or this symbol.
    bool is(std::string_view keyword_or_symbol) const noexcept;
};

/// The tokens of `source`, the last of kind `end`. Nothing when it cannot be cut surely: something is not closed, the
/// servers' versions differ about it (`1a`), or a setting decides (a backslash in a plain '…').
/// Takes time linear in the text. Lifetime: the tokens borrow from `source`.
/// Source: PostgreSQL documentation, "Lexical Structure"; src/backend/parser/scan.l in versions 13 to 18.
std::optional<std::vector<PlpgsqlToken>> plpgsql_tokens(std::string_view source);

} // namespace pgmemo::query
