#pragma once

#include "query/confine.hpp"
#include "query/explanation.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/operands.hpp"
#include "query/statement.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace pgmemo::query {

/// Says that a statement may do anything: what is not understood.
void allow_anything(Statement&) noexcept;

/// Adds to a statement what the statements of its text do: `writes`, `writes_unknown`, `changes_*`, `may_commit`,
/// `sets_transaction`. Never takes anything away.
///
/// What a write touches is its closure over the catalog: partitions and children, whose parents' words move as well;
/// rows that foreign keys change or delete; what a view is made of; rules; triggers, defaults, checks and policies with
/// the functions in them. Functions in SQL and PL/pgSQL are followed by their bodies, and what cannot be seen into may
/// write anything, unless the configuration vouches for it.
class Effects {
public:
    /// `catalog` may be null: then nothing of the database is known. `trail`, where it is given, is told by which ways
    /// relations are written.
    Effects(const Catalog::Impl* catalog, Statement& statement, Trail* trail = nullptr)
        : catalog_(catalog)
        , statement_(statement)
        , trail_(trail)
    {
    }

    /// `lookup` is null exactly when the catalog is.
    void add(const StatementFacts&, const Lookup*);
    /// After the last statement: hands over the writes that were found.
    void finish();

private:
    static constexpr std::size_t kMaxWritten = 512; ///< relations in one closure
    static constexpr int kMaxDepth = 64;

    /// A write of one relation by one statement.
    struct Change {
        int use = 0;                                                    ///< pgm_use bits
        const std::map<std::string, Confine::Values>* values = nullptr; ///< by column; null: any
        const std::set<std::string>* assigned = nullptr;                ///< by UPDATE; null: any column
        bool cascades = false;                                          ///< TRUNCATE … CASCADE
    };
    struct Altered { ///< what triggers and rules make of a row before it is written
        std::set<std::string> columns;
        bool all = false;
    };
    struct Columns {
        std::map<int, Confinement> slots; ///< by column; a column that is in neither is wide
        std::set<int> wide;
        std::set<int> fresh; ///< new rows have values there that no other row has
    };

    /// While it lives, what is found is found on a way that leads through this. Nothing is put together without a
    /// trail.
    class Step {
    public:
        template <class... Parts>
        explicit Step(Effects& effects, const Parts&... parts)
            : effects_(effects)
        {
            if (effects_.trail_ == nullptr)
                return;
            auto& words = effects_.way_.emplace_back();
            (put(words, parts), ...);
        }
        ~Step()
        {
            if (effects_.trail_ != nullptr)
                effects_.way_.pop_back();
        }
        Step(const Step&) = delete;
        Step& operator=(const Step&) = delete;

    private:
        static void put(std::string& words, std::string_view part) { words += part; }
        static void put(std::string& words, const Relation& part) { words += part.full_name(); }

        Effects& effects_;
    };
    std::string way() const;

    void statement(const StatementFacts&, const Lookup&, bool is_inside, const Function* body_of = nullptr);
    void statement_without_catalog(const StatementFacts&);
    void kind(const StatementFacts&, const Lookup*);
    void marks(const StatementFacts&);
    void block(const StatementFacts&, const Lookup*);

    void call(const FunctionFact&, const Operands&, const Lookup&);
    void op(const OperatorFact&, const Operands&, const Lookup&);
    void field(const std::string& name, bool of_any_value, const Lookup&);
    void type(const TypeFact&, const Lookup&);
    void read(const RelationFact&, const Lookup&);
    void write(const StatementFacts&, const RelationFact&, const Confine&, const Lookup&, bool is_inside);

    void builtin(const Function&, const std::string& first_argument);
    void set_config(const std::string& first_argument);
    void function(const Function&, int arguments, const Lookup&);
    void function(Oid, const Lookup&);
    void operator_by_oid(Oid, const Lookup&);
    void type(Oid, const Lookup&);
    void tree(const Tree&, const Lookup&, Oid self = 0);
    void read(const Relation&, const Lookup&);
    void write(const Relation&, const Change&, const Lookup&);
    void rows(const Relation&, const Change&, const Lookup&);
    void triggers(const Relation&, int use, Altered&, const Lookup&);
    void references(const Relation&, const Change&, int use, const Altered&, const Lookup&);
    struct Kin;
    static Kin kin_of(const Catalog::Impl&, const Relation&);
    void touch_kin(const Relation& target, const Change&, const Altered&); ///< it and its kin
    void touch(const Kin&, const Relation& target, const Change&, const Altered&);
    void touch(const Relation&, const Relation& target, const Change&, const Altered&);
    void view(const Relation&, const Change&, const Lookup&);
    void casts(const Lookup&);

    void anything();
    void anything_but_commit();
    void write_anything();
    void any_code(); ///< a function runs that cannot be named
    void ddl();
    void temporary_ddl(const Lookup*);

    const Catalog::Impl* catalog_;
    Statement& statement_;
    Trail* trail_;
    std::vector<std::string> way_;
    std::map<Oid, Columns> written_;
    std::set<std::tuple<Oid, std::string>> functions_seen_;
    std::set<std::tuple<Oid, std::string>> types_seen_;
    std::set<std::tuple<Oid, std::string>> read_seen_;
    std::set<std::tuple<Oid, int, bool, std::string>> write_seen_;
    int depth_ = 0;
    std::set<std::string> casts_seen_;
};

/// What a statement standing alone does to its transaction, and the tag of its reply when that is certain.
Transaction transaction_of(pgm_statement) noexcept;
const char* tag_of(pgm_statement) noexcept;

} // namespace pgmemo::query
