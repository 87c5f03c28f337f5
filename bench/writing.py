"""What a written reply adds to a turn: whole turns by webhook against fakes that answer at once.

Each turn goes through the real door, its lane and the delivery, on SQLite; the fakes run beside it in this
process, so the times hold theirs as well and a real model's thinking comes on top.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import update

import config
import demo
import integrations
import knowledge
import logs
from models import Integration, ModelCall, db
from shop import catalog
from shop.catalog import ProductSheet
from tests.fakes.chat_models import Asked, FakeChatModels
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, walked_desk

TURNS: Final = 20
WARM_UP: Final = 3
# US dollars per million tokens: what a small model costs.
PRICES: Final = {"AI_PRICE_IN": "0.15", "AI_PRICE_OUT": "0.60"}
QUESTION: Final = "vocês acham que o curso de confeitaria serve pra quem nunca fez um bolo na vida?"
REPLY: Final = "Serve sim! *Confeitaria em casa* tem 40 receitas e custa R$ 127,00. Quer ver o que vem nele?"
COURSE: Final = ProductSheet(
    sku="curso-confeitaria",
    name="Confeitaria em casa",
    price_minor=12700,
    description="Bolos, brigadeiros e tortas para vender ou presentear, sem equipamento caro.",
    benefits=("40 receitas", "Cálculo de preço de venda"),
)
MODES: Final = {"no model": None, "one call": "never", "with a judge": "always"}


def measure() -> dict[str, dict[str, Any]]:
    """Give, for each way of answering, milliseconds, calls, tokens and cost of a turn."""
    return {name: _measured(judging) for name, judging in MODES.items()}


def _measured(judging: str | None) -> dict[str, Any]:
    with _desk(judging) as desk:
        for place in range(WARM_UP):
            desk.says(QUESTION, f"55119{place:08d}")
        before = len(desk.rows(ModelCall))
        times = [_turn_ms(desk, f"55118{place:08d}") for place in range(TURNS)]
        calls = desk.rows(ModelCall)[before:]
    if len(calls) != TURNS * {None: 0, "never": 1, "always": 2}[judging]:
        raise ConnectionError(f"{len(calls)} calls were made for {TURNS} turns")
    ordered = sorted(times)
    cost = Decimal(sum(call.cost_microusd for call in calls)) / TURNS / 1_000_000
    return {
        "p50 ms": round(statistics.median(ordered), 1),
        "p99 ms": round(ordered[int(TURNS * 0.99)], 1),
        "calls": len(calls) / TURNS,
        "tokens in": round(sum(call.prompt_tokens for call in calls) / TURNS),
        "tokens out": round(sum(call.completion_tokens for call in calls) / TURNS),
        "US$ a turn": f"{cost:.6f}",
    }


def _turn_ms(desk: WalkedDesk, wa_id: str) -> float:
    started = time.perf_counter()
    sent = desk.says(QUESTION, wa_id)
    took = (time.perf_counter() - started) * 1000
    if not sent:
        raise ConnectionError("a turn was not answered")
    return took


def _answer(asked: Asked) -> dict[str, Any]:
    if '"unsupported"' in asked.system:
        return {"unsupported": []}
    action = {"name": "none", "sku": None, "quantity": None, "link": None}
    plan = {"text": REPLY, "language": "pt", "buttons": [], "action": action, "sources": []}
    return plan | ({"reading": None} if '"reading"' in asked.system else {})


@contextmanager
def _desk(judging: str | None) -> Iterator[WalkedDesk]:
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGraph() as graph,
        FakeChatModels("own", key=None, answer=_answer) as model,
    ):
        about = {"AI_BASE_URL": model.url, "AI_MODEL": model.models[0], "AI_JUDGE": judging or "", **PRICES}
        surroundings = {"INSTANCE_DIR": folder, "GRAPH_API_BASE_URL": graph.url, "LOG_LEVEL": "ERROR", **META}
        settings = config.load(surroundings | (about if judging else {}), entry="test")
        with walked_desk(settings, graph) as desk:
            _stock(desk)
            yield desk


def _stock(desk: WalkedDesk) -> None:
    """Put one product and the demo's articles into the shop."""
    with desk.app.app_context():
        home = catalog.save_category("Cursos")
        catalog.save_product(home.id, COURSE)
        uploads = knowledge.uploads_of(demo.ARTICLES_DIR / "shop")
        knowledge.import_files(uploads, language="pt", now=datetime.now(UTC))
        db.session.execute(update(Integration).values(start_flow="shop"))
        db.session.commit()
        integrations.forget()


def main() -> None:
    """Print the table: `python -m bench.writing`."""
    logs.configure("ERROR", "text")
    measured = measure()
    names = list(next(iter(measured.values())))
    print("| | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for mode, figures in measured.items():
        print(f"| {mode} | " + " | ".join(str(figures[name]) for name in names) + " |")


if __name__ == "__main__":
    main()
