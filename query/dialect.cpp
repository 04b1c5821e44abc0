#include "query/analyzer.hpp"

#include <algorithm>
#include <array>

namespace pgmemo::query {
namespace {

/// The names PostgreSQL reports, of the encodings in which a byte below 0x80 is always an ASCII character.
/// Source: PostgreSQL documentation, "Character Set Support": the server encodings, which all are.
constexpr std::array<std::string_view, 34> kSafe{
    "EUC_CN",     "EUC_JIS_2004", "EUC_JP",  "EUC_KR",  "EUC_TW",  "ISO_8859_5", "ISO_8859_6",
    "ISO_8859_7", "ISO_8859_8",   "KOI8R",   "KOI8U",   "LATIN1",  "LATIN10",    "LATIN2",
    "LATIN3",     "LATIN4",       "LATIN5",  "LATIN6",  "LATIN7",  "LATIN8",     "LATIN9",
    "SQL_ASCII",  "UTF8",         "WIN1250", "WIN1251", "WIN1252", "WIN1253",    "WIN1254",
    "WIN1255",    "WIN1256",      "WIN1257", "WIN1258", "WIN866",  "WIN874",
};

} // namespace

bool is_ascii_safe(std::string_view client_encoding) noexcept
{
    return std::find(kSafe.begin(), kSafe.end(), client_encoding) != kSafe.end();
}

} // namespace pgmemo::query
