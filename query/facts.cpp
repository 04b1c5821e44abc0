#include "query/facts.hpp"

#include "query/words.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::query {
namespace {

struct Collector {
    TextFacts* facts = nullptr;
    bool failed = false;
    pgm_kind owner = PGM_STATEMENT;    ///< of the values that follow
    std::vector<OperandFact> operands; ///< of the call that follows
};

bool is_ascii(const char* text) noexcept
{
    for (; text != nullptr && *text != '\0'; ++text)
        if ((static_cast<unsigned char>(*text) & 0x80U) != 0)
            return false;
    return true;
}

std::string text_or_empty(const char* text)
{
    return text == nullptr ? std::string{} : std::string{text};
}

template <class List, class Fact, class Same>
void add_once(List& list, Fact fact, Same same)
{
    if (std::none_of(list.begin(), list.end(), same))
        list.push_back(std::move(fact));
}

constexpr int kMaxParameters = 65535; // Bind counts them in 16 bits

/// Lists such as `IN (1, 2, …)` or a chain of `+` repeat one fact very often.
constexpr std::size_t kCompared = 32;

void add_name(std::vector<std::string>& names, const char* name)
{
    const auto from = names.size() > kCompared ? names.end() - kCompared : names.begin();
    if (std::find(from, names.end(), name) == names.end())
        names.emplace_back(name);
}

RangeFact range_of(const pgm_fact& fact)
{
    return {fact.level, fact.from, fact.mid, fact.to};
}

/// What confines. A name outside ASCII confines nothing; no column with such a name is tracked.
void add_confinement(ConfinementFacts& into, const pgm_fact& fact)
{
    const bool is_plain = is_ascii(fact.schema) && is_ascii(fact.name) && is_ascii(fact.schema2) &&
                          (fact.kind == PGM_VALUE || is_ascii(fact.text));
    const ColumnName column{text_or_empty(fact.schema), text_or_empty(fact.name)};
    switch (fact.kind) {
    case PGM_LEVEL:
        into.levels.resize(static_cast<std::size_t>(fact.level) + 1);
        into.levels.back().is_transparent = (fact.code & 1) != 0;
        into.levels.back().keeps_rows = (fact.code & 2) != 0;
        return;
    case PGM_SUBQUERY:
        into.subqueries.push_back({fact.level, fact.item, fact.count, text_or_empty(fact.text)});
        return;
    case PGM_COLUMN:
        if (is_plain)
            into.levels.at(static_cast<std::size_t>(fact.level))
                .outputs.emplace_back(fact.name, ColumnName{text_or_empty(fact.schema), text_or_empty(fact.text)});
        else
            into.levels.at(static_cast<std::size_t>(fact.level)).is_transparent = false;
        return;
    case PGM_RENAMED:
        into.renamed.push_back(range_of(fact));
        return;
    case PGM_EQUAL:
        into.equal.push_back({range_of(fact), is_plain ? column : ColumnName{}, {}});
        return;
    case PGM_SAME:
        if (is_plain)
            into.same.push_back({range_of(fact),
                                 static_cast<pgm_join>(fact.code),
                                 column,
                                 {text_or_empty(fact.schema2), text_or_empty(fact.text)}});
        return;
    case PGM_USING:
        into.joined_using.push_back({range_of(fact), static_cast<pgm_join>(fact.code), text_or_empty(fact.name)});
        return;
    case PGM_ASSIGNED:
        into.assigned.push_back({fact.item, fact.text[0], text_or_empty(fact.name), fact.code, fact.count >= 0, {}});
        return;
    case PGM_INSERTED:
        into.inserted.push_back({fact.item, fact.code == 0});
        return;
    case PGM_CONFLICT:
        into.conflicts.push_back({fact.item, text_or_empty(fact.name)});
        return;
    default:
        return;
    }
}

/// The values that follow a PGM_EQUAL or a PGM_ASSIGNED.
void add_value(ConfinementFacts& into, pgm_kind owner, const pgm_fact& fact)
{
    ValueFact value{static_cast<pgm_value>(fact.code), text_or_empty(fact.text), fact.count,
                    text_or_empty(fact.schema)};
    if (owner == PGM_EQUAL && !into.equal.empty())
        into.equal.back().values.push_back(std::move(value));
    else if (owner == PGM_ASSIGNED && !into.assigned.empty())
        into.assigned.back().values.push_back(std::move(value));
}

void add_mark(StatementFacts& into, const pgm_fact& fact)
{
    const auto code = static_cast<pgm_mark_code>(fact.code);
    if (!into.mentions(code))
        into.mark_places.emplace_back(code, fact.location);
    (fact.planned_only ? into.planned_marks : into.marks) |= 1U << code;
    if (code == PGM_MARK_PARAMETER && fact.count > 0 && fact.count <= kMaxParameters) {
        const auto number = static_cast<std::size_t>(fact.count);
        into.parameter_uses.resize(std::max(into.parameter_uses.size(), number + 1));
        ++into.parameter_uses[number];
    }
}

void add_string(StatementFacts& into, const pgm_fact& fact)
{
    if (into.kind != PGM_DO) {
        if (!into.has_clock_text && mentions_clock(fact.text)) {
            into.has_clock_text = true;
            into.clock_place = fact.location;
        }
    } else if (std::string_view{text_or_empty(fact.name)} != "language") {
        into.block.append(fact.text).push_back('\n');
    } else if (std::string_view{fact.text} != "plpgsql") {
        into.marks |= 1U << PGM_MARK_UNKNOWN;
    }
}

/// A name outside ASCII is looked up nowhere: of its type nothing is known.
OperandFact operand_of(const pgm_fact& fact)
{
    OperandFact operand;
    if (!is_ascii(fact.schema) || !is_ascii(fact.name))
        return operand;
    operand.kind = static_cast<pgm_operand>(fact.code);
    if (operand.kind == PGM_OPERAND_TYPE) {
        operand.type = {text_or_empty(fact.schema), text_or_empty(fact.name)};
        operand.is_array = fact.count == 1;
    } else if (operand.kind == PGM_OPERAND_PARAMETER) {
        operand.parameter = fact.count;
    } else if (operand.kind == PGM_OPERAND_COLUMN) {
        operand.column = {text_or_empty(fact.schema), text_or_empty(fact.name)};
        operand.range = range_of(fact);
    }
    return operand;
}

void add_operator(StatementFacts& into, OperatorFact added)
{
    auto& all = into.operators;
    const auto from = all.size() > kCompared ? all.end() - kCompared : all.begin();
    if (std::none_of(from, all.end(), [&](const OperatorFact& one) {
            return one.name == added.name && one.planned_only == added.planned_only && one.is_list == added.is_list &&
                   one.operands == added.operands;
        }))
        all.push_back(std::move(added));
}

void add(StatementFacts& into, const pgm_fact& fact, std::vector<OperandFact> operands)
{
    Name name{text_or_empty(fact.schema), text_or_empty(fact.name)};
    const bool is_name = fact.kind == PGM_RELATION || fact.kind == PGM_FUNCTION || fact.kind == PGM_OPERATOR ||
                         fact.kind == PGM_TYPE || fact.kind == PGM_FIELD || fact.kind == PGM_MEMBER ||
                         fact.kind == PGM_TIME_OF_COLUMN;
    // a plain column is PostgreSQL's own to resolve; what the text calls its columns matters to casts only
    if (is_name && (!is_ascii(fact.schema) || !is_ascii(fact.name)))
        into.has_foreign_letters = true;
    switch (fact.kind) {
    case PGM_STATEMENT:
    case PGM_VALUE:
    case PGM_OPERAND:
        return;
    case PGM_RELATION:
        into.relations.push_back({std::move(name), fact.planned_only ? 0 : fact.code, fact.level, fact.item,
                                  text_or_empty(fact.text), fact.location});
        return;
    case PGM_FUNCTION:
        into.functions.push_back({std::move(name), fact.count, fact.code != 0, text_or_empty(fact.text),
                                  fact.planned_only, fact.location, std::move(operands)});
        return;
    case PGM_OPERATOR:
        add_operator(into, {std::move(name), fact.planned_only, fact.location, fact.code == 1, std::move(operands)});
        return;
    case PGM_TYPE:
        add_once(into.types, TypeFact{name, fact.location},
                 [&](const TypeFact& t) { return t.name.name == name.name && t.name.schema == name.schema; });
        return;
    case PGM_FIELD:
        add_name(into.fields, fact.name);
        return;
    case PGM_MEMBER:
        add_name(into.members, fact.name);
        return;
    case PGM_STRING:
        add_string(into, fact);
        return;
    case PGM_TIME_OF_COLUMN:
        add_name(into.time_columns, fact.name);
        return;
    case PGM_TIME_OF_PARAMETER:
        into.time_parameters.push_back(fact.count);
        return;
    case PGM_OUTPUT_NAME:
        add_name(into.output_names, fact.name);
        return;
    case PGM_MARK:
        add_mark(into, fact);
        return;
    case PGM_LEVEL:
    case PGM_SUBQUERY:
    case PGM_COLUMN:
    case PGM_RENAMED:
    case PGM_EQUAL:
    case PGM_SAME:
    case PGM_USING:
    case PGM_ASSIGNED:
    case PGM_INSERTED:
    case PGM_CONFLICT:
        add_confinement(into.confinement, fact);
        return;
    }
    into.marks |= 1U << PGM_MARK_UNKNOWN;
}

extern "C" {
static void collect(void* context, const pgm_fact* fact)
{
    auto& collector = *static_cast<Collector*>(context);
    try {
        auto& statements = collector.facts->statements;
        if (fact->kind == PGM_STATEMENT) {
            statements.emplace_back().kind = static_cast<pgm_statement>(fact->code);
        } else if (statements.empty()) {
            collector.failed = true;
        } else if (fact->kind == PGM_VALUE) {
            add_value(statements.back().confinement, collector.owner, *fact);
        } else if (fact->kind == PGM_OPERAND) {
            collector.operands.push_back(operand_of(*fact));
        } else {
            collector.owner = fact->kind;
            add(statements.back(), *fact, std::exchange(collector.operands, {}));
        }
    } catch (...) { // out of memory; nothing may be thrown through C
        collector.failed = true;
    }
}
}

} // namespace

TextFacts read_facts(std::string_view sql) noexcept
{
    try {
        TextFacts facts;
        if (sql.find('\0') != std::string_view::npos)
            return facts;
        const std::string terminated{sql};
        Collector collector{};
        collector.facts = &facts;
        const auto outcome = pgm_read(terminated.c_str(), collect, &collector);
        if (outcome != PGM_PARSED || collector.failed)
            return {};
        facts.is_understood = true;
        return facts;
    } catch (...) {
        return {};
    }
}

} // namespace pgmemo::query
