#include "tests/query/test_catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::size_t number_of(std::string_view query)
{
    const auto all = catalog_queries();
    const auto found = std::find_if(all.begin(), all.end(), [&](const CatalogQuery& it) { return it.name == query; });
    return static_cast<std::size_t>(found - all.begin());
}

std::vector<std::string> names_of(const std::vector<Oid>& relations)
{
    std::vector<std::string> names;
    for (const auto oid : relations)
        names.push_back(test_catalog()->impl().relation(oid)->name);
    return names;
}

TEST(Catalog, KnowsItsDatabaseAndIsUnlikeAnyOther)
{
    const auto one = catalog_of(recorded_rows());
    const auto other = catalog_of(recorded_rows());
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->database(), 5U);
    EXPECT_NE(one->id(), other->id());
    EXPECT_EQ(one->relation_count(), one->impl().relations.size());
}

TEST(Catalog, FindsEverythingByOidAndByName)
{
    const auto& impl = test_catalog()->impl();
    const auto& users = relation_named("public.users");
    EXPECT_EQ(impl.relation(users.oid), &users);
    EXPECT_EQ(users.full_name(), "public.users");
    EXPECT_EQ(impl.function(2077)->name, "current_setting");
    EXPECT_EQ(impl.op(96)->name, "=");
    EXPECT_EQ(impl.type(25)->name, "text");
    EXPECT_EQ(impl.relation(1), nullptr);
    EXPECT_EQ(Catalog::Impl::named(impl.relations_by_name, "items")->size(), 2U);
    EXPECT_NE(oid_of("public.items"), oid_of("app.items"));
    EXPECT_EQ(relation_named("pg_catalog.pg_class").kind, 'r');
    EXPECT_EQ(relation_named("information_schema.tables").kind, 'v');
    EXPECT_THROW(oid_of("public.nothing"), std::invalid_argument);
}

TEST(Catalog, LeavesOutWhatIsTemporary)
{
    const auto& impl = test_catalog()->impl();
    EXPECT_EQ(Catalog::Impl::named(impl.relations_by_name, "fleeting"), nullptr);
    EXPECT_EQ(Catalog::Impl::named(impl.relations_by_name, "fleeting_view"), nullptr);
    EXPECT_EQ(Catalog::Impl::named(impl.types_by_name, "fleeting"), nullptr);
}

TEST(Catalog, TellsKindsApart)
{
    const auto kind = [](std::string_view name) { return relation_named(name).kind; };
    EXPECT_EQ(kind("public.users"), 'r');
    EXPECT_EQ(kind("public.user_names"), 'v');
    EXPECT_EQ(kind("public.totals"), 'm');
    EXPECT_EQ(kind("public.measurements"), 'p');
    EXPECT_EQ(kind("public.remote"), 'f');
    EXPECT_EQ(kind("public.serial"), 'S');
    EXPECT_EQ(relation_named("public.scratch").persistence, 'u');
    EXPECT_EQ(relation_named("public.users").persistence, 'p');
    EXPECT_TRUE(relation_named("public.invoked").is_security_invoker);
    EXPECT_FALSE(relation_named("public.barred").is_security_invoker);
    EXPECT_FALSE(relation_named("public.users").view);
    EXPECT_TRUE(relation_named("public.totals").view);
    EXPECT_FALSE(relation_named("information_schema.tables").view);
}

TEST(Catalog, KnowsColumns)
{
    const auto& holes = relation_named("public.with_holes");
    ASSERT_EQ(holes.columns.size(), 2U);
    EXPECT_EQ(holes.columns[0].number, 1);
    EXPECT_EQ(holes.columns[1].number, 3);
    EXPECT_EQ(holes.columns[1].name, "b");

    const auto& limited = relation_named("public.by_varchar").columns.at(0);
    EXPECT_EQ(limited.type, 1043U);
    EXPECT_EQ(limited.modifier, 14); // 10 and the length word
    EXPECT_TRUE(limited.is_deterministic);
    EXPECT_FALSE(limited.has_default);
    EXPECT_EQ(limited.identity, ' ');
    EXPECT_EQ(limited.generated, ' ');

    EXPECT_FALSE(relation_named("public.by_loose_text").columns.at(0).is_deterministic);
    EXPECT_TRUE(relation_named("public.by_loose_text").columns.at(1).is_deterministic);
    EXPECT_FALSE(relation_named("public.by_loose_domain").columns.at(0).is_deterministic);
    EXPECT_EQ(relation_named("public.with_identity").columns.at(0).identity, 'a');
    EXPECT_EQ(relation_named("public.with_identity").columns.at(1).identity, 'd');
    EXPECT_EQ(relation_named("public.with_defaults").columns.at(4).generated, 's');
    EXPECT_TRUE(relation_named("public.with_defaults").columns.at(3).has_default);
    EXPECT_EQ(relation_named("public.user_names").columns.size(), 2U);
    EXPECT_EQ(relation_named("public.totals").columns.size(), 2U);
    EXPECT_EQ(relation_named("public.remote").columns.size(), 2U);
    EXPECT_THAT(relation_named("public.serial").columns, IsEmpty());
    EXPECT_THAT(relation_named("pg_catalog.pg_class").columns, IsEmpty());
}

TEST(Catalog, KnowsKeysThePrimaryOneFirst)
{
    const auto& keys = relation_named("public.composite").keys;
    ASSERT_FALSE(keys.empty());
    EXPECT_THAT(keys.front(), ElementsAre(2, 1));
    // A partial one too, one with INCLUDE by its key columns, none of an expression.
    EXPECT_THAT(keys, UnorderedElementsAre(ElementsAre(2, 1), ElementsAre(3), ElementsAre(1), ElementsAre(1, 3)));
    EXPECT_THAT(relation_named("public.with_serial").keys, ElementsAre(ElementsAre(1), ElementsAre(2)));
    EXPECT_THAT(relation_named("public.measurements").keys, ElementsAre(ElementsAre(1, 2)));
    EXPECT_THAT(relation_named("public.totals").keys, ElementsAre(ElementsAre(1)));
    EXPECT_THAT(relation_named("public.events").keys, IsEmpty());
    EXPECT_THAT(relation_named("public.excluded").keys, IsEmpty());
}

TEST(Catalog, KnowsParentsAndChildren)
{
    const auto& measurements = relation_named("public.measurements");
    EXPECT_THAT(names_of(measurements.children), UnorderedElementsAre("measurements_1", "measurements_2"));
    EXPECT_THAT(measurements.parents, IsEmpty());
    const auto& middle = relation_named("public.measurements_2");
    EXPECT_THAT(names_of(middle.parents), ElementsAre("measurements"));
    EXPECT_THAT(names_of(middle.children), UnorderedElementsAre("measurements_2_0", "measurements_2_1"));
    EXPECT_THAT(names_of(relation_named("public.dogs").parents), ElementsAre("animals"));
    EXPECT_THAT(names_of(relation_named("public.dogs").children), ElementsAre("puppies"));
    EXPECT_THAT(relation_named("public.users").children, IsEmpty());
}

struct ReferenceText {
    std::string relation;
    std::string actions;
    std::vector<int> columns;
    bool operator==(const ReferenceText&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const ReferenceText& it)
    {
        out << it.relation << ' ' << it.actions;
        for (const int column : it.columns)
            out << ' ' << column;
        return out;
    }
};

std::vector<ReferenceText> references_of(std::string_view relation)
{
    std::vector<ReferenceText> all;
    for (const auto& reference : relation_named(relation).references)
        all.push_back(
            {names_of({reference.relation}).front(), {reference.on_update, reference.on_delete}, reference.columns});
    return all;
}

TEST(Catalog, KnowsWhoPointsHere)
{
    EXPECT_THAT(references_of("public.owner"),
                UnorderedElementsAre(ReferenceText{"owned", "cc", {1}}, ReferenceText{"owned_renumbered", "ca", {1}},
                                     ReferenceText{"owned_plain", "aa", {1}}));
    EXPECT_THAT(references_of("public.owned"), ElementsAre(ReferenceText{"owned_deeper", "ac", {1}}));
    EXPECT_THAT(references_of("public.owned_deeper"), UnorderedElementsAre(ReferenceText{"owned_nulled", "an", {1}},
                                                                           ReferenceText{"owned_default", "ad", {1}}));
    EXPECT_THAT(references_of("public.tree"), ElementsAre(ReferenceText{"tree", "ac", {1}}));
    EXPECT_THAT(references_of("public.measurements"), ElementsAre(ReferenceText{"measured_by", "ac", {1, 2}}));
    EXPECT_THAT(references_of("public.measurements_2_0"), ElementsAre(ReferenceText{"measured_by", "ac", {1, 2}}));
    EXPECT_THAT(references_of("public.owned_plain"), IsEmpty());
}

TEST(Catalog, KnowsTriggersThatMayFire)
{
    const auto triggers = [](std::string_view relation) {
        std::vector<std::string> all;
        for (const auto& trigger : relation_named(relation).triggers)
            all.push_back(trigger.name + ' ' + test_catalog()->impl().function(trigger.function)->name + ' ' +
                          std::to_string(trigger.type) + (trigger.condition ? " when" : ""));
        return all;
    };
    constexpr int kRow = 1, kBefore = 2, kInsert = 4, kDelete = 8, kUpdate = 16, kTruncate = 32, kInstead = 64;
    const auto expected = [](std::string_view names, int type) {
        return std::string{names} + ' ' + std::to_string(type);
    };
    EXPECT_THAT(triggers("public.touched"), ElementsAre(expected("touch touch", kRow | kBefore | kUpdate) + " when"));
    EXPECT_THAT(triggers("public.audited"), ElementsAre(expected("audit audit", kRow | kInsert | kUpdate | kDelete)));
    EXPECT_THAT(triggers("public.triggered"), ElementsAre(expected("anything run_anything", kInsert | kUpdate)));
    EXPECT_THAT(triggers("public.deferred"), ElementsAre(expected("late audit", kRow | kInsert)));
    EXPECT_THAT(triggers("public.truncated"), ElementsAre(expected("on_truncate audit", kTruncate)));
    EXPECT_THAT(triggers("public.instead"),
                ElementsAre(expected("instead_of_update write_through", kRow | kUpdate | kInstead)));
    EXPECT_THAT(triggers("public.silenced"), IsEmpty());
    EXPECT_THAT(triggers("public.owned"), IsEmpty()); // those that keep foreign keys are not told
}

TEST(Catalog, KnowsRulesButNotViewsAmongThem)
{
    EXPECT_THAT(relation_named("public.user_names").rules, IsEmpty());
    const auto& rules = relation_named("public.ruled").rules;
    ASSERT_EQ(rules.size(), 3U);
    const auto also = std::find_if(rules.begin(), rules.end(), [](const Rule& it) { return it.event == '2'; });
    ASSERT_NE(also, rules.end());
    EXPECT_FALSE(also->is_instead);
    EXPECT_TRUE(also->action.is_understood);
    EXPECT_TRUE(also->condition.is_understood);
    EXPECT_TRUE(relation_named("public.ruled_view").rules.at(0).is_instead);
    EXPECT_TRUE(relation_named("public.ruled_view").view);
}

TEST(Catalog, KnowsPolicies)
{
    EXPECT_TRUE(relation_named("public.secured").has_row_security);
    EXPECT_EQ(relation_named("public.secured").policies.size(), 1U);
    EXPECT_EQ(relation_named("public.secured_own").policies.size(), 2U);
    EXPECT_TRUE(relation_named("public.secured_shut").has_row_security);
    EXPECT_THAT(relation_named("public.secured_shut").policies, IsEmpty());
    EXPECT_FALSE(relation_named("public.secured_off").has_row_security);
}

TEST(Catalog, KnowsWhatRunsWhenARowIsWrittenOrRead)
{
    const auto calls = [](const std::vector<Tree>& trees) {
        std::vector<std::string> names;
        for (const auto& tree : trees) {
            EXPECT_TRUE(tree.is_understood);
            for (const auto oid : tree.functions)
                names.push_back(test_catalog()->impl().function(oid)->name);
        }
        return names;
    };
    const auto on_write = [&](std::string_view relation) { return calls(relation_named(relation).on_write); };
    EXPECT_THAT(on_write("public.checked"), ElementsAre("is_fine"));
    EXPECT_THAT(on_write("public.with_defaults"),
                UnorderedElementsAre("nextval", "int4", "volatile_one", "now", "lower"));
    EXPECT_THAT(on_write("public.with_index"), UnorderedElementsAre("lower", "pure"));
    EXPECT_THAT(on_write("public.by_expression"), ElementsAre("lower"));
    EXPECT_THAT(on_write("public.with_class"), UnorderedElementsAre("backwards", "after"));
    EXPECT_THAT(calls(relation_named("public.with_class").on_read), UnorderedElementsAre("backwards", "after"));
    EXPECT_THAT(on_write("public.users"), IsEmpty());
    EXPECT_THAT(relation_named("public.with_defaults").on_read, IsEmpty());
}

TEST(Catalog, KnowsFunctions)
{
    const auto& greeting = function_named("app.greeting");
    EXPECT_TRUE(greeting.is_user);
    EXPECT_EQ(greeting.kind, 'f');
    EXPECT_EQ(greeting.volatility, 's');
    EXPECT_EQ(greeting.language, Language::sql);
    EXPECT_THAT(greeting.arguments, ElementsAre(23, 25));
    EXPECT_THAT(greeting.argument_names, ElementsAre("wanted", "prefix"));
    EXPECT_EQ(greeting.result, 25U);
    EXPECT_EQ(greeting.defaults, 1);
    EXPECT_TRUE(greeting.default_values.value().is_understood);
    EXPECT_EQ(greeting.source, "SELECT prefix || app.user_name(wanted)");
    EXPECT_FALSE(greeting.body);
    EXPECT_FALSE(greeting.is_security_definer);
    EXPECT_TRUE(greeting.takes(1));
    EXPECT_TRUE(greeting.takes(2));
    EXPECT_FALSE(greeting.takes(3));

    EXPECT_TRUE(function_named("app.user_age").body);
    EXPECT_FALSE(function_named("app.user_age").default_values);
    EXPECT_EQ(function_named("app.touch").language, Language::plpgsql);
    EXPECT_THAT(function_named("app.touch").source, HasSubstr("NEW.updated_at = now();"));
    EXPECT_EQ(function_named("app.unseen").language, Language::other);
    EXPECT_EQ(function_named("app.unseen").source, "");
    EXPECT_EQ(function_named("public.citextin").language, Language::internal);
    EXPECT_EQ(function_named("public.crypt").language, Language::c);
    EXPECT_EQ(function_named("public.refresh").kind, 'p');
    EXPECT_TRUE(function_named("app.as_owner").is_security_definer);
    EXPECT_THAT(function_named("app.with_path").settings, ElementsAre("search_path=app"));
    EXPECT_TRUE(function_named("app.many").is_variadic);
    EXPECT_TRUE(function_named("app.many").takes(5));
    EXPECT_THAT(function_named("app.pair").arguments, ElementsAre(23));
    EXPECT_THAT(function_named("app.pair").argument_names, ElementsAre("i"));
    EXPECT_THAT(function_named("app.pair").outputs, ElementsAre(23, 23));
    EXPECT_THAT(greeting.outputs, IsEmpty());
    EXPECT_TRUE(function_named("public.gen_salt").is_random_only);
    EXPECT_FALSE(function_named("public.postgres_fdw_handler").is_random_only);

    const auto& now = function_named("pg_catalog.now");
    EXPECT_FALSE(now.is_user);
    EXPECT_EQ(now.volatility, 's');
    EXPECT_EQ(now.language, Language::internal);
    EXPECT_EQ(function_named("pg_catalog.count").kind, 'a');
    EXPECT_EQ(function_named("pg_catalog.rank").kind, 'w');
}

TEST(Catalog, KnowsWhatAnAggregateCalls)
{
    EXPECT_THAT(function_named("app.sum_logged").parts, ElementsAre(function_named("app.add_logged").oid));
    EXPECT_EQ(function_named("app.sum_logged").kind, 'a');
    EXPECT_THAT(function_named("pg_catalog.sum").parts, IsEmpty());
}

TEST(Catalog, KnowsOperators)
{
    const auto& same = operator_named("public.===");
    EXPECT_TRUE(same.is_user);
    EXPECT_EQ(same.left, 25U);
    EXPECT_EQ(same.right, 25U);
    EXPECT_EQ(same.function, function_named("app.identical").oid);
    EXPECT_FALSE(test_catalog()->impl().op(96)->is_user);
    const auto& impl = test_catalog()->impl();
    EXPECT_TRUE(std::any_of(impl.operators.begin(), impl.operators.end(),
                            [](const Operator& it) { return it.name == "-" && it.left == 0; }));
}

TEST(Catalog, KnowsTypes)
{
    const auto& citext = type_named("public.citext");
    EXPECT_TRUE(citext.is_user);
    EXPECT_EQ(citext.kind, 'b');
    EXPECT_EQ(citext.element, 0U);
    EXPECT_EQ(citext.input, function_named("public.citextin").oid);
    EXPECT_EQ(citext.output, function_named("public.citextout").oid);
    EXPECT_EQ(type_named("public.mood").kind, 'e');
    EXPECT_EQ(type_named("public._mood").element, type_named("public.mood").oid);
    EXPECT_EQ(type_named("public.calm_mood").kind, 'd');
    EXPECT_EQ(type_named("public.calm_mood").base, type_named("public.mood").oid);
    EXPECT_EQ(type_named("public.address").kind, 'c');
    EXPECT_NE(type_named("public.address").relation, 0U);
    EXPECT_EQ(type_named("public.users").relation, oid_of("public.users"));
    EXPECT_EQ(type_named("public.period").kind, 'r');
    EXPECT_EQ(type_named("public.period").subtype, 1082U);
    EXPECT_EQ(type_named("public.period_multirange").kind, 'm');
    EXPECT_EQ(type_named("public.period_multirange").subtype, 1082U);
    EXPECT_FALSE(type_named("public.loose").is_deterministic);
    EXPECT_TRUE(type_named("pg_catalog.text").is_deterministic);
    EXPECT_FALSE(type_named("pg_catalog.text").is_user);
    EXPECT_EQ(type_named("pg_catalog.point").element, 0U); // its elements are no array
    EXPECT_EQ(type_named("public.positive").checks.size(), 2U);
    EXPECT_EQ(type_named("public.looked_up").checks.size(), 2U); // a default and a check
    EXPECT_THAT(type_named("app.numeric").checks, IsEmpty());
}

TEST(Catalog, KnowsCastsOfTheUser)
{
    const auto& casts = test_catalog()->impl().user_casts;
    const auto cast = [&](Oid source, Oid target) {
        const auto found = std::find_if(casts.begin(), casts.end(),
                                        [&](const Cast& it) { return it.source == source && it.target == target; });
        return found == casts.end() ? ""
                                    : std::string{found->context, found->method} + (found->function ? " calls" : "");
    };
    EXPECT_EQ(cast(type_named("public.address").oid, 25), "ef calls");
    EXPECT_EQ(cast(type_named("public.mood").oid, 23), "af calls");
    EXPECT_EQ(cast(type_named("public.citext").oid, 25), "ib");
    EXPECT_EQ(cast(25, type_named("public.mood").oid), "ai");
    EXPECT_EQ(cast(23, 20), ""); // built in
}

TEST(Catalog, SeesWhatMakesAWholeDatabaseSuspicious)
{
    const auto& plain = test_catalog()->impl();
    EXPECT_FALSE(plain.has_event_triggers);
    EXPECT_FALSE(plain.has_user_text_search_code);
    EXPECT_THAT(plain.class_functions, IsEmpty());

    const auto& hostile = hostile_catalog()->impl();
    EXPECT_TRUE(hostile.has_event_triggers);
    EXPECT_TRUE(hostile.has_user_text_search_code);
    std::vector<std::string> compared;
    for (const auto& [type, function] : hostile.class_functions)
        compared.push_back(hostile.type(type)->name + ' ' + hostile.function(function)->name);
    EXPECT_THAT(compared, UnorderedElementsAre("point compare", "point point_before"));
    ASSERT_EQ(hostile.user_casts.size(), 1U);
    EXPECT_EQ(hostile.user_casts[0].context, 'i');
    EXPECT_EQ(hostile.function(hostile.user_casts[0].function)->name, "day");
    EXPECT_TRUE(std::any_of(hostile.operators.begin(), hostile.operators.end(), [](const Operator& it) {
        return it.name == "=" && it.schema == "public" && it.left == 23 && it.right == 23;
    }));
}

// Refusals

std::vector<RecordedRow> changed(std::string_view query, const std::function<void(RecordedRow&)>& change)
{
    auto rows = recorded_rows();
    const auto number = number_of(query);
    const auto found =
        std::find_if(rows.rbegin(), rows.rend(), [&](const RecordedRow& row) { return row.query == number; });
    EXPECT_NE(found, rows.rend()) << query;
    if (found != rows.rend())
        change(*found);
    return rows;
}

/// What `finish()` says when the last row of a query was changed; empty if it was taken.
std::string error_of(std::string_view query, const std::function<void(RecordedRow&)>& change)
{
    std::string error;
    const auto catalog = catalog_of(changed(query, change), &error);
    EXPECT_EQ(catalog == nullptr, !error.empty());
    return error;
}

TEST(CatalogBuilder, RefusesARowThatIsTooShortOrTooLong)
{
    for (const auto& query : catalog_queries()) {
        EXPECT_EQ(error_of(query.name, [](RecordedRow&) {}), "");
        EXPECT_THAT(error_of(query.name, [](RecordedRow& row) { row.columns.pop_back(); }), HasSubstr(query.name));
        EXPECT_THAT(error_of(query.name, [](RecordedRow& row) { row.columns.emplace_back("1"); }),
                    HasSubstr(query.name));
        EXPECT_THAT(error_of(query.name, [](RecordedRow& row) { row.columns.clear(); }), HasSubstr(query.name));
    }
}

TEST(CatalogBuilder, RefusesAValueThatItDoesNotUnderstand)
{
    const auto with = [](std::string_view query, std::size_t column, std::optional<std::string> value) {
        return error_of(query, [&](RecordedRow& row) { row.columns.at(column) = value; });
    };
    for (const auto& query : catalog_queries()) {
        EXPECT_THAT(with(query.name, 0, std::nullopt), HasSubstr(query.name));
        EXPECT_THAT(with(query.name, 0, "-1"), HasSubstr(query.name));
        EXPECT_THAT(with(query.name, 0, "t 1"), HasSubstr(query.name));
    }
    EXPECT_NE(with("summary", 1, "yes"), "");
    EXPECT_NE(with("summary", 1, ""), "");
    EXPECT_NE(with("types", 5, "4294967296"), "");
    EXPECT_NE(with("types", 11, "true"), "");
    EXPECT_NE(with("functions", 3, "x"), "");
    EXPECT_NE(with("functions", 10, "23,25"), "");
    EXPECT_NE(with("functions", 10, "23  25"), "");
    for (const auto array :
         {"{", "}", "{a", "a}", "{a,}", "{,a}", "{\"a}", "{\"a\"b}", "{a}b", "{NULL}", "{a}}", "{a\\"})
        EXPECT_NE(with("functions", 12, array), "") << array;
    EXPECT_EQ(with("functions", 12, R"({a=b,"c=\"d\", \\","NULL"})"), "");
    EXPECT_NE(with("relations", 3, "t"), "");
    EXPECT_NE(with("relations", 4, "t"), "");
    EXPECT_NE(with("columns", 7, "x"), "");
    EXPECT_NE(with("columns", 8, "x"), "");
    EXPECT_NE(with("keys", 2, "1 x"), "");
    EXPECT_NE(with("references", 2, "x"), "");
    EXPECT_NE(with("triggers", 3, "-1"), "");
    EXPECT_NE(with("rules", 1, "5"), "");
    EXPECT_NE(with("trees", 0, "x"), "");
    EXPECT_NE(with("comparisons", 0, "x"), "");
}

TEST(CatalogBuilder, TakesATreeThatIsNotUnderstoodAsOneThatMayBeAnything)
{
    std::string owner;
    const auto catalog = catalog_of(changed("trees", [&](RecordedRow& row) {
        row.columns.at(0) = "w";
        row.columns.at(1) = owner = std::to_string(oid_of("public.users"));
        row.columns.at(2) = "{NEWNODE}";
    }));
    ASSERT_TRUE(catalog);
    const auto& on_write = catalog->impl().relation(oid_of("public.users"))->on_write;
    ASSERT_EQ(on_write.size(), 1U);
    EXPECT_FALSE(on_write[0].is_understood);

    // No tree at all where there has to be one is no better.
    const auto other = catalog_of(changed("trees", [&](RecordedRow& row) {
        row.columns.at(0) = "p";
        row.columns.at(1) = owner;
        row.columns.at(2) = std::nullopt;
    }));
    ASSERT_TRUE(other);
    const auto& policies = other->impl().relation(oid_of("public.users"))->policies;
    ASSERT_EQ(policies.size(), 1U);
    EXPECT_FALSE(policies[0].is_understood);
}

TEST(CatalogBuilder, TakesAVirtualColumnForCodeThatRunsOnRead)
{
    const auto users = oid_of("public.users");
    const auto catalog = catalog_of(changed("trees", [&](RecordedRow& row) {
        row.columns = {"r", std::to_string(users), "{FUNCEXPR :funcid 1299 :funcresulttype 1184 :args <>}"};
    }));
    ASSERT_TRUE(catalog);
    ASSERT_EQ(catalog->impl().relation(users)->on_read.size(), 1U);
    EXPECT_THAT(catalog->impl().relation(users)->on_read[0].functions, ElementsAre(1299));
}

TEST(CatalogBuilder, RefusesRowsInAnotherOrder)
{
    auto rows = recorded_rows();
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(catalog_of(rows), nullptr);
}

TEST(CatalogBuilder, RefusesACatalogThatIsNotWhole)
{
    EXPECT_EQ(CatalogBuilder{1}.finish(), nullptr);
    for (const std::string_view query : {"summary", "types", "functions", "operators", "relations"}) {
        auto rows = recorded_rows();
        std::erase_if(rows, [&](const RecordedRow& row) { return row.query == number_of(query); });
        std::string error;
        EXPECT_EQ(catalog_of(rows, &error), nullptr) << query;
        EXPECT_THAT(error, HasSubstr(query));
    }
    CatalogBuilder builder{1};
    builder.row(99, {});
    EXPECT_EQ(builder.finish(), nullptr);
    EXPECT_NE(builder.error(), "");
}

TEST(CatalogQueries, AreNamedAndOneStatementEach)
{
    for (const auto& query : catalog_queries()) {
        EXPECT_FALSE(query.name.empty());
        EXPECT_EQ(query.sql.find(';'), std::string::npos);
        EXPECT_NE(analysed(query.sql)->reason, Reason::unparsed) << query.name;
    }
    EXPECT_NE(analysed(catalog_fingerprint_query())->reason, Reason::unparsed);
}

TEST(CatalogQueries, WereRecordedEach)
{
    for (std::size_t i = 0; i < catalog_queries().size(); ++i)
        EXPECT_TRUE(std::any_of(recorded_rows().begin(), recorded_rows().end(), [i](const RecordedRow& row) {
            return row.query == i;
        })) << catalog_queries()[i].name;
}

} // namespace
} // namespace pgmemo::query
