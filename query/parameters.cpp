#include "query/parameters.hpp"

#include "query/words.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace pgmemo::query {
namespace {

// Source of the numbers: PostgreSQL's pg_type.dat.

constexpr Oid kTimeTz = 1266; // its input takes the day's offset from the clock
constexpr Oid kTimeTzArray = 1270;

// bool, int8, int2, int4, oid, float4, float8, numeric, uuid: no value of theirs can be read as the clock.
constexpr Oid kNumbers[] = {16, 20, 21, 23, 26, 700, 701, 1700, 2950};

// date, time, timestamp, timestamptz, interval: their input can, their binary form is a number.
constexpr Oid kTimes[] = {1082, 1083, 1114, 1184, 1186};

// Further types whose input depends on the value and the settings in the key alone: bytea, char, name, text, json,
// cidr, inet, macaddr, macaddr8, bpchar, varchar, bit, varbit, jsonb; unknown; and the arrays of these and those above.
constexpr Oid kOthers[] = {17,   18,   19,   25,   114,  650,  869,  829,  774,  1042, 1043, 1560, 1562, 3802, 705,
                           1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1040, 775,
                           651,  1041, 199,  1115, 1182, 1183, 1185, 1187, 1231, 1561, 1563, 2951, 3807};

template <std::size_t N>
bool has(const Oid (&types)[N], Oid type) noexcept
{
    return std::find(std::begin(types), std::end(types), type) != std::end(types);
}

// text, bpchar, varchar, name: their binary form is the text itself.
constexpr Oid kTexts[] = {19, 25, 1042, 1043};

/// In a binary form of many values any byte may stand before a word, the letters of a length too.
bool holds_clock(std::string_view bytes)
{
    std::string lower{bytes};
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + 32);
    return lower.find("now") != std::string::npos || lower.find("today") != std::string::npos ||
           lower.find("tomorrow") != std::string::npos || lower.find("yesterday") != std::string::npos;
}

} // namespace

Reason refuse_parameter(ParameterType type, bool is_binary, std::string_view value) noexcept
try {
    if (type.declared == kTimeTz || type.declared == kTimeTzArray)
        return Reason::clock;
    if (type.declared != 0 && !has(kNumbers, type.declared) && !has(kTimes, type.declared) &&
        !has(kOthers, type.declared))
        return Reason::parameters;
    const Oid known = type.declared != 0 ? type.declared : type.settled;
    if (has(kNumbers, known) || (is_binary && has(kTimes, known)))
        return Reason::none;
    const bool is_clock =
        is_binary && !has(kTexts, known) ? mentions_clock(value) || holds_clock(value) : mentions_clock(value);
    return is_clock ? Reason::clock : Reason::none;
} catch (...) { // out of memory
    return Reason::parameters;
}

} // namespace pgmemo::query
