"""Twilio's WhatsApp: signatures behind a proxy, every form there is, what is sent, refusals, and the list."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from twilio.request_validator import RequestValidator

from message_content import (
    Choice,
    Content,
    LinkButton,
    LocationRequest,
    Media,
    Menu,
    Reaction,
    Template,
    Text,
)
from providers import provider, twilio_errors, twilio_messages
from providers.base import (
    Account,
    DownloadedMedia,
    InboundMedia,
    InboundMessage,
    MalformedBody,
    MediaError,
    Notice,
    Person,
    ProviderError,
    Receipt,
    SendError,
    Sent,
    SignedRequest,
)
from providers.transport import Answer
from providers.twilio import may_see_token, twiml
from providers.twilio import twilio as provider_twilio
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import ACCOUNT_SID, AUTH_TOKEN, TWILIO_NUMBER, TwilioWebhooks

PAYLOADS = Path(__file__).parent / "payloads" / "twilio"
ANA = Person("5511987654321", name="Ana Souza")
NUMBER = "+14155238886"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def request_of(name: str) -> SignedRequest:
    stored = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return SignedRequest("POST", stored["url"], FORM_TYPE, urlencode(stored["form"]).encode())


def split_one(name: str) -> Any:
    (element,) = provider_twilio.split(request_of(name))
    return element


def event(name: str) -> Any:
    return provider_twilio.parse(split_one(name).payload)


# --- the signature ------------------------------------------------------------------------------------------


def signed(url: str, form: dict[str, str], token: str = "12345", **headers: str) -> SignedRequest:
    signature = RequestValidator(token).compute_signature(url, form)
    body = urlencode(form).encode()
    return SignedRequest("POST", url, {"X-Twilio-Signature": signature, **FORM_TYPE, **headers}, body)


def test_the_vector_of_the_official_library_is_accepted():
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    headers = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", **FORM_TYPE}
    request = SignedRequest("POST", url, headers, urlencode(form).encode())
    assert provider_twilio.verify(request, "12345")
    assert not provider_twilio.verify(request, "54321")


def test_the_public_address_counts_with_or_without_port():
    form = {"MessageSid": "SM1", "Body": "é @ 😀", "Empty": ""}
    request = signed("https://balcao.example.com:443/whatsapp", form)
    behind_proxy = SignedRequest("POST", "https://balcao.example.com/whatsapp", request.headers, request.body)
    assert provider_twilio.verify(behind_proxy, "12345")
    inside = SignedRequest("POST", "http://10.0.0.7:5000/whatsapp", request.headers, request.body)
    assert not provider_twilio.verify(inside, "12345")


def test_a_form_that_flask_parsed_is_signed_as_the_body_is():
    request = signed("https://x/whatsapp", {"A": "1", "B": ""})
    parsed = SignedRequest("POST", request.url, request.headers, request.body, (("A", "1"), ("B", "")))
    assert provider_twilio.verify(parsed, "12345")
    changed = SignedRequest("POST", request.url, request.headers, request.body, (("A", "2"), ("B", "")))
    assert not provider_twilio.verify(changed, "12345")


def test_a_json_body_is_signed_by_its_hash():
    body = b'{"property": "value"}'
    digest = RequestValidator("12345").compute_hash(body.decode())
    url = f"https://x/whatsapp?bodySHA256={digest}"
    signature = RequestValidator("12345").compute_signature(url, {})
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    assert provider_twilio.verify(SignedRequest("POST", url, headers, body), "12345")
    assert not provider_twilio.verify(SignedRequest("POST", url, headers, body + b" "), "12345")


@pytest.mark.parametrize("signature", ["", "x", "é☃\udcff", "RSOYDt4T1cUTdK1PDd93/VVr8B8="])
def test_a_missing_or_wrong_signature_is_refused(signature):
    request = SignedRequest("POST", "https://x/whatsapp", {"X-Twilio-Signature": signature}, b"A=1")
    assert not provider_twilio.verify(request, "12345")
    assert not provider_twilio.verify(SignedRequest("POST", "https://x/whatsapp", {}, b"A=1"), "12345")
    assert not provider_twilio.verify(signed("https://x/", {"A": "1"}), "")


def test_an_address_or_body_that_cannot_be_read_is_refused():
    headers = {"X-Twilio-Signature": "x"}
    assert not provider_twilio.verify(SignedRequest("POST", "https://x:bad/", headers, b"A=1"), "12345")
    headers = {**headers, "Content-Type": "application/json"}
    assert not provider_twilio.verify(SignedRequest("POST", "https://x/", headers, b"\xff"), "12345")


# --- every form ---------------------------------------------------------------------------------------------

MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"kind": "text", "text": "Olá! Vocês têm o curso de violão? 🎸"},
    "text_with_nul": {"kind": "text", "text": "ab"},
    "text_reply": {"kind": "text", "quotes": "SM" + "1" * 32},
    "text_forwarded": {"is_forwarded": True},
    "text_often_forwarded": {"is_forwarded": True},
    "text_from_ad": {"kind": "text", "text": "Quero saber mais"},
    "text_unprefixed": {"kind": "text"},
    "text_opt_out": {"text": "STOP", "extra": {"opt_out_type": "STOP"}},
    "text_in_service": {"kind": "text"},
    "image": {"kind": "image", "text": "É este aqui?"},
    "audio": {"kind": "audio"},
    "video": {"kind": "video"},
    "document": {"kind": "document", "text": "comprovante.pdf"},
    "sticker": {"kind": "sticker"},
    "sticker_untyped": {"kind": "sticker"},
    "contacts": {"kind": "contacts"},
    "media_several": {"kind": "image"},
    "media_missing": {"kind": "unsupported"},
    "location": {"kind": "location", "text": "MASP\nAv. Paulista, 1578"},
    "button": {"kind": "button", "text": "Confirmar", "choice_id": "confirmar:42", "quotes": "SM" + "2" * 32},
    "button_without_payload": {"kind": "button", "text": "Confirmar", "choice_id": None},
    "list": {"kind": "interactive", "text": "Curso de violão", "choice_id": "product:7"},
    "form": {"kind": "interactive", "extra": {"form": {"answers": {"cidade": "São Paulo"}}}},
    "form_not_json": {"kind": "interactive", "extra": {"form": {"answers": "{oops"}}},
    "reaction": {"kind": "reaction", "emoji": "👍🏽", "target": "SM" + "3" * 32, "text": ""},
    "unsupported": {"kind": "unsupported", "extra": {}},
    "order": {"kind": "unsupported", "extra": {"unsupported_type": "order"}},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_type_is_read(name):
    element = split_one(name)
    message = provider_twilio.parse(element.payload)
    assert isinstance(message, InboundMessage)
    assert (element.kind, element.number_id, element.person) == ("message", NUMBER, ANA.wa_id)
    assert element.key == f"m:{NUMBER}:{message.external_id}"
    assert message.sender == ANA
    for field, expected in MESSAGES[name].items():
        assert getattr(message, field) == expected, field


def test_media_has_its_address_and_more_files_are_kept():
    message = event("audio")
    assert message.media.mime_type == "audio/ogg"
    assert message.media.is_voice
    assert message.media.url.startswith("https://api.twilio.com/")
    assert event("media_several").extra["more_files"][0]["mime_type"] == "image/png"
    assert event("media_missing").extra["errors"][0]["code"] == 63019
    assert event("contacts").media.mime_type == "text/vcard"


def test_an_ad_is_told_in_the_words_of_meta():
    assert event("text_from_ad").referral == {
        "body": "Comece hoje",
        "headline": "Aprenda violão",
        "source_id": "120226305854810726",
        "source_type": "ad",
        "source_url": "https://fb.me/3cr4Wqqkv",
        "media_id": "88",
        "media_content_type": "image/jpeg",
        "media_url": "https://scontent.xx.fbcdn.net/v/t45.1",
        "ctwa_clid": "Aff-n8Z",
    }
    assert event("text").referral is None


def test_a_person_is_known_by_the_business_scoped_id_when_there_is_one():
    element = split_one("text_with_user_id")
    assert element.person == "BR.9f2c61d0a4b84e7"
    assert provider_twilio.parse(element.payload).sender.wa_id == "5511987654321"
    element = split_one("text_without_phone")
    assert element.person == "US.13491208655302741918"
    sender = provider_twilio.parse(element.payload).sender
    assert (sender.wa_id, sender.bsuid) == (None, "US.13491208655302741918")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("status_sent", "sent"),
        ("status_delivered", "delivered"),
        ("status_read", "read"),
        ("status_failed", "failed"),
        ("status_undelivered", "failed"),
        ("status_canceled", "failed"),
    ],
)
def test_a_receipt_brings_the_reference_of_its_address_back(name, status):
    element = split_one(name)
    receipt = provider_twilio.parse(element.payload)
    assert (element.kind, element.person, element.number_id) == ("status", None, NUMBER)
    assert element.key == f"s:{NUMBER}:{'SM' + '9' * 32}:{name.removeprefix('status_')}"
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.reference, receipt.recipient) == (status, "8817", Person("5511987654321"))


def test_a_failure_says_why_and_a_receipt_may_come_without_reference():
    (error,) = event("status_undelivered").errors
    assert error.code == 63016
    assert provider_twilio.explain(error).is_window_closed
    assert event("status_without_reference").reference is None
    assert event("status_without_phone").recipient == Person(bsuid="US.13491208655302741918")


@pytest.mark.parametrize("name", ["queued", "accepted", "scheduled", "sending"])
def test_what_twilio_does_before_sending_changes_nothing(name):
    element = split_one(f"status_{name}")
    assert (element.kind, element.person) == ("other", None)
    assert isinstance(provider_twilio.parse(element.payload), Notice)


def test_other_forms_and_json_are_notices():
    assert split_one("debugger_event").kind == "other"
    assert isinstance(event("debugger_event"), Notice)
    json_type = {"Content-Type": "application/json"}
    (element,) = provider_twilio.split(SignedRequest("POST", "", json_type, b'{"a": [1]}'))
    assert isinstance(provider_twilio.parse(element.payload), Notice)


def test_every_payload_file_is_read_by_some_test():
    source = Path(__file__).read_text()
    names = sorted(path.stem for path in PAYLOADS.glob("*.json"))
    words = ("accepted", "queued", "scheduled", "sending")
    unread = [name for name in names if name not in MESSAGES and f'"{name}"' not in source]
    assert unread == [f"status_{word}" for word in words]


def test_a_body_without_fields_is_malformed():
    for body in (b"", b"&&&"):
        with pytest.raises(MalformedBody):
            provider_twilio.split(SignedRequest("POST", "", FORM_TYPE, body))
    with pytest.raises(MalformedBody):
        provider_twilio.split(SignedRequest("POST", "", FORM_TYPE, b"a=1&" * 5000))


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["received", "delivered", "1", "whatsapp:+5511987654321", "{}", "image"]
)
NAMES = st.sampled_from(
    ["MessageSid", "SmsSid", "SmsStatus", "MessageStatus", "From", "To", "WaId", "Body", "NumMedia",
     "MediaUrl0", "MessageType", "ButtonPayload", "ListId", "Latitude", "Longitude", "FlowData", "ErrorCode",
     "ExternalUserId", "ProfileName", "OriginalRepliedMessageSid", "Timestamp", "MediaContentType0", "x"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=12), st.text(max_size=30))
def test_split_and_parse_never_raise_on_any_form(form, url):
    form = {"MessageSid": "SM1", **form}
    request = SignedRequest("POST", f"https://x/whatsapp/status?ref={url}", {}, b"", tuple(form.items()))
    for element in provider_twilio.split(request):
        assert len(element.key.encode()) <= 190
        provider_twilio.parse(element.payload)


@settings(max_examples=150)
@given(st.binary(max_size=80))
def test_any_bytes_are_split_or_malformed_and_always_parsed(body):
    provider_twilio.parse(body)
    try:
        provider_twilio.split(SignedRequest("POST", "https://x/", FORM_TYPE, body))
    except MalformedBody:
        return


# --- fitting ------------------------------------------------------------------------------------------------


def test_menus_and_links_become_text_and_reactions_nothing():
    choices = (Choice("a", "Produtos", "1"), Choice("b", "Ajuda", "2", "fale com a gente"))
    assert provider_twilio.fit(Menu("Escolha:", choices)) == (
        Text("Escolha:\n\n1. Produtos\n2. Ajuda – fale com a gente"),
    )
    assert provider_twilio.fit(LinkButton("Pague aqui", "Pagar", "https://l/p")) == (
        Text("Pague aqui\n\nhttps://l/p"),
    )
    assert provider_twilio.fit(LocationRequest("Onde você está?")) == (Text("Onde você está?"),)
    assert provider_twilio.fit(Reaction("SM1", "👍")) == ()
    assert provider_twilio.fit(Media("image", media_id="77", caption="foto")) == (Text("foto"),)


@settings(max_examples=150)
@given(st.text(max_size=300).map(lambda text: text * 9))
def test_every_fitted_piece_has_at_most_1600_characters(text):
    for piece in provider_twilio.fit(Text(text)):
        assert 0 < len(piece.body.encode("utf-16-le")) // 2 <= 1600
        assert provider_twilio.fit(piece) == (piece,)


def test_twiml_holds_every_piece_escaped():
    answers: list[Content] = [
        Text("a < b & ç"),
        Media("image", link="https://l/f.jpg", caption="foto"),
        Template("HX1", "pt"),
    ]
    root = ElementTree.fromstring(twiml(answers))
    assert root.tag == "Response"
    assert [message.findtext("Body") for message in root] == ["a < b & ç", "foto"]
    assert root[1].findtext("Media") == "https://l/f.jpg"
    assert len(ElementTree.fromstring(twiml([]))) == 0


# --- sending ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.fixture
def fake(shared_twilio: FakeTwilio) -> FakeTwilio:
    shared_twilio.faults.clear()
    for kept in (shared_twilio.sent, shared_twilio.inbound, shared_twilio.typing, shared_twilio.requests):
        kept.clear()
    return shared_twilio


def account(base_url: str, **more: Any) -> Account:
    about = {"business_id": ACCOUNT_SID, "app_secret": AUTH_TOKEN, "timeout_secs": 2.0, **more}
    return Account(1, "twilio", TWILIO_NUMBER, base_url=base_url, **about)


def listing(fake: FakeTwilio, since: datetime) -> Any:
    return provider_twilio.list_messages(account(fake.url), since)


def send(fake: FakeTwilio, content: Any, to: Person = ANA, **about: Any) -> Any:
    return provider_twilio.send(account(fake.url, **about), to, content, reference="8817")


def test_a_text_carries_our_reference_in_its_callback(fake):
    answer = send(fake, Text("Oi!"), status_callback_url="http://127.0.0.1:9/whatsapp/status?shop=a%20b")
    assert isinstance(answer, Sent)
    (sent,) = fake.sent
    assert (answer.external_id, sent.to, sent.sender) == (
        sent.sid,
        "whatsapp:+5511987654321",
        f"whatsapp:{TWILIO_NUMBER}",
    )
    assert parse_qs(urlsplit(sent.status_callback or "").query) == {"shop": ["a b"], "ref": ["8817"]}


def test_without_a_callback_address_none_is_sent(fake):
    send(fake, Text("Oi!"))
    assert fake.sent[0].status_callback is None


def test_a_person_without_phone_is_written_to_by_id(fake):
    assert isinstance(send(fake, Text("Oi!"), Person(bsuid="US.13491208655302741918")), Sent)
    assert fake.sent[0].to == "whatsapp:US.13491208655302741918"
    assert send(fake, Text("Oi!"), Person()).code == "no_address"


def test_files_and_templates_are_sent(fake):
    assert isinstance(send(fake, Media("image", link="https://l/f.jpg", caption="foto")), Sent)
    assert (fake.sent[0].media_urls, fake.sent[0].body) == (["https://l/f.jpg"], "foto")
    fake.contents["HX1"] = {}
    variables = {"type": "variables", "values": {"1": "Ana", "2": 3}}
    assert isinstance(send(fake, Template("HX1", "pt_BR", (variables,))), Sent)
    assert fake.sent[1].content_variables == {"1": "Ana", "2": "3"}
    assert send(fake, Template("HX2", "pt_BR")).code == "21655"


def test_a_messaging_service_sends_without_a_number():
    service = Account(1, "twilio", "MG" + "a" * 32)
    fields = twilio_messages.prepare(service, ANA, Text("oi"), reference="1")
    assert isinstance(fields, dict)
    assert fields["MessagingServiceSid"] == "MG" + "a" * 32
    assert "From" not in fields


def test_unfitted_content_is_refused_before_it_leaves(fake):
    assert send(fake, Text("palavra " * 500)).code == "not_fitted"
    assert send(fake, Reaction("SM1", "👍")).code == "not_fitted"
    assert fake.sent == []


@pytest.mark.parametrize(
    ("fault", "settings", "outcome"),
    [
        ("throttled", {"retry_after_secs": 3}, "retry"),
        ("error", {"code": 63018}, "retry"),
        ("error", {"code": 63016}, "final"),
        ("error", {"code": 21610}, "final"),
        ("server_error", {"status": 500}, "uncertain"),
        ("server_error", {"status": 503}, "retry"),
        ("bad_json", {}, "uncertain"),
        ("cut_after", {}, "uncertain"),
        ("cut_before", {}, "uncertain"),
        ("slow", {"secs": 3.0}, "uncertain"),
    ],
)
def test_a_failed_send_says_whether_it_may_have_left(fake, fault, settings, outcome):
    fake.fault(fault, **settings)
    answer = send(fake, Text("oi"), timeout_secs=0.8)
    assert isinstance(answer, SendError)
    assert answer.outcome == outcome
    if fault == "throttled":
        assert answer.retry_after_secs == 3.0


def test_a_wrong_token_is_a_credential_problem(fake):
    answer = send(fake, Text("oi"), app_secret="wrong")
    assert (answer.code, answer.is_credential_problem, answer.outcome) == ("20003", True, "final")
    assert isinstance(send(fake, Text("oi"), app_secret="ção"), SendError)
    away = provider_twilio.send(account("http://127.0.0.1:9"), ANA, Text("oi"), reference="1")
    assert (away.code, away.outcome) == ("not_connected", "retry")


def test_a_message_that_failed_at_once_is_no_sent_message(httpserver: HTTPServer):
    body = {"sid": "SM1", "status": "failed", "error_code": 63016, "error_message": "outside the window"}
    httpserver.expect_request(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json").respond_with_json(
        body, status=201
    )
    answer = provider_twilio.send(account(httpserver.url_for("")), ANA, Text("oi"), reference="1")
    assert (answer.code, answer.is_window_closed) == ("63016", True)


CODES = [
    63016,
    63018,
    63024,
    63032,
    63033,
    63003,
    63007,
    63005,
    63021,
    63012,
    63009,
    63027,
    63028,
    63041,
    21610,
    20429,
]


@pytest.mark.parametrize("code", CODES)
def test_every_documented_code_has_a_meaning_in_words(code):
    assert code in twilio_errors.MEANINGS
    assert str(code) in provider_twilio.explain(ProviderError(code)).operator_message


def test_the_codes_that_change_what_we_do_are_told_apart():
    explain = provider_twilio.explain
    assert explain(ProviderError(21610)).is_opt_out
    assert explain(ProviderError(63016)).is_window_closed
    assert explain(ProviderError(63018)).scope == "number"
    assert explain(ProviderError(63007)).is_credential_problem
    assert explain(ProviderError(12345)).outcome == "final"
    html = Answer(502, {}, b"<html>")
    assert twilio_errors.read_refusal(html, NOW).outcome == "uncertain"


# --- typing, media, health, the list ------------------------------------------------------------------------


def test_typing_is_shown_and_marking_alone_is_not_possible(fake):
    sid = "SM" + "a" * 32
    assert provider_twilio.mark_read(account(fake.url), sid, typing=True)
    assert fake.typing == [{"messageId": sid, "channel": "whatsapp"}]
    assert not provider_twilio.mark_read(account(fake.url), sid, typing=False)
    assert not provider_twilio.mark_read(account(fake.url), "bad", typing=True)


def test_a_file_is_fetched_through_its_redirect(fake):
    media = InboundMedia("image", url=fake.add_media(b"bytes", "image/jpeg"))
    file = provider_twilio.fetch_media(account(fake.url), media, max_bytes=100)
    assert isinstance(file, DownloadedMedia)
    assert (file.content, file.mime_type) == (b"bytes", "image/jpeg")
    assert provider_twilio.fetch_media(account(fake.url), media, max_bytes=3).code == "too_large"


def test_a_foreign_file_is_never_asked_for(fake, httpserver: HTTPServer):
    httpserver.expect_request("/steal").respond_with_data(b"thanks")
    media = InboundMedia("image", url=httpserver.url_for("/steal"))
    refused = provider_twilio.fetch_media(account(fake.url), media, max_bytes=100)
    assert isinstance(refused, MediaError)
    assert refused.code == "foreign_host"
    base = httpserver.url_for("")
    httpserver.expect_request("/away").respond_with_data(
        b"", 302, {"Location": "http://169.254.169.254/meta-data"}
    )
    httpserver.expect_request("/round").respond_with_data(b"", 302, {"Location": "/round"})
    for path, code in (("/away", "foreign_host"), ("/round", "redirects")):
        media = InboundMedia("image", url=base + path)
        assert provider_twilio.fetch_media(account(base), media, max_bytes=100).code == code


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.twilio.com/2010-04-01/Accounts/AC/Messages/MM/Media/ME", True),
        ("https://mcs.us1.twilio.com/v1/x", True),
        ("http://api.twilio.com/x", False),
        ("https://media.twiliocdn.com/x", False),
        ("https://s3-external-1.amazonaws.com/x", False),
        ("https://api.twilio.com.evil.example/x", False),
        ("https://eviltwilio.com/x", False),
        ("https://u:p@api.twilio.com/x", False),
        ("https://api.twilio.com:8443/x", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_only_twilios_own_hosts_may_see_the_token(url, expected):
    assert may_see_token(Account(1, "twilio", TWILIO_NUMBER), url) is expected


def test_health_says_how_the_account_is(fake):
    assert provider_twilio.health(account(fake.url)).is_ok
    assert not provider_twilio.health(account(fake.url, app_secret="x")).is_ok
    assert not provider_twilio.health(account("http://127.0.0.1:9")).is_ok


def test_a_listed_message_has_the_key_of_its_webhook(fake):
    webhook = TwilioWebhooks(number=TWILIO_NUMBER).text("Oi", ANA.wa_id)
    request = SignedRequest("POST", "http://localhost/whatsapp", webhook.headers, webhook.body)
    (told,) = provider_twilio.split(request)
    sid = provider_twilio.parse(told.payload).external_id
    fake.add_inbound("Oi", ANA.wa_id or "", sid=sid)
    (listed,) = listing(fake, datetime.now(UTC) - timedelta(hours=1))
    assert listed.element.key == told.key
    assert (listed.element.kind, listed.element.person) == ("message", ANA.wa_id)
    message = provider_twilio.parse(listed.element.payload)
    assert isinstance(message, InboundMessage)
    assert (message.text, message.sender.wa_id) == ("Oi", ANA.wa_id)
    assert message.sent_at is not None, "a message found late tells its age"


def test_the_list_settles_what_we_sent(fake):
    send(fake, Text("Oi!"))
    send(fake, Text("De novo"))
    listed = listing(fake, datetime.now(UTC) - timedelta(hours=1))
    assert [(one.is_ours, one.body, one.person.wa_id, one.status) for one in listed] == [
        (True, "Oi!", ANA.wa_id, "read"),
        (True, "De novo", ANA.wa_id, "read"),
    ]
    assert listed[0].element.kind == "status"
    receipt: Any = provider_twilio.parse(listed[0].element.payload)
    assert (receipt.external_id, receipt.status) == (fake.sent[0].sid, "read")


def test_the_list_is_read_to_its_end_and_only_as_far_back_as_asked(fake):
    at = time.time()
    for index in range(450):
        fake.add_inbound(str(index), ANA.wa_id or "", at=at - 7200 + index)
    since = datetime.fromtimestamp(at - 7200 + 100, UTC)
    listed = listing(fake, since)
    assert [one.body for one in listed] == [str(index) for index in range(100, 450)]


def test_a_list_that_cannot_be_read_is_an_error(fake):
    answer = provider_twilio.list_messages(account(fake.url, app_secret="x"), NOW)
    assert isinstance(answer, SendError)
    assert answer.is_credential_problem
    assert isinstance(provider_twilio.list_messages(account("http://127.0.0.1:9"), NOW), SendError)


def test_a_list_never_leads_our_token_away(httpserver: HTTPServer):
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    body = {"messages": [{"sid": "SM1"}, 7, None], "next_page_uri": "//evil.example/x"}
    httpserver.expect_request(path).respond_with_json(body)
    assert provider_twilio.list_messages(account(httpserver.url_for("")), NOW) == []
    assert len(httpserver.log) == 2


def test_the_provider_is_found_by_name():
    assert provider("twilio") is provider_twilio
