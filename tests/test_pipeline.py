"""Every payload of both providers, through door and lane: what is answered, stored and left alone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.exc import OperationalError

import conversations
import tasks
from config import Config
from models import Contact, ContactIdentity, Message, Order, StoredMedia, Turn, WebhookEvent
from statements import MARIADB_DEADLOCK
from tests.fakes.graph import FakeGraph
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import CUSTOMER, REFERRAL, TwilioWebhooks
from tests.real_door import META, TWILIO, WalkedDesk, walked_desk

PAYLOADS = Path(__file__).parent / "payloads"
META_NAMES = sorted(path.stem for path in (PAYLOADS / "meta").glob("*.json"))
TWILIO_NAMES = sorted(path.stem for path in (PAYLOADS / "twilio").glob("*.json"))
# What customers wrote in each payload file: the kind of the stored row.
META_INBOUND = {
    "audio_file": "audio", "audio_voice": "audio", "button": "button", "contacts": "contacts",
    "contacts_own_number": "contacts", "document": "document", "group_text": "text", "image": "image",
    "interactive_button_reply": "interactive", "interactive_form": "interactive",
    "interactive_list_reply": "interactive", "location": "location", "order": "order",
    "reaction": "reaction", "request_welcome": "welcome", "seed_sample": "text", "sticker": "sticker",
    "text": "text", "text_about_product": "text", "text_forwarded": "text", "text_from_ad": "text",
    "text_often_forwarded": "text", "text_reply": "text", "text_without_phone": "text",
    "unsupported_131051": "unsupported", "unsupported_131060": "unsupported", "video": "video",
    "voice_old_type": "audio", "edit": "edit", "revoke": "revoke",
}  # fmt: skip
NEVER_ANSWERED = (
    "group_text", "reaction", "reaction_removed", "reaction_removed_empty", "edit", "edit_caption", "revoke",
    "echo_text", "echo_image", "echo_revoke", "history", "history_file", "history_declined", "address_book",
    "user_preferences", "system_number_changed", "system_number_changed_old_shape", "system_user_id_changed",
    "system_identity_changed", "user_id_update", "value_errors", "user_actions", "calls", "calls_status",
)  # fmt: skip
FAR_IN_THE_PAST = "1763712036"


def renewed(value: Any) -> Any:
    """The same payload, sent just now: what is a year old would be stored and not answered."""
    if isinstance(value, dict):
        now = int(datetime.now(UTC).timestamp())
        return {
            name: (type(inner)(now) if name == "timestamp" and str(inner).isdigit() else renewed(inner))
            for name, inner in value.items()
        }
    return [renewed(inner) for inner in value] if isinstance(value, list) else value


def meta_file(desk: WalkedDesk, name: str, *, is_new: bool = True) -> Any:
    payload = orjson.loads((PAYLOADS / "meta" / f"{name}.json").read_bytes())
    return desk.meta.sign(renewed(payload) if is_new else payload)


@pytest.mark.parametrize("name", META_NAMES)
def test_every_payload_of_meta_passes_door_and_lane(desk: WalkedDesk, name: str) -> None:
    sent = desk.hears(meta_file(desk, name))
    states = set(desk.states())
    assert desk.events(), "nothing that was signed is lost"
    assert not {"failed", "pending"} & states
    inbound = [message for message in desk.messages() if message.direction == "in"]
    if name in META_INBOUND:
        assert META_INBOUND[name] in [message.kind for message in inbound]
    if name in NEVER_ANSWERED:
        assert sent == []
    assert all(message.status == "sent" for message in desk.outgoing() if message.sender == "bot")
    assert all(message.status is None for message in inbound)
    assert len(sent) <= max(2, len(inbound) * 2)


@pytest.mark.parametrize("name", sorted(set(META_INBOUND) - set(NEVER_ANSWERED)))
def test_what_a_customer_says_gets_an_answer(desk: WalkedDesk, name: str) -> None:
    assert desk.hears(meta_file(desk, name))


@pytest.mark.parametrize("name", META_NAMES)
def test_no_old_payload_is_answered(desk: WalkedDesk, name: str) -> None:
    """A week of backlog after an outage: stored and shown only. What carries no time counts as new."""
    if name in ("seed_sample", "batch_with_bad_elements"):
        pytest.skip("has no time of its own")
    assert desk.hears(meta_file(desk, name, is_new=False)) == []
    assert not {"failed", "pending"} & set(desk.states())


@pytest.mark.parametrize("name", META_NAMES)
def test_every_payload_may_come_twice(desk: WalkedDesk, name: str) -> None:
    webhook = meta_file(desk, name)
    desk.hears(webhook)
    events, messages = len(desk.events()), len(desk.messages())
    assert desk.hears(webhook) == []
    assert (len(desk.events()), len(desk.messages())) == (events, messages)


@pytest.mark.parametrize("name", TWILIO_NAMES)
def test_every_payload_of_twilio_passes_door_and_lane(load_config: Callable[..., Config], name: str) -> None:
    stored = json.loads((PAYLOADS / "twilio" / f"{name}.json").read_text())
    with FakeTwilio() as twilio, FakeGraph() as graph:
        config = load_config(
            TWILIO_API_BASE_URL=twilio.url, PUBLIC_BASE_URL="https://balcao.example.com", **TWILIO
        )
        with walked_desk(config, graph) as desk:
            webhook = TwilioWebhooks().sign(stored["url"], stored["form"])
            desk.hears(webhook)
            assert len(desk.events()) == 1
            assert "failed" not in desk.states()
            assert "pending" not in desk.states()
            inbound = [message for message in desk.messages() if message.direction == "in"]
            is_message = "SmsStatus" in stored["form"] and stored["form"]["SmsStatus"] == "received"
            assert len(inbound) == (1 if is_message else 0)
            assert all("\x00" not in message.body for message in inbound)
            if name in ("text", "button", "list", "text_without_phone", "text_with_user_id", "text_reply"):
                assert len(twilio.sent) >= 1
                assert all(message.status == "sent" for message in desk.outgoing())
            if name in ("reaction", "text_opt_out"):
                assert len(twilio.sent) <= 1
            events = len(desk.messages())
            desk.hears(webhook)
            assert len(desk.messages()) == events


def test_a_group_is_never_answered_but_shown(desk: WalkedDesk) -> None:
    assert desk.hears(meta_file(desk, "group_text")) == []
    (message,) = desk.messages()
    assert message.direction == "in"
    assert desk.rows(Turn)[0].responder == "nobody"


def test_what_cannot_be_read_is_answered_at_most_once(desk: WalkedDesk) -> None:
    unsupported = {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]}
    sent = [len(desk.hears(desk.meta.message(unsupported))) for _ in range(4)]
    assert sum(sent) <= 1


def test_a_person_without_a_number_is_answered_by_her_id(desk: WalkedDesk) -> None:
    sent = desk.hears(meta_file(desk, "text_without_phone"))
    assert {(message.to, message.recipient) for message in sent} == {(None, "EG.13491208655302741918")}


def test_the_ad_that_brought_a_person_is_kept_once(desk: WalkedDesk) -> None:
    desk.says("hello", referral=REFERRAL)
    desk.says("menu", referral={**REFERRAL, "source_id": "another"})
    (contact,) = desk.rows(Contact)
    assert contact.referral["source_id"] == REFERRAL["source_id"]
    first, _, second, _ = desk.messages()
    assert first.content
    assert second.content
    assert first.content["referral"]["ctwa_clid"] == REFERRAL["ctwa_clid"]
    assert second.content["referral"]["source_id"] == "another"


def test_an_edit_changes_the_words_and_keeps_the_old_ones(desk: WalkedDesk) -> None:
    desk.says("helo", message_id="wamid.FIRST")
    edited = {
        "type": "edit",
        "edit": {
            "original_message_id": "wamid.FIRST",
            "message": {"type": "text", "text": {"body": "hello"}},
        },
    }
    assert desk.hears(desk.meta.message(edited)) == []
    first = desk.messages(Message.external_id == "wamid.FIRST")[0]
    assert first.content
    assert (first.body, first.is_edited, first.content["before_edit"]) == ("hello", True, "helo")


def test_a_revocation_marks_the_message(desk: WalkedDesk) -> None:
    desk.says("hello", message_id="wamid.FIRST")
    revoked = {"type": "revoke", "revoke": {"original_message_id": "wamid.FIRST"}}
    assert desk.hears(desk.meta.message(revoked)) == []
    assert desk.messages(Message.external_id == "wamid.FIRST")[0].is_revoked


@pytest.mark.parametrize("kind", ["edit", "revoke"])
def test_a_change_of_a_message_that_we_never_saw_harms_nothing(desk: WalkedDesk, kind: str) -> None:
    node = {"original_message_id": "wamid.NEVER", "message": {"type": "text", "text": {"body": "x"}}}
    assert desk.hears(desk.meta.message({"type": kind, kind: node})) == []
    assert desk.states() == ["done"]


def test_a_reaction_is_stored_and_not_answered(desk: WalkedDesk) -> None:
    (menu,) = desk.says("hello")
    assert desk.hears(desk.meta.reaction(menu.id, "👍")) == []
    assert desk.hears(desk.meta.reaction(menu.id, "")) == []
    reactions = desk.messages(Message.kind == "reaction")
    assert [m.content.get("emoji") if m.content else None for m in reactions] == ["👍", None]
    assert {m.quotes_external_id for m in reactions} == {menu.id}


def test_a_catalogue_order_of_unknown_goods_is_answered_and_orders_nothing(desk: WalkedDesk) -> None:
    assert desk.hears(meta_file(desk, "order"))
    assert [order.status for order in desk.rows(Order) if order.status != "cart"] == []


def test_a_file_is_queued_for_download(desk: WalkedDesk) -> None:
    desk.hears(meta_file(desk, "image"))
    (stored,) = desk.rows(StoredMedia)
    assert (stored.media_kind, stored.state) == ("image", "pending")
    assert stored.due_at is not None


def test_every_inbound_message_points_at_its_turn(desk: WalkedDesk) -> None:
    for word in ("hello", "1", "A"):
        desk.says(word)
    inbound = [message for message in desk.messages() if message.direction == "in"]
    assert [message.turn_id for message in inbound] == [turn.id for turn in desk.rows(Turn)]
    assert all(turn.responder and turn.reason for turn in desk.rows(Turn))


def test_a_turn_keeps_no_words_of_the_customer(desk: WalkedDesk) -> None:
    desk.says("my secret is 4711-xyzzy")
    assert all("xyzzy" not in json.dumps(turn.trace) for turn in desk.rows(Turn))


def test_logs_hold_no_words_and_no_secrets(desk: WalkedDesk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.says("my secret is 4711-xyzzy")
    out, err = capfd.readouterr()
    for word in ("xyzzy", desk.meta.app_secret, "meta-access-token"):
        assert word not in out + err


def test_two_names_of_one_person_in_one_post_are_one_contact(desk: WalkedDesk) -> None:
    desk.says("hello", user_id="BR.9f2c61d0a4b84e7")
    assert len(desk.rows(Contact)) == 1
    assert {row.kind for row in desk.rows(ContactIdentity)} == {"wa_id", "bsuid"}


def test_a_batch_of_many_people_is_answered_to_each(desk: WalkedDesk) -> None:
    people = [f"551190000{n:04d}" for n in range(40)]
    values = [desk.meta.message_value({"type": "text", "text": {"body": "hello"}}, who) for who in people]
    sent = desk.hears(desk.meta.batch(values))
    assert sorted(message.to for message in sent if message.to) == people


def test_statuses_in_a_batch_with_messages_do_not_wait_for_them(desk: WalkedDesk) -> None:
    (menu,) = desk.says("hello")
    values = [
        desk.meta.message_value({"type": "text", "text": {"body": "1"}}),
        desk.meta.status_value(menu.id, "read", reference=menu.reference),
    ]
    assert desk.post(desk.meta.batch(values)) == 200
    tasks.run_lane("receipts")
    assert desk.messages(Message.external_id == menu.id)[0].status == "read"
    assert desk.events(WebhookEvent.kind == "status")[0].state == "done"
    assert menu.to == CUSTOMER


STRANGE_WORDS = ["a\x00b\x00", "\ud800 hello", "😀" * 3_000, "x" * 60_000, " ", "\u202e\u200b"]


@pytest.mark.parametrize("word", STRANGE_WORDS)
def test_strange_words_are_answered(desk: WalkedDesk, word: str) -> None:
    assert desk.says(word)
    assert "failed" not in desk.states()


def test_an_id_longer_than_any_column_is_answered_all_the_same(
    load_config: Callable[..., Config], database_url: str
) -> None:
    with FakeGraph() as graph:
        config = load_config(DATABASE_URL=database_url, GRAPH_API_BASE_URL=graph.url, **META)
        with walked_desk(config, graph) as desk:
            assert len(desk.says("hello", message_id="wamid." + "L" * 400, username="u" * 400)) == 1
            assert "failed" not in desk.states()


# --- what the database takes back ---------------------------------------------------------------------------


def test_a_turn_that_a_deadlock_ended_is_taken_again_at_once(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = conversations.admit
    ended: list[bool] = []

    def admit_at_the_second_try(*arguments: Any, **named: Any) -> Any:
        if not ended:
            ended.append(True)
            raise OperationalError("UPDATE", {}, Exception(MARIADB_DEADLOCK, "Deadlock found"))
        return admit(*arguments, **named)

    monkeypatch.setattr(conversations, "admit", admit_at_the_second_try)
    (sent,) = desk.says("hello")
    assert (sent.to, ended) == (CUSTOMER, [True])
    assert desk.states() == ["done"]


def test_a_database_that_is_away_leaves_the_row_pending(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_away(*_arguments: Any, **_named: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("server closed the connection"))

    with monkeypatch.context() as away:
        away.setattr(conversations, "admit", go_away)
        assert desk.post(desk.meta.text("hello")) == 200
        (key,) = {event.lane for event in desk.events() if event.lane}
        with pytest.raises(OperationalError):
            tasks.run_lane(key)
    assert desk.states() == ["pending"]
