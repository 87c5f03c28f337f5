"""How promising a lead is, from 0 to 100, with the reasons; and what became of leads with such a score.

`score` is pure. Flow actions and a task store what it gives; the score rests once the lead is closed or has
bought, so that it stays what was said before. The rest flushes and never commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, func, select, update

from crm.leads import OPEN_STATUSES
from models import Lead, Message, Sale, db
from statements import changed_rows

ENGAGEMENT: Final = "engagement"
FIT: Final = "fit"
SIGNAL: Final = "signal"
RECENCY: Final = "recency"
MESSAGES_MAX: Final = 15
DAYS_MAX: Final = 15
POINTS_PER_DAY: Final = 5
# What somebody told of herself costs her something, an address more than a name.
TOLD: Final = (("email", 10), ("budget", 10), ("name", 5), ("interest", 5))
SIGNALS: Final = {
    "ready_to_buy": 25,
    "question": 12,
    "initial_interest": 8,
    "objection": 5,
    "not_interested": -25,
}
RECENCIES: Final = ((timedelta(days=1), 15), (timedelta(days=3), 10), (timedelta(days=7), 5))
# The last word about buying counts, of so many messages.
SIGNAL_OF_LAST: Final = 10
RESCORED_FOR: Final = timedelta(days=90)
BANDS: Final = ((0, 24), (25, 49), (50, 74), (75, 100))
# Fewer closed leads than this prove nothing.
ENOUGH_CLOSED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a lead's person: what she wrote, told and wants, and how long she has been silent."""

    messages: int = 0
    days: int = 0
    told: frozenset[str] = frozenset()
    signal: str = ""
    silent_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A part's points, and why: `code` is one of a closed list, `value` its figure or word."""

    part: str
    points: int
    code: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    points: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """The leads of one range of scores, and what became of them."""

    low: int
    high: int
    leads: int
    won: int
    lost: int

    @property
    def closed(self) -> int:
        return self.won + self.lost

    @property
    def won_share(self) -> float | None:
        return self.won / self.closed if self.closed else None


def score(facts: Facts) -> Score:
    """Give a lead's points, 0 to 100, with the reasons that add up to them."""
    reasons = []
    if facts.messages:
        reasons.append(Reason(ENGAGEMENT, min(MESSAGES_MAX, facts.messages), "messages", str(facts.messages)))
    if facts.days > 1:
        points = min(DAYS_MAX, (facts.days - 1) * POINTS_PER_DAY)
        reasons.append(Reason(ENGAGEMENT, points, "days", str(facts.days)))
    reasons += [Reason(FIT, points, name) for name, points in TOLD if name in facts.told]
    if facts.signal in SIGNALS:
        reasons.append(Reason(SIGNAL, SIGNALS[facts.signal], "signal", facts.signal))
    recency = _recency(facts.silent_for)
    if recency is not None and facts.silent_for is not None:
        reasons.append(Reason(RECENCY, recency, "last_word", str(facts.silent_for.days)))
    total = sum(reason.points for reason in reasons)
    return Score(min(100, max(0, total)), tuple(reasons))


def _recency(silent_for: timedelta | None) -> int | None:
    if silent_for is None:
        return None
    return next((points for within, points in RECENCIES if silent_for <= within), 0)


# --- rows ---------------------------------------------------------------------------------------------------


def score_lead(lead: Lead, *, now: datetime) -> Score:
    """Score a lead and keep the score with its reasons. Flushes."""
    given = score(_facts(lead, now))
    changed_rows(
        update(Lead)
        .where(Lead.id == lead.id)
        .values(
            score=given.points,
            score_reasons=[[r.part, r.points, r.code, r.value] for r in given.reasons],
            scored_at=now,
            updated_at=Lead.updated_at,  # nobody did anything
        )
    )
    db.session.refresh(lead)
    return given


def reasons_of(lead: Lead) -> Sequence[Reason]:
    """Give the stored reasons of a lead's score."""
    return [Reason(*row) for row in lead.score_reasons or ()]


def rescore(*, now: datetime) -> int:
    """Score open leads anew whose people have not bought; gives how many. Flushes."""
    bought = exists().where(
        Sale.contact_id == Lead.contact_id, Sale.at >= Lead.created_at, Sale.reversed_at.is_(None)
    )
    rows = db.session.scalars(
        select(Lead).where(Lead.status.in_(OPEN_STATUSES), Lead.created_at >= now - RESCORED_FOR, ~bought)
    ).all()
    for lead in rows:
        score_lead(lead, now=now)
    return len(rows)


def bands() -> Sequence[Band]:
    """Count what became of scored leads by their score: won is a paid sale, or a person's word."""
    bought = exists().where(
        Sale.contact_id == Lead.contact_id, Sale.at >= Lead.created_at, Sale.reversed_at.is_(None)
    )
    counted = dict.fromkeys(BANDS, (0, 0, 0))
    rows = db.session.execute(
        select(Lead.score, Lead.status, bought.label("bought"), func.count())
        .where(Lead.score.is_not(None))
        .group_by(Lead.score, Lead.status, "bought")
    )
    for points, status, has_bought, count in rows:
        band = next(band for band in BANDS if band[0] <= (points or 0) <= band[1])
        is_won = bool(has_bought) or status == "won"
        leads, won, lost = counted[band]
        is_lost = status == "lost" and not is_won
        counted[band] = (leads + count, won + count * is_won, lost + count * is_lost)
    return [Band(*band, *counts) for band, counts in counted.items()]


def _facts(lead: Lead, now: datetime) -> Facts:
    wrote = (Message.conversation_id == lead.conversation_id, Message.direction == "in")
    moments = list(db.session.scalars(select(Message.created_at).where(*wrote)))
    signals = db.session.scalars(
        select(Message.buying_signal).where(*wrote).order_by(Message.id.desc()).limit(SIGNAL_OF_LAST)
    )
    told = {
        "email": lead.email,
        "budget": lead.budget_usd,
        "name": lead.name,
        "interest": lead.interest,
    }
    return Facts(
        messages=len(moments),
        days=len({moment.date() for moment in moments}),
        told=frozenset(name for name, value in told.items() if value),
        signal=next((signal for signal in signals if signal), ""),
        silent_for=max(timedelta(0), now - max(moments)) if moments else None,
    )
