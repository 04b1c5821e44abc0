#pragma once

#include "query/catalog_impl.hpp"
#include "query/confine.hpp"
#include "query/explanation.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/operands.hpp"
#include "query/statement.hpp"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace pgmemo::query {

/// Why a statement may not be cached; `reason` none: it may.
struct Refusal {
    Reason reason = Reason::none;
    std::string why; ///< what it is about: `function now(), in view public.recent`
    int place = -1;  ///< in the text

    bool is_refused() const noexcept { return reason != Reason::none; }
};

/// The proof that one statement may be cached, or the first step of it that fails.
///
/// In order: what kind of statement it is, what its text holds, then (with a catalog) its functions, operators, types
/// and relations, each followed to the end: views to their relations, policies, functions in SQL and PL/pgSQL by their
/// bodies. `session_unknown` comes last, so that it is said only of what a scope could still make cacheable.
class Proof {
public:
    /// `trail`, where it is given, is told by which ways relations are read.
    explicit Proof(const Catalog::Impl& catalog, Trail* trail = nullptr)
        : catalog_(catalog)
        , trail_(trail)
    {
    }

    static Refusal of_kind(const StatementFacts&);
    static Refusal of_text(const StatementFacts&);
    Refusal of_names(const StatementFacts&, const Lookup&);

    /// What was found on the way: complete when nothing was refused.
    std::vector<ReadAccess> reads;
    std::vector<std::string> read_names;
    std::vector<std::string> settings;

private:
    static constexpr int kMaxDepth = 40;

    /// Where the proof stands.
    struct At {
        const Lookup& lookup;
        std::string via;        ///< `, in view public.recent`
        int place = -1;         ///< in the text, of what led here
        bool is_inside = false; ///< in a function, view or policy rather than in the client's own text
        bool in_policy = false;
        bool keeps_rows = false; ///< of the client's own text: the reply's rows are rows of the one relation read
        int depth = 0;
        const std::vector<Oid>* parameters = nullptr; ///< of the function whose body this is
        bool has_variables = false;                   ///< a PL/pgSQL variable may be meant where a column is named
    };
    using Confinements = std::vector<Confinement>;

    static bool keeps_rows(const StatementFacts&, const Lookup&);
    Refusal refuse(Reason, std::string what, const At&, int place = -1) const;
    Refusal names(const StatementFacts&, const At&);
    Refusal catalog_wide(const At&);
    Refusal call(const FunctionFact&, const StatementFacts&, const Operands&, const At&);
    Refusal op(const OperatorFact&, const Operands&, const At&);
    Refusal type(const TypeFact&, const At&);
    Refusal field(const std::string& name, bool of_any_value, const At&);
    bool has_time_of_day(const StatementFacts&, const At&) const;
    Refusal time_columns(const StatementFacts&, const At&);
    Refusal relation(const RelationFact&, const Confine&, const At&);

    Refusal setting(const std::string& name, const At&, int place = -1);
    Refusal builtin(const Function&, const At&, int place = -1);
    Refusal function(const Function&, int arguments, const At&);
    Refusal body(const Function&, const At&);
    Refusal function_by_oid(Oid, const At&);
    Refusal operator_by_oid(Oid, const At&);
    Refusal type_by_oid(Oid, const At&);
    Refusal read(const Relation&, const Confinements&, const At&);
    Refusal view(const Relation&, const Confinements&, const At&);
    Refusal stored(const Relation&, const At&, bool is_child);
    Refusal tree(const Tree&, const At&, const std::vector<Confinements>* confinements = nullptr, Oid self = 0);

    void note(const ReadAccess&, std::string_view via) const;

    const Catalog::Impl& catalog_;
    Trail* trail_;
    std::set<std::tuple<Oid, bool, std::string>> functions_seen_;
    std::set<Oid> types_seen_;
    std::set<std::tuple<Oid, bool, bool>> relations_seen_;
    int visits_ = 0;
    bool keeps_rows_ = false;
};

} // namespace pgmemo::query
