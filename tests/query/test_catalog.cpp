#include "tests/query/test_catalog.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace pgmemo::query::testing {
namespace {

using Values = std::vector<std::string>;

class Rows {
public:
    explicit Rows(CatalogBuilder& builder)
        : builder_(builder)
    {
    }

    void add(std::size_t query, const Values& values)
    {
        std::vector<std::optional<std::string_view>> row{values.begin(), values.end()};
        builder_.row(query, row);
    }

    void type(Oid oid, std::string_view schema, std::string_view name, char kind = 'b', Oid element = 0, Oid base = 0)
    {
        add(1, {std::to_string(oid), std::string{schema}, std::string{name}, std::string(1, kind),
                std::to_string(element), std::to_string(base)});
    }

    void function(std::string_view name, int arguments, char volatility, std::string_view schema = "pg_catalog",
                  char effect = 'n', bool is_variadic = false, int defaults = 0)
    {
        const bool is_user = schema != "pg_catalog";
        add(2, {std::string{schema}, std::string{name}, std::to_string(arguments), std::to_string(defaults),
                is_variadic ? "t" : "f", is_user ? "t" : "f", std::string(1, volatility), std::string(1, effect)});
    }

    void op(std::string_view name, std::string_view function, char volatility = 'i',
            std::string_view schema = "pg_catalog", char effect = 'n')
    {
        add(3, {std::string{schema}, std::string{name}, std::string{function}, schema == "pg_catalog" ? "f" : "t",
                std::string(1, volatility), std::string(1, effect)});
    }

    /// `flags`: i inherited, s row security, r rules, t triggers, u cascades updates, d cascades deletes, c user code.
    void relation(Oid oid, std::string_view name, char kind = 'r', std::string_view flags = "",
                  std::string_view schema = "public", char persistence = 'p')
    {
        Values values{std::to_string(oid), std::string{schema}, std::string{name}, std::string(1, kind),
                      std::string(1, persistence)};
        for (const char flag : std::string_view{"isrtudc"})
            values.emplace_back(flags.find(flag) == std::string_view::npos ? "f" : "t");
        add(4, values);
    }

    void column(Oid relation, std::string_view name, Oid type, std::string_view generated = "")
    {
        add(5, {std::to_string(relation), std::string{name}, std::to_string(type), std::string{generated}});
    }

private:
    CatalogBuilder& builder_;
};

constexpr Oid kText = 25, kInt = 23, kDate = 1082, kTimestamptz = 1184, kTimetz = 1266, kRegclass = 2205;
constexpr Oid kCitext = 30001, kMood = 30002, kMoodDomain = 30003, kMoodArray = 30004;

void add_types(Rows& rows)
{
    rows.type(kText, "pg_catalog", "text");
    rows.type(kInt, "pg_catalog", "int4");
    rows.type(20, "pg_catalog", "int8");
    rows.type(16, "pg_catalog", "bool");
    rows.type(1043, "pg_catalog", "varchar");
    rows.type(1700, "pg_catalog", "numeric");
    rows.type(1186, "pg_catalog", "interval");
    rows.type(1114, "pg_catalog", "timestamp");
    rows.type(3802, "pg_catalog", "jsonb");
    rows.type(1009, "pg_catalog", "_text", 'b', kText);
    rows.type(1182, "pg_catalog", "_date", 'b', kDate);
    rows.type(kDate, "pg_catalog", "date");
    rows.type(kTimestamptz, "pg_catalog", "timestamptz");
    rows.type(kTimetz, "pg_catalog", "timetz");
    rows.type(kRegclass, "pg_catalog", "regclass");
    rows.type(kCitext, "public", "citext");
    rows.type(kMood, "public", "mood", 'e');
    rows.type(kMoodDomain, "public", "calm_mood", 'd', 0, kMood);
    rows.type(kMoodArray, "public", "_mood", 'b', kMood);
    rows.type(30005, "app", "numeric", 'd', 0, 1700);
}

void add_functions(Rows& rows)
{
    for (const auto name : {"lower", "upper", "length", "sum", "max", "min", "count", "array_agg", "unnest", "abs"})
        rows.function(name, 1, 'i');
    rows.function("count", 0, 'i');
    rows.function("rank", 0, 'i');
    rows.function("row_number", 0, 'i');
    rows.function("generate_series", 2, 'i');
    rows.function("generate_series", 3, 's');
    rows.function("percentile_cont", 2, 'i');
    rows.function("date_trunc", 2, 's');
    rows.function("date", 1, 's');
    rows.function("date_part", 2, 'i');
    rows.function("extract", 2, 'i');
    rows.function("timezone", 2, 'i');
    rows.function("age", 1, 's');
    rows.function("age", 2, 'i');
    rows.function("concat", 1, 's', "pg_catalog", 'n', true);
    rows.function("now", 0, 's');
    rows.function("clock_timestamp", 0, 'v');
    rows.function("timetz_hash", 1, 'i');
    rows.function("random", 0, 'v');
    rows.function("nextval", 1, 'v');
    rows.function("set_config", 3, 'v');
    rows.function("pg_reload_conf", 0, 'v');
    rows.function("pg_read_file", 1, 'v');
    rows.function("query_to_xml", 4, 'v');
    rows.function("current_setting", 1, 's');
    rows.function("version", 0, 's');
    rows.function("current_schemas", 1, 's');
    rows.function("pg_typeof", 1, 's');
    rows.function("jsonb_each_text", 1, 'i');
    rows.function("json_to_recordset", 1, 's');
    rows.function("like_escape", 2, 'i');
    rows.function("volatile_one", 1, 'v', "public", 'a');
    rows.function("stable_one", 1, 's', "public", 's');
    rows.function("pure_one", 1, 'i', "public", 'n');
    rows.function("lower", 1, 'i', "app", 'n');
    rows.function("refresh", 0, 'v', "public", 'a');
}

void add_relations(Rows& rows)
{
    rows.relation(kAccounts, "accounts");
    rows.relation(kUsers, "users");
    rows.relation(kEvents, "events");
    rows.relation(kView, "user_names", 'v', "r");
    rows.relation(kMaterialized, "totals", 'm', "r");
    rows.relation(kPartitioned, "measurements", 'p', "i");
    rows.relation(kPartition, "measurements_1", 'r', "i");
    rows.relation(kParent, "animals", 'r', "i");
    rows.relation(kForeign, "remote", 'f');
    rows.relation(kUnlogged, "scratch", 'r', "", "public", 'u');
    rows.relation(kSequence, "serial", 'S');
    rows.relation(kSecured, "secured", 'r', "s");
    rows.relation(kRuled, "ruled", 'r', "r");
    rows.relation(kTriggered, "triggered", 'r', "t");
    rows.relation(kOwner, "owner", 'r', "ud");
    rows.relation(kUserCode, "checked", 'r', "c");
    rows.relation(kOdd, "odd");
    rows.relation(kNames, "names");
    rows.relation(kTimes, "times");
    rows.relation(kVirtual, "derived");
    rows.relation(kMoods, "moods");
    rows.relation(kPublicItems, "items");
    rows.relation(kAppItems, "items", 'r', "", "app");
    rows.relation(kClass, "pg_class", 'r', "", "pg_catalog");
    rows.relation(kMixed, "Mixed Case");
    rows.column(kAccounts, "aid", kInt);
    rows.column(kUsers, "id", kInt);
    rows.column(kUsers, "name", kText);
    rows.column(kUsers, "note", kText);
    rows.column(kUsers, "created_at", kTimestamptz);
    rows.column(kUsers, "born", kDate);
    rows.column(kUsers, "age", kInt);
    rows.column(kEvents, "at", kText);
    rows.column(kOdd, "c", kCitext);
    rows.column(kNames, "c", kRegclass);
    rows.column(kTimes, "c", kTimetz);
    rows.column(kVirtual, "c", kInt, "v");
    rows.column(kMoods, "a", kMood);
    rows.column(kMoods, "b", kMoodDomain);
    rows.column(kMoods, "c", kMoodArray);
    rows.column(kAppItems, "value", kDate);
}

std::string flag(bool value)
{
    return value ? "t" : "f";
}

} // namespace

std::shared_ptr<const Catalog> test_catalog(TestCatalogOptions options)
{
    CatalogBuilder builder{5};
    Rows rows{builder};
    if (!options.omits_summary)
        rows.add(0, {flag(options.is_unsafe), flag(options.has_volatile_functions), flag(options.functions_may_set),
                     flag(options.functions_may_ddl), flag(options.views_run_user_code), "f", "f", "f"});
    add_types(rows);
    add_functions(rows);
    for (const auto name : {"=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "~~", "~~*", "!~~", "@>", "->>"})
        rows.op(name, "builtin");
    rows.op("<", "date_lt_timestamptz", 's');
    rows.op("||", "textcat");
    rows.op("||", "textanycat", 's');
    rows.op("~?", "looks_around", 's');
    rows.op("<->", "distance", 'v', "public", 'a');
    if (options.has_user_equality)
        rows.op("=", "citext_eq", 'i', "public");
    add_relations(rows);
    return builder.finish();
}

std::shared_ptr<const NameScope> test_scope(std::vector<std::string> schemas)
{
    static std::atomic<std::uint64_t> last_id{0};
    auto scope = std::make_shared<NameScope>();
    scope->id = ++last_id;
    scope->schemas = std::move(schemas);
    scope->schemas.insert(scope->schemas.begin(), "pg_catalog");
    return scope;
}

std::shared_ptr<const Statement> analysed(std::string_view sql)
{
    static const auto catalog = test_catalog();
    static const auto scope = test_scope();
    static Analyzer analyzer{1 << 20};
    return analyzer.analyse(sql, catalog, scope, {});
}

} // namespace pgmemo::query::testing
