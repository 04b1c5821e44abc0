"""What ./dev bench compares: each is started here, each answers the same questions, and each says what it has cost."""
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "integration"))

import harness  # noqa: E402  (the tests' own way to start servers)

DATABASE = "bench"
_TICK = os.sysconf("SC_CLK_TCK")


def _family(pid):
    """A process and all that it has started. Not by /proc/PID/task/*/children, which leaves some out while others end."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(") ", 1)[1].split()[1])
        except OSError:  # it has just ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


class Usage:
    """What the processes of one program have used up to now; differences are what counts."""

    def __init__(self, pids):
        self.cpu_ns = self.switches = 0
        self.ended_ns = 0
        for pid in pids:
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    self.cpu_ns += int((task / "schedstat").read_text().split()[0])
                    self.switches += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())))
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                self.ended_ns += (int(fields[13]) + int(fields[14])) * 1_000_000_000 // _TICK  # of children that ended
            except OSError:  # it has just ended
                continue

    def since(self, before):
        return {"cpu_seconds": (self.cpu_ns + self.ended_ns - before.cpu_ns - before.ended_ns) / 1e9,
                "switches": self.switches - before.switches}


def peak_bytes(pids):
    """The sum of what each process had in memory at most; what they share counts once for each."""
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024
        except (OSError, TypeError):
            continue
    return total


class Contestant:
    """`name`, `port`, and the programs whose time counts: name of the program -> its first process."""

    def __init__(self, name, port, programs):
        self.name = name
        self.port = port
        self.programs = programs

    def usage(self):
        return {program: Usage(_family(pid)) for program, pid in self.programs.items()}

    def peak_bytes(self):
        return {program: peak_bytes(_family(pid)) for program, pid in self.programs.items()}

    def own_pids(self):
        """Of the program itself, without what stands behind it."""
        return _family(next(iter(self.programs.values())))


def _spawn(command, home, as_owner=False):
    log = open(home / "log", "ab")
    wrapped = harness._owner_command(command, "KILL") if as_owner else ["setpriv", "--pdeathsig=KILL", *map(str, command)]
    return subprocess.Popen(wrapped, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


class Field:
    """All the contestants; they end with `stop`."""

    def __init__(self, threads, postgres_settings=None):
        self.threads = threads
        self.running = []
        self.postgres = harness.Postgres(shared_buffers="512MB", wal_level="replica", synchronous_commit="off",
                                         **(postgres_settings or {}))
        self.postgres.run(f"CREATE DATABASE {DATABASE}")
        self.contestants = {}
        self._behind = {"postgres": self.postgres.process.pid}

    def _add(self, name, port, process=None, behind=True):
        programs = {} if process is None else {name: process.pid}
        if behind:
            programs.update(self._behind)
        self.contestants[name] = Contestant(name, port, programs)
        if process is not None:
            self.running.append(process)
            harness.eventually(lambda: self._answers(port, process, name), f"{name} answers", 30)

    @staticmethod
    def _answers(port, process, name):
        if process.poll() is not None:
            raise RuntimeError(f"{name} has ended with {process.returncode}")
        import socket
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def add_null_responder(self, rows=1, width=1, name="null responder"):
        home = harness.WORK.fresh("null")
        port = harness.free_port()
        self._add(name, port, _spawn([ROOT / "build" / "null_responder", "--port", port, "--threads", self.threads,
                                      "--rows", rows, "--width", width], home), behind=False)

    def add_postgres(self):
        self._add("postgres", self.postgres.port)

    def add_pgmemo(self, name="pgmemo", **config):
        pgmemo = harness.Pgmemo(self.postgres, {"threads": self.threads, "limits": {"max_clients": 20_000},
                                                "pool": {"max_upstream": 10_000}, **config})
        session = pgmemo.session(DATABASE)
        pgmemo.warm(session, "SELECT abalance FROM accounts WHERE aid = 1", 60)
        session.close()
        self.contestants[name] = Contestant(name, pgmemo.port, {"pgmemo": pgmemo.process.pid, **self._behind})
        self.contestants[name].pgmemo = pgmemo
        return pgmemo

    def add_pgbouncer(self):
        """Session mode. Source: pgbouncer's manual, "config"."""
        program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        home, port = self._owned("pgbouncer")
        (home / "users.txt").write_text('"postgres" ""\n')
        (home / "pgbouncer.ini").write_text(f"""
[databases]
{DATABASE} = host=127.0.0.1 port={self.postgres.port} dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users.txt
pool_mode = session
max_client_conn = 10000
default_pool_size = 6000
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
stats_period = 3600
""")
        self._add("pgbouncer", port, _spawn([program, home / "pgbouncer.ini"], home, as_owner=True))

    def add_pgpool(self):
        """With its query cache, in shared memory. Source: Pgpool-II's manual, "In Memory Query Cache"."""
        program = shutil.which("pgpool", path=os.environ["PATH"] + ":/usr/sbin")
        home, port = self._owned("pgpool")
        oids = home / "oids"
        oids.mkdir()
        if harness.IS_ROOT:
            shutil.chown(oids, harness.SERVER_USER, harness.SERVER_USER)
        (home / "pgpool.conf").write_text(f"""
backend_clustering_mode = 'raw'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{home}'
pcp_listen_addresses = ''
pcp_port = {harness.free_port()}
pcp_socket_dir = '{home}'
backend_hostname0 = '127.0.0.1'
backend_port0 = {self.postgres.port}
pid_file_name = '{home}/pid'
logdir = '{home}'
work_dir = '{home}'
num_init_children = 64
max_pool = 1
child_life_time = 0
enable_pool_hba = off
pool_passwd = ''
health_check_period = 0
sr_check_period = 0
memory_cache_enabled = on
memqcache_method = 'shmem'
memqcache_total_size = 256MB
memqcache_max_num_cache = 1000000
memqcache_expire = 0
memqcache_auto_cache_invalidation = on
memqcache_maxcache = 400kB
memqcache_cache_block_size = 1MB
memqcache_oiddir = '{oids}'
log_min_messages = error
""")
        for empty in ("pcp.conf", "pool_hba.conf"):
            (home / empty).write_text("")
        self._add("pgpool", port, _spawn([program, "-n", "-f", home / "pgpool.conf", "-F", home / "pcp.conf",
                                          "-a", home / "pool_hba.conf"], home, as_owner=True))

    @staticmethod
    def _owned(name):
        home = harness.WORK.fresh(name)
        if harness.IS_ROOT:
            shutil.chown(home, harness.SERVER_USER, harness.SERVER_USER)
        return home, harness.free_port()

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        harness.stop_everything()
