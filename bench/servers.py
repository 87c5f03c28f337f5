"""The processes and databases that a bench needs: started for it, watched for their CPU time, ended by id."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from config import VARIABLES
from tests.fakes.webhooks import ACCESS_TOKEN, APP_SECRET, BUSINESS_ACCOUNT_ID, PHONE_NUMBER_ID

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL_URL = os.environ.get("TEST_POSTGRES_URL") or "postgresql://test:test@127.0.0.1:5432/test"
REDIS_URL = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379"
REDIS_DATABASES = range(15, 0, -1)
REDIS_CLAIM = "balcao:test:claim"  # the tests' own mark: a bench beside them takes another number
REDIS_OURS = "balcao:test:ours"
START_SECS = 40.0
STOP_SECS = 15.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Unavailable(Exception):
    """A server that this measure needs is not there."""


@dataclass
class Running:
    """A started process with its children."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_secs(self) -> float:
        """User and system seconds of the process and its living children."""
        return sum(_cpu_of(pid) for pid in _family(self.process.pid))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECS)
            except subprocess.TimeoutExpired:
                for pid in _family(self.process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.wait()


@dataclass
class Site:
    """One desk: its folder, database and environment, and the processes that run for it."""

    folder: Path
    database: str
    database_url: str
    env: dict[str, str]
    running: list[Running] = field(default_factory=list)

    def start(self, name: str, command: list[str], **more: str) -> Running:
        """Start a process of this desk; its output goes to a file of the folder."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.env | more, stdout=output, stderr=subprocess.STDOUT
            )
        running = Running(name, process, log)
        self.running.append(running)
        return running

    def start_web(self, app: str = "main:app", name: str = "web", port: int = 0) -> str:
        """Serve `app` under the program's own gunicorn settings; gives its URL once it answers."""
        port = port or free_port()
        command = [sys.executable, "-m", "gunicorn", app, "-c", "gunicorn.conf.py"]
        running = self.start(name, command, PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        _await_http(url, running)
        return url

    def start_worker(self, number: int) -> Running:
        return self.start(f"worker-{number}", [sys.executable, "main.py", "worker"])

    def start_graph(self, *options: str) -> str:
        """Start the fake Graph API and point the desk at it, before its own processes; gives its URL."""
        command = [sys.executable, "-m", "tests.fakes.graph", "--journal", str(self.journal), *options]
        running = self.start("graph", command)
        deadline = time.monotonic() + START_SECS
        while not (url := running.log.read_text().strip()).startswith("http"):
            _check_alive(running, deadline)
        self.env["GRAPH_API_BASE_URL"] = url
        return url

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def prepare(self) -> None:
        """Make the schema and the first number, as a release does."""
        done = subprocess.run(
            [sys.executable, "cli.py", "init-db"], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        if done.returncode:
            raise Unavailable(f"init-db failed: {done.stderr.strip()[-600:]}")

    def cpu_secs(self) -> dict[str, float]:
        """CPU seconds by process name, with PostgreSQL's share for this database."""
        used = {running.name: running.cpu_secs() for running in self.running}
        if self.database == "postgresql":
            used["postgresql"] = _postgresql_cpu(urlsplit(self.database_url).path.lstrip("/"))
        return used

    def stop(self) -> None:
        for running in reversed(self.running):
            running.stop()


@contextlib.contextmanager
def site(database: str, *, with_redis: bool = False, **env: str) -> Iterator[Site]:
    """Give a desk with an empty database and folder of its own; all is ended and removed afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="balcao-bench-")))
        url = stack.enter_context(_database(database, folder))
        queue_url = stack.enter_context(_redis()) if with_redis else ""
        desk = Site(folder, database, url, _environment(folder, url, queue_url) | env)
        stack.callback(desk.stop)
        yield desk


def _environment(folder: Path, database_url: str, queue_url: str) -> dict[str, str]:
    ours = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return inherited | {
        "FLASK_SKIP_DOTENV": "1",
        "PYTHONPATH": str(ROOT),
        "APP_ENV": "production",
        "DEMO": "0",
        "SECRET_KEY": secrets.token_hex(32),
        "INSTANCE_DIR": str(folder),
        "DATABASE_URL": database_url,
        "QUEUE_URL": queue_url,
        "PUBLIC_BASE_URL": "http://127.0.0.1",
        "HOST": "127.0.0.1",
        "GRAPH_API_BASE_URL": "http://127.0.0.1:9",
        "WHATSAPP_ACCESS_TOKEN": ACCESS_TOKEN,
        "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
        "WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID,
        "WHATSAPP_APP_SECRET": APP_SECRET,
        "WHATSAPP_VERIFY_TOKEN": "bench",
        # The real number limit of 80 a second would be the figure otherwise.
        "RATE_LIMIT_PER_SECOND": "1000",
    }


@contextlib.contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    name = f"balcao_bench_{secrets.token_hex(6)}"
    try:
        connection = psycopg.connect(POSTGRESQL_URL, autocommit=True, connect_timeout=3)
    except psycopg.Error as error:
        raise Unavailable(f"no PostgreSQL (TEST_POSTGRES_URL): {str(error).splitlines()[0]}") from error
    with connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        try:
            parts = urlsplit(POSTGRESQL_URL)
            yield urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    """Take a Redis database that is empty; none at all when there is no Redis."""
    for number in REDIS_DATABASES:
        url = f"{REDIS_URL.rstrip('/')}/{number}"
        client = redis.Redis.from_url(url, socket_connect_timeout=3)
        try:
            is_mine = not client.dbsize() and client.set(REDIS_CLAIM, os.getpid(), nx=True, ex=1800)
        except redis.RedisError:
            yield ""
            return
        if is_mine:
            client.set(REDIS_OURS, "1")
            try:
                yield url
            finally:
                client.flushdb()
            return
    yield ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two looks, by process."""
    return {name: round(secs - before.get(name, 0.0), 2) for name, secs in after.items()}


def _await_http(url: str, running: Running) -> None:
    deadline = time.monotonic() + START_SECS
    while True:
        try:
            urllib.request.urlopen(f"{url}/webhook", timeout=2)
            return
        except urllib.error.HTTPError:
            return  # it answers, if only with a refusal
        except OSError:
            _check_alive(running, deadline)


def _check_alive(running: Running, deadline: float) -> None:
    if running.process.poll() is not None or time.monotonic() > deadline:
        raise Unavailable(f"{running.name} did not start: {running.log.read_text()[-800:]}")
    time.sleep(0.05)


def _family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(found for child in children for found in _family(child))]


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _postgresql_cpu(database: str) -> float:
    """CPU seconds of the server's processes for one database (writers and checkpoints not counted)."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"postgres:") and database.encode() in command:
            total += _cpu_of(int(folder.name))
    return total
