import faulthandler
import itertools
import signal
import threading

import pytest

import harness

TEST_SECONDS = 120 * (4 if harness.SANITIZER else 1)

_names = itertools.count(1)


def pytest_sessionstart(session):
    if not harness.BINARY.exists():
        raise pytest.UsageError(f"no {harness.BINARY}: build it first (./dev build), or set PGMEMO_BINARY")
    # SIGTERM ends the run as Ctrl-C does, so that everything that was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 1))


def pytest_collection_modifyitems(config, items):
    """What depends on the server's version does not depend on the client's protocol: the short run has one of them."""
    if config.option.markexpr == "versions":
        def is_wanted(item):
            chosen = item.callspec.params if hasattr(item, "callspec") else {}
            return chosen.get("reads_by", "simple") == chosen.get("writes_by", "simple") == "simple"

        items[:] = [item for item in items if is_wanted(item)]


@pytest.fixture(autouse=True)
def no_test_hangs():
    """After too long, kills what the test waits for: every blocked client then fails, and says where it stood."""
    def expired():
        faulthandler.dump_traceback()
        for thing in harness.running():
            thing.process.kill()

    timer = threading.Timer(TEST_SECONDS, expired)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for name, thing in item.funcargs.items():
            if isinstance(thing, (harness.Pgmemo, harness.Postgres)):
                report.sections.append((f"log of {name}", harness.tail(thing.log)))


@pytest.fixture(scope="session")
def postgres():
    """The cluster that most tests share; each has databases of its own in it."""
    cluster = harness.Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture
def own_postgres():
    """A cluster for one test, which may stop it or break it."""
    cluster = harness.Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture
def create_database(postgres):
    made = []

    def create(template="template1"):
        name = f"test_{next(_names)}"
        postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return name

    yield create
    for name in made:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def create_role(postgres, create_database):
    made = []

    def create(attributes="LOGIN"):
        name = f"role_{next(_names)}"
        postgres.run(f"CREATE ROLE {name} {attributes}")
        made.append(name)
        return name

    yield create
    # Before the databases go: what they own or were granted goes with them.
    for (database,) in postgres.run("SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1'"):
        for name in made:
            postgres.run(f"DROP OWNED BY {name} CASCADE", database)
    for name in made:
        postgres.run(f"DROP ROLE {name}")


@pytest.fixture
def database(create_database):
    """A fresh database with the table that most tests read: items(id, name, price), rows 1 to 5."""
    return create_database()


@pytest.fixture
def direct(postgres, database):
    """A session on that database around pgmemo: the judge."""
    connection = postgres.connect(database)
    session = harness.Session(connection)
    session.run("CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);"
                "INSERT INTO items SELECT n, 'item ' || n, n * 10 FROM generate_series(1, 5) n")
    yield session
    connection.close()


@pytest.fixture
def pgmemo(postgres, database, direct):
    """pgmemo in front of the shared cluster, with the test's own database for its catalog."""
    process = harness.Pgmemo(postgres.uri(database))
    yield process
    process.stop()


@pytest.fixture
def client(pgmemo, database, direct):
    """A session through pgmemo on the test's own database, where items is."""
    return pgmemo.session(database)


@pytest.fixture
def other(pgmemo, database, direct):
    """Another one."""
    return pgmemo.session(database)


@pytest.fixture(params=harness.READ_PROTOCOLS)
def reads_by(request):
    """The protocol that a test reads by."""
    return request.param


@pytest.fixture(params=harness.WRITE_PROTOCOLS)
def writes_by(request):
    """The protocol in which that comes which changes what is read."""
    return request.param
