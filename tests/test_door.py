"""The webhook door: what is refused, what is stored, and that it never breaks whatever comes."""

import gc
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from werkzeug.test import TestResponse

import auth
import integrations
from config import Config, ConfigError
from config import load as load_settings
from inbox import Inbox, InboxRow, InboxUnavailable
from models import WebhookEvent, db
from replay import replay_events
from routes import MAX_BODY_BYTES
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import (
    AUTH_TOKEN,
    CUSTOMER,
    PHONE_NUMBER_ID,
    MetaWebhooks,
    TwilioWebhooks,
    Webhook,
    meta_signature,
)
from tests.real_door import META, TWILIO, WalkedDesk, walked_desk

SEED_SAMPLE = {
    "entry": [
        {"changes": [{"value": {"messages": [{"from": "15551234567", "id": "m1", "text": {"body": "hi"}}]}}]}
    ]
}
ENVELOPE_HEADERS = {"Content-Type": "application/json"}


def post(desk: WalkedDesk, body: bytes, headers: dict[str, str], path: str = "/webhook") -> TestResponse:
    return desk.client.post(path, data=body, headers={**ENVELOPE_HEADERS, **headers})


def stored_count(desk: WalkedDesk) -> int:
    return len(desk.events())


def is_plain(response: TestResponse) -> bool:
    return b"Traceback" not in response.data and b"Error" not in response.data


# --- who may pass -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "0" * 64},
        {"X-Hub-Signature-256": "sha256=não"},
        {"X-Hub-Signature-256": "sha256=" + "é" * 64},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": "sha256=" + "0" * 100_000},
    ],
)
def test_what_is_not_signed_by_the_app_is_refused_and_not_stored(desk: WalkedDesk, headers) -> None:
    response = post(desk, desk.meta.text("oi").body, headers)
    assert response.status_code == 403
    assert is_plain(response)
    assert stored_count(desk) == 0


def test_a_signature_with_another_secret_is_refused(desk: WalkedDesk) -> None:
    assert desk.post(MetaWebhooks(app_secret="not ours").text("oi")) == 403
    assert stored_count(desk) == 0


def test_a_signature_over_the_body_written_again_is_refused(desk: WalkedDesk) -> None:
    sent = desk.meta.text("Olá, João @casa 😀 / fim")
    written_again = json.dumps(json.loads(sent.body)).encode()
    signature = {"X-Hub-Signature-256": meta_signature(written_again, desk.meta.app_secret)}
    assert post(desk, sent.body, signature).status_code == 403
    assert post(desk, sent.body, dict(sent.headers)).status_code == 200


def test_a_body_changed_on_the_way_is_refused(desk: WalkedDesk) -> None:
    sent = desk.meta.text("10 reais")
    assert post(desk, sent.body.replace(b"10", b"99"), dict(sent.headers)).status_code == 403
    assert post(desk, sent.body[:-1], dict(sent.headers)).status_code == 403


def test_the_handshake_gives_the_challenge_back_only_for_our_token(desk: WalkedDesk) -> None:
    def ask(**changes: str) -> TestResponse:
        query = {"hub.mode": "subscribe", "hub.challenge": "115820", "hub.verify_token": "a-verify-token"}
        return desk.client.get("/webhook", query_string=query | changes)

    right = ask()
    assert (right.status_code, right.data) == (200, b"115820")
    for wrong in ({"hub.verify_token": "x"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        refused = ask(**wrong)
        assert (refused.status_code, refused.data) == (403, b"")
    assert desk.client.get("/webhook").status_code == 403


def test_a_challenge_is_never_taken_for_a_page(desk: WalkedDesk) -> None:
    query = {
        "hub.mode": "subscribe",
        "hub.challenge": "<script>alert(1)</script>",
        "hub.verify_token": "a-verify-token",
    }
    response = desk.client.get("/webhook", query_string=query)
    assert b"<script>" not in response.data or not response.mimetype.startswith("text/html")


def test_an_unset_verify_token_lets_nobody_register(load_config: Callable[..., Config]) -> None:
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_VERIFY_TOKEN"}
    with FakeGraph() as graph, walked_desk(load_config(**environ), graph) as desk:
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}
        assert desk.client.get("/webhook", query_string=query).status_code == 403


def test_each_app_speaks_for_its_own_numbers_only(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        integrations.create(
            provider="meta", number_id="2222", name="other app", app_secret="other secret", access_token="t"
        )
        db.session.commit()
    other = MetaWebhooks(app_secret="other secret", phone_number_id="2222")
    assert desk.post(other.text("for the other number")) == 200
    forged = MetaWebhooks(app_secret="other secret", phone_number_id=PHONE_NUMBER_ID)
    assert desk.post(forged.text("in the first number's name")) == 200
    own, stranger = desk.events()
    assert (own.state, own.integration_id is not None) == ("pending", True)
    assert (stranger.state, stranger.integration_id, stranger.lane) == ("unknown", None, None)


def test_a_forged_message_does_not_take_the_place_of_the_true_one(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        integrations.create(
            provider="meta", number_id="2222", name="other app", app_secret="other secret", access_token="t"
        )
        db.session.commit()
    value = desk.meta.message_value({"type": "text", "text": {"body": "oi"}}, message_id="wamid.SAME")
    envelope = desk.meta.envelope([value])
    assert desk.post(MetaWebhooks(app_secret="other secret").sign(envelope)) == 200
    assert desk.post(desk.meta.sign(envelope)) == 200
    assert desk.states() == ["unknown", "pending"]


def test_a_number_that_nobody_knows_is_stored_as_unknown(desk: WalkedDesk) -> None:
    assert desk.post(replace(desk.meta, phone_number_id="999").text("oi")) == 200
    (event,) = desk.events()
    assert (event.state, event.lane) == ("unknown", None)
    assert b"oi" in event.payload


def test_the_seeds_sample_passes_unsigned_in_development(load_config: Callable[..., Config]) -> None:
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_APP_SECRET"}
    config = load_config(APP_ENV="development", **environ)
    with FakeGraph() as graph:
        with walked_desk(replace(config, graph_api_base_url=graph.url), graph) as desk:
            assert post(desk, json.dumps(SEED_SAMPLE).encode(), {}).status_code == 200
            desk.work()
            assert desk.states() == ["done"]
            assert len(graph.sent_to("15551234567")) == 1


def test_development_with_a_secret_refuses_what_is_unsigned(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(APP_ENV="development", **META), graph) as desk:
        assert post(desk, json.dumps(SEED_SAMPLE).encode(), {}).status_code == 403


def test_production_refuses_what_is_unsigned(load_config: Callable[..., Config]) -> None:
    config = load_config(APP_ENV="production", SECRET_KEY="s" * 32, **META)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        assert post(desk, json.dumps(SEED_SAMPLE).encode(), {}).status_code == 403
        assert desk.post(desk.meta.sign(SEED_SAMPLE)) == 200


def test_production_without_a_number_refuses_what_is_unsigned(load_config: Callable[..., Config]) -> None:
    config = load_config(APP_ENV="production", SECRET_KEY="s" * 32)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        assert post(desk, json.dumps(SEED_SAMPLE).encode(), {}).status_code == 403
        assert desk.client.post("/whatsapp", data={"Body": "oi"}).status_code == 403


def test_production_without_the_app_secret_does_not_start(tmp_path) -> None:
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_APP_SECRET"}
    needed = {"APP_ENV": "production", "SECRET_KEY": "s" * 32, "INSTANCE_DIR": str(tmp_path)}
    with pytest.raises(ConfigError, match="WHATSAPP_APP_SECRET"):
        load_settings(environ | needed, entry="gunicorn")


# --- what is stored -----------------------------------------------------------------------------------------

BODIES = {
    "empty": b"",
    "not JSON": b"hello",
    "truncated": b'{"object": "whatsapp_business_account", "entry": [{"id": "1", "chan',
    "nested 10,000 deep": b'{"entry":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number": b"17",
    "null": b"null",
    "a list": b"[]",
    "not UTF-8": b'{"entry": "\xff\xfe"}',
    "NaN": b'{"entry": NaN}',
    "huge integer": b'{"entry": ' + b"9" * 5_000 + b"}",
    "zeros": b"\x00" * 1_000,
    "BOM": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_signed_is_answered_200_and_never_lost(any_desk: WalkedDesk, body: bytes) -> None:
    desk = any_desk
    webhook = desk.meta.sign_bytes(body)
    response = post(desk, webhook.body, dict(webhook.headers))
    assert response.status_code == 200
    assert is_plain(response)
    assert stored_count(desk) == 1
    desk.work()
    assert "failed" not in desk.states()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_unsigned_rubbish_gets_a_clear_refusal(load_config: Callable[..., Config], body: bytes) -> None:
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_APP_SECRET"}
    config = load_config(APP_ENV="development", **environ)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        response = post(desk, body, {})
        assert response.status_code in (200, 400)
        assert is_plain(response)


STRANGE_FIELDS: dict[str, dict[str, Any]] = {
    "from is a list": {"from": []},
    "from is long": {"from": "9" * 5_000},
    "from is words": {"from": "not a phone; DROP TABLE"},
    "id is a number": {"id": 17},
    "id is null": {"id": None},
    "id is long": {"id": "w" * 5_000},
    "id has NUL": {"id": "wamid.\x00X"},
    "id has half a pair": {"id": "wamid.\ud800X"},
    "type is a list": {"type": ["text"]},
    "type is unknown": {"type": "hologram", "hologram": {"x": 1}},
    "text is a word": {"text": "oi"},
    "body is an object": {"text": {"body": {"a": 1}}},
    "body is null": {"text": {"body": None}},
    "body has NUL": {"text": {"body": "a\x00b"}},
    "body has half a pair": {"text": {"body": "a\ud83db"}},
    "body is long": {"text": {"body": "ção " * 50_000}},
    "timestamp is text": {"timestamp": "yesterday"},
    "timestamp is an integer": {"timestamp": 1763712036},
    "timestamp is a float": {"timestamp": 1763712036.5},
    "timestamp is negative": {"timestamp": "-99999999999999"},
    "timestamp is huge": {"timestamp": "9" * 40},
    "timestamp is in milliseconds": {"timestamp": "1763712036000"},
    "timestamp is null": {"timestamp": None},
    "timestamp is a list": {"timestamp": [1]},
    "context is a word": {"context": "x"},
    "referral is a word": {"referral": "x"},
    "errors is a number": {"type": "unsupported", "errors": 5},
    "name has half a pair": {"profile": {"name": "\udfff"}},
    "bsuid is rubbish": {"from_user_id": "no such id"},
    "bsuid is a number": {"from_user_id": 12},
}


def wrong_envelopes() -> dict[str, Any]:
    frame = {"metadata": {"phone_number_id": PHONE_NUMBER_ID}}
    message = {"from": CUSTOMER, "id": "wamid.X", "timestamp": "1763712036", "type": "text"}

    def with_message(**changes: Any) -> dict[str, Any]:
        value = {**frame, "messages": [{**message, "text": {"body": "oi"}, **changes}]}
        return {"entry": [{"changes": [{"field": "messages", "value": value}]}]}

    shapes = {
        "entry is a word": {"entry": "x"},
        "entry is an object": {"entry": {"changes": []}},
        "entry holds numbers": {"entry": [1, None, "x"]},
        "changes is a number": {"entry": [{"changes": 5}]},
        "value is a list": {"entry": [{"changes": [{"value": []}]}]},
        "value is null": {"entry": [{"changes": [{"field": "messages", "value": None}]}]},
        "field is an object": {"entry": [{"changes": [{"field": {}, "value": {}}]}]},
        "messages is an object": {"entry": [{"changes": [{"value": {**frame, "messages": {"a": 1}}}]}]},
        "messages holds rubbish": {"entry": [{"changes": [{"value": {**frame, "messages": [1, None, []]}}]}]},
        "statuses holds rubbish": {
            "entry": [{"changes": [{"value": {**frame, "statuses": [1, {}, {"id": {}}]}}]}]
        },
        "metadata is a list": {"entry": [{"changes": [{"value": {"metadata": [], "messages": [message]}}]}]},
        "number id is a number": {
            "entry": [{"changes": [{"value": {"metadata": {"phone_number_id": 5}, "messages": [message]}}]}]
        },
        "contacts is a word": {
            "entry": [{"changes": [{"value": {**frame, "contacts": "x", "messages": [message]}}]}]
        },
    }
    return shapes | {name: with_message(**change) for name, change in STRANGE_FIELDS.items()}


WRONG = wrong_envelopes()


@pytest.mark.parametrize("payload", WRONG.values(), ids=WRONG)
def test_wrong_types_are_stored_and_spoil_nothing(desk: WalkedDesk, payload: Any) -> None:
    body = json.dumps(payload).encode()
    webhook = desk.meta.sign_bytes(body)
    response = post(desk, webhook.body, dict(webhook.headers))
    assert response.status_code == 200
    assert is_plain(response)
    desk.work()
    assert not {"failed", "pending"} & set(desk.states())
    assert len(desk.says("hello", "5511900000001")) == 1


def test_wrong_types_pass_every_database(any_desk: WalkedDesk) -> None:
    """All of them in a row, because an empty server database costs more than the rest of this test."""
    desk = any_desk
    for name, payload in WRONG.items():
        body = json.dumps(payload).replace("wamid.", f"wamid.{len(name)}{abs(hash(name))}").encode()
        webhook = desk.meta.sign_bytes(body)
        assert post(desk, webhook.body, dict(webhook.headers)).status_code == 200, name
        desk.work()
        assert not {"failed", "pending"} & set(desk.states()), name
    assert len(desk.says("hello", "5511900000001")) == 1


def test_a_body_over_the_limit_is_refused_with_413(desk: WalkedDesk) -> None:
    webhook = desk.meta.text("x" * 4 * 1024 * 1024)
    response = post(desk, webhook.body, dict(webhook.headers))
    assert response.status_code == 413
    assert is_plain(response)
    assert stored_count(desk) == 0


def test_meta_batches_of_three_megabytes_are_taken(desk: WalkedDesk) -> None:
    webhook = desk.meta.text("x" * (3 * 1024 * 1024 - 1_000))
    assert 3 * 1024 * 1024 - 1_000 < len(webhook.body) < MAX_BODY_BYTES
    assert desk.post(webhook) == 200
    assert stored_count(desk) == 1


def test_a_huge_twilio_form_is_refused_with_413(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        assert desk.post(TwilioWebhooks().text("x" * 4 * 1024 * 1024)) == 413


def test_a_thousand_updates_with_one_bad_element_lose_only_that_one(any_desk: WalkedDesk) -> None:
    desk = any_desk
    values: list[Any] = [
        desk.meta.message_value({"type": "text", "text": {"body": str(n)}}, f"55119{n:08d}")
        for n in range(1_000)
    ]
    values[500]["messages"] = [{"id": {"no": "id"}, "from": 5}]
    assert desk.post(desk.meta.batch(values)) == 200
    events = desk.events()
    assert len(events) == 1_000
    assert sum(event.kind == "message" and event.state == "pending" for event in events) == 999


def test_repeats_inside_one_batch_and_between_posts_are_stored_once(any_desk: WalkedDesk) -> None:
    desk = any_desk
    value = desk.meta.message_value({"type": "text", "text": {"body": "hello"}})
    webhook = desk.meta.batch([value, value, value])
    assert desk.post(webhook) == 200
    assert desk.post(webhook) == 200
    assert stored_count(desk) == 1
    desk.work()
    assert len(desk.graph.sent) == 1


def test_ids_that_differ_by_case_are_different_messages(any_desk: WalkedDesk) -> None:
    desk = any_desk
    assert desk.post(desk.meta.text("hello", message_id="wamid.abc")) == 200
    assert desk.post(desk.meta.text("menu", message_id="wamid.ABC")) == 200
    assert stored_count(desk) == 2


@pytest.mark.parametrize("stamp", ["1763712036", 1763712036, 1763712036.0])
def test_time_stamps_come_as_text_and_as_numbers(desk: WalkedDesk, stamp: Any) -> None:
    value = desk.meta.message_value({"type": "text", "text": {"body": "oi"}})
    value["messages"][0]["timestamp"] = stamp
    assert desk.post(desk.meta.sign(desk.meta.envelope([value]))) == 200
    (event,) = desk.events()
    assert event.provider_at == datetime.fromtimestamp(1763712036, UTC)


@pytest.mark.parametrize("stamp", ["garbage", "", None, [], {}, "9" * 30, -1e300])
def test_a_message_without_a_usable_time_is_answered_as_new(desk: WalkedDesk, stamp: Any) -> None:
    value = desk.meta.message_value({"type": "text", "text": {"body": "hello"}})
    value["messages"][0]["timestamp"] = stamp
    assert len(desk.hears(desk.meta.sign(desk.meta.envelope([value])))) == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(CUSTOMER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "entry changes value messages statuses contacts metadata field from id type text body status "
                "timestamp phone_number_id errors wa_id user_id profile name message_echoes history".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
QUICK = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUICK
@given(
    value=JSON_VALUES,
    field=st.sampled_from(["messages", "smb_message_echoes", "history", "user_id_update", "calls", ""]),
)
def test_no_signed_value_breaks_the_door_or_the_lane(desk: WalkedDesk, value: Any, field: str) -> None:
    frame = {**(value if isinstance(value, dict) else {"messages": value})}
    frame["metadata"] = {"phone_number_id": PHONE_NUMBER_ID}
    body = json.dumps({"entry": [{"changes": [{"field": field, "value": frame}]}]}).encode()
    response = post(desk, body, dict(desk.meta.sign_bytes(body).headers))
    assert response.status_code == 200
    desk.work()
    assert not {"failed", "pending"} & set(desk.states())


@QUICK
@given(body=st.binary(max_size=300))
def test_no_signed_bytes_break_the_door(desk: WalkedDesk, body: bytes) -> None:
    assert post(desk, body, dict(desk.meta.sign_bytes(body).headers)).status_code == 200


@QUICK
@given(body=st.binary(max_size=200), header=st.text(st.characters(max_codepoint=255, min_codepoint=32)))
def test_no_unsigned_bytes_pass_the_door(desk: WalkedDesk, body: bytes, header: str) -> None:
    response = post(desk, body, {"X-Hub-Signature-256": header.strip()})
    assert response.status_code == 403
    assert stored_count(desk) == 0


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused_plainly(desk: WalkedDesk, method: str) -> None:
    response = getattr(desk.client, method)("/webhook")
    assert response.status_code == 405
    assert is_plain(response)


# --- Twilio -------------------------------------------------------------------------------------------------


def test_twilio_signs_the_public_address_behind_a_proxy(load_config: Callable[..., Config]) -> None:
    config = load_config(PUBLIC_BASE_URL="https://desk.example.com", **TWILIO)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        as_seen_outside = TwilioWebhooks(public_url="https://desk.example.com")
        accepted = desk.client.post("/whatsapp", data=as_seen_outside.text("oi").body,
                                    headers=as_seen_outside.text("oi").headers)  # fmt: skip
        assert accepted.status_code == 403, "two messages have two ids, so one's signature fits not the other"
        assert desk.post(as_seen_outside.text("oi ção 😀")) == 200
        assert desk.post(TwilioWebhooks(public_url="http://localhost").text("oi")) == 403
        forged = TwilioWebhooks(auth_token="x", public_url="https://desk.example.com")
        assert desk.post(forged.text("a")) == 403
        assert desk.states() == ["pending"]


ELSEWHERE = TwilioWebhooks(public_url="https://elsewhere.example.com")
CLAIMED = {"X-Forwarded-Host": "elsewhere.example.com", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("hops", "forwarded", "code"),
    [
        ("0", CLAIMED, 403),
        ("1", CLAIMED, 200),
        ("1", {name: f"{value}, localhost" for name, value in CLAIMED.items()}, 403),
        ("2", CLAIMED, 403),
        ("0", {"Forwarded": "host=elsewhere.example.com;proto=https"}, 403),
    ],
    ids=["no proxy", "our proxy", "said to our proxy", "one proxy of two", "another header"],
)
def test_only_proxies_of_ours_say_which_address_was_called(
    load_config: Callable[..., Config], hops: str, forwarded: dict[str, str], code: int
) -> None:
    config = load_config(APP_ENV="production", SECRET_KEY="k" * 32, PROXY_HOPS=hops, **TWILIO)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        webhook = ELSEWHERE.text("oi")
        assert desk.post(webhook._replace(headers={**webhook.headers, **forwarded})) == code


def test_what_proxies_say_does_not_matter_when_the_address_is_set(load_config: Callable[..., Config]) -> None:
    config = load_config(PUBLIC_BASE_URL="https://desk.example.com", PROXY_HOPS="1", **TWILIO)
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        webhook = ELSEWHERE.text("oi")
        assert desk.post(webhook._replace(headers={**webhook.headers, **CLAIMED})) == 403


def test_twilio_gets_empty_twiml(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        webhook = TwilioWebhooks().text("oi", EmptyField="")
        response = desk.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        assert response.status_code == 200
        assert response.mimetype == "text/xml"
        assert response.data.endswith(b"<Response/>")


def test_twilio_unsigned_or_changed_is_refused(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        webhook = TwilioWebhooks().text("oi")
        assert desk.client.post("/whatsapp", data=webhook.body).status_code == 403
        assert desk.post(webhook._replace(body=webhook.body + b"&Added=1")) == 403
        strange = {**webhook.headers, "X-Twilio-Signature": "ção"}
        assert desk.post(webhook._replace(headers=strange)) == 403
        assert stored_count(desk) == 0


def test_a_twilio_status_is_taken_with_the_query_of_its_callback(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        url = "http://localhost/whatsapp/status?ref=17"
        assert desk.post(TwilioWebhooks().status("SM" + "0" * 32, "delivered", url=url)) == 200
        (event,) = desk.events()
        assert (event.kind, event.lane) == ("status", "receipts")


SHIFTED = {
    "a field's end is taken into the account": {"AccountSid": "AC0123456789abcdef0123456789abcdefApiVersion"},
    "another account": {"AccountSid": "AC" + "9" * 32},
    "no account": {"AccountSid": ""},
    "a field's end is taken into the message's id": {"MessageSid": "SM" + "0" * 32 + "NumMedia0"},
    "an id of another kind": {"MessageSid": "CA" + "0" * 32},
    "an id that is too short": {"MessageSid": "SM" + "0" * 31},
    "an id in other digits": {"MessageSid": "SM" + "\u0661" * 32},
}


@pytest.mark.parametrize("fields", SHIFTED.values(), ids=SHIFTED)
def test_a_signed_form_of_no_true_account_or_id_is_kept_as_unknown(
    load_config: Callable[..., Config], fields: dict[str, str]
) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        assert desk.post(TwilioWebhooks().text("oi", **fields)) == 200
        assert desk.states() == ["unknown"]
        with desk.app.app_context():
            assert replay_events().adopted == 0, "nor is it taken later"


def test_boundaries_moved_under_one_signature_bring_no_second_message(
    load_config: Callable[..., Config],
) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        webhook = TwilioWebhooks().text("oi")
        assert desk.post(webhook) == 200
        moved = re.sub(rb"(&MessageSid=SM\w{32})(.*)&MessageType=text", rb"\1MessageTypetext\2", webhook.body)
        assert moved != webhook.body
        assert desk.post(webhook._replace(body=moved)) == 200, "the signature is the same"
        assert sorted(desk.states()) == ["pending", "unknown"]


SERVICE = "MG" + "0" * 32


def add_service(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        integrations.adopt_environment(desk.app.config["BALCAO"])
        own = integrations.numbers()[0].account
        integrations.create(
            provider="twilio",
            number_id=SERVICE,
            name="Service",
            business_id=own.business_id,
            app_secret=own.app_secret,
        )
        db.session.commit()


def test_a_number_behind_a_messaging_service_is_known_by_the_service(
    load_config: Callable[..., Config],
) -> None:
    config = load_config(**TWILIO | {"TWILIO_PHONE_NUMBER": "+15005550006"})
    with FakeGraph() as graph, walked_desk(config, graph) as desk:
        add_service(desk)
        sent = TwilioWebhooks().status("SM" + "0" * 32, "delivered", MessagingServiceSid=SERVICE)
        assert desk.post(TwilioWebhooks().text("oi", MessagingServiceSid=SERVICE)) == 200
        assert desk.post(sent) == 200
        assert desk.post(TwilioWebhooks().text("oi", MessagingServiceSid="MG" + "9" * 32)) == 200
        assert desk.post(TwilioWebhooks().text("oi")) == 200
        assert desk.states() == ["pending", "pending", "unknown", "unknown"]


def test_a_number_of_its_own_comes_before_its_messaging_service(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        add_service(desk)
        assert desk.post(TwilioWebhooks().text("oi", MessagingServiceSid=SERVICE)) == 200
        (event,) = desk.events()
        with desk.app.app_context():
            number = integrations.number(event.integration_id or 0)
        assert number is not None
        assert number.account.number_id == TWILIO["TWILIO_PHONE_NUMBER"]


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"%%%=%zz&&&==", b"a=" + b"b" * 10_000])
def test_a_strange_twilio_form_never_breaks_the_door(load_config: Callable[..., Config], body: bytes) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": TwilioWebhooks(AUTH_TOKEN).sign("http://localhost/whatsapp", {}).headers[
                "X-Twilio-Signature"
            ],
        }  # fmt: skip
        response = desk.client.post("/whatsapp", data=body, headers=headers)
        assert response.status_code in (200, 403)


# --- the database away, and shared commits ------------------------------------------------------------------


def test_the_database_away_is_503_and_nothing_half_written(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.says("hello")
    before = stored_count(desk)
    values = [desk.meta.message_value({"type": "text", "text": {"body": str(n)}}) for n in range(5)]
    webhook = desk.meta.batch(values)
    with desk.app.app_context():
        db.session.execute(text("ALTER TABLE webhook_events RENAME TO away"))
        db.session.commit()
    response = desk.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
    assert response.status_code == 503
    assert is_plain(response)
    with desk.app.app_context():
        db.session.execute(text("ALTER TABLE away RENAME TO webhook_events"))
        db.session.commit()
    assert stored_count(desk) == before
    assert desk.post(webhook) == 200
    assert stored_count(desk) == before + 5


def test_the_database_away_from_the_start_is_503(load_config: Callable[..., Config], tmp_path) -> None:
    """Not even the numbers can be read then; Meta must send again, so no other status will do."""
    with FakeGraph() as graph, walked_desk(load_config(**META), graph) as desk:
        with desk.app.app_context():
            for table in ("webhook_events", "integrations"):
                db.session.execute(text(f"ALTER TABLE {table} RENAME TO away_{table}"))
            db.session.commit()
            integrations.forget()
        webhook = desk.meta.text("oi")
        response = desk.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        assert response.status_code == 503
        assert is_plain(response)
        assert desk.client.get("/webhook/health").status_code in (200, 503)


def row(key: str, **changes: Any) -> InboxRow:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    made = InboxRow(key, None, "meta", "message", "in:1:x", "pending", b"{}", None, now)
    return replace(made, **changes)


def test_sixteen_threads_share_commits_and_lose_nothing(any_desk: WalkedDesk) -> None:
    with any_desk.app.app_context():
        inbox = Inbox(db.engine)
    started = threading.Barrier(16)
    refused: list[str] = []

    def store(thread: int) -> None:
        started.wait()
        for n in range(20):
            try:
                inbox.store([row(f"{thread}:{n}:a"), row(f"{thread}:{n}:b"), row(f"same:{n}")])
            except InboxUnavailable:
                refused.append(f"{thread}:{n}")

    run_together(store)
    assert refused == []
    assert stored_count(any_desk) == 16 * 20 * 2 + 20


def test_one_bad_request_is_refused_alone(any_desk: WalkedDesk) -> None:
    with any_desk.app.app_context():
        inbox = Inbox(db.engine)
    started = threading.Barrier(16)
    refused: list[int] = []

    def store(thread: int) -> None:
        bad: Any = {"event_key": None} if thread == 7 else {}
        started.wait()
        try:
            inbox.store([row(f"{thread}", **bad), row(f"{thread}b")])
        except InboxUnavailable:
            refused.append(thread)

    run_together(store)
    assert refused == [7]
    keys = {event.event_key for event in any_desk.events()}
    assert keys == {f"{n}{tail}" for n in range(16) if n != 7 for tail in ("", "b")}


def test_the_thread_that_writes_ends_with_its_application(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        inbox = Inbox(db.engine)
    inbox.store([row("a")])
    writer = inbox._writer
    assert writer.is_alive()
    del inbox
    gc.collect()
    writer.join(60)
    assert not writer.is_alive()


def test_posts_from_many_threads_are_all_stored(any_desk: WalkedDesk) -> None:
    desk, codes = any_desk, []

    def send(thread: int) -> None:
        for n in range(5):
            webhook: Webhook = desk.meta.text(f"{thread} {n}", f"55119{thread:08d}")
            answer = desk.app.test_client().post(webhook.path, data=webhook.body, headers=webhook.headers)
            codes.append(answer.status_code)

    run_together(send)
    assert codes == [200] * 80
    assert stored_count(desk) == 80


def run_together(job: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=job, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def test_a_row_is_there_when_200_was_said(desk: WalkedDesk) -> None:
    """Another connection sees it at once: the answer waits for the commit."""
    assert desk.post(desk.meta.text("oi")) == 200
    with desk.app.app_context(), db.engine.connect() as other:
        assert len(other.execute(select(WebhookEvent.id)).all()) == 1


def test_more_elements_than_any_provider_sends_are_not_taken_apart(desk: WalkedDesk) -> None:
    for body in (
        b'{"entry":[' + b"0," * 300_000 + b"0]}",
        b'{"entry":[{"changes":[{"field":"messages","value":{"messages":[' + b"0," * 300_000 + b"0]}}]}]}",
    ):
        webhook = desk.meta.sign_bytes(body)
        began = time.monotonic()
        assert desk.post(webhook) == 200
        assert time.monotonic() - began < 30
    assert stored_count(desk) < 50_000


@pytest.mark.parametrize("path", ["/webhook", "/whatsapp", "/whatsapp/status"])
def test_a_refusal_at_the_door_is_no_page(desk: WalkedDesk, path: str) -> None:
    answer = desk.client.post(path, data=b"x" * 4_000_000, headers={"Accept": "text/html"})
    assert answer.status_code == 413
    assert is_plain(answer)


def test_json_without_a_body_hash_is_no_twilio_signature(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(**TWILIO), graph) as desk:
        answer = desk.client.post("/whatsapp", json={"a": 1}, headers={"X-Twilio-Signature": "x"})
        assert answer.status_code == 403


def test_who_goes_on_forging_is_slowed_down_and_the_provider_is_not(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(auth, "log", noted := Mock())
    unsigned = Webhook("/webhook", b"{}", ENVELOPE_HEADERS)
    codes = [desk.post(unsigned) for _ in range(122)]
    assert codes == [403] * 120 + [429] * 2
    assert noted.warning.call_count == 120, "a flood fills no log"
    assert "ratelimit" not in caplog.text, "of nobody"
    assert desk.client.post("/payments/stripe", data=b"{}").status_code == 429, "every door counts"
    assert desk.post(desk.meta.text("oi")) == 200, "from the same address"
