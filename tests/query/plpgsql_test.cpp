#include "query/plpgsql.hpp"

#include "query/parse_tree.h"
#include "query/plpgsql_lexer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace pgmemo::query {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

/// `inner` as the statements of a function.
std::string begin_end(const std::string& inner)
{
    return "BEGIN " + inner + " END";
}

std::string repeated(std::string_view piece, std::size_t times)
{
    std::string text;
    for (std::size_t i = 0; i < times; ++i)
        text += piece;
    return text;
}

bool is_whole_sql(const std::string& statement)
{
    return pgm_read(
               statement.c_str(), [](void*, const pgm_fact*) {}, nullptr) == PGM_PARSED;
}

struct Cut {
    const char* name;
    std::string body;
    Strings statements;

    friend std::ostream& operator<<(std::ostream& out, const Cut& row) { return out << row.body; }
};

class PlpgsqlCut : public ::testing::TestWithParam<Cut> {};

TEST_P(PlpgsqlCut, GivesEveryStatementWhole)
{
    const auto body = read_plpgsql(GetParam().body);
    ASSERT_TRUE(body.is_understood);
    EXPECT_THAT(body.statements, ElementsAreArray(GetParam().statements));
    for (const auto& statement : body.statements)
        EXPECT_TRUE(is_whole_sql(statement)) << statement;
}

std::string name_of_row(const ::testing::TestParamInfo<Cut>& row)
{
    return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Declarations, PlpgsqlCut,
    ::testing::Values(
        Cut{"Defaults",
            "DECLARE a int; b constant int := 3; c text COLLATE \"C\" NOT NULL DEFAULT 'x'; d int=-1; DECLARE e date "
            "default (SELECT max(day) FROM days); BEGIN END;",
            {"SELECT 3", "SELECT 'x'", "SELECT -1", "SELECT (SELECT max(day) FROM days)"}},
        Cut{"Cursors",
            "DECLARE a CURSOR FOR SELECT * FROM t; b NO SCROLL CURSOR (x int, y numeric(3, 1)) IS SELECT x FROM u "
            "WHERE v = y; c SCROLL CURSOR FOR VALUES (1); BEGIN END",
            {"SELECT * FROM t", "SELECT x FROM u WHERE v = y", "VALUES (1)"}},
        Cut{"NamesThatAreKeywordsElsewhere",
            "DECLARE alias int := 1; cursor int := 2; no int := 3; scroll int := 4; constant int := 5; type int := 6; "
            "BEGIN END",
            {"SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4", "SELECT 5", "SELECT 6"}},
        Cut{"Aliases", "DECLARE a ALIAS FOR $1; b ALIAS FOR f.x; BEGIN a := 1; END", {"SELECT 1"}},
        Cut{"OptionsAndLabels",
            "#variable_conflict use_column\n # print_strict_params on\n<<top>> DECLARE x int; BEGIN top.x := 1; END "
            "top;",
            {"SELECT 1"}}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Assignments, PlpgsqlCut,
    ::testing::Values(
        Cut{"BothSigns",
            begin_end("x := 1; x = 2; x=-3; x:=@-4; a.b.c := 5; \"X y\" := 6; $1 := 7;"),
            {"SELECT 1", "SELECT 2", "SELECT -3", "SELECT @-4", "SELECT 5", "SELECT 6", "SELECT 7"}},
        Cut{"WhatIsAQueryInDisguise",
            begin_end("x := a FROM t WHERE b = 3; x := count(*) FROM t;"),
            {"SELECT a FROM t WHERE b = 3", "SELECT count(*) FROM t"}},
        Cut{"SubscriptsAreRunToo",
            begin_end("a[f(1)] := 2; a.b[1:g(2)][3].c = 4; a[:] := a; a[(SELECT 1)] := 5;"),
            {"SELECT a[f(1)]", "SELECT 2", "SELECT a.b[1:g(2)][3].c", "SELECT 4", "SELECT a[:]", "SELECT a",
             "SELECT a[(SELECT 1)]", "SELECT 5"}},
        Cut{"ToKeywords",
            begin_end("perform := 1; return[2] := 3; call.x := 4; elsif := 5; exception = 6; IF b THEN elsif := 7; "
                      "END IF; insert := 8; commit := 9; get = 10;"),
            {"SELECT 1", "SELECT return[2]", "SELECT 3", "SELECT 4", "SELECT 5", "SELECT 6", "SELECT b", "SELECT 7",
             "SELECT 8", "SELECT 9", "SELECT 10"}},
        Cut{"CommentsStayOrSeparate",
            begin_end("x /* a */ := -- ;\n 1 -- b\n + /* ; /* nested */ ; */ 2 /* c */;"),
            {"SELECT 1 -- b\n + /* ; /* nested */ ; */ 2"}}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Control, PlpgsqlCut,
    ::testing::Values(
        Cut{"If",
            begin_end("IF a THEN NULL; ELSIF b IN (1, 2) THEN PERFORM 1; ELSEIF (CASE WHEN c THEN d END) THEN NULL; "
                      "ELSE x := 2; END IF;"),
            {"SELECT a", "SELECT b IN (1, 2)", "SELECT 1", "SELECT (CASE WHEN c THEN d END)", "SELECT 2"}},
        Cut{"CaseOfAValueCompares",
            begin_end("CASE (SELECT a FROM t) WHEN 1, f(2) THEN x := 3; WHEN 4 THEN NULL; ELSE x := 5; END CASE;"),
            {"SELECT (SELECT a FROM t)", "SELECT \"__Case__Variable__\" IN (1, f(2))", "SELECT 3",
             "SELECT \"__Case__Variable__\" IN (4)", "SELECT 5"}},
        Cut{"CaseOfConditions",
            begin_end("CASE WHEN a = 1 THEN NULL; WHEN b THEN x := 2; END CASE;"),
            {"SELECT a = 1", "SELECT b", "SELECT 2"}},
        Cut{"Loops",
            begin_end("<<l>> LOOP EXIT l WHEN a > 1; CONTINUE WHEN b; EXIT; CONTINUE l; END LOOP l; <<w>> WHILE f(x) "
                      "LOOP EXIT w; END LOOP;"),
            {"SELECT a > 1", "SELECT b", "SELECT f(x)"}},
        Cut{"LoopsOverNumbers",
            begin_end(
                "FOR i IN 1..10 LOOP NULL; END LOOP; FOR i IN REVERSE f(1)..g(2) BY h(3) LOOP NULL; END LOOP; "
                "FOR i IN a[1] .. (SELECT max(b) FROM t) LOOP NULL; END LOOP; FOR i IN 1. ..3 LOOP NULL; END LOOP;"),
            {"SELECT 1", "SELECT 10", "SELECT f(1)", "SELECT g(2)", "SELECT h(3)", "SELECT a[1]",
             "SELECT (SELECT max(b) FROM t)", "SELECT 1.", "SELECT 3"}},
        Cut{"LoopsOverQueries",
            begin_end("FOR r IN SELECT * FROM t LOOP NULL; END LOOP; FOR a, b.c IN (SELECT 1, 2) LOOP NULL; END LOOP; "
                      "FOR r IN VALUES (1) LOOP NULL; END LOOP; FOR r IN select(1) LOOP NULL; END LOOP; FOR r IN "
                      "UPDATE t SET a = 1 RETURNING * LOOP NULL; END LOOP; FOR r IN EXPLAIN (COSTS OFF) SELECT 1 LOOP "
                      "NULL; END LOOP; FOR r IN TABLE t LOOP NULL; END LOOP;"),
            {"SELECT * FROM t", "(SELECT 1, 2)", "VALUES (1)", "select(1)", "UPDATE t SET a = 1 RETURNING *",
             "EXPLAIN (COSTS OFF) SELECT 1", "TABLE t"}},
        Cut{"LoopsOverCursors",
            "DECLARE c CURSOR (a int, b int) FOR SELECT a; BEGIN FOR r IN c(f(1), b := 2) LOOP NULL; END LOOP; FOR r "
            "IN top.c LOOP NULL; END LOOP; END",
            {"SELECT a", "SELECT f(1)", "SELECT 2"}},
        Cut{"LoopsOverArrays",
            begin_end(
                "FOREACH a IN ARRAY f(1) LOOP x := 2; END LOOP; FOREACH a SLICE 1 IN ARRAY b LOOP NULL; END LOOP;"),
            {"SELECT f(1)", "SELECT 2", "SELECT b"}},
        Cut{"BlocksAndHandlers",
            begin_end("DECLARE y int := 1; BEGIN y := 2; EXCEPTION WHEN no_data_found OR SQLSTATE '22012' THEN y := 3; "
                      "WHEN others THEN BEGIN y := 4; END; RAISE; END; <<b>> BEGIN y := 5; END b;"),
            {"SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4", "SELECT 5"}},
        Cut{"Return",
            begin_end("RETURN 1 + a FROM t; RETURN; RETURN NEXT r; RETURN NEXT; RETURN next.a; RETURN query.b;"),
            {"SELECT 1 + a FROM t", "SELECT r", "SELECT next.a", "SELECT query.b"}},
        Cut{"VariablesCalledReverse",
            begin_end("FOR i IN reverse.a..1 LOOP NULL; END LOOP;"),
            {"SELECT reverse.a", "SELECT 1"}},
        Cut{"LoopOverAPlan", begin_end("FOR r IN EXPLAIN (SELECT 1) LOOP NULL; END LOOP;"), {"EXPLAIN (SELECT 1)"}},
        Cut{"ReturnQuery",
            begin_end("RETURN QUERY SELECT * FROM t; RETURN QUERY DELETE FROM t RETURNING *;"),
            {"SELECT * FROM t", "DELETE FROM t RETURNING *"}}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Reports, PlpgsqlCut,
    ::testing::Values(
        Cut{"Raise",
            begin_end(
                "RAISE; RAISE 'a'; RAISE NOTICE 'a % %', f(1), (SELECT 2); RAISE DEBUG $$x$$; RAISE LOG E'\\'%', a; "
                "RAISE division_by_zero; RAISE SQLSTATE '22012'; RAISE WARNING 'two '\n -- parts\n 'parts %', b;"),
            {"SELECT f(1)", "SELECT (SELECT 2)", "SELECT a", "SELECT b"}},
        Cut{"RaiseUsing",
            begin_end(
                "RAISE EXCEPTION 'a %', b USING errcode = 'P0001', hint := f(1); RAISE USING message = 'm'; RAISE "
                "unique_violation USING table = 't', column = g(2); RAISE EXCEPTION SQLSTATE 'P0001' USING detail "
                "= 'd';"),
            {"SELECT b", "SELECT 'P0001'", "SELECT f(1)", "SELECT 'm'", "SELECT 't'", "SELECT g(2)", "SELECT 'd'"}},
        Cut{"Assert", begin_end("ASSERT a; ASSERT b > 1, 'm' || c;"), {"SELECT a", "SELECT b > 1", "SELECT 'm' || c"}},
        Cut{"Diagnostics",
            begin_end(
                "GET DIAGNOSTICS a = ROW_COUNT, b := PG_CONTEXT; GET CURRENT DIAGNOSTICS a = ROW_COUNT; GET STACKED "
                "DIAGNOSTICS c.d = MESSAGE_TEXT;"),
            {}}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Statements, PlpgsqlCut,
    ::testing::Values(
        Cut{"IntoAnywhere",
            begin_end(
                "SELECT a INTO x FROM t; SELECT INTO STRICT x, y.z a, b FROM t; SELECT a FROM t INTO x; SELECT a\n"
                "INTO x -- c\nFROM t; SELECT 1 INTO x;"),
            {"SELECT a FROM t", "SELECT a, b FROM t", "SELECT a FROM t ", "SELECT a FROM t", "SELECT 1 "}},
        Cut{"IntoOfWrites",
            begin_end(
                "INSERT INTO t (a) VALUES (1) RETURNING b INTO x; UPDATE t SET a = 1 RETURNING b, c INTO STRICT x, "
                "y; DELETE FROM t RETURNING * INTO r;"),
            {"INSERT INTO t (a) VALUES (1) RETURNING b ", "UPDATE t SET a = 1 RETURNING b, c ",
             "DELETE FROM t RETURNING * "}},
        Cut{"IntoBesideInsert",
            begin_end("WITH i AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a INTO x FROM i; CREATE RULE r AS ON "
                      "INSERT TO t DO ALSO INSERT INTO u VALUES (new.a);"),
            {"WITH i AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM i",
             "CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u VALUES (new.a)"}},
        // PL/pgSQL takes INTO out of brackets, too.
        Cut{"IntoInBrackets", begin_end("SELECT (SELECT 1 INTO x);"), {"SELECT (SELECT 1 )"}},
        // A column called `insert` does not: PL/pgSQL leaves this INTO to SQL, which makes a table of it.
        Cut{"IntoBehindAColumnCalledInsert",
            begin_end("SELECT insert INTO x FROM t;"),
            {"SELECT insert INTO x FROM t"}},
        Cut{"Merge",
            begin_end(
                "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE; WITH s AS (SELECT 1 AS a) MERGE INTO t "
                "USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.a);"),
            {"MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
             "WITH s AS (SELECT 1 AS a) MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.a)"}},
        Cut{"Perform",
            begin_end("PERFORM f(1); PERFORM * FROM t; PERFORM DISTINCT a FROM t; PERFORM(1);"),
            {"SELECT f(1)", "SELECT * FROM t", "SELECT DISTINCT a FROM t", "SELECT (1)"}},
        Cut{"AnyOther",
            begin_end(
                "TRUNCATE t; LOCK TABLE t; NOTIFY a, 'b'; SET LOCAL work_mem = '1MB'; CREATE TABLE t (begin int); "
                "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c; CALL p(a, f(1)); DO $$ BEGIN NULL; END $$; "
                "COPY t TO '/x'; VALUES (1);"),
            {"TRUNCATE t", "LOCK TABLE t", "NOTIFY a, 'b'", "SET LOCAL work_mem = '1MB'", "CREATE TABLE t (begin int)",
             "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "CALL p(a, f(1))", "DO $$ BEGIN NULL; END $$",
             "COPY t TO '/x'", "VALUES (1)"}},
        Cut{"Execute",
            begin_end("EXECUTE f(1); EXECUTE 'a' INTO STRICT x USING g(2), b; EXECUTE 'a' || (SELECT c INTO d) USING e "
                      "INTO x, y; EXECUTE 'a' INTO x;"),
            {"SELECT f(1)", "SELECT 'a'", "SELECT g(2)", "SELECT b", "SELECT 'a' || (SELECT c INTO d)", "SELECT e",
             "SELECT 'a'"}},
        Cut{"ExecuteElsewhere",
            begin_end(
                "FOR r IN EXECUTE 'a' USING f(1), b LOOP NULL; END LOOP; RETURN QUERY EXECUTE 'c' USING g(2); OPEN "
                "d FOR EXECUTE 'e'; OPEN d NO SCROLL FOR EXECUTE 'e' USING h(3);"),
            {"SELECT 'a'", "SELECT f(1)", "SELECT b", "SELECT 'c'", "SELECT g(2)", "SELECT 'e'", "SELECT 'e'",
             "SELECT h(3)"}},
        Cut{"Cursors",
            begin_end(
                "OPEN a; OPEN a(f(1), y := g(2)); OPEN b FOR SELECT 3; OPEN b SCROLL FOR VALUES (4); FETCH a INTO x; "
                "FETCH NEXT FROM a INTO x, y; FETCH ABSOLUTE h(5) FROM a INTO r; FETCH RELATIVE -6 IN a INTO r; "
                "FETCH FORWARD IN a INTO r; FETCH FROM a INTO r; FETCH LAST FROM a INTO r; MOVE a; MOVE FORWARD 7 "
                "FROM a; MOVE BACKWARD ALL FROM a; MOVE ALL IN a; MOVE i(8) FROM a; CLOSE a;"),
            {"SELECT f(1)", "SELECT g(2)", "SELECT 3", "VALUES (4)", "SELECT h(5)", "SELECT -6", "SELECT 7",
             "SELECT i(8)"}},
        Cut{"Transactions",
            begin_end("COMMIT; ROLLBACK; COMMIT AND CHAIN; ROLLBACK AND NO CHAIN; INSERT INTO t VALUES (1);"),
            {"INSERT INTO t VALUES (1)"}}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Lexer, PlpgsqlCut,
    ::testing::Values(
        Cut{"SemicolonsThatEndNothing",
            begin_end("x := ';' || $$;$$ || $a$; $b$ $ ; $a$ || E';\\';' || \";\" || U&'\\003b;' || B'1' || X'1F' || "
                      "'it''s;'; x := 2;"),
            {"SELECT ';' || $$;$$ || $a$; $b$ $ ; $a$ || E';\\';' || \";\" || U&'\\003b;' || B'1' || X'1F' || 'it''s;'",
             "SELECT 2"}},
        Cut{"OperatorsEndAtComments",
            begin_end("x := 1 +-- ;\n 2; x := 3 */* ; */ 4; x := 5 @-- ;\n 6;"),
            {"SELECT 1 +-- ;\n 2", "SELECT 3 */* ; */ 4", "SELECT 5 @-- ;\n 6"}},
        Cut{"Numbers", begin_end("x := 1.5e3+.5-1.e-2*$1+2.;"), {"SELECT 1.5e3+.5-1.e-2*$1+2."}},
        Cut{"WordsWithOtherLetters",
            begin_end("x := \xc3\xa9t\xc3\xa9$1; \xc3\xa9 := a\xc2\xa0;"),
            {"SELECT \xc3\xa9t\xc3\xa9$1", "SELECT a\xc2\xa0"}},
        Cut{"LineEndsOfAllKinds", "BEGIN\r\n-- ;\rx\f:=\t1;\r\nEND\n;\n", {"SELECT 1"}},
        Cut{"KeywordsOfAnyCase", "bEgIn iF a tHeN b := 1; eNd If; END", {"SELECT a", "SELECT 1"}}),
    name_of_row);

TEST(PlpgsqlTokens, AreCutAsPostgresCutsThem)
{
    const auto cut = [](std::string_view text) {
        const auto tokens = plpgsql_tokens(text);
        std::string pieces;
        for (const auto& token : tokens.value())
            pieces += std::string{token.text} + ' ';
        return pieces;
    };
    EXPECT_EQ(cut("a=-1"), "a = - 1  ");
    EXPECT_EQ(cut("a?-1@+-2"), "a ?- 1 @+- 2  ");
    EXPECT_EQ(cut("a*-+1<>=-2"), "a * - + 1 <>= - 2  ");
    EXPECT_EQ(cut("<<a>>+--b"), "<< a >> +  ");
    EXPECT_EQ(cut("a:=b::c[1:2]..d=>e"), "a := b :: c [ 1 : 2 ] .. d => e  ");
    EXPECT_EQ(cut("1..2.5.e.f"), "1 .. 2.5 . e . f  ");
    EXPECT_EQ(cut("e'\\'' E'a'\n'\\'' u&\"a\"\"b\" n'c'd"), "e'\\'' E'a'\n'\\'' u&\"a\"\"b\" n 'c' d  ");
    EXPECT_EQ(cut("a$b$ $1 $_a1$ $b$ $_a1$ $$'$$"), "a$b$ $1 $_a1$ $b$ $_a1$ $$'$$  ");
    EXPECT_EQ(cut("'a' -- b\n 'c' 'd'"), "'a' -- b\n 'c' 'd'  ");
}

struct Row {
    std::string body;
    bool replaces_row;
    Strings fields;

    friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.body; }
};

class PlpgsqlTrigger : public ::testing::TestWithParam<Row> {};

TEST_P(PlpgsqlTrigger, TellsWhatBecomesOfTheRow)
{
    const auto body = read_plpgsql(GetParam().body);
    ASSERT_TRUE(body.is_understood);
    EXPECT_EQ(body.replaces_row, GetParam().replaces_row);
    EXPECT_THAT(body.assigned_fields_of_new, ElementsAreArray(GetParam().fields));
}

INSTANTIATE_TEST_SUITE_P(
    KeepsIt, PlpgsqlTrigger,
    ::testing::Values(
        Row{begin_end("RETURN NEW;"), false, {}}, Row{begin_end("RETURN old; RETURN Null;"), false, {}},
        Row{begin_end("RETURN \"new\";"), false, {}},
        Row{begin_end("INSERT INTO log SELECT NEW.*; PERFORM f(NEW); RETURN NEW;"), false, {}},
        Row{begin_end("x := NEW; r.a := NEW.b; renew := 1; newer.a := 2; \"NEW\" := 3; \"New\".a := 4;"), false, {}}));

INSTANTIATE_TEST_SUITE_P(
    AssignsFields, PlpgsqlTrigger,
    ::testing::Values(
        Row{begin_end("NEW.updated_at := now(); RETURN NEW;"), false, {"updated_at"}},
        Row{begin_end("new.B = 1; NEW.a := 2; new.b := 3;"), false, {"a", "b"}},
        Row{begin_end("NEW.\"Odd Name\" := 1; \"new\".\"a\"\"b\" := 2;"), false, {"Odd Name", "a\"b"}},
        Row{begin_end("NEW.a[1] := 1; NEW.b[1:2].c := 2; NEW.d.e := 3;"), false, {"a", "b", "d"}},
        Row{begin_end("NEW.end := 1; NEW . /* */ loop := 2;"), false, {"end", "loop"}},
        Row{begin_end("SELECT 1, 2 INTO NEW.a, x.y FROM t;"), false, {"a"}},
        Row{begin_end("SELECT INTO STRICT x, new.b 1, 2;"), false, {"b"}},
        Row{begin_end("INSERT INTO t VALUES (1) RETURNING a INTO NEW.a;"), false, {"a"}},
        Row{begin_end("EXECUTE 'x' USING NEW INTO NEW.a;"), false, {"a"}},
        Row{begin_end("FOR NEW.a, NEW.b IN SELECT 1, 2 LOOP NULL; END LOOP;"), false, {"a", "b"}},
        Row{begin_end("FOREACH NEW.a IN ARRAY x LOOP NULL; END LOOP;"), false, {"a"}},
        Row{begin_end("FETCH c INTO x, NEW.a;"), false, {"a"}},
        Row{begin_end("GET DIAGNOSTICS x = ROW_COUNT, NEW.a = ROW_COUNT;"), false, {"a"}},
        // By the name of the function; and OLD may be what is returned.
        Row{begin_end("touch.new.a := 1; OLD.b := 2;"), false, {"a", "b"}},
        Row{"BEGIN BEGIN NEW.a := 1; EXCEPTION WHEN others THEN NEW.b := 2; END; IF x THEN NEW.c := 3; END IF; END",
            false,
            {"a", "b", "c"}}));

INSTANTIATE_TEST_SUITE_P(
    ReplacesIt, PlpgsqlTrigger,
    ::testing::Values(Row{begin_end("NEW := OLD;"), true, {}}, Row{begin_end("old = NULL;"), true, {}},
                      Row{begin_end("touch.new := r;"), true, {}}, Row{begin_end("NEW[1].a := 1;"), true, {}},
                      Row{begin_end("NEW[1] := 1;"), true, {}}, Row{begin_end("SELECT * INTO NEW FROM t;"), true, {}},
                      Row{begin_end("SELECT INTO \"new\" * FROM t;"), true, {}},
                      Row{begin_end("EXECUTE 'x' INTO NEW;"), true, {}}, Row{begin_end("FETCH c INTO NEW;"), true, {}},
                      Row{begin_end("FOR NEW IN SELECT 1 LOOP NULL; END LOOP;"), true, {}},
                      Row{begin_end("UPDATE t SET a = 1 RETURNING * INTO NEW;"), true, {}},
                      Row{begin_end("RETURN r;"), true, {}}, Row{begin_end("RETURN coalesce(NEW, OLD);"), true, {}},
                      Row{begin_end("RETURN (NEW);"), true, {}}, Row{begin_end("RETURN NEW.a;"), true, {}},
                      Row{begin_end("RETURN \"NULL\";"), true, {}}, Row{begin_end("RETURN NULL::t;"), true, {}},
                      Row{begin_end("CALL p(NEW);"), true, {}}, Row{begin_end("CALL p(1, NEW.a);"), true, {}},
                      Row{begin_end("CALL p(\"old\");"), true, {}},
                      Row{"DECLARE n ALIAS FOR new; BEGIN n.a := 1; RETURN n; END", true, {}},
                      Row{"DECLARE n ALIAS FOR touch.old; BEGIN RETURN NEW; END", true, {}},
                      // Names that the server may fold or cut off otherwise than we do.
                      Row{begin_end("NEW.\xc3\x89 := 1;"), true, {}},
                      Row{begin_end("NEW." + std::string(64, 'a') + " := 1;"), true, {}}));

struct Flags {
    std::string body;
    bool is_dynamic;
    bool controls_transaction = false;
    bool catches_errors = false;

    friend std::ostream& operator<<(std::ostream& out, const Flags& row) { return out << row.body; }
};

class PlpgsqlFlags : public ::testing::TestWithParam<Flags> {};

TEST_P(PlpgsqlFlags, AreThoseOfTheText)
{
    const auto body = read_plpgsql(GetParam().body);
    ASSERT_TRUE(body.is_understood);
    EXPECT_EQ(body.is_dynamic, GetParam().is_dynamic);
    EXPECT_EQ(body.controls_transaction, GetParam().controls_transaction);
    EXPECT_EQ(body.catches_errors, GetParam().catches_errors);
}

INSTANTIATE_TEST_SUITE_P(Dynamic, PlpgsqlFlags,
                         ::testing::Values(Flags{begin_end("EXECUTE 'a';"), true},
                                           Flags{begin_end("RETURN QUERY EXECUTE 'a';"), true},
                                           Flags{begin_end("FOR r IN EXECUTE 'a' LOOP NULL; END LOOP;"), true},
                                           Flags{begin_end("OPEN c FOR EXECUTE 'a';"), true},
                                           Flags{begin_end("RETURN QUERY SELECT 1;"), false},
                                           Flags{begin_end("x := 'EXECUTE a'; -- EXECUTE\n execute_ := 1;"), false}));

/// A cursor that another function or the client opened runs what this text does not say.
INSTANTIATE_TEST_SUITE_P(
    CursorsOfOthers, PlpgsqlFlags,
    ::testing::Values(
        Flags{begin_end("OPEN c FOR SELECT 1; FETCH c INTO x; MOVE c; CLOSE c;"), false},
        Flags{"DECLARE c CURSOR FOR SELECT 1; BEGIN OPEN c; LOOP FETCH c INTO x; EXIT WHEN NOT FOUND; END LOOP; CLOSE "
              "c; END",
              false},
        Flags{begin_end("OPEN c FOR SELECT 1; IF a THEN OPEN c FOR SELECT 2; END IF; FETCH c INTO x;"), false},
        Flags{begin_end("IF a THEN OPEN c FOR SELECT 1; END IF; FETCH c INTO x;"), true},
        Flags{begin_end("IF a THEN OPEN c FOR SELECT 1; ELSE FETCH c INTO x; END IF;"), true},
        Flags{begin_end("LOOP FETCH c INTO x; OPEN c FOR SELECT 1; END LOOP;"), true},
        Flags{"BEGIN OPEN c FOR SELECT 1; EXCEPTION WHEN others THEN FETCH c INTO x; END", true, false, true},
        Flags{begin_end("OPEN c FOR SELECT 1; CLOSE c; FETCH c INTO x;"), true},
        Flags{begin_end("OPEN c FOR SELECT 1; IF a THEN CLOSE c; END IF; MOVE c;"), true},
        Flags{"DECLARE d ALIAS FOR c; BEGIN OPEN c FOR SELECT 1; d := 'other'; FETCH c INTO x; END", true},
        Flags{begin_end("OPEN c FOR SELECT 1; $1 := 'other'; FETCH c INTO x;"), true},
        Flags{begin_end("OPEN \xc3\xa9 FOR SELECT 1; FETCH \xc3\xa9 INTO x;"), true},
        Flags{begin_end("OPEN \"\xc3\xa9\" FOR SELECT 1; \xc3\x89 := 'other'; FETCH \"\xc3\xa9\" INTO x;"), true},
        Flags{begin_end("OPEN \"\xc3\xa9\" FOR SELECT 1; FETCH \"\xc3\xa9\" INTO x;"), false},
        Flags{"DECLARE d ALIAS FOR $1; BEGIN OPEN c FOR SELECT 1; d := 'other'; FETCH c INTO x; END", true},
        Flags{"DECLARE d ALIAS FOR c; BEGIN OPEN d FOR SELECT 1; c := 'other'; FETCH d INTO x; END", true},
        Flags{begin_end("OPEN c FOR SELECT 1; CALL p($1); FETCH c INTO x;"), true},
        Flags{begin_end("OPEN c FOR SELECT 1; b.c := 'other'; FETCH c INTO x;"), true},
        Flags{begin_end("FETCH c INTO x;"), true}, Flags{begin_end("MOVE NEXT FROM c;"), true},
        Flags{"DECLARE c CURSOR FOR SELECT 1; BEGIN FETCH c INTO x; END", true},
        Flags{"DECLARE d ALIAS FOR c; BEGIN OPEN c; FETCH d INTO x; END", true},
        Flags{begin_end("OPEN c FOR SELECT 1; c := 'other'; FETCH c INTO x;"), true},
        Flags{begin_end("OPEN c FOR SELECT 1; SELECT name INTO c FROM t; FETCH c INTO x;"), true},
        Flags{begin_end("OPEN c FOR SELECT 1; CALL p(c); FETCH c INTO x;"), true},
        Flags{"DECLARE c refcursor := 'other'; BEGIN OPEN c FOR SELECT 1; FETCH c INTO x; END", true},
        Flags{begin_end("OPEN c FOR SELECT 1; DECLARE c refcursor = 'other'; BEGIN FETCH c INTO x; END;"), true}));

INSTANTIATE_TEST_SUITE_P(
    Others, PlpgsqlFlags,
    ::testing::Values(Flags{begin_end("COMMIT;"), false, true}, Flags{begin_end("ROLLBACK AND CHAIN;"), false, true},
                      Flags{begin_end("commit := 1;"), false, false},
                      Flags{"BEGIN NULL; EXCEPTION WHEN others THEN NULL; END", false, false, true},
                      Flags{begin_end("RAISE EXCEPTION 'x'; exception := 1;"), false}));

TEST(PlpgsqlTypes, AreThoseOfDeclareAsWritten)
{
    const auto body =
        read_plpgsql("DECLARE a int; b CONSTANT \"T\".x%TYPE := 1; c public.items%ROWTYPE; d numeric(10, -2)[] NOT "
                     "NULL = '{}'; e timestamp(3) with time zone DEFAULT now(); f varchar COLLATE \"C\"; g CURSOR "
                     "(h date, i interval second(3)) FOR SELECT 1; j refcursor; k ALIAS FOR a; BEGIN FOR l IN "
                     "1..2 LOOP DECLARE m record; BEGIN END; END LOOP; END");
    ASSERT_TRUE(body.is_understood);
    EXPECT_THAT(body.variable_types, ElementsAreArray({"int", "\"T\".x%TYPE", "public.items%ROWTYPE",
                                                       "numeric(10, -2)[]", "timestamp(3) with time zone", "varchar",
                                                       "date", "interval second(3)", "refcursor", "record"}));
}

class PlpgsqlRefused : public ::testing::TestWithParam<std::string> {};

TEST_P(PlpgsqlRefused, MayDoAnything)
{
    const auto body = read_plpgsql(GetParam());
    EXPECT_FALSE(body.is_understood);
    EXPECT_TRUE(body.is_dynamic && body.controls_transaction && body.catches_errors && body.replaces_row);
    EXPECT_THAT(body.statements, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Lexer, PlpgsqlRefused,
                         ::testing::Values(
                             // A backslash is one or escapes: standard_conforming_strings decides.
                             begin_end("x := 'a\\b';"), begin_end("x := 'a\\';';"), begin_end("x := B'\\';"),
                             begin_end("x := 'a'\n'b\\';"),
                             // What ends nowhere.
                             begin_end("x := 'a;"), begin_end("x := $a$ b;"), begin_end("x := \"a;"),
                             begin_end("x := 1 /* /* */;"), begin_end("x := E'\\';"), begin_end("x := $a;"),
                             // What versions cut differently.
                             begin_end("FOR i IN 1..3loop NULL; END LOOP;"), begin_end("x := 0x1F;"),
                             begin_end("x := 1_000;"), begin_end("x := $1a;"), begin_end("x\v:= 1;"),
                             // What is not a part of the language.
                             begin_end("x := {1};"), begin_end("x := \\;"),
                             begin_end("x := '" + std::string(1, '\0') + "';"), begin_end("U&\"new\" := 1;"),
                             begin_end("SELECT 1 INTO U&\"new\";"), begin_end("\"\" := 1;")));

INSTANTIATE_TEST_SUITE_P(
    Grammar, PlpgsqlRefused,
    ::testing::Values(
        "", "BEGIN", "SELECT 1", "END", "BEGIN END; END", "BEGIN END BEGIN END", "BEGIN END ; ;", "BEGIN ; END",
        "DECLARE x int BEGIN END", "DECLARE x; BEGIN END", "DECLARE x int := ; BEGIN END",
        "DECLARE x int y; z BEGIN END", "DECLARE x int, y int; BEGIN END", "DECLARE x numeric(1 := 2; BEGIN END",
        "DECLARE new_ ALIAS FOR; BEGIN END", "DECLARE c CURSOR; BEGIN END", "DECLARE c SCROLL refcursor; BEGIN END",
        "DECLARE <<l>> x int; BEGIN END", "DECLARE x U&\"t\"; BEGIN END", "DECLARE for int; BEGIN END",
        "#option dump\nBEGIN END", "#variable_conflict maybe\nBEGIN END", "BEGIN #variable_conflict error\n END",
        "<<l>> x := 1;", begin_end("IF a THEN NULL; END;"), begin_end("IF a NULL; END IF;"),
        begin_end("LOOP NULL; END;"), begin_end("IF a THEN ELSE ELSE END IF;"),
        begin_end("IF a THEN EXCEPTION WHEN b THEN END IF;"), begin_end("CASE a WHEN 1 THEN END;"),
        begin_end("CASE a END CASE;"), begin_end("WHILE LOOP NULL; END LOOP;"),
        begin_end("FOR i IN 1.. LOOP NULL; END LOOP;"), begin_end("FOR i IN REVERSE SELECT 1 LOOP NULL; END LOOP;"),
        begin_end("FOR i IN 1..2 NULL; END LOOP;"), begin_end("<<l>> x := 1;"), begin_end("<<l>> SELECT 1;"),
        begin_end("RAISE NOTICE 'a' 'b';"), begin_end("RAISE 'a', ;"), begin_end("RAISE USING;"),
        begin_end("EXECUTE 'a' INTO x INTO y;"), begin_end("EXECUTE 'a' INTO x USING 1 INTO y;"), begin_end("EXECUTE;"),
        begin_end("FETCH c;"), begin_end("FETCH FROM INTO x;"), begin_end("MOVE;"),
        begin_end("OPEN c NO FOR SELECT 1;"), begin_end("OPEN c() ;"), begin_end("GET DIAGNOSTICS x;"),
        begin_end("COMMIT WORK;"), begin_end("ROLLBACK TO x;"), begin_end("RETURN QUERY;"),
        begin_end("EXCEPTION THEN NULL;"), begin_end("NULL"), begin_end("x := 1"), begin_end("x := ;"),
        begin_end("x[ := 1;"), begin_end("x[] := 1;"), begin_end("x.* := 1;"), begin_end("(x).y := 1;"),
        begin_end("(SELECT 1);"), begin_end("\"select\" 1;"), begin_end("'a';"), begin_end("x := (1;"),
        begin_end("x := (1; 2);"), begin_end("x := 1);"), begin_end("PERFORM f(1;"), begin_end("SELECT (1;"),
        begin_end("SELECT 1); SELECT (1;")));

INSTANTIATE_TEST_SUITE_P(
    Into, PlpgsqlRefused,
    ::testing::Values(begin_end("SELECT 1 INTO x INTO y;"), begin_end("SELECT 1 INTO;"),
                      begin_end("SELECT 1 INTO x, ;"), begin_end("SELECT 1 INTO x[1];"),
                      begin_end("SELECT 1 INTO a.b.c.d;"), begin_end("SELECT 1 INTO new.end;"),
                      begin_end("SELECT 1 INTO (x);"),
                      // Before version 15 these give `x` the value of a column called `merge`; later they make a table.
                      begin_end("SELECT merge INTO x FROM t;"), begin_end("SELECT (a) merge INTO x FROM t;"),
                      begin_end("SELECT t.insert INTO x FROM t;"),
                      // Older releases end the statement at the first semicolon.
                      begin_end("CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2);"),
                      begin_end("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;"),
                      "BEGIN CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END"));

/// SQL is cut here, not read: whoever takes the statements has them parsed.
TEST(PlpgsqlStatements, ThatAreNoSqlAreLeftToItsGrammar)
{
    for (const auto* inner : {"x y := 1;", "EXECUTE 'a' USING 1 USING 2;", "IF CASE a WHEN b THEN c := 1; END IF;",
                              "foo;", "FOR r IN f (1) x LOOP NULL; END LOOP;", "PERFORM 1 2;", "RETURN QUERY 1;"}) {
        const auto body = read_plpgsql(begin_end(inner));
        ASSERT_TRUE(body.is_understood) << inner;
        EXPECT_FALSE(std::all_of(body.statements.begin(), body.statements.end(), is_whole_sql)) << inner;
    }
}

/// Holds every construct; nothing may be understood of it before its END.
const std::string kEverything = R"(#variable_conflict use_column
<<top>>
DECLARE
    a int := 1; b ALIAS FOR $1; c CURSOR (k int) FOR SELECT * FROM t WHERE id = k; d refcursor; r record;
BEGIN
    NEW.a := coalesce(NEW.b, 'it''s') || E'\'' || $x$ ; $x$; -- a comment ; END
    a[f(1)].b = 2; /* a comment /* within */ ; END */
    IF a > 1 THEN NULL; ELSIF b THEN PERFORM f(2); ELSE NULL; END IF;
    CASE a WHEN 1, 2 THEN NULL; ELSE NULL; END CASE;
    <<l>> LOOP EXIT l WHEN a; END LOOP l;
    FOR i IN REVERSE 3..1 BY 1 LOOP CONTINUE; END LOOP;
    FOR r IN SELECT * FROM t LOOP NULL; END LOOP;
    FOR r IN EXECUTE 'x' USING 1 LOOP NULL; END LOOP;
    FOREACH a SLICE 1 IN ARRAY b LOOP NULL; END LOOP;
    OPEN c(1); FETCH NEXT FROM c INTO a, NEW.c; MOVE c; CLOSE c; OPEN d FOR SELECT 1;
    SELECT x, y INTO STRICT a, b FROM t WHERE z IN (SELECT 1);
    INSERT INTO t VALUES (1) RETURNING a INTO a;
    EXECUTE 'x' INTO a USING b; GET STACKED DIAGNOSTICS a = MESSAGE_TEXT;
    RAISE NOTICE 'a %', b USING hint = 'c'; ASSERT a, 'b'; CALL p(a); COMMIT AND CHAIN; RETURN QUERY SELECT 1;
    BEGIN TRUNCATE t; EXCEPTION WHEN others OR SQLSTATE '22012' THEN RAISE; END;
    RETURN NEW;
END)";

TEST(PlpgsqlRobustness, WhatIsCutOffIsNotUnderstood)
{
    ASSERT_TRUE(read_plpgsql(kEverything).is_understood);
    for (std::size_t size = 0; size < kEverything.size(); ++size)
        ASSERT_FALSE(read_plpgsql(std::string_view{kEverything}.substr(0, size)).is_understood) << size;
}

TEST(PlpgsqlRobustness, AnyTextIsReadWithoutHarm)
{
    for (std::size_t begin = 0; begin < kEverything.size(); ++begin)
        read_plpgsql(std::string_view{kEverything}.substr(begin));

    const auto tokens = plpgsql_tokens(kEverything);
    ASSERT_TRUE(tokens);
    std::mt19937 random{7};
    const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>{0, end - 1}(random); };
    std::size_t understood = 0;
    for (int round = 0; round < 5'000; ++round) {
        Strings words;
        for (const auto& token : *tokens)
            words.emplace_back(token.text);
        for (std::size_t change = below(3); change < 3; ++change) {
            const auto at = words.begin() + static_cast<std::ptrdiff_t>(below(words.size()));
            if (below(2) == 0)
                words.erase(at);
            else
                words.insert(at, words[below(words.size())]);
        }
        std::string text;
        for (const auto& word : words)
            text += word + "\n";
        understood += read_plpgsql(text).is_understood ? 1 : 0;
    }
    EXPECT_GT(understood, 0U);
    EXPECT_LT(understood, 5'000U);
}

TEST(PlpgsqlRobustness, NestingHasALimit)
{
    const auto blocks = [](std::size_t depth) { return repeated("BEGIN ", depth) + repeated("END; ", depth); };
    EXPECT_TRUE(read_plpgsql(blocks(100)).is_understood);
    EXPECT_FALSE(read_plpgsql(blocks(100'000)).is_understood);
    EXPECT_FALSE(
        read_plpgsql(begin_end(repeated("IF a THEN ", 100'000) + repeated("END IF; ", 100'000))).is_understood);
    EXPECT_TRUE(
        read_plpgsql(begin_end("x := " + repeated("(", 100'000) + "1" + repeated(")", 100'000) + ";")).is_understood);
}

TEST(PlpgsqlRobustness, TimeGrowsWithTheTextOnly)
{
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t kBytes = 1'000'000;
    const auto filled = [](std::string_view piece) { return begin_end(repeated(piece, kBytes / piece.size())); };
    for (const auto& text :
         {filled("x := 1;"), filled("NEW.a := 1; "), filled("SELECT a INTO b FROM c; "),
          filled("FOR r IN c(1, 2) LOOP NULL; END LOOP; "), filled("FETCH c INTO x; "), filled("$a$"),
          filled("'a' \n\n"), filled("/*"), filled("$aaaaaaaa "), filled("((("), filled("<<"), filled("x["),
          filled("- "), filled("x := 'a' -- b\n ;"), "BEGIN CASE " + filled(" WHEN a THEN NULL; ")}) {
        const auto start = Clock::now();
        read_plpgsql(text);
        // Many times what it takes, sanitizers and a busy machine included, and far less than the square of the size.
        EXPECT_LT(Clock::now() - start, std::chrono::seconds{10}) << text.substr(0, 40);
    }
}

} // namespace
} // namespace pgmemo::query
