"""The readers of what strangers write, each as a function of bytes that raises when a promise is broken.

`SEEDS` gives each what it begins from: the payloads, flows and sentences that tests know.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import answers
from analysis.entities import find_entities
from analysis.folding import fold
from analysis.money import read_amount
from flow_files import FlowError, read_flow
from menu_flows import advance
from providers.base import Element, MalformedBody, SignedRequest
from providers.meta import meta as provider_meta
from providers.twilio import twilio as provider_twilio
from tests.test_flow_files import SMALL

PAYLOADS: Final = Path(__file__).resolve().parents[1] / "payloads"
NOW: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEY_BYTES_MAX: Final = 190  # of webhook_events.event_key, with room for the number's id
TONGUES: Final = (("pt", "BR"), ("es", "MX"), ("en", "US"), ("de", "DE"), ("ja", "JP"), (None, None))
SENTENCES: Final = (
    "R$ 1.234,56 à vista até 30/11", "uns 2 mil e quinhentos reais na sexta às 15h",
    "US$ 1,500.00 by May 5th", "amanhã de manhã, ou depois de amanhã?", "1 500 € le 3 mars 2027",
    "dos semanas antes del lunes", "२०२६-११-३०, ٣٠٠ ريال", "3万円 11月30日", "entre 100 e 200 mil dólares",
    "1e9 -5 0x10 ½ ₿1 $$ 99/99/9999 31/02",
)  # fmt: skip


def meta(data: bytes) -> None:
    """Any body is split or malformed; every element is parsed, and its key fits."""
    provider_meta.parse(data)
    _split_and_parse(provider_meta, SignedRequest("POST", "https://desk.example/webhook", {}, data))


def twilio(data: bytes) -> None:
    """So is any form, with a receipt's address or without."""
    provider_twilio.parse(data)
    form = tuple(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for address in ("https://desk.example/whatsapp", "https://desk.example/whatsapp/status?ref=1.x"):
        _split_and_parse(provider_twilio, SignedRequest("POST", address, headers, data, form))


def _split_and_parse(provider: Any, request: SignedRequest) -> None:
    elements: list[Element] = []
    with suppress(MalformedBody):
        elements = provider.split(request)
    for element in elements:
        assert len(element.key.encode()) <= KEY_BYTES_MAX, "the key has no room in its column"
        provider.parse(element.payload)


def flow(data: bytes) -> None:
    """Any text is a flow, which can be walked, or a FlowError."""
    with suppress(FlowError):
        read = read_flow(data.decode("utf-8", "replace"), "fuzzed.yaml")
        for text in ("hi", "1", "42"):
            advance(read, None, {}, text, language="pt", now=NOW, context={})


def money(data: bytes) -> None:
    """A sum that was read is a number within bounds; whatever is written, nothing is raised."""
    text = data.decode("utf-8", "replace")
    for language, region in TONGUES:
        amount = read_amount(text, region=region, language=language)
        assert amount is None or (amount.is_finite() and amount >= 0)
        read = answers.read_money(text, language=language or "pt", region=region)
        assert read is None or 0 < read <= answers.MAX_MONEY
    assert fold(text) is not None


def dates(data: bytes) -> None:
    """Every entity stands where it says, none overlaps, each date is a day of the calendar."""
    text = data.decode("utf-8", "replace")
    for language, region in TONGUES:
        typed = answers.read_date(text, language=language or "pt", now=NOW, region=region)
        assert typed is None or datetime.fromisoformat(typed)
        last = 0
        for found in find_entities(text, now=NOW, region=region, languages=(language,) if language else ()):
            assert last <= found.start < found.end <= len(text)
            assert text[found.start : found.end] == found.text
            last = found.end
            if found.type == "date":
                datetime.fromisoformat(str(found.value))
            if found.type == "money" and isinstance(found.value, dict):
                assert Decimal(str(found.value["amount"])).is_finite()


def _meta_seeds() -> Iterator[bytes]:
    for path in sorted((PAYLOADS / "meta").glob("*.json")):
        yield path.read_bytes()


def _twilio_seeds() -> Iterator[bytes]:
    for path in sorted((PAYLOADS / "twilio").glob("*.json")):
        form = json.loads(path.read_bytes())["form"]
        yield urlencode({name: str(value) for name, value in form.items()}).encode()


def _flow_seeds() -> Iterator[bytes]:
    yield SMALL.encode()  # those that ship are long: few inputs a second


def _sentences() -> Iterator[bytes]:
    for sentence in SENTENCES:
        yield sentence.encode()


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    one.__name__: one for one in (meta, twilio, flow, money, dates)
}
SEEDS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "meta": _meta_seeds,
    "twilio": _twilio_seeds,
    "flow": _flow_seeds,
    "money": _sentences,
    "dates": _sentences,
}
