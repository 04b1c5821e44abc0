"""What an idle connection costs pgmemo: the growth of its resident memory, per connection, with and without TLS.

    integration/idle_memory.py [CONNECTIONS]
"""
import contextlib
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

import certificates
import harness
import wire


def measure(cluster, authority, count, client_tls, upstream_tls):
    certificate, key = authority.issue("pgmemo")
    pgmemo = harness.Pgmemo(f"{cluster.uri()}?sslmode={'require' if upstream_tls else 'disable'}",
                            {"pool": {"max_upstream": count + 100}, "tls": {"certificate": certificate, "key": key}})
    context = ssl.create_default_context(cafile=authority.bundle)

    def connect(_):
        client = wire.Wire(pgmemo.port, login=False)
        client.socket.settimeout(120)
        if client_tls:
            client.start_tls(context)
        client.send(wire.startup_packet(user="postgres", database="postgres"))
        assert client.log_in().kind == "Z"
        assert client.one("SELECT 1") == "1"
        return client

    warm = [connect(0) for _ in range(20)]  # what is paid once
    before = pgmemo.rss_bytes()
    with ThreadPoolExecutor(4) as pool:
        clients = list(pool.map(connect, range(count)))
    grown = pgmemo.rss_bytes() - before
    for client in warm + clients:
        client.close()
    pgmemo.stop()
    return grown / count


def main():
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
