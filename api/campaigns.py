"""Campaigns: how far they are, and holding one, letting it go on or ending it."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from api import shapes
from api.doors import PREFIX, Refused, Written, endpoint, found
from api.kinds import OneOf, RowId
from api.paging import DatedQuery, Page, narrowed, page
from models import Campaign, db, utc_now
from outreach import campaigns, results
from outreach.campaigns import CampaignRefused

States = Annotated[
    str,
    OneOf(
        (
            campaigns.DRAFT,
            campaigns.SCHEDULED,
            campaigns.RUNNING,
            campaigns.PAUSED,
            campaigns.DONE,
            campaigns.CANCELLED,
        )
    ),
]


class CampaignQuery(DatedQuery):
    state: States | None = None
    integration_id: RowId | None = None


class CampaignResults(shapes.Campaign):
    """One campaign and what came of it. Each later step is within the one before it."""

    sent: int
    delivered: int
    read: int
    replied: int
    failed: int
    opted_out: int
    left_out: int
    sales: list[shapes.Money] = Field(description="Within seven days, by currency.")


@endpoint("GET", "/campaigns", scope="outreach:read")
def list_campaigns(asked: CampaignQuery) -> Page[shapes.Campaign]:
    """List campaigns."""
    query = narrowed(
        select(Campaign),
        asked,
        Campaign.created_at,
        state=Campaign.state,
        integration_id=Campaign.integration_id,
    )
    return page(query, Campaign.id, asked, _campaigns)


@endpoint("GET", "/campaigns/<int:campaign_id>", scope="outreach:read")
def get_campaign(campaign_id: int) -> CampaignResults:
    """Get one campaign with its results."""
    row = _find(campaign_id)
    told = results.of(row)
    counts = {name: getattr(told, name) for name in ("sent", "delivered", "read", "replied")}
    rest = {name: getattr(told, name) for name in ("failed", "opted_out", "left_out", "waiting")}
    sales = [shapes.Money(amount_minor=minor, currency=currency) for currency, _, minor in told.sales]
    return CampaignResults.of(row, people=told.total, sales=sales, **counts, **rest)


@endpoint("POST", "/campaigns/<int:campaign_id>/pause", scope="outreach:write", refusals=("conflict",))
def pause_campaign(campaign_id: int) -> Written[shapes.Moved]:
    """Hold a campaign; what is in the outbox already leaves."""
    return _move(campaigns.pause, campaign_id)


@endpoint("POST", "/campaigns/<int:campaign_id>/resume", scope="outreach:write", refusals=("conflict",))
def resume_campaign(campaign_id: int) -> Written[shapes.Moved]:
    """Let a paused campaign go on."""
    return _move(campaigns.resume, campaign_id)


@endpoint("POST", "/campaigns/<int:campaign_id>/cancel", scope="outreach:write", refusals=("conflict",))
def cancel_campaign(campaign_id: int) -> Written[shapes.Moved]:
    """End a campaign for good."""
    return _move(campaigns.cancel, campaign_id)


def _move(move: Callable[..., Campaign], campaign_id: int) -> Written[shapes.Moved]:
    _find(campaign_id)
    try:
        row = move(campaign_id, now=utc_now(), operator=None)
    except CampaignRefused as refused:
        words = f"The campaign does not stand where this is possible ({refused.code})."
        raise Refused("conflict", words) from refused
    return Written(shapes.Moved(id=row.id, url=f"{PREFIX}/campaigns/{row.id}", state=row.state))


def _find(campaign_id: int) -> Campaign:
    return found(db.session.get(Campaign, campaign_id))  # type: ignore[no-any-return]


def _campaigns(rows: Sequence[Campaign]) -> list[shapes.Campaign]:
    progress = results.progress([row.id for row in rows])
    return [
        shapes.Campaign.of(row, people=progress[row.id].total, waiting=progress[row.id].waiting)
        for row in rows
    ]
