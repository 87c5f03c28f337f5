"""What is counted where it happens: how long the door, turns, sends and calls of models take, and how often.

Every room may count here; nobody reads but `/metrics` and the heartbeat of a worker, which has no door of its
own and leaves its counts in its row. Labels are short, closed lists: no ids, no names. What the tables know
(what waits, and since when) is not counted but asked when somebody looks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, values
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

FAST_SECS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
SLOW_SECS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WAIT_SECS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY: Final = CollectorRegistry(auto_describe=True)

DOOR: Final = Histogram(
    "balcao_door_seconds",
    "From a webhook's arrival to its answer, when everything in it is stored.",
    ("shape", "status"),
    buckets=FAST_SECS,
    registry=REGISTRY,
)
TURNS: Final = Histogram(
    "balcao_turn_seconds",
    "One turn: reading, answering and writing it down.",
    ("provider", "responder"),
    buckets=SLOW_SECS,
    registry=REGISTRY,
)
WAITS: Final = Histogram(
    "balcao_turn_wait_seconds",
    "From a message's arrival to the beginning of its turn; the quiet time after free text is part of it.",
    ("provider", "responder"),
    buckets=WAIT_SECS,
    registry=REGISTRY,
)
SENDS: Final = Histogram(
    "balcao_send_seconds",
    "One send to a provider, by its result: sent, retry, final, uncertain.",
    ("provider", "result"),
    buckets=SLOW_SECS,
    registry=REGISTRY,
)
MODEL_CALLS: Final = Histogram(
    "balcao_model_seconds",
    "One call to a language model, by what it was for and how it ended.",
    ("purpose", "outcome"),
    buckets=SLOW_SECS,
    registry=REGISTRY,
)
MODEL_COST: Final = Counter(
    "balcao_model_cost_usd", "What calls to language models have cost.", ("purpose",), registry=REGISTRY
)
MODEL_TOKENS: Final = Counter(
    "balcao_model_tokens",
    "Tokens sent to language models (prompt) and received from them (completion).",
    ("direction",),
    registry=REGISTRY,
)
WEBHOOKS_OUT: Final = Histogram(
    "balcao_webhook_out_seconds",
    "One webhook of ours to another program, by its result: sent, retry, final.",
    ("service", "result"),
    buckets=SLOW_SECS,
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that stands in the tables now: its name, what it is, and its values by one label."""

    name: str
    about: str
    values: tuple[tuple[str, float], ...]
    label: str = ""


def are_shared() -> bool:
    """Tell whether the processes of this host count in one folder (PROMETHEUS_MULTIPROC_DIR)."""
    return values.ValueClass is not values.MutexValue


def own_text() -> str:
    """Give the counts of this process, or of all that share its folder, as Prometheus reads them."""
    return generate_latest(_own_registry()).decode()


def page(gauges: Iterable[Gauge], workers: Iterable[tuple[str, str]]) -> bytes:
    """Give the whole page: own counts, those that workers (name, text) left in their rows, and gauges."""
    families = {family.name: family for family in _own_registry().collect()}
    for worker, text in workers:
        for family in text_string_to_metric_families(text):
            known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            known.samples += [
                sample._replace(labels={**sample.labels, "worker": worker}) for sample in family.samples
            ]
    for gauge in gauges:
        family = Metric(gauge.name, gauge.about, "gauge")
        for label, value in gauge.values:
            family.add_sample(gauge.name, {gauge.label: label} if gauge.label else {}, value)
        families[gauge.name] = family
    return generate_latest(_Families(families.values()))


class _Families:
    """What `generate_latest` asks of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _own_registry() -> CollectorRegistry:
    if not are_shared():
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
