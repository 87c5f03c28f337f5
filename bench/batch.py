"""One POST with 1,000 messages and one with 1,000 receipts: time until 200."""

import secrets
import statistics
from typing import Any

from bench.load import RequestMaker, run_load
from bench.servers import site
from tests.fakes.webhooks import MetaWebhooks, Webhook

UPDATES = 1_000


def measure(database: str, *, repeats: int) -> dict[str, Any]:
    """Give the median time of `repeats` POSTs of each kind; every update has an id of its own."""
    with site(database) as desk:
        desk.prepare()
        url = desk.start_web()
        maker = RequestMaker(url, secrets.token_hex(4))
        run_load(
            url, [maker.text("oi", "5511900000000", 1_700_000_000)] * 50, connections=4
        )  # warm both processes
        result: dict[str, Any] = {"database": database, "updates": UPDATES}
        for kind, build in (("messages", _messages), ("statuses", _statuses)):
            outcomes = []
            for _ in range(repeats):
                webhook = build()
                outcomes.append(run_load(url, [maker.raw(webhook)], connections=1))
            result[f"{kind}_ms"] = round(statistics.median(o.secs for o in outcomes) * 1000, 1)
            result[f"{kind}_kb"] = round(len(webhook.body) / 1024)
            result[f"{kind}_ok"] = all(outcome.ok_count == 1 for outcome in outcomes)
        return result


def _messages() -> Webhook:
    builder = MetaWebhooks()
    text = {"type": "text", "text": {"body": "Olá, quero saber mais"}}
    return builder.batch(builder.message_value(text, f"5511{910_000_000 + n}") for n in range(UPDATES))


def _statuses() -> Webhook:
    builder = MetaWebhooks()
    run = secrets.token_hex(8)
    return builder.batch(
        builder.status_value(f"wamid.{run}{n}", "delivered", f"5511{910_000_000 + n}", reference=str(n))
        for n in range(UPDATES)
    )
