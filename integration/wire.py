"""A client of the v3 protocol that sends exactly the bytes it is told to."""
import contextlib
import hashlib
import socket
import struct
import time

import harness

PROTOCOL_3_0 = 196608
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)


def message(kind, body=b""):
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def startup_packet(version=PROTOCOL_3_0, **parameters):
    body = struct.pack("!i", version)
    for name, value in parameters.items():
        body += text(name) + text(value)
    return struct.pack("!i", len(body) + 5) + body + b"\0"


def query(sql):
    return message("Q", text(sql))


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack(f"!h{len(types)}i", len(types), *types))


def bind(portal, statement, values=(), results=()):
    body = text(portal) + text(statement) + struct.pack("!hh", 0, len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            value = str(value).encode()
            body += struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def describe(kind, name=""):
    return message("D", kind.encode() + text(name))


def execute(portal="", max_rows=0):
    return message("E", text(portal) + struct.pack("!i", max_rows))


def close(kind, name=""):
    return message("C", kind.encode() + text(name))


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")
COPY_DONE = message("c")


def copy_data(data):
    return message("d", data)


def extended(sql, values=(), max_rows=0):
    """Parse, Bind, Describe, Execute, Sync of unnamed things."""
    return parse("", sql) + bind("", "", values) + describe("P") + execute("", max_rows) + SYNC


class Message:
    """One message of the server's."""

    def __init__(self, kind, body):
        self.kind = kind
        self.body = body

    @property
    def bytes(self):
        return message(self.kind, self.body)

    def fields(self):
        """Of ErrorResponse and NoticeResponse."""
        return {part[:1].decode(): part[1:].decode(errors="replace") for part in self.body.split(b"\0") if part}

    def columns(self):
        """Of DataRow, as text; None is NULL."""
        count, = struct.unpack_from("!h", self.body)
        at, values = 2, []
        for _ in range(count):
            size, = struct.unpack_from("!i", self.body, at)
            at += 4
            values.append(None if size < 0 else self.body[at:at + size].decode())
            at += max(size, 0)
        return values

    @property
    def tag(self):
        return self.body.rstrip(b"\0").decode()

    def __repr__(self):
        return f"{self.kind}{self.body!r}"


class Closed(ConnectionError):
    pass


class Wire:
    def __init__(self, port, dbname="postgres", user="postgres", parameters=None, login=True, version=PROTOCOL_3_0,
                 password=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(harness.DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.was_reset = False
        self.key = None
        self.parameters = {}
        self.greeting = []
        if login:
            self.send(startup_packet(version, user=user, database=dbname, **(parameters or {})))
            self.log_in(user, password)

    def log_in(self, user="postgres", password=None):
        """Reads up to ReadyForQuery; an ErrorResponse is the answer as well, as the last of `greeting`."""
        while True:
            got = self.read()
            self.greeting.append(got)
            if got.kind == "K":
                self.key = got.body
            elif got.kind == "S":
                name, value, _ = got.body.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif got.kind == "R" and got.body[:4] == struct.pack("!i", 5):
                inner = hashlib.md5((password + user).encode()).hexdigest()
                self.send(message("p", text("md5" + hashlib.md5(inner.encode() + got.body[4:8]).hexdigest())))
            elif got.kind == "R" and got.body[:4] == struct.pack("!i", 3):
                self.send(message("p", text(password)))
            elif got.kind in "ZE":
                return got

    def start_tls(self, context, direct=False, server_hostname="localhost"):
        """TLS on the connection, asked for first unless `direct`."""
        if not direct:
            self.send(SSL_REQUEST)
            assert self.take(1) == b"S"
        assert not self.buffer
        self.socket = context.wrap_socket(self.socket, server_hostname=server_hostname)

    def send(self, data):
        self.socket.sendall(data)

    def send_cut(self, data, size=1):
        """In pieces of `size` bytes, each in a segment of its own as far as TCP allows."""
        for at in range(0, len(data), size):
            self.socket.sendall(data[at:at + size])

    def _fill(self, size):
        while len(self.buffer) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Closed(f"closed with {self.buffer!r} unread")
            self.buffer += data

    def take(self, size):
        self._fill(size)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read(self):
        kind, size = struct.unpack("!ci", self.take(5))
        return Message(kind.decode("latin-1"), self.take(size - 4))

    def until(self, kinds="Z"):
        """Messages up to and including the first of these kinds."""
        got = []
        while not got or got[-1].kind not in kinds:
            got.append(self.read())
        return got

    def ask(self, data):
        """Sends, and reads up to ReadyForQuery."""
        self.send(data)
        return self.until("Z")

    def query(self, sql):
        return self.ask(query(sql))

    def run(self, sql):
        """Rows of a simple query, as text; an error is an exception. The shape of harness.Session."""
        got = self.query(sql)
        for one in got:
            if one.kind == "E":
                raise AssertionError(one.fields())
        return [tuple(one.columns()) for one in got if one.kind == "D"]

    def one(self, sql):
        (value,), = self.run(sql)
        return value

    def rest(self):
        """Everything up to the server's end of the connection."""
        data = self.buffer
        self.buffer = b""
        try:
            while got := self.socket.recv(1 << 16):
                data += got
        except ConnectionResetError:
            self.was_reset = True
        return data

    def is_silent(self, seconds=0.0):
        """Whether nothing is there to be read now."""
        self.socket.setblocking(False)
        try:
            end = time.monotonic() + seconds
            while True:
                try:
                    data = self.socket.recv(1 << 16)
                    self.buffer += data
                    if not data or self.buffer:
                        return False
                except BlockingIOError:
                    if time.monotonic() >= end:
                        return not self.buffer
                    time.sleep(0.005)
        finally:
            self.socket.settimeout(harness.DEADLINE)

    def shutdown(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()


def kinds(messages):
    return "".join(one.kind for one in messages)


def without_key(messages):
    """The bytes, but for what differs between any two connections: the cancel key."""
    return [(one.kind, b"" if one.kind == "K" else one.body) for one in messages]


def cancel_packet(key):
    """A CancelRequest with the body of a BackendKeyData."""
    return struct.pack("!ii", 12 + len(key) - 4, 80877102) + key


def cancel(port, key):
    """Sends one; returns when the other side has closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=harness.DEADLINE) as connection:
        connection.sendall(cancel_packet(key))
        with contextlib.suppress(ConnectionResetError):
            return connection.recv(1)
    return b""
