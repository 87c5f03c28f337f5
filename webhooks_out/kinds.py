"""The kinds of events that programs can be told, and which step of which record is one. Pure."""

from typing import Final

MESSAGE_RECEIVED: Final = "message.received"
MESSAGE_STATUS: Final = "message.status"
OPTED_OUT: Final = "contact.opted_out"
HANDOVER: Final = "handover.requested"
TEST: Final = "webhook.test"
KINDS: Final = (
    MESSAGE_RECEIVED,
    MESSAGE_STATUS,
    OPTED_OUT,
    HANDOVER,
    "lead.created",
    "lead.updated",
    "ticket.created",
    "ticket.updated",
    "complaint.created",
    "complaint.updated",
    "appointment.created",
    "appointment.updated",
    "order.created",
    "order.paid",
    "order.cancelled",
    "order.refunded",
)
CREATED_AND_UPDATED: Final = frozenset({"lead", "ticket", "complaint", "appointment"})
_ORDER_STEPS: Final = {"placed": "order.created", "paid": "order.paid", "cancelled": "order.cancelled"}
# How an order stands with its money is a history of its own, which also knows of a part that went back.
_MONEY_STEPS: Final = {"refunded": "order.refunded", "partly_refunded": "order.refunded"}
TOLD_AS: Final = {"order_payment": "order"}


def of_step(record: str, before: str, after: str) -> str | None:
    """Give the kind of event that a step of a record's history is; None for one that nobody is told of."""
    if record in CREATED_AND_UPDATED:
        return f"{record}.updated" if before else f"{record}.created"
    if record == "order":
        return _ORDER_STEPS.get(after)
    if record == "order_payment":
        return _MONEY_STEPS.get(after)
    if record == "conversation" and before == "bot" and after == "human":
        return HANDOVER
    return None
