"""The arms: the shipped strategies and those that admins added, each in its newest version. Reads only.

`policies` keeps them for a process, `steering` and `own_arms` change them, `versions` sees when what they say
has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from models import Arm, db
from replies.manners import Manner
from vocabulary import STRATEGIES


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest version of a strategy, and what people decided about it; what is retired is paused, too."""

    strategy: str
    version: int = 1
    is_paused: bool = False
    is_pinned: bool = False
    reason: str = ""
    changed_at: datetime | None = None  # when somebody last decided about it; None: never
    fingerprint: str = ""
    base: str = ""  # empty: one of the shipped four
    title: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    is_retired: bool = False

    @property
    def is_own(self) -> bool:
        return bool(self.base)

    @property
    def kind(self) -> str:
        """The shipped strategy that it is, or builds on: what may be said to whom goes by it."""
        return self.base or self.strategy

    @property
    def manner(self) -> Manner:
        """How it sells."""
        return Manner(self.kind, self.own.get("instruction", ""), self.own.get("words", {}))


def standings() -> tuple[Standing, ...]:
    """Give the newest version of each strategy, the shipped first; one that nobody touched has no row."""
    rows = db.session.scalars(select(Arm).order_by(Arm.id).execution_options(populate_existing=True)).all()
    newest: dict[str, Arm] = {}
    for row in rows:
        if row.strategy not in newest or newest[row.strategy].version < row.version:
            newest[row.strategy] = row
    names = (*STRATEGIES, *(name for name in newest if name not in STRATEGIES))
    return tuple(_standing(newest[name]) if name in newest else Standing(name) for name in names)


def standing_of(strategy: str) -> Standing | None:
    """Give the newest version of a strategy; None when there is none of this name."""
    return next((arm for arm in standings() if arm.strategy == strategy), None)


def _standing(row: Arm) -> Standing:
    return Standing(
        row.strategy,
        row.version,
        row.is_paused,
        row.is_pinned,
        row.reason,
        row.changed_at,
        row.fingerprint,
        row.base,
        row.title,
        row.own or {},
        row.retired_at is not None,
    )
