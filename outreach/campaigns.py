"""A campaign's life: drafted, started or scheduled, sent one by one at its pace, paused, resumed, cancelled.

Pages call the verbs, the sweep calls `due` and `send_next`. One row stands for one person, and her message is
queued in the transaction that marks the row: a crash repeats nothing and loses nobody. The campaign's own row
is locked for each person, so that two workers are one. Flushes, never commits.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, delete, func, or_, select, update

import history
import integrations
import message_templates
import phone
from config import Config
from integrations import Number
from message_templates import TemplateRefused
from models import Campaign, CampaignRecipient, Contact, Conversation, Integration, Message, Operator, db
from outreach import audience, limits, threads
from outreach.audience import LEFT_OUT, WAITING, Reached, Segment, Value
from shop import nudges
from statements import changed_rows

DRAFT: Final = "draft"
SCHEDULED: Final = "scheduled"
RUNNING: Final = "running"
PAUSED: Final = "paused"
DONE: Final = "done"
CANCELLED: Final = "cancelled"
QUEUED: Final = "queued"
OVER: Final = (DONE, CANCELLED)
PER_MINUTE_MAX: Final = 600
PURPOSE: Final = "campaign"
DAILY_LIMIT: Final = "daily_limit"  # why a running campaign waits
# After a halt, so much is made up for at once; the pace counts from then on.
CATCH_UP: Final = timedelta(seconds=10)
# So many may wait in the outbox: a pause must not find a thousand on their way.
OUTBOX_MAX: Final = 50
OUTBOX_WAIT: Final = timedelta(seconds=15)
# Errors after which every further send would fail too: the template or the account is at fault.
HALTING_CODES: Final = (
    "132000", "132001", "132007", "132015", "132016", "131042", "131037", "131031", "368", "63027", "63028",
    "63041", "63040", "21655", "21656",
)  # fmt: skip


class CampaignRefused(Exception):
    """The step is not possible: `code` is not_draft, no_template, no_values, nobody, number_off, in_past,
    not_running or over."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work: whether more may follow at once, and the conversation to wake."""

    goes_on: bool
    conversation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new campaign is made of."""

    name: str
    integration_id: int
    template_name: str
    segment: Segment | None  # None: the people of a file


# --- drafting -----------------------------------------------------------------------------------------------


def create(
    plan: Plan, *, operator: Operator | None, now: datetime, client_token: str | None = None
) -> Campaign:
    """Make a draft; the same `client_token` makes one. Flushes. Raises CampaignRefused."""
    known = db.session.scalar(select(Campaign).where(Campaign.client_token == client_token))
    if client_token and known is not None:
        return known
    rows = message_templates.list_templates(plan.integration_id, usable=True)
    if plan.template_name not in {row.name for row in rows}:
        raise CampaignRefused("no_template")
    campaign = Campaign(
        name=plan.name,
        integration_id=plan.integration_id,
        template_name=plan.template_name,
        segment=audience.segment_json(plan.segment) if plan.segment is not None else {},
        filling={},
        operator_id=operator.id if operator else None,
        client_token=client_token,
        created_at=now,
    )
    db.session.add(campaign)
    db.session.flush()
    _note(campaign, "", now, operator)
    return campaign


def change_words(
    campaign: Campaign, filling: dict[str, Value], fallback_language: str, per_minute: int
) -> None:
    """Say what goes into each placeholder. Flushes. Raises CampaignRefused."""
    _check_draft(campaign)
    known = {row.language for row in message_templates.list_templates(campaign.integration_id, usable=True)}
    campaign.filling = {key: audience.value_json(value) for key, value in filling.items()}
    campaign.fallback_language = fallback_language if fallback_language in known else ""
    campaign.per_minute = min(max(per_minute, 1), PER_MINUTE_MAX)
    db.session.flush()


def change_segment(campaign: Campaign, segment: Segment) -> None:
    _check_draft(campaign)
    campaign.segment = audience.segment_json(segment)
    db.session.flush()


def add_people(campaign: Campaign, people: list[Reached]) -> int:
    """Take the people of a file in; who was left out before is judged anew. Flushes. Raises
    CampaignRefused."""
    _check_draft(campaign)
    changed_rows(
        delete(CampaignRecipient).where(
            CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.state == LEFT_OUT
        )
    )
    return audience.write_down(campaign.id, people)


def drop_people(campaign: Campaign) -> None:
    """Empty the list of a draft, to read another file. Flushes. Raises CampaignRefused."""
    _check_draft(campaign)
    changed_rows(delete(CampaignRecipient).where(CampaignRecipient.campaign_id == campaign.id))


def delete_draft(campaign: Campaign) -> None:
    """Drop a draft with its list. Flushes. Raises CampaignRefused."""
    drop_people(campaign)
    history.forget("campaign", [campaign.id])
    db.session.delete(campaign)
    db.session.flush()


# --- its life -----------------------------------------------------------------------------------------------


def start(campaign_id: int, *, at: datetime | None, now: datetime, operator: Operator | None) -> Campaign:
    """Let a draft go, at once or `at` a time. Two clicks are one. Flushes. Raises CampaignRefused."""
    campaign = _held(campaign_id)
    _check_draft(campaign)
    if integrations.number(campaign.integration_id) is None:
        raise CampaignRefused("number_off")
    wordings = audience.Wordings(campaign)
    if not wordings.by_language:
        raise CampaignRefused("no_template")
    if at is not None and at < now - timedelta(minutes=1):
        raise CampaignRefused("in_past")
    if not campaign.segment and not _count(campaign.id, WAITING):
        raise CampaignRefused("nobody")
    before, campaign.state = campaign.state, SCHEDULED
    campaign.starts_at = campaign.next_at = at or now
    db.session.flush()
    _note(campaign, before, now, operator)
    return campaign


def pause(campaign_id: int, *, now: datetime, operator: Operator | None, reason: str = "") -> Campaign:
    """Hold the campaign; what is in the outbox already leaves. Flushes. Raises CampaignRefused."""
    campaign = _held(campaign_id)
    if campaign.state not in (RUNNING, SCHEDULED):
        raise CampaignRefused("not_running")
    _move(campaign, PAUSED, now, operator, reason)
    return campaign


def resume(campaign_id: int, *, now: datetime, operator: Operator | None) -> Campaign:
    """Go on where it stood. Flushes. Raises CampaignRefused."""
    campaign = _held(campaign_id)
    if campaign.state != PAUSED:
        raise CampaignRefused("not_running")
    if not audience.Wordings(campaign).by_language:
        raise CampaignRefused("no_template")
    waits = campaign.starts_at is not None and campaign.started_at is None and campaign.starts_at > now
    _move(campaign, SCHEDULED if campaign.started_at is None else RUNNING, now, operator)
    campaign.next_at = campaign.starts_at if waits else now
    db.session.flush()
    return campaign


def cancel(campaign_id: int, *, now: datetime, operator: Operator | None) -> Campaign:
    """End the campaign for good; its messages that have not left are cancelled too. Flushes.

    Raises CampaignRefused.
    """
    campaign = _held(campaign_id)
    if campaign.state in (DRAFT, *OVER):
        raise CampaignRefused("over")
    _move(campaign, CANCELLED, now, operator)
    campaign.ended_at = now
    changed_rows(
        update(Message)
        .where(Message.id.in_(_messages(campaign.id)), Message.status == "queued")
        .values(
            status="failed",
            status_at=now,
            send_due_at=None,
            error_code="cancelled",
            error_text="The campaign was cancelled before this was sent.",
        )
    )
    db.session.flush()
    return campaign


def send_test(
    campaign: Campaign,
    wa_id: str,
    language: str,
    *,
    now: datetime,
    operator: Operator | None,
    client_token: str | None = None,
) -> int:
    """Send the campaign's message to one number, as a reach of nobody. Gives the conversation to wake.
    Flushes.

    Raises CampaignRefused or TemplateRefused.
    """
    number = integrations.number(campaign.integration_id)
    if number is None:
        raise CampaignRefused("number_off")
    row = audience.Wordings(campaign).of(language)
    if row is None:
        raise CampaignRefused("no_template")
    known = db.session.scalar(select(Message.conversation_id).where(Message.client_token == client_token))
    if client_token and known is not None:
        return int(known)
    conversation = threads.open_with(number, wa_id, "", now=now)
    contact = db.session.get_one(Contact, conversation.contact_id)
    # The columns of a file have no value here: the name of the column stands for it.
    columns = {value.value: value.value for value in audience.filling_of(campaign).values() if value.value}
    values = audience.values_for(row, audience.filling_of(campaign), contact.name or "Ana", columns)
    message_templates.queue(
        conversation.id,
        row,
        values,
        purpose="test",
        now=now,
        operator_id=operator.id if operator else None,
        client_token=client_token,
    )
    return int(conversation.id)


# --- sending ------------------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """Give the campaigns that have something to do now. Reads only."""
    is_due = (
        Campaign.state.in_((SCHEDULED, RUNNING)),
        or_(Campaign.next_at.is_(None), Campaign.next_at <= now),
    )
    return list(db.session.scalars(select(Campaign.id).where(*is_due).order_by(Campaign.id)))


def send_next(campaign_id: int, *, config: Config, now: datetime) -> Step:
    """Do the next small piece of a campaign: gather its audience, queue one message, or end it. Flushes.

    Idempotent: the row's lock and `next_at` decide who does it.
    """
    campaign = _held(campaign_id)
    if campaign.state not in (SCHEDULED, RUNNING) or (campaign.next_at and campaign.next_at > now):
        return Step(False)
    number = integrations.number(campaign.integration_id)
    if halt := _halt(campaign, number):
        _move(campaign, PAUSED, now, None, halt)
        return Step(False)
    if number is None or not _may_go_on(campaign, now):
        return Step(False)
    if campaign.started_at is None:
        _begin(campaign, number, now)
        return Step(True)
    recipient = _next(campaign, config, now)
    return Step(False) if recipient is None else Step(True, _queue(campaign, number, recipient, now))


def _begin(campaign: Campaign, number: Number, now: datetime) -> None:
    """Put the audience together as it is now: all of it or none."""
    if campaign.segment:
        audience.write_down(campaign.id, audience.people_of_segment(campaign, number, now))
    before, campaign.state = campaign.state, RUNNING
    campaign.started_at, campaign.next_at = now, now
    db.session.flush()
    _note(campaign, before, now, None)


def _halt(campaign: Campaign, number: Number | None) -> str:
    """Name why a campaign must stop by itself; nothing when it may go on."""
    if number is None:
        return "number_off"
    if not audience.Wordings(campaign).by_language:
        return "no_template"
    since = _last_resumed(campaign)
    failed = select(Message.id).where(
        Message.id.in_(_messages(campaign.id)),
        Message.status == "failed",
        Message.error_code.in_(HALTING_CODES),
    )
    if since is not None:
        failed = failed.where(Message.created_at >= since)
    return "refused" if db.session.execute(failed.limit(1)).first() is not None else ""


def _last_resumed(campaign: Campaign) -> datetime | None:
    """Give when somebody last let the campaign go on: what failed before is known to her."""
    steps = history.changes_of("campaign", campaign.id)
    return next((step.at for step in reversed(steps) if step.before == PAUSED), None)


def _may_go_on(campaign: Campaign, now: datetime) -> bool:
    """Wait while the provider has paused the number, for Meta's next day, or while the outbox is full."""
    paused = db.session.scalar(
        select(Integration.paused_until).where(Integration.id == campaign.integration_id)
    )
    if paused is not None and paused > now:
        campaign.next_at = paused
        db.session.flush()
        return False
    free_at = limits.free_at(campaign.integration_id, now)
    campaign.reason = DAILY_LIMIT if free_at is not None else ""
    if free_at is not None:
        campaign.next_at = free_at
        db.session.flush()
        return False
    waiting = select(func.count()).where(
        Message.id.in_(_messages(campaign.id)), Message.status.in_(("queued", "sending"))
    )
    if (db.session.scalar(waiting) or 0) >= OUTBOX_MAX:
        campaign.next_at = now + OUTBOX_WAIT
        db.session.flush()
        return False
    return True


def _next(campaign: Campaign, config: Config, now: datetime) -> CampaignRecipient | None:
    """Give the next person for whom it is a decent hour; those for whom it is night wait for theirs."""
    mine = (CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.state == WAITING)
    is_due = or_(CampaignRecipient.due_at.is_(None), CampaignRecipient.due_at <= now)
    while True:
        row = db.session.scalars(
            select(CampaignRecipient).where(*mine, is_due).order_by(CampaignRecipient.id).limit(1)
        ).first()
        if row is None:
            break
        at = _decent_time(row, config, now)
        if at is not None and at <= now:
            return row
        row.due_at = at or now + timedelta(days=1)
        db.session.flush()
    soonest = db.session.scalar(select(func.min(CampaignRecipient.due_at)).where(*mine))
    if soonest is not None:
        campaign.next_at = soonest
        db.session.flush()
        return None
    _move(campaign, DONE, now, None)
    campaign.ended_at = now
    db.session.flush()
    return None


def _decent_time(row: CampaignRecipient, config: Config, now: datetime) -> datetime | None:
    # Somebody from a file is where her number is.
    contact = db.session.get(Contact, row.contact_id) if row.contact_id is not None else None
    contact = contact or Contact(country=phone.country(row.phone))
    return nudges.decent_time(now, nudges.zones_of(contact, config))


def _queue(campaign: Campaign, number: Number, row: CampaignRecipient, now: datetime) -> int | None:
    """Queue one person's message and mark her row, or say why she gets none."""
    woken = None
    try:
        woken = _queue_message(campaign, number, row, now)
    except TemplateRefused as refused:
        row.state, row.reason = LEFT_OUT, _REASONS.get(refused.code, refused.code)[:40]
    pace = timedelta(seconds=60 / campaign.per_minute)
    if woken is not None:
        campaign.next_at = max(campaign.next_at or now, now - CATCH_UP) + pace
    db.session.flush()
    return woken


_REASONS: Final = {"missing": "missing_value", "unsupported": "no_language", "not_approved": "no_language"}


def _queue_message(campaign: Campaign, number: Number, row: CampaignRecipient, now: datetime) -> int:
    conversation = _conversation_of(number, row, now)
    contact = db.session.get_one(Contact, conversation.contact_id)
    row.contact_id, row.conversation_id = contact.id, conversation.id
    language = row.language or contact.language or number.language
    template = audience.Wordings(campaign).of(language)
    if template is None:
        raise TemplateRefused("no_language")
    values = audience.values_for(
        template, audience.filling_of(campaign), row.name or contact.name, row.columns or {}
    )
    row.message_id = message_templates.queue(
        conversation.id, template, values, purpose=PURPOSE, now=now, sender="bot"
    )
    row.state, row.queued_at, row.due_at = QUEUED, now, None
    return int(conversation.id)


def _conversation_of(number: Number, row: CampaignRecipient, now: datetime) -> Conversation:
    """Give the thread with this person; somebody from a file may be new to us."""
    if row.conversation_id is not None:
        known = db.session.get(Conversation, row.conversation_id)
        if known is not None:
            return known
    if row.contact_id is not None:
        return threads.open_with_contact(number, row.contact_id, now=now)
    conversation = threads.open_with(number, row.phone, row.name, now=now)
    contact = db.session.get_one(Contact, conversation.contact_id)
    if contact.language is None and row.language:
        contact.language = row.language
    return conversation


# --- below --------------------------------------------------------------------------------------------------


def _held(campaign_id: int) -> Campaign:
    return db.session.get_one(Campaign, campaign_id, with_for_update=True, populate_existing=True)


def _check_draft(campaign: Campaign) -> None:
    if campaign.state != DRAFT:
        raise CampaignRefused("not_draft")


def _count(campaign_id: int, state: str) -> int:
    counted = select(func.count()).where(
        CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state == state
    )
    return db.session.scalar(counted) or 0


def _messages(campaign_id: int) -> Select[int | None]:
    return select(CampaignRecipient.message_id).where(
        CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.message_id.is_not(None)
    )


def _move(campaign: Campaign, state: str, now: datetime, operator: Operator | None, reason: str = "") -> None:
    before, campaign.state, campaign.reason = campaign.state, state, reason
    db.session.flush()
    _note(campaign, before, now, operator)


def _note(campaign: Campaign, before: str, now: datetime, operator: Operator | None) -> None:
    history.note_change(
        "campaign",
        campaign.id,
        before=before,
        after=campaign.state,
        actor="operator" if operator else "system",
        operator_id=operator.id if operator else None,
        now=now,
        reason=campaign.reason,
    )
