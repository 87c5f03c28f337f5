"""The log as lines of CSV, for whoever wants to check the learning or learn something else from it."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import select

from learning.figures import outcomes_of
from learning.rules import HARMS, REFUND, REFUSAL, SALE
from models import Decision, Outcome, db

ROWS_PER_READ: Final = 500
COLUMNS: Final = (
    "decision_id",
    "conversation_id",
    "contact_id",
    "episode",
    "strategy",
    "version",
    "offer_version",
    "eligible",
    "propensities",
    "propensity",
    "epsilon",
    "explored",
    "context",
    "policy",
    "policy_version",
    "seed",
    "prompt_version",
    "is_holdout",
    "is_manual",
    "is_demo",
    "created_at",
    "closes_at",
    "sales",
    "value_minor",
    "currency",
    "first_sale_at",
    "refusal",
    *HARMS,
)


def csv_lines() -> Iterator[str]:
    """Give the whole log, a decision a line with what came of it, the oldest first."""
    yield _line(COLUMNS)
    last_id = 0
    while True:
        rows = db.session.scalars(
            select(Decision).where(Decision.id > last_id).order_by(Decision.id).limit(ROWS_PER_READ)
        ).all()
        if not rows:
            return
        outcomes = outcomes_of([row.id for row in rows])
        for row in rows:
            yield _line([_cell(value) for value in _values(row, outcomes[row.id])])
        last_id = rows[-1].id


def _values(row: Decision, outcomes: list[Outcome]) -> list[Any]:
    sales = [one for one in outcomes if one.kind == SALE]
    refunds = [one for one in outcomes if one.kind == REFUND]
    kinds = {one.kind for one in outcomes}
    return [
        row.id,
        *(getattr(row, name) for name in COLUMNS[1 : COLUMNS.index("sales")]),
        len(sales) - len(refunds),
        sum(one.value_minor for one in sales) - sum(one.value_minor for one in refunds),
        sales[0].currency if sales else "",
        sales[0].at if sales else None,
        *(kind in kinds for kind in (REFUSAL, *HARMS)),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _line(cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()
