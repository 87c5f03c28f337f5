"""Message templates: what our numbers may say outside the 24-hour window, from draft to approval to use.

Pages and tasks keep the list (`keep_listing`, `save_draft`, `begin_submission`, `apply_events`); whoever
writes to somebody whose window is closed calls `find` and `queue`. The provider is asked by the caller, with
no session held. Verbs flush and never commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import func, or_, select, update

import alerts
import history
import integrations
import whatsapp_service
from integrations import Number
from message_content import Template
from models import Contact, Conversation, Integration, Message, MessageTemplate, TemplateUse, WebhookEvent, db
from providers import loose, meta_templates, provider, templates
from providers.base import Notice
from providers.templates import Draft, ListedTemplate, Problem, Submitted, Unfillable, Wording
from statements import bounded, changed_rows

log = structlog.get_logger()

DRAFT: Final = "draft"
PENDING: Final = "pending"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
DELETED: Final = "deleted"
MARKETING: Final = "marketing"
# Statuses of which people are told: what was planned with such a template does not go out.
ALARMING: Final = ("rejected", "paused", "disabled", "deleted", "archived")
# A hand-in whose answer was lost may be there all the same; the next sync tells after this time.
SUBMISSION_LOST_AFTER: Final = timedelta(minutes=10)
REASON_CHARS: Final = 255
PREVIEW_CHARS: Final = 140
REVIEWS_AT_ONCE: Final = 50
NAME_CHARS: Final = 512
LANGUAGE_CHARS: Final = 15
EXTERNAL_ID_CHARS: Final = 100
SID_ENDING_CHARS: Final = 6


class DraftRefused(ValueError):
    """A draft that a provider would refuse: `problems` say where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(f"{one.part}: {one.code}" for one in problems))
        self.problems = tuple(problems)


class TemplateRefused(Exception):
    """This template cannot go to this person now.

    `code`: not_approved, other_number, number_off, opted_out, refuses_marketing, no_address, or one of
    Unfillable's (missing, too_long, bad_link, unsupported) with the `keys` concerned.
    """

    def __init__(self, code: str, keys: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.keys = tuple(keys)


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync changed."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    total: int = 0


# --- finding ------------------------------------------------------------------------------------------------


def wording_of(row: MessageTemplate) -> Wording:
    return templates.from_json(row.wording)


def is_usable(row: MessageTemplate) -> bool:
    """Tell whether the template may be sent: approved, and nothing in it that the desk cannot fill."""
    return row.status == APPROVED and not wording_of(row).unsupported


def list_templates(integration_id: int | None = None, *, usable: bool = False) -> list[MessageTemplate]:
    """List templates by name and language; `usable` leaves out what may not be sent now."""
    query = select(MessageTemplate).order_by(
        MessageTemplate.integration_id, MessageTemplate.name, MessageTemplate.language
    )
    if integration_id is not None:
        query = query.where(MessageTemplate.integration_id == integration_id)
    if usable:
        query = query.where(MessageTemplate.status == APPROVED)
    rows = db.session.scalars(query).all()
    return [row for row in rows if not usable or is_usable(row)]


def find(integration_id: int, name: str, language: str, fallback: str = "") -> MessageTemplate | None:
    """Give the usable template of this name in a person's language ("pt"), else in `fallback`, else None."""
    named = MessageTemplate.name == name
    rows = {
        row.language: row
        for row in db.session.scalars(
            select(MessageTemplate).where(
                MessageTemplate.integration_id == integration_id, named, MessageTemplate.status == APPROVED
            )
        )
        if is_usable(row)
    }
    code = templates.pick_language(language, rows) or (fallback if fallback in rows else None)
    return rows[code] if code is not None else None


def uses(template_ids: Iterable[int], since: datetime) -> dict[int, int]:
    """Count how often templates were sent since then, by their ids."""
    wanted = (TemplateUse.template_id.in_(list(template_ids)), TemplateUse.created_at >= since)
    counted = select(TemplateUse.template_id, func.count()).where(*wanted).group_by(TemplateUse.template_id)
    return {row[0]: row[1] for row in db.session.execute(counted)}


# --- sending ------------------------------------------------------------------------------------------------


def content(
    row: MessageTemplate, values: Mapping[str, str], payloads: Mapping[int, str] | None = None
) -> Template:
    """Fill a template into a message. Raises TemplateRefused when a value is missing or does not fit."""
    try:
        filled = templates.fill(wording_of(row), values, payloads)
    except Unfillable as refused:
        raise TemplateRefused(refused.code, refused.keys) from refused
    name = (row.external_id or row.name) if _is_shared(row) else row.name
    return Template(name, row.language, filled.components, filled.preview, filled.file_id)


def queue(
    conversation_id: int,
    row: MessageTemplate,
    values: Mapping[str, str],
    *,
    purpose: str,
    now: datetime,
    sender: str = "bot",
    operator_id: int | None = None,
    turn_id: int | None = None,
    client_token: str | None = None,
    payloads: Mapping[int, str] | None = None,
) -> int:
    """Queue a template to the person of a conversation, whether her window is open or not; give the message's
    id. Flushes; the caller commits and wakes the outbox.

    `values` fill the placeholders by their keys (`providers.templates.placeholders`), `payloads` are what
    quick replies send back; the same `client_token` queues once. Holds the conversation, then the contact,
    until the commit, so that an opt-out comes before (and refuses) or after (and cancels). Raises
    TemplateRefused.
    """
    if not is_usable(row):
        raise TemplateRefused("not_approved")
    conversation, contact = _held(conversation_id)
    if client_token and (known := _sent_with(client_token)) is not None:
        return known
    if conversation.integration_id != row.integration_id:
        raise TemplateRefused("other_number")
    _check_consent(contact, row)
    number = integrations.number(row.integration_id)
    if number is None:
        raise TemplateRefused("number_off")
    filled = content(row, values, payloads)
    message_id = whatsapp_service.queue(
        conversation_id,
        number,
        [filled],
        sender=sender,
        now=now,
        turn_id=turn_id,
        operator_id=operator_id,
        client_token=client_token,
    )[0]
    conversation.last_message_at = now
    conversation.last_preview = filled.summary.replace("\n", " ")[:PREVIEW_CHARS]
    db.session.add(
        TemplateUse(template_id=row.id, message_id=message_id, purpose=purpose[:20], created_at=now)
    )
    db.session.flush()
    return message_id


def _sent_with(client_token: str) -> int | None:
    """Give the message of a form that was sent before: two clicks are one message."""
    return db.session.scalar(select(Message.id).where(Message.client_token == client_token))


def _held(conversation_id: int) -> tuple[Conversation, Contact]:
    """Lock a thread, then its contact, as every turn does."""
    options: dict[str, Any] = {"with_for_update": True, "populate_existing": True}
    conversation = db.session.get_one(Conversation, conversation_id, **options)
    return conversation, db.session.get_one(Contact, conversation.contact_id, **options)


def _check_consent(contact: Contact, row: MessageTemplate) -> None:
    if contact.has_opted_out:
        raise TemplateRefused("opted_out")
    if contact.refuses_marketing_at is not None and row.category == MARKETING:
        raise TemplateRefused("refuses_marketing")


def _is_shared(row: MessageTemplate) -> bool:
    """Twilio knows a template by its Content SID."""
    return wording_of(row).style == "shared"


# --- the provider's list ------------------------------------------------------------------------------------


def keep_listing(number: Number, listed: Sequence[ListedTemplate], *, now: datetime) -> Synced:
    """Make the rows of a number equal to what its provider listed; drafts of ours stay. Flushes. Idempotent.

    What is gone at the provider is marked `deleted`, not dropped: messages were sent with it.
    """
    rows = db.session.scalars(
        select(MessageTemplate).where(MessageTemplate.integration_id == number.id).with_for_update()
    ).all()
    by_id = {row.external_id: row for row in rows if row.external_id}
    by_name = {(row.name, row.language): row for row in rows}
    new = changed = 0
    seen: set[int] = set()
    for one in listed:
        external_id = bounded(one.external_id, EXTERNAL_ID_CHARS)
        row = by_id.get(external_id) or _unclaimed(by_name.get((one.name, one.language)), external_id)
        if row is None:
            row = _add_listed(number, one, by_name, now)
            new += 1
        elif _take_over(row, one, now):
            changed += 1
        row.external_id, row.synced_at = external_id, now
        seen.add(row.id)
    gone = sum(_mark_gone(row, now) for row in rows if row.id not in seen)
    db.session.flush()
    return Synced(new, changed, gone, len(listed))


def _unclaimed(row: MessageTemplate | None, external_id: str | None) -> MessageTemplate | None:
    """A name may be used again at Twilio: a row of another Content is another template. Meta's name and
    language are a key of their own."""
    if row is None or not _is_shared(row) or row.external_id in (None, external_id):
        return row
    return None


def _add_listed(
    number: Number,
    one: ListedTemplate,
    by_name: dict[tuple[str, str], MessageTemplate],
    now: datetime,
) -> MessageTemplate:
    name, language = one.name[:NAME_CHARS], one.language[:LANGUAGE_CHARS]
    if (name, language) in by_name:
        ending = one.external_id[-SID_ENDING_CHARS:]
        name = f"{name[: NAME_CHARS - SID_ENDING_CHARS - 1]}_{ending}"
    row = MessageTemplate(
        integration_id=number.id,
        name=name,
        language=language,
        wording={},
        created_at=now,
    )
    _write(row, one)
    db.session.add(row)
    db.session.flush()
    by_name[(name, language)] = row
    _note(row, "", now)
    return row


def _take_over(row: MessageTemplate, one: ListedTemplate, now: datetime) -> bool:
    before = (row.status, row.category, row.body, row.quality, row.wording, row.status_reason)
    status = row.status
    _write(row, one)
    if (row.status, row.category, row.body, row.quality, row.wording, row.status_reason) == before:
        return False
    row.updated_at = now
    _note(row, status, now)
    return True


def _write(row: MessageTemplate, one: ListedTemplate) -> None:
    # The provider knows the file on top by an address of its own; ours stays what is sent.
    ours = int((row.wording or {}).get("file_id", 0))
    is_same_kind = one.wording.header_kind == (row.wording or {}).get("header_kind")
    wording = replace(one.wording, file_id=ours if is_same_kind else 0)
    row.category, row.status = one.category[:20] or "utility", one.status[:20]
    row.wording, row.body = templates.to_json(wording), wording.body
    row.status_reason, row.quality = one.status_reason[:REASON_CHARS], one.quality


def _mark_gone(row: MessageTemplate, now: datetime) -> bool:
    if row.status in (DRAFT, DELETED):
        return False
    if row.external_id is None:
        # Handed in, and the answer was lost: it never arrived.
        if now - row.updated_at > SUBMISSION_LOST_AFTER:
            _set_status(row, DRAFT, now)
        return False
    _set_status(row, DELETED, now)
    return True


# --- drafts -------------------------------------------------------------------------------------------------


def save_draft(
    integration_id: int,
    draft: Draft,
    row: MessageTemplate | None = None,
    *,
    now: datetime,
    operator_id: int | None = None,
    actor: str = "operator",
) -> MessageTemplate:
    """Write a new draft, or change one that was not handed in or was rejected. Flushes.

    Raises DraftRefused: with what Meta would refuse, `taken` for a name that has this language already, or
    `handed_in` for a template that is not ours to change any more.
    """
    number = integrations.number(integration_id)
    if number is not None and number.webhook_shape == "twilio":
        draft = replace(draft, wording=replace(draft.wording, style="shared"))
    found = list(templates.problems(draft))
    if row is not None and row.status not in (DRAFT, REJECTED):
        found.append(Problem("name", "handed_in"))
    if _is_taken(integration_id, draft, row):
        found.append(Problem("name", "taken"))
    if found:
        raise DraftRefused(found)
    if row is None:
        row = MessageTemplate(integration_id=integration_id, created_at=now)
        db.session.add(row)
    step = "changed" if row.status else DRAFT
    row.integration_id, row.name, row.language = integration_id, draft.name, draft.language
    row.category, row.body = draft.category, draft.wording.body
    row.wording, row.updated_at = templates.to_json(draft.wording), now
    row.status = row.status or DRAFT
    db.session.flush()
    _note_of_ours(row, "", step, now, operator_id, actor)
    return row


def save_by_hand(
    integration_id: int,
    sid: str,
    draft: Draft,
    *,
    now: datetime,
    status: str = APPROVED,
    operator_id: int | None = None,
) -> MessageTemplate:
    """Write down a template that Twilio has under `sid`, for accounts whose list we cannot read. Flushes.
    Raises DraftRefused."""
    found = [problem for problem in templates.problems(draft) if problem.part in ("name", "language", "body")]
    # Twilio shares one numbering among all parts of a template.
    found = [problem for problem in found if problem.code != "not_in_sequence"]
    if _is_taken(integration_id, draft, None):
        found.append(Problem("name", "taken"))
    if found:
        raise DraftRefused(found)
    row = MessageTemplate(
        integration_id=integration_id,
        name=draft.name,
        language=draft.language,
        category=draft.category,
        wording=templates.to_json(draft.wording),
        body=draft.wording.body,
        status=status,
        external_id=sid,
        created_at=now,
        updated_at=now,
    )
    db.session.add(row)
    db.session.flush()
    _note_of_ours(row, "", status, now, operator_id)
    return row


def delete_draft(row: MessageTemplate) -> bool:
    """Drop a template that its provider never had; False for any other. Flushes."""
    if row.status != DRAFT or row.external_id is not None:
        return False
    history.forget("template", [row.id])
    db.session.delete(row)
    db.session.flush()
    return True


def begin_submission(row: MessageTemplate, *, now: datetime, operator_id: int | None = None) -> bool:
    """Take the right to hand a draft in: one UPDATE decides, so that two clicks are one. The caller commits,
    asks the provider, and calls `note_submitted` or `note_refused`."""
    before = row.status
    taken = changed_rows(
        update(MessageTemplate)
        .where(MessageTemplate.id == row.id, MessageTemplate.status.in_((DRAFT, REJECTED)))
        .values(status=PENDING, status_reason="", updated_at=now)
    )
    if taken != 1:
        return False
    _note_of_ours(row, before, PENDING, now, operator_id)
    if _is_shared(row):
        row.external_id = None  # a Content cannot be changed: another takes its place
        db.session.flush()
    return True


def draft_of(row: MessageTemplate) -> Draft:
    return Draft(row.name, row.language, row.category, wording_of(row))


def note_submitted(template_id: int, submitted: Submitted, *, now: datetime) -> None:
    """Keep what the provider said. Flushes."""
    row = db.session.get_one(MessageTemplate, template_id, populate_existing=True)
    row.external_id = bounded(submitted.external_id, EXTERNAL_ID_CHARS)
    row.synced_at = now
    _note_standing(row, submitted, now)


def in_review(provider_name: str) -> list[tuple[int, Number, str]]:
    """List what a provider reviews and tells no webhook of: row, number and external id."""
    rows = db.session.execute(
        select(MessageTemplate.id, MessageTemplate.integration_id, MessageTemplate.external_id)
        .join(Integration, Integration.id == MessageTemplate.integration_id)
        .where(MessageTemplate.status == PENDING, Integration.provider == provider_name)
        .order_by(MessageTemplate.synced_at)
        .limit(REVIEWS_AT_ONCE)
    ).all()
    numbers = [(row_id, integrations.number(owner), sid) for row_id, owner, sid in rows]
    return [(row_id, number, sid) for row_id, number, sid in numbers if number is not None and sid]


def note_review(template_id: int, standing: Submitted, *, now: datetime) -> None:
    """Keep how a review stands now. Flushes. Idempotent."""
    row = db.session.get_one(MessageTemplate, template_id, populate_existing=True)
    row.synced_at = now
    if row.external_id == standing.external_id and row.status == PENDING != standing.status:
        _note_standing(row, standing, now)


def _note_standing(row: MessageTemplate, standing: Submitted, now: datetime) -> None:
    row.category = standing.category[:20] or row.category
    row.status_reason = standing.status_reason[:REASON_CHARS]
    _set_status(row, standing.status, now)


def note_refused(template_id: int, words: str, *, now: datetime) -> None:
    """Make a draft again of what the provider did not take, with its words. Flushes."""
    row = db.session.get_one(MessageTemplate, template_id, populate_existing=True)
    row.status_reason = words[:REASON_CHARS]
    _set_status(row, DRAFT, now)


def _is_taken(integration_id: int, draft: Draft, row: MessageTemplate | None) -> bool:
    same = select(MessageTemplate.id).where(
        MessageTemplate.integration_id == integration_id,
        MessageTemplate.name == draft.name,
        MessageTemplate.language == draft.language,
    )
    known = db.session.scalar(same)
    return known is not None and (row is None or known != row.id)


# --- what the provider tells --------------------------------------------------------------------------------


def apply_events(events: Sequence[WebhookEvent], *, now: datetime) -> None:
    """Apply what webhooks say of templates, in their order; each counts for every number of the account that
    signed it. Flushes."""
    for event in events:
        parsed = provider(event.provider).parse(event.payload)
        event.state = "ignored"
        if isinstance(parsed, Notice):
            for row in _rows_of(event, parsed):
                _apply(row, parsed.topic, parsed.data, now)
                event.state = "done"
    db.session.flush()


def set_aside(event_id: int, error: Exception, *, now: datetime) -> None:
    """Keep an event that cannot be worked on from coming up again; people are told. Flushes."""
    log.error("template_event_failed", event_id=event_id, error=type(error).__name__)
    event = db.session.get_one(WebhookEvent, event_id)
    event.state, event.error, event.due_at = "failed", type(error).__name__[:255], None
    text = f"Template event {event_id} could not be worked on and was set aside."
    alerts.raise_alert("receipt_failed", f"event:{event_id}", text, now=now)


def _rows_of(event: WebhookEvent, notice: Notice) -> list[MessageTemplate]:
    """Find the template that is meant at each number whose secret signed the webhook: somebody else's account
    in it finds none."""
    number = integrations.number(event.integration_id) if event.integration_id is not None else None
    if number is None:
        return []
    waba = loose.identifier(loose.mapping(loose.read(event.payload)).get("waba"))
    numbers = [
        one.id
        for one in integrations.numbers()
        if one.account.provider == number.account.provider
        and one.account.app_secret == number.account.app_secret
        and one.account.business_id in ("", waba)
    ]
    external_id = loose.identifier(notice.data.get("message_template_id"))
    name = loose.text(notice.data.get("message_template_name"))
    language = loose.text(notice.data.get("message_template_language"))
    named = (MessageTemplate.name == name) & (MessageTemplate.language == language)
    is_meant = or_(MessageTemplate.external_id == external_id, named) if external_id else named
    query = select(MessageTemplate).where(MessageTemplate.integration_id.in_(numbers), is_meant)
    return list(db.session.scalars(query.order_by(MessageTemplate.id).with_for_update()))


def _apply(row: MessageTemplate, topic: str, data: Mapping[str, Any], now: datetime) -> None:
    row.external_id = row.external_id or loose.identifier(data.get("message_template_id"))
    if topic == "message_template_status_update":
        word = loose.text(data.get("event")).lower()
        status = meta_templates.STATUSES_OF_EVENTS.get(word, word)[:20]
        info = loose.mapping(data.get("rejection_info"))
        reason = [loose.text(data.get("reason")), loose.text(info.get("recommendation"))]
        said = ": ".join(part for part in reason if part and part.upper() != "NONE")
        if status:
            row.status_reason = said[:REASON_CHARS]
            _set_status(row, status, now)
    elif topic == "template_category_update":
        _recategorise(row, loose.text(data.get("new_category")).lower(), now)
    elif topic == "message_template_quality_update":
        row.quality = meta_templates.quality_of(data.get("new_quality_score"))
        row.updated_at = now


def _recategorise(row: MessageTemplate, category: str, now: datetime) -> None:
    if not category or category == row.category:
        return
    text = f"Meta moved the template {row.name} ({row.language}) from {row.category} to {category}."
    alerts.raise_alert("template", f"template_category:{row.id}", text, now=now)
    row.category, row.updated_at = category[:20], now


def _set_status(row: MessageTemplate, status: str, now: datetime) -> None:
    before, row.status, row.updated_at = row.status, status, now
    db.session.flush()
    _note(row, before, now)


def _note_of_ours(
    row: MessageTemplate, before: str, after: str, now: datetime, by: int | None, actor: str = "operator"
) -> None:
    """Write down what a person of ours, or a program, did."""
    step = {"before": before, "after": after, "actor": actor}
    history.note_change("template", row.id, **step, operator_id=by, now=now)


def _note(row: MessageTemplate, before: str, now: datetime) -> None:
    """Write the step down; people are told when a template that could be sent no longer can."""
    history.note_change(
        "template",
        row.id,
        before=before,
        after=row.status,
        actor="provider",
        now=now,
        reason=row.status_reason,
    )
    topic = f"template:{row.id}"
    if before and before != row.status and row.status in ALARMING:
        words = f"The template {row.name} ({row.language}) is {row.status} at its provider."
        alerts.raise_alert("template", topic, words, now=now)
    elif row.status == APPROVED:
        alerts.settle(topic, now=now)


def numbers_with_templates() -> list[Integration]:
    """List the numbers that have templates of their own, the default first."""
    return list(
        db.session.scalars(
            select(Integration)
            .where(Integration.is_active)
            .order_by(Integration.is_default.desc(), Integration.id)
        )
    )
