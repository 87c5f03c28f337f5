"""Meta's Cloud API: signatures, every webhook there is, what is sent, and what its refusals mean."""

import base64
import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from message_content import Choice, LinkButton, LocationRequest, Media, Menu, Reaction, Template, Text
from providers import loose, meta_errors, meta_messages, provider
from providers.base import (
    Account,
    AddressBookEntry,
    DownloadedMedia,
    Echo,
    HistoryMessage,
    IdentityChange,
    InboundMedia,
    InboundMessage,
    MalformedBody,
    MediaError,
    Notice,
    OrderItem,
    Person,
    Preference,
    ProviderError,
    Receipt,
    SendError,
    Sent,
    SignedRequest,
)
from providers.meta import answer_handshake, may_see_token
from providers.meta import meta as provider_meta
from providers.meta_webhooks import TEMPLATE_FIELDS
from providers.transport import Answer
from tests.fakes.graph import FakeGraph
from tests.fakes.graph_rules import check_message
from tests.fakes.webhooks import ACCESS_TOKEN, PHONE_NUMBER_ID, MetaWebhooks

PAYLOADS = Path(__file__).parent / "payloads" / "meta"
ALL_PAYLOADS = sorted(path.stem for path in PAYLOADS.glob("*.json"))
ANA = Person("5511987654321", "BR.9f2c61d0a4b84e7", name="Ana Souza")
NUMBER = "106540352242922"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def body_of(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def split(body: bytes | dict) -> list[Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return provider_meta.split(SignedRequest("POST", "https://x/webhook", {}, raw))


def events(name: str) -> list[Any]:
    return [provider_meta.parse(element.payload) for element in split(body_of(name))]


def envelope(field: str = "messages", **value: Any) -> dict[str, Any]:
    frame = {"metadata": {"phone_number_id": NUMBER}, **value}
    return {"entry": [{"id": "W", "changes": [{"field": field, "value": frame}]}]}


# --- the signature and the handshake ------------------------------------------------------------------------


def test_a_body_signed_by_meta_is_accepted_byte_for_byte():
    webhook = MetaWebhooks("secret").text("Olá, João @casa 😀 / fim")
    signed = SignedRequest("POST", "https://x/webhook", webhook.headers, webhook.body)
    assert provider_meta.verify(signed, "secret")
    assert not provider_meta.verify(signed, "other")
    written_again = orjson.dumps(orjson.loads(webhook.body))
    assert not provider_meta.verify(SignedRequest("POST", "", webhook.headers, written_again), "secret")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=é\udcff☃"},
        {"X-Hub-Signature-256": "sha1=abc"},
        {"X-Hub-Signature": "sha256=abc"},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
    ],
)
def test_a_missing_or_wrong_signature_is_refused(headers):
    assert not provider_meta.verify(SignedRequest("POST", "", headers, b"{}"), "secret")


def test_without_a_secret_nothing_is_signed():
    webhook = MetaWebhooks("").text("oi")
    assert not provider_meta.verify(SignedRequest("POST", "", webhook.headers, webhook.body), "")


def test_the_header_is_found_in_any_capitals():
    webhook = MetaWebhooks("secret").text("oi")
    headers = {name.lower(): value for name, value in webhook.headers.items()}
    assert provider_meta.verify(SignedRequest("POST", "", headers, webhook.body), "secret")


def test_the_handshake_gives_the_challenge_back_for_any_of_our_tokens():
    args = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "two"}
    assert answer_handshake(args, ["one", "two"]) == "1158201444"
    assert answer_handshake(args, ["one"]) is None
    assert answer_handshake(args, [""]) is None
    assert answer_handshake({**args, "hub.mode": "unsubscribe"}, ["two"]) is None
    assert answer_handshake({**args, "hub.verify_token": "ção\udc80"}, ["two"]) is None
    assert answer_handshake({}, ["", "two"]) is None


# --- every inbound type -------------------------------------------------------------------------------------

MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"kind": "text", "text": "Olá! Vocês têm o curso de violão? 🎸"},
    "text_reply": {"text": "Esse mesmo", "quotes": "wamid.OURS1"},
    "text_forwarded": {"is_forwarded": True, "quotes": None},
    "text_often_forwarded": {"is_forwarded": True},
    "text_about_product": {
        "extra": {
            "referred_product": {
                "catalog_id": "194836987003835",
                "product_retailer_id": "violao-basico",
            }
        }
    },
    "image": {"kind": "image", "text": "É este aqui?"},
    "video": {"kind": "video", "text": ""},
    "audio_voice": {"kind": "audio"},
    "audio_file": {"kind": "audio"},
    "voice_old_type": {"kind": "audio"},
    "document": {"kind": "document", "text": "Segue o comprovante"},
    "sticker": {"kind": "sticker"},
    "location": {"kind": "location", "text": "MASP\nAv. Paulista, 1578"},
    "contacts": {"kind": "contacts", "text": "Beto Lima +55 21 99876-5432"},
    "contacts_own_number": {"kind": "contacts"},
    "button": {"kind": "button", "text": "Confirmar", "choice_id": "confirmar:42", "quotes": "wamid.OURS3"},
    "interactive_button_reply": {"kind": "interactive", "text": "Produtos", "choice_id": "menu:1"},
    "interactive_list_reply": {"kind": "interactive", "text": "Curso de violão", "choice_id": "product:7"},
    "interactive_form": {"kind": "interactive", "choice_id": None},
    "interactive_form_not_an_object": {"kind": "interactive"},
    "interactive_form_not_json": {"kind": "interactive"},
    "interactive_call_permission": {"kind": "interactive", "choice_id": None, "text": ""},
    "order": {"kind": "order", "text": "Pode entregar hoje?"},
    "reaction": {"kind": "reaction", "emoji": "👍🏽", "target": "wamid.OURS6", "text": ""},
    "reaction_removed": {"kind": "reaction", "emoji": "", "target": "wamid.OURS6"},
    "reaction_removed_empty": {"kind": "reaction", "emoji": "", "target": "wamid.OURS6"},
    "edit": {"kind": "edit", "text": "Quero o avançado", "target": "wamid.THEIRS1"},
    "edit_caption": {"kind": "edit", "text": "Agora certo", "target": "wamid.THEIRS2"},
    "revoke": {"kind": "revoke", "target": "wamid.THEIRS1"},
    "unsupported_131051": {"kind": "unsupported", "text": ""},
    "unsupported_131060": {"kind": "unsupported"},
    "unknown_type": {"kind": "unsupported", "extra": {"unsupported_type": "hologram"}},
    "request_welcome": {"kind": "welcome", "text": ""},
    "group_text": {"kind": "text", "group_id": "Y2FwaV9ncm91cDoxNzA1"},
    "text_from_ad": {"kind": "text", "text": "Quero saber mais"},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_type_is_read(name):
    (element,) = split(body_of(name))
    message = provider_meta.parse(element.payload)
    assert isinstance(message, InboundMessage)
    assert (element.kind, element.number_id, element.person) == ("message", NUMBER, ANA.bsuid)
    assert element.key == f"m:{NUMBER}:{message.external_id}"
    assert element.provider_at == message.sent_at is not None
    assert message.sender == ANA
    for field, expected in MESSAGES[name].items():
        assert getattr(message, field) == expected, field


def test_media_keeps_what_the_download_needs():
    (message,) = events("audio_voice")
    assert message.media == InboundMedia(
        media_kind="audio",
        media_id="1908647269898587",
        url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1908647269898587",
        mime_type="audio/ogg; codecs=opus",
        sha256="SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
        is_voice=True,
    )
    assert events("voice_old_type")[0].media.is_voice
    assert not events("audio_file")[0].media.is_voice
    assert events("sticker")[0].media.is_animated
    assert events("document")[0].media.filename == "comprovante.pdf"


def test_an_order_has_prices_in_minor_units_and_leaves_broken_lines_to_the_raw_order():
    (message,) = events("order")
    assert message.order_items == (
        OrderItem("violao-basico", 2, 9790, "BRL"),
        OrderItem("palheta", 1, 1500, "JPY"),
        OrderItem("corda", 3, 1235, "KWD"),
    )
    assert len(message.extra["order"]["product_items"]) == 4


def test_a_form_is_read_whatever_its_answer_is():
    assert events("interactive_form")[0].extra["form"]["answers"] == {
        "flow_token": "42",
        "cidade": "São Paulo",
    }
    assert events("interactive_form_not_an_object")[0].extra["form"]["answers"] == [1, "dois"]
    assert events("interactive_form_not_json")[0].extra["form"]["answers"] == "{oops"


def test_an_ad_and_an_own_number_are_kept():
    assert events("text_from_ad")[0].referral["ctwa_clid"] == "Aff-n8ZTODiE79d22KtAwQKj9e"
    assert events("contacts_own_number")[0].extra["is_own_number"] is True
    assert "is_own_number" not in events("contacts")[0].extra


def test_an_unreadable_message_says_why():
    (message,) = events("unsupported_131051")
    assert message.extra["unsupported_type"] == "poll_update"
    assert message.extra["errors"][0]["code"] == 131051
    assert events("unsupported_131060")[0].extra["errors"][0]["code"] == 131060


def test_a_person_without_a_phone_has_a_lane_and_an_address():
    (element,) = split(body_of("text_without_phone"))
    assert element.person == "EG.13491208655302741918"
    assert provider_meta.parse(element.payload).sender == Person(
        bsuid="EG.13491208655302741918",
        parent_bsuid="EG.ENT.11815799212886844830",
        username="youssef",
        name="Youssef",
    )


def test_the_seeds_sample_is_understood():
    (element,) = split(body_of("seed_sample"))
    message = provider_meta.parse(element.payload)
    assert (element.kind, element.number_id, element.person) == ("message", None, "1234567890")
    assert (message.kind, message.text, message.sender) == ("text", "hello", Person("1234567890"))


# --- statuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "played"])
def test_a_receipt_brings_our_reference_back(status):
    (element,) = split(body_of(f"status_{status}"))
    receipt = provider_meta.parse(element.payload)
    assert element.kind == "status"
    assert element.key == f"s:{NUMBER}:wamid.OURS7:{status}"
    assert element.person is None, "receipts enter no lane"
    assert (receipt.status, receipt.reference, receipt.recipient) == (status, "8817", ANA)
    assert (receipt.pricing is not None) == (status in ("sent", "delivered"))


def test_a_failure_says_why():
    (receipt,) = events("status_failed")
    assert receipt.status == "failed"
    assert receipt.recipient == Person("5511987654321")
    (error,) = receipt.errors
    assert (error.code, error.title) == (131047, "Re-engagement message")
    assert provider_meta.explain(error).is_window_closed


def test_a_receipt_of_a_person_without_phone_names_the_person():
    (receipt,) = events("status_without_phone")
    assert receipt.recipient == Person(
        bsuid="EG.13491208655302741918", parent_bsuid="EG.ENT.11815799212886844830", name="Youssef"
    )


@pytest.mark.parametrize("name", ["status_unknown_word", "status_of_payment", "calls_status"])
def test_what_is_no_receipt_of_a_message_changes_none(name):
    (element,) = split(body_of(name))
    assert element.kind == "other"
    assert isinstance(provider_meta.parse(element.payload), Notice)


def test_a_groups_receipt_names_nobody():
    (receipt,) = events("status_of_group")
    assert isinstance(receipt, Receipt)
    assert receipt.recipient is None


# --- the owner's own phone ----------------------------------------------------------------------------------


def test_an_echo_belongs_to_the_customers_lane():
    (element,) = split(body_of("echo_text"))
    echo = provider_meta.parse(element.payload)
    assert (element.kind, element.person) == ("echo", "5511987654321")
    assert isinstance(echo, Echo)
    assert echo.recipient == Person("5511987654321")
    assert echo.message.text == "Oi Ana, aqui é a Carla 😊"
    (element,) = split(body_of("echo_image"))
    assert element.person == ANA.bsuid
    assert provider_meta.parse(element.payload).recipient == ANA
    assert events("echo_revoke")[0].message.kind == "revoke"


def test_history_is_one_element_per_message():
    elements = split(body_of("history"))
    assert [element.kind for element in elements] == ["history"] * 4
    past = [provider_meta.parse(element.payload) for element in elements]
    assert all(isinstance(one, HistoryMessage) for one in past)
    assert [(one.is_ours, one.status) for one in past] == [
        (False, None),
        (True, "delivered"),
        (False, None),
        (True, "failed"),
    ]
    assert past[0].contact == Person("5511987654321", username="anasouza")
    assert past[3].contact == Person("5521998765432")
    assert [one.message.kind for one in past] == ["text", "text", "unsupported", "text"]


def test_a_files_message_that_follows_its_placeholder_is_an_element_of_its_own():
    (element,) = split(body_of("history_file"))
    placeholder = split(body_of("history"))[2]
    assert element.key != placeholder.key
    past = provider_meta.parse(element.payload)
    assert (past.message.external_id, past.message.kind, past.is_ours) == ("wamid.PAST3", "image", False)


def test_a_declined_history_is_a_notice_with_its_error():
    (notice,) = events("history_declined")
    assert (notice.topic, notice.errors[0].code) == ("history", 2593109)


def test_the_owners_address_book_is_read():
    assert events("address_book") == [
        AddressBookEntry(Person("5511987654321", name="Ana Souza")),
        AddressBookEntry(Person("5521998765432"), is_removed=True),
    ]
    assert [element.person for element in split(body_of("address_book"))] == [
        "5511987654321",
        "5521998765432",
    ]


# --- changes of persons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["system_number_changed", "system_number_changed_old_shape"])
def test_a_new_number_keeps_the_person(name):
    (element,) = split(body_of(name))
    change = provider_meta.parse(element.payload)
    assert (element.kind, element.person) == ("other", "5511987654321")
    assert isinstance(change, IdentityChange)
    assert (change.old, change.new) == (Person("5511987654321"), Person("5511912345678"))
    assert element.key == f"m:{NUMBER}:{change.external_id}"


def test_a_new_user_id_keeps_the_person():
    (change,) = events("system_user_id_changed")
    assert change.old == Person("5511987654321", "BR.9f2c61d0a4b84e7")
    assert change.new == Person(bsuid="BR.77aa00")
    (element,) = split(body_of("user_id_update"))
    change = provider_meta.parse(element.payload)
    assert element.person == "BR.9f2c61d0a4b84e7"
    assert change.old == Person("5511987654321", "BR.9f2c61d0a4b84e7", "BR.ENT.aa1")
    assert change.new == Person("5511987654321", "BR.77aa00", "BR.ENT.bb2")


def test_a_changed_key_is_only_a_notice():
    (notice,) = events("system_identity_changed")
    assert isinstance(notice, Notice)


def test_marketing_preferences_are_read_and_others_left_alone():
    found = events("user_preferences")
    assert [one.wants_marketing for one in found[:3]] == [False, True, True]
    assert all(isinstance(one, Preference) for one in found[:3])
    assert found[0].person == Person("5511987654321", "BR.9f2c61d0a4b84e7")
    assert found[0].at == datetime(2025, 11, 21, 8, 6, 40, tzinfo=UTC)
    assert isinstance(found[3], Notice)


NOTICES = [
    "account_alerts", "account_review_update", "account_update", "automatic_events",
    "business_capability_update", "business_username_update", "business_username_updates", "calls", "flows",
    "group_lifecycle_update", "group_participants_update", "group_settings_update", "group_status_update",
    "message_template_components_update", "message_template_quality_update",
    "message_template_status_update", "partner_solutions", "payment_configuration_update",
    "phone_number_name_update", "phone_number_quality_update", "security", "template_category_update",
    "tracking_events",
]  # fmt: skip


@pytest.mark.parametrize("name", NOTICES)
def test_every_other_field_is_a_notice_of_that_topic(name):
    (element,) = split(body_of(name))
    notice = provider_meta.parse(element.payload)
    kind = "template" if name in TEMPLATE_FIELDS else "other"
    assert (element.kind, element.person, element.key[:2]) == (kind, None, "o:")
    assert isinstance(notice, Notice)
    assert notice.topic == name
    assert notice.data


def test_errors_and_user_actions_without_messages_are_notices():
    (notice,) = events("value_errors")
    assert notice.errors == (ProviderError(131000, "Something went wrong", "Failed to read the message"),)
    (notice,) = events("user_actions")
    assert notice.data["user_action"]["action_type"] == "marketing_messages_link_click"


def test_equal_notices_at_two_times_are_two_events_and_a_repeat_is_one():
    body = orjson.loads(body_of("account_update"))
    first, again = split(body)[0].key, split(body)[0].key
    body["entry"][0]["time"] += 60
    assert first == again != split(body)[0].key


def test_every_payload_file_is_read_by_some_test():
    named = {*MESSAGES, *NOTICES, "message_template_status_update_no_reason", "batch_with_bad_elements"}
    source = Path(__file__).read_text()
    assert [name for name in ALL_PAYLOADS if name not in named and f'"{name}"' not in source] == [
        f"status_{status}" for status in ("delivered", "played", "read", "sent")
    ]
    assert events("message_template_status_update_no_reason")[0].data["reason"] is None


# --- batches and bad elements -------------------------------------------------------------------------------


def test_bad_elements_never_spoil_the_others():
    elements = split(body_of("batch_with_bad_elements"))
    assert [element.kind for element in elements] == [
        "message", "message", "status", "message",
        "other", "other", "other", "other", "message", "other", "other", "other",
        "other", "other", "other", "other", "other", "other",
    ]  # fmt: skip
    assert len({element.key for element in elements}) == len(elements)
    assert [element.number_id for element in elements[:4]] == [NUMBER] * 3 + ["206540352242922"]
    ids_as_numbers = elements[8]
    assert (ids_as_numbers.person, ids_as_numbers.key) == ("5511987654321", "m:206540352242922:12")


def test_each_message_gets_its_own_contact():
    elements = split(body_of("batch_with_bad_elements"))
    ana, other = (provider_meta.parse(element.payload).sender for element in elements[:2])
    assert ana == ANA
    assert other == Person("5521998765432", "BR.outra"), "nobody takes another's name"


def test_a_lone_contact_completes_a_lone_message_unless_it_contradicts():
    contact = {"user_id": "BR.x", "profile": {"name": "Ana"}}
    message = {"from": "5511987654321", "id": "wamid.1", "text": {"body": "oi"}}
    (element,) = split(envelope(contacts=[contact], messages=[message]))
    assert provider_meta.parse(element.payload).sender == Person("5511987654321", "BR.x", name="Ana")
    (element,) = split(envelope(contacts=[{**contact, "wa_id": "5599"}], messages=[message]))
    assert provider_meta.parse(element.payload).sender == Person("5511987654321")
    elements = split(envelope(contacts=[contact], messages=[message, {**message, "id": "wamid.2"}]))
    assert provider_meta.parse(elements[0].payload).sender == Person("5511987654321")


def test_a_thousand_updates_of_two_numbers_are_split_quickly_and_in_order():
    build = MetaWebhooks("s")
    other = MetaWebhooks("s", phone_number_id="777")
    values = [
        (build, other)[n % 2].message_value({"text": {"body": str(n)}}, message_id=f"wamid.{n}")
        for n in range(1000)
    ]
    body = build.batch(values).body
    started = time.perf_counter()
    elements = split(body)
    assert time.perf_counter() - started < 1.0
    assert [element.key for element in elements] == [
        f"m:{(PHONE_NUMBER_ID, '777')[n % 2]}:wamid.{n}" for n in range(1000)
    ]


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1763712001", datetime(2025, 11, 21, 8, 0, 1, tzinfo=UTC)),
        (1763712001, datetime(2025, 11, 21, 8, 0, 1, tzinfo=UTC)),
        (1763712001.0, datetime(2025, 11, 21, 8, 0, 1, tzinfo=UTC)),
        (1763712001999, datetime(2025, 11, 21, 8, 0, 1, tzinfo=UTC)),
        ("1763712001999", datetime(2025, 11, 21, 8, 0, 1, tzinfo=UTC)),
        (0, None), (-5, None), ("0", None), ("", None), ("ontem", None), (None, None), (True, None),
        ([], None), ({}, None), (1e300, None), ("9" * 50, None), ("١٧٦٣٧١٢٠٠١", None),
        ("1_763_712_001", None), ("--5", None), (10**18, None),
    ],
)  # fmt: skip
def test_timestamps_come_in_many_forms_and_garbage_is_none(timestamp, expected):
    message = {"from": "5511", "id": "wamid.1", "text": {"body": "oi"}, "timestamp": timestamp}
    (element,) = split(envelope(messages=[message]))
    assert element.kind == "message"
    assert element.provider_at == expected
    assert provider_meta.parse(element.payload).sent_at == expected


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[", b'{"entry": [', b"\xff\xfe", b"oi", b"[" * 5000 + b"]" * 5000]
)
def test_what_is_no_json_is_malformed(body):
    with pytest.raises(MalformedBody):
        split(body)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"7", b"null", b'"x"', b'{"entry": {}}', b'{"entry": []}', b'{"object": "page"}']
)
def test_json_of_any_shape_is_kept_as_one_element(body):
    (element,) = split(body)
    assert (element.kind, element.person, element.number_id) == ("other", None, None)
    assert isinstance(provider_meta.parse(element.payload), Notice)


def test_nul_characters_and_half_surrogates_and_nan_do_no_harm():
    body = (
        b'{"entry":[{"changes":[{"value":{"x":NaN,"messages":['
        b'{"from":"55\\u000011","id":"wamid.\\u0000A","text":{"body":"a\\u0000b\\ud800c"},"timestamp":"1763712001"},'
        b'{"from":"5512","id":"wamid.B","text":{"body":"ok"},"n":123456789012345678901234567890}]}}]}]}'
    )
    first, second = split(body)
    assert (first.person, first.key, second.key) == ("5511", "m::wamid.A", "m::wamid.B")
    text = provider_meta.parse(first.payload).text
    assert text == "ab\ufffdc"
    assert text.encode()


def test_a_deeply_nested_element_loses_its_depth_and_not_its_neighbours():
    deep = b"[" * 900 + b"]" * 900
    body = (
        b'{"entry":[{"changes":[{"value":{"messages":['
        b'{"from":"5511","id":"wamid.A","type":"text","text":{"body":"oi"},"deep":' + deep + b"},"
        b'{"from":"5512","id":"wamid.B","type":"text","text":{"body":"ok"}}]}}]}]}'
    )
    elements = split(body)
    assert [provider_meta.parse(element.payload).text for element in elements] == ["oi", "ok"]


def test_long_ids_make_short_keys():
    message = {"from": "5511", "id": "wamid." + "é" * 200, "text": {"body": "oi"}}
    (element,) = split(envelope(messages=[message]))
    assert element.kind == "message"
    assert len(element.key.encode()) <= 190
    assert element.key == split(envelope(messages=[message]))[0].key
    message["from"] = "5" * 300
    assert split(envelope(messages=[message]))[0].kind == "other", "an absurd sender has no lane"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    "id from from_user_id type text image interactive button_reply nfm_reply response_json order "
    "product_items quantity item_price currency reaction emoji system wa_id user_id contacts messages "
    "statuses status errors code timestamp context referral body title recipient_id pricing metadata "
    "phone_number_id history threads edit message message_echoes to state_sync contact user_preferences "
    "category value user_id_update previous current profile name username group_id audio voice sha256 "
    "location unsupported revoke original_message_id phones button payload"
    .split()
)  # fmt: skip
LIKELY = st.recursive(
    JSON
    | st.sampled_from([*MESSAGES, "messages", "system", "failed", "read", "wamid.1", "marketing_messages"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
FIELDS = st.sampled_from(
    [
        "messages",
        "smb_message_echoes",
        "history",
        "smb_app_state_sync",
        "user_preferences",
        "user_id_update",
        "x",
        "",
    ]
)


@settings(max_examples=300)
@given(field=FIELDS, value=LIKELY, message=st.dictionaries(NAMES, LIKELY, max_size=8))
def test_split_and_parse_never_raise_on_any_json(field, value, message):
    message = {"id": "wamid.1", "from": "5511", **message}
    values = [
        value,
        {"messages": [message, value], "statuses": [message], "contacts": [value]},
        {"message_echoes": [message, {"to": "5511", **message}], "state_sync": [message]},
        {
            "history": [{"threads": [{"id": "5511", "messages": [message, value]}]}],
            "user_preferences": [message],
        },
        {"user_id_update": [message]},
    ]
    body = {"entry": [{"changes": [{"field": field, "value": one} for one in values]}, value]}
    for element in split(loose.dump(body)):
        assert len(element.key.encode()) <= 190
        provider_meta.parse(element.payload)


@settings(max_examples=200)
@given(st.binary(max_size=60) | JSON.map(loose.dump))
def test_any_bytes_are_split_or_malformed_and_always_parsed(body):
    provider_meta.parse(body)
    try:
        elements = split(body)
    except MalformedBody:
        return
    assert elements


# --- fitting ------------------------------------------------------------------------------------------------


def choices(count: int, title: str = "Opção", description: str = "") -> tuple[Choice, ...]:
    return tuple(Choice(f"c{n}", f"{title} {n}", str(n), description) for n in range(1, count + 1))


def payload_of(content: Any) -> dict[str, Any]:
    (piece,) = provider_meta.fit(content)
    built = meta_messages.build(ANA, piece, reference="8817", quotes=None)
    assert built is not None
    check_message(built)
    return built


def test_three_short_choices_are_buttons_and_ten_are_a_list():
    assert payload_of(Menu("Escolha:", choices(3)))["interactive"]["type"] == "button"
    listed = payload_of(Menu("Escolha:", choices(10), button="Ver opções"))["interactive"]
    assert listed["type"] == "list"
    assert listed["action"]["button"] == "Ver opções"
    assert len(listed["action"]["sections"][0]["rows"]) == 10
    assert (
        payload_of(Menu("Escolha:", choices(2, description="com detalhe")))["interactive"]["type"] == "list"
    )


def test_more_choices_become_numbered_text():
    (piece,) = provider_meta.fit(Menu("Escolha:", choices(11), header="Menu", footer="Digite o número"))
    assert isinstance(piece, Text)
    assert piece.body.startswith("*Menu*\n\nEscolha:\n\n1. Opção 1\n2. Opção 2")
    assert piece.body.endswith("11. Opção 11\n\n_Digite o número_")
    (piece,) = provider_meta.fit(Menu("1. Um\n2. Dois", choices(11), options_in_body=True))
    assert piece == Text("1. Um\n2. Dois")


def test_titles_that_are_cut_stay_distinct_and_whole_in_the_description():
    titles = (
        "Residência permanente na Europa para famílias",
        "Residência permanente na Europa para investidores",
    )
    (menu,) = provider_meta.fit(Menu("?", tuple(Choice(str(n), title) for n, title in enumerate(titles))))
    assert len({choice.title for choice in menu.choices}) == 2
    assert [choice.description for choice in menu.choices] == list(titles)
    assert all(len(choice.title) <= 24 for choice in menu.choices)


def test_choices_that_cannot_be_pressed_become_text():
    for bad in ("", " x", "y" * 201):
        (piece,) = provider_meta.fit(Menu("?", (Choice(bad, "Um"), Choice("2", "Dois"))))
        assert isinstance(piece, Text)
    (piece,) = provider_meta.fit(Menu("?", (Choice("1", "Um"), Choice("1", "Dois"))))
    assert isinstance(piece, Text)


def test_long_text_is_cut_where_a_reader_would_pause():
    paragraphs = "\n\n".join(f"Parágrafo {n}. " + "palavra " * 90 for n in range(12))
    pieces = provider_meta.fit(Text(paragraphs))
    assert len(pieces) > 1
    assert all(len(piece.body) <= 4096 for piece in pieces)
    assert all(piece.body.startswith("Parágrafo") for piece in pieces)
    assert " ".join(" ".join(p.body for p in pieces).split()) == " ".join(paragraphs.split())


def test_a_cut_never_parts_a_character():
    family = "👨‍👩‍👧‍👦"
    for piece in provider_meta.fit(Text(family * 1000)):
        assert piece.body.replace(family, "") == ""
    flags = "🇧🇷" * 3000
    assert all(
        set(piece.body) == set("🇧🇷") and len(piece.body) % 2 == 0 for piece in provider_meta.fit(Text(flags))
    )


def test_a_menu_with_a_long_body_keeps_its_buttons_on_the_last_piece():
    body = "Uma frase bem comum. " * 100
    *ahead, menu = provider_meta.fit(Menu(body, choices(2)))
    assert ahead
    assert all(isinstance(piece, Text) for piece in ahead)
    assert isinstance(menu, Menu)
    assert " ".join([*(piece.body for piece in ahead), menu.body]) == body.strip()


def test_the_rest_of_a_long_caption_follows_as_text():
    caption = "palavra " * 300
    media, rest = provider_meta.fit(Media("image", link="https://x/y.jpg", caption=caption))
    assert len(media.caption) <= 1024
    assert f"{media.caption} {rest.body}" == caption.strip()
    audio, words = provider_meta.fit(Media("audio", media_id="12", caption="escute"))
    assert (audio.caption, words) == ("", Text("escute"))


def test_what_meta_would_refuse_is_said_in_text():
    assert provider_meta.fit(LinkButton("Pague aqui", "Pagar", "ftp://x")) == (Text("Pague aqui\nftp://x"),)
    assert provider_meta.fit(Media("image", link="http://x/y.jpg", caption="foto")) == (
        Text("foto\nhttp://x/y.jpg"),
    )
    assert provider_meta.fit(Media("image", caption="foto")) == (Text("foto"),)
    assert provider_meta.fit(Text(" \n\0 ")) == ()


SHORT = st.text(max_size=40)
LONG = st.text(max_size=200).map(lambda text: text * 9)
CONTENTS = st.one_of(
    LONG.map(Text),
    st.builds(
        Menu,
        body=SHORT | LONG,
        choices=st.lists(st.builds(Choice, SHORT, SHORT, st.just("1"), SHORT), max_size=12).map(tuple),
        button=SHORT,
        header=SHORT,
        footer=SHORT,
    ),
    st.builds(LinkButton, SHORT | LONG, SHORT, st.just("https://loja.example/p"), SHORT, SHORT),
    st.builds(
        Media,
        st.sampled_from(["image", "audio", "video", "document", "sticker"]),
        link=st.sampled_from(["", "https://x/y"]),
        media_id=st.sampled_from(["", "77"]),
        caption=LONG,
        filename=SHORT,
    ),
    st.builds(LocationRequest, SHORT | LONG),
)


@settings(max_examples=300)
@given(CONTENTS)
def test_every_fitted_piece_is_one_that_meta_takes_as_it_is(content):
    for piece in provider_meta.fit(content):
        assert provider_meta.fit(piece) == (piece,)
        built = meta_messages.build(ANA, piece, reference="1", quotes=None)
        assert built is not None
        check_message(built)


# --- sending ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_graph() -> Iterator[FakeGraph]:
    with FakeGraph() as graph:
        yield graph


@pytest.fixture
def graph(shared_graph: FakeGraph) -> FakeGraph:
    shared_graph.faults.clear()
    shared_graph.sent.clear()
    shared_graph.reads.clear()
    shared_graph.wa_ids.clear()
    return shared_graph


def account(base_url: str, **more: Any) -> Account:
    about = {"access_token": ACCESS_TOKEN, "timeout_secs": 2.0, **more}
    return Account(1, "meta", PHONE_NUMBER_ID, base_url=base_url, **about)


def send(graph: FakeGraph, content: Any, to: Person = ANA, **more: Any) -> Any:
    return provider_meta.send(account(graph.url), to, content, reference="8817", **more)


def test_a_text_goes_to_the_number_as_we_got_it(graph):
    answer = send(graph, Text("Oi!", preview_url=True), quotes="wamid.THEIRS")
    assert isinstance(answer, Sent)
    (sent,) = graph.sent
    assert answer.external_id == sent.id
    assert sent.payload["to"] == "+5511987654321"
    assert sent.payload["text"] == {"body": "Oi!", "preview_url": True}
    assert sent.payload["context"] == {"message_id": "wamid.THEIRS"}
    assert sent.reference == "8817"


def test_a_person_without_phone_is_written_to_by_id(graph):
    answer = send(graph, Text("Oi!"), Person(bsuid="EG.13491208655302741918"))
    assert answer.person == Person(bsuid="EG.13491208655302741918")
    assert graph.sent[0].payload["recipient"] == "EG.13491208655302741918"
    assert "to" not in graph.sent[0].payload
    assert send(graph, Text("Oi!"), Person(name="Ana")).code == "no_address"


def test_the_answer_teaches_the_wa_id_that_whatsapp_knows(graph):
    graph.wa_ids["5511987654321"] = "551187654321"
    assert send(graph, Text("Oi!")).person == Person("551187654321")


@pytest.mark.parametrize(
    "content",
    [
        Menu("Escolha", choices(3)),
        Menu("Escolha", choices(7), button="Ver"),
        LinkButton("Pague aqui", "Pagar agora", "https://loja.example/pagar"),
        Media("image", link="https://loja.example/foto.jpg", caption="Foto"),
        Media("document", link="https://loja.example/a.pdf", filename="a.pdf"),
        LocationRequest("Onde você está?"),
        Reaction("wamid.THEIRS", "👍"),
        Reaction("wamid.THEIRS", ""),
    ],
    ids=lambda content: content.KIND,
)
def test_every_kind_of_content_is_accepted(graph, content):
    assert isinstance(send(graph, content, quotes="wamid.THEIRS"), Sent)


def test_a_template_and_an_uploaded_file_are_accepted(graph):
    graph.add_template("lembrete", "pt_BR", "Olá {{1}}")
    parameters = {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}
    assert isinstance(send(graph, Template("lembrete", "pt_BR", (parameters,))), Sent)
    refused = send(graph, Template("outro", "pt_BR"))
    assert (refused.code, refused.outcome) == ("132001", "final")
    media_id = provider_meta.upload_media(account(graph.url), b"%PDF-1.7", "application/pdf", "a.pdf")
    assert isinstance(media_id, str)
    assert isinstance(send(graph, Media("document", media_id=media_id, filename="a.pdf")), Sent)


def test_unfitted_content_is_refused_before_it_leaves(graph):
    refused = send(graph, Text("palavra " * 1000))
    assert (refused.code, refused.outcome) == ("not_fitted", "final")
    assert send(graph, Text("")).code == "not_fitted"
    assert graph.sent == []


@pytest.mark.parametrize(
    ("fault", "settings", "outcome"),
    [
        ("server_error", {"status": 500}, "retry"),
        ("server_error", {"status": 503}, "retry"),
        ("throttled", {"retry_after_secs": 7}, "retry"),
        ("error", {"code": 131056}, "retry"),
        ("error", {"code": 131047}, "final"),
        ("bad_json", {}, "uncertain"),
        ("cut_after", {}, "uncertain"),
        ("cut_before", {}, "uncertain"),
        ("slow", {"secs": 3.0}, "uncertain"),
    ],
)
def test_a_failed_send_says_whether_it_may_have_left(graph, fault, settings, outcome):
    graph.fault(fault, **settings)
    answer = provider_meta.send(account(graph.url, timeout_secs=0.8), ANA, Text("oi"), reference="1")
    assert isinstance(answer, SendError)
    assert answer.outcome == outcome
    assert answer.operator_message
    if fault == "throttled":
        assert answer.retry_after_secs == 7.0


def test_a_wrong_token_is_a_credential_problem(graph):
    answer = provider_meta.send(account(graph.url, access_token="x"), ANA, Text("oi"), reference="1")
    assert (answer.code, answer.outcome, answer.is_credential_problem) == ("190", "final", True)
    unknown = Account(1, "meta", "404", base_url=graph.url, access_token=ACCESS_TOKEN)
    answer = provider_meta.send(unknown, ANA, Text("oi"), reference="1")
    assert answer.is_credential_problem


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "http://nobody.invalid"])
def test_what_never_connected_was_surely_not_sent(base_url):
    answer = provider_meta.send(account(base_url), ANA, Text("oi"), reference="1")
    assert (answer.code, answer.outcome) == ("not_connected", "retry")


@pytest.mark.parametrize(
    "about",
    [
        {"base_url": "ftp://x"},
        {"base_url": "http://"},
        {"base_url": "nada"},
        {"access_token": "a\nb"},
        {"access_token": "ção☃"},
    ],
)
def test_a_malformed_address_or_token_is_final(about):
    answer = provider_meta.send(
        account(**{"base_url": "http://127.0.0.1:9", **about}), ANA, Text("oi"), reference="1"
    )
    assert isinstance(answer, SendError)
    assert answer.outcome in ("final", "retry")


def test_the_deadline_holds_for_an_answer_that_trickles(httpserver: HTTPServer):
    def trickle(_request: Request) -> Response:
        def slowly() -> Iterator[bytes]:
            for _ in range(30):
                time.sleep(0.2)
                yield b" "

        return Response(slowly())

    httpserver.expect_request(f"/v26.0/{PHONE_NUMBER_ID}/messages").respond_with_handler(trickle)
    started = time.monotonic()
    answer = provider_meta.send(
        account(httpserver.url_for(""), timeout_secs=0.5), ANA, Text("oi"), reference="1"
    )
    assert answer.outcome == "uncertain"
    assert time.monotonic() - started < 2.0


def answer_of(status: int, body: Any = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(500, "uncertain"), (502, "uncertain"), (504, "uncertain"), (503, "retry"), (429, "retry"),
     (200, "uncertain"), (408, "uncertain"), (404, "final"), (401, "final"), (302, "final"), (413, "final")],
)  # fmt: skip
def test_an_answer_without_a_reason_is_judged_by_its_status(status, outcome):
    assert meta_errors.read_refusal(answer_of(status, b"<html>"), NOW).outcome == outcome


def test_the_providers_wish_to_wait_is_read_in_every_form():
    error = {"error": {"code": 130429, "message": "Rate limit"}}
    later = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    usage = '{"102": [{"type": "messages", "estimated_time_to_regain_access": 3}, 7], "x": null}'
    for headers, expected in [
        ({"Retry_After": "12"}, 12.0),
        ({"Retry_After": later}, 90.0),
        ({"Retry_After": "9999999"}, 86_400.0),
        ({"Retry_After": "amanhã"}, None),
        ({"X_Business_Use_Case_Usage": usage}, 180.0),
        ({"X_Business_Use_Case_Usage": "{"}, None),
    ]:
        refusal = meta_errors.read_refusal(answer_of(429, error, **headers), NOW)
        assert (refusal.outcome, refusal.scope, refusal.retry_after_secs) == ("retry", "number", expected)


# Every code that Meta's pages and the public clients list.
CODES = [
    0, 3, 10, 190, 200, 250, 299, 4, 80007, 130429, 131048, 131056, 133016, 131064, 368, 131031, 130497,
    130472, 131008, 131009, 131021, 131026, 131030, 131037, 131042, 131045, 131047, 131049, 131050, 131051,
    131052, 131053, 131057, 131060, 131062, 131063, 132000, 132001, 132005, 132007, 132008, 132012, 132015,
    132016, 132068, 132069, 133010, 135000, 131000, 131005, 131016, 100,
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_every_documented_code_has_a_meaning_in_words(code):
    assert code in meta_errors.MEANINGS
    explained = provider_meta.explain(ProviderError(code, "title", "details"))
    assert explained.code == str(code)
    assert "details" in explained.operator_message


def test_the_codes_that_change_what_we_do_are_told_apart():
    explain = provider_meta.explain
    assert explain(ProviderError(131056)).scope == "pair"
    assert explain(ProviderError(130429)).scope == "number"
    assert explain(ProviderError(131050)).stops_marketing
    assert not explain(ProviderError(131050)).is_opt_out
    assert explain(ProviderError(131047)).is_window_closed
    assert explain(ProviderError(190)).is_credential_problem
    assert explain(ProviderError(131049)).outcome == "final"
    assert explain(ProviderError(131048)).retry_after_secs == 3600
    assert explain(ProviderError(999999)).outcome == "final"


# --- read, media, health ------------------------------------------------------------------------------------


def test_reading_and_typing_are_shown(graph):
    assert provider_meta.mark_read(account(graph.url), "wamid.THEIRS", typing=True)
    assert provider_meta.mark_read(account(graph.url), "wamid.THEIRS", typing=False)
    assert ["typing_indicator" in read for read in graph.reads] == [True, False]
    assert not provider_meta.mark_read(account(graph.url), "bad", typing=True)
    assert not provider_meta.mark_read(account("http://127.0.0.1:9"), "wamid.A", typing=True)


def fetch(graph: FakeGraph, media_id: str, max_bytes: int = 1000, **about: Any) -> Any:
    return provider_meta.fetch_media(
        account(graph.url), InboundMedia("image", media_id, **about), max_bytes=max_bytes
    )


def test_a_file_is_fetched_in_two_steps(graph):
    media_id = graph.add_media(b"bytes", "image/jpeg")
    file = fetch(graph, media_id, filename="a.jpg")
    assert file == DownloadedMedia(b"bytes", "image/jpeg", hashlib.sha256(b"bytes").hexdigest(), "a.jpg")
    announced = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert isinstance(fetch(graph, media_id, sha256=announced), DownloadedMedia)


def test_a_file_larger_than_the_cap_is_not_kept(graph):
    media_id = graph.add_media(b"x" * 2000, "image/jpeg")
    assert fetch(graph, media_id).code == "too_large"
    assert isinstance(fetch(graph, media_id, max_bytes=2000), DownloadedMedia)


def test_an_unknown_file_is_an_answer_in_words(graph):
    refused = fetch(graph, "404404")
    assert isinstance(refused, MediaError)
    assert not refused.is_retryable
    assert (
        provider_meta.fetch_media(account(graph.url), InboundMedia("image"), max_bytes=9).code == "no_media"
    )
    away = provider_meta.fetch_media(account("http://127.0.0.1:9"), InboundMedia("image", "1"), max_bytes=9)
    assert away.is_retryable


def test_the_token_never_goes_to_a_foreign_host(graph, httpserver: HTTPServer):
    httpserver.expect_request("/steal").respond_with_data(b"thanks")
    media_id = graph.add_media(b"x", "image/jpeg", url=httpserver.url_for("/steal"))
    assert fetch(graph, media_id).code == "foreign_host"
    assert httpserver.log == []


def test_an_address_that_expired_is_asked_for_once_more(httpserver: HTTPServer):
    base = httpserver.url_for("")
    for name in ("old", "new"):
        node = {"url": f"{base}/media/{name}", "mime_type": "image/png", "id": "77"}
        httpserver.expect_ordered_request("/v26.0/77").respond_with_json(node)
        status = 404 if name == "old" else 200
        httpserver.expect_ordered_request(f"/media/{name}").respond_with_data(b"png", status=status)
    file = provider_meta.fetch_media(account(base), InboundMedia("image", "77"), max_bytes=10)
    assert isinstance(file, DownloadedMedia)
    assert file.content == b"png"


def test_a_file_that_is_not_the_announced_one_is_refused(httpserver: HTTPServer):
    base = httpserver.url_for("")
    httpserver.expect_request("/media/x").respond_with_data(b"png")
    media = InboundMedia("image", url=f"{base}/media/x", sha256="AAAA")
    assert provider_meta.fetch_media(account(base), media, max_bytes=10).code == "changed"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", True),
        ("https://media-gru.cdn.whatsapp.net/v/1", True),
        ("https://graph.facebook.com/v26.0/77", True),
        ("http://lookaside.fbsbx.com/x", False),
        ("https://lookaside.fbsbx.com.evil.example/x", False),
        ("https://evil.example/lookaside.fbsbx.com", False),
        ("https://user@lookaside.fbsbx.com/x", False),
        ("https://lookaside.fbsbx.com:8443/x", False),
        ("https://fbsbx.com.evil/x", False),
        ("https://evilfbsbx.com/x", False),
        ("https://127.0.0.1/x", False),
        ("//lookaside.fbsbx.com/x", False),
        ("https://[::1", False),
        ("https://lookaside.fbsbx.com:x/", False),
        ("", False),
    ],
)
def test_only_metas_own_hosts_may_see_the_token(url, expected):
    assert may_see_token(Account(1, "meta", "1"), url) is expected


def test_health_says_when_the_token_ends_and_whether_it_is_refused(graph):
    assert provider_meta.health(account(graph.url)).token_ends_at is None
    graph.token_ends_at = 1_795_219_200
    ends_at = provider_meta.health(account(graph.url)).token_ends_at
    assert ends_at == datetime(2026, 11, 21, tzinfo=UTC)
    for odd in (-1, 10**15, "soon", None, True):
        graph.token_ends_at = odd
        assert provider_meta.health(account(graph.url)).token_ends_at is None
    assert provider_meta.health(account(graph.url, access_token="x")).is_credential_problem
    assert not provider_meta.health(account("http://127.0.0.1:9")).is_credential_problem


def test_health_says_in_a_sentence_how_the_number_is(graph):
    health = provider_meta.health(account(graph.url))
    assert health.is_ok
    assert health.summary
    assert not provider_meta.health(account(graph.url, access_token="x")).is_ok
    assert not provider_meta.health(account("http://127.0.0.1:9")).is_ok


def test_the_providers_are_found_by_name():
    assert provider("meta") is provider_meta
    with pytest.raises(KeyError):
        provider("fax")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("comprovante.pdf", "comprovante.pdf"),
        ("a\nb", "a b"),
        ("x\r\ny.pdf", "x y.pdf"),
        ("ok\u007f.pdf", "ok.pdf"),
        ("\u202egpj.exe", "gpj.exe"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\temp\\a.txt", "C:_temp_a.txt"),
        ("ã" * 300 + ".pdf", "ã" * 116 + ".pdf"),
        ("x" * 300, "x" * 120),
        ("a." + "b" * 300, "a." + "b" * 118),
        ("\ud800\u2028...", ""),
        (None, ""),
        (7, "7"),
    ],
)
def test_a_file_name_is_one_short_line(name: object, kept: str) -> None:
    assert loose.file_name(name) == kept
