#include "query/value_types.hpp"

#include <algorithm>
#include <iterator>

namespace pgmemo::query {
namespace {

constexpr Oid kNoValue[] = {2249, 2278,
                            2279}; // record (its columns are told apart), void, trigger. Source: pg_type.dat

} // namespace

TypeKind kind_of(const Catalog::Impl& catalog, Oid oid, int depth)
{
    const auto* type = catalog.type(oid);
    if (type == nullptr || depth > 8)
        return TypeKind::unknown;
    if (!type->is_user)
        return builtin_type(type->name);
    if (type->kind == 'd')
        return kind_of(catalog, type->base, depth + 1);
    if (type->element != 0)
        return kind_of(catalog, type->element, depth + 1);
    return type->kind == 'e' ? TypeKind::safe : TypeKind::unknown;
}

bool is_simple_user_type(const Type& type) noexcept
{
    return type.is_user && type.element == 0 &&
           (type.kind == 'b' || type.kind == 'd' || type.kind == 'e' || type.kind == 'm' || type.kind == 'r');
}

bool is_time(TypeKind kind) noexcept
{
    return kind == TypeKind::time || kind == TypeKind::clock;
}

bool holds_time(const Catalog::Impl& catalog, Oid oid, int depth)
{
    const auto* type = catalog.type(oid);
    if (type == nullptr || depth > 8)
        return true;
    if (type->kind == 'p') // a polymorphic one may be any type
        return std::find(std::begin(kNoValue), std::end(kNoValue), oid) == std::end(kNoValue);
    if (!type->is_user)
        return is_time(builtin_type(type->name));
    for (const auto part : {type->element, type->base, type->subtype})
        if (part != 0 && holds_time(catalog, part, depth + 1))
            return true;
    const auto* row = type->kind == 'c' ? catalog.relation(type->relation) : nullptr;
    return type->kind == 'c' &&
           (row == nullptr || std::any_of(row->columns.begin(), row->columns.end(), [&](const Column& column) {
                return holds_time(catalog, column.type, depth + 1);
            }));
}

bool is_made_of(const Catalog::Impl& catalog, Oid oid, std::string_view builtin, bool unknown, int depth)
{
    const auto* type = catalog.type(oid);
    if (type == nullptr || depth > 8)
        return unknown;
    if (!type->is_user)
        return type->name == builtin || (type->name.starts_with('_') && type->name.substr(1) == builtin);
    for (const auto part : {type->element, type->base, type->subtype})
        if (part != 0 && is_made_of(catalog, part, builtin, unknown, depth + 1))
            return true;
    if (type->kind != 'c')
        return false;
    const auto* row = catalog.relation(type->relation);
    return row == nullptr ? unknown : std::any_of(row->columns.begin(), row->columns.end(), [&](const Column& column) {
        return is_made_of(catalog, column.type, builtin, unknown, depth + 1);
    });
}

bool may_be_text(const Catalog::Impl& catalog, Oid oid)
{
    const auto* type = catalog.type(oid);
    if (type == nullptr || type->is_user)
        return true;
    static constexpr Oid kNotText[] = {16, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950};
    return std::find(std::begin(kNotText), std::end(kNotText), oid) == std::end(kNotText);
}

bool may_be_time(const std::string& written)
{
    static constexpr std::string_view kPlain[] = {
        "int",     "int2",   "int4",     "int8",   "integer",          "bigint",  "smallint",
        "numeric", "bool",   "boolean",  "text",   "varchar",          "uuid",    "float8",
        "real",    "jsonb",  "json",     "float4", "double precision", "decimal", "record",
        "int[]",   "text[]", "integer[]"};
    std::string lower;
    for (const char c : written)
        if (c != '\n' && c != '\t')
            lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    if (const auto at = lower.find('('); at != std::string::npos)
        lower.resize(at);
    while (!lower.empty() && lower.back() == ' ')
        lower.pop_back();
    return std::find(std::begin(kPlain), std::end(kPlain), lower) == std::end(kPlain);
}

} // namespace pgmemo::query
