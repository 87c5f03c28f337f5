"""The simulator page: what it posts to the door, what the phone shows, and whom it refuses."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask import Flask
from pytest_httpserver import HTTPServer
from sqlalchemy import select, update
from werkzeug import Request, Response

import ai_service
import conversations
import integrations
import lanes
import phone
import simulated_phone
import tasks
import whatsapp_service
from app import create_app
from auth import SIGNED_IN_AT
from config import Config
from dashboard import simulator as page
from dashboard import turn_xray
from message_content import Choice, Content, LinkButton, LocationRequest, Media, Menu, Template, Text
from models import Conversation, Integration, Message, Operator, WebhookEvent, Worker, db, utc_now
from providers import provider
from providers.base import InboundMessage, SignedRequest
from tests.records import make_conversation, make_product
from triage import Situation, decide

SECRET = "a-simulated-secret"
ANA = {"name": "Ana Souza", "wa_id": "5511900000123", "bsuid": "BR.1234567890123456", "hides_phone": False}


@pytest.fixture(scope="session")
def httpserver_listen_address() -> tuple[str, int]:
    return ("127.0.0.1", 0)


@dataclass
class Desk:
    """A signed-in operator before the page; `door` is what answers at the port that the page knocks at."""

    app: Flask
    door: HTTPServer
    numbers: dict[str, int] = field(default_factory=dict)
    knocks: list[Request] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        self.client = self.app.test_client()
        self.base_url = f"http://localhost:{self.door.port}"

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, base_url=self.base_url, **options)

    def post(self, path: str, body: Any, **options: Any) -> Any:
        headers = {"X-CSRFToken": self.token, "Accept": "application/json"}
        return self.client.post(path, base_url=self.base_url, json=body, headers=headers, **options)

    def act(self, name: str, shape: str = "meta", customer: Any = None, **wishes: Any) -> Any:
        body = {"number": self.numbers[shape], "customer": customer or ANA, "act": name, **wishes}
        return self.post("/simulator/act", body)

    def screen(self, shape: str = "meta", customer: Any = None, after: str = "") -> dict[str, Any]:
        query = {**(customer or ANA), "after": after}
        query["hides_phone"] = "1" if query["hides_phone"] else ""
        answer = self.get(f"/simulator/numbers/{self.numbers[shape]}/phone.json", query_string=query)
        assert answer.status_code == 200
        return dict(answer.json)

    def heard(self) -> list[Any]:
        """Give what a provider reads from the webhooks that were posted."""
        return [event for knock in self.knocks for event in _read(knock)]

    def work(self) -> None:
        """Do what workers would, until nothing is due."""
        for _ in range(50):
            with self.app.app_context():
                now = utc_now()
                inbound, outbound = lanes.due_inbound(now), lanes.due_outbound(now)
                db.session.rollback()
            if not inbound and not outbound:
                return
            for lane in inbound:
                tasks.run_lane(lane)
            for conversation_id in outbound:
                tasks.run_outbox.call_local(conversation_id)
        raise AssertionError("the desk never comes to rest")


def _read(knock: Request) -> list[Any]:
    shape = "meta" if knock.path == "/webhook" else "twilio"
    form = () if shape == "meta" else tuple(knock.form.items(multi=True))
    url = f"{knock.root_url.rstrip('/')}{knock.full_path.rstrip('?')}"
    signed = SignedRequest("POST", url, dict(knock.headers), knock.get_data(cache=True), form)
    assert provider(shape).verify(signed, SECRET), "the webhook is not signed with the number's secret"
    return [provider(shape).parse(element.payload) for element in provider(shape).split(signed)]


@pytest.fixture
def desk(app: Flask, httpserver: HTTPServer) -> Desk:
    """Two simulated numbers, one real one, and a stub door that says 200."""
    made = Desk(app, httpserver)
    with app.app_context():
        db.session.add(
            Operator(
                email="ana@example.com", name="Ana", role="admin", password_hash="", session_stamp="a-stamp"
            )
        )
        for provider_name, shape, number_id in (
            ("simulator", "meta", "100000000001"),
            ("simulator", "twilio", "+15550000003"),
            ("meta", "", "900000000009"),
        ):
            row = integrations.create(
                provider=provider_name,
                shape=shape,
                number_id=number_id,
                name="Loja da Ana",
                business_id="a-business",
                app_secret=SECRET,
                start_flow="nexora",
            )
            made.numbers[shape or "real"] = row.id
        db.session.commit()

    def open_door(request: Request) -> Response:
        request.get_data(cache=True)
        made.knocks.append(request)
        return Response("EVENT_RECEIVED", 200)

    httpserver.expect_request(re.compile("/.*"), method="POST").respond_with_handler(open_door)
    _sign_in(made)
    return made


def _sign_in(desk: Desk) -> None:
    """Hold the session that a login gives, without paying for a password's hash in every test."""
    with desk.client.session_transaction(base_url=desk.base_url) as session:
        session["_user_id"], session["_fresh"] = "1.a-stamp", True
        session[SIGNED_IN_AT] = int(utc_now().timestamp())
    shown = re.search(r'data-csrf="([^"]+)"', desk.get("/simulator", headers={"Accept": "text/html"}).text)
    assert shown
    desk.token = shown[1]


@pytest.fixture
def open_desk(desk: Desk) -> Desk:
    """The same, with the real door behind the HTTP port instead of a stub."""
    desk.door.clear()

    def open_door(request: Request) -> Response:
        body = request.get_data(cache=True)
        desk.knocks.append(request)
        answer = desk.app.test_client().post(
            request.full_path.rstrip("?"),
            base_url=request.root_url,
            data=body,
            headers=[(k, v) for k, v in request.headers if k.lower() not in ("host", "content-length")],
        )
        return Response(answer.data, answer.status_code)

    desk.door.expect_request(re.compile("/.*"), method="POST").respond_with_handler(open_door)
    return desk


# --- who may come in ----------------------------------------------------------------------------------------


def test_a_stranger_is_sent_to_the_login(app: Flask) -> None:
    answer = app.test_client().get("/simulator", headers={"Accept": "text/html"})
    assert answer.status_code == 302
    assert "/login" in answer.location


@pytest.mark.parametrize("path", ["/simulator/numbers/1/phone.json", "/simulator"])
def test_a_program_without_a_session_gets_401(app: Flask, path: str) -> None:
    assert app.test_client().get(path, headers={"Accept": "application/json"}).status_code == 401


def test_a_post_without_our_token_is_refused(desk: Desk) -> None:
    desk.token = "forged"
    assert desk.act("text", text="oi").status_code == 400
    assert desk.knocks == []


def test_a_real_number_cannot_be_played_with(desk: Desk) -> None:
    assert desk.act("text", shape="real", text="oi").status_code == 403
    answer = desk.get(f"/simulator/numbers/{desk.numbers['real']}/phone.json", query_string=ANA)
    assert answer.status_code == 403
    assert desk.knocks == []


# --- the page -----------------------------------------------------------------------------------------------


def test_the_page_offers_the_simulated_numbers_and_no_other(desk: Desk) -> None:
    text = desk.get("/simulator", headers={"Accept": "text/html"}).text
    offered = re.findall(r'<option value="(\d+)"', text)
    assert offered == [str(desk.numbers["meta"]), str(desk.numbers["twilio"])]


def test_the_page_runs_no_script_and_no_style_of_its_own(desk: Desk) -> None:
    text = desk.get("/simulator", headers={"Accept": "text/html"}).text
    assert " style=" not in text
    assert "<style" not in text
    assert re.findall(r"<script(?![^>]*(src=|application/json))", text) == []


def test_without_a_number_the_page_offers_to_make_one(desk: Desk) -> None:
    with desk.app.app_context():
        db.session.execute(update(Integration).values(is_active=False))
        db.session.commit()
    text = desk.get("/simulator", headers={"Accept": "text/html"}).text
    assert 'action="/simulator/numbers"' in text


def test_an_agent_makes_no_number(desk: Desk) -> None:
    with desk.app.app_context():
        db.session.execute(update(Operator).values(role="agent"))
        db.session.commit()
    form = {"shape": "twilio", "flow": "desk", "language": "es", "csrf_token": desk.token}
    assert desk.client.post("/simulator/numbers", base_url=desk.base_url, data=form).status_code == 403


def test_a_number_is_made_with_a_secret_of_its_own(desk: Desk) -> None:
    form = {"shape": "twilio", "flow": "desk", "language": "es", "csrf_token": desk.token}
    answer = desk.client.post("/simulator/numbers", base_url=desk.base_url, data=form)
    assert answer.status_code == 302
    with desk.app.app_context():
        made = db.session.execute(select(Integration).order_by(Integration.id.desc())).scalars().first()
        assert made is not None
        assert (made.provider, made.shape, made.start_flow) == ("simulator", "twilio", "desk")
        assert len(integrations.account(made).app_secret) >= 32


@pytest.mark.parametrize("wrong", [{"shape": "telegram"}, {"flow": "none"}, {"language": "xx"}])
def test_a_number_of_an_unknown_kind_is_not_made(desk: Desk, wrong: dict[str, str]) -> None:
    form = {"shape": "meta", "flow": "desk", "language": "es", "csrf_token": desk.token, **wrong}
    assert desk.client.post("/simulator/numbers", base_url=desk.base_url, data=form).status_code == 400


@pytest.mark.parametrize("country", list(simulated_phone.COUNTRIES))
def test_invented_people_have_numbers_that_can_be(country: str) -> None:
    customer = simulated_phone.invent(country, "", random.Random(7))
    assert customer.name
    # Mexico's wa_ids carry a 1 that no phone book knows.
    spellings = [phone.normalise(f"+{spelling}") for spelling in phone.variants(customer.wa_id)]
    assert any(spellings)
    assert phone.is_bsuid(customer.bsuid)
    assert customer.bsuid.startswith(country[:2])


def test_a_new_customer_has_the_wished_name(desk: Desk) -> None:
    answer = desk.post("/simulator/customers", {"country": "JP", "name": "  佐藤 花子 "})
    assert answer.json["customer"]["name"] == "佐藤 花子"
    assert answer.json["customer"]["wa_id"].startswith("81")


@pytest.mark.parametrize("path", ["/simulator/customers", "/simulator/act"])
@pytest.mark.parametrize("body", ["[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, "{", "[]"])
def test_what_is_no_object_is_refused_in_words(desk: Desk, path: str, body: str) -> None:
    headers = {"X-CSRFToken": desk.token, "Content-Type": "application/json"}
    answer = desk.client.post(path, base_url=desk.base_url, data=body, headers=headers)
    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "bad_json"


def test_a_customer_of_nowhere_is_refused(desk: Desk) -> None:
    assert desk.post("/simulator/customers", {"country": "XX"}).status_code == 400


# --- what is posted to the door -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_a_message_reaches_the_door_signed(desk: Desk, shape: str) -> None:
    answer = desk.act("text", shape, text="olá, é aqui? 😀 <b>")
    (event,) = desk.heard()
    assert isinstance(event, InboundMessage)
    assert event.text == "olá, é aqui? 😀 <b>"
    assert (event.sender.wa_id, event.sender.bsuid, event.sender.name) == (
        ANA["wa_id"],
        ANA["bsuid"],
        ANA["name"],
    )
    assert answer.json["external_ids"] == [event.external_id]
    assert [post["status"] for post in answer.json["posts"]] == [200]


def test_every_message_has_an_id_of_its_own(desk: Desk) -> None:
    desk.act("text", text="oi")
    desk.act("text", text="oi")
    first, second = desk.heard()
    assert first.external_id != second.external_id


@pytest.mark.parametrize("shape", ["meta", "twilio"])
@pytest.mark.parametrize("kind", ["button", "list"])
def test_a_pressed_choice_brings_its_id_and_title(desk: Desk, shape: str, kind: str) -> None:
    desk.act("choice", shape, kind=kind, id="nexora/menu:1", title="Programas", quotes="wamid.X")
    (event,) = desk.heard()
    assert (event.choice_id, event.text, event.quotes) == ("nexora/menu:1", "Programas", "wamid.X")


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_a_hidden_phone_number_is_nowhere_in_the_webhook(desk: Desk, shape: str) -> None:
    desk.act("text", shape, customer={**ANA, "hides_phone": True}, text="oi")
    (event,) = desk.heard()
    assert event.sender.wa_id is None
    assert event.sender.bsuid == ANA["bsuid"]
    assert str(ANA["wa_id"]).encode() not in desk.knocks[0].get_data()


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_an_ad_comes_with_the_message(desk: Desk, shape: str) -> None:
    desk.act("text", shape, text="oi", ad=True)
    (event,) = desk.heard()
    assert event.referral["source_type"] == "ad"
    assert event.referral["ctwa_clid"]


def test_a_burst_is_three_webhooks(desk: Desk) -> None:
    desk.act("burst")
    assert [event.text for event in desk.heard()] == list(page.SAMPLE_TEXTS["pt"]["burst"])


def test_samples_speak_the_customers_language_not_the_numbers(desk: Desk) -> None:
    made = desk.post("/simulator/customers", {"country": "MX", "name": "Ximena"}).json["customer"]
    desk.act("burst", customer=made)
    assert [event.text for event in desk.heard()] == list(page.SAMPLE_TEXTS["es"]["burst"])


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_disorder_posts_the_second_message_first(desk: Desk, shape: str) -> None:
    desk.act("disorder", shape)
    first, second = page.SAMPLE_TEXTS["pt"]["disorder"]
    posted = desk.heard()
    assert [event.text for event in posted] == [second, first]
    if shape == "meta":  # Twilio gives messages no time
        assert posted[1].sent_at < posted[0].sent_at


@pytest.mark.parametrize("language", list(page.SAMPLE_TEXTS))
def test_texts_out_of_order_wait_for_one_another_at_an_open_menu(language: str) -> None:
    for text in page.SAMPLE_TEXTS[language]["disorder"]:
        found = ai_service.understand(text, now=utc_now(), region="BR", language=language)
        asked = Situation(
            text=text,
            awaits="choice",
            intent=found.intent,
            intent_confidence=found.intent_confidence,
            entry_flow="desk",
        )
        assert decide(asked).waits_for_more, text


def test_an_order_names_products_of_the_shop(desk: Desk) -> None:
    with desk.app.app_context():
        make_product("curso-1", 9700)
        db.session.commit()
    desk.act("order")
    (event,) = desk.heard()
    assert [(item.retailer_id, item.price_minor) for item in event.order_items] == [("curso-1", 9700)]


def test_an_order_without_products_is_refused_in_words(desk: Desk) -> None:
    answer = desk.act("order")
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "no_products"


@pytest.mark.parametrize(
    ("act", "kind"),
    [("location", "location"), ("media", "image"), ("voice", "audio"), ("document", "document")],
)
@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_places_and_photos_are_what_they_say(desk: Desk, shape: str, act: str, kind: str) -> None:
    desk.act(act, shape)
    (event,) = desk.heard()
    assert event.kind == kind


def test_the_owner_answers_on_her_own_phone(desk: Desk) -> None:
    desk.act("owner", text="Deixa comigo!")
    (event,) = desk.heard()
    assert event.message.text == "Deixa comigo!"
    assert event.recipient.bsuid == ANA["bsuid"]


@pytest.mark.parametrize("act", ["owner", "order"])
def test_what_twilio_cannot_tell_is_refused(desk: Desk, act: str) -> None:
    assert desk.act(act, "twilio").status_code == 409
    assert desk.knocks == []


def test_a_repeat_is_the_same_bytes_with_the_same_signature(desk: Desk) -> None:
    sent = desk.act("text", text="coração ❤").json["posts"][0]
    desk.act("repeat", request=sent["request"])
    first, second = desk.knocks
    assert first.get_data() == second.get_data()
    assert first.headers["X-Hub-Signature-256"] == second.headers["X-Hub-Signature-256"]
    assert len({event.external_id for event in desk.heard()}) == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/simulator/act", "headers": {}, "body": ""},
        {"path": "//elsewhere.example/webhook", "headers": {}, "body": ""},
        {"path": "@elsewhere.example/webhook", "headers": {}, "body": ""},
        {"path": "/webhook", "headers": {}, "body": "₢"},
        {"path": "/webhook", "headers": "none", "body": ""},
        None,
    ],
)
def test_only_a_webhook_for_the_door_is_repeated(desk: Desk, request_: Any) -> None:
    assert desk.act("repeat", request=request_).status_code == 400
    assert desk.knocks == []


def test_a_repeat_carries_no_other_header(desk: Desk) -> None:
    wanted = {"path": "/webhook", "headers": {"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4"}, "body": "{}"}
    desk.act("repeat", request=wanted)
    assert "Cookie" not in desk.knocks[0].headers
    assert "X-Forwarded-For" not in desk.knocks[0].headers


def test_a_door_that_does_not_answer_is_shown(desk: Desk) -> None:
    desk.door.clear()
    desk.door.expect_request("/webhook").respond_with_data("", status=503)
    answer = desk.act("text", text="oi")
    assert answer.status_code == 200
    assert answer.json["posts"][0]["status"] == 503


def test_a_closed_door_is_no_failure_of_the_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_door_base", lambda: "http://127.0.0.1:9")
    answer = desk.act("text", text="oi")
    assert answer.json["posts"][0]["status"] == 0
    assert "ConnectionError" in answer.json["posts"][0]["html"]


@pytest.mark.parametrize(
    "wishes",
    [
        {"act": "text", "text": ""},
        {"act": "text", "text": "x" * 4097},
        {"act": "text", "text": ["oi"]},
        {"act": "explode"},
        {"act": "choice", "id": "", "title": "x"},
        {"act": "receipts", "receipts": "all"},
        {"act": "receipts", "receipts": [{}] * 41},
        {"act": "text", "text": "oi", "customer": None},
        {"act": "text", "text": "oi", "customer": {**ANA, "bsuid": "not one"}},
        {"act": "text", "text": "oi", "customer": {**ANA, "wa_id": "+55 11"}},
        {"act": "text", "text": "oi", "customer": {**ANA, "wa_id": "5" * 16}},
    ],
)
def test_bad_wishes_are_refused_in_words(desk: Desk, wishes: dict[str, Any]) -> None:
    body = {"number": desk.numbers["meta"], "customer": ANA, **wishes}
    answer = desk.post("/simulator/act", body)
    assert answer.status_code == 400
    assert answer.json["error"]["message"]
    assert desk.knocks == []


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_half_characters_and_nul_are_left_out(desk: Desk, shape: str) -> None:
    customer = {**ANA, "name": "Ana\ud800"}
    assert desk.act("text", shape, customer=customer, text="o\x00i\ud83d").status_code == 200
    assert [event.text for event in desk.heard()] == ["oi"]


def test_a_number_whose_secret_cannot_be_opened_is_named(desk: Desk) -> None:
    with desk.app.app_context():
        row = db.session.get_one(Integration, desk.numbers["meta"])
        row.app_secret = row.app_secret[:-4] + "AAAA"
        db.session.commit()
    answer = desk.act("text", text="oi")
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "seal_broken"


@pytest.mark.parametrize("number", [None, "x", -1, 10**30, 0, {"a": 1}])
def test_a_number_that_is_none_is_refused(desk: Desk, number: Any) -> None:
    answer = desk.post("/simulator/act", {"number": number, "customer": ANA, "act": "text", "text": "oi"})
    assert answer.status_code == 403


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    headers = {"X-CSRFToken": desk.token}
    answer = desk.client.post("/simulator/act", base_url=desk.base_url, data=b"\xff{", headers=headers)
    assert answer.status_code == 400


# --- walks with the real door -------------------------------------------------------------------------------


def test_a_greeting_is_answered_on_the_phone(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    screen = open_desk.screen()
    said = [bubble for bubble in screen["bubbles"] if "external_id" in bubble]
    assert len(said) == 2
    assert "is-mine" in said[0]["html"]
    assert "data-list" in said[1]["html"]
    assert screen["turns"]
    assert "nexora" in screen["turns"][0]["html"]


def test_a_row_of_the_list_leads_on(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    html = open_desk.screen()["bubbles"][-1]["html"]
    row = re.search(r'data-choice="list" data-id="([^"]+)" data-title="([^"]+)"', html)
    assert row
    open_desk.act("choice", kind="list", id=row[1], title=row[2])
    open_desk.work()
    with open_desk.app.app_context():
        answers = db.session.execute(select(Message).where(Message.direction == "out")).scalars().all()
        assert len(answers) == 2


def test_a_repeated_webhook_is_answered_once(open_desk: Desk) -> None:
    sent = open_desk.act("text", text="oi").json["posts"][0]
    open_desk.work()
    open_desk.act("repeat", request=sent["request"])
    open_desk.work()
    with open_desk.app.app_context():
        assert len(db.session.execute(select(Message)).scalars().all()) == 2


@pytest.mark.parametrize("shape", ["meta", "twilio"])
def test_ticks_move_by_real_receipts(open_desk: Desk, shape: str) -> None:
    open_desk.act("text", shape, text="oi")
    open_desk.work()
    for status in ("delivered", "read"):
        answer = open_desk.screen(shape)["bubbles"][-1]
        assert answer["wants_receipts"]
        receipts = [{"external_id": answer["external_id"], "status": status}]
        open_desk.act("receipts", shape, receipts=receipts)
        open_desk.work()
        assert open_desk.screen(shape)["bubbles"][-1]["status"] == status
    assert not open_desk.screen(shape)["bubbles"][-1]["wants_receipts"]


@pytest.mark.parametrize(("shape", "code"), [("meta", "131026"), ("twilio", "63024")])
def test_a_failed_delivery_never_reached_the_phone(open_desk: Desk, shape: str, code: str) -> None:
    open_desk.act("text", shape, text="oi")
    open_desk.work()
    answer = open_desk.screen(shape)["bubbles"][-1]
    open_desk.act("receipts", shape, receipts=[{"external_id": answer["external_id"], "status": "failed"}])
    open_desk.work()
    lost = open_desk.screen(shape)["bubbles"][-1]
    assert lost["status"] == "failed"
    assert "is-lost" in lost["html"]
    assert code in lost["html"]
    assert "data-list" not in lost["html"]


def test_the_phone_cannot_tell_receipts_of_others(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    answer = open_desk.screen()["bubbles"][-1]
    stranger = {**ANA, "wa_id": "5511900000999", "bsuid": "BR.9"}
    receipts = [{"external_id": answer["external_id"], "status": "read"}]
    before = len(open_desk.knocks)
    assert open_desk.act("receipts", customer=stranger, receipts=receipts).json["posts"] == []
    assert (
        open_desk.act("receipts", receipts=[{"external_id": "wamid.X", "status": "read"}]).json["posts"] == []
    )
    assert len(open_desk.knocks) == before


def test_words_wait_on_the_phone_until_a_worker_comes(open_desk: Desk) -> None:
    open_desk.act("text", text="tem alguém aí?")
    screen = open_desk.screen()
    assert not screen["is_worker_alive"]
    assert "tem alguém aí?" in screen["bubbles"][-1]["html"]
    assert screen["bubbles"][-1]["key"].startswith("e")


def test_a_living_worker_makes_the_desk_type(open_desk: Desk) -> None:
    with open_desk.app.app_context():
        db.session.add(Worker(name="w"))
        db.session.commit()
    open_desk.act("text", text="oi")
    screen = open_desk.screen()
    assert screen["is_worker_alive"]
    assert screen["is_typing"]


def test_what_did_not_change_is_not_sent_again(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    revision = open_desk.screen()["revision"]
    assert open_desk.screen(after=revision) == {"is_changed": False}
    open_desk.act("text", text="menu")
    assert open_desk.screen(after=revision)["is_changed"]


def test_what_people_write_is_escaped(open_desk: Desk) -> None:
    open_desk.act("text", customer={**ANA, "name": "<script>x"}, text="<script>alert(1)</script> *forte*")
    open_desk.work()
    screen = open_desk.screen()
    shown = json.dumps(screen)
    assert "<script>" not in shown
    assert "<strong>forte</strong>" in shown


def test_a_reaction_sits_on_the_bubble_that_it_means(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    open_desk.act("reaction")
    open_desk.work()
    bubbles = [bubble for bubble in open_desk.screen()["bubbles"] if "external_id" in bubble]
    assert len(bubbles) == 2
    assert "bubble-reaction" in bubbles[1]["html"]


def test_an_order_shows_its_lines_and_is_answered(open_desk: Desk) -> None:
    with open_desk.app.app_context():
        make_product("curso-1", 9700)
        db.session.commit()
    open_desk.act("order")
    open_desk.work()
    bubbles = [bubble for bubble in open_desk.screen()["bubbles"] if "external_id" in bubble]
    assert "1 × curso-1" in bubbles[0]["html"]
    assert "R$" in bubbles[-1]["html"]


CHOICES = tuple(Choice(f"f/s:{n}", f"Opção {n}", str(n), "com detalhe") for n in range(1, 5))
SHOWN = [
    (Text("*forte* e https://a.example/x"), [r"<strong>forte</strong>", r'href="https://a.example/x"']),
    (
        Menu("Escolha", tuple(replace(choice, description="") for choice in CHOICES[:3])),
        [r'(data-choice="button".*){3}'],
    ),
    (Menu("Escolha", CHOICES, button="Ver"), ["data-list", r'(data-choice="list".*){4}', "com detalhe"]),
    (LinkButton("Agende", "Abrir", "https://a.example/book"), [r'class="bubble-action" href="https://a']),
    (LinkButton("Agende", "Abrir", "javascript:alert(1)"), ["^(?!.*href)"]),
    (
        Media("document", link="https://a.example/f.pdf", filename="folheto.pdf"),
        ["folheto.pdf", "fa-file-lines"],
    ),
    (Media("image", link="javascript:alert(1)", caption="foto"), ["^(?!.*href)"]),
    (Template("boas_vindas", "pt_BR", preview="Olá!"), ["boas_vindas", "Olá!"]),
    (LocationRequest("Onde você está?"), [r'data-act="location"']),
]


@pytest.mark.parametrize(("content", "patterns"), SHOWN, ids=lambda value: getattr(value, "KIND", ""))
def test_each_kind_of_message_looks_as_on_a_phone(
    open_desk: Desk, content: Content, patterns: list[str]
) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    with open_desk.app.app_context():
        number = integrations.number(open_desk.numbers["meta"])
        assert number is not None
        conversation = db.session.execute(select(Conversation)).scalar_one()
        whatsapp_service.queue(conversation.id, number, [content], sender="bot", now=utc_now())
        db.session.commit()
    open_desk.work()
    html = open_desk.screen()["bubbles"][-1]["html"]
    for pattern in patterns:
        assert re.search(pattern, html, re.S), pattern


def test_nothing_to_react_to_is_said(desk: Desk) -> None:
    assert desk.act("reaction").status_code == 409


def test_the_owners_words_take_the_conversation_over(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    open_desk.act("owner", text="Sou eu, a Ana!")
    open_desk.work()
    assert "Sou eu, a Ana!" in open_desk.screen()["bubbles"][-1]["html"]
    with open_desk.app.app_context():
        assert db.session.execute(select(Conversation)).scalar_one().is_with_person


def test_hiding_the_number_keeps_the_conversation(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    hidden = {**ANA, "hides_phone": True}
    open_desk.act("text", customer=hidden, text="menu")
    open_desk.work()
    with open_desk.app.app_context():
        assert len(db.session.execute(select(Conversation)).scalars().all()) == 1


def test_ageing_closes_the_service_window(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    assert open_desk.act("age").json == {"posts": [], "external_ids": []}
    with open_desk.app.app_context():
        row = db.session.execute(select(Conversation)).scalar_one()
        assert not conversations.is_window_open(row.last_inbound_at, utc_now())
        oldest = db.session.execute(select(Message.created_at)).scalars().first()
        assert oldest is not None
        assert utc_now() - oldest > timedelta(hours=24)


def test_somebody_who_never_wrote_cannot_be_aged(desk: Desk) -> None:
    assert desk.act("age").status_code == 409


def test_a_real_conversation_cannot_be_aged(desk: Desk) -> None:
    with desk.app.app_context():
        row = Conversation(integration_id=desk.numbers["real"], contact_id=1, last_inbound_at=utc_now())
        with pytest.raises(simulated_phone.NotSimulated):
            simulated_phone.age(row, timedelta(hours=25))


def test_the_x_ray_shows_the_webhook_the_reason_and_the_request(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    html = open_desk.screen()["turns"][0]["html"]
    assert "in:1:BR.1234567890123456" in html
    assert "messaging_product" in html
    assert "biz_opaque_callback_data" in html
    assert "who is-menu" in html
    assert "<progress" in html


def test_known_customers_are_offered_again(open_desk: Desk) -> None:
    open_desk.act("text", text="oi")
    open_desk.work()
    text = open_desk.get("/simulator", headers={"Accept": "text/html"}).text
    listed = json.loads(re.findall(r'id="customers">(.*?)</script>', text)[0])
    assert [one["bsuid"] for one in listed][1:] == [ANA["bsuid"]]


def test_twilio_shows_menus_as_the_text_that_it_sends(open_desk: Desk) -> None:
    open_desk.act("text", "twilio", text="oi")
    open_desk.work()
    html = open_desk.screen("twilio")["bubbles"][-1]["html"]
    assert "bubble-action" not in html
    stored = parse_qs(open_desk.knocks[0].get_data().decode())
    assert stored["Body"] == ["oi"]
    with open_desk.app.app_context():
        assert db.session.execute(select(WebhookEvent.provider)).scalar_one() == "twilio"


def test_the_phone_is_read_on_every_database(load_config: Callable[..., Config], database_url: str) -> None:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        conversation = make_conversation("5581998765432", "Ana Lima")
        conversation.last_inbound_at = utc_now()
        db.session.commit()
        number = simulated_phone.number(conversation.integration_id)
        (ana,) = simulated_phone.customers(number)
        assert ana.wa_id == "5581998765432"
        before = simulated_phone.screen(number, ana, utc_now())
        assert before.facts.window_ends_at is not None
        simulated_phone.age(conversation, timedelta(hours=25))
        db.session.commit()
        after = simulated_phone.screen(number, ana, utc_now())
        assert after.facts.window_ends_at is None
        assert after.revision != before.revision
        assert turn_xray.latest_turns(integrations.account(number), conversation) == ()
        db.session.remove()
        db.engine.dispose()
