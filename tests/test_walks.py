"""Walks through the real door: a signed webhook in, an accepted send out."""

from collections.abc import Callable, Iterator

import pytest

from config import Config
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, walked_desk

NEXORA_MENU = (
    "👋 Welcome to Nexora Investments!\n\nPlease choose an option:\n\n"
    "1️⃣ Explore Residency Programs\n2️⃣ Check Eligibility\n3️⃣ Talk to Consultant\n"
    "4️⃣ Job Search Assistance\n5️⃣ Book Consultation\n6️⃣ Download Brochure\n\nReply with a number."
)


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    with FakeGraph() as graph, walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META), graph) as desk:
        yield desk


def test_a_greeting_is_answered_with_the_six_options_of_the_seed(desk: WalkedDesk) -> None:
    (menu,) = desk.says("hello")
    assert menu.text == NEXORA_MENU
    assert len(menu.choices) == 6
    assert menu.to == "5511987654321"


def test_a_duplicate_message_is_answered_once(desk: WalkedDesk) -> None:
    webhook = desk.meta.text("hello")
    assert len(desk.hears(webhook)) == 1
    assert desk.hears(webhook) == []
    assert [m.direction for m in desk.messages()] == ["in", "out"]


def test_the_programmes_of_europe(desk: WalkedDesk) -> None:
    desk.says("hello")
    (categories,) = desk.says("1")
    assert "🌍 Top Residency Categories:" in categories.text
    sent = desk.says("A")
    assert "Portugal Golden Residency Program" in sent[0].text
    assert "$280,000" in sent[0].text


def test_a_consultant_is_asked_for(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("3")
    desk.says("Maria Silva")
    sent = desk.says("maria@example.com")
    assert sent


def test_the_sample_post_of_the_seed_is_answered(load_config: Callable[..., Config]) -> None:
    sample = {"from": "1234567890", "id": "msg_123", "text": {"body": "hello"}, "timestamp": "1234567890"}
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_APP_SECRET"}
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, APP_ENV="development", **environ)
        with walked_desk(config, graph) as desk:
            answer = desk.client.post(
                "/webhook", json={"entry": [{"changes": [{"value": {"messages": [sample]}}]}]}
            )
            assert answer.status_code == 200
            desk.work()
            assert graph.sent[0].text == NEXORA_MENU
