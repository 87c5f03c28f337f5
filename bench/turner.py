"""Takes one turn for each line on standard input (a wa_id) and writes its seconds; `bench.growth` owns it.

The turn is the program's own code without a queue between: the door by WSGI, then the lane and its delivery.
"""

import json
import logging
import sys
import time

from sqlalchemy import text

import config
import tasks
from app import create_app
from models import db
from tests.fakes.webhooks import MetaWebhooks


def main() -> None:
    app = create_app(config.load(entry="gunicorn"))
    logging.disable(logging.INFO)
    client = app.test_client()
    builder = MetaWebhooks()
    output = sys.stdout
    sys.stdout = sys.stderr  # the answers' line is ours alone
    for line in sys.stdin:
        webhook = builder.text("menu", line.strip())
        started = time.perf_counter()
        answer = client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        stored = time.perf_counter()
        with app.app_context():
            lane = db.session.execute(
                text("SELECT lane FROM webhook_events ORDER BY id DESC LIMIT 1")
            ).scalar_one()
            db.session.rollback()
        turn_started = time.perf_counter()
        tasks.run_lane(lane)
        times = {"door": stored - started, "turn": time.perf_counter() - turn_started}
        problem = _problem(app, answer.status_code)
        output.write(json.dumps({"error": problem} if problem else times) + "\n")
        output.flush()


def _problem(app: object, status: int) -> str:
    """Say what is wrong with a turn that was taken: a failing desk must not count as a quick one."""
    if status != 200:
        return f"the door answered {status}"
    with app.app_context():  # type: ignore[attr-defined]
        row = db.session.execute(
            text("SELECT direction, status, error_text FROM messages ORDER BY id DESC LIMIT 1")
        ).one()
        db.session.rollback()
    return "" if row[:2] == ("out", "sent") else f"the last message is {tuple(row)}"


if __name__ == "__main__":
    main()
