#include "query/operands.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr Oid kUnknown = 705; // of a bare string: the type `unknown`. Source: pg_type.dat

/// A type that arguments have: no pseudo-type, which stands for others.
Oid sure(const Catalog::Impl& catalog, Oid oid)
{
    const auto* type = catalog.type(oid);
    return type == nullptr || type->kind == 'p' ? 0 : oid;
}

} // namespace

Oid Operands::named(const OperandFact& operand) const
{
    const auto types = lookup_.types(operand.type);
    if (types.found == nullptr || types.may_be_temporary || types.may_be_user != types.found->is_user)
        return 0;
    if (types.found->is_user && operand.type.schema.empty() && !lookup_.is_certain())
        return 0;
    if (!operand.is_array)
        return sure(catalog_, types.found->oid);
    const auto* arrays = Catalog::Impl::named(catalog_.types_by_name, '_' + types.found->name);
    if (arrays != nullptr)
        for (const auto index : *arrays)
            if (catalog_.types[index].element == types.found->oid)
                return sure(catalog_, catalog_.types[index].oid);
    return 0;
}

Oid Operands::column(const OperandFact& operand) const
{
    if (!knows_columns_)
        return 0;
    if (confine_ == nullptr)
        confine_ = &own_confine_.emplace(facts_, catalog_, lookup_);
    const auto* found = confine_->column(operand.column, operand.range);
    return found == nullptr ? 0 : sure(catalog_, found->type);
}

Oid Operands::type_of(const OperandFact& operand) const
{
    switch (operand.kind) {
    case PGM_OPERAND_UNKNOWN:
        return kUnknown;
    case PGM_OPERAND_TYPE:
        return named(operand);
    case PGM_OPERAND_COLUMN:
        return column(operand);
    case PGM_OPERAND_PARAMETER: {
        const auto index = static_cast<std::size_t>(operand.parameter) - 1;
        return parameters_ != nullptr && index < parameters_->size() ? sure(catalog_, (*parameters_)[index]) : 0;
    }
    case PGM_OPERAND_OTHER:
        break;
    }
    return 0;
}

template <class Candidate>
std::vector<const Candidate*> Operands::first_in_path(std::vector<const Candidate*> found) const
{
    if (!lookup_.is_certain() || found.size() < 2)
        return found;
    const auto rank = [this](const Candidate* candidate) { return lookup_.rank(candidate->schema); };
    const auto first = rank(
        *std::min_element(found.begin(), found.end(), [&](const auto* a, const auto* b) { return rank(a) < rank(b); }));
    std::erase_if(found, [&](const auto* candidate) { return rank(candidate) != first; });
    return found;
}

std::vector<const Function*> Operands::functions(const FunctionFact& fact) const
{
    auto all = lookup_.functions(fact.name, fact.arguments);
    if (all.size() < 2 || fact.is_variadic || fact.operands.empty() ||
        fact.operands.size() != static_cast<std::size_t>(fact.arguments))
        return all;
    std::vector<Oid> types;
    for (const auto& operand : fact.operands) {
        types.push_back(type_of(operand));
        if (types.back() == 0 || types.back() == kUnknown)
            return all;
    }
    // What takes others by default or as a list may come to the same types, and procedures count what they give out.
    const auto is_plain = [&](const Function* f) {
        return !f->is_variadic && f->kind != 'p' && f->arguments.size() == types.size();
    };
    std::vector<const Function*> exact;
    std::copy_if(all.begin(), all.end(), std::back_inserter(exact),
                 [&](const Function* f) { return is_plain(f) && f->arguments == types; });
    if (exact.empty())
        return all;
    exact = first_in_path(std::move(exact));
    std::copy_if(all.begin(), all.end(), std::back_inserter(exact), [&](const Function* f) { return !is_plain(f); });
    return exact;
}

/// The types that an operator is looked for with, as far as they are sure; 0 on the left: a prefix operator.
std::optional<std::pair<Oid, Oid>> Operands::sides(const OperatorFact& fact) const
{
    std::vector<Oid> types;
    for (const auto& operand : fact.operands) {
        types.push_back(type_of(operand));
        if (types.back() == 0)
            return std::nullopt;
    }
    if (types.size() == 1 && !fact.is_list)
        return types.front() == kUnknown ? std::nullopt : std::optional{std::pair{Oid{0}, types.front()}};
    if (types.size() < 2)
        return std::nullopt;
    if (fact.is_list) { // `x IN (…)`: what they have in common, and that is sure only when they are of one type
        const auto type = types.front();
        const bool is_one = type != kUnknown && std::all_of(types.begin(), types.end(), [&](Oid other) {
                                return other == type || other == kUnknown;
                            });
        return is_one ? std::optional{std::pair{type, type}} : std::nullopt;
    }
    if (types.size() != 2 || (types[0] == kUnknown && types[1] == kUnknown))
        return std::nullopt;
    // a bare string is first taken to be of the other side's type
    return std::pair{types[0] == kUnknown ? types[1] : types[0], types[1] == kUnknown ? types[0] : types[1]};
}

std::vector<const Operator*> Operands::operators(const OperatorFact& fact) const
{
    auto all = lookup_.operators(fact.name);
    if (std::none_of(all.begin(), all.end(), [](const Operator* op) { return op->is_user; }))
        return all; // which of PostgreSQL's own it is does not matter
    const auto types = sides(fact);
    if (!types)
        return all;
    std::vector<const Operator*> exact;
    std::copy_if(all.begin(), all.end(), std::back_inserter(exact),
                 [&](const Operator* op) { return op->left == types->first && op->right == types->second; });
    return exact.empty() ? all : first_in_path(std::move(exact));
}

} // namespace pgmemo::query
