"""What every test may ask for: an empty database on each server, a free Redis database, a clean environment.

Servers are named by TEST_POSTGRES_URL, TEST_MARIADB_URL and TEST_REDIS_URL (`make services` prepares the
default ones). A test whose server is away is skipped, and one line at the end says what was left out; with
REQUIRE_SERVICES=1 it fails instead.
"""

import atexit
import gc
import os
import re
import secrets
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pymysql
import pytest
import redis
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

import config
import opening
import operators
import tasks
from app import create_app
from config import VARIABLES, Config
from models import db, utc_now
from tests import once, page_rows
from tests.browsing import sign_in
from tests.calling import Caller
from tests.page_rows import ADMIN_EMAIL
from tests.real_door import WalkedDesk, graph_desk
from tests.records import make_conversation

CONNECT_TIMEOUT_SECS = 15
REDIS_DATABASES = range(1, 16)
REDIS_CLAIM = "balcao:test:claim"
REDIS_OURS = "balcao:test:ours"
REDIS_CLAIM_SECS = 1800
LEFT_OUT = "left out, no "
# As Argon2 costs on purpose, it would be most of the time of every test that signs somebody in.
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


# --- The environment ----------------------------------------------------------------------------------------


def pytest_configure() -> None:
    """Forget the settings of this machine before anything reads one; programs that tests start inherit it."""
    for variable in VARIABLES:
        for name in (variable.name, *variable.aliases):
            os.environ.pop(name, None)
    folder = tempfile.mkdtemp(prefix="balcao-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["INSTANCE_DIR"] = folder
    os.environ["FLASK_SKIP_DOTENV"] = "1"
    once.install(Path(folder))
    operators._hasher = QUICK_HASHER
    operators._nobodys_hash = QUICK_HASHER.hash("nobody")
    # Machines are noisy: slowness is measured by benchmarks. CI draws the same examples at each run.
    settings.register_profile(
        "house",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize="CI" in os.environ,
    )
    settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Spare the garbage collector a million objects that stay: imports, and every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def load_config(tmp_path: Path) -> Callable[..., Config]:
    """Give a function that loads a `Config` of these variables alone, with an instance folder of its own."""

    def load(**environ: str) -> Config:
        return config.load({"INSTANCE_DIR": str(tmp_path / "instance"), **environ}, entry="test")

    return load


# --- Servers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A database server: what people call it, where it is, and how an empty database is made and dropped."""

    title: str
    variable: str
    default_url: str
    connect: Callable[[str], Any]
    create: str
    drop: str
    sessions: str  # the ids of those in a database of this name
    end_session: str

    @property
    def url(self) -> str:
        return os.environ.get(self.variable) or self.default_url


def _connect_postgresql(url: str) -> Any:
    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECS)


def _connect_mariadb(url: str) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECS,
        init_command="SET SESSION lock_wait_timeout = 10",
    )


SERVERS = {
    "postgresql": Server(
        title="PostgreSQL",
        variable="TEST_POSTGRES_URL",
        default_url="postgresql://test:test@127.0.0.1:5432/test",
        connect=_connect_postgresql,
        create="CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'",
        drop="DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        sessions="SELECT pid FROM pg_stat_activity WHERE datname = %s",
        end_session="SELECT pg_terminate_backend({})",
    ),
    "mariadb": Server(
        title="MariaDB",
        variable="TEST_MARIADB_URL",
        default_url="mysql://test:test@127.0.0.1:3306/test",
        connect=_connect_mariadb,
        create="CREATE DATABASE {name} CHARACTER SET utf8mb4",
        drop="DROP DATABASE IF EXISTS {name}",
        sessions="SELECT id FROM information_schema.processlist WHERE db = %s",
        end_session="KILL {}",
    ),
}
REDIS_VARIABLE = "TEST_REDIS_URL"
REDIS_DEFAULT_URL = "redis://127.0.0.1:6379"


def new_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the address of a new empty database (of sqlite, postgresql or mariadb); drop it afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / f'{secrets.token_hex(4)}.db'}"
        return
    server = SERVERS[kind]
    need(server.title, server.variable, _why_away(kind))
    name = f"balcao_test_{secrets.token_hex(6)}"
    _run_on(server, server.create.format(name=name))
    if kind == "postgresql":  # no test cuts the power
        _run_on(server, f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        parts = urlsplit(server.url)
        url = urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
        yield config.load({"DATABASE_URL": url, "INSTANCE_DIR": str(folder)}, entry="test").database_url
    finally:
        _end_sessions(kind, url)
        _run_on(server, server.drop.format(name=name))


# The databases of this process that hold the schema and no row, by server; migrating one takes seconds.
_kept: defaultdict[str, list[str]] = defaultdict(list)


def emptied_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the address of a database whose migrated tables are empty, and nobody else's until it comes back;
    of SQLite, where a file costs nothing, a new one without tables.
    """
    if kind == "sqlite":
        yield from new_database(kind, folder)
        return
    url = _kept[kind].pop() if _kept[kind] else _migrated(kind)
    try:
        yield url
    finally:
        _end_sessions(kind, url)
        _empty(url)
        _kept[kind].append(url)


def _migrated(kind: str) -> str:
    """Make one more database that stays until the process ends."""
    folder = Path(os.environ["INSTANCE_DIR"])
    databases = new_database(kind, folder)
    url = next(databases)
    atexit.register(next, databases, None)
    application = create_app(config.load({"DATABASE_URL": url, "INSTANCE_DIR": str(folder)}, entry="test"))
    with application.app_context():
        opening.migrate()
        db.engine.dispose()
    _empty(url)
    once.has_tables(url)
    return url


COUNTED_TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND auto_increment > 1"""


def _empty(url: str) -> None:
    """Delete every row, and let ids begin at 1 again."""
    engine = create_engine(url)
    tables = [table.name for table in reversed(db.metadata.sorted_tables)]
    is_postgresql = engine.dialect.name == "postgresql"
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in tables)
    with engine.begin() as connection:
        if not is_postgresql:
            connection.execute(text("SET foreign_key_checks = 0"))
        rows = set(connection.scalars(text(filled)))
        for name in (name for name in tables if name in rows):
            connection.execute(text(f"DELETE FROM {name}"))
        if is_postgresql:
            connection.execute(text("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"))
            counted = ()
        else:  # a table without rows may have counted, too: a rollback takes no id back
            counted = tuple(connection.scalars(text(COUNTED_TABLES)))
        for name in counted:
            connection.execute(text(f"ALTER TABLE {name} AUTO_INCREMENT = 1"))
    engine.dispose()


def _run_on(server: Server, statement: str) -> None:
    connection = server.connect(server.url)
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def _end_sessions(kind: str, url: str) -> None:
    """End what a failed test left open: its locks would be waited for."""
    name, server = urlsplit(url).path[1:], SERVERS[kind]
    connection = server.connect(server.url)
    try:
        cursor = connection.cursor()
        cursor.execute(server.sessions, (name,))
        for (session_id,) in cursor.fetchall():
            with _already_gone():
                cursor.execute(server.end_session.format(session_id))
    finally:
        connection.close()


@contextmanager
def _already_gone() -> Iterator[None]:
    try:
        yield
    except pymysql.err.OperationalError as error:
        if error.args[0] != pymysql.constants.ER.NO_SUCH_THREAD:
            raise


@cache
def _why_away(kind: str) -> str:
    """Say why a server cannot be used, or nothing when it can. Asked once per run."""
    server = SERVERS[kind]
    try:
        server.connect(server.url).close()
    except (psycopg.Error, pymysql.Error, OSError) as error:
        return _first_line(error)
    return ""


@cache
def _why_redis_away() -> str:
    try:
        with redis.Redis.from_url(_redis_url(), socket_connect_timeout=CONNECT_TIMEOUT_SECS) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return _first_line(error)
    return ""


def _redis_url() -> str:
    return os.environ.get(REDIS_VARIABLE) or REDIS_DEFAULT_URL


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def need(title: str, variable: str, why_away: str) -> None:
    if not why_away:
        return
    reason = f"{LEFT_OUT}{title} ({variable}): {why_away}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but {reason}", pytrace=False)
    pytest.skip(reason)


DATABASES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb),
]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an empty desk's database of its own to each test, on each kind of server in turn."""
    yield from emptied_database(request.param, tmp_path)


@pytest.fixture(scope="module", params=DATABASES)
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give one empty desk's database to all tests of a module, on each kind of server in turn."""
    yield from emptied_database(request.param, tmp_path_factory.mktemp("database"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    yield from new_database("sqlite", tmp_path)


@pytest.fixture
def postgresql_url(tmp_path: Path) -> Iterator[str]:
    yield from emptied_database("postgresql", tmp_path)


@pytest.fixture
def mariadb_url(tmp_path: Path) -> Iterator[str]:
    yield from emptied_database("mariadb", tmp_path)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Give a Redis database that is empty and nobody else's; it is emptied afterwards."""
    need("Redis", REDIS_VARIABLE, _why_redis_away())
    for number in REDIS_DATABASES:
        url = re.sub(r"/[0-9]*$", "", _redis_url()) + f"/{number}"
        with redis.Redis.from_url(url) as client:
            if not _claim(client):
                continue
            try:
                yield url
            finally:
                client.flushdb()
            return
    pytest.fail("every Redis database from 1 to 15 is in use; empty one", pytrace=False)


def _claim(client: Any) -> bool:
    """Take a database that is empty, or that a killed run of these tests left behind."""
    if client.dbsize() and not client.exists(REDIS_OURS):
        return False
    if not client.set(REDIS_CLAIM, os.getpid(), nx=True, ex=REDIS_CLAIM_SECS):
        return False
    client.set(REDIS_OURS, "1")
    leftovers = [key for key in client.scan_iter() if key.decode() not in (REDIS_CLAIM, REDIS_OURS)]
    if leftovers:
        client.delete(*leftovers)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell in one line which tests a missing server left out."""
    left_out: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if LEFT_OUT in reason:
            left_out[reason.split(LEFT_OUT)[1].split(" (")[0]] += 1
    if left_out:
        parts = ", ".join(f"{count} without {title}" for title, count in sorted(left_out.items()))
        terminalreporter.write_line(
            f"Left out: {parts} (`make services` starts what is installed).", yellow=True
        )


# --- The application ----------------------------------------------------------------------------------------


@pytest.fixture
def app(load_config: Callable[..., Config]) -> Iterator[Flask]:
    """Give the whole application on an empty SQLite database of its own."""
    application = create_app(load_config())
    with application.app_context():
        db.create_all()
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    """A browser in which an admin is signed in; an agent and a manager are there too."""
    with app.app_context():
        page_rows.people()
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    return client


# --- a desk to walk through ---------------------------------------------------------------------------------


@pytest.fixture
def desk_environ() -> dict[str, str]:
    """What `desk` has beside its Meta number; a file of tests may give its own."""
    return {}


@pytest.fixture
def desk(load_config: Callable[..., Config], desk_environ: dict[str, str]) -> Iterator[WalkedDesk]:
    with graph_desk(load_config, **desk_environ) as opened:
        yield opened


@pytest.fixture
def any_desk(
    load_config: Callable[..., Config], desk_environ: dict[str, str], database_url: str
) -> Iterator[WalkedDesk]:
    """The same desk on each kind of database."""
    with graph_desk(load_config, DATABASE_URL=database_url, **desk_environ) as opened:
        yield opened


# --- programs with a key ------------------------------------------------------------------------------------


@pytest.fixture
def program(app: Flask) -> Caller:
    return Caller(app)


@pytest.fixture
def thread(app: Flask) -> dict[str, int]:
    """A conversation whose service window is open, by the ids that a program knows."""
    with app.app_context():
        row = make_conversation()
        row.last_inbound_at = utc_now() - timedelta(minutes=5)
        db.session.commit()
        return {"id": row.id, "contact_id": row.contact_id, "integration_id": row.integration_id}


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whose outbox was woken."""
    calls: list[int] = []
    monkeypatch.setattr(tasks, "wake_outbox", calls.append)
    return calls
