#pragma once

#include "query/confine.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"

#include <optional>
#include <vector>

namespace pgmemo::query {

/// Which functions and operators the calls of one statement may mean, by the types of their arguments where those are
/// sure: of constants, casts, parameters of a function and columns of relations.
///
/// PostgreSQL takes the candidate whose argument types are exactly those given before it looks at any other, of two
/// with the same types the one whose schema stands first in the search_path. Where a type is not sure, or none takes
/// exactly those, everything stands that may be called with so many arguments. Source: func_get_detail in
/// parser/parse_func.c, binary_oper_exact in parser/parse_oper.c, FuncnameGetCandidates in catalog/namespace.c.
class Operands {
public:
    /// `confine` may be null: it is made when a column is first asked for. Without `knows_columns` none is known: a
    /// PL/pgSQL variable may be meant. `parameters` are of the function whose body this is; null: not known.
    Operands(const StatementFacts& facts, const Catalog::Impl& catalog, const Lookup& lookup, const Confine* confine,
             bool knows_columns, const std::vector<Oid>* parameters)
        : facts_(facts)
        , catalog_(catalog)
        , lookup_(lookup)
        , confine_(confine)
        , knows_columns_(knows_columns)
        , parameters_(parameters)
    {
    }

    std::vector<const Function*> functions(const FunctionFact&) const;
    std::vector<const Operator*> operators(const OperatorFact&) const;

private:
    Oid type_of(const OperandFact&) const; ///< 0: not sure
    Oid named(const OperandFact&) const;
    Oid column(const OperandFact&) const;
    std::optional<std::pair<Oid, Oid>> sides(const OperatorFact&) const;
    template <class Candidate>
    std::vector<const Candidate*> first_in_path(std::vector<const Candidate*>) const;

    const StatementFacts& facts_;
    const Catalog::Impl& catalog_;
    const Lookup& lookup_;
    mutable const Confine* confine_;
    mutable std::optional<Confine> own_confine_;
    bool knows_columns_;
    const std::vector<Oid>* parameters_;
};

} // namespace pgmemo::query
