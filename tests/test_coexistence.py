"""The owner on her own phone: her words take over, the past is shown, and nobody is talked over."""

from datetime import timedelta

import conversations
from models import Conversation, MenuSession, Message, Turn, db
from tests.fakes.webhooks import CUSTOMER, Webhook
from tests.real_door import WalkedDesk, texts_of


def test_the_owner_takes_over_and_the_bot_is_silent(desk: WalkedDesk) -> None:
    desk.says("hello")
    assert desk.hears(desk.meta.echo("Oi Ana, aqui é a Paula")) == []
    assert desk.says("1") == []
    assert desk.says("menu") == []
    conversation = desk.conversation()
    assert (conversation.handler, bool(conversation.handler_reason)) == ("human", True)
    echo = desk.messages(Message.sender == "owner")[0]
    assert (echo.direction, echo.body, echo.status) == ("out", "Oi Ana, aqui é a Paula", "sent")
    assert [turn.responder for turn in desk.rows(Turn)] == ["menu", "human", "human"]


def test_the_owner_cancels_what_the_bot_had_not_sent(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error")
    desk.says("hello")
    desk.hears(desk.meta.echo("Já te respondo"))
    desk.clock.advance(60)
    desk.work()
    assert desk.graph.sent == []
    bot = desk.messages(Message.sender == "bot")[0]
    assert (bot.status, bot.error_code) == ("failed", "cancelled")


def test_an_echo_that_arrives_twice_is_stored_once(desk: WalkedDesk) -> None:
    webhook = desk.meta.echo("Oi")
    desk.hears(webhook)
    desk.hears(webhook)
    same_id = desk.meta.echo("Oi", message_id=desk.messages()[0].external_id)
    desk.hears(same_id)
    assert len(desk.messages()) == 1


def test_an_echo_to_somebody_who_never_wrote_opens_the_conversation_without_a_window(
    desk: WalkedDesk,
) -> None:
    desk.hears(desk.meta.echo("Bom dia!", "5511900000009"))
    conversation = desk.conversation()
    assert (conversation.handler, conversation.last_inbound_at) == ("human", None)


def test_a_question_waiting_when_the_owner_answers_gets_no_second_answer(desk: WalkedDesk) -> None:
    """Question and echo lie in the inbox together: the question came first and is answered by the bot, but
    its words must not leave after hers."""
    assert desk.post(desk.meta.text("hello")) == 200
    assert desk.post(desk.meta.echo("Oi, sou eu")) == 200
    desk.work()
    assert len(desk.graph.sent) == 0
    assert desk.conversation().handler == "human"


def test_the_bot_is_back_after_a_day_and_starts_afresh(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("1")
    desk.hears(desk.meta.echo("Oi"))
    ends_at = desk.conversation().handover_ends_at
    assert ends_at is not None
    assert abs(ends_at - desk.clock() - conversations.HANDOVER_LASTS) < timedelta(minutes=1)
    assert desk.says("1") == []
    desk.change(Conversation, handover_ends_at=desk.clock() - timedelta(seconds=1))
    (menu,) = desk.says("hello")
    assert len(menu.choices) == 6
    assert desk.conversation().handler == "bot"


def test_a_conversation_given_back_is_answered_again(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.hears(desk.meta.echo("Oi"))
    with desk.app.app_context():
        conversations.hand_back(db.session.get_one(Conversation, 1), now=desk.clock())
        db.session.commit()
    assert desk.rows(MenuSession)[0].step is None
    assert desk.says("hello")


def history(desk: WalkedDesk, *messages: dict[str, object]) -> Webhook:
    thread = {"id": CUSTOMER, "messages": list(messages)}
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [thread]}
    return desk.meta.sign(desk.meta.envelope([desk.meta.value(history=[chunk])], field="history"))


def past(desk: WalkedDesk, id_: str, body: str, *, is_ours: bool, days: int) -> dict[str, object]:
    at = desk.clock() - timedelta(days=days)
    message: dict[str, object] = {
        "from": desk.meta.display_phone_number if is_ours else CUSTOMER,
        "id": id_,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": body},
        "history_context": {"status": "READ"},
    }
    return message | ({"to": CUSTOMER} if is_ours else {})


def test_history_is_shown_under_its_own_time_and_never_answered(desk: WalkedDesk) -> None:
    webhook = history(
        desk,
        past(desk, "wamid.H1", "Tem violão?", is_ours=False, days=9),
        past(desk, "wamid.H2", "Tem sim!", is_ours=True, days=8),
    )
    assert desk.hears(webhook) == []
    assert desk.hears(webhook) == []
    question, answer = sorted(desk.messages(), key=lambda message: message.created_at)
    assert (question.direction, question.sender, question.body) == ("in", "customer", "Tem violão?")
    assert (answer.direction, answer.sender, answer.status) == ("out", "owner", "read")
    assert question.created_at < desk.clock() - timedelta(days=8)
    conversation = desk.conversation()
    assert (conversation.last_inbound_at, conversation.handler) == (None, "bot")
    assert desk.rows(Turn) == []


def test_a_message_that_comes_by_history_and_by_webhook_is_one(desk: WalkedDesk) -> None:
    desk.hears(history(desk, past(desk, "wamid.SAME", "hello", is_ours=False, days=0)))
    desk.hears(desk.meta.text("hello", message_id="wamid.SAME"))
    assert len(desk.messages(Message.external_id == "wamid.SAME")) == 1
    assert "failed" not in desk.states()
    assert "pending" not in desk.states()


def test_a_message_older_than_an_hour_is_shown_and_not_answered(desk: WalkedDesk) -> None:
    hour_ago = int(desk.clock().timestamp()) - 3700
    assert desk.says("hello", at=hour_ago) == []
    assert desk.rows(Turn)[0].responder == "nobody"
    assert len(desk.messages()) == 1
    assert len(desk.says("hello", at=hour_ago + 600)) == 1


def test_an_old_message_opens_the_window_only_from_its_own_time(desk: WalkedDesk) -> None:
    stamp = int(desk.clock().timestamp()) - 20 * 3600
    desk.says("hello", at=stamp)
    opened = desk.conversation().last_inbound_at
    assert opened is not None
    assert int(opened.timestamp()) == stamp


def test_a_message_from_the_future_opens_no_longer_window(desk: WalkedDesk) -> None:
    desk.says("hello", at=int(desk.clock().timestamp()) + 40 * 24 * 3600)
    opened = desk.conversation().last_inbound_at
    assert opened is not None
    assert opened <= desk.clock()
    assert texts_of(desk.graph.sent)
