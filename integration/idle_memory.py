"""What an idle connection costs pgmemo: the growth of its resident memory, per connection, with and without TLS.

    integration/idle_memory.py [CONNECTIONS]
    integration/idle_memory.py crowd [PLAIN] [TLS]    # so many idle ones (5000 and 1000) while 8 are busy
"""
import contextlib
import re
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import certificates
import harness
import wire


def start(cluster, authority, count, upstream_tls):
    certificate, key = authority.issue("pgmemo")
    return harness.Pgmemo(f"{cluster.uri()}?sslmode={'require' if upstream_tls else 'disable'}",
                          {"pool": {"max_upstream": count + 100}, "limits": {"max_clients": count + 100},
                           "tls": {"certificate": certificate, "key": key}})


def connect(pgmemo, context):
    """Over TLS where there is a context."""
    client = wire.Wire(pgmemo.port, login=False)
    client.socket.settimeout(120)
    if context:
        client.start_tls(context)
    client.send(wire.startup_packet(user="postgres", database="postgres"))
    assert client.log_in().kind == "Z"
    assert client.one("SELECT 1") == "1"
    return client


def measure(cluster, authority, count, client_tls, upstream_tls):
    pgmemo = start(cluster, authority, count, upstream_tls)
    context = ssl.create_default_context(cafile=authority.bundle) if client_tls else None
    warm = [connect(pgmemo, context) for _ in range(20)]  # what is paid once
    before = pgmemo.rss_bytes()
    with ThreadPoolExecutor(4) as pool:
        clients = list(pool.map(lambda _: connect(pgmemo, context), range(count)))
    grown = pgmemo.rss_bytes() - before
    for client in warm + clients:
        client.close()
    pgmemo.stop()
    return grown / count


def hold_a_crowd(plain, tls):
    authority = certificates.Authority()
    with contextlib.ExitStack() as stack:
        cluster = harness.Postgres(max_connections=plain + tls + 100, shared_buffers="32MB")
        stack.callback(cluster.stop)
        pgmemo = start(cluster, authority, plain + tls, False)
        stack.callback(pgmemo.stop)
        context = ssl.create_default_context(cafile=authority.bundle)
        subprocess.run(["pgbench", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres", "-i", "-q", "postgres"],
                       check=True, capture_output=True)

        def busy(label):
            """Eight clients of pgbench, prepared, for some seconds."""
            before = pgmemo.queries("hit")
            said = subprocess.run(["pgbench", "-h", "127.0.0.1", "-p", str(pgmemo.port), "-U", "postgres", "-n", "-S", "-M", "prepared",
                                   "-c", "8", "-j", "2", "-T", "10", "postgres"], text=True, capture_output=True, check=True).stdout
            rate = re.search(r"tps = ([\d.]+)", said)[1]
            print(f"{label}: 8 busy connections ask {rate} queries a second, {pgmemo.queries('hit') - before:.0f} hits", flush=True)

        busy("alone")
        before = pgmemo.rss_bytes()
        with ThreadPoolExecutor(4) as pool:
            clients = list(pool.map(lambda n: connect(pgmemo, context if n >= plain else None), range(plain + tls)))
        print(f"{plain} plain and {tls} TLS connections are open and idle: {(pgmemo.rss_bytes() - before) / 1e6:.1f} MB", flush=True)
        busy("beside them")
        for client in clients[:: max(1, len(clients) // 100)]:
            assert client.one("SELECT 1") == "1"
        print(f"every {max(1, len(clients) // 100)}th of them still answers", flush=True)
        for client in clients:
            client.close()


def main():
    if sys.argv[1:2] == ["crowd"]:
        plain, tls = [int(word) for word in sys.argv[2:]] or (5000, 1000)
        return hold_a_crowd(plain, tls)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    authority = certificates.Authority()
    certificate, key = authority.issue("server")
    cluster = harness.Postgres(ssl="on", ssl_cert_file=certificate, ssl_key_file=key, max_connections=count + 100,
                               shared_buffers="32MB")
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.stop)
        for client_tls, upstream_tls in ((False, False), (True, False), (True, True)):
            each = measure(cluster, authority, count, client_tls, upstream_tls)
            print(f"{count} idle connections, TLS to the client {'on' if client_tls else 'off'}, to PostgreSQL "
                  f"{'on' if upstream_tls else 'off'}: {each / 1024:.1f} KiB each", flush=True)


if __name__ == "__main__":
    main()
