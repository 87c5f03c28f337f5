"""One desk as processes of its own: web, workers and the fake Graph API, with customers that write to it.

Used by the tests of this folder only. Everything that was started is ended by its own process id.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, create_engine, select

from config import VARIABLES
from models import Message, Turn, WebhookEvent, Worker, prepare_engine
from tests.fakes import graph, twilio
from tests.fakes.graph import SentMessage
from tests.fakes.twilio import TwilioMessage
from tests.fakes.webhooks import BUSINESS_ACCOUNT_ID, MetaWebhooks, TwilioWebhooks, Webhook
from tests.real_door import META, TWILIO

ROOT = Path(__file__).resolve().parents[2]
START_SECS = 300.0
POST_TRIES = 150
POST_PAUSE_SECS = 0.2
END_SECS = 60.0
STILL_OPEN = ("pending", "unmatched")


@dataclass
class Site:
    """One desk's processes, their environment and what they have done."""

    folder: Path
    database_url: str
    env: dict[str, str]
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT
            )
        self.running[name] = process
        return process

    def start_graph(self, *options: str) -> str:
        """Start the fake Graph API, which posts its receipts to our door; gives its URL."""
        url = self._start_fake("graph", "--webhook-url", f"{self.url}/webhook", *options)
        self.env["GRAPH_API_BASE_URL"] = url
        return url

    def start_twilio(self, *options: str) -> str:
        """Start the fake Twilio, by which the desk has a second number; gives its URL."""
        url = self._start_fake("twilio", *options)
        # Twilio signs the address that it calls, and posts its receipts to one that we name.
        self.env |= TWILIO | {"TWILIO_API_BASE_URL": url, "PUBLIC_BASE_URL": self.url}
        return url

    def _start_fake(self, name: str, *options: str) -> str:
        journal = str(self.folder / f"{name}.jsonl")
        self.start(name, "-m", f"tests.fakes.{name}", "--journal", journal, *options)
        log = self.folder / f"{name}.log"
        self.wait_until(lambda: log.read_text().startswith("http"), START_SECS)
        return log.read_text().split()[0]

    def init_db(self) -> None:
        subprocess.run(
            [sys.executable, "cli.py", "init-db"], cwd=ROOT, env=self.env, check=True, capture_output=True
        )

    def start_gunicorn(self) -> None:
        self.start("web", "-m", "gunicorn", "main:app", "-c", "gunicorn.conf.py")
        self.wait_until(self.answers, START_SECS)

    def answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/healthz", timeout=10).status_code == 200
        return False

    def kill(self, name: str) -> None:
        """SIGKILL: no handler runs, nothing is finished."""
        process = self.running[name]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(END_SECS)

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.running.values()):
            try:
                process.wait(END_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_SECS)

    def wait_until(self, condition: Any, timeout_secs: float) -> None:
        deadline = time.monotonic() + timeout_secs
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {timeout_secs} s; logs:\n{self.last_words()}")
            time.sleep(0.1)

    def last_words(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def journal(self) -> list[SentMessage]:
        return graph.read_journal(self.folder / "graph.jsonl")

    def twilio_journal(self) -> list[TwilioMessage]:
        return twilio.read_journal(self.folder / "twilio.jsonl")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        engine = self._engine()
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        engine = create_engine(self.database_url)
        if not self.database_url.startswith("sqlite"):
            prepare_engine(engine)
        return engine

    def worker_count(self) -> int:
        """Count the workers that ever told that they live."""
        with self.reading() as connection:
            return len(connection.execute(select(Worker.name)).all())

    def is_at_rest(self) -> bool:
        """Tell whether no event waits and nothing is left to send."""
        with self.reading() as connection:
            events = select(WebhookEvent.id).where(WebhookEvent.state.in_(STILL_OPEN)).limit(1)
            outbox = select(Message.id).where(Message.send_due_at.is_not(None)).limit(1)
            return connection.execute(events).first() is None and connection.execute(outbox).first() is None


@contextlib.contextmanager
def site(folder: Path, database_url: str, queue_url: str = "", **env: str) -> Iterator[Site]:
    """Give a desk with nothing running yet; ends all that it started."""
    port = free_port()
    desk = Site(folder, database_url, _environment(folder, database_url, queue_url, port) | env, port)
    try:
        yield desk
    finally:
        desk.stop()


def _environment(folder: Path, database_url: str, queue_url: str, port: int) -> dict[str, str]:
    ours = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return inherited | META | {
        "FLASK_SKIP_DOTENV": "1",
        "PYTHONPATH": str(ROOT),
        "APP_ENV": "production",
        "DEMO": "0",
        "SECRET_KEY": "of the crash tests only",
        "INSTANCE_DIR": str(folder),
        "DATABASE_URL": database_url,
        "QUEUE_URL": queue_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "WEB_THREADS": "8",
        "RATE_LIMIT_PER_SECOND": "1000",
        "WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID,
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# --- customers ----------------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """Customers who all say the same things, each in order, all at once; a post is repeated until 200."""

    desk: Site
    customers: Sequence[str]
    words: Sequence[str]
    threads: int = 8
    pause_secs: float = 0.0
    tries: int = POST_TRIES
    provider: MetaWebhooks | TwilioWebhooks = field(default_factory=MetaWebhooks)
    failures: list[str] = field(default_factory=list)

    @property
    def message_count(self) -> int:
        return len(self.customers) * len(self.words)

    def write(self) -> None:
        """Post everything; interleaved, a customer's own messages in order."""
        shares = [self.customers[n :: self.threads] for n in range(self.threads)]
        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(self._write_for, share) for share in shares]:
                done.result()

    def start_writing(self) -> threading.Thread:
        thread = threading.Thread(target=self.write)
        thread.start()
        return thread

    def _write_for(self, share: Sequence[str]) -> None:
        with requests.Session() as session:
            for word in self.words:
                for customer in random.Random(word).sample(share, len(share)):
                    self._post(session, self.provider.text(word, customer))
                    time.sleep(self.pause_secs)

    def _post(self, session: requests.Session, webhook: Webhook) -> None:
        for _ in range(self.tries):
            with contextlib.suppress(requests.RequestException):
                answer = session.post(
                    f"{self.desk.url}{webhook.path}", data=webhook.body, headers=webhook.headers, timeout=30
                )
                if answer.status_code == 200:
                    return
            time.sleep(POST_PAUSE_SECS)
        raise AssertionError("the door never took a message")


def random_customers(count: int) -> list[str]:
    return [f"55119{n:08d}" for n in range(70_000_000, 70_000_000 + count)]


# --- judging ------------------------------------------------------------------------------------------------


def answers_by_person(journal: Sequence[SentMessage]) -> dict[str, list[str]]:
    """What each person read, in order; a repeat of one of our messages (same reference) is left out."""
    seen: set[str | None] = set()
    answers: dict[str, list[str]] = defaultdict(list)
    for message in journal:
        if message.reference not in seen:
            seen.add(message.reference)
            answers[message.person].append(message.text)
    return answers


def doubles(journal: Sequence[SentMessage]) -> dict[str, int]:
    """How often each of our messages was accepted more than once, by reference."""
    counts: dict[str, int] = defaultdict(int)
    for message in journal:
        counts[message.reference or ""] += 1
    return {reference: count - 1 for reference, count in counts.items() if count > 1}


def check_books(desk: Site, crowd: Crowd) -> None:
    """Prove in the tables that each message was stored once and answered by one turn, and nothing failed."""
    with desk.reading() as connection:
        inbound = connection.execute(
            select(Message.external_id, Message.turn_id).where(Message.direction == "in")
        ).all()
        turns = connection.execute(select(Turn.id)).all()
        failed = connection.execute(
            select(WebhookEvent.id, WebhookEvent.error).where(WebhookEvent.state == "failed")
        ).all()
    assert failed == []
    assert len({row.external_id for row in inbound}) == len(inbound) == crowd.message_count
    assert len({row.turn_id for row in inbound}) == crowd.message_count
    assert len(turns) == crowd.message_count


def resent_counts(desk: Site) -> dict[str, int]:
    with desk.reading() as connection:
        rows = connection.execute(
            select(Message.id, Message.resent_count).where(Message.resent_count > 0)
        ).all()
    return {str(row.id): row.resent_count for row in rows}


def outgoing_statuses(desk: Site) -> dict[str, int]:
    """How many of our messages stand in each status."""
    counts: dict[str, int] = defaultdict(int)
    with desk.reading() as connection:
        for (status,) in connection.execute(select(Message.status).where(Message.direction == "out")):
            counts[status] += 1
    return dict(counts)
