"""The cashier: what the shop has to ask payment services, and what their webhooks set in motion.

Four errands, each found by `due` and done by `run`: ask for a link (`link`), work on a webhook (`event`), ask
how an open payment stands or close it (`ask`), and have money paid back (`refund`). `tasks` calls. Each takes
its row for a while by one conditional UPDATE, so that a killed worker's errand comes back by itself; asks the
service with no session held and a key under which it acts once; and books what it heard in one transaction.
What a webhook says is compared with the order like everything else: nobody's word marks an order paid but the
service's own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from alerts import raise_alert, settle
from config import Config
from models import Contact, Order, Payment, PaymentEvent, Product, Refund, db
from shop import bank_list, catalog, payment_events, payments, refunds, telling
from shop.bank_list import BankLine, Booked
from statements import changed_rows, is_deadlock
from wires.payment import (
    OpenPayment,
    PaymentError,
    PaymentRequest,
    PaymentService,
    PaymentState,
    Refunded,
    RefundRequest,
    SignedNotice,
    UnreadableNotice,
)

log = structlog.get_logger()

Kind = Literal["link", "event", "ask", "refund"]

# Longer than any call to a service takes; after it, the errand of a dead worker is free again.
LEASE: Final = timedelta(seconds=60)
LINKS_LIVE: Final = timedelta(hours=23)  # Stripe's sessions live for a day at most
MIN_LIFE_LEFT: Final = timedelta(minutes=35)
# A payment is asked about when it is half as old again: after 1, 1.5, 2.3 ... minutes, then hourly.
FIRST_ASK: Final = timedelta(minutes=1)
LONGEST_ASK: Final = timedelta(hours=1)
# A bank slip may be paid days after the link has ended.
GIVE_UP_AFTER: Final = timedelta(days=10)
# A new payment may not be everywhere at the service yet; what is still unknown then is a test of the panel.
NOT_FOUND_TRIES: Final = 5
DESCRIPTION_MAX_CHARS: Final = 200
LINE_TRIES: Final = 5
# Mercado Pago wants an address of the payer; most customers of a chat have given none.
NO_EMAIL_DOMAIN: Final = "example.com"


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing to do: what, and for which row."""

    kind: Kind
    row_id: int


@dataclass(frozen=True, slots=True)
class Counter:
    """What an errand needs: the services of this desk, its settings, and the time."""

    services: Mapping[str, PaymentService]
    config: Config
    now: datetime


def due(now: datetime) -> list[Errand]:
    """List what is to be done now."""
    return [
        *(Errand("event", row_id) for row_id in payment_events.due(now)),
        *(Errand("link", row_id) for row_id in payments.due_links(now)),
        *(Errand("refund", row_id) for row_id in refunds.due(now)),
        *(Errand("ask", row_id) for row_id in payments.due_asks(now)),
    ]


def links_of(conversation_ids: Collection[int], now: datetime) -> list[Errand]:
    """List the links for which these customers wait."""
    waiting = select(Payment.id).join(Order).where(Order.conversation_id.in_(conversation_ids))
    waiting = waiting.where(Payment.due_at <= now, Payment.status == "pending")
    return [Errand("link", row_id) for row_id in db.session.scalars(waiting.order_by(Payment.id))]


def run(errand: Errand, counter: Counter) -> list[int]:
    """Do one errand and give the conversations whose outbox is to be woken. Commits. Idempotent.

    One that cannot be done because of a fault of ours comes again a few times, then people are told.
    """
    do = {"link": _ask_for_link, "event": _work_event, "ask": _ask, "refund": _pay_back}[errand.kind]
    try:
        return do(errand.row_id, counter)
    except OperationalError as error:
        if not is_deadlock(error):
            raise  # the database is away: the errand comes back as after a death
        db.session.rollback()
        _give_back(errand, counter)
        return []
    except Exception as error:
        db.session.rollback()
        log.exception("errand_failed", kind=errand.kind, row_id=errand.row_id, error=type(error).__name__)
        fault = PaymentError("unreadable", f"This program has a fault ({type(error).__name__}); see its log.")
        return _put_off(errand, fault, counter)


def book_list(
    lines: Sequence[BankLine], *, config: Config, now: datetime, actor: str, operator_id: int | None = None
) -> Booked:
    """Book what a bank lists, line by line: each is one commit, so that a list holds one order at a time and
    two lists cannot wait for each other. Commits. Idempotent: a list that was cut off is booked again.
    """
    booked = Booked()
    for line in lines:
        for tries_left in reversed(range(LINE_TRIES)):
            try:
                told = bank_list.book([line], config=config, now=now, actor=actor, operator_id=operator_id)
                db.session.commit()
            except OperationalError as error:
                db.session.rollback()
                if not is_deadlock(error) or not tries_left:
                    raise
            else:
                booked.add(told)
                break
    return booked


# What says when an errand is due.
PLACES: Final[Mapping[Kind, tuple[type[Payment | PaymentEvent | Refund], Any]]] = {
    "link": (Payment, Payment.due_at),
    "event": (PaymentEvent, PaymentEvent.due_at),
    "ask": (Payment, Payment.ask_at),
    "refund": (Refund, Refund.due_at),
}


def _give_back(errand: Errand, at: Counter) -> None:
    """Let the sweeper find an errand at once: it met a turn of the same customer, and one had to give way."""
    log.info("errand_met_another", kind=errand.kind, row_id=errand.row_id)
    model, column = PLACES[errand.kind]
    is_open = (model.id == errand.row_id, column.is_not(None))
    changed_rows(update(model).where(*is_open).values({column: at.now}))
    db.session.commit()


def _put_off(errand: Errand, fault: PaymentError, at: Counter) -> list[int]:
    woken: list[int] = []
    if errand.kind == "link":
        woken = _keep_link(errand.row_id, fault, at)
    elif errand.kind == "refund":
        woken = _note_refund(errand.row_id, fault, None, at)
    elif errand.kind == "ask":
        woken = _note_answer(errand.row_id, fault, at, is_closed_by_us=False)
    else:
        _postpone(db.session.get_one(PaymentEvent, errand.row_id), fault, at)
        db.session.commit()
    return woken


# --- links --------------------------------------------------------------------------------------------------


def _ask_for_link(payment_id: int, at: Counter) -> list[int]:
    is_free = (Payment.id == payment_id, Payment.status == "pending", Payment.due_at <= at.now)
    if not changed_rows(update(Payment).where(*is_free).values(due_at=at.now + LEASE)):
        db.session.rollback()
        return []
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    order = db.session.get_one(Order, payment.order_id, populate_existing=True)
    service = at.services.get(payment.method)
    if order.status != "placed" or order.payment_status in payments.PAID_STATES:
        payments.expire(payment, now=at.now)
        db.session.commit()
        return []
    request = _request(payment, order, at)
    db.session.commit()  # no session is held while the service answers
    if service is None:
        opened: OpenPayment | PaymentError = _not_set_up(payment.method)
    elif request.expires_at - at.now < max(MIN_LIFE_LEFT, service.lifetime.shortest):
        opened = PaymentError("refused", "The payment was asked for too long ago.")
    else:
        opened = service.start(request)
    return _keep_link(payment_id, opened, at)


def _keep_link(payment_id: int, opened: OpenPayment | PaymentError, at: Counter) -> list[int]:
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    if isinstance(opened, PaymentError):
        log.warning("payment_link_failed", payment_id=payment_id, code=opened.code)
        again = opened.is_retryable or opened.needs_new_key
        woken = payments.opening_failed(payment, opened.operator_message, is_retryable=again, now=at.now)
        if opened.needs_new_key:
            # The service gives this answer for this key for a day; nobody has seen a link of it.
            payment.data = {**(payment.data or {}), "key_number": _key_number(payment) + 1}
        _note_service(payment.method, opened, at.now)
    else:
        woken = payments.opened(
            payment,
            link=opened.url if not opened.code_text else "",
            external_id=opened.external_id,
            config=at.config,
            now=at.now,
            expires_at=opened.expires_at,
            code=opened.code_text,
            png=opened.code_png,
        )
        payment.ask_at = at.now + FIRST_ASK
        settle(f"payment_service:{payment.method}", now=at.now)  # the key is right again
    db.session.commit()
    return [woken]


def _request(payment: Payment, order: Order, at: Counter) -> PaymentRequest:
    """Write down what is asked for; the same row gives the same request, as a repeated key demands."""
    contact = db.session.get_one(Contact, order.contact_id)
    language = telling.reader_of(order.conversation_id, at.now).language
    base = at.config.public_base_url or f"http://{at.config.host}:{at.config.port}"
    is_public = at.config.public_base_url.startswith("https://")
    made = int(payment.created_at.timestamp() * 1000)
    spare = f"{payment.our_reference.lower()}@{_domain(at.config)}"
    return PaymentRequest(
        reference=payment.our_reference,
        order_number=order.number or "",
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        description=_description(order, language),
        language=language,
        expires_at=payment.created_at + LINKS_LIVE,
        # With the time of its making: a database that begins anew counts from 1 again.
        idempotency_key=f"pay-{payment.id}-{made}-{_key_number(payment)}",
        success_url=f"{base}/payments/done/{language}",
        cancel_url=f"{base}/payments/back/{language}",
        notification_url=f"{base}/payments/{payment.method}" if is_public else "",
        payer_email=contact.email or spare,
        spare_email=spare,
        payer_name=contact.name or "",
    )


def _key_number(payment: Payment) -> int:
    return int((payment.data or {}).get("key_number", 0))


def _description(order: Order, language: str) -> str:
    lines = []
    for item in order.items:
        name = catalog.shown_name(db.session.get_one(Product, item.product_id), language)
        lines.append(f"{item.quantity} × {name}" if item.quantity > 1 else name)
    return ", ".join(lines)[:DESCRIPTION_MAX_CHARS]


# --- webhooks -----------------------------------------------------------------------------------------------


def _work_event(event_id: int, at: Counter) -> list[int]:
    if not payment_events.take(event_id, lease=LEASE, now=at.now):
        db.session.rollback()
        return []
    event = db.session.get_one(PaymentEvent, event_id, populate_existing=True)
    method, payload = event.method, event.payload
    db.session.commit()
    heard = _hear(method, payload, at)
    event = db.session.get_one(PaymentEvent, event_id, populate_existing=True)
    if event.state != "pending":
        db.session.rollback()  # somebody was quicker
        return []
    woken: list[int] = []
    if isinstance(heard, PaymentState):
        woken = _book_event(event, heard, at)
    elif isinstance(heard, PaymentError):
        _postpone(event, heard, at)
    else:
        payment_events.settle(event, "failed" if heard == "unreadable" else "ignored", error=heard)
    db.session.commit()
    return woken


def _hear(method: str, payload: bytes, at: Counter) -> PaymentState | PaymentError | str:
    """Read a webhook; where it only names a payment, ask how that stands. Else give why it says nothing."""
    service = at.services.get(method)
    if service is None:
        return _not_set_up(method)
    try:
        notice = service.read(SignedNotice.from_bytes(payload))
    except UnreadableNotice:
        return "unreadable"
    if notice.must_fetch:
        state = service.fetch(notice.external_id)
        if isinstance(state, PaymentState) and notice.kind == "refund_failed":
            return replace(state, has_failed_refund=True)
        return state
    return notice.as_state() or "says nothing about a payment"


def _postpone(event: PaymentEvent, error: PaymentError, at: Counter) -> None:
    log.warning("payment_event_postponed", event_id=event.id, code=error.code)
    if error.code == "not_found" and event.attempts >= NOT_FOUND_TRIES:
        payment_events.settle(event, "ignored", error="the service knows no such payment")
        return
    _note_service(event.method, error, at.now)
    if not payment_events.postpone(event, error.operator_message, now=at.now):
        words = f"A webhook of {event.method} could not be worked on for days: {error.operator_message}"
        raise_alert("payment_event_failed", f"payment_event_failed:{event.method}", words, now=at.now)


def _book_event(event: PaymentEvent, state: PaymentState, at: Counter) -> list[int]:
    payment = _payment_of(event.method, state)
    if payment is not None:
        # The order is locked first, everywhere: an event that names a payment would hold that payment before.
        woken = _book(payment, state, at)
        payment_events.settle(event, "done", payment_id=payment.id)
        return [woken]
    if not state.reference or state.status not in ("paid", "refunded", "disputed"):
        payment_events.settle(event, "ignored", error="not of this desk")
        return []
    payment_events.settle(event, "failed", error="no such order")
    words = f"{event.method} tells of a payment for {state.reference[:60]!r}, which is no order here"
    topic = f"payment_unknown:{event.method}:{state.external_id}"
    raise_alert("payment_unknown", topic, f"{words}: look at it there", now=at.now)
    return []


def _payment_of(method: str, state: PaymentState) -> Payment | None:
    found = payments.by_external_id(method, state.external_id)
    if found is not None or not state.reference:
        return found
    # The answer that named it was lost on its way, or it is not stored yet. A payment that has a name of its
    # own is not meant: another desk may use the same account, and counts its orders from 1, too.
    found = payments.by_reference(state.reference)
    is_nameless = found is not None and found.method == method and found.external_id is None
    return found if is_nameless else None


def _book(payment: Payment, state: PaymentState, at: Counter) -> int:
    """Book how a payment stands at its service; gives the conversation to wake. Idempotent."""
    if state.status in ("paid", "refunded", "disputed"):
        # What was paid back or is disputed was paid before, even when nobody told us so.
        done = payments.confirm(
            payment,
            amount_minor=state.amount_minor,
            currency=state.currency,
            actor="provider",
            config=at.config,
            now=at.now,
            external_id=state.external_id,
        )
        log.info("payment_told", payment_id=payment.id, result=done.result)
    if state.status == "failed":
        payments.fail(payment, "the service says that it failed", actor="provider", now=at.now)
    elif state.status == "expired":
        payments.expire(payment, now=at.now, actor="provider")
    elif state.refunded_minor:
        refunds.done_elsewhere(payment, state.refunded_minor, now=at.now)
    order = db.session.get_one(Order, payment.order_id)
    if state.status == "disputed":
        words = f"The payment of order {order.number} is disputed: answer at {payment.method} in time"
        _alert("payment_disputed", order, words, at)
    if state.has_failed_refund:
        words = f"The bank did not take back what order {order.number} was to be refunded: pay it another way"
        _alert("refund_failed", order, words, at)
    return order.conversation_id


def _alert(kind: str, order: Order, words: str, at: Counter) -> None:
    raise_alert(kind, f"{kind}:{order.id}", words, now=at.now, conversation_id=order.conversation_id)


# --- payments that nobody told us of ------------------------------------------------------------------------


def _ask(payment_id: int, at: Counter) -> list[int]:
    is_free = (Payment.id == payment_id, Payment.status == "pending", Payment.ask_at <= at.now)
    if not changed_rows(update(Payment).where(*is_free).values(ask_at=at.now + LEASE)):
        db.session.rollback()
        return []
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    order = db.session.get_one(Order, payment.order_id, populate_existing=True)
    external_id, service = payment.external_id or "", at.services.get(payment.method)
    is_over = order.status != "placed" or order.payment_status in payments.PAID_STATES
    is_late = payment.expires_at is not None and payment.expires_at <= at.now
    db.session.commit()
    if service is None:
        state: PaymentState | PaymentError = _not_set_up(payment.method)
    else:
        state = service.cancel(external_id) if is_over or is_late else service.fetch(external_id)
    return _note_answer(payment_id, state, at, is_closed_by_us=is_over or is_late)


def _note_answer(
    payment_id: int, state: PaymentState | PaymentError, at: Counter, *, is_closed_by_us: bool
) -> list[int]:
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    age = at.now - payment.created_at
    woken: list[int] = []
    if isinstance(state, PaymentError):
        log.warning("payment_not_asked", payment_id=payment_id, code=state.code)
        _note_service(payment.method, state, at.now)
    elif state.status == "failed" and is_closed_by_us:
        payments.expire(payment, now=at.now)  # Mercado Pago's word for what we have just closed
    elif state.status != "pending":
        woken = [_book(payment, state, at)]
    if payment.status == "pending" and age > GIVE_UP_AFTER:
        payments.expire(payment, now=at.now)
    payment.ask_at = at.now + min(max(age / 2, FIRST_ASK), LONGEST_ASK)
    db.session.commit()
    return woken


# --- money that goes back -----------------------------------------------------------------------------------


def _pay_back(refund_id: int, at: Counter) -> list[int]:
    is_free = (Refund.id == refund_id, Refund.status == "requested", Refund.due_at <= at.now)
    if not changed_rows(update(Refund).where(*is_free).values(due_at=at.now + LEASE)):
        db.session.rollback()
        return []
    made = db.session.get_one(Refund, refund_id, populate_existing=True)
    payment = db.session.get_one(Payment, made.payment_id)
    service = at.services.get(payment.method)
    request = RefundRequest(payment.external_id or "", made.amount_minor, made.currency, made.idempotency_key)
    db.session.commit()
    state: PaymentState | PaymentError | None = None
    if service is None:
        answer: Refunded | PaymentError = _not_set_up(payment.method)
    else:
        answer = service.refund(request)
        if isinstance(answer, PaymentError):
            # It may have gone back all the same: by an earlier try, or by hand at the service.
            state = service.fetch(request.external_id)
    return _note_refund(refund_id, answer, state, at)


def _note_refund(
    refund_id: int, answer: Refunded | PaymentError, state: PaymentState | PaymentError | None, at: Counter
) -> list[int]:
    made = db.session.get_one(Refund, refund_id, populate_existing=True)
    payment = db.session.get_one(Payment, made.payment_id)
    order = db.session.get_one(Order, payment.order_id)
    if isinstance(answer, Refunded):
        refunds.done(made, external_id=answer.external_id, now=at.now)
    else:
        log.warning("refund_failed", refund_id=refund_id, code=answer.code)
        if isinstance(state, PaymentState) and state.refunded_minor:
            refunds.done_elsewhere(payment, state.refunded_minor, now=at.now)
        refunds.failed(made, answer.operator_message, is_retryable=answer.is_retryable, now=at.now)
        _note_service(payment.method, answer, at.now)
    db.session.commit()
    return [order.conversation_id]


# --- services that do not answer as they should -------------------------------------------------------------


def _not_set_up(method: str) -> PaymentError:
    return PaymentError("unauthorized", f"No key of {method} is set any more; put it back or pay by hand.")


def _note_service(method: str, error: PaymentError, now: datetime) -> None:
    """Tell people at once of what no repetition heals."""
    if error.code in ("unauthorized", "forbidden"):
        words = f"{method} refuses this desk: {error.operator_message}"
        raise_alert("payment_service", f"payment_service:{method}", words, now=now)


def _domain(config: Config) -> str:
    host = config.public_base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return host if "." in host and not host.replace(".", "").isdigit() else NO_EMAIL_DOMAIN
