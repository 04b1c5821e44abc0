#pragma once

#include "query/bodies.hpp"
#include "query/builtins.hpp"
#include "query/catalog.hpp"
#include "query/plpgsql.hpp"
#include "query/tree.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pgmemo::query {

/// From here on objects were made after initdb. Source: FirstNormalObjectId in PostgreSQL's access/transam.h.
constexpr Oid kFirstUserOid = 16384;

struct Column {
    std::string name;
    int number = 0; ///< attnum
    Oid type = 0;
    int modifier = -1;            ///< atttypmod
    bool is_deterministic = true; ///< its collation, if it has one
    bool has_default = false;     ///< pg_attribute.atthasdef: default or generation expression
    char identity = ' ';          ///< attidentity, blank for none
    char generated = ' ';         ///< attgenerated, blank for none
};

struct Trigger {
    std::string name;
    Oid function = 0;
    unsigned type = 0; ///< pg_trigger.tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate, 64 instead
    std::optional<Tree> condition; ///< WHEN
};

/// A foreign key of another relation that points at this one.
struct Reference {
    Oid relation = 0;     ///< the one that has the key
    char on_update = 'a'; ///< confupdtype: a no action, r restrict, c cascade, n set null, d set default
    char on_delete = 'a';
    std::vector<int> columns; ///< of this relation: those that are pointed at (confkey)
};

/// A rewrite rule that is not the SELECT of a view.
struct Rule {
    char event = '?'; ///< pg_rewrite.ev_type: 2 update, 3 insert, 4 delete
    bool is_instead = false;
    Tree action;
    Tree condition;
};

struct Relation {
    Oid oid = 0;
    std::string schema;
    std::string name;
    char kind = '?';        ///< pg_class.relkind
    char persistence = '?'; ///< pg_class.relpersistence
    bool has_row_security = false;
    std::vector<Oid> parents;
    std::vector<Oid> children;
    std::vector<Column> columns;        ///< not dropped, attnum > 0, in order; of user relations of every kind but 'S'
    std::vector<std::vector<int>> keys; ///< columns of primary keys, then of unique constraints and unique indexes on
                                        ///< plain columns (those not yet valid too)
    std::vector<int> unique;            ///< columns of which no two rows have the same value
    std::vector<int> oddly_unique;      ///< of unique indexes under a user's operator class or a collation that is not
                                        ///< deterministic: to them other values may be equal as well
    std::vector<int> tracked;           ///< columns that have key slots, the most telling first; see confine.hpp
    std::vector<Trigger> triggers;      ///< not internal, not disabled (tgenabled <> 'D')
    std::vector<Reference> references;
    std::vector<Rule> rules;
    std::optional<Tree> view; ///< of a view or a materialized view
    bool is_security_invoker = false;
    std::vector<Tree> policies; ///< USING and WITH CHECK, each
    /// Virtual generated columns. And one tree, not stored but made up, of the functions of user-made operator classes
    /// that its indexes and its partition key were given: it calls them.
    std::vector<Tree> on_read;
    /// Defaults, checks, generation, expressions of indexes and partition keys. And made-up trees: the one above, and
    /// one that calls the functions of user-made operators of exclusion constraints and foreign keys.
    std::vector<Tree> on_write;

    std::string full_name() const { return schema + '.' + name; }
};

/// What the configuration vouches for of a function that cannot be seen into.
struct Vouched {
    std::vector<Oid> reads;
    std::vector<Oid> writes;
};

enum class Language : char { internal = 'i', c = 'c', sql = 's', plpgsql = 'p', other = '?' };

struct Function {
    Oid oid = 0;
    std::string schema;
    std::string name;
    char kind = 'f'; ///< prokind: f function, p procedure, a aggregate, w window
    char volatility = 'v';
    Language language = Language::other;
    bool is_user = false;            ///< not in pg_catalog, or made after initdb
    Verdict verdict = Verdict::none; ///< of the others
    bool is_variadic = false;
    bool is_security_definer = false;
    bool is_random_only =
        false; ///< of a library whose volatile functions read randomness and nothing else (uuid-ossp, pgcrypto)
    int defaults = 0;
    std::vector<Oid> arguments;              ///< input types (proargtypes)
    std::vector<std::string> argument_names; ///< of the input arguments, where they have any; empty otherwise
    Oid result = 0;
    std::vector<Oid> outputs;           ///< types of OUT, INOUT and TABLE columns (proallargtypes)
    std::vector<std::string> settings;  ///< proconfig: `name=value`
    std::string source;                 ///< of user functions in SQL and PL/pgSQL: prosrc
    std::optional<Tree> body;           ///< of a SQL function with a standard body (prosqlbody)
    std::optional<Tree> default_values; ///< of arguments: what runs when it is called with fewer (proargdefaults)
    std::optional<Vouched> vouched;     ///< the configuration's `functions:`
    std::vector<Oid> parts;             ///< of an aggregate: the functions that it calls

    bool takes(int count) const noexcept
    {
        const int most = static_cast<int>(arguments.size());
        return is_variadic ? count + 1 >= most - defaults : count <= most && count >= most - defaults;
    }
};

struct Operator {
    Oid oid = 0;
    std::string schema;
    std::string name;
    bool is_user = false; ///< itself or its function, or not in pg_catalog
    Oid left = 0;         ///< 0: a prefix operator
    Oid right = 0;
    Oid function = 0;
};

struct Type {
    Oid oid = 0;
    std::string schema;
    std::string name;
    bool is_user = false;
    char kind = '?';   ///< typtype: b base, c composite, d domain, e enum, r range, m multirange, p pseudo
    Oid element = 0;   ///< of a true array
    Oid base = 0;      ///< of a domain
    int modifier = -1; ///< typtypmod of a domain
    Oid relation = 0;  ///< of a composite (typrelid)
    Oid subtype = 0;   ///< of a range or multirange
    Oid input = 0;     ///< functions
    Oid output = 0;
    bool is_deterministic = true; ///< its collation, if it has one
    std::vector<Tree> checks;     ///< of a domain: constraints and default
};

struct Cast {
    Oid source = 0;
    Oid target = 0;
    Oid function = 0;   ///< 0: none is called
    char context = 'e'; ///< e explicit, a assignment, i implicit
    char method = 'f';  ///< f function, i I/O, b binary
};

/// By unqualified name, as positions in the vectors below.
using Index = std::unordered_map<std::string, std::vector<std::uint32_t>>;

/// The snapshot's content.
struct Catalog::Impl {
    Oid database = 0;
    std::uint64_t id = 0;
    std::size_t relation_count = 0;

    bool has_event_triggers = false;
    bool has_user_text_search_code = false; ///< a template or parser made after initdb

    std::vector<Relation> relations;
    std::vector<Function> functions;
    std::vector<Operator> operators;
    std::vector<Type> types;
    std::vector<Cast> user_casts; ///< those made after initdb
    /// Functions of operator classes made after initdb that are the default for a built-in type, and of those for the
    /// user's own types: sorting and comparing may call them wherever such a value comes. By the type they are for.
    std::vector<std::pair<Oid, Oid>> class_functions; ///< (opcintype, function)

    std::vector<std::string> settings; ///< custom settings that results may depend on; sorted
    Bodies bodies;                     ///< of `functions`, as they are asked for

    Index relations_by_name;
    Index functions_by_name;
    Index operators_by_name;
    Index types_by_name;
    boost::unordered_flat_map<Oid, std::uint32_t> relations_by_oid;
    boost::unordered_flat_map<Oid, std::uint32_t> functions_by_oid;
    boost::unordered_flat_map<Oid, std::uint32_t> operators_by_oid;
    boost::unordered_flat_map<Oid, std::uint32_t> types_by_oid;

    const Relation* relation(Oid oid) const noexcept { return at(relations, relations_by_oid, oid); }
    const Function* function(Oid oid) const noexcept { return at(functions, functions_by_oid, oid); }
    const Operator* op(Oid oid) const noexcept { return at(operators, operators_by_oid, oid); }
    const Type* type(Oid oid) const noexcept { return at(types, types_by_oid, oid); }

    template <class T>
    static const T* at(const std::vector<T>& all, const boost::unordered_flat_map<Oid, std::uint32_t>& by,
                       Oid oid) noexcept
    {
        const auto found = by.find(oid);
        return found == by.end() ? nullptr : &all[found->second];
    }
    static const std::vector<std::uint32_t>* named(const Index& index, const std::string& name)
    {
        const auto found = index.find(name);
        return found == index.end() ? nullptr : &found->second;
    }
};

} // namespace pgmemo::query
