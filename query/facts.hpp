#pragma once

#include "query/parse_tree.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// A name as the text has it; an empty schema means that it is not qualified.
struct Name {
    std::string schema;
    std::string name;
};

struct RelationFact {
    Name name;
    int use = 0; ///< pgm_use bits; 0 is a read
};

struct FunctionFact {
    Name name;
    int arguments = 0;
    bool is_variadic = false;
    std::string first_argument; ///< when it is a string constant
    bool planned_only = false;
};

struct OperatorFact {
    Name name;
    bool planned_only = false;
};

/// One statement of a text: what it says, before any name is resolved.
struct StatementFacts {
    pgm_statement kind = PGM_OTHER;
    std::vector<RelationFact> relations;
    std::vector<FunctionFact> functions;
    std::vector<OperatorFact> operators;
    std::vector<Name> types;
    std::vector<std::string> fields;       ///< `a.field`: may be a function of a row
    std::vector<std::string> members;      ///< `(x).member`: may be a function of anything
    std::vector<std::string> time_columns; ///< columns cast to a date or time type
    std::vector<std::string> output_names; ///< columns that the text itself makes
    std::string block;                     ///< of DO
    unsigned marks = 0;                    ///< 1 << pgm_mark: of what runs
    unsigned planned_marks = 0;            ///< 1 << pgm_mark: of what is only planned
    bool has_clock_text = false;           ///< a string constant that the date types may read as a clock
    bool has_foreign_letters = false;      ///< a name outside ASCII: what it folds to depends on encodings

    bool has(pgm_mark mark) const noexcept { return ((marks >> mark) & 1U) != 0; }
    bool mentions(pgm_mark mark) const noexcept { return (((marks | planned_marks) >> mark) & 1U) != 0; }
};

struct TextFacts {
    bool is_understood = false;
    std::vector<StatementFacts> statements;
};

/// The facts of a text. Not understood when it does not parse, holds a NUL byte, nests too deep, or memory runs out.
TextFacts read_facts(std::string_view sql) noexcept;

} // namespace pgmemo::query
