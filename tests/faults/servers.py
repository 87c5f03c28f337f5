"""A PostgreSQL and a Redis of a storm's own, which it may stop in the middle of work."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from tests.crash.processes import free_port

DEBIANS_POSTGRESQL = Path("/usr/lib/postgresql")
SERVERS_OWN_USER = "postgres"  # PostgreSQL refuses to run as root
DATABASE = "storm"
START_SECS = 120.0


class ServerMissing(Exception):
    """The programs of a server are not installed."""


@dataclass
class OwnPostgresql:
    """A cluster in a folder; `crash` and `start` may follow each other as often as wanted."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{SERVERS_OWN_USER}@127.0.0.1:{self.port}/{DATABASE}"

    def make(self) -> None:
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", SERVERS_OWN_USER, "-E", "UTF8"
        )
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", SERVERS_OWN_USER, DATABASE)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        log = str(self.folder / "server.log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def crash(self) -> None:
        """End it as a power cut would: no connection is told, the log is replayed at the next start."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def is_up(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", SERVERS_OWN_USER, "--", *command]
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_SECS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')[-600:]}")


@contextlib.contextmanager
def own_postgresql() -> Iterator[OwnPostgresql]:
    """Give a running, empty cluster; it is ended and removed afterwards. Raises ServerMissing."""
    programs = next(iter(sorted(DEBIANS_POSTGRESQL.glob("*/bin"), reverse=True)), None)
    if programs is None or not (programs / "initdb").exists():
        raise ServerMissing("PostgreSQL's initdb is not installed")
    folder = Path(tempfile.mkdtemp(prefix="balcao-storm-"))
    server = OwnPostgresql(folder, programs, free_port())
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SERVERS_OWN_USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server.make()
        yield server
    finally:
        if server.is_up():
            server.crash()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class OwnRedis:
    """A Redis that keeps nothing on disk: a restart forgets every wake-up."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [
            self.program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError("Redis did not start")
            time.sleep(0.05)

    def crash(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_connect_timeout=5) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


@contextlib.contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """Give a running, empty Redis; it is ended afterwards. Raises ServerMissing."""
    program = shutil.which("redis-server")
    if program is None:
        raise ServerMissing("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="balcao-storm-") as folder:
        server = OwnRedis(program, Path(folder), free_port())
        try:
            server.start()
            yield server
        finally:
            server.crash()
