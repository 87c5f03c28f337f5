"""What people decide about the learning: pause, pin, freeze, reset, switch off; each with a reason and a row.

The learning page calls these. Flushes, never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update

from learning.arms import Standing, standing_of, standings
from learning.rules import CALM_STRATEGIES, STATE_ID, SteeringRefused
from learning.state import state_row
from models import Arm, Decision, LearningChange, PolicyState, db
from statements import changed_rows, insert_or_ignore

REASON_MAX_CHARS: Final = 255
OF_AN_ARM: Final = ("pause", "resume", "pin", "unpin", "renew", "retire")
SWITCHES: Final[Mapping[str, Mapping[str, bool]]] = {
    "freeze": {"is_frozen": True},
    "thaw": {"is_frozen": False},
    "switch_off": {"is_off": True},
    "switch_on": {"is_off": False},
}
OF_ALL: Final = (*SWITCHES, "reset", "remember")
# How the reasons begin that the desk itself gives.
BY_ITSELF: Final = "opt_outs"
NEW_TEXTS: Final = "new_texts"
NEW_PRICES: Final = "new_prices "


def steer(
    action: str, *, reason: str, now: datetime, operator_id: int | None = None, strategy: str = ""
) -> LearningChange:
    """Do what an admin decided, and keep who, when and why. Flushes.

    Raises SteeringRefused: unknown_action, unknown_strategy, no_reason, last_arm (someone must sell, also to
    who is upset), is_paused (cannot be pinned), is_retired, shipped (cannot be retired), done (it is so
    already).
    """
    reason = " ".join(reason.replace("\x00", "").split())[:REASON_MAX_CHARS]
    if action not in OF_AN_ARM + OF_ALL:
        raise SteeringRefused("unknown_action")
    if not reason:
        raise SteeringRefused("no_reason")
    row = state_row(now=now)
    if action in OF_AN_ARM:
        _change_arm(action, strategy, reason, now)
    else:
        strategy = ""
        _change_all(action, row)
    return note_change(action, strategy=strategy, reason=reason, now=now, operator_id=operator_id)


def note_change(
    action: str, *, reason: str, now: datetime, strategy: str = "", operator_id: int | None = None
) -> LearningChange:
    """Keep who changed what and why, and make every process read arms and state again. Flushes."""
    change = LearningChange(action=action, strategy=strategy, reason=reason, operator_id=operator_id, at=now)
    db.session.add(change)
    row = state_row(now=now)
    moved = update(PolicyState).where(PolicyState.id == STATE_ID)
    changed_rows(moved.values(version=PolicyState.version + 1, updated_at=now))
    db.session.flush()
    db.session.expire(row)
    return change


def list_changes(limit: int) -> Sequence[LearningChange]:
    """Give what people decided, the newest first."""
    return db.session.scalars(select(LearningChange).order_by(LearningChange.id.desc()).limit(limit)).all()


def is_needed(strategy: str) -> bool:
    """Tell whether a strategy cannot rest: one must be left that may be used without any fact and with
    people who are upset."""
    return all(
        arm.is_paused or arm.strategy == strategy for arm in standings() if arm.kind in CALM_STRATEGIES
    )


def opt_outs_reason(mine: int, left: int, expected: float) -> str:
    """Write down why the desk itself paused an arm; pages say it in their own language."""
    return f"{BY_ITSELF} {mine} {left} {expected:.1f}"


def new_prices_reason(niche: str) -> str:
    """Write down in which niche a price changed; pages say it in their own language."""
    return f"{NEW_PRICES}{niche}"


def told_opt_outs(reason: str) -> tuple[int, int, float] | None:
    """Read what `opt_outs_reason` wrote; None for a person's own words."""
    word, *figures = reason.split(" ")
    try:
        mine, left, expected = figures
        return (int(mine), int(left), float(expected)) if word == BY_ITSELF else None
    except ValueError:
        return None


def _change_all(action: str, row: PolicyState) -> None:
    values: dict[str, Any] = dict(SWITCHES.get(action, {}))
    if all(getattr(row, name) == value for name, value in values.items()) and values:
        raise SteeringRefused("done")
    if action in ("reset", "remember"):
        last_id = db.session.scalar(select(func.max(Decision.id))) or 0
        forgets_until_id = last_id if action == "reset" else 0
        if forgets_until_id == row.forgets_until_id:
            raise SteeringRefused("done")
        values = {"settled": None, "live": None, "absorbed": None, "forgets_until_id": forgets_until_id}
    changed_rows(update(PolicyState).where(PolicyState.id == STATE_ID).values(**values))


def _change_arm(action: str, strategy: str, reason: str, now: datetime) -> None:
    standing = standing_of(strategy)
    if standing is None:
        raise SteeringRefused("unknown_strategy")
    if standing.is_retired:
        raise SteeringRefused("is_retired")
    if action == "renew":
        renew(standing, reason=reason, now=now)
        return
    if action == "retire":
        _retire(standing, reason, now)
        return
    arm = _row_of(strategy, standing.version, now)
    wanted = {"pause": (True, False), "resume": (False, arm.is_pinned)}
    wanted |= {"pin": (False, True), "unpin": (arm.is_paused, False)}
    if action == "pin" and arm.is_paused:
        raise SteeringRefused("is_paused")
    if wanted[action] == (arm.is_paused, arm.is_pinned):
        raise SteeringRefused("done")
    if action == "pause" and is_needed(strategy):
        raise SteeringRefused("last_arm")
    if action == "pin":
        changed_rows(update(Arm).where(Arm.is_pinned).values(is_pinned=False))
    arm.is_paused, arm.is_pinned = wanted[action]
    arm.reason, arm.changed_at = reason, now
    db.session.flush()


def renew(standing: Standing, *, reason: str, now: datetime, **changed: Any) -> None:
    """Make a new version of a strategy, with what `changed` in it. Flushes.

    It stands as the old one stood: what rests is not woken by a changed prompt. Raises SteeringRefused: done
    (somebody was quicker).
    """
    columns = {
        "is_paused": standing.is_paused,
        "is_pinned": standing.is_pinned,
        "fingerprint": standing.fingerprint,
        "base": standing.base,
        "title": standing.title,
        "own": dict(standing.own) or None,
    }
    row = {"strategy": standing.strategy, "version": standing.version + 1, "reason": reason}
    if not changed_rows(insert_or_ignore(Arm).values(**row, **columns | changed, **_both(now))):
        raise SteeringRefused("done")
    old = update(Arm).where(Arm.strategy == standing.strategy, Arm.version == standing.version)
    changed_rows(old.values(is_pinned=False))


def _retire(standing: Standing, reason: str, now: datetime) -> None:
    """Never choose an own strategy again; its decisions and what they taught about customers stay."""
    if not standing.is_own:
        raise SteeringRefused("shipped")
    if is_needed(standing.strategy):
        raise SteeringRefused("last_arm")
    mine = update(Arm).where(Arm.strategy == standing.strategy, Arm.version == standing.version)
    rests = {"is_paused": True, "is_pinned": False, "retired_at": now}
    changed_rows(mine.values(**rests, reason=reason, changed_at=now))


def _row_of(strategy: str, version: int, now: datetime) -> Arm:
    """Give an arm's row, made when nobody has touched it."""
    values = {"strategy": strategy, "version": version, "is_paused": False, "is_pinned": False, "reason": ""}
    db.session.execute(insert_or_ignore(Arm).values(**values, **_both(now)))
    return db.session.scalars(
        select(Arm)
        .where(Arm.strategy == strategy, Arm.version == version)
        .execution_options(populate_existing=True)
    ).one()


def _both(now: datetime) -> dict[str, datetime]:
    return {"created_at": now, "changed_at": now}
