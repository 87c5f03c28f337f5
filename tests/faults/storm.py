"""One storm: customers write, providers misbehave, processes die, servers restart; then all comes to rest.

The desk has a number of Meta's and one of Twilio's. Most customers walk the menu, whose answers are known
word by word. The others write freely and are answered through a model that misbehaves as often as the
providers do.
"""

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import requests

from tests.crash.processes import Crowd, Site, random_customers
from tests.fakes.chat_models import MODEL, Asked, RudeChatModels
from tests.fakes.server import Answer
from tests.fakes.webhooks import MetaWebhooks, TwilioWebhooks, Webhook

SCRIPT = ("hello", "1", "menu", "4")
FREE_TEXTS = (
    "Vocês acham que isso serve pra quem nunca saiu do Brasil?",
    "Do you think my grandmother would enjoy living there?",
    "¿Creen que vale la pena para alguien que trabaja de noche?",
    "My brother told me to ask what you would do in my place",
)
TALKER_SHARE = 0.1
TWILIO_SHARE = 0.3
CALM = ("5511960000000", "5511960000001")
UNHEARD = (
    "5511960000002",
    "5511960000003",
)  # people whose webhook never comes: only Twilio's list knows of them
REPLY = "Posso explicar com calma. O que quer saber primeiro?"
HASTE = {"SEND_TIMEOUT_SECS": "2", "WORKER_THREADS": "6"}
START_SECS = 300.0
POST_TRIES = 3_000  # a provider tries for days; the kills of a storm go on for as long as somebody writes
Fault = dict[str, object]  # see `tests.fakes.faults`


def _send_faults(busy_code: int) -> tuple[tuple[float, Fault], ...]:
    """Of every fault that strikes a send, how large a part is of this kind."""
    return (
        (0.20, {"kind": "server_error"}),
        (0.05, {"kind": "throttled"}),
        (0.05, {"kind": "throttled", "retry_after_secs": 1}),
        (0.10, {"kind": "error", "code": busy_code}),
        (0.15, {"kind": "slow", "secs": 1.0}),
        (0.15, {"kind": "cut_after"}),
        (0.15, {"kind": "cut_before"}),
        (0.15, {"kind": "bad_json"}),
    )


def _rare_faults(closed_code: int, denied_code: int) -> tuple[Fault, ...]:
    """Refusals for good, which nobody reads and which are counted; and a key that is refused once."""
    return (
        {"kind": "error", "code": closed_code, "skip": 3, "times": 2},
        {"kind": "failed_later", "code": closed_code, "skip": 3},
        {"kind": "error", "code": denied_code, "skip": 4},
    )


SEND_FAULTS = {"graph": _send_faults(131056), "twilio": _send_faults(63018)}
RARE_FAULTS = {"graph": _rare_faults(131047, 190), "twilio": _rare_faults(63016, 20003)}
RECEIPT_FAULTS = ("double_receipts", "reversed_receipts", "early_receipts")
RECEIPT_FAULT_RATIO = 0.1
# A number with a wish to wait: 429 that says for how many seconds.
MODEL_FAULTS: tuple[str | int | tuple[int, str], ...] = (
    500, 429, (429, "1"), 503, "slow", "half", "cut", "html", "half_json", "wrong_json", "prose", "empty",
)  # fmt: skip


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
    resend_secs: int = 8
    seed: int = 11

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(SCRIPT[n % len(SCRIPT)] for n in range(self.messages_each))


@dataclass
class StormCrowd(Crowd):
    """A crowd whose provider repeats itself: some webhooks are posted again, at once or a round later.

    `twilio_url`: where each message stands in the provider's list before its webhook comes.
    """

    repeat_ratio: float = 0.2
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    twilio_url: str = ""
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
        if self.twilio_url:
            form = dict(parse_qsl(webhook.body.decode()))
            list_inbound(self.twilio_url, form["WaId"], form["Body"], form["MessageSid"])
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
    """A model that spoils `ratio` of its answers, each in another way, and counts them by kind."""

    def __init__(self, ratio: float, seed: int) -> None:
        super().__init__("own", key=None, answer=_reply)
        self.ratio = ratio
        self.slow_secs = 4.0
        self.spoiled: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._kinds = itertools.cycle(MODEL_FAULTS)

    def answered(self, asked: Asked) -> Answer:
        if self._rng.random() >= self.ratio:
            return super().answered(asked)
        kind = next(self._kinds)
        command, self.retry_after = kind if isinstance(kind, tuple) else (kind, None)
        self.spoiled[f"model {command}{_waiting(self.retry_after)}"] += 1
        self.misbehave(command)
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


@dataclass(frozen=True)
class People:
    """Those who write to the number of one provider. What `calm` read before the storm, `menu` must read."""

    calm: Crowd
    menu: StormCrowd
    talkers: StormCrowd

    @property
    def stormy(self) -> tuple[StormCrowd, StormCrowd]:
        return self.menu, self.talkers

    @property
    def message_count(self) -> int:
        return sum(crowd.message_count for crowd in (self.calm, *self.stormy))


def people_of(plan: Plan, desk: Site, twilio_url: str) -> tuple[People, People]:
    """Part the plan's contacts among Meta's number and Twilio's."""
    everybody = random_customers(plan.contacts)
    count = max(2, round(plan.contacts * TWILIO_SHARE))
    return (
        _people(plan, desk, CALM[0], everybody[count:], MetaWebhooks(), ""),
        _people(plan, desk, CALM[1], everybody[:count], TwilioWebhooks(public_url=desk.url), twilio_url),
    )


def _people(
    plan: Plan,
    desk: Site,
    calm: str,
    everybody: Sequence[str],
    provider: MetaWebhooks | TwilioWebhooks,
    twilio_url: str,
) -> People:
    talkers = max(1, round(len(everybody) * TALKER_SHARE))
    texts = tuple(FREE_TEXTS[n % len(FREE_TEXTS)] for n in range(plan.messages_each))

    def crowd(number: int, customers: Sequence[str], words: Sequence[str], threads: int) -> StormCrowd:
        return StormCrowd(
            desk, customers, words, threads, plan.pause_secs, POST_TRIES, provider,
            repeat_ratio=plan.repeat_ratio, rng=random.Random(plan.seed + number), twilio_url=twilio_url,
        )  # fmt: skip

    return People(
        Crowd(desk, [calm], plan.words, threads=1, provider=provider),
        crowd(0, everybody[talkers:], plan.words, plan.threads),
        crowd(1, everybody[:talkers], texts, 2),
    )


def list_inbound(twilio_url: str, wa_id: str, body: str, sid: str | None = None) -> None:
    """Let a customer's message stand in Twilio's list, as every message does, its webhook or not."""
    message = {"wa_id": wa_id, "body": body, "sid": sid}
    assert requests.post(f"{twilio_url}/__inbound", json=message, timeout=60).status_code == 201


def spoil(name: str, url: str, plan: Plan) -> None:
    """Let each kind of fault strike a provider once, then `fault_ratio` of the sends, each kind by its part,
    and some of the receipts."""
    faults: list[Fault] = [{**fault, "times": 1} for _, fault in SEND_FAULTS[name]]
    faults += RARE_FAULTS[name]
    left = 1.0  # rules are asked in order: a later one sees only what earlier ones let pass
    for part, fault in SEND_FAULTS[name]:
        ratio = part * plan.fault_ratio
        faults.append({**fault, "ratio": ratio / left, "times": None})
        left -= ratio
    faults += [{"kind": kind} for kind in RECEIPT_FAULTS]
    faults += [{"kind": kind, "ratio": RECEIPT_FAULT_RATIO, "times": None} for kind in RECEIPT_FAULTS]
    for fault in faults:
        assert requests.post(f"{url}/__faults", json=fault, timeout=60).status_code == 201


def calm(name: str, url: str) -> Counter[str]:
    """End the faults; gives how often each kind struck."""
    rules = requests.get(f"{url}/__faults", timeout=60).json()
    requests.delete(f"{url}/__faults", timeout=60)
    struck: Counter[str] = Counter()
    for rule in rules:
        code = f" {rule['code']}" if rule["code"] else ""
        struck[f"{name} {rule['kind']}{code}{_waiting(rule['retry_after_secs'])}"] += rule["fired"]
    return struck


def _waiting(retry_after: object) -> str:
    return "" if retry_after is None else " with Retry-After"


def settings(plan: Plan, model: MoodyModel) -> dict[str, str]:
    resend = {"UNCERTAIN_RESEND_SECS": str(plan.resend_secs)}
    return HASTE | resend | {"AI_BASE_URL": model.url, "AI_MODEL": MODEL}


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
