"""Whether what the server under test offers is judged: query/judged_functions.def and query/judged_types.def, the very
files that the program is made of."""
import pathlib
import re

QUERY = pathlib.Path(__file__).resolve().parents[1] / "query"


def judged(file):
    return set(re.findall(r'^\w+\(\w+, "([^"]+)"\)$', (QUERY / file).read_text(), re.MULTILINE))


def test_every_function_that_is_not_immutable_is_judged(postgres):
    offered = {row[0] for row in postgres.run("""
        SELECT p.proname || '(' || coalesce((SELECT string_agg(t.typname, ',' ORDER BY a.place)
                 FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) JOIN pg_type t ON t.oid = a.type), '') || ')'
        FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND p.provolatile <> 'i'""")}
    assert len(offered) > 500
    assert sorted(offered - judged("judged_functions.def")) == []


def test_every_type_is_judged(postgres):
    offered = {row[0] for row in postgres.run("""
        SELECT typname::text FROM pg_type
        WHERE typnamespace = 'pg_catalog'::regnamespace AND oid < 16384 AND typtype <> 'c' AND typcategory <> 'A'""")}
    assert len(offered) > 80
    assert sorted(offered - judged("judged_types.def")) == []
