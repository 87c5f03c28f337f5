"""The open alerts of the front page, each with whom and what it is about.

Called by the overview. Reads only, in one query however many they are. An alert's topic ends with the id of
the row that it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, func, literal, select, union_all

from dashboard import wording
from dashboard.templating import contact_name, money
from models import (
    Alert,
    Appointment,
    Contact,
    Conversation,
    Integration,
    Lead,
    Message,
    MessageTemplate,
    Order,
    Product,
    db,
)

# Alerts whose topic ends with the id of an order.
ORDER_ALERTS: Final = frozenset(
    {"paid", "payment_claimed", "payment_mismatch", "payment_late", "payment_twice", "payment_failed"}
    | {"refund_failed", "refund_wanted", "order_placed", "to_deliver", "undelivered"}
)
NUMBER_ALERTS: Final = frozenset({"credentials", "token_ending"})
MAX_DIGITS: Final = 18

Facts = Mapping[tuple[str, str], Any]


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert in the words of the page; `about` names whom or what it is about."""

    alert: Alert
    words: str
    about: str
    order_id: int = 0  # whose page it leads to


def shown_alerts(open_alerts: Sequence[Alert], people: Mapping[int, Contact]) -> tuple[ShownAlert, ...]:
    """Word these alerts; `people` are the contacts by conversation."""
    queries = list(_queries(open_alerts))
    rows = db.session.execute(union_all(*queries)) if queries else ()
    facts = {(row.kind, str(row.key)): row for row in rows}
    return tuple(_shown(alert, people, facts) for alert in open_alerts)


def _shown(alert: Alert, people: Mapping[int, Contact], facts: Facts) -> ShownAlert:
    words = wording.alert_words(alert.kind, alert.text)
    order_id = _row_id(alert) if alert.kind in ORDER_ALERTS else 0
    if words == alert.text:
        return ShownAlert(alert, words, "", order_id)
    person = people.get(alert.conversation_id or 0)
    about = (contact_name(person) if person else "", _facts_words(alert, facts))
    return ShownAlert(alert, words, " · ".join(part for part in about if part), order_id)


def _thing(alert: Alert) -> str:
    return (alert.open_topic or "").rpartition(":")[2]


def _row_id(alert: Alert) -> int:
    """Read the row that an alert's topic names; 0 where it names none."""
    thing = _thing(alert)
    return int(thing) if thing.isascii() and thing.isdecimal() and len(thing) <= MAX_DIGITS else 0


def _queries(open_alerts: Iterable[Alert]) -> Iterable[Select[Any]]:
    """Write what is to be known of them: kind, key, two texts and an amount of each row."""
    ids: dict[str, set[int]] = {}
    for alert in open_alerts:
        kind = _about(alert)
        key = alert.conversation_id if kind in ("waiting", "failure") else _row_id(alert)
        ids.setdefault(kind, set()).add(key or 0)
    nothing, none = literal(""), literal(0)
    if "order" in ids:
        yield _rows("order", Order.id, Order.number, Order.currency, Order.total_minor).where(
            Order.id.in_(ids["order"])
        )
    if "waiting" in ids:
        yield _rows("waiting", Conversation.id, Conversation.handler_reason, nothing, none).where(
            Conversation.id.in_(ids["waiting"])
        )
    if "failure" in ids:
        newest = (
            select(func.max(Message.id))
            .where(Message.conversation_id.in_(ids["failure"]), Message.error_code != "")
            .group_by(Message.conversation_id)
        )
        yield _rows("failure", Message.conversation_id, Message.error_code, Message.error_text, none).where(
            Message.id.in_(newest)
        )
    for kind, model, words in (
        ("lead", Lead, Lead.interest),
        ("number", Integration, Integration.name),
        ("product", Product, Product.name),
        ("template", MessageTemplate, MessageTemplate.name),
    ):
        if kind in ids:
            yield _rows(kind, model.id, words, nothing, none).where(model.id.in_(ids[kind]))
    if "appointment" in ids:
        numbers = [_thing(alert) for alert in open_alerts if _about(alert) == "appointment"]
        yield _rows("appointment", Appointment.id, Appointment.wish, Appointment.number, none).where(
            Appointment.number.in_(numbers)
        )


def _rows(kind: str, key: Any, one: Any, other: Any, amount: Any) -> Select[Any]:
    return select(
        literal(kind).label("kind"),
        key.label("key"),
        one.label("one"),
        other.label("other"),
        amount.label("amount"),
    )


def _about(alert: Alert) -> str:
    """Name the sort of row that an alert of this kind is about."""
    if alert.kind in ORDER_ALERTS:
        return "order"
    if alert.kind in NUMBER_ALERTS:
        return "number"
    return {"delivery_failed": "failure", "no_keys": "product"}.get(alert.kind, alert.kind)


def _facts_words(alert: Alert, facts: Facts) -> str:
    """Say what is particular about it."""
    kind, row_id = _about(alert), _row_id(alert)
    if kind == "complaint":
        return _thing(alert)
    if kind == "appointment":
        wish = next(
            (row.one for (of, _key), row in facts.items() if of == kind and row.other == _thing(alert)), ""
        )
        return f"{_thing(alert)}: {wish}" if wish else _thing(alert)
    row = facts.get((kind, str(alert.conversation_id if kind in ("waiting", "failure") else row_id)))
    match kind:
        case "order":
            return f"{row.one}, {money(row.amount, row.other)}" if row else ""
        case "waiting":
            return wording.reason_words(row.one) if row else ""
        case "failure":
            return wording.error_words(row.one, row.other) if row else ""
        case "lead" | "number" | "product" | "template":
            return row.one if row else ""
    return f"#{row_id}" if row_id else ""
