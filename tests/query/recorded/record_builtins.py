#!/usr/bin/env python3
"""Records what the functions and types of pg_catalog are in the PostgreSQL versions given, for the tests that ask
whether each is judged (query/judged_functions.def, query/judged_types.def).

    tests/query/recorded/record_builtins.py --bin DIR [--bin DIR …]     where initdb and pg_ctl of each version are

Each is started on its own and removed afterwards. Needs psycopg2. It writes, beside itself, offered.tsv: one line for
each function that is not IMMUTABLE in every version, and for each type. Its columns, separated by tabs, are

    function  its name with the names of its argument types  volatility (i, s, v)  the major versions it has that in
    type      its name                                       typtype               the same
"""

import argparse
import collections
import pathlib

from record import connected, own_server

OFFERED = pathlib.Path(__file__).resolve().parent / "offered.tsv"

FUNCTIONS = """
SELECT p.proname || '(' || coalesce((SELECT string_agg(t.typname, ',' ORDER BY a.place)
         FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) JOIN pg_type t ON t.oid = a.type), '') || ')',
       p.provolatile::text
FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
"""

# Arrays are judged by their elements, and composite types are rows of system catalogs.
TYPES = """
SELECT typname::text, typtype::text FROM pg_type
WHERE typnamespace = 'pg_catalog'::regnamespace AND oid < 16384 AND typtype <> 'c' AND typcategory <> 'A'
"""


def offered(server):
    server.execute("SELECT current_setting('server_version_num')::int / 10000")
    version = server.fetchone()[0]
    for kind, query in (("function", FUNCTIONS), ("type", TYPES)):
        server.execute(query)
        for name, trait in server.fetchall():
            yield version, kind, name, trait


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", action="append", required=True, help="where initdb and pg_ctl of a version are")
    versions = collections.defaultdict(set)
    for programs in parser.parse_args().bin:
        with own_server(programs) as uri, connected(uri) as server:
            for version, kind, name, trait in offered(server):
                versions[kind, name, trait].add(version)
    moving = {name for kind, name, trait in versions if kind == "function" and trait != "i"}
    with OFFERED.open("w", encoding="utf-8") as file:
        for (kind, name, trait), where in sorted(versions.items()):
            if kind == "type" or name in moving:
                file.write("\t".join((kind, name, trait, " ".join(map(str, sorted(where))))) + "\n")


if __name__ == "__main__":
    main()
