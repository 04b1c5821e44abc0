#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

std::string name_of(const std::string& schema, const std::string& name)
{
    return schema == "pg_catalog" || schema == "public" ? name : schema + '.' + name;
}

std::string type_name(Oid oid)
{
    const auto* type = test_catalog()->impl().type(oid);
    return type ? name_of(type->schema, type->name) : "?";
}

std::string relation_name(Oid oid)
{
    const auto* relation = test_catalog()->impl().relation(oid);
    return relation ? name_of(relation->schema, relation->name) : "?" + std::to_string(oid);
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

/// A tree in words: marks; relations with what is done to them; functions; operators; types made or read by I/O or
/// checked; casts through text; settings; outputs.
std::string described(const Tree& tree)
{
    const auto& catalog = test_catalog()->impl();
    std::vector<std::string> words;
    const auto mark = [&](bool is_set, const char* word) {
        if (is_set)
            words.emplace_back(word);
    };
    mark(!tree.is_understood, "NOT-UNDERSTOOD");
    mark(tree.writes, "WRITES");
    mark(tree.reads_clock, "CLOCK");
    mark(tree.has_clock_text, "CLOCK-TEXT");
    mark(tree.reads_identity, "IDENTITY");
    mark(tree.reads_unknown_setting, "UNKNOWN-SETTING");
    mark(tree.has_row_lock, "LOCK");
    mark(tree.has_tablesample, "SAMPLE");
    mark(tree.has_unsupported, "UNSUPPORTED");
    for (const auto& relation : tree.relations)
        words.push_back(relation_name(relation.oid) + (relation.use & tree_insert ? "+i" : "") +
                        (relation.use & tree_update ? "+u" : "") + (relation.use & tree_delete ? "+d" : ""));
    std::set<std::string> names; // by name, because what was made for a test has another OID in every recording
    for (const auto oid : tree.functions)
        names.insert(catalog.function(oid) ? name_of(catalog.function(oid)->schema, catalog.function(oid)->name) + "()"
                                           : "?()");
    for (const auto oid : tree.operators)
        names.insert('[' + (catalog.op(oid) ? catalog.op(oid)->name : "?") + ']');
    for (const auto oid : tree.types)
        names.insert('{' + type_name(oid) + '}');
    words.insert(words.end(), names.begin(), names.end());
    for (const auto& cast : tree.casts)
        words.push_back(type_name(cast.source) + "->" + type_name(cast.target));
    for (const auto& setting : tree.settings)
        words.push_back('\'' + setting + '\'');
    for (const auto& output : tree.outputs)
        words.push_back(std::to_string(output.number) + '=' + relation_name(tree.relations.at(output.relation).oid) +
                        '.' + std::to_string(output.column));
    return joined(words);
}

struct ViewCase {
    std::string view;
    std::string expected;
    friend std::ostream& operator<<(std::ostream& out, const ViewCase& it) { return out << it.view; }
};

class TreeOfView : public ::testing::TestWithParam<ViewCase> {};

TEST_P(TreeOfView, SaysWhatItRefersTo)
{
    const auto& relation = relation_named("public." + GetParam().view);
    ASSERT_TRUE(relation.view);
    EXPECT_EQ(described(*relation.view), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Plain, TreeOfView,
    ::testing::Values(ViewCase{"user_names", "users 1=users.1 2=users.2"},
                      ViewCase{"adults", "user_names 1=user_names.1 2=user_names.2"},
                      ViewCase{"invoked", "users 1=users.1 2=users.2"},
                      ViewCase{"barred", "users [>] 1=users.1 2=users.2"},
                      ViewCase{"accounts_of_users",
                               "users accounts [+] [=] 1=users.1 2=users.2 3=accounts.1 4=accounts.3"},
                      ViewCase{"accounts_if_any", "users accounts [=] [>] 1=users.1 2=accounts.1"},
                      ViewCase{"with_exists", "users accounts [=] 1=users.1 2=users.2"},
                      ViewCase{"with_cte", "items users [>] 2=items.2"}, ViewCase{"of_values", "users [=] 2=users.2"},
                      ViewCase{"of_catalog", "pg_class 1=pg_class.2"},
                      ViewCase{"odd_names", "users 1=users.1 2=users.2 3=users.6 4=users.5 5=users.4 6=users.3"},
                      ViewCase{"totals_of_adults", "adults 1=adults.1 2=adults.2"}));

// A column that FULL JOIN … USING merges is no column of either table; what is grouped, sorted out, numbered or cut off
// depends on rows that are not shown.
INSTANTIATE_TEST_SUITE_P(
    WithoutOutputs, TreeOfView,
    ::testing::Values(ViewCase{"using_join", "users items [=] 2=users.2 3=items.2"}, ViewCase{"young", "users [<]"},
                      ViewCase{"balances", "accounts [<] [=] [>] count() sum()"},
                      ViewCase{"totals", "accounts [<] [=] sum()"}, ViewCase{"logged_sum", "users app.sum_logged()"},
                      ViewCase{"first_ten", "users [<] [=] int8()"}, ViewCase{"distinct_names", "users [<] [=]"},
                      ViewCase{"distinct_on", "accounts [<] [=]"}, ViewCase{"ranked", "users [<] [=] rank()"},
                      ViewCase{"numbered", "users generate_series()"}, ViewCase{"everybody", "users accounts"},
                      ViewCase{"descendants", "items items [<>] [=]"}, ViewCase{"locked", "LOCK users"},
                      ViewCase{"grouped", "accounts [<] [=] [>] count() float8() max() percentile_cont()"},
                      ViewCase{"framed", "users [<] [=] in_range() sum()"}, ViewCase{"series", "generate_series()"}));

INSTANTIATE_TEST_SUITE_P(
    WhatTheyDependOn, TreeOfView,
    ::testing::Values(
        ViewCase{"recent", "users [-] [>] now() 1=users.1 2=users.3"},
        ViewCase{"todays", "CLOCK users [=] 1=users.1 2=users.4"},
        ViewCase{"mine", "IDENTITY users [=] 1=users.1 2=users.2"},
        ViewCase{"unsure", "users volatile_one() 1=users.1"},
        ViewCase{"sampled", "SAMPLE users float4() system() 1=users.1"},
        ViewCase{"by_tenant", "users [=] current_setting() {int4} {text} text->int4 'app.tenant' 1=users.1 2=users.2"},
        ViewCase{"by_some_setting", "UNKNOWN-SETTING users current_setting() 1=users.1"},
        ViewCase{"clock_text", "CLOCK-TEXT events [=] {date} {text} text->date text->date 1=events.1"},
        ViewCase{"of_function", "items app.items_of() 1=items.1 2=items.2"}, ViewCase{"of_xml", "UNSUPPORTED users"},
        ViewCase{"of_xmltable", "UNSUPPORTED events xml()"},
        ViewCase{"everything_else",
                 "CLOCK IDENTITY users people items items items [-] [<->] [<] [===] [=] [>] app.address_text() "
                 "make_interval() numeric() varchar() {app.numeric} {date} {int4} {mood} {text} date->text int4->text "
                 "text->mood text->int4 1=users.1 24=people.3"}));

TEST(TreeOfRule, LeavesOutTheRowsBeforeAndAfterButNothingElseOfThatName)
{
    const auto actions = [](std::string_view relation) {
        std::vector<std::string> all;
        for (const auto& rule : relation_named(relation).rules)
            all.push_back(described(rule.action) + " | " + described(rule.condition));
        std::sort(all.begin(), all.end());
        return all;
    };
    EXPECT_EQ(actions("public.ruled_view"),
              (std::vector<std::string>{"WRITES users+i | ", "WRITES users+u events+i [=] | [>]", "WRITES | "}));
    // The third has a subquery FROM ruled AS old, in the action and in the condition.
    EXPECT_EQ(actions("public.ruled"), (std::vector<std::string>{"WRITES app.audit+i [||] | ",
                                                                 "WRITES scratch+i ruled | ruled [>]", "WRITES | "}));
}

TEST(TreeOfBody, TellsReadsFromWrites)
{
    const auto body = [](std::string_view function) { return described(function_named(function).body.value()); };
    EXPECT_EQ(body("app.user_age"), "users [=]");
    EXPECT_EQ(body("app.next_one"), "[+]");
    EXPECT_EQ(body("app.add_item"), "WRITES items+i+u items app.items+d [=]");
    EXPECT_EQ(body("app.move_item"), "WRITES app.items+i items items+d [=]");
    EXPECT_FALSE(function_named("app.user_name").body);
}

TEST(TreeOfExpression, IsReadWithoutAQueryAroundIt)
{
    EXPECT_EQ(described(relation_named("public.secured").policies.at(0)),
              "[=] current_setting() {int4} {text} text->int4 'app.tenant'");
    EXPECT_EQ(described(relation_named("public.secured_by_other").policies.at(0)), "IDENTITY users [=]");
    EXPECT_EQ(described(relation_named("public.touched").triggers.at(0).condition.value()), "[=]");
    EXPECT_EQ(described(type_named("public.looked_up").checks.at(0)), "app.count_users() int4()");
}

// What is written by hand

/// An expression that is a call of function 2077 with `argument`.
std::string setting_of(const std::string& argument)
{
    return "{FUNCEXPR :funcid 2077 :funcresulttype 25 :funcretset false :funcvariadic false :funcformat 0 :funccollid "
           "100 "
           ":inputcollid 100 :args (" +
           argument + ") :location -1}";
}

std::string constant(Oid type, int length, const std::string& bytes)
{
    return "{CONST :consttype " + std::to_string(type) + " :consttypmod -1 :constcollid 0 :constlen " +
           std::to_string(length) + " :constbyval false :constisnull false :location -1 :constvalue " + bytes + "}";
}

TEST(TreeOfConstant, KnowsATextWhateverItsHeader)
{
    EXPECT_EQ(read_tree(setting_of(constant(25, -1, "7 [ 28 0 0 0 97 46 66 ]"))).settings,
              std::vector<std::string>{"a.b"});
    EXPECT_EQ(read_tree(setting_of(constant(25, -1, "7 [ 0 0 0 7 97 46 66 ]"))).settings,
              std::vector<std::string>{"a.b"});
    EXPECT_EQ(read_tree(setting_of(constant(25, -1, "4 [ 9 97 46 66 ]"))).settings, std::vector<std::string>{"a.b"});
    EXPECT_EQ(read_tree(setting_of(constant(25, -1, "4 [ -124 97 46 66 ]"))).settings, std::vector<std::string>{"a.b"});
    EXPECT_EQ(read_tree(setting_of(constant(705, -2, "4 [ 97 46 66 0 ]"))).settings, std::vector<std::string>{"a.b"});
    EXPECT_EQ(read_tree(setting_of(constant(25, -1, "4 [ 16 0 0 0 ]"))).settings, std::vector<std::string>{""});
}

TEST(TreeOfConstant, DoesNotKnowWhatItCannotRead)
{
    const auto compressed = read_tree(setting_of(constant(25, -1, "7 [ 30 0 0 0 97 46 66 ]")));
    EXPECT_TRUE(compressed.is_understood);
    EXPECT_TRUE(compressed.reads_unknown_setting);
    EXPECT_TRUE(compressed.has_clock_text);
    EXPECT_TRUE(read_tree(setting_of(constant(17, -1, "7 [ 28 0 0 0 97 46 66 ]"))).reads_unknown_setting);
    EXPECT_TRUE(read_tree(setting_of("<>")).reads_unknown_setting);
    EXPECT_FALSE(read_tree(constant(25, -1, "7 [ 28 0 0 0 97 x 66 ]")).is_understood);
    EXPECT_FALSE(read_tree(constant(25, -1, "<>")).is_understood);
    EXPECT_FALSE(read_tree(constant(25, -1, "7 28 0 0 0")).is_understood);
}

/// `text` as the bytes of a varlena on a little-endian server.
std::string varlena(std::string_view text)
{
    std::string bytes = std::to_string(text.size() + 4) + " [ " + std::to_string((text.size() + 4) * 4) + " 0 0 0 ";
    for (const char c : text)
        bytes += std::to_string(static_cast<int>(c)) + ' ';
    return bytes + ']';
}

TEST(TreeOfConstant, FindsClockTextInEveryType)
{
    const auto has_clock = [](Oid type, std::string_view text) {
        const auto tree = read_tree(constant(type, -1, varlena(text)));
        EXPECT_TRUE(tree.is_understood);
        return tree.has_clock_text;
    };
    EXPECT_TRUE(has_clock(25, "Today"));
    EXPECT_TRUE(has_clock(1043, "2024 now"));
    EXPECT_FALSE(has_clock(25, "known"));
    EXPECT_FALSE(has_clock(1043, "2024-01-01"));
    EXPECT_TRUE(has_clock(3802, std::string_view{"\1\0\0 anow", 8})); // keys and values of jsonb stand side by side
    EXPECT_TRUE(has_clock(1009, "xYESTERDAYy"));
    EXPECT_FALSE(has_clock(3802, "{}"));
    EXPECT_TRUE(has_clock(114, R"({"a": "n\u006fw"})"));
    EXPECT_FALSE(has_clock(114, R"({"a": "b"})"));
}

/// The text of a view's rule, as it was recorded.
std::string text_of_view(std::string_view qualified_name)
{
    const auto oid = std::to_string(relation_named(qualified_name).oid);
    for (const auto& row : recorded_rows())
        if (catalog_queries()[row.query].name == "rules" && row.columns.at(0) == oid && row.columns.at(1) == "1")
            return row.columns.at(3).value();
    throw std::invalid_argument{"no view " + std::string{qualified_name}};
}

std::string replaced(std::string text, std::string_view what, std::string_view by)
{
    EXPECT_NE(text.find(what), std::string::npos) << what;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
    return text;
}

std::string without_field(std::string text, const std::string& field)
{
    return replaced(std::move(text), field, "");
}

TEST(ReadTree, IsNotFooledByNames)
{
    const auto tree = read_tree(text_of_view("public.odd_names"), oid_of("public.odd_names"));
    EXPECT_TRUE(tree.is_understood);
    EXPECT_TRUE(tree.functions.empty());
    ASSERT_EQ(tree.relations.size(), 1U);
    EXPECT_EQ(tree.relations[0].oid, oid_of("public.users"));
    // Said of another relation, the two first entries are ordinary.
    EXPECT_EQ(read_tree(text_of_view("public.odd_names"), 1).relations.size(), 3U);
    EXPECT_EQ(read_tree(text_of_view("public.odd_names")).relations.size(), 3U);
}

TEST(ReadTree, UnderstandsNothingThatIsCutOff)
{
    for (const auto view : {"public.odd_names", "public.by_tenant", "public.descendants"}) {
        const auto text = text_of_view(view);
        ASSERT_TRUE(read_tree(text).is_understood);
        for (std::size_t size = 0; size < text.size(); ++size) {
            const auto tree = read_tree(std::string_view{text}.substr(0, size));
            ASSERT_FALSE(tree.is_understood) << view << " at " << size;
            ASSERT_TRUE(tree.outputs.empty());
        }
    }
}

TEST(ReadTree, SurvivesWhateverByteIsMissingOrWrong)
{
    const auto text = text_of_view("public.by_tenant");
    for (std::size_t at = 0; at < text.size(); ++at) {
        auto other = text;
        read_tree(other.erase(at, 1), oid_of("public.by_tenant"));
        for (const char c : {'{', '}', '(', ')', '\\', '9', ' ', ':'}) {
            other = text;
            other[at] = c;
            read_tree(other, oid_of("public.by_tenant"));
        }
    }
}

TEST(ReadTree, RefusesWhatItWasNotTaught)
{
    const auto text = text_of_view("public.accounts_of_users");
    EXPECT_TRUE(read_tree(text).is_understood);
    for (const auto& other : {
             replaced(text, "{OPEXPR", "{OTHEREXPR"),
             replaced(text, ":opfuncid", ":otherfuncid"),
             replaced(text, ":hasForUpdate false", ":hasForUpdate 0"),
             replaced(text, ":rtekind 0", ":rtekind x"),
             replaced(text, ":commandType 1", ":commandType <>"),
             replaced(text, "{RANGETBLENTRY", "{ALIAS"),
             replaced(text, ":resultRelation 0", ":resultRelation 1"),
             replaced(text, ":opno ", ":opno -"),
             replaced(text, ":relid ", ":relid 0 :relkind r :relid "),
             text + " 1",
             text + ")",
             "{}" + text,
             without_field(text, ":resultRelation 0 "),
         })
        EXPECT_FALSE(read_tree(other).is_understood) << other.substr(0, 200);
    for (const auto other :
         {"", " ", "()x", "{", "{}", "{ }", "((", "(i 1", "(i x", "{VAR", "{VAR :varno", "{VAR varno 1}", "{VAR : 1}",
          "\\", "7", "(i 1)", "{CONST :constvalue 4 [ 1", "{CONST :constvalue 4 ]"})
        EXPECT_FALSE(read_tree(other).is_understood) << other;
    for (const auto other : {"<>", "()", "(<>)"})
        EXPECT_TRUE(read_tree(other).is_understood) << other;
}

TEST(ReadTree, NestsAsDeepAsQueriesDoAndNoDeeper)
{
    const auto nested = [](int depth) {
        std::string text;
        for (int i = 0; i < depth; ++i)
            text += "{BOOLEXPR :boolop not :args (";
        text += "<>";
        for (int i = 0; i < depth; ++i)
            text += ") :location -1}";
        return text;
    };
    EXPECT_TRUE(read_tree(nested(500)).is_understood);
    EXPECT_FALSE(read_tree(nested(5000)).is_understood);
    constexpr std::size_t kMany = std::size_t{8} << 20;
    EXPECT_FALSE(read_tree(std::string(kMany, '(')).is_understood);
    EXPECT_FALSE(read_tree(std::string(kMany, '{')).is_understood);
}

/// The view as PostgreSQL 13 and 14 write it: some nodes had shorter labels, some fields did not exist.
std::string as_13(std::string text)
{
    for (const auto& [now, then] :
         std::vector<std::pair<std::string, std::string>>{{"{RANGETBLENTRY ", "{RTE "},
                                                          {"{CASEEXPR ", "{CASE "},
                                                          {"{CASEWHEN ", "{WHEN "},
                                                          {"{ARRAYEXPR ", "{ARRAY "},
                                                          {"{ROWEXPR ", "{ROW "},
                                                          {"{ROWCOMPAREEXPR ", "{ROWCOMPARE "},
                                                          {"{COALESCEEXPR ", "{COALESCE "},
                                                          {"{MINMAXEXPR ", "{MINMAX "},
                                                          {"{COLLATEEXPR ", "{COLLATE "},
                                                          {" :isReturn false", ""},
                                                          {" :groupDistinct false", ""},
                                                          {" :join_using_alias <>", ""},
                                                          {" :mergeActionList <> :mergeUseOuterJoin false", ""},
                                                          {" :hashfuncid 0 :negfuncid 0", ""},
                                                          {":refelemtype 23 :refrestype 23", ":refelemtype 23"}})
        text = replaced(std::move(text), now, then);
    return text;
}

/// The view as 18 writes it: permissions apart from the range table, no entries for old and new in it.
std::string as_18(std::string text)
{
    for (const auto& [then, now] : std::vector<std::pair<std::string, std::string>>{
             {" :isReturn false", " :hasGroupRTE false :isReturn false"},
             {" :varlevelsup ", " :varnullingrels (b) :varlevelsup "},
             {" :varnosyn ", " :varreturningtype 0 :varnosyn "},
             {" :mergeActionList <> :mergeUseOuterJoin false", ""},
             {" :targetList ", " :mergeActionList <> :mergeTargetRelation 0 :mergeJoinCondition <> :targetList "},
             {" :returningList <>", " :returningOldAlias <> :returningNewAlias <> :returningList <>"},
             {" :requiredPerms 2", ""},
             {" :requiredPerms 0", ""},
             {" :checkAsUser 0", ""},
             {" :insertedCols (b) :updatedCols (b) :extraUpdatedCols (b)", ""},
             {" :rellockmode 1", " :rellockmode 1 :perminfoindex 1"},
             {" :jointree ",
              " :rteperminfos ({RTEPERMISSIONINFO :relid 20001 :inh true :requiredPerms 2 :checkAsUser 0 "
              ":selectedCols (b 8) :insertedCols (b) :updatedCols (b)}) :jointree "},
             {" :sortop ", " :reverse_sort false :sortop "},
             {" :multidims false", " :multidims false :list_start -1 :list_end -1"},
             {" :rctype 1", " :cmptype 1"}})
        text = replaced(std::move(text), then, now);
    for (std::size_t at = 0; (at = text.find(" :selectedCols (b", at)) != std::string::npos;) {
        const auto end = text.find(')', at) + 1;
        if (text.compare(end, 15, " :securityQuals") == 0)
            text.erase(at, end - at);
        else
            at = end;
    }
    return text;
}

TEST(ReadTree, ReadsWhatOtherVersionsWrite)
{
    const auto self = oid_of("public.everything_else");
    const auto text = text_of_view("public.everything_else");
    const auto expected = described(read_tree(text, self));
    EXPECT_EQ(described(read_tree(as_13(text), self)), expected);
    EXPECT_EQ(described(read_tree(as_18(text), self)), expected);
}

std::string json_constructor(const std::string& func)
{
    return "{JSONCONSTRUCTOREXPR :type 1 :args <> :func " + func +
           " :coercion <> :returning {JSONRETURNING :format {JSONFORMAT :format_type 1 :encoding 0 :location -1} "
           ":typid "
           "114 :typmod -1} :absent_on_null false :unique false :location -1}";
}

TEST(ReadTree, KnowsNodesOfLaterVersions)
{
    EXPECT_EQ(described(read_tree(json_constructor("<>"))), "UNSUPPORTED");
    EXPECT_EQ(described(read_tree(json_constructor(setting_of("<>")))), "UNKNOWN-SETTING current_setting()");
    EXPECT_EQ(described(read_tree(
                  "{RETURNINGEXPR :retlevelsup 0 :retold true :retexpr {NEXTVALUEEXPR :seqid 1 :typeId 23}}")),
              "UNSUPPORTED");
    EXPECT_EQ(described(read_tree("{MERGESUPPORTFUNC :msftype 25 :msfcollid 100 :location -1}")), "");
}

TEST(ReadTree, TakesMergeForEveryKindOfWrite)
{
    auto text = text_of_view("public.user_names");
    text = replaced(text, ":commandType 1", ":commandType 5");
    text = replaced(text, ":resultRelation 0", ":resultRelation 3");
    EXPECT_EQ(described(read_tree(text, oid_of("public.user_names"))), "WRITES users+i+u+d");
    // The target is never the row before, though it be called so.
    text = replaced(text, ":resultRelation 3", ":resultRelation 1");
    EXPECT_EQ(described(read_tree(text, oid_of("public.user_names"))), "WRITES user_names+i+u+d users");
}

TEST(ReadTree, TellsTheTypeThatIsCastThroughText)
{
    const auto source_of = [](const std::string& argument) {
        const auto tree = read_tree("{COERCEVIAIO :arg " + argument +
                                    " :resulttype 1082 :resultcollid 0 :coerceformat 1 :location -1}");
        EXPECT_TRUE(tree.is_understood) << argument;
        return tree.casts.size() == 1 ? type_name(tree.casts[0].source) : "";
    };
    EXPECT_EQ(source_of("{PARAM :paramkind 0 :paramid 1 :paramtype 25 :paramtypmod -1 :paramcollid 100 :location -1}"),
              "text");
    EXPECT_EQ(
        source_of("{COLLATEEXPR :arg {CASETESTEXPR :typeId 1043 :typeMod -1 :collation 0} :collOid 1 :location -1}"),
        "varchar");
    EXPECT_EQ(source_of("{SUBSCRIPTINGREF :refcontainertype 1009 :refelemtype 25 :reftypmod -1 :refcollid 100 "
                        ":refupperindexpr <> :reflowerindexpr <> :refexpr <> :refassgnexpr <>}"),
              "text");
    EXPECT_EQ(
        source_of("{SUBSCRIPTINGREF :refcontainertype 1009 :refelemtype 25 :refrestype 1009 :reftypmod -1 :refcollid "
                  "100 :refupperindexpr <> :reflowerindexpr <> :refexpr <> :refassgnexpr <>}"),
        "_text");
    EXPECT_EQ(source_of("{BOOLEXPR :boolop and :args <> :location -1}"), "bool");
    EXPECT_EQ(source_of("{RETURNINGEXPR :retlevelsup 0 :retold true :retexpr <>}"), "?");
}

} // namespace
} // namespace pgmemo::query
