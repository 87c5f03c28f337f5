"""The log as Vowpal Wabbit learns from it: one multi-line contextual bandit example per closed decision.

An example (`vw --cb_adf`) is a line of what all arms share, then one line per eligible strategy; the chosen
one begins with `action:cost:probability`. The cost is -1 for a sale that stands and 0 without one, so that
the lowest cost sells most; the probability is the logged propensity. Namespaces: `c` the context, `s` the
strategy. A person's own choice has no propensity and is left out, and so is what is still open.

To try: `vw --cb_adf -q cs --cb_type dr -d decisions.vw`.
Format: https://github.com/VowpalWabbit/vowpal_wabbit/wiki/Contextual-Bandit-algorithms
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from learning.absorbing import is_counted, is_drawn, net_sales
from models import Decision, db

ROWS_PER_READ: Final = 500
# A space parts features, a colon begins a weight, a bar a namespace.
_APART: Final = re.compile(r"[\s:|]+")


def vw_lines(*, now: datetime) -> Iterator[str]:
    """Give the closed decisions that were drawn, the oldest first; an empty line ends each."""
    last_id = 0
    while True:
        rows = db.session.execute(
            select(
                Decision.id,
                Decision.strategy,
                Decision.propensity,
                Decision.propensities,
                Decision.context,
                net_sales(Decision.id).label("sales"),
            )
            .where(
                Decision.id > last_id,
                Decision.closes_at <= now,
                is_drawn(),
                Decision.propensity > 0.0,
                is_counted(),
            )
            .order_by(Decision.id)
            .limit(ROWS_PER_READ)
        ).all()
        if not rows:
            return
        for row in rows:
            yield _example(row.strategy, row.propensity, row.propensities, row.context, row.sales > 0)
        last_id = rows[-1].id


def _example(
    chosen: str, propensity: float, eligible: Mapping[str, Any], context: Mapping[str, Any], is_sold: bool
) -> str:
    shared = " ".join(f"{_plain(name)}={_plain(value)}" for name, value in context.items())
    lines = [f"shared |c {shared}"]
    for strategy in eligible:
        label = f"0:{-1 if is_sold else 0}:{propensity:.6g} " if strategy == chosen else ""
        lines.append(f"{label}|s {_plain(strategy)}")
    return "\n".join(lines) + "\n\n"


def _plain(text: object) -> str:
    return _APART.sub("_", str(text)) or "_"
