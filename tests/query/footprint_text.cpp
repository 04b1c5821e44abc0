#include "tests/query/footprint_text.hpp"

#include "tests/query/test_catalog.hpp"

#include <algorithm>
#include <map>

namespace pgmemo::query::testing {
namespace {

const Relation& relation_of(Oid oid)
{
    const auto* relation = test_catalog()->impl().relation(oid);
    if (relation == nullptr)
        throw std::invalid_argument{"the recorded catalog has no relation " + std::to_string(oid)};
    return *relation;
}

std::string name_of_relation(Oid oid)
{
    const auto& relation = relation_of(oid);
    return relation.schema == "public" ? relation.name : relation.full_name();
}

std::string name_of_column(Oid relation, int number)
{
    for (const auto& column : relation_of(relation).columns)
        if (column.number == number)
            return column.name;
    throw std::invalid_argument{"no such column"};
}

std::string text_of(const Confinement& confined)
{
    std::vector<std::string> values;
    for (const auto& bound : confined.values) {
        auto text = bound.parameter == 0 ? bound.value : "$" + std::to_string(bound.parameter);
        if (bound.is_array)
            text = "{" + text + "}";
        values.push_back(bound.needs_declared ? text + "!" : text);
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    std::string all;
    for (const auto& value : values)
        all += (all.empty() ? "" : "|") + value;
    return all;
}

std::vector<std::string> sorted(std::vector<std::string> all)
{
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

} // namespace

std::vector<std::string> reads_of(const Statement& statement)
{
    std::vector<std::string> all;
    for (const auto& read : statement.reads) {
        auto text = name_of_relation(read.relation);
        if (read.confined.column != 0)
            text += " " + name_of_column(read.relation, read.confined.column) + "=" + text_of(read.confined);
        all.push_back(std::move(text));
    }
    return sorted(std::move(all));
}

std::vector<std::string> writes_of(const Statement& statement)
{
    std::vector<std::string> all;
    for (const auto& write : statement.writes) {
        std::map<std::string, std::string> columns;
        for (const auto& confined : write.slots)
            columns[name_of_column(write.relation, confined.column)] = text_of(confined);
        for (const int column : write.fresh)
            columns[name_of_column(write.relation, column)] += "+";
        for (const int column : write.wide)
            columns[name_of_column(write.relation, column)] = "*";
        auto text = name_of_relation(write.relation);
        for (const auto& [column, values] : columns)
            text += " " + column + "=" + values;
        all.push_back(std::move(text));
    }
    return sorted(std::move(all));
}

std::vector<std::string> relations_read(const Statement& statement)
{
    std::vector<std::string> all;
    for (const auto& read : statement.reads)
        all.push_back(name_of_relation(read.relation));
    return sorted(std::move(all));
}

std::vector<std::string> relations_written(const Statement& statement)
{
    std::vector<std::string> all;
    for (const auto& write : statement.writes)
        all.push_back(name_of_relation(write.relation));
    return sorted(std::move(all));
}

std::string effects_of(const Statement& statement)
{
    std::string effects;
    if (statement.writes_unknown)
        effects += 'W';
    if (statement.changes_catalog)
        effects += 'C';
    if (statement.changes_cluster)
        effects += 'K';
    if (statement.changes_session)
        effects += 'S';
    if (statement.may_commit)
        effects += 'M';
    if (statement.sets_transaction)
        effects += 'T';
    return effects;
}

} // namespace pgmemo::query::testing
