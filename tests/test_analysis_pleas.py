"""Urgency told in so many words counts beside whatever else is said; where it is denied, it does not."""

from datetime import UTC, datetime

import pytest

from analysis import read

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLEAR = 0.7  # what raises the priority of a ticket


@pytest.mark.parametrize(
    "text",
    [
        "isso é urgente, estou perdendo vendas",
        "this is urgent, I'm losing sales",
        "es urgente, estoy perdiendo ventas",
        "my site is down and it's urgent",
        "c'est urgent, je perds des ventes",
        "das ist sehr dringend, ich verliere Kunden",
        "è urgente, sto perdendo vendite",
        "الامر عاجل، الموقع لا يعمل",
        "这件事很急，我的订单一直没发货",
        "至急です、リンクが開きません",
        "급해요, 링크가 안 열려요",
    ],
)
def test_what_is_plainly_called_urgent_is_clear(text: str) -> None:
    reading = read(text, now=NOW)
    assert reading.urgency in {"urgent", "critical"}
    assert reading.urgency_confidence >= CLEAR


@pytest.mark.parametrize(
    "text",
    [
        "não é muito urgente, mas preciso da nota",
        "it's not very urgent but I need the invoice",
        "no es muy urgente, solo quería saber",
        "nicht sehr dringend, ich brauche nur die Rechnung",
        "pas très urgent, mais j'attends la facture",
        "不是很急，想问一下发货时间",
        "急ぎではないです、請求書をください",
        "안 급해요 링크만 보내주세요",
    ],
)
def test_what_is_plainly_called_not_urgent_is_calm(text: str) -> None:
    assert read(text, now=NOW).urgency in {"low", "medium"}


@pytest.mark.parametrize(
    "text",
    [
        "quando é urgente vocês cobram mais?",
        "do you charge more when it's urgent",
        "¿cobran más cuando es urgente?",
    ],
)
def test_urgency_as_a_case_is_no_clear_one(text: str) -> None:
    reading = read(text, now=NOW)
    assert reading.urgency in {"low", "medium"} or reading.urgency_confidence < CLEAR
