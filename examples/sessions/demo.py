"""Logs a user in through one instance, reads the session through the other, logs out through the first, and shows that the
second knows at once. Run by `./dev example sessions`; exits 1 if anything is not as promised."""
import http.client
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "integration"))

import harness  # noqa: E402: it is found by the path above
from stores import Redis  # noqa: E402: it is found by the path above

MODULES = HERE / "node_modules" if (HERE / "node_modules").exists() else harness.ROOT / "integration/drivers/node/node_modules"


def say(text):
    print(text, flush=True)


class Browser:
    def __init__(self, port):
        self.port = port
        self.cookie = ""

    def ask(self, method, path):
        """(status, body, the instance that answered)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers={"Cookie": self.cookie} if self.cookie else {})
        reply = connection.getresponse()
        self.cookie = (reply.getheader("Set-Cookie") or self.cookie).split(";")[0]
        return reply.status, reply.read().decode().strip(), reply.getheader("X-Instance")

    def ask_through(self, instance, method, path):
        """The balancer takes turns: asked again, it is the other one. Only for what may be asked twice."""
        while True:
            status, body, answered = self.ask(method, path)
            if answered == instance:
                return status, body


def main():
    postgres = harness.Postgres()
    postgres.run((HERE / "schema.sql").read_text())
    store = Redis()
    pgmemos = [harness.Pgmemo(postgres, {"cache": {"remote": store.url(), "remote_lease": "1s"}}) for _ in range(2)]
    ports = {name: harness.free_port() for name in ("WEB_PORT", "ONE_PORT", "TWO_PORT")}
    environment = {**os.environ, **{name: str(port) for name, port in ports.items()}, "NODE_PATH": str(MODULES)}
    started = []
    try:
        for name, pgmemo in zip(("one", "two"), pgmemos):
            url = f"postgresql://postgres@127.0.0.1:{pgmemo.port}/postgres"
            started.append(subprocess.Popen(["setpriv", "--pdeathsig=KILL", "node", str(HERE / "app.js")], env={
                **environment, "NAME": name, "PORT": str(ports[f"{name.upper()}_PORT"]), "DATABASE_URL": url}))
        started.append(subprocess.Popen(["setpriv", "--pdeathsig=KILL", "haproxy", "-db", "-f", str(HERE / "haproxy.cfg")],
                                        env=environment))
        browser = Browser(ports["WEB_PORT"])

        def answers():
            try:
                return {browser.ask("GET", "/ready")[2] for _ in range(4)} == {"one", "two"}
            except OSError:
                return False

        harness.eventually(answers, "both instances answer")
        say(f"two instances behind 127.0.0.1:{ports['WEB_PORT']}, a pgmemo each, Redis on {store.port}")
        play(browser, pgmemos)
    finally:
        for process in started:
            process.kill()
            process.wait()
        for pgmemo in pgmemos:
            pgmemo.stop()
        store.stop()
        postgres.stop()


def play(browser, pgmemos):
    status, _, first = browser.ask("POST", "/login?user=ann")
    assert status == 200
    second = "two" if first == "one" else "one"
    say(f"ann logs in through {first}")
    status, body = browser.ask_through(second, "GET", "/")
    say(f"{second} knows her: {body}")
    assert status == 200 and '"ann"' in body

    def hits():
        return [pgmemo.queries("hit") for pgmemo in pgmemos]

    def both_hit():
        before = hits()
        for _ in range(4):
            assert browser.ask("GET", "/")[0] == 200
        return all(now > then for now, then in zip(hits(), before))

    harness.eventually(both_hit, "her session is read from the cache through both")
    shared = sum(pgmemo.metrics().sum("pgmemo_remote_lookups_total", outcome="hit") for pgmemo in pgmemos)
    say(f"her session is read from the cache through both; what one had read the other found in Redis {shared:.0f} times")

    assert browser.ask("POST", "/cart?item=book")[0] == 200
    for _ in range(4):
        status, body, instance = browser.ask("GET", "/")
        assert status == 200 and "book" in body, body
    say("a book in the cart: both show it at once")

    cookie = browser.cookie
    for turn in range(20):
        browser.cookie = ""
        first = browser.ask("POST", "/login?user=ann")[2]
        second = "two" if first == "one" else "one"
        for _ in range(4):
            assert browser.ask("GET", "/")[0] == 200
        mine = browser.cookie
        # Whoever takes the logout, the other is asked next: the balancer takes turns.
        status, _, ended_by = browser.ask("POST", "/logout")
        assert status == 200
        status, _, asked = browser.ask("GET", "/")
        assert asked != ended_by and status == 401 and mine == browser.cookie, (asked, ended_by, status)
    say("twenty times: log in, be read through both, log out through one; the other knew with the next request")
    browser.cookie = cookie
    assert browser.ask("GET", "/")[0] == 200, "and nobody else was logged out"
    say("done")


if __name__ == "__main__":
    main()
