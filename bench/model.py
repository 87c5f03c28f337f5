"""What the model wire itself costs: calls to a fake that answers at once, and how exactly a deadline holds.

The fake runs in a process of its own and answers without thinking, so the time is ours: writing the request,
a thread, HTTP on loopback, reading and checking the form.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

import logs
from llm import Answered, Endpoint, Memory, Message, Model, Models, ask
from tests.fakes.chat_models import MODEL, RudeChatModels

CALLS: Final = 400
THREADS: Final = 8
DEADLINE_SECS: Final = 0.3
CUT_CALLS: Final = 20
# About as long as a reply's: instructions, facts and the last turns.
CONVERSATION: Final = (
    Message("system", "Você é a vendedora da loja. " + "Fato: o curso custa R$ 97,00. " * 120),
    *(Message(role, "Oi, tudo bem? Quanto custa o curso?") for role in ("user", "assistant") * 5),
    Message("user", "Aceita Pix?"),
)


class Plan(BaseModel):
    """The form of an answer, as small as a reply's."""

    text: str
    buttons: list[str] = []
    action: str | None = None


ANSWER: Final = '{"text": "Sim, aceitamos Pix!", "buttons": ["Quero comprar"], "action": null}'


def measure() -> dict[str, Any]:
    """Measure calls one after the other, several at once, and what a dripping server can hold up."""
    with _fake_process() as url:
        models = _models(url)
        memory = Memory()
        for _ in range(20):
            _call(models, memory)
        singly = [_call(models, memory) for _ in range(CALLS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as threads:
            together = list(threads.map(lambda _: _call(models, memory), range(CALLS)))
        per_sec = CALLS / (time.perf_counter() - started)
    return {
        "calls": CALLS,
        "overhead_ms": _shares(singly),
        f"overhead_ms_with_{THREADS}_threads": _shares(together),
        f"calls_per_sec_with_{THREADS}_threads": round(per_sec),
        "late_ms_after_the_deadline": {kind: _late_ms(kind) for kind in ("never", "drip", "drip_head")},
    }


def _call(models: Models, memory: Memory) -> float:
    started = time.perf_counter()
    outcome = ask(models, CONVERSATION, schema=Plan, memory=memory, deadline_secs=10)
    took = (time.perf_counter() - started) * 1000
    if not isinstance(outcome, Answered):
        raise ConnectionError(f"the fake did not answer: {outcome.code}")
    return took


def _late_ms(command: str) -> float:
    """Give how long after its deadline the slowest call came back from a server that holds it up."""
    with RudeChatModels("own", key=None) as rude:
        rude.always = command
        models = _models(rude.url)
        return round(max(_over(models) for _ in range(CUT_CALLS)), 1)


def _over(models: Models) -> float:
    started = time.perf_counter()
    outcome = ask(models, CONVERSATION, memory=Memory(), deadline_secs=DEADLINE_SECS)
    took = time.perf_counter() - started
    if isinstance(outcome, Answered) or outcome.code != "timeout":
        raise ConnectionError("the fake answered in time")
    return (took - DEADLINE_SECS) * 1000


def _models(url: str) -> Models:
    return Models((Model(Endpoint("own", url), MODEL, Decimal(0), Decimal(0)),))


@contextmanager
def _fake_process() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.fakes.chat_models", "--answer", ANSWER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fake:
        try:
            assert fake.stdout is not None
            yield fake.stdout.readline().strip()
        finally:
            fake.terminate()


def _shares(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(ordered[int(len(ordered) * share)], 2) for name, share in shares.items()}


def main() -> None:
    """Print the figures: `python -m bench.model`."""
    logs.configure("ERROR", "text")
    for name, value in measure().items():
        print(f"{name.replace('_', ' '):<40} {value}")


if __name__ == "__main__":
    main()
