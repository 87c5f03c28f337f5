"""One storm: customers write, providers misbehave, processes die, servers restart; then all comes to rest.

Most customers walk the menu, whose answers are known word by word. The others write freely and are answered
through a model that misbehaves as often as the Graph API does.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.crash.processes import Crowd, Site, random_customers
from tests.fakes.chat_models import MODEL, Asked, RudeChatModels
from tests.fakes.server import Answer
from tests.fakes.webhooks import Webhook

SCRIPT = ("hello", "1", "menu", "4")
FREE_TEXTS = (
    "Vocês acham que isso serve pra quem nunca saiu do Brasil?",
    "Do you think my grandmother would enjoy living there?",
    "¿Creen que vale la pena para alguien que trabaja de noche?",
    "My brother told me to ask what you would do in my place",
)
TALKER_SHARE = 0.1
REPLY = "Posso explicar com calma. O que quer saber primeiro?"
HASTE = {"UNCERTAIN_RESEND_SECS": "8", "SEND_TIMEOUT_SECS": "2", "WORKER_THREADS": "6"}
START_SECS = 300.0
POST_TRIES = 3_000  # a provider tries for days; the kills of a storm go on for as long as somebody writes
# Of every fault that strikes, how large a part is of this kind; see `tests.fakes.faults`.
GRAPH_FAULTS: tuple[tuple[float, dict[str, object]], ...] = (
    (0.20, {"kind": "server_error"}),
    (0.05, {"kind": "throttled"}),
    (0.05, {"kind": "throttled", "retry_after_secs": 1}),
    (0.10, {"kind": "error", "code": 131056}),
    (0.15, {"kind": "slow", "secs": 1.0}),
    (0.15, {"kind": "cut_after"}),
    (0.15, {"kind": "cut_before"}),
    (0.15, {"kind": "bad_json"}),
)
RECEIPT_FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "double_receipts", "ratio": 0.1},
    {"kind": "reversed_receipts", "ratio": 0.1},
)
FINAL_REFUSALS = 3  # of code 131047: nobody reads these, and that is counted
MODEL_FAULTS: tuple[str | int, ...] = (
    500,
    429,
    503,
    "slow",
    "half",
    "cut",
    "html",
    "half_json",
    "prose",
    "empty",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How hard it blows. `repeat_ratio`: webhooks posted twice; `fault_ratio`: sends and calls that fail."""

    contacts: int
    messages_each: int
    repeat_ratio: float = 0.2
    fault_ratio: float = 0.2
    kill_gap_secs: tuple[float, float] = (2.0, 5.0)
    kills_max: int = 1_000
    threads: int = 8
    pause_secs: float = 0.0
    seed: int = 11

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(SCRIPT[n % len(SCRIPT)] for n in range(self.messages_each))

    @property
    def talkers(self) -> int:
        return max(1, round(self.contacts * TALKER_SHARE))


@dataclass
class StormCrowd(Crowd):
    """A crowd whose provider repeats itself: some webhooks are posted again, at once or a round later."""

    repeat_ratio: float = 0.2
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    posted: int = 0
    repeated: int = 0
    _late: list[Webhook] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self) -> None:
        super().write()
        with requests.Session() as session:
            for webhook in self._late:
                self._repeat(session, webhook)

    def _post(self, session: requests.Session, webhook: Webhook) -> None:
        super()._post(session, webhook)
        with self._lock:
            self.posted += 1
            chance = self.rng.random()
            if chance < self.repeat_ratio / 2:
                self._late.append(webhook)
            late = self._late.pop(0) if len(self._late) > self.threads * 4 else None
        if self.repeat_ratio / 2 <= chance < self.repeat_ratio:
            self._repeat(session, webhook)
        if late:
            self._repeat(session, late)

    def _repeat(self, session: requests.Session, webhook: Webhook) -> None:
        super()._post(session, webhook)
        with self._lock:
            self.repeated += 1


class MoodyModel(RudeChatModels):
    """A model that spoils `ratio` of its answers, each in another way."""

    def __init__(self, ratio: float, seed: int) -> None:
        super().__init__("own", key=None, answer=_reply)
        self.ratio = ratio
        self.slow_secs = 4.0
        self.spoiled = 0
        self._rng = random.Random(seed)

    def answered(self, asked: Asked) -> Answer:
        if self._rng.random() < self.ratio:
            self.spoiled += 1
            self.misbehave(self._rng.choice(MODEL_FAULTS))
        return super().answered(asked)


def _reply(asked: Asked) -> dict[str, Any]:
    """Give what a well-behaved model says, in the shape that the desk asks for."""
    if '"unsupported"' in asked.system:
        return {"unsupported": []}
    action = {"name": "none", "sku": None, "quantity": None, "link": None}
    plan = {"text": REPLY, "language": "pt", "buttons": [], "action": action, "sources": []}
    return plan | ({"reading": None} if '"reading"' in asked.system else {})


@dataclass
class Fleet:
    """The processes of a desk, killed at random and started again; `kills` counts by name."""

    desk: Site
    names: Sequence[str]
    start: Callable[[str], None]
    kills: dict[str, int] = field(default_factory=dict)

    def start_all(self) -> None:
        for name in self.names:
            self.start(name)

    def kill_one(self, rng: random.Random) -> None:
        """SIGKILL: the whole process with its children, or, of gunicorn, as often only one child."""
        name = rng.choice(list(self.names))
        process = self.desk.running[name]
        children = _children(process.pid)
        if children and rng.random() < 0.5:
            _kill(rng.choice(children))
            self._count(f"a child of {name}")
            return
        for child in children:  # orphans would keep the port
            _kill(child)
        self.desk.kill(name)
        self._count(name)
        self.start(name)

    def revive(self) -> None:
        """Start again what ended by itself, as a supervisor does: no worker starts without a database."""
        for name in self.names:
            if self.desk.running[name].poll() is not None:
                self._count(f"{name} ended by itself")
                self.start(name)

    def _count(self, what: str) -> None:
        self.kills[what] = self.kills.get(what, 0) + 1


@dataclass
class Storm:
    """What happens to one desk by one plan. `interludes` run once each, evenly over the time of writing."""

    plan: Plan
    fleet: Fleet
    crowds: Sequence[StormCrowd]
    interludes: Sequence[Callable[[], None]] = ()

    def blow(self) -> None:
        """Let everybody write while processes die; returns when all is written and all processes run."""
        writing = [crowd.start_writing() for crowd in self.crowds]
        rng = random.Random(self.plan.seed)
        waiting = list(self.interludes)
        while any(thread.is_alive() for thread in writing):
            time.sleep(rng.uniform(*self.plan.kill_gap_secs))
            if sum(self.fleet.kills.values()) < self.plan.kills_max:
                self.fleet.kill_one(rng)
            self.fleet.revive()
            if waiting and self._progress() > 1 - len(waiting) / (len(self.interludes) + 1):
                waiting.pop(0)()
        for interlude in waiting:
            interlude()
        self.fleet.desk.wait_until(self._is_whole, START_SECS)

    def _is_whole(self) -> bool:
        self.fleet.revive()
        return self.fleet.desk.answers()

    def _progress(self) -> float:
        return sum(crowd.posted for crowd in self.crowds) / sum(crowd.message_count for crowd in self.crowds)


def crowds_of(plan: Plan, desk: Site) -> tuple[StormCrowd, StormCrowd]:
    """Those who walk the menu, and those who write freely."""
    people = random_customers(plan.contacts)
    menu, free = people[plan.talkers :], people[: plan.talkers]
    texts = tuple(FREE_TEXTS[n % len(FREE_TEXTS)] for n in range(plan.messages_each))

    def crowd(number: int, customers: Sequence[str], words: Sequence[str], threads: int) -> StormCrowd:
        return StormCrowd(
            desk, customers, words, threads, plan.pause_secs, POST_TRIES,
            repeat_ratio=plan.repeat_ratio, rng=random.Random(plan.seed + number),
        )  # fmt: skip

    return crowd(0, menu, plan.words, plan.threads), crowd(1, free, texts, 2)


def calm_person(plan: Plan, desk: Site) -> Crowd:
    """One who walks the menu before the storm: what she reads is what everybody must read."""
    return Crowd(desk, ["5511960000000"], plan.words, threads=1)


def spoil_graph(url: str, plan: Plan) -> None:
    """Let `fault_ratio` of the sends fail, each kind by its part, and disorder some receipts."""
    refused: dict[str, object] = {"kind": "error", "code": 131047, "skip": 20, "times": FINAL_REFUSALS}
    left = 1.0  # rules are asked in order: a later one sees only what earlier ones let pass
    faults: list[dict[str, object]] = [refused]
    for part, fault in GRAPH_FAULTS:
        ratio = part * plan.fault_ratio
        faults.append({**fault, "ratio": ratio / left, "times": None})
        left -= ratio
    faults += [{**fault, "times": None} for fault in RECEIPT_FAULTS]
    for fault in faults:
        assert requests.post(f"{url}/__faults", json=fault, timeout=60).status_code == 201


def calm_graph(url: str) -> dict[str, int]:
    """End the faults; gives how often each kind struck."""
    rules = requests.get(f"{url}/__faults", timeout=60).json()
    requests.delete(f"{url}/__faults", timeout=60)
    struck: dict[str, int] = {}
    for rule in rules:
        name = f"{rule['kind']} {rule['code']}" if rule["code"] else str(rule["kind"])
        struck[name] = struck.get(name, 0) + rule["fired"]
    return struck


def model_settings(model: MoodyModel) -> dict[str, str]:
    return {"AI_BASE_URL": model.url, "AI_MODEL": MODEL}


@contextlib.contextmanager
def moody_model(plan: Plan) -> Iterator[MoodyModel]:
    model = MoodyModel(plan.fault_ratio, plan.seed)
    model.start()
    try:
        yield model
    finally:
        model.stop()


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
