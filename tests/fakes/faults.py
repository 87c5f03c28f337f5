"""Misbehaviour on demand: rules that a test writes and a fake asks before each request.

Rules stand until used up, in the order they were added. One request meets at most one rule that decides its
answer, so two such rules hit two requests one after the other; rules about receipts (FATES) hold beside it.
"""

import random
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = (
    "server_error",  # `status` (500) with the provider's general error
    "throttled",  # 429, with Retry-After when `retry_after_secs` is set
    "error",  # the provider's error `code`, refused at once
    "failed_later",  # accepted, then a failed receipt with `code`
    "slow",  # accepted, answered `secs` later
    "cut_after",  # accepted, journaled, receipts sent, then the line is cut without an answer
    "cut_before",  # the line is cut and nothing was accepted
    "bad_json",  # accepted, answered with something that is not JSON
    "no_receipts",  # accepted, no receipt ever
    "double_receipts",  # every receipt twice
    "reversed_receipts",  # read before delivered before sent
    "early_receipts",  # the first receipt is posted before the answer
)
FATES = ("failed_later", "no_receipts", "double_receipts", "reversed_receipts", "early_receipts")
TARGETS = ("send", "read", "media", "list", "create", "fetch", "cancel", "refund", "any")


@dataclass(slots=True)
class Fault:
    """One rule: `kind` for the next `times` requests (None: always), after `skip` others, by chance."""

    kind: str
    times: int | None = 1
    ratio: float = 1.0
    skip: int = 0
    target: str = "send"
    person: str | None = None  # only sends to this wa_id or business-scoped id
    code: int = 0
    status: int = 500
    secs: float = 0.0
    retry_after_secs: int | None = None
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")
        if self.target not in TARGETS:
            raise ValueError(f"unknown target {self.target!r}; known: {', '.join(TARGETS)}")
        if self.kind in ("error", "failed_later") and not self.code:
            raise ValueError(f"the fault {self.kind!r} needs a code")


@dataclass(slots=True)
class FaultBook:
    """The rules of one fake; safe from any thread. `seed` makes ratios repeat."""

    seed: int = 1
    _rules: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    def add(self, kind: str, **settings: Any) -> Fault:
        """Add a rule. Raises ValueError for an unknown kind, target or setting."""
        try:
            fault = Fault(kind, **settings)
        except TypeError as error:
            raise ValueError(str(error)) from error
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def firing(self, target: str, person: str | None = None) -> list[Fault]:
        """Give the rules that hit this request, and count them."""
        if not self._rules:
            return []
        firing: list[Fault] = []
        is_decided = False
        with self._lock:
            for rule in self._rules:
                decides = rule.kind not in FATES
                if (decides and is_decided) or not self._fires(rule, target, person):
                    continue
                is_decided = is_decided or decides
                firing.append(rule)
        return firing

    def _fires(self, rule: Fault, target: str, person: str | None) -> bool:
        if rule.target not in ("any", target) or (rule.times is not None and rule.fired >= rule.times):
            return False
        if rule.person is not None and rule.person != person:
            return False
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.ratio < 1.0 and self._random.random() >= rule.ratio:
            return False
        rule.fired += 1
        return True
