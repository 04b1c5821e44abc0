#include "proxy/footprint.hpp"

#include "query/value.hpp"

#include <optional>
#include <string>
#include <utility>

namespace pgmemo::proxy {
namespace {

/// The values that a parameter brings, in canonical form.
std::optional<std::vector<std::string>> values_of(const query::Bound& bound, query::ValueClass kind,
                                                  const Parameters* parameters)
{
    const auto index = static_cast<std::size_t>(bound.parameter) - 1;
    if (parameters == nullptr || index >= parameters->values.size())
        return std::nullopt;
    const auto& value = parameters->values[index];
    const auto declared = index < parameters->types.size() ? parameters->types[index] : 0;
    if (declared == 0 && bound.needs_declared)
        return std::nullopt;
    const query::ParameterValue given{value.is_null, value.is_binary, declared, value.bytes};
    auto values =
        bound.is_array ? query::canonical_array_parameter(kind, given) : query::canonical_parameter(kind, given);
    if (values && bound.max_bytes != 0)
        for (const auto& one : *values)
            if (one.size() > bound.max_bytes)
                return std::nullopt;
    return values;
}

/// The slots of a confinement; false when some value is not known.
bool add_slots(const query::Confinement& confined, std::uint32_t relation, const Parameters* parameters,
               std::uint32_t database, cache::Versions& versions, cache::Words& words)
{
    const auto add = [&](std::string_view value) {
        words.push_back(&versions.slot(database, relation, confined.column, value));
    };
    const auto size = words.size();
    for (const auto& bound : confined.values) {
        if (bound.parameter == 0) {
            add(bound.value);
            continue;
        }
        const auto values = values_of(bound, confined.values_are, parameters);
        if (!values) {
            words.resize(size);
            return false;
        }
        for (const auto& value : *values)
            add(value);
    }
    return true;
}

} // namespace

void add_read_words(const query::ReadAccess& read, const Parameters* parameters, std::uint32_t database,
                    cache::Versions& versions, cache::Words& words, cache::Words& fresh)
{
    const auto column = read.confined.column;
    if (column == 0 || !add_slots(read.confined, read.relation, parameters, database, versions, words)) {
        words.push_back(&versions.relation(database, read.relation));
        return;
    }
    words.push_back(&versions.wide(database, read.relation, column));
    if (read.is_unique)
        (read.is_row ? fresh : words).push_back(&versions.fresh(database, read.relation, column));
}

void add_written_words(const query::WriteAccess& write, const Parameters* parameters, std::uint32_t database,
                       cache::Versions& versions, cache::Words& words)
{
    words.push_back(&versions.relation(database, write.relation));
    for (const auto column : write.wide)
        words.push_back(&versions.wide(database, write.relation, column));
    for (const auto column : write.fresh)
        words.push_back(&versions.fresh(database, write.relation, column));
    for (const auto& confined : write.slots)
        if (!add_slots(confined, write.relation, parameters, database, versions, words))
            words.push_back(&versions.wide(database, write.relation, confined.column));
}

} // namespace pgmemo::proxy
