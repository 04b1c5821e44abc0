#include "query/facts.hpp"

#include "query/words.hpp"

#include <algorithm>

namespace pgmemo::query {
namespace {

struct Collector {
    TextFacts* facts;
    bool failed = false;
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

/// Lists such as `IN (1, 2, …)` or a chain of `+` repeat one fact very often.
constexpr std::size_t kCompared = 32;

void add_name(std::vector<std::string>& names, const char* name)
{
    const auto from = names.size() > kCompared ? names.end() - kCompared : names.begin();
    if (std::find(from, names.end(), name) == names.end())
        names.emplace_back(name);
}

void add(StatementFacts& into, const pgm_fact& fact)
{
    Name name{text_or_empty(fact.schema), text_or_empty(fact.name)};
    if (!is_ascii(fact.schema) || !is_ascii(fact.name))
        // a plain column is PostgreSQL's own to resolve; what the text calls its columns matters to casts only
        if (fact.kind != PGM_OUTPUT_NAME && fact.kind != PGM_STRING)
            into.has_foreign_letters = true;
    switch (fact.kind) {
    case PGM_STATEMENT:
        return;
    case PGM_RELATION:
        into.relations.push_back({std::move(name), fact.planned_only ? 0 : fact.code});
        return;
    case PGM_FUNCTION:
        into.functions.push_back(
            {std::move(name), fact.count, fact.code != 0, text_or_empty(fact.text), fact.planned_only});
        return;
    case PGM_OPERATOR:
        add_once(into.operators, OperatorFact{name, fact.planned_only}, [&](const OperatorFact& o) {
            return o.name.name == name.name && o.name.schema == name.schema && o.planned_only == fact.planned_only;
        });
        return;
    case PGM_TYPE:
        add_once(into.types, name, [&](const Name& t) { return t.name == name.name && t.schema == name.schema; });
        return;
    case PGM_FIELD:
        add_name(into.fields, fact.name);
        return;
    case PGM_MEMBER:
        add_name(into.members, fact.name);
        return;
    case PGM_STRING:
        if (into.kind == PGM_DO && std::string_view{name.name} == "language") {
            if (std::string_view{fact.text} != "plpgsql")
                into.marks |= 1U << PGM_MARK_UNKNOWN;
        } else if (into.kind == PGM_DO)
            into.block.append(fact.text).push_back('\n');
        else
            into.has_clock_text = into.has_clock_text || mentions_clock(fact.text);
        return;
    case PGM_TIME_OF_COLUMN:
        add_name(into.time_columns, fact.name);
        return;
    case PGM_OUTPUT_NAME:
        add_name(into.output_names, fact.name);
        return;
    case PGM_MARK:
        (fact.planned_only ? into.planned_marks : into.marks) |= 1U << fact.code;
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
        } else {
            add(statements.back(), *fact);
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
        Collector collector{&facts};
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
