"""Quiet time: a burst of fragments gets one answer; digits, menu words and buttons never wait."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from config import Config
from models import MenuSession, Message, Turn, WebhookEvent
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, walked_desk

FRAGMENTS = ("qual o preço do", "curso de violão", "para uma criança de dez anos?")


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    """Somebody who was greeted a while ago and stands in no menu, so that free text goes to the AI."""
    environ = {**META, "QUIET_SECS": "2", "QUIET_MAX_SECS": "8"}
    with FakeGraph() as graph:
        with walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **environ), graph) as desk:
            desk.says("hello")
            desk.change(MenuSession, step=None)
            graph.sent.clear()
            yield desk


def say(desk: WalkedDesk, text: str, at: int | None = None) -> None:
    assert desk.post(desk.meta.text(text, at=at)) == 200


def answered(desk: WalkedDesk) -> list[list[str]]:
    """The words of the customer that each turn answered, in order; the greeting is left out."""
    found = []
    for turn in desk.rows(Turn)[1:]:
        own = desk.messages(Message.turn_id == turn.id, Message.direction == "in")
        found.append([message.body for message in own])
    return found


def test_three_fragments_get_one_answer(desk: WalkedDesk) -> None:
    for fragment in FRAGMENTS:
        say(desk, fragment)
        desk.work()
    assert desk.graph.sent == [], "it waits for more"
    desk.clock.advance(2.1)
    desk.work()
    assert answered(desk) == [list(FRAGMENTS)]
    assert desk.rows(Turn)[1].responder == "ai"
    assert len({message.reference for message in desk.graph.sent}) == len(desk.graph.sent) >= 1
    assert set(desk.states()) == {"done"}


def test_the_quiet_time_begins_anew_with_each_fragment(desk: WalkedDesk) -> None:
    say(desk, FRAGMENTS[0])
    desk.work()
    event = desk.events()[-1]
    first_due = event.due_at
    desk.change(
        WebhookEvent, WebhookEvent.id == event.id, received_at=event.received_at - timedelta(seconds=1.5)
    )
    say(desk, FRAGMENTS[1])
    desk.work()
    later = [event.due_at for event in desk.events()[1:]]
    assert len(set(later)) == 1
    assert later[0] is not None
    assert first_due is not None
    assert later[0] > first_due


def test_nobody_waits_longer_than_the_longest_wait(desk: WalkedDesk) -> None:
    for fragment in FRAGMENTS:
        say(desk, fragment)
        desk.work()
    first = desk.events()[1]
    desk.change(
        WebhookEvent, WebhookEvent.id == first.id, received_at=first.received_at - timedelta(seconds=9)
    )
    say(desk, "e tem desconto?")
    desk.work()
    assert len(answered(desk)) == 1
    assert len(answered(desk)[0]) == 4


def test_a_single_text_is_answered_after_the_quiet_time(desk: WalkedDesk) -> None:
    say(desk, FRAGMENTS[0] + " " + FRAGMENTS[1])
    desk.work()
    assert desk.graph.sent == []
    desk.clock.advance(2.1)
    desk.work()
    assert len(answered(desk)) == 1


@pytest.mark.parametrize("word", ["menu", "hello", "1", "stop"])
def test_words_of_the_menu_never_wait(desk: WalkedDesk, word: str) -> None:
    desk.says("hello")
    assert desk.says(word)


def test_a_button_never_waits(desk: WalkedDesk) -> None:
    (menu,) = desk.says("hello")
    assert desk.presses(next(iter(menu.choices)))


def test_a_digit_in_the_middle_ends_the_burst_and_is_not_merged(desk: WalkedDesk) -> None:
    for text in ("quanto custa o curso de violão?", "1", "e onde fica a loja de vocês, por favor?"):
        say(desk, text)
    desk.work()
    desk.clock.advance(9)
    desk.work()
    assert ["1"] in answered(desk), "the digit stands alone"
    assert all(len(words) == 1 for words in answered(desk))
    assert [words[0] for words in answered(desk)][:2] == ["quanto custa o curso de violão?", "1"]


def test_fragments_are_read_in_the_order_in_which_they_were_written(desk: WalkedDesk) -> None:
    now = int(desk.clock().timestamp())
    say(desk, FRAGMENTS[1], at=now - 2)
    say(desk, FRAGMENTS[0], at=now - 3)
    say(desk, FRAGMENTS[2], at=now - 1)
    desk.work()
    desk.clock.advance(2.1)
    desk.work()
    assert answered(desk) == [list(FRAGMENTS)]


def test_thirty_minutes_of_silence_reset_the_flow(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("3")
    desk.clock.advance(31 * 60)
    (menu,) = desk.says("hello")
    assert len(menu.choices) == 6


def test_a_greeting_is_an_answer_while_a_name_is_awaited_and_silence_was_short(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("3")
    desk.clock.advance(29 * 60)
    sent = desk.says("Hello")
    assert len(sent) == 1
    assert not sent[0].choices, "it is taken for a name, not for a greeting"


def test_while_more_is_waited_for_the_customer_sees_that_somebody_types(desk: WalkedDesk) -> None:
    say(desk, FRAGMENTS[0])
    desk.work()
    assert [read["typing_indicator"] for read in desk.graph.reads] == [{"type": "text"}]
    assert desk.graph.sent == []
