#pragma once

#include "query/catalog.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pgmemo::query {

/// What calling a function may do besides yielding a value.
enum class Effect {
    none,     ///< built in, or written in C and not VOLATILE, or known to be harmless
    settings, ///< not VOLATILE, in a procedural language: changes no row, may change settings
    anything, ///< a user's VOLATILE function
};

struct Relation {
    Oid oid = 0;
    std::string schema;
    std::string name;
    char kind = '?';           ///< pg_class.relkind
    char persistence = '?';    ///< pg_class.relpersistence
    bool is_inherited = false; ///< has parents or children, or is a partition
    bool has_row_security = false;
    bool has_rules = false;
    bool has_triggers = false;
    bool cascades_update = false;
    bool cascades_delete = false;
    bool runs_user_code =
        false; ///< a default, constraint or index that depends on user code that may do more than compute
    bool has_unsafe_column = false;
    std::vector<std::pair<std::string, bool>>
        columns; ///< name, and whether its type is a date or time type; tables only
};

struct Function {
    std::string schema;
    int arguments = 0;
    int defaults = 0;
    bool is_variadic = false;
    bool is_user = false;
    char volatility = 'v';
    Effect effect = Effect::anything;

    bool takes(int count) const noexcept
    {
        return is_variadic ? count + 1 >= arguments - defaults : count <= arguments && count >= arguments - defaults;
    }
};

struct Operator {
    std::string schema;
    std::string function;
    bool is_user = false;
    char volatility = 'v';
    Effect effect = Effect::anything;
};

struct Type {
    std::string schema;
    Oid oid = 0;
    bool is_user = false;
};

template <class T>
using ByName = std::unordered_map<std::string, std::vector<T>>;

/// The snapshot's content. Every map is by unqualified name.
struct Catalog::Impl {
    Oid database = 0;
    std::uint64_t id = 0;
    std::size_t relation_count = 0;

    bool is_unsafe = false; ///< user-defined casts or sort orders that may run anywhere
    bool has_volatile_functions = false;
    bool functions_may_set = false;   ///< a user function that is not VOLATILE may change settings
    bool functions_may_ddl = false;   ///< a user function may run DDL, or SQL that cannot be seen
    bool views_run_user_code = false; ///< a view, rule or policy depends on a VOLATILE user function or runs SQL
    bool casts_run_user_code = false;
    bool has_event_triggers = false;
    bool domains_run_user_code = false;

    ByName<Relation> relations;
    ByName<Function> functions;
    ByName<Operator> operators;
    ByName<Type> types;

    template <class T>
    static const std::vector<T>* find(const ByName<T>& map, const std::string& name)
    {
        const auto found = map.find(name);
        return found == map.end() ? nullptr : &found->second;
    }
};

} // namespace pgmemo::query
