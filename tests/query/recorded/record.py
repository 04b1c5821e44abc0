#!/usr/bin/env python3
"""Records what PostgreSQL 15 answers to query/'s catalog queries, for the tests of query/.

    tests/query/recorded/record.py                     starts a server of its own and removes it afterwards
    tests/query/recorded/record.py --uri postgresql:// uses a running one, as a superuser; makes and drops a database

Needs psycopg2, a C++ compiler ($CXX, else c++) and, without --uri, the server's programs (--bin). The queries come
from print_queries.cpp, compiled here with query/catalog_queries.cpp. It writes, beside itself:

    builtins.tsv   what a database holds that was just made
    catalog.tsv    what schema.sql adds
    hostile.tsv    what hostile.sql adds

One row a line: the number of the query, then its columns, separated by tabs; \\N is NULL, and backslash, tab and line
ends are written \\\\, \\t, \\n, \\r. NULLs at the end of a row are left out; a comment before a query's first row says how
many columns it has. What the summary query says stands whole in catalog.tsv and hostile.tsv.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import psycopg2.extensions

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DATABASE = "pgmemo_record"


def catalog_queries():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "print_queries")
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-I", ROOT, HERE / "print_queries.cpp",
                        ROOT / "query/catalog_queries.cpp", "-o", program], check=True)
        texts = subprocess.run([program], check=True, capture_output=True).stdout.decode().split("\0")[:-1]
    return [(name, sql) for name, sql in zip(texts[::2], texts[1::2]) if name != "fingerprint"]


@contextlib.contextmanager
def own_server(programs):
    """PostgreSQL does not run as root: then it is run as the user postgres, who also owns its folder."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = tempfile.mkdtemp(prefix="pgmemo-record-")
    try:
        if user:
            shutil.chown(folder, "postgres")
        data = os.path.join(folder, "data")
        subprocess.run(user + [f"{programs}/initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C",
                               "--no-sync", "-A", "trust"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        control = user + [f"{programs}/pg_ctl", "-D", data, "-w"]
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        subprocess.run(control + ["-l", os.path.join(folder, "log"), "-o", options, "start"], check=True,
                       stdout=subprocess.DEVNULL, cwd="/")
        try:
            yield f"host={folder} user=postgres dbname=postgres"
        finally:
            subprocess.run(control + ["-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def connected(uri, **more):
    connection = psycopg2.connect(uri, **more)
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def as_text(column):
    if column is None:
        return "\\N"
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        column = column.replace(plain, escaped)
    return column


def rows_of(uri, queries, script):
    """The rows of every query as lines, in a database in which `script` was run."""
    with connected(uri) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    try:
        with connected(uri, dbname=DATABASE) as database:
            if script:
                database.execute(script.read_text())
            database.execute("SET search_path = pg_catalog")
            found = []
            for number, (_, sql) in enumerate(queries):
                database.execute(sql)
                for oid in {column.type_code for column in database.description}:
                    psycopg2.extensions.register_type(
                        psycopg2.extensions.new_type((oid,), f"TEXT{oid}", lambda value, cursor: value), database)
                database.execute(sql)
                width = len(database.description)
                lines = []
                for row in database.fetchall():
                    columns = [as_text(column) for column in row]
                    while columns and columns[-1] == "\\N":
                        columns.pop()
                    lines.append("\t".join([str(number)] + columns))
                found.append((width, lines))
            return found
    finally:
        with connected(uri) as server:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")


def write(name, queries, rows, known=None):
    lines = []
    for number, ((query, _), (width, all_of_it)) in enumerate(zip(queries, rows)):
        left = collections.Counter(known[number][1] if known and number else [])
        new = []
        for line in all_of_it:
            if left[line]:
                left[line] -= 1
            else:
                new.append(line)
        if known is None and number == 0:
            new = []
        lines.append(f"# {number} {width} {query}")
        lines += new
    path = HERE / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", help="a running PostgreSQL 15")
    parser.add_argument("--bin", default="/usr/lib/postgresql/15/bin", help="where initdb and pg_ctl are")
    options = parser.parse_args()
    queries = catalog_queries()
    with contextlib.ExitStack() as stack:
        uri = options.uri or stack.enter_context(own_server(options.bin))
        builtins = rows_of(uri, queries, None)
        write("builtins.tsv", queries, builtins)
        write("catalog.tsv", queries, rows_of(uri, queries, HERE / "schema.sql"), builtins)
        write("hostile.tsv", queries, rows_of(uri, queries, HERE / "hostile.sql"), builtins)


if __name__ == "__main__":
    main()
