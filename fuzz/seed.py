#!/usr/bin/env python3
"""Makes the corpora that are kept in fuzz/corpus: a few kB a target, of messages that clients and servers send, of the
texts in the unit tests and of what was recorded of a catalog. Run it again after those have grown; what a fuzzer has
found since is kept by hand in fuzz/crashers/TARGET, as the file that it wrote.
"""
import hashlib
import random
import re
import shutil
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def packet(code, body=b""):
    return struct.pack("!ii", len(body) + 8, code) + body


def bind(values, formats=(), results=(), portal=b"", statement=b"s"):
    body = portal + b"\0" + statement + b"\0" + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return body + struct.pack(f"!h{len(results)}h", len(results), *results)


def startup():
    yield packet(80877103)
    yield packet(80877104)
    yield packet(80877102, struct.pack("!i", 42) + b"abcd")
    yield packet(80877102, struct.pack("!i", 42) + b"k" * 32)
    for version in (3 << 16, 3 << 16 | 2, 2 << 16, 4 << 16):
        yield packet(version, b"user\0ann\0database\0shop\0\0")
    yield packet(3 << 16, b"user\0ann\0replication\0database\0_pq_.x\0" b"1\0options\0-c a=b\0\0")
    yield packet(3 << 16, b"user\0ann")
    yield struct.pack("!i", 0x7fffffff)


BINDS = [bind([]), bind([b"1"]), bind([b"1", None, b""], [0], [1]), bind([b"\0\0\0\1"], [1], [0, 1]),
         bind([b"a" * 20] * 5, [0, 1, 0, 1, 0], portal=b"p"), bind([b"1"])[:-3], b"\0\0\0\0\xff\xff\0\0"]


def frontend():
    parse = message(b"P", b"s\0SELECT $1\0" + struct.pack("!hi", 1, 23))
    tail = message(b"D", b"Ss\0") + message(b"E", b"\0" + struct.pack("!i", 2)) + message(b"C", b"Ps\0")
    yield message(b"Q", b"SELECT 1\0")
    yield message(b"Q", b"SELECT 1")
    yield parse
    yield parse + message(b"B", BINDS[1]) + tail + message(b"H") + message(b"S")
    yield message(b"Q", b"COPY t FROM STDIN\0") + message(b"d", b"1\t2\n" * 90) + message(b"c") + message(b"X")
    yield message(b"f", b"no\0") + message(b"F", struct.pack("!ihhh", 1, 0, 0, 0)) + message(b"p", b"secret\0")
    yield message(b"Q", b"x" * 300) + b"Q\0\0\0\3zz"


def backend():
    yield b"ZI"
    yield b"STimeZone\0UTC\0"
    yield b"K" + struct.pack("!i", 7) + b"abcd"
    yield b"D" + struct.pack("!hi2sii", 3, 2, b"ab", -1, 0)
    yield b"ESERROR\0VERROR\0C42P01\0Mgone\0Hhint\0P7\0\0"
    yield b"NSWARNUNG\0C01000\0Moh\0\0"


def literals(*tests):
    """The string literals of C++ tests, adjacent ones joined."""
    for test in tests:
        source = (ROOT / "tests" / test).read_text()
        for raw in re.findall(r'R"\w*\((.*?)\)\w*"', source, re.S):
            yield raw
        for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', source):
            parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', run)
            yield re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "0": "\0"}.get(m[1], m[1]), "".join(parts))


def some(texts, bytes_, longest):
    """A few kB of them, of every length."""
    texts = sorted({text for text in texts if 50 < len(text) <= longest})
    random.Random(1).shuffle(texts)
    for text in texts:
        bytes_ -= len(text)
        if bytes_ < 0:
            return
        yield text.encode()


def analyzer():
    texts = literals("query/analyzer_test.cpp", "query/confine_test.cpp", "query/effects_test.cpp",
                     "query/closure_test.cpp", "query/real_queries_test.cpp")
    for place, text in enumerate(some((t for t in texts if re.match(r"\(?[A-Z]{2,} ", t)), 7000, 400)):
        yield bytes([place % 4 * 8 if place % 3 == 0 else 0]) + text


def plpgsql():
    bodies = (t for t in literals("query/plpgsql_test.cpp") if re.search(r"BEGIN|DECLARE|LOOP|;", t))
    schema = re.findall(r"\$(\w*)\$(.*?)\$\1\$", (ROOT / "tests/query/recorded/schema.sql").read_text(), re.S)
    return some([*bodies, *(body for _, body in schema if "BEGIN" in body)], 6000, 700)


def tree():
    recorded = (ROOT / "tests/query/recorded/catalog.tsv").read_text()
    return some((column for line in recorded.splitlines() for column in line.split("\t")
                 if column.startswith(("{", "({")) and ":" in column), 20000, 2600)


def exchange():
    """Moves of fuzz/exchange.cpp: client messages (even: one session, odd: the other), answers, and what is not meant."""
    say, answer_all = 0, 10
    query = lambda text, side=0: bytes([say + side, 0, text])
    parse = lambda name, text: bytes([say, 2, name, text])
    run = bytes([say, 3, 0, 1, 0, say, 6, 0, 0, say, 8])
    prepared = bytes([say, 3, 0, 1, 4, say, 5, 0, say, 6, 0, 0, say, 8, answer_all])
    yield query(0) + bytes([answer_all]) + query(0) + query(3) + query(0, 1) + bytes([answer_all, answer_all + 1])
    yield query(7) + query(0) + query(3) + query(8) + query(0) + bytes([answer_all]) + query(0)
    yield parse(1, 2) + bytes([say, 8, answer_all]) + prepared * 4 + query(3) + bytes([answer_all]) + prepared
    yield parse(1, 2) + run + bytes([answer_all]) + parse(1, 4) + run + bytes([answer_all, say, 7, 0, 1, say, 8, answer_all])
    yield query(21) + bytes([answer_all, say, 11, say, 12, 0, answer_all]) + query(20) + bytes([answer_all, 14]) + query(0)
    yield query(10) + query(0) + query(9) + query(24) + query(16) + query(18) + query(19) + bytes([answer_all] * 2)
    yield parse(0, 23) + run + query(0) + bytes([say, 8, answer_all, say, 13, answer_all])
    yield bytes([12, 0, 0, 12, 4, 0, 12, 8, 12, 12, 90, 3, 1, 2, 3, 12, 9, 3])


def sasl():
    first, last = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", b"c=biws,r=rOprNGfwEbeRWgbNEkqO3rfcNHYJY1ZVvWVs7j,p=" + b"A" * 43 + b"="
    for how, flag in ((0, b"n,,"), (1, b"y,,"), (3, b"p=tls-server-end-point,,")):
        said = first.replace(b"n,,", flag, 1)
        yield bytes([0, how, len(said)]) + said + last
    offered = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    said = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096"
    for how in (0, 1):
        yield bytes([1, how, len(offered)]) + offered + bytes([len(said)]) + said + b"v=" + b"A" * 43 + b"="
    for how in (0, 1, 3):
        for message in range(5):
            yield bytes([2, how | message << 2, 7, 65])
    yield b"\3" + struct.pack("!i", 10) + offered
    yield b"\3" + struct.pack("!i", 11) + said
    yield b"\3SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
    yield b"\3secret\0"
    yield b"\4SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$" + b"A" * 43 + b"=:" + b"A" * 43 + b"="
    yield b"\4; users\n\"ann\" \"md5" + b"0" * 32 + b"\"\n\"b\"\"ob\" \"secret\"\n"


def main():
    for make in (startup, frontend, backend, bind_bodies, sasl, analyzer, plpgsql, tree, exchange):
        folder = CORPUS / make.__name__.replace("bind_bodies", "bind")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for seed in make():
            (folder / hashlib.sha1(seed).hexdigest()[:10]).write_bytes(seed)
        print(f"{folder.name}: {len(list(folder.iterdir()))} files, {sum(f.stat().st_size for f in folder.iterdir())} bytes")


def bind_bodies():
    return BINDS


if __name__ == "__main__":
    main()
