"""A rehearsal that a page asked for: a row that a worker plays, and that says how far it is.

`admin` books and shows, `tasks` plays. `book` flushes; `play_booked` commits.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update

import integrations
from config import Config
from models import Rehearsal, db
from rehearsal.play import Plan, Progress, run
from rehearsal.stage import RehearsalRefused
from shop import catalog
from statements import changed_rows

log = structlog.get_logger()

CUSTOMERS_AT_MOST: Final = 5000
DAYS_AT_MOST: Final = 365
# A worker tells twice per simulated day; one that was silent for so long is gone.
GONE_AFTER: Final = timedelta(minutes=10)
OPEN: Final = ("waiting", "running")


def is_possible() -> bool:
    """Tell whether this desk may rehearse: only while no real customer can write."""
    return all(number.account.provider == "simulator" for number in integrations.numbers())


def latest() -> Rehearsal | None:
    """Give the last one that was asked for."""
    return db.session.scalars(select(Rehearsal).order_by(Rehearsal.id.desc()).limit(1)).first()


def is_open(booked: Rehearsal | None, now: datetime) -> bool:
    """Tell whether it waits or is being played."""
    return booked is not None and booked.state in OPEN and now - booked.seen_at < GONE_AFTER


def book(plan: Plan, *, now: datetime, operator_id: int | None = None) -> Rehearsal:
    """Ask for a rehearsal. Flushes. Raises RehearsalRefused: real_number, nothing_for_sale, under_way,
    too_many.
    """
    if not is_possible():
        raise RehearsalRefused("real_number", "a real number is connected")
    if not catalog.products():
        raise RehearsalRefused("nothing_for_sale", "the shop has no products")
    if not (1 <= plan.customers <= CUSTOMERS_AT_MOST and 1 <= plan.days <= DAYS_AT_MOST):
        raise RehearsalRefused("too_many", "more than one rehearsal may have")
    if is_open(latest(), now):
        raise RehearsalRefused("under_way", "simulated customers are on their way already")
    booked = Rehearsal(
        customers=plan.customers,
        days=plan.days,
        drift=plan.drift,
        seed=plan.seed,
        operator_id=operator_id,
        created_at=now,
        seen_at=now,
    )
    db.session.add(booked)
    db.session.flush()
    return booked


def play_booked(rehearsal_id: int, config: Config, *, now: datetime) -> bool:
    """Play a booked rehearsal that ends `now`; False when another worker does, or did. Commits."""
    mine = update(Rehearsal).where(Rehearsal.id == rehearsal_id, Rehearsal.state == "waiting")
    if changed_rows(mine.values(state="running", seen_at=now)) != 1:
        db.session.rollback()
        return False
    db.session.commit()
    row = db.session.get_one(Rehearsal, rehearsal_id)
    plan = Plan(row.customers, row.days, row.drift, row.seed)  # type: ignore[arg-type]
    db.session.rollback()
    try:
        run(plan, config, now=now, tell=lambda progress: _note(rehearsal_id, progress))
    except Exception as error:
        db.session.rollback()
        words = str(error) if isinstance(error, RehearsalRefused) else type(error).__name__
        log.error("rehearsal_failed", rehearsal_id=rehearsal_id, error=type(error).__name__)
        _set(rehearsal_id, state="failed", error=words[:255])
        return True
    _set(rehearsal_id, state="done")
    return True


def _note(rehearsal_id: int, progress: Progress) -> None:
    _set(rehearsal_id, done=progress.came, sales=progress.sales, seen_at=datetime.now(UTC))


def _set(rehearsal_id: int, **values: object) -> None:
    changed_rows(update(Rehearsal).where(Rehearsal.id == rehearsal_id).values(**values))
    db.session.commit()
