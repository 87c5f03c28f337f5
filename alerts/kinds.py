"""The kinds of alerts: what they are about, which are urgent, and where the page is that they lead to.

Pure data and predicates, for the rooms beside it and for pages. A kind that is not in the table is told to
those who want to hear of everything.
"""

from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["customers", "money", "desk"]

CUSTOMERS: Final = "customers"
MONEY: Final = "money"
DESK: Final = "desk"
GROUPS: Final[tuple[Group, ...]] = (CUSTOMERS, MONEY, DESK)
NO_WORKER: Final = "no_worker"
UNANSWERED: Final = "unanswered"
WEBHOOK: Final = "webhook"
# A recipient that could not be told; its topic names the recipient.
UNTOLD: Final = "alert_untold"
MAX_ID_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `is_urgent` comes in quiet hours, too, where the recipient wants that."""

    name: str
    group: Group
    is_urgent: bool = False


KINDS: Final[tuple[Kind, ...]] = (
    Kind("lead", CUSTOMERS),
    Kind("waiting", CUSTOMERS),
    Kind(UNANSWERED, CUSTOMERS, is_urgent=True),
    Kind("complaint", CUSTOMERS),
    Kind("appointment", CUSTOMERS),
    Kind("media", CUSTOMERS),
    Kind("delivery_failed", CUSTOMERS),
    Kind("paid", MONEY),
    Kind("payment_claimed", MONEY),
    Kind("claim_ending", MONEY),
    Kind("payment_mismatch", MONEY),
    Kind("payment_twice", MONEY),
    Kind("payment_late", MONEY),
    Kind("payment_failed", MONEY),
    Kind("payment_unknown", MONEY),
    Kind("payment_disputed", MONEY, is_urgent=True),
    Kind("refund_wanted", MONEY),
    Kind("refund_failed", MONEY),
    Kind("order_placed", MONEY),
    Kind("to_deliver", MONEY),
    Kind("undelivered", MONEY),
    Kind("no_keys", MONEY, is_urgent=True),
    Kind(NO_WORKER, DESK, is_urgent=True),
    Kind("credentials", DESK, is_urgent=True),
    Kind("token_ending", DESK, is_urgent=True),
    Kind("payment_service", DESK, is_urgent=True),
    Kind("template", DESK),
    Kind(WEBHOOK, DESK),
    Kind("model_spend", DESK),
    Kind("turn_failed", DESK),
    Kind("receipt_failed", DESK),
    Kind("payment_event_failed", DESK),
    Kind("strategy_paused", DESK),
    Kind("learning_unreadable", DESK),
    Kind(UNTOLD, DESK),
)
BY_NAME: Final = {kind.name: kind for kind in KINDS}
# Alerts whose topic ends with the id of an order.
ABOUT_ORDERS: Final = frozenset(
    {
        "paid",
        "payment_claimed",
        "claim_ending",
        "payment_mismatch",
        "payment_late",
        "payment_twice",
        "payment_failed",
    }
    | {"refund_failed", "refund_wanted", "order_placed", "to_deliver", "undelivered"}
)


def names(group: Group | None = None) -> tuple[str, ...]:
    """List the kinds of a group, or all."""
    return tuple(kind.name for kind in KINDS if group in (None, kind.group))


def is_urgent(name: str) -> bool:
    kind = BY_NAME.get(name)
    return kind is not None and kind.is_urgent


def row_id(topic: str) -> int:
    """Read the row that an alert's topic names (`paid:17`); 0 where it names none."""
    written = topic.rpartition(":")[2]
    is_id = written.isascii() and written.isdecimal() and len(written) <= MAX_ID_DIGITS
    return int(written) if is_id else 0


def path_of(name: str, topic: str, conversation_id: int | None) -> str:
    """Give the path of the page that an alert leads to; the overview where there is no better one."""
    if name in ABOUT_ORDERS and row_id(topic):
        return f"/orders/{row_id(topic)}"
    if name == "lead" and row_id(topic):
        return f"/records/leads/{row_id(topic)}"
    if name == UNTOLD:
        return "/alerts"
    if name == WEBHOOK and row_id(topic):
        return f"/webhooks/{row_id(topic)}"
    return f"/inbox/{conversation_id}" if conversation_id is not None else "/"
