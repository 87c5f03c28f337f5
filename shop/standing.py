"""How an order stands with its money (unpaid, claimed, paid, paid back), each step of it kept.

`payments` and `refunds` call this with the order held. Flushes nothing, commits nothing.
"""

from datetime import datetime
from typing import Final

import history
from models import Order

RECORD: Final = "order_payment"


def stand(order: Order, after: str, *, actor: str, now: datetime, operator_id: int | None = None) -> None:
    """Move an order's payment status, and write the step down; a step to where it stands already is none."""
    history.note_change(
        RECORD, order.id, before=order.payment_status, after=after, actor=actor, now=now,
        operator_id=operator_id,
    )  # fmt: skip
    order.payment_status = after
