"""What a round consists of: steps, and the text that they are printed as and read back from.

A script is complete: it makes its own roles, schemas and sessions, so that any part of it can be run alone, which is what
shrinking does. Names of roles, prepared transactions and whatever else a whole cluster shares start with `fuzz_`; the
driver makes a name of its own for each database out of it (see driver.py).

    --@ 2 query read unordered
    SELECT a FROM app.t1
    --@ 2 extended write values=["7",null]
    UPDATE app.t1 SET a = $1 WHERE id = $2
"""
import dataclasses
import json

ACTIONS = {
    "connect": "opens the session; the text is a JSON object of startup parameters, `user` among them",
    "query": "one Query message",
    "pair": "two Query messages sent at once; the texts stand apart by a line with ---",
    "extended": "Parse, Bind, Describe, Execute, Sync of unnamed things",
    "named": "the same of a named statement, which is parsed only once in the session",
    "group": "several Parse, Bind, Describe, Execute, and one Sync; the texts stand apart by a line with ---",
    "copy": "one Query message, and the rows that it asks for",
    "settle": "waits until pgmemo has read the catalog again",
}

KINDS = {
    "read": "changes nothing: is run more than once, and compared with a direct session on the same database",
    "write": "changes rows or the catalog: once in either database",
    "session": "changes the session only: done to the direct session as well",
}

FLAGS = {
    "unordered": "the order of the rows is left open",
    "clock": "its result depends on when earlier steps ran: comparable on the same database only",
    "loose": "its rows say how PostgreSQL did it: only their being there is compared",
    "portions": "its rows are asked for in two portions, by two Execute of one portal",
    "hides": "makes temporary objects, which the direct session does not have",
}

SEPARATOR = "\n---\n"


@dataclasses.dataclass(frozen=True)
class Step:
    session: int
    action: str
    kind: str = "write"
    text: str = ""
    values: tuple = ()
    flags: frozenset = frozenset()
    repeat: int = 1
    twin: str = ""  # what the direct session does instead of `text`

    def texts(self):
        return self.text.split(SEPARATOR)

    def __str__(self):
        words = ["--@", str(self.session), self.action, self.kind, *sorted(self.flags)]
        if self.repeat != 1:
            words.append(f"repeat={self.repeat}")
        if self.twin:
            words.append(f"twin={json.dumps(self.twin)}")
        if self.values:
            words.append(f"values={json.dumps(self.values)}")
        return " ".join(words) + "\n" + self.text


def to_text(steps):
    return "\n".join(map(str, steps)) + "\n"


def from_text(text):
    """The steps that to_text wrote; what stands before the first of them is a comment."""
    steps = []
    for block in ("\n" + text).split("\n--@ ")[1:]:
        header, _, body = block.partition("\n")
        session, action, kind, *_ = words = header.split()
        if action not in ACTIONS or kind not in KINDS:
            raise ValueError(f"not a step: {header}")
        named = {name: _json_after(header, name) for name in ("repeat", "twin", "values")}
        steps.append(Step(int(session), action, kind, body.removesuffix("\n"), tuple(named["values"] or ()),
                          frozenset(words[3:]) & FLAGS.keys(), named["repeat"] or 1, named["twin"] or ""))
    return steps


def _json_after(header, name):
    _, found, rest = header.partition(f" {name}=")
    return json.JSONDecoder().raw_decode(rest)[0] if found else None
