#include "query/builtins.hpp"

#include <algorithm>
#include <array>

namespace pgmemo::query {
namespace {

template <class T, std::size_t N>
consteval std::array<T, N> sorted(std::array<T, N> items)
{
    std::sort(items.begin(), items.end());
    return items;
}

template <std::size_t N>
bool has(const std::array<std::string_view, N>& names, std::string_view name) noexcept
{
    return std::binary_search(names.begin(), names.end(), name);
}

template <class Judgement>
struct Judged {
    std::string_view what;
    Judgement judgement;

    constexpr bool operator<(const Judged& other) const noexcept { return what < other.what; }
};

/// Sorted when first asked for: so many are more than clang's constant expressions allow.
const auto& functions() noexcept
{
    static const auto all = [] {
        auto items = std::to_array<Judged<Verdict>>({
#define FUNCTION(verdict, signature) {signature, Verdict::verdict},
#include "query/judged_functions.def"
#undef FUNCTION
        });
        std::sort(items.begin(), items.end());
        return items;
    }();
    return all;
}

constexpr auto kTypes = sorted(std::to_array<Judged<TypeKind>>({
#define TYPE(kind, name) {name, TypeKind::kind},
#include "query/judged_types.def"
#undef TYPE
}));

template <class Judgement, std::size_t N>
const Judgement* find(const std::array<Judged<Judgement>, N>& all, std::string_view what) noexcept
{
    const auto found = std::lower_bound(all.begin(), all.end(), Judged<Judgement>{what, {}});
    return found != all.end() && found->what == what ? &found->judgement : nullptr;
}

/// Whether some function of that name is judged, and `is_so` of one of them; they stand side by side.
template <class IsSo>
bool any_named(std::string_view name, IsSo is_so) noexcept
{
    const auto& all = functions();
    for (auto at = std::lower_bound(all.begin(), all.end(), Judged<Verdict>{name, {}});
         at != all.end() && at->what.starts_with(name); ++at)
        if (at->what.size() > name.size() && at->what[name.size()] == '(' && is_so(at->judgement))
            return true;
    return false;
}

constexpr auto kWellKnown = sorted(std::to_array<std::string_view>({
    "abs",
    "array_agg",
    "array_length",
    "array_position",
    "avg",
    "bool_and",
    "bool_or",
    "btrim",
    "cardinality",
    "ceil",
    "char_length",
    "coalesce",
    "count",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "greatest",
    "json_array_elements",
    "jsonb_array_elements",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "ln",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "md5",
    "min",
    "mod",
    "nullif",
    "percent_rank",
    "pg_backend_pid",
    "position",
    "power",
    "rank",
    "regexp_replace",
    "repeat",
    "replace",
    "right",
    "round",
    "row_number",
    "rpad",
    "rtrim",
    "split_part",
    "sqrt",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "trim",
    "trunc",
    "unnest",
    "upper",
    "version",
}));

constexpr auto kInspectsAnyValue = sorted(std::to_array<std::string_view>({
    "pg_collation_for",
    "pg_column_compression",
    "pg_column_size",
    "pg_column_toast_chunk_id",
    "pg_typeof",
}));

} // namespace

Verdict judged(std::string_view name, std::string_view signature) noexcept
{
    if (const auto* verdict = find(functions(), signature))
        return *verdict;
    // every cast to timetz takes today's offset of a zone, and its functions are of no use without one
    return name.find("timetz") != std::string_view::npos ? Verdict::clock : Verdict::none;
}

bool is_harmless(std::string_view name) noexcept
{
    return any_named(name, [](Verdict) { return true; }) &&
           !any_named(name, [](Verdict v) { return v == Verdict::sql || v == Verdict::anything; });
}

bool runs_sql(std::string_view name) noexcept
{
    return any_named(name, [](Verdict v) { return v == Verdict::sql; });
}

bool is_well_known(std::string_view name) noexcept
{
    return has(kWellKnown, name) || is_harmless(name);
}

bool inspects_any_value(std::string_view name) noexcept
{
    return has(kInspectsAnyValue, name);
}

TypeKind builtin_type(std::string_view name) noexcept
{
    if (const auto* kind = find(kTypes, name))
        return *kind;
    if (name.starts_with('_'))
        name.remove_prefix(1);
    const auto* kind = find(kTypes, name);
    return kind == nullptr ? TypeKind::unknown : *kind;
}

} // namespace pgmemo::query
