"""How many people Meta lets a business write to first: so many different ones in 24 hours.

`campaigns` asks before each message and waits; without that, Meta refuses what is too much (131049, 131048)
and lowers the number's quality. The limit is the business portfolio's and comes with the number's health
(`whatsapp_business_manager_messaging_limit`); all of our numbers at Meta count together. Templates inside an
open window count here, too, which errs on the careful side. Reads only.
https://developers.facebook.com/docs/whatsapp/messaging-limits
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, select

from models import Conversation, Integration, Message, TemplateUse, db

DAY: Final = timedelta(hours=24)
TIERS: Final = {
    "TIER_50": 50, "TIER_250": 250, "TIER_1K": 1_000, "TIER_2K": 2_000, "TIER_10K": 10_000,
    "TIER_100K": 100_000,
}  # fmt: skip
# A count over a day's messages is dear where the limit is high: so much of what is left is used before the
# next one, and near the limit each message is counted.
_COUNTED_FROM: Final = 1_000
_SHARE: Final = 20
_credit: dict[int, int] = {}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many people may be written to in 24 hours, and how many were."""

    limit: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


def allowance(integration_id: int, now: datetime) -> Allowance | None:
    """Give what Meta allows to a number; None where no limit is known."""
    limit = _limit(integration_id)
    if limit is None:
        return None
    counted = _written_to(now).with_only_columns(func.count(func.distinct(Conversation.contact_id)))
    return Allowance(limit, db.session.scalar(counted) or 0)


def free_at(integration_id: int, now: datetime) -> datetime | None:
    """Give when a number may write to somebody again; None when it may now."""
    if _credit.get(integration_id, 0) > 0:
        _credit[integration_id] -= 1
        return None
    found = allowance(integration_id, now)
    if found is None or found.left > 0:
        _credit[integration_id] = found.left // _SHARE if found and found.left >= _COUNTED_FROM else 0
        return None
    oldest = db.session.scalar(_written_to(now).with_only_columns(func.min(TemplateUse.created_at)))
    return (oldest or now) + DAY


def _limit(integration_id: int) -> int | None:
    said = db.session.execute(
        select(Integration.provider, Integration.health_summary).where(Integration.id == integration_id)
    ).first()
    if said is None or said.provider != "meta":
        return None
    try:
        facts = json.loads(said.health_summary)
    except ValueError:
        return None
    return TIERS.get(str(facts.get("limit", ""))) if isinstance(facts, dict) else None


def _written_to(now: datetime) -> Select[int]:
    return (
        select(TemplateUse.id)
        .join(Message, Message.id == TemplateUse.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Integration, Integration.id == Conversation.integration_id)
        .where(TemplateUse.created_at > now - DAY, Message.status != "failed", Integration.provider == "meta")
    )
