#pragma once

#include "query/parse_tree.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::query {

/// A name as the text has it; an empty schema means that it is not qualified.
struct Name {
    std::string schema;
    std::string name;

    bool operator==(const Name&) const = default;
};

struct RelationFact {
    Name name;
    int use = 0; ///< pgm_use bits; 0 is a read
    int level = 0;
    int item = -1;
    std::string alias; ///< what the query calls it
    int location = -1; ///< in the text, here and below: bytes from 0, -1 for not known
};

struct ColumnName {
    std::string table; ///< empty: not said
    std::string name;

    bool operator==(const ColumnName&) const = default;
};

/// Items from … to - 1 of a level: see pgm_kind.
struct RangeFact {
    int level = 0;
    int from = 0;
    int mid = 0;
    int to = 0;

    bool operator==(const RangeFact&) const = default;
};

/// What the text says of the type of an argument: see pgm_operand.
struct OperandFact {
    pgm_operand kind = PGM_OPERAND_OTHER;
    Name type;
    bool is_array = false;
    int parameter = 0;
    ColumnName column;
    RangeFact range; ///< where the column is to be found

    bool operator==(const OperandFact&) const = default;
};

struct FunctionFact {
    Name name;
    int arguments = 0;
    bool is_variadic = false;
    std::string first_argument; ///< when it is a string constant
    bool planned_only = false;
    int location = -1;
    std::vector<OperandFact> operands; ///< one for each argument, or none when nothing is said
};

struct OperatorFact {
    Name name;
    bool planned_only = false;
    int location = -1;
    bool is_list = false;              ///< IN: the operands are the left side and the elements of the list
    std::vector<OperandFact> operands; ///< none when nothing is said
};

struct TypeFact {
    Name name;
    int location = -1;
};

/// A value in the text.
struct ValueFact {
    pgm_value kind = PGM_NULL;
    std::string text;
    int parameter = 0;
    std::string cast; ///< the type that it is cast to, if any
};

/// One SELECT, INSERT, UPDATE, DELETE or MERGE in the statement.
struct LevelFact {
    bool is_transparent = false; ///< conditions of an enclosing query may be applied inside
    bool keeps_rows = false; ///< without an aggregate, each row of its result is made of one row of its one relation
    std::vector<std::pair<std::string, ColumnName>> outputs; ///< output columns that are columns of its FROM
};

struct SubqueryFact {
    int level = 0;
    int item = 0;
    int inner = 0; ///< its own level; 0: none that conditions could be applied in
    std::string alias;
};

struct EqualFact {
    RangeFact range;
    ColumnName column;
    std::vector<ValueFact> values;
};

struct SameFact {
    RangeFact range;
    pgm_join join = PGM_JOIN_FULL;
    ColumnName left;
    ColumnName right;
};

struct UsingFact {
    RangeFact range;
    pgm_join join = PGM_JOIN_FULL;
    std::string column; ///< `*`: all that both sides have
};

struct AssignedFact {
    int item = 0;
    char by = '?';    ///< i INSERT, u UPDATE, c ON CONFLICT DO UPDATE
    std::string name; ///< empty: by position
    int position = 0; ///< from 1
    bool is_known = false;
    std::vector<ValueFact> values;
};

struct InsertedFact {
    int item = 0;
    bool is_known = false; ///< which columns are given
};

struct ConflictFact {
    int item = 0;
    std::string column;
};

/// What the text says of the rows that it reads and writes: see parse_confinement.c.
struct ConfinementFacts {
    std::vector<LevelFact> levels; ///< by number; 0 is none
    std::vector<SubqueryFact> subqueries;
    std::vector<RangeFact> renamed;
    std::vector<EqualFact> equal;
    std::vector<SameFact> same;
    std::vector<UsingFact> joined_using;
    std::vector<AssignedFact> assigned;
    std::vector<InsertedFact> inserted;
    std::vector<ConflictFact> conflicts;
};

/// One statement of a text: what it says, before any name is resolved.
struct StatementFacts {
    pgm_statement kind = PGM_OTHER;
    std::vector<RelationFact> relations;
    std::vector<FunctionFact> functions;
    std::vector<OperatorFact> operators;
    std::vector<TypeFact> types;
    std::vector<std::string> fields;       ///< `a.field`: may be a function of a row
    std::vector<std::string> members;      ///< `(x).member`: may be a function of anything
    std::vector<std::string> time_columns; ///< columns cast to a date or time type
    std::vector<int> time_parameters;      ///< parameters cast to one
    std::vector<unsigned> parameter_uses;  ///< of $1 at [1] and so on: how often each stands in the text
    std::vector<std::string> output_names; ///< columns that the text itself makes
    std::string block;                     ///< of DO
    unsigned marks = 0;                    ///< 1 << pgm_mark_code: of what runs
    unsigned planned_marks = 0;            ///< 1 << pgm_mark_code: of what is only planned
    std::vector<std::pair<pgm_mark_code, int>> mark_places; ///< the first place of each
    bool has_clock_text = false; ///< a string constant that the date types may read as a clock
    int clock_place = -1;
    bool has_foreign_letters = false; ///< a name outside ASCII: what it folds to depends on encodings
    ConfinementFacts confinement;

    bool has(pgm_mark_code mark) const noexcept { return ((marks >> mark) & 1U) != 0; }
    bool mentions(pgm_mark_code mark) const noexcept { return (((marks | planned_marks) >> mark) & 1U) != 0; }
};

struct TextFacts {
    bool is_understood = false;
    std::vector<StatementFacts> statements;
};

/// The facts of a text. Not understood when it does not parse, holds a NUL byte, nests too deep, or memory runs out.
TextFacts read_facts(std::string_view sql) noexcept;

} // namespace pgmemo::query
