"""The phone line: stored events become messages and statuses; queued messages leave, in order, each once.

The pipeline stores and queues through this room inside its turn; the worker calls `deliver` and
`apply_receipts`. The outbox is
the `messages` table itself: while `send_due_at` is set there is work to do. `deliver` commits by itself
(its meaning is a
commit: a send is marked before it leaves and settled after) and holds no transaction while it talks to a
provider.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic, perf_counter
from typing import Any, Final

import structlog
from sqlalchemy import bindparam, insert, select, update

import alerts
import conversations
import integrations
import lanes
import logs
import metrics
import received
import webhooks_out
from conversations import OutsideServiceWindow
from integrations import Number
from lanes import Lease, LeaseLost
from message_content import Content, Media, Template, Text, from_json, to_json
from models import Conversation, Integration, Message, Operator, UtcDateTime, WebhookEvent, db
from providers import provider
from providers.base import OwnFile, Person, SendError, Sent
from statements import changed_rows, inserted_id, table
from vocabulary import statuses_before
from webhooks_out.kinds import MESSAGE_STATUS

log = structlog.get_logger()

MAX_ATTEMPTS: Final = 8
FIRST_RETRY_SECS: Final = 2.0
LONGEST_RETRY_SECS: Final = 600.0
PAIR_BACKOFF_BASE: Final = 4.0  # Meta: retry after 4^n seconds
CREDENTIAL_PAUSE_SECS: Final = 60.0
NUMBER_PAUSE_SECS: Final = 5.0
RECEIPTS_WAIT_SECS: Final = 2.0
# Meta keeps an upload for 30 days, a simulated number's address lives an hour.
HEADER_KEPT_SECS: Final = 1800.0
# Twilio repeats within seconds (its time-out is 15 s); what comes much later is somebody's replay.
HAND_OUT_AGAIN_SECS: Final = 300.0


_MESSAGE = table(Message).c
_CONVERSATION = table(Conversation).c

# Every turn runs these; statements that are built once cost a third of those built each time.
_INSERT = insert(table(Message))
_HEAD = (
    select(
        _MESSAGE.id,
        _MESSAGE.status,
        _MESSAGE.content,
        _MESSAGE.quotes_external_id.label("quotes"),
        _MESSAGE.send_due_at,
        _MESSAGE.status_at,
        _MESSAGE.attempts,
        _MESSAGE.resent_count,
        _MESSAGE.trace_id,
        _CONVERSATION.contact_id,
        _CONVERSATION.integration_id,
        _CONVERSATION.last_inbound_at,
        table(Integration).c.paused_until,
    )
    .select_from(table(Message))
    .join(table(Conversation), _CONVERSATION.id == _MESSAGE.conversation_id)
    .join(table(Integration), table(Integration).c.id == _CONVERSATION.integration_id)
    .where(_MESSAGE.conversation_id == bindparam("conversation"), _MESSAGE.send_due_at.is_not(None))
    .order_by(_MESSAGE.id)
    .limit(1)
)
_MARK_SENDING = (
    update(table(Message))
    .where(
        _MESSAGE.id == bindparam("message"),
        # A take-over or an opt-out may have cancelled it since it was read.
        _MESSAGE.status.in_(("queued", "uncertain")),
        _MESSAGE.send_due_at.is_not(None),
    )
    .values(
        status="sending",
        status_at=bindparam("now", type_=UtcDateTime()),
        send_due_at=bindparam("left_behind_at", type_=UtcDateTime()),
        attempts=bindparam("tries"),
        resent_count=bindparam("resends"),
    )
)
_SETTLE_SENT = (
    update(table(Message))
    .where(_MESSAGE.id == bindparam("message"), _MESSAGE.status.in_(statuses_before("sent")))
    .values(
        status="sent",
        status_at=bindparam("now", type_=UtcDateTime()),
        external_id=bindparam("wamid"),
        send_due_at=None,
    )
)


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """What delivery must know of the settings, and its way to wait for the number's turn."""

    uncertain_resend_secs: float
    lease_secs: float
    await_turn: Callable[[int], None]  # blocks until the number may send once more
    # Takes a send of this conversation's, or gives after how many seconds it may be tried again.
    pair_wait_secs: Callable[[int], float] = lambda _conversation_id: 0.0
    # Reads one of our own files that a message carries; None when it is gone.
    load_file: Callable[[int], OwnFile | None] = lambda _file_id: None


# What the file on top of a template became: since when, as a component; by number and file.
_kept_headers: dict[tuple[int, int], tuple[float, tuple[dict[str, Any], ...]]] = {}


@dataclass(frozen=True, slots=True)
class _Head:
    """The oldest message of an outbox lane."""

    id: int
    status: str
    content: dict[str, Any]
    quotes: str | None
    send_due_at: datetime
    status_at: datetime | None
    attempts: int
    resent_count: int
    trace_id: str | None
    contact_id: int
    integration_id: int
    last_inbound_at: datetime | None
    paused_until: datetime | None


# --- out: queueing ------------------------------------------------------------------------------------------


def queue(
    conversation_id: int,
    number: Number,
    contents: Iterable[Content],
    *,
    sender: str,
    now: datetime,
    turn_id: int | None = None,
    operator_id: int | None = None,
    client_token: str | None = None,
) -> list[int]:
    """Put messages into the outbox, each fitted to the provider's limits; gives their ids in order of
    sending."""
    fit = provider(number.account.provider, number.account.shape).fit
    ids = []
    for content in contents:
        for piece in fit(content):
            row = {
                "conversation_id": conversation_id,
                "integration_id": number.id,
                "turn_id": turn_id,
                "direction": "out",
                "sender": sender,
                "operator_id": operator_id,
                "kind": piece.KIND,
                "body": piece.summary,
                "content": to_json(piece),
                "status": "queued",
                "status_at": now,
                "send_due_at": now,
                "client_token": client_token,
                "trace_id": logs.current_trace_id(),
                "created_at": now,
            }
            ids.append(inserted_id(_INSERT, row))
            client_token = None  # the first piece carries it
    return ids


def queue_text(
    conversation: Conversation,
    body: str,
    *,
    operator: Operator,
    client_token: str,
    now: datetime,
) -> int:
    """Queue a person's own words; as `queue_own`."""
    return queue_own(conversation, Text(body), operator=operator, client_token=client_token, now=now)


def queue_own(
    conversation: Conversation,
    content: Text | Media,
    *,
    operator: Operator | None,
    client_token: str,
    now: datetime,
) -> int:
    """Queue what a person of ours says or shows, or a program for her (no operator); the same
    `client_token` queues once. Flushes.

    Raises OutsideServiceWindow when only a template may be sent.
    """
    known = db.session.execute(select(Message.id).where(Message.client_token == client_token)).scalar()
    if known is not None:
        return int(known)
    if not conversations.is_window_open(conversation.last_inbound_at, now):
        raise OutsideServiceWindow
    number = integrations.number(conversation.integration_id)
    if number is None:
        raise LookupError("this number is switched off")
    ids = queue(
        conversation.id,
        number,
        [content],
        sender="operator",
        now=now,
        operator_id=operator.id if operator else None,
        client_token=client_token,
    )
    conversation.last_message_at, conversation.last_preview = (
        now,
        content.summary.replace("\n", " ")[: received.PREVIEW_CHARS],
    )
    conversation.unread_count = 0
    db.session.flush()
    return ids[0]


def hand_out(
    conversation_id: int, holder: str, rules: DeliveryRules, clock: Callable[[], datetime]
) -> list[Content]:
    """Give everything that is due of one conversation to a caller that answers inside the provider's own
    request.

    The messages count as sent, without an id: the provider gives none for such answers. Commits.
    """
    lease = lanes.take(lanes.outbound_lane(conversation_id), holder, rules.lease_secs)
    if lease is None:
        db.session.rollback()
        return []
    contents = []
    while isinstance(parcel := _mark_next(conversation_id, rules, clock()), _Parcel):
        _change(parcel.message_id, status="sent", send_due_at=None)
        content = _attached(parcel, rules)
        contents.append(Text(parcel.content.summary) if isinstance(content, SendError) else content)
    lanes.let_go(lease)
    db.session.commit()
    return contents


def hand_out_again(integration_id: int, external_id: str, now: datetime) -> list[Content]:
    """Give once more what was handed out for a message that the provider repeats: its response was lost.

    Only while fresh, and only what left inside that response; each counts as resent. Flushes.
    """
    asked = select(Message.turn_id).where(
        Message.integration_id == integration_id,
        Message.external_id == external_id,
        Message.direction == "in",
        Message.created_at >= now - timedelta(seconds=HAND_OUT_AGAIN_SECS),
    )
    answers = select(Message).where(
        Message.turn_id.in_(asked),
        Message.direction == "out",
        Message.status == "sent",
        Message.external_id.is_(None),  # what went through the provider's API has an id
        Message.send_due_at.is_(None),
    )
    found = list(db.session.scalars(answers.order_by(Message.id)))
    contents = [from_json(message.content) for message in found if message.content]
    for message in found:
        message.resent_count += 1
    db.session.flush()
    return contents


# --- out: delivery ------------------------------------------------------------------------------------------


def deliver(
    conversation_id: int, holder: str, rules: DeliveryRules, clock: Callable[[], datetime]
) -> datetime | None:
    """Send what is due of one conversation, in order; give when more becomes due, None when nothing is left.

    Commits. A message is marked `sending` in the commit that precedes its request, so that a crash in between
    is seen; a lease that was lost meanwhile means that nothing is written.
    """
    lease = lanes.take(lanes.outbound_lane(conversation_id), holder, rules.lease_secs)
    if lease is None:
        db.session.rollback()
        return None
    try:
        return _deliver_under(lease, conversation_id, rules, clock)
    except LeaseLost:
        db.session.rollback()
        log.warning("lease_lost", lane=lease.key)
        return None


def _deliver_under(
    lease: Lease, conversation_id: int, rules: DeliveryRules, clock: Callable[[], datetime]
) -> datetime | None:
    is_fresh = True
    while isinstance(ready := _mark_next(conversation_id, rules, clock()), _Parcel):
        if not is_fresh:
            lanes.confirm(lease, rules.lease_secs)
        db.session.commit()
        is_fresh = False
        rules.await_turn(ready.number.id)
        with logs.tracing(ready.trace_id):
            answer = _send(ready, rules)
            # Settled in the commit that marks the next message or lets the lane go: both prove the lease.
            if isinstance(answer, Sent):
                _settle_sent(ready, answer, clock())
            else:
                _settle_error(ready, answer, rules, clock())
    lanes.let_go(lease)
    db.session.commit()
    return ready


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A message that was marked `sending` and is about to leave."""

    message_id: int
    conversation_id: int
    contact_id: int
    number: Number
    to: Person
    content: Content
    quotes: str | None
    attempts: int
    is_resend: bool
    trace_id: str | None


def _send(parcel: _Parcel, rules: DeliveryRules) -> Sent | SendError:
    """Hand one message to its provider; a file of ours is made one of the provider's first."""
    account, content = parcel.number.account, _attached(parcel, rules)
    if isinstance(content, SendError):
        return content
    began = perf_counter()
    answer = provider(account.provider).send(
        account,
        parcel.to,
        content,
        reference=integrations.reference_of(parcel.message_id),
        quotes=parcel.quotes,
    )
    result = "sent" if isinstance(answer, Sent) else answer.outcome
    metrics.SENDS.labels(account.provider, result).observe(perf_counter() - began)
    return answer


def _attached(parcel: _Parcel, rules: DeliveryRules) -> Content | SendError:
    content, account = parcel.content, parcel.number.account
    if not isinstance(content, Media | Template) or not content.file_id:
        return content
    key, at = (account.integration_id, content.file_id), monotonic()
    if isinstance(content, Template) and (kept := _kept_headers.get(key)) and at - kept[0] < HEADER_KEPT_SECS:
        return replace(content, file_id=0, components=(*kept[1], *content.components))
    file = rules.load_file(content.file_id)
    if file is None:
        return SendError("file_gone", "final", "The file that this message carried is not there any more.")
    attached = provider(account.provider, account.shape).attach(account, content, file)
    if isinstance(content, Template) and isinstance(attached, Template):
        # The newest alone: what is sent to thousands is sent at once.
        _kept_headers.clear()
        _kept_headers[key] = (at, attached.components[: len(attached.components) - len(content.components)])
    return attached


def _mark_next(conversation_id: int, rules: DeliveryRules, now: datetime) -> _Parcel | datetime | None:
    """Settle what cannot or need not be sent, and mark the first message that can; else say when to come
    back."""
    while head := _head(conversation_id):
        if head.status == "sending":
            # Its worker died between marking and settling: whether it left, only a receipt can tell.
            _mark_uncertain(head.id, head.status_at or now, rules)
            continue
        if head.send_due_at > now:
            return head.send_due_at
        if head.status == "uncertain" and head.resent_count:
            _give_up_uncertain(head.id, conversation_id, now)
            continue
        if head.status == "uncertain" and _receipts_wait(head.send_due_at):
            return now + timedelta(seconds=RECEIPTS_WAIT_SECS)
        parcel = _parcel(conversation_id, head, now)
        if isinstance(parcel, _Parcel) and (wait := rules.pair_wait_secs(conversation_id)):
            return _put_off(head.id, now + timedelta(seconds=wait))
        if isinstance(parcel, _Parcel) and not _mark_sending(head, now, lease_secs=rules.lease_secs):
            continue
        if parcel is not None:
            return parcel
    return None


def _head(conversation_id: int) -> _Head | None:
    row = db.session.execute(_HEAD, {"conversation": conversation_id}).first()
    return None if row is None else _Head(**row._mapping)


def _parcel(conversation_id: int, head: _Head, now: datetime) -> _Parcel | datetime | None:
    """Make a message ready, or refuse it for good (None), or say when its number may send again."""
    if head.paused_until is not None and head.paused_until > now:
        return head.paused_until
    number = integrations.number(head.integration_id)
    if number is None:
        _fail(head.id, conversation_id, "number_off", "This number is switched off.", now)
        return None
    content = from_json(head.content)
    is_open = conversations.is_window_open(head.last_inbound_at, now)
    if not is_open and not isinstance(content, Template):
        text = (
            "The 24-hour window was closed when this was about to be sent; only a template may be sent now."
        )
        _fail(head.id, conversation_id, "window_closed", text, now)
        return None
    to = conversations.address_of(head.contact_id)
    if not (to.wa_id or to.bsuid or to.parent_bsuid):
        _fail(head.id, conversation_id, "no_address", "The provider gave no address for this person.", now)
        return None
    return _Parcel(
        message_id=head.id,
        conversation_id=conversation_id,
        contact_id=head.contact_id,
        number=number,
        to=to,
        content=content,
        quotes=head.quotes,
        attempts=head.attempts,
        is_resend=head.status == "uncertain",
        trace_id=head.trace_id,
    )


def _put_off(message_id: int, until: datetime) -> datetime:
    """Leave a message for later, so that neither a worker nor the sweep spends time on it before."""
    _change(message_id, send_due_at=until)
    return until


def _receipts_wait(until: datetime) -> bool:
    """Tell whether receipts that came before `until` are still unread: one may settle an uncertain send."""
    waiting = select(WebhookEvent.id).where(
        WebhookEvent.state == "pending",
        WebhookEvent.lane == lanes.RECEIPTS_LANE,
        WebhookEvent.received_at <= until,
    )
    return db.session.execute(waiting.limit(1)).first() is not None


def _mark_sending(head: _Head, now: datetime, *, lease_secs: float) -> bool:
    marked = changed_rows(
        _MARK_SENDING,
        {
            "message": head.id,
            "now": now,
            # Whoever finds it after this was left behind by its worker.
            "left_behind_at": now + timedelta(seconds=lease_secs),
            "tries": head.attempts + 1,
            "resends": head.resent_count + (head.status == "uncertain"),
        },
    )
    return marked == 1


def _settle_sent(parcel: _Parcel, sent: Sent, now: datetime) -> None:
    """Keep the provider's id. A receipt may have come first: then its status stands."""
    log.info("sent", message_id=parcel.message_id)
    values = {"message": parcel.message_id, "now": now, "wamid": sent.external_id}
    if changed_rows(_SETTLE_SENT, values) == 0:
        _change(parcel.message_id, external_id=sent.external_id, send_due_at=None)
    else:
        _leave_status(parcel.message_id, "sent", now)
    taught = sent.person
    if taught is not None and any(
        getattr(taught, kind) not in (None, getattr(parcel.to, kind)) for kind in ("wa_id", "bsuid")
    ):
        conversations.learn(parcel.number, parcel.contact_id, taught, now=now)


def _settle_error(parcel: _Parcel, error: SendError, rules: DeliveryRules, now: datetime) -> None:
    log.warning("send_refused", message_id=parcel.message_id, code=error.code, outcome=error.outcome)
    if error.is_credential_problem:
        _pause(parcel.number.id, CREDENTIAL_PAUSE_SECS, now)
        _alert("credentials", f"number:{parcel.number.id}", error.operator_message, None, now)
        _postpone(parcel, CREDENTIAL_PAUSE_SECS, error, now, attempts=parcel.attempts)
    elif error.outcome == "uncertain":
        _mark_uncertain(parcel.message_id, now, rules, error)
    elif error.outcome == "retry" and (parcel.attempts + 1 < MAX_ATTEMPTS or error.scope != "message"):
        _retry(parcel, error, now)
    else:
        _fail(parcel.message_id, parcel.conversation_id, error.code, error.operator_message, now)
        if error.is_opt_out:
            conversations.opt_out(parcel.contact_id, now=now)
        elif error.stops_marketing:
            conversations.set_marketing_preference(parcel.contact_id, wants_marketing=False, now=now)


def _retry(parcel: _Parcel, error: SendError, now: datetime) -> None:
    if error.scope == "number":
        wait = error.retry_after_secs or NUMBER_PAUSE_SECS
        _pause(parcel.number.id, wait, now)
        _postpone(parcel, wait, error, now, attempts=parcel.attempts)
        return
    if error.scope == "pair":
        wait = error.retry_after_secs or PAIR_BACKOFF_BASE**parcel.attempts
    else:
        wait = error.retry_after_secs or FIRST_RETRY_SECS * 2**parcel.attempts
    _postpone(parcel, min(wait, LONGEST_RETRY_SECS), error, now, attempts=parcel.attempts + 1)


def _postpone(parcel: _Parcel, wait_secs: float, error: SendError, now: datetime, *, attempts: int) -> None:
    changed_rows(
        update(Message)
        .where(Message.id == parcel.message_id, Message.status == "sending")
        .values(
            status="queued",
            status_at=now,
            send_due_at=now + timedelta(seconds=wait_secs),
            attempts=attempts,
            error_code=error.code[:20],
            error_text=error.operator_message[:255],
        )
    )


def _mark_uncertain(
    message_id: int, since: datetime, rules: DeliveryRules, error: SendError | None = None
) -> None:
    """Wait for a receipt; with `uncertain_resend_secs` 0 it is only shown and nothing waits behind it."""
    resend = rules.uncertain_resend_secs
    text = error.operator_message if error else "The connection ended before the provider answered."
    changed_rows(
        update(Message)
        .where(Message.id == message_id, Message.status == "sending")
        .values(
            status="uncertain",
            status_at=since,
            send_due_at=since + timedelta(seconds=resend) if resend else None,
            error_code=(error.code if error else "cut_off")[:20],
            error_text=text[:255],
        )
    )


def _give_up_uncertain(message_id: int, conversation_id: int, now: datetime) -> None:
    """It was sent twice without an answer; it stays `uncertain` for people to see."""
    _change(message_id, send_due_at=None)
    text = "A message was sent twice without an answer from the provider; nobody knows whether it arrived."
    _alert("delivery_failed", f"conversation:{conversation_id}", text, conversation_id, now)


def _fail(message_id: int, conversation_id: int, code: str, text: str, now: datetime) -> None:
    _change(
        message_id,
        status="failed",
        status_at=now,
        send_due_at=None,
        error_code=code[:20],
        error_text=text[:255],
    )
    _leave_status(message_id, "failed", now)
    _alert("delivery_failed", f"conversation:{conversation_id}", text, conversation_id, now)


def _leave_status(message_id: int, status: str, now: datetime) -> None:
    webhooks_out.leave(MESSAGE_STATUS, "message", message_id, now=now, after=status)


def _pause(integration_id: int, wait_secs: float, now: datetime) -> None:
    changed_rows(
        update(Integration)
        .where(Integration.id == integration_id)
        .values(paused_until=now + timedelta(seconds=wait_secs))
    )


def _change(message_id: int, **values: Any) -> None:
    changed_rows(update(Message).where(Message.id == message_id).values(**values))


def _alert(kind: str, topic: str, text: str, conversation_id: int | None, now: datetime) -> None:
    alerts.raise_alert(kind, f"{kind}:{topic}", text, conversation_id=conversation_id, now=now)
