"""What came of a campaign: how far it is, what arrived, who answered, bought or asked for silence.

The campaign's page calls it. Reads only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import selectinload

from models import Campaign, CampaignRecipient, Contact, Message, Sale, db
from outreach.audience import LEFT_OUT, WAITING
from statements import Later

# An answer is what comes so soon after, or quotes the message (a pressed button does), whenever it comes.
ANSWERED_WITHIN: Final = timedelta(days=3)
# A sale within this time after the message is counted with it.
COUNTS_FOR: Final = timedelta(days=7)
ARRIVED: Final = ("delivered", "read", "played")
SEEN: Final = ("read", "played")
LEFT: Final = ("sent", *ARRIVED)
OUTCOMES: Final = (
    "waiting", "queued", "sent", "delivered", "read", "replied", "failed", "opted_out", "left_out",
)  # fmt: skip


@dataclass
class Results:
    """Counts of people; each later step is within the one before it."""

    total: int = 0
    waiting: int = 0
    queued: int = 0  # in the outbox
    sent: int = 0
    delivered: int = 0
    read: int = 0
    replied: int = 0
    failed: int = 0
    opted_out: int = 0
    left_out: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # of those left out
    errors: list[tuple[str, str, int]] = field(default_factory=list)  # code, words, how many
    sales: list[tuple[str, int, int]] = field(default_factory=list)  # currency, how many, minor units

    @property
    def done(self) -> int:
        return self.total - self.waiting

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


def of(campaign: Campaign) -> Results:
    """Count everything for one campaign."""
    found = Results()
    mine = CampaignRecipient.campaign_id == campaign.id
    states = select(CampaignRecipient.state, CampaignRecipient.reason, func.count()).where(mine)
    for state, reason, count in db.session.execute(
        states.group_by(CampaignRecipient.state, CampaignRecipient.reason)
    ):
        found.total += count
        if state == WAITING:
            found.waiting += count
        elif state == LEFT_OUT:
            found.left_out += count
            found.reasons[reason] = found.reasons.get(reason, 0) + count
    joined = select(Message.status, func.count()).select_from(CampaignRecipient).join(*_ITS_MESSAGE)
    statuses = {row[0]: row[1] for row in db.session.execute(joined.where(mine).group_by(Message.status))}
    found.sent = sum(statuses.get(status, 0) for status in LEFT)
    found.delivered = sum(statuses.get(status, 0) for status in ARRIVED)
    found.read = sum(statuses.get(status, 0) for status in SEEN)
    found.failed = statuses.get("failed", 0)
    found.queued = sum(statuses.values()) - found.sent - found.failed
    found.replied = _count(mine, _REPLIED)
    found.opted_out = _count(mine, _OPTED_OUT)
    found.errors = _errors(mine)
    found.sales = _sales(mine)
    return found


def progress(campaign_ids: Sequence[int]) -> dict[int, Results]:
    """Count how far each of these campaigns is, and nothing else."""
    found = {campaign_id: Results() for campaign_id in campaign_ids}
    counted = (
        select(CampaignRecipient.campaign_id, CampaignRecipient.state, func.count())
        .where(CampaignRecipient.campaign_id.in_(campaign_ids))
        .group_by(CampaignRecipient.campaign_id, CampaignRecipient.state)
    )
    for campaign_id, state, count in db.session.execute(counted):
        found[campaign_id].total += count
        if state == WAITING:
            found[campaign_id].waiting += count
    return found


def _count(*conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count(CampaignRecipient.id)).where(*conditions)) or 0


def _errors(mine: ColumnElement[bool]) -> list[tuple[str, str, int]]:
    rows = db.session.execute(
        select(Message.error_code, func.min(Message.error_text), func.count())
        .select_from(CampaignRecipient)
        .join(*_ITS_MESSAGE)
        .where(mine, Message.status == "failed")
        .group_by(Message.error_code)
        .order_by(func.count().desc())
    )
    return [(row[0], row[1] or "", row[2]) for row in rows]


def _sales(mine: ColumnElement[bool]) -> list[tuple[str, int, int]]:
    rows = db.session.execute(
        select(Sale.currency, Sale.at, CampaignRecipient.queued_at, Sale.amount_minor, Sale.refunded_minor)
        .select_from(CampaignRecipient)
        .join(Sale, Sale.contact_id == CampaignRecipient.contact_id)
        .where(mine, Sale.at >= CampaignRecipient.queued_at)
    )
    sums: dict[str, tuple[int, int]] = {}
    for currency, at, queued_at, amount, refunded in rows:
        if queued_at is not None and at <= queued_at + COUNTS_FOR:
            count, total = sums.get(currency, (0, 0))
            sums[currency] = (count + 1, total + amount - refunded)
    return [(currency, *sums[currency]) for currency in sorted(sums)]


def people(
    campaign: Campaign, outcome: str = "", *, limit: int, offset: int = 0
) -> Sequence[tuple[CampaignRecipient, Contact | None, Message | None]]:
    """List the people of a campaign, with their contact and message; `outcome` is one of OUTCOMES."""
    query = (
        select(CampaignRecipient, Contact, Message)
        .outerjoin(Contact, Contact.id == CampaignRecipient.contact_id)
        .outerjoin(*_ITS_MESSAGE)
        .options(selectinload(Contact.identities))
        .where(CampaignRecipient.campaign_id == campaign.id, *_conditions(outcome))
        .order_by(CampaignRecipient.id)
        .limit(limit)
        .offset(offset)
    )
    return [(row[0], row[1], row[2]) for row in db.session.execute(query)]


def _conditions(outcome: str) -> list[ColumnElement[bool]]:
    statuses = {"sent": LEFT, "delivered": ARRIVED, "read": SEEN, "failed": ("failed",)}
    if outcome in (WAITING, LEFT_OUT):
        return [CampaignRecipient.state == outcome]
    if outcome in statuses:
        return [Message.status.in_(statuses[outcome])]
    if outcome == "queued":
        return [Message.status.not_in((*LEFT, "failed"))]
    return {"replied": [_REPLIED], "opted_out": [_OPTED_OUT]}.get(outcome, [])


_ITS_MESSAGE: Final = (Message, Message.id == CampaignRecipient.message_id)
_SENT = Message.__table__.alias("sent_out")
_INBOUND = Message.__table__.alias("answers")
_REPLIED: Final = and_(
    CampaignRecipient.queued_at.is_not(None),
    exists().where(
        _INBOUND.c.conversation_id == CampaignRecipient.conversation_id,
        _INBOUND.c.direction == "in",
        _INBOUND.c.id > CampaignRecipient.message_id,
        _INBOUND.c.created_at >= CampaignRecipient.queued_at,
        or_(
            exists().where(
                _SENT.c.id == CampaignRecipient.message_id,
                _INBOUND.c.quotes_external_id == _SENT.c.external_id,
            ),
            exists().where(
                _SENT.c.id == CampaignRecipient.message_id,
                _INBOUND.c.created_at <= Later(_SENT.c.created_at, int(ANSWERED_WITHIN.total_seconds())),
            ),
        ),
    ),
)
_OPTED_OUT: Final = and_(
    CampaignRecipient.queued_at.is_not(None),
    exists().where(
        Contact.id == CampaignRecipient.contact_id, Contact.opted_out_at >= CampaignRecipient.queued_at
    ),
)
