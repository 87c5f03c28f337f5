"""What each page of the dashboard costs on a used desk: server time, queries, weight of its HTML alone.

The desk is filled as `growth` fills it, with people waiting, labels, moods and records besides; then a
signed-in operator opens every page in turn, in this process, so that the time is the server's alone. On a
busy machine look at the processor's time, which no neighbour makes longer.
"""

import math
import random
import statistics
import time
from datetime import timedelta
from typing import Any, Final

from flask import Flask
from sqlalchemy import insert, select, update

import config
import operators
from app import create_app
from bench import growth
from bench.servers import site
from models import Conversation, ConversationLabel, Lead, Order, Ticket, db, utc_now
from statements import table
from teamwork import keeping
from tests.browsing import AS_BROWSER, counted, sign_in
from vocabulary import SENTIMENTS, URGENCIES

MESSAGES: Final = 200_000
ROUNDS: Final = 20
WARM_UP_ROUNDS: Final = 2
P95_MOST_MS: Final = 150.0
QUERIES_MOST: Final = 15
WEIGHT_MOST_KB: Final = 300.0
EMAIL, PASSWORD = "bench@example.com", "the password of a bench"
PAGES: Final = (
    "/",
    "/inbox",
    "/inbox?show=waiting",
    "/inbox?show=mine",
    "/inbox?show=unassigned",
    "/inbox?show=bot",
    "/inbox?show=snoozed",
    "/inbox?show=closed",
    "/inbox?label=1",
    "/inbox?sentiment=angry",
    "/inbox?language=es",
    "/inbox?q=Cliente+77",
    "/inbox?q=550000077",
    "/inbox?q=nobody+said+this",
    "/inbox?q=menu",
    "/inbox?q=ver+programas",
    "/inbox?today=wrote",
    "/overview/now",
    "/inbox/{conversation}",
    "/inbox/{conversation}/thread",
    "/inbox/list",
    "/leads",
    "/tickets",
    "/orders",
    "/events",
    "/account",
    "/knowledge",
    "/products",
    "/learning",
    "/teaching",
    "/teams",
    "/simulator",
    "/analytics",
    "/analytics?days=365",
    "/analytics/conversations?figure=intent&part=other",
    "/contacts",
    "/contacts?q=Cliente+77",
    "/flows",
    "/flows/shop",
    "/integrations",
    "/operators",
    "/audit",
    "/getting-started",
    "/orders?q=Cliente+77",
    "/ai",
    "/retention",
    "/alerts",
    "/api-keys",
    "/campaigns",
    "/campaigns/new",
    "/categories",
    "/connectors",
    "/feedback",
    "/inbox/canned",
    "/inbox/tools",
    "/integrations/new",
    "/knowledge/new",
    "/leads/scores",
    "/learning/decisions",
    "/learning/strategies",
    "/owner-phone",
    "/products/new",
    "/programmes",
    "/teaching/examples",
    "/teaching/phrases",
    "/templates",
    "/templates/new",
    "/ways-to-pay",
    "/webhooks",
    "/webhooks/forms",
)


def measure(database: str, *, messages: int) -> dict[str, Any]:
    """Give p95, median, queries and weight of each page, and the names of those that cost too much."""
    with site(database) as desk:
        desk.prepare()
        growth.fill(desk, messages)
        app = create_app(config.load(desk.env, entry="gunicorn"))
        with app.app_context():
            _use(messages // growth.MESSAGES_PER_CONTACT)
        result = _open_pages(app)
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
    slow = [name for name, cost in result.items() if _is_too_much(cost)]
    return {"database": database, "messages": messages, **result, "too_much": slow or "none"}


def _is_too_much(cost: dict[str, float]) -> bool:
    return cost["p95_ms"] > P95_MOST_MS or cost["queries"] > QUERIES_MOST or cost["kb"] > WEIGHT_MOST_KB


def _open_pages(app: Flask) -> dict[str, dict[str, float]]:
    client = app.test_client()
    sign_in(client, EMAIL, PASSWORD)
    with app.app_context():
        newest = db.session.scalars(
            select(Conversation.id).order_by(Conversation.last_message_at.desc()).limit(ROUNDS)
        ).all()
    costs: dict[str, dict[str, float]] = {}
    for page in PAGES:
        times, worked, asked, weight = [], [], 0, 0
        for round_ in range(WARM_UP_ROUNDS + ROUNDS):
            path = page.format(conversation=newest[round_ % len(newest)])
            with counted(app) as statements:
                began, began_work = time.perf_counter(), time.thread_time()
                answer = client.get(path, headers=AS_BROWSER)
                took, work = time.perf_counter() - began, time.thread_time() - began_work
            if answer.status_code != 200:
                raise TimeoutError(f"{path} answered {answer.status_code}")
            if round_ >= WARM_UP_ROUNDS:
                times.append(took * 1000)
                worked.append(work * 1000)
                asked, weight = max(asked, len(statements)), max(weight, len(answer.data))
        costs[page] = {
            "p95_ms": _p95(times),
            "median_ms": round(statistics.median(times), 1),
            "processor_p95_ms": _p95(worked),
            "queries": asked,
            "kb": round(weight / 1024, 1),
        }
    return costs


def _p95(times: list[float]) -> float:
    return round(sorted(times)[math.ceil(len(times) * 0.95) - 1], 1)


# --- what people have done on it ----------------------------------------------------------------------------


def _use(contacts: int) -> None:
    """Let people of ours have taken, labelled, put off and closed some, and sold something. Commits."""
    now, chance = utc_now(), random.Random(growth.SEED)
    me = operators.create_operator(EMAIL, "Bench", PASSWORD, "admin")
    db.session.flush()
    label = keeping.add_label("wholesale", now=now)
    rows = []
    for row_id in range(1, contacts + 1):
        kind = chance.random()
        rows.append(
            {
                "row": row_id,
                "handler": "human" if kind < 0.1 else "bot",
                "operator_id": me.id if kind < 0.05 else None,
                "unread_count": 1 if kind < 0.02 else 0,
                "is_closed": kind > 0.7,
                "snoozed_until": now + timedelta(days=1) if 0.68 < kind <= 0.7 else None,
                "sentiment": chance.choice(SENTIMENTS),
                "urgency": chance.choice(URGENCIES),
            }
        )
    of = table(Conversation)
    columns = [name for name in rows[0] if name != "row"]
    for row in rows:
        db.session.execute(
            update(of).where(of.c.id == row["row"]).values({name: row[name] for name in columns})
        )
    some = range(1, contacts + 1, 9)
    about = [{"contact_id": n, "conversation_id": n} for n in some]
    db.session.execute(
        insert(ConversationLabel), [{"label_id": label.id, "conversation_id": n} for n in some]
    )
    db.session.execute(insert(Lead), [{**one, "name": "Cliente", "interest": "Portugal"} for one in about])
    db.session.execute(insert(Ticket), [{**one, "number": f"T-{one['contact_id']}"} for one in about])
    db.session.execute(
        insert(Order), [{**one, "number": f"P-{one['contact_id']}", "status": "placed"} for one in about]
    )
    db.session.commit()
