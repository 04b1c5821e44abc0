#include "query/explanation.hpp"

#include "query/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgmemo::query {
namespace {

std::string literal(ValueClass values_are, const std::string& value)
{
    if (values_are == ValueClass::integer)
        return value;
    if (values_are == ValueClass::boolean)
        return value == "t" ? "true" : "false";
    std::string quoted{"'"};
    for (const char c : value) {
        quoted += c;
        if (c == '\'')
            quoted += c;
    }
    return quoted + '\'';
}

std::string column_name(const Relation* relation, int number)
{
    if (relation != nullptr)
        for (const auto& column : relation->columns)
            if (column.number == number)
                return column.name;
    return fmt::format("column {}", number);
}

std::string relation_name(const Relation* relation, Oid oid)
{
    return relation != nullptr ? relation->full_name() : fmt::format("relation {}", oid);
}

Explanation::Rows rows_of(const Confinement& confined, const Relation* relation)
{
    Explanation::Rows rows{column_name(relation, confined.column), {}};
    for (const auto& bound : confined.values) {
        if (bound.parameter == 0)
            rows.values.push_back(literal(confined.values_are, bound.value));
        else
            rows.values.push_back(bound.is_array ? fmt::format("ANY(${})", bound.parameter)
                                                 : fmt::format("${}", bound.parameter));
    }
    return rows;
}

} // namespace

void Trail::add_write(Oid relation, std::string why)
{
    Write write{relation, std::move(why)};
    if (writes.size() < kMaxNotes && std::find(writes.begin(), writes.end(), write) == writes.end())
        writes.push_back(std::move(write));
}

void Trail::add_unseen(std::string what)
{
    if (unseen.size() < kMaxNotes && std::find(unseen.begin(), unseen.end(), what) == unseen.end())
        unseen.push_back(std::move(what));
}

Explanation put_in_words(std::shared_ptr<const Statement> statement, Trail trail, const Catalog::Impl* catalog)
{
    const auto find = [catalog](Oid oid) { return catalog != nullptr ? catalog->relation(oid) : nullptr; };
    Explanation words;
    for (auto& [access, through] : trail.reads) {
        const auto* relation = find(access.relation);
        Explanation::Read read{relation_name(relation, access.relation), std::move(through), {}};
        if (access.confined.column != 0)
            read.confined = rows_of(access.confined, relation);
        const auto is_same = [&](const Explanation::Read& other) {
            return other.relation == read.relation && other.through == read.through &&
                   other.confined.has_value() == read.confined.has_value() &&
                   (!read.confined || (other.confined->column == read.confined->column &&
                                       other.confined->values == read.confined->values));
        };
        if (std::none_of(words.reads.begin(), words.reads.end(), is_same))
            words.reads.push_back(std::move(read));
    }
    for (const auto& access : statement->writes) {
        const auto* relation = find(access.relation);
        Explanation::Write write{relation_name(relation, access.relation), {}, {}, {}, {}};
        for (const auto& slots : access.slots)
            write.slots.push_back(rows_of(slots, relation));
        for (const auto column : access.wide)
            write.wide.push_back(column_name(relation, column));
        for (const auto column : access.fresh)
            write.fresh.push_back(column_name(relation, column));
        for (const auto& note : trail.writes)
            if (note.relation == access.relation)
                write.why.push_back(note.why.empty() ? "named in the statement" : note.why);
        words.writes.push_back(std::move(write));
    }
    if (statement->writes_unknown)
        for (auto& what : trail.unseen)
            words.unseen.push_back(what.empty() ? "the statement itself" : std::move(what));
    words.statement = std::move(statement);
    return words;
}

} // namespace pgmemo::query
