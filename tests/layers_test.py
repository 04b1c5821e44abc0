#!/usr/bin/env python3
"""Holds the includes to the layout: a folder uses only what stands to its right.

    main -> admin -> proxy -> cache -> query -> (wire, config, observe)

cache/ and query/ do not use wire/; some libraries belong to one folder alone. Before it judges the project it judges
itself: every row of FORBIDDEN must be refused and every row of ALLOWED must pass.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = {
    "wire": set(),
    "config": set(),
    "observe": set(),
    "query": {"config", "observe"},
    "cache": {"query", "config", "observe"},
    "proxy": {"cache", "query", "wire", "config", "observe"},
    "admin": {"proxy", "cache", "query", "wire", "config", "observe"},
    "main": {"admin", "proxy", "cache", "query", "wire", "config", "observe"},
}

# Headers of a library -> the only folders that may include them.
LIBRARIES = [
    (r"pg_query(\.h|/)", {"query"}, "libpg_query"),
    (r"(postgres|postgres_ext|c|fmgr|pg_config|pg_config_manual)\.h$", {"query"}, "PostgreSQL's server headers"),
    (r"(nodes|parser|catalog|utils|access|storage|mb|common|port|lib)/.*\.h$", {"query"}, "PostgreSQL's server headers"),
    (r"(libpq-fe|pqexpbuffer)\.h$|libpq/", {"proxy"}, "libpq"),
    (r"prometheus/", {"observe"}, "prometheus-cpp"),
    (r"yaml-cpp/", {"config"}, "yaml-cpp"),
    (r"re2/", {"config"}, "RE2"),
    (r"CLI/", {"main"}, "CLI11"),
    (r"boost/asio|boost/beast", {"cache", "proxy", "admin", "main"}, "sockets"),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def refusals(folder, text):
    """What is wrong with the includes of one file of `folder`."""
    for match in INCLUDE.finditer(text):
        header = match.group(2)
        line = text.count("\n", 0, match.start()) + 1
        target = header.split("/", 1)[0] if "/" in header else None
        if target in FOLDERS:
            if match.group(1) == "<":
                yield line, f"<{header}>: the project's own headers are written in quotes"
            if target != folder and target not in FOLDERS[folder]:
                yield line, f'{folder}/ must not include "{header}"'
        elif match.group(1) == '"' and target is None and (ROOT / folder / header).exists():
            yield line, f'"{header}": written from the project\'s root, as "{folder}/{header}"'
        for pattern, owners, name in LIBRARIES:
            if target not in FOLDERS and re.match(pattern, header) and folder not in owners:
                yield line, f"{folder}/ must not include {header}: {name} is for {', '.join(sorted(owners))}/ only"


FORBIDDEN = [
    ("wire", '#include "proxy/session.hpp"'),
    ("wire", '#include "observe/metrics.hpp"'),
    ("config", '#include "query/statement.hpp"'),
    ("query", '#include "cache/cache.hpp"'),
    ("query", '#include "wire/frame_reader.hpp"'),
    ("cache", '#include "wire/frame_reader.hpp"'),
    ("cache", '  #  include "proxy/session.hpp"'),
    ("proxy", '#include "admin/http.hpp"'),
    ("admin", '#include "main/signals.hpp"'),
    ("proxy", "#include <query/statement.hpp>"),
    ("proxy", "#include <pg_query.h>"),
    ("cache", "#include <nodes/parsenodes.h>"),
    ("query", "#include <libpq-fe.h>"),
    ("query", "#include <boost/asio/io_context.hpp>"),
    ("admin", "#include <prometheus/counter.h>"),
    ("main", "#include <yaml-cpp/yaml.h>"),
]

ALLOWED = [
    ("proxy", '#include "wire/frame_reader.hpp"\n#include "cache/cache.hpp"\n#include <libpq-fe.h>'),
    ("cache", '#include "query/statement.hpp"\n#include "cache/memory/tier.hpp"\n#include <vector>'),
    ("query", "#include <postgres.h>\n#include <nodes/nodes.h>\n#include <pg_query.h>"),
    ("query", '// #include "cache/cache.hpp" is not for us'),
    ("observe", "#include <prometheus/text_serializer.h>"),
    ("admin", "#include <boost/beast/http.hpp>"),
]


def check_itself():
    for folder, text in FORBIDDEN:
        if not list(refusals(folder, text)):
            sys.exit(f"layers_test.py does not see that {folder}/ must not have: {text}")
    for folder, text in ALLOWED:
        for _, why in refusals(folder, text):
            sys.exit(f"layers_test.py refuses what is allowed: {why}")


def main():
    check_itself()
    found = 0
    files = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".cpp", ".hpp", ".c", ".h"):
                continue
            files += 1
            for line, why in refusals(folder, path.read_text(encoding="utf-8")):
                print(f"{path.relative_to(ROOT)}:{line}: {why}")
                found += 1
    if not files:
        sys.exit(f"no sources under {ROOT}")
    print(f"layers: {files} files, {found} forbidden includes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
