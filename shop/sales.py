"""A paid order as a figure: what it brought, which strategy sold it, and where the customer came from.

`payments` records a sale once per order, `refunds` takes it back. Flushes, never commits.
"""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select, update

import learning
from models import Contact, Decision, Order, Sale, db
from statements import changed_rows, insert_or_ignore

AD_CLICK_MAX_CHARS = 255
NAME_MAX_CHARS = 120


def record(order: Order, method: str, *, now: datetime) -> None:
    """Write the sale of a paid order down and credit it to its strategy; one that had been paid back stands
    again. Flushes. Idempotent.
    """
    decision_id = learning.credit_sale(order.id, now=now)
    strategy = None
    if decision_id is not None:
        strategy = db.session.scalar(select(Decision.strategy).where(Decision.id == decision_id))
    contact = db.session.get_one(Contact, order.contact_id)
    db.session.execute(
        insert_or_ignore(Sale).values(
            order_id=order.id,
            contact_id=order.contact_id,
            conversation_id=order.conversation_id,
            decision_id=decision_id,
            amount_minor=order.total_minor,
            refunded_minor=0,
            currency=order.currency,
            method=method,
            strategy=strategy or "",
            flow=order.source,
            is_demo=contact.is_demo,
            at=now,
            **_source(contact.referral),
        )
    )
    stands = update(Sale).where(Sale.order_id == order.id, Sale.reversed_at.is_not(None))
    changed_rows(stands.values(reversed_at=None, refunded_minor=0))


def note_refund(order: Order, refunded_minor: int, *, is_whole: bool, now: datetime) -> None:
    """Take back what was paid back; the credit of the strategy only with the whole sale. Flushes.
    Idempotent.
    """
    values: dict[str, Any] = {"refunded_minor": refunded_minor}
    if is_whole:
        values["reversed_at"] = now
        learning.reverse_sale(order.id, now=now)
    changed_rows(update(Sale).where(Sale.order_id == order.id, Sale.reversed_at.is_(None)).values(**values))


def sale_of(order_id: int) -> Sale | None:
    return db.session.scalars(select(Sale).where(Sale.order_id == order_id)).first()


def _source(referral: Any) -> dict[str, str]:
    """Name the ad that brought the person, as WhatsApp told it; a campaign stands in its address, if
    anywhere.
    """
    told = referral if isinstance(referral, dict) else {}
    return {
        "ad_click_id": str(told.get("ctwa_clid") or "")[:AD_CLICK_MAX_CHARS],
        "ad_source_id": str(told.get("source_id") or "")[:NAME_MAX_CHARS],
        "campaign": _campaign(str(told.get("source_url") or ""))[:NAME_MAX_CHARS],
    }


def _campaign(address: str) -> str:
    try:
        return parse_qs(urlsplit(address).query).get("utm_campaign", [""])[0]
    except ValueError:
        return ""
