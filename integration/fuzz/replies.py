"""A connection that sends one step's bytes and takes its whole reply, and what makes two replies comparable."""
import re
import struct
import zlib

import wire

from .script import Step

# Every name that a whole cluster shares starts so; each database puts its own in place of it, of the same length.
SHARED = "fuzz_"

FIRST_NORMAL_OID = 16384  # PostgreSQL: FirstNormalObjectId
LOCK_TIMEOUT = b"\0C55P03\0"
TOAST = re.compile(rb"pg_toast_\d{5,}")  # after the OID of its table


def request(step, prepared):
    """The bytes of a step, and how many ReadyForQuery end its reply. `prepared` are the session's named statements."""
    if step.action in ("query", "pair"):
        return b"".join(map(wire.query, step.texts())), len(step.texts())
    if step.action == "copy":
        return wire.query(step.text) + wire.copy_data(step.values[0].encode()) + wire.COPY_DONE, 1
    execute = wire.describe("P") + (wire.execute("", 1) if "portions" in step.flags else b"") + wire.execute()
    if step.action == "named":
        name = named(step)
        parsed = b"" if name in prepared else wire.parse(name, step.text)
        return parsed + wire.bind("", name, step.values) + execute + wire.SYNC, 1
    parts = (wire.parse("", text) + wire.bind("", "", step.values) + execute for text in step.texts())
    return b"".join(parts) + wire.SYNC, 1


def named(step):
    """A name for its text, the same in every run."""
    return f"n{zlib.crc32(step.text.encode())}"


class Link(wire.Wire):
    """One session, of which only whole replies are taken."""

    def __init__(self, port, database, mark, parameters):
        self.mark = mark
        named = {name: self.own(value) for name, value in parameters.items()}
        super().__init__(port, self.own(database), named.pop("user"), named)
        self.prepared = set()
        self.status = self.greeting[-1].body.decode() if self.greeting[-1].kind == "Z" else ""
        self.owed = 0

    def own(self, text):
        return text.replace(SHARED, self.mark)

    def ask_for(self, step):
        """Sends it; reply() has to follow."""
        data, self.owed = request(step, self.prepared)
        self.asked = step
        try:
            self.send(data.replace(SHARED.encode(), self.mark.encode()))
        except OSError:
            pass  # reply() says that it is lost

    def reply(self):
        """[(kind, body)] up to the ReadyForQuery that ends it; a lost connection is one more message."""
        got, buffer, at = [], self.buffer, 0
        try:
            while self.owed:
                while len(buffer) < at + 5 or len(buffer) < at + 1 + (size := struct.unpack_from("!i", buffer, at + 1)[0]):
                    if not (data := self.socket.recv(1 << 16)):
                        raise wire.Closed
                    buffer, at = buffer[at:] + data, 0
                kind, body = buffer[at:at + 1], buffer[at + 5:at + 1 + size]
                at += 1 + size
                got.append((kind, body))
                if kind == b"Z":
                    self.owed -= 1
                    self.status = body.decode()
                elif kind == b"1" and self.asked.action == "named":
                    self.prepared.add(named(self.asked))
                elif kind == b"C" and body in (b"DISCARD ALL\0", b"DEALLOCATE ALL\0"):
                    self.prepared.clear()
        except OSError as error:
            self.status, self.owed = "", 0
            got.append((b"lost", type(error).__name__.encode()))
        self.buffer = buffer[at:]
        return got

    def ask(self, step):
        self.ask_for(step)
        return self.reply()

    def prepare_anew(self, step):
        self.prepared.discard(named(step))
        self.run(f"DEALLOCATE {named(step)}")

    def run(self, text):
        return self.ask(Step(0, "query", "session", text))


def has_timed_out(reply):
    return any(kind == b"E" and LOCK_TIMEOUT in body for kind, body in reply)


def has_lost_function(reply):
    """PostgreSQL keeps the OIDs of functions in a prepared statement and is not told when one is dropped. What pgmemo prepares later
    than its client did finds the function that has the name now (docs/exceptions.md)."""
    return any(kind == b"E" and b"Mcache lookup failed for function" in body for kind, body in reply)


def has_refused_to_estimate(reply):
    """PostgreSQL refuses LIKE over some collations when a plan evaluates it, or when the planner estimates it: which it does once there
    are statistics. A hit is what it said before ANALYZE."""
    return any(kind == b"E" and b"Mnondeterministic collations are not supported for" in body for kind, body in reply)


def has_changed_columns(reply):
    """A prepared statement that PostgreSQL refuses since its columns have changed; pgmemo prepares it anew (docs/exceptions.md)."""
    return any(kind == b"E" and b"RRevalidateCachedQuery\0" in body for kind, body in reply)


def has_collided(reply):
    return any(kind == b"E" and _sqlstate(body) == b"C23505" for kind, body in reply)


def has_failed(reply):
    return any(kind in (b"E", b"lost") for kind, _ in reply)


def same_name(reply, mark):
    """The reply with the names that the script has for what the databases name differently."""
    own, shared = mark.encode(), SHARED.encode()
    return [(kind, body.replace(own, shared)) for kind, body in reply]


def without_oids(reply):
    """OIDs of what users made are different in every database; and so is the order in which ANALYZE of a whole database comes to
    what it may not read, which is where their rows lie in pg_class."""
    reply = [(kind, _plain_description(body) if kind == b"T" else TOAST.sub(b"pg_toast_N", body) if kind in b"NE" else body)
             for kind, body in reply]
    skipped = sorted(one for one in reply if one[0] == b"N" and b'\0Mskipping "' in one[1])
    return skipped + [one for one in reply if one not in skipped]


def _fields(body):
    """Of RowDescription: name, table, column, type, size, modifier, format of each."""
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        end = body.index(b"\0", at) + 1
        yield body[at:end], *struct.unpack_from("!ihihih", body, end)
        at = end + 18


def _plain_description(body):
    return repr([(name, min(table, FIRST_NORMAL_OID), column, min(type_, FIRST_NORMAL_OID), *rest)
                 for name, table, column, type_, *rest in _fields(body)]).encode()


def comparable(reply, step):
    """What has to be equal of it: all bytes, but for what the step leaves open."""
    if step.action == "named":
        # Its Parse, and what the parser remarked, came with the first execution only.
        reply = [(kind, body) for kind, body in reply if kind not in (b"1", b"N")]
        # In a failed transaction pgmemo's hidden Parse is refused where PostgreSQL refuses the Bind: the same error, from another
        # line of its source (docs/decisions/0009).
        reply = [(kind, _without_source(body) if kind == b"E" else body) for kind, body in reply]
    if "loose" in step.flags:
        kinds = [(kind, _sqlstate(body) if kind == b"E" else b"") for kind, body in reply]
        return [one for at, one in enumerate(kinds) if at == 0 or one != kinds[at - 1]]
    if step.kind != "read":
        # Which of several rows fails, and so which constraint, depends on where the rows lie.
        reply = [(kind, _sqlstate(body)) if kind == b"E" else (kind, body) for kind, body in reply]
    if "unordered" in step.flags:
        rows = sorted(body for kind, body in reply if kind == b"D")
        reply = [(kind, body) for kind, body in reply if kind != b"D"]
        return reply if has_failed(reply) else reply + [(b"D", row) for row in rows]
    return reply


# What ends a wait for a lock: a statement that was not prepared at the server before waits while it is parsed, and is told
# where in the text (docs/exceptions.md).
_ENDED_WAITS = (b"C55P03", b"C57014", b"C40P01")


def _without_source(body):
    dropped = (b"F", b"L", b"R") + ((b"P",) if _sqlstate(body) in _ENDED_WAITS else ())
    return b"\0".join(part for part in body.split(b"\0") if part[:1] not in dropped)


def _sqlstate(body):
    return next(part for part in body.split(b"\0") if part[:1] == b"C")


def readable(reply):
    """For people."""
    lines = []
    for kind, body in reply:
        kind = kind.decode()
        message = wire.Message(kind, body)
        if kind == "D":
            lines.append(f"row      {message.columns()}")
        elif kind == "T":
            lines.append("columns  " + ", ".join(name.rstrip(b"\0").decode() + f" {rest}" for name, *rest in _fields(body)))
        elif kind in "EN":
            fields = message.fields()
            lines.append(f"{'error' if kind == 'E' else 'notice'}   {fields.get('C')} {fields.get('M')}")
        else:
            lines.append(f"{kind:8} {body.rstrip(bytes(1)).decode(errors='replace')}")
    return "\n".join("    " + line for line in lines)
