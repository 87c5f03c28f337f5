"""What one process remembers of its models between calls; the caller owns it and hands it in.

Circuits: after FAILURES_TO_OPEN failures in a row a model is left alone, at first for OPEN_SECS, twice as
long after each failed trial; a call that hung to its end counts as several, for it cost somebody the wait.
Habits: what a model refused (a schema, a temperature), so that it is not tried again. It also holds the clock
and the dice that deadlines and waits go by. Safe from any thread.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

FAILURES_TO_OPEN: Final = 4
A_TIMEOUT_COUNTS: Final = 2
OPEN_SECS: Final = 30.0
MAX_OPEN_SECS: Final = 300.0

JsonMode = Literal["schema", "object", "plain"]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that deadlines and waits are measured by."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Habits:
    """How a model wants to be asked: the strictest JSON mode it takes, and whether it takes a temperature."""

    json_mode: JsonMode = "schema"
    takes_temperature: bool = True


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float = 0.0
    open_secs: float = OPEN_SECS


@dataclass(slots=True)
class Memory:
    """Circuits and habits by a model's label."""

    clock: Clock = field(default_factory=Clock)
    rng: random.Random = field(default_factory=random.Random)
    _circuits: dict[str, _Circuit] = field(default_factory=dict)
    _habits: dict[str, Habits] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def may_ask(self, label: str) -> bool:
        """Tell whether the circuit is closed, or its time is over: then this caller is the one trial."""
        now = self.clock.now()
        with self._lock:
            circuit = self._circuits.get(label)
            if circuit is None or not circuit.open_until:
                return True
            if now < circuit.open_until:
                return False
            circuit.open_until = now + circuit.open_secs  # others wait for the outcome of this trial
            return True

    def is_open(self, label: str) -> bool:
        """Tell whether a model is left alone now, without taking the trial."""
        now = self.clock.now()
        with self._lock:
            circuit = self._circuits.get(label)
            return circuit is not None and now < circuit.open_until

    def note_success(self, label: str) -> None:
        with self._lock:
            self._circuits.pop(label, None)

    def note_failure(self, label: str, *, wait_secs: float = 0.0, has_hung: bool = False) -> None:
        """Count a failure; `wait_secs` is how long the service wishes to be left alone."""
        now = self.clock.now()
        with self._lock:
            circuit = self._circuits.setdefault(label, _Circuit())
            was_open = circuit.failures >= FAILURES_TO_OPEN
            circuit.failures += A_TIMEOUT_COUNTS if has_hung else 1
            if circuit.failures >= FAILURES_TO_OPEN:
                if was_open:
                    circuit.open_secs = min(circuit.open_secs * 2, MAX_OPEN_SECS)
                circuit.open_until = now + circuit.open_secs
            if wait_secs > 0:
                circuit.open_until = max(circuit.open_until, now + min(wait_secs, MAX_OPEN_SECS))

    def habits(self, label: str) -> Habits:
        with self._lock:
            return self._habits.get(label, Habits())

    def learn(self, label: str, habits: Habits) -> None:
        """Remember what was found to work."""
        with self._lock:
            self._habits[label] = replace(habits)
