"""Real Redis servers for the tests of the remote tier: on free ports, in folders of the run, dying with it."""
import contextlib
import os
import signal
import socket
import subprocess

import harness
from harness import WORK, eventually, free_port, tail


class Redis:
    """One redis-server. `settings` are words of its command line: Redis("--maxmemory", "1mb")."""

    def __init__(self, *settings, port=None, password=None, tls=False):
        self.home = WORK.fresh("redis")
        self.log = self.home / "log"
        self.port = port or free_port()
        self.settings = [self.port if word == "PORT" else word for word in settings]
        self.password = password
        self.tls = tls
        self.process = None
        self.start()

    def start(self):
        words = ["redis-server", *([] if self.tls else ["--port", self.port]), "--bind", "127.0.0.1", "--save", "", "--dir", self.home,
                 "--daemonize", "no", *self.settings]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", *map(str, words)], cwd=self.home,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        harness._running.add(self)
        eventually(self._answers, lambda: f"Redis answers\n{tail(self.log)}")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Redis ended with {self.process.returncode}\n{tail(self.log)}")
        try:
            if self.tls:
                socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
            else:
                self.ask("PING")
            return True
        except OSError:
            return False

    def url(self, database=None):
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}" + (f"/{database}" if database is not None else "")

    def ask(self, *words):
        """One command; its answer: bytes, an int, None or a list of such. An error of Redis is a RuntimeError."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            stream = connection.makefile("rwb")
            if self.password:
                self._say(stream, "AUTH", self.password)
            return self._say(stream, *words)

    def _say(self, stream, *words):
        stream.write(b"*%d\r\n" % len(words))
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            stream.write(b"$%d\r\n%s\r\n" % (len(word), word))
        stream.flush()
        return self._read(stream)

    def _read(self, stream):
        line = stream.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return stream.read(int(rest) + 2)[:-2]
        return [self._read(stream) for _ in range(int(rest))]

    def keys(self, pattern="*"):
        return sorted(self.ask("KEYS", pattern))

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        harness._running.discard(self)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, how=signal.SIGTERM):
        harness._running.discard(self)
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.resume()
            self.process.send_signal(how)
            self.process.wait(30)
