"""What a policy was told, in order, so that any of it can be taken back. Pure.

Beliefs depend on the order of what they are fed, so a reversal cannot be subtracted: the beliefs are fed
again from a checkpoint, without what was taken back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bandit.beliefs import Beliefs, Key, Pair


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed decision; one without an id cannot be taken back. `chosen`: choices made until then."""

    decision_id: str | None
    arm: int
    key: Key
    reward: float
    weight: float
    chosen: int
    elapsed: float = 1.0  # since the one before, in the half-life's unit

    def feed(self, beliefs: Beliefs) -> None:
        """Tell the beliefs."""
        open_count = max(0, self.chosen - beliefs.closed - 1)
        beliefs.update(self.arm, self.key, self.reward, self.weight, open_count, self.elapsed)

    def to_state(self) -> list[Any]:
        """Give a list ready for JSON."""
        pairs = [list(pair) for pair in self.key]
        return [self.decision_id, self.arm, pairs, self.reward, self.weight, self.chosen, self.elapsed]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An arm that came, warm-started from another or from nothing."""

    like: int | None
    strength: float

    def feed(self, beliefs: Beliefs) -> None:
        """Tell the beliefs."""
        beliefs.add_arm(self.like, self.strength)

    def to_state(self) -> list[Any]:
        """Give a list ready for JSON."""
        return [self.like, self.strength]


@dataclass(frozen=True, slots=True)
class Renewal:
    """Something became a new version: of one arm or of all, for everybody or where the context has `pair`."""

    arm: int | None
    pair: Pair | None
    strength: float

    def feed(self, beliefs: Beliefs) -> None:
        """Tell the beliefs."""
        beliefs.renew(self.arm, self.pair, self.strength)

    def to_state(self) -> list[Any]:
        """Give a list ready for JSON."""
        return [self.arm, self.pair and list(self.pair), self.strength]


Entry = Closed | Arrival | Renewal


def entry_from_state(state: list[Any]) -> Entry:
    """Rebuild what an entry's `to_state` gave."""
    if len(state) == 2:
        return Arrival(*state)
    if len(state) == 3:
        arm, pair, strength = state
        return Renewal(arm, pair and (pair[0], pair[1]), strength)
    decision_id, arm, pairs, *rest = state
    return Closed(decision_id, arm, tuple((name, value) for name, value in pairs), *rest)


class Journal:
    """The last entries between half of `limit` and `limit`, the beliefs before them, and after them."""

    def __init__(
        self, beliefs: Beliefs, limit: int, restored: Callable[[Mapping[str, Any]], Beliefs]
    ) -> None:
        if limit < 2:
            raise ValueError("a journal holds at least two decisions")
        self.beliefs = beliefs
        self._restored = restored
        self._half = limit // 2
        self._entries: list[Entry] = []
        self._ids: set[str] = set()
        self._settled = beliefs.to_state()  # before the first entry
        self._middle: dict[str, Any] | None = None  # after half of the limit

    def __contains__(self, decision_id: str) -> bool:
        return decision_id in self._ids

    def append(self, entry: Entry) -> None:
        """Keep and feed an entry; the oldest half is let go when the journal is full."""
        entry.feed(self.beliefs)
        self._entries.append(entry)
        if isinstance(entry, Closed) and entry.decision_id is not None:
            self._ids.add(entry.decision_id)
        if len(self._entries) == 2 * self._half and self._middle is not None:
            self._entries = self._entries[self._half :]
            self._settled = self._middle
            self._ids = self._named()
        if len(self._entries) == self._half:
            self._middle = self.beliefs.to_state()

    def remove(self, decision_id: str) -> bool:
        """Take a decision back and feed what came after it again; False when it is not here."""
        if decision_id not in self._ids:
            return False
        entries = [e for e in self._entries if not (isinstance(e, Closed) and e.decision_id == decision_id)]
        self.beliefs = self._restored(self._settled)
        self._entries, self._ids, self._middle = [], set(), None
        for entry in entries:
            self.append(entry)
        return True

    def _named(self) -> set[str]:
        return {e.decision_id for e in self._entries if isinstance(e, Closed) and e.decision_id is not None}

    def to_state(self) -> dict[str, Any]:
        """Give entries and beliefs, ready for JSON."""
        return {
            "entries": [entry.to_state() for entry in self._entries],
            "settled": self._settled,
            "middle": self._middle,
            "beliefs": self.beliefs.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become what `to_state` gave, exactly."""
        self._entries = [entry_from_state(entry) for entry in state["entries"]]
        self._settled, self._middle = state["settled"], state["middle"]
        self._ids = self._named()
        self.beliefs = self._restored(state["beliefs"])
