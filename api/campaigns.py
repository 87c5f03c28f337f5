"""Campaigns: written down, started, how far they are, and holding one, letting it go on or ending it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from sqlalchemy import select

from api import shapes
from api.doors import PREFIX, Body, Refused, Written, client_token, endpoint, found
from api.kinds import VISIBLE, BodyId, Clean, Integral, Moment, OneOf, RowId
from api.paging import DatedQuery, Page, narrowed, page
from crm import leads
from models import Campaign, Integration, db, utc_now
from outreach import campaigns, results
from outreach.audience import Segment, Value
from outreach.campaigns import CampaignRefused, Plan
from vocabulary import LANGUAGES

NAME_MAX_CHARS: Final = 120
VALUE_MAX_CHARS: Final = 500
DAYS_MAX: Final = 3_650

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


Said = Annotated[str, Field(max_length=VALUE_MAX_CHARS), Clean]
Days = Annotated[int, Field(ge=1, le=DAYS_MAX), Integral]


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


class People(Body):
    """Whom of those who have written to the number it reaches; what is not named asks for nothing. Who
    refused is left out in any case."""

    language: Annotated[str, OneOf(LANGUAGES)] | None = None
    niche_id: BodyId | None = None
    bought: Literal["yes", "no"] | None = None
    seen_within_days: Days | None = None
    silent_for_days: Days | None = None
    lead_status: Annotated[str, OneOf(leads.STATUSES)] | None = None


class Filling(Body):
    """What goes into a placeholder: a text, or the person's own name, and `otherwise` where there is none."""

    source: Literal["text", "name", "first_name"] = "text"
    value: Said = ""
    otherwise: Said = ""


class NewCampaign(Body):
    """A draft: nothing leaves before it is started."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Natal",
                    "integration_id": 1,
                    "template_name": "natal",
                    "people": {"language": "pt", "bought": "yes"},
                    "values": {"1": {"source": "first_name", "otherwise": "você"}},
                }
            ]
        }
    )

    name: Annotated[str, Field(max_length=NAME_MAX_CHARS, pattern=VISIBLE), Clean]
    integration_id: BodyId
    template_name: Annotated[str, Field(max_length=512), Clean] = Field(
        description="An approved one of this number; each person gets it in her language."
    )
    people: People = People()
    values: dict[Annotated[str, Field(max_length=60)], Filling] = Field(
        default={}, description="By the template's placeholders."
    )
    fallback_language: Annotated[str, Field(max_length=15), Clean] = Field(
        default="", description="The template's language for who has none of the others, such as pt_BR."
    )
    per_minute: Annotated[int, Field(ge=1, le=campaigns.PER_MINUTE_MAX), Integral] | None = None


class Start(Body):
    at: Moment | None = Field(default=None, description="null: now.")


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


@endpoint("POST", "/campaigns", scope="outreach:write", status=201, refusals=("conflict",), needs_key=True)
def create_campaign(said: NewCampaign) -> Written[shapes.Made]:
    """Write a campaign down: one template to people who have written to a number of ours."""
    if db.session.get(Integration, said.integration_id) is None:
        raise Refused("conflict", f"There is no integration {said.integration_id}.")
    who = {name: value for name, value in said.people.model_dump().items() if value is not None}
    plan = Plan(said.name.strip(), said.integration_id, said.template_name, Segment(**who))
    filling = {key: Value(one.source, one.value, one.otherwise) for key, one in said.values.items()}
    try:
        row = campaigns.create(plan, operator=None, now=utc_now(), client_token=client_token())
        campaigns.change_words(row, filling, said.fallback_language, said.per_minute or row.per_minute)
    except CampaignRefused as refused:
        raise _refused(refused) from refused
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/campaigns/{row.id}"))


@endpoint("POST", "/campaigns/<int:campaign_id>/start", scope="outreach:write", refusals=("conflict",))
def start_campaign(campaign_id: int, said: Start) -> Written[shapes.Moved]:
    """Let a draft go, now or at a time."""
    return _move(partial(campaigns.start, at=said.at), campaign_id)


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
        raise _refused(refused) from refused
    return Written(shapes.Moved(id=row.id, url=f"{PREFIX}/campaigns/{row.id}", state=row.state))


def _refused(refused: CampaignRefused) -> Refused:
    return Refused("conflict", f"The campaign does not stand where this is possible ({refused.code}).")


def _find(campaign_id: int) -> Campaign:
    return found(db.session.get(Campaign, campaign_id))  # type: ignore[no-any-return]


def _campaigns(rows: Sequence[Campaign]) -> list[shapes.Campaign]:
    progress = results.progress([row.id for row in rows])
    return [
        shapes.Campaign.of(row, people=progress[row.id].total, waiting=progress[row.id].waiting)
        for row in rows
    ]
