"""The fakes refuse what the providers document, sign what they post, and misbehave exactly as told."""

import base64
import hashlib
import http.client
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator

from tests.fakes import graph as graph_module
from tests.fakes.graph import FakeGraph
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import (
    ACCESS_TOKEN,
    ACCOUNT_SID,
    APP_SECRET,
    AUTH_TOKEN,
    BUSINESS_ACCOUNT_ID,
    CUSTOMER,
    PHONE_NUMBER_ID,
    TWILIO_NUMBER,
    MetaWebhooks,
    TwilioWebhooks,
    meta_signature,
)

BEARER = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
BASIC = (ACCOUNT_SID, AUTH_TOKEN)
BSUID = "BR.13491208655302741918"
Json = dict[str, Any]


class Receiver:
    """A webhook door that keeps what it was posted; answers `status`."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def statuses(self) -> list[str]:
        found = []
        for _, _, body in self.posts:
            for change in json.loads(body)["entry"][0]["changes"]:
                found += [status["status"] for status in change["value"]["statuses"]]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    door = Receiver()
    yield door
    door.close()


@pytest.fixture
def graph(receiver: Receiver) -> Iterator[FakeGraph]:
    with FakeGraph(webhook_url=receiver.url + "/webhook") as fake:
        yield fake


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


def post(graph: FakeGraph, payload: Json, **more: Any) -> requests.Response:
    url = f"{graph.url}/v26.0/{PHONE_NUMBER_ID}/messages"
    return requests.post(url, json=payload, headers=BEARER, timeout=10, **more)


def message(kind: str = "text", node: Any = None, **more: Any) -> Json:
    node = {"body": "oi"} if node is None else node
    return {"messaging_product": "whatsapp", "to": f"+{CUSTOMER}", "type": kind, kind: node, **more}


def interactive(kind: str, action: Json, **more: Any) -> Json:
    return message("interactive", {"type": kind, "body": {"text": "Escolha"}, "action": action, **more})


def buttons(*titles: str) -> Json:
    replies = [{"type": "reply", "reply": {"id": f"b{n}", "title": title}} for n, title in enumerate(titles)]
    return interactive("button", {"buttons": replies})


def rows(count: int, sections: int = 1, **row: str) -> Json:
    parts = [
        {
            "title": f"Parte {s}",
            "rows": [{"id": f"{s}-{n}", "title": f"Linha {n}", **row} for n in range(count)],
        }
        for s in range(sections)
    ]
    return interactive("list", {"button": "Ver", "sections": parts})


def link(display_text: str = "Abrir", url: str = "https://example.com/x") -> Json:
    return interactive(
        "cta_url", {"name": "cta_url", "parameters": {"display_text": display_text, "url": url}}
    )


ACCEPTED = {
    "a text of 4096": message(node={"body": "a" * 4096}),
    "three buttons": buttons("Um", "Dois", "Três"),
    "ten rows": rows(10),
    "ten rows in two sections": rows(5, sections=2),
    "a long list body": message(
        "interactive", {**rows(1)["interactive"], "body": {"text": "a" * 4096}}
    ),
    "a link button": link(),
    "a location request": interactive("location_request_message", {"name": "send_location"}),
    "a contact request": interactive("request_contact_info", {"name": "request_contact_info"}),
    "a product": message("interactive", {
        "type": "product", "action": {"catalog_id": "1", "product_retailer_id": "sku"}}),
    "a linked image": message("image", {"link": "https://example.com/a.png", "caption": "Foto"}),
    "a document with a name": message("document", {"link": "https://example.com/a.pdf", "filename": "a.pdf"}),
    "a reaction": message("reaction", {"message_id": "wamid.X", "emoji": "👍"}),
    "a removed reaction": message("reaction", {"message_id": "wamid.X", "emoji": ""}),
    "a place": message("location", {"latitude": -23.5, "longitude": "-46.6", "name": "Loja"}),
    "a card": message("contacts", [{"name": {"formatted_name": "Ana Lima", "first_name": "Ana"}}]),
    "a reply": message(context={"message_id": "wamid.X"}),
    "a reference of 512": message(biz_opaque_callback_data="x" * 512),
}  # fmt: skip

REFUSED = {
    "a text of 4097": (100, message(node={"body": "a" * 4097})),
    "an empty text": (100, message(node={"body": " "})),
    "a text without body": (100, message(node={})),
    "no product": (100, {"to": "+55119", "type": "text", "text": {"body": "x"}}),
    "no recipient": (100, {"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}),
    "a user id in to": (131009, message(to=BSUID)),
    "an unknown type": (100, message("poll", {})),
    "four buttons": (131009, buttons("1", "2", "3", "4")),
    "no buttons": (131009, buttons()),
    "a button of 21": (131009, buttons("a" * 21)),
    "an empty button": (131009, buttons("")),
    "two equal buttons": (131009, buttons("Sim", "Sim")),
    "eleven rows": (131009, rows(11)),
    "twelve rows in two sections": (131009, rows(6, sections=2)),
    "a row title of 25": (131009, rows(1, title="a" * 25)),
    "a row description of 73": (131009, rows(1, description="a" * 73)),
    "a row id of 201": (131009, rows(1, id="a" * 201)),
    "an image header on a list": (131009, message("interactive", {
        **rows(1)["interactive"], "header": {"type": "image", "image": {"link": "https://e.com/a.png"}}})),
    "a footer of 61": (131009, interactive("button", {}, footer={"text": "a" * 61})),
    "a header of 61": (131009, interactive("button", {}, header={"type": "text", "text": "a" * 61})),
    "a body of 1025": (131009, message("interactive", {
        **buttons("Sim")["interactive"], "body": {"text": "a" * 1025}})),
    "no interactive body": (131008, message("interactive", {"type": "button", "action": {}})),
    "a link title of 21": (131009, link("a" * 21)),
    "a link without scheme": (131009, link(url="example.com")),
    "an image by both": (100, message("image", {"id": "1", "link": "https://example.com/a.png"})),
    "an image by neither": (100, message("image", {"caption": "x"})),
    "an insecure image": (131009, message("image", {"link": "http://example.com/a.png"})),
    "an unknown media id": (131009, message("image", {"id": "12345"})),
    "a caption on a sticker": (100, message("sticker", {"link": "https://e.com/s.webp", "caption": "x"})),
    "a caption of 1025": (131009, message("image", {"link": "https://e.com/a.png", "caption": "a" * 1025})),
    "an unknown template": (132001, message("template", {"name": "nope", "language": {"code": "pt_BR"}})),
    "a reference of 513": (131009, message(biz_opaque_callback_data="x" * 513)),
    "a reply to nothing": (131009, message(context={"message_id": "abc"})),
    "a place nowhere": (131009, message("location", {"latitude": 91, "longitude": 0})),
}  # fmt: skip


@pytest.mark.parametrize("payload", ACCEPTED.values(), ids=ACCEPTED)
def test_the_graph_accepts_what_is_within_the_limits(graph: FakeGraph, payload: Json) -> None:
    answer = post(graph, payload)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["contacts"] == [{"input": f"+{CUSTOMER}", "wa_id": CUSTOMER}]
    assert body["messages"][0]["id"] == graph.sent[0].id
    assert graph.sent[0].id.startswith("wamid.")


@pytest.mark.parametrize(("code", "payload"), REFUSED.values(), ids=REFUSED)
def test_the_graph_refuses_what_is_over_the_limits(graph: FakeGraph, code: int, payload: Json) -> None:
    answer = post(graph, payload)
    assert answer.status_code == (404 if code == 132001 else 400), answer.text
    error = answer.json()["error"]
    assert error["code"] == code, error
    assert error["error_data"]["messaging_product"] == "whatsapp"
    assert error["error_data"]["details"]
    assert error["fbtrace_id"]
    assert error["type"] == "OAuthException"
    assert not graph.sent


def test_a_wrong_token_is_401_with_code_190(graph: FakeGraph) -> None:
    url = f"{graph.url}/v26.0/{PHONE_NUMBER_ID}/messages"
    answer = requests.post(url, json=message(), headers={"Authorization": "Bearer no"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


def test_an_unknown_number_is_an_object_that_is_gone(graph: FakeGraph) -> None:
    answer = requests.post(f"{graph.url}/v26.0/1/messages", json=message(), headers=BEARER, timeout=10)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)


def test_a_user_id_goes_in_recipient_and_to_wins(graph: FakeGraph) -> None:
    by_id = message(recipient=BSUID)
    del by_id["to"]
    assert post(graph, by_id).json()["contacts"] == [{"input": BSUID, "user_id": BSUID}]
    assert post(graph, message(recipient=BSUID)).json()["contacts"][0]["wa_id"] == CUSTOMER
    assert [sent.person for sent in graph.sent] == [BSUID, CUSTOMER]


def test_the_wa_id_may_differ_from_what_was_typed(graph: FakeGraph) -> None:
    graph.wa_ids[CUSTOMER] = "551187654321"
    assert post(graph, message()).json()["contacts"] == [{"input": f"+{CUSTOMER}", "wa_id": "551187654321"}]


def test_a_template_needs_the_right_count_of_parameters(graph: FakeGraph) -> None:
    graph.add_template("lembrete", "pt_BR", "Olá {{1}}, até {{2}}.")
    template: Json = {"name": "lembrete", "language": {"code": "pt_BR"}}
    assert post(graph, message("template", template)).json()["error"]["code"] == 132000
    words = [{"type": "text", "text": "Ana"}, {"type": "text", "text": "amanhã"}]
    template["components"] = [{"type": "body", "parameters": words}]
    assert post(graph, message("template", template)).json()["messages"][0]["message_status"] == "accepted"


def test_an_authentication_template_needs_a_phone(graph: FakeGraph) -> None:
    graph.add_template("codigo", "pt_BR", "Código {{1}}", category="AUTHENTICATION")
    parameters = [{"type": "text", "text": "123"}]
    template = {
        "name": "codigo",
        "language": {"code": "pt_BR"},
        "components": [{"type": "body", "parameters": parameters}],
    }
    payload = message("template", template, recipient=BSUID)
    del payload["to"]
    assert post(graph, payload).json()["error"]["code"] == 131062


def test_read_with_typing_is_a_success_and_no_message(graph: FakeGraph) -> None:
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X"}
    assert post(graph, read | {"typing_indicator": {"type": "text"}}).json() == {"success": True}
    assert post(graph, read | {"typing_indicator": {"type": "song"}}).status_code == 400
    assert len(graph.reads) == 1
    assert not graph.sent


def test_receipts_are_signed_and_carry_our_reference(graph: FakeGraph, receiver: Receiver) -> None:
    post(graph, message(biz_opaque_callback_data="out:7"))
    assert graph.poster.wait_until_idle()
    assert receiver.statuses() == ["sent", "delivered", "read"]
    for path, headers, body in receiver.posts:
        assert path == "/webhook"
        assert headers["X-Hub-Signature-256"] == meta_signature(body, APP_SECRET)
    value = json.loads(receiver.posts[0][2])["entry"][0]["changes"][0]["value"]
    status = value["statuses"][0]
    assert status["biz_opaque_callback_data"] == "out:7"
    assert status["id"] == graph.sent[0].id
    assert status["recipient_id"] == CUSTOMER
    assert "conversation" not in status
    assert value["contacts"][0]["wa_id"] == CUSTOMER
    assert value["metadata"]["phone_number_id"] == PHONE_NUMBER_ID


def test_the_first_receipt_may_come_before_the_answer(graph: FakeGraph, receiver: Receiver) -> None:
    graph.receipts_first = True
    graph.receipt_gap_secs = 0.5
    post(graph, message())
    assert receiver.statuses() == ["sent"]


def test_a_refused_receipt_is_posted_again(graph: FakeGraph, receiver: Receiver) -> None:
    graph.receipts = ("sent",)
    receiver.status = 503
    post(graph, message())
    time.sleep(0.1)
    receiver.status = 200
    assert graph.poster.wait_until_idle()
    assert receiver.statuses() == ["sent", "sent"]


def test_an_unreachable_person_fails_later(graph: FakeGraph, receiver: Receiver) -> None:
    graph.unreachable.add(CUSTOMER)
    assert post(graph, message()).status_code == 200
    assert graph.poster.wait_until_idle()
    value = json.loads(receiver.posts[0][2])["entry"][0]["changes"][0]["value"]
    assert value["statuses"][0]["errors"][0]["code"] == 131026
    assert "contacts" not in value


def test_faults_refuse_as_told_and_then_stop(graph: FakeGraph) -> None:
    graph.fault("server_error")
    graph.fault("throttled", retry_after_secs=7)
    graph.fault("error", code=131056)
    graph.fault("error", code=190)
    answers = [post(graph, message()) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [500, 429, 400, 401, 200]
    assert len(graph.sent) == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "server_error", "status": 503}, 503, 131000),
        ({"kind": "throttled"}, 429, 130429),
        ({"kind": "error", "code": 131056}, 400, 131056),
        ({"kind": "error", "code": 131047}, 400, 131047),
        ({"kind": "error", "code": 190}, 401, 190),
    ],
)
def test_a_fault_can_be_set_over_http(graph: FakeGraph, fault: Json, status: int, code: int) -> None:
    assert requests.post(f"{graph.url}/__faults", json=fault, timeout=10).status_code == 201
    answer = post(graph, message())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert post(graph, message()).status_code == 200


def test_an_unknown_fault_is_refused(graph: FakeGraph) -> None:
    assert requests.post(f"{graph.url}/__faults", json={"kind": "earthquake"}, timeout=10).status_code == 400
    assert (
        requests.post(f"{graph.url}/__faults", json={"kind": "slow", "x": 1}, timeout=10).status_code == 400
    )


def test_retry_after_is_only_there_when_wanted(graph: FakeGraph) -> None:
    graph.fault("throttled", retry_after_secs=7)
    assert post(graph, message()).headers["Retry-After"] == "7"
    graph.fault("throttled")
    assert "Retry-After" not in post(graph, message()).headers


def test_a_window_closed_later_is_a_failed_receipt(graph: FakeGraph, receiver: Receiver) -> None:
    graph.fault("failed_later", code=131047)
    assert post(graph, message()).status_code == 200
    assert graph.poster.wait_until_idle()
    assert receiver.statuses() == ["failed"]


def test_a_line_cut_after_accepting_still_sends_receipts(graph: FakeGraph, receiver: Receiver) -> None:
    graph.fault("cut_after")
    with pytest.raises(requests.ConnectionError):
        post(graph, message())
    assert graph.poster.wait_until_idle()
    assert len(graph.sent) == 1
    assert receiver.statuses() == ["sent", "delivered", "read"]


def test_a_line_cut_before_accepting_leaves_nothing(graph: FakeGraph, receiver: Receiver) -> None:
    graph.fault("cut_before")
    with pytest.raises(requests.ConnectionError):
        post(graph, message())
    assert not graph.sent
    assert not receiver.posts


def test_a_cut_without_receipts_is_for_ever_uncertain(graph: FakeGraph, receiver: Receiver) -> None:
    graph.fault("no_receipts")
    graph.fault("cut_after")
    with pytest.raises(requests.ConnectionError):
        post(graph, message())
    assert graph.poster.wait_until_idle()
    assert len(graph.sent) == 1
    assert not receiver.posts


def test_slow_answers_late_and_bad_json_is_no_json(graph: FakeGraph) -> None:
    graph.fault("slow", secs=0.3)
    started = time.monotonic()
    assert post(graph, message()).status_code == 200
    assert time.monotonic() - started >= 0.3
    graph.fault("bad_json")
    with pytest.raises(requests.JSONDecodeError):
        post(graph, message()).json()


def test_receipts_can_be_doubled_and_reversed(graph: FakeGraph, receiver: Receiver) -> None:
    graph.fault("double_receipts")
    graph.fault("reversed_receipts")
    post(graph, message())
    assert graph.poster.wait_until_idle()
    assert receiver.statuses() == ["read", "read", "delivered", "delivered", "sent", "sent"]


def test_a_ratio_hits_about_that_share(graph: FakeGraph) -> None:
    graph.fault("error", code=131000, ratio=0.3, times=None)
    refused = sum(post(graph, message()).status_code == 500 for _ in range(200))
    assert 35 <= refused <= 85


def test_a_fault_can_skip_and_can_mean_one_person(graph: FakeGraph) -> None:
    graph.fault("server_error", skip=1, person=CUSTOMER)
    other = message(to="+5521912345678")
    statuses = [
        post(graph, payload).status_code for payload in (other, message(), other, message(), message())
    ]
    assert statuses == [200, 200, 200, 500, 200]


def test_the_pair_limit_is_a_burst_of_45(graph: FakeGraph) -> None:
    graph.pair_limit = True
    answers = [post(graph, message()) for _ in range(46)]
    assert [answer.status_code for answer in answers] == [200] * 45 + [400]
    assert answers[-1].json()["error"]["code"] == 131056
    assert post(graph, message(to="+5521912345678")).status_code == 200


def test_media_come_in_two_steps_and_their_address_expires(graph: FakeGraph) -> None:
    media_id = graph.add_media(b"png!", "image/png")
    found = requests.get(f"{graph.url}/v26.0/{media_id}", headers=BEARER, timeout=10).json()
    assert found["sha256"] == hashlib.sha256(b"png!").hexdigest()
    assert found["file_size"] == 4
    assert requests.get(found["url"], timeout=10).status_code == 401
    answer = requests.get(found["url"], headers=BEARER, timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (b"png!", "image/png")
    graph.expire_media_urls()
    assert requests.get(found["url"], headers=BEARER, timeout=10).status_code == 404
    gone = requests.get(f"{graph.url}/v26.0/999", headers=BEARER, timeout=10)
    assert gone.json()["error"]["error_subcode"] == 33


def test_an_uploaded_file_can_be_sent_by_its_id(graph: FakeGraph) -> None:
    answer = requests.post(
        f"{graph.url}/v26.0/{PHONE_NUMBER_ID}/media",
        headers=BEARER,
        timeout=10,
        data={"messaging_product": "whatsapp", "type": "application/pdf"},
        files={"file": ("guia.pdf", b"%PDF", "application/pdf")},
    )
    media_id = answer.json()["id"]
    assert graph.media[media_id].content == b"%PDF"
    assert post(graph, message("document", {"id": media_id, "filename": "guia.pdf"})).status_code == 200


def test_the_number_tells_its_health(graph: FakeGraph) -> None:
    url = f"{graph.url}/v26.0/{PHONE_NUMBER_ID}"
    number = requests.get(url, headers=BEARER, timeout=10).json()
    assert number["verified_name"]
    assert number["quality_rating"] == "GREEN"
    assert number["throughput"]
    assert set(requests.get(f"{url}?fields=verified_name", headers=BEARER, timeout=10).json()) == {
        "verified_name",
        "id",
    }
    assert requests.get(f"{url}?fields=mood", headers=BEARER, timeout=10).json()["error"]["code"] == 100


def test_templates_come_in_pages(graph: FakeGraph) -> None:
    for place in range(7):
        graph.add_template(f"t{place}", "pt_BR", "Oi")
    url: str | None = f"{graph.url}/v26.0/{BUSINESS_ACCOUNT_ID}/message_templates?limit=3"
    names: list[str] = []
    while url:
        page = requests.get(url, headers=BEARER, timeout=10).json()
        names += [template["name"] for template in page["data"]]
        url = page["paging"].get("next")
    assert names == [f"t{place}" for place in range(7)]


def test_an_account_is_subscribed_once_posted(graph: FakeGraph) -> None:
    graph.is_subscribed = False
    url = f"{graph.url}/v26.0/{BUSINESS_ACCOUNT_ID}/subscribed_apps"
    assert requests.get(url, headers=BEARER, timeout=10).json() == {"data": []}
    assert requests.post(url, headers=BEARER, timeout=10).json() == {"success": True}
    assert len(requests.get(url, headers=BEARER, timeout=10).json()["data"]) == 1


def test_the_journal_survives_a_kill_of_the_fake(tmp_path: Any) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "tests.fakes.graph", "--journal", str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        try:
            for place in range(5):
                payload = message(biz_opaque_callback_data=f"out:{place}")
                path = f"{url}/v26.0/{PHONE_NUMBER_ID}/messages"
                assert requests.post(path, json=payload, headers=BEARER, timeout=10).status_code == 200
            assert requests.get(f"{url}/__count", timeout=10).json()["count"] == 5
        finally:
            process.send_signal(signal.SIGKILL)
    with journal.open("ab") as half_line:
        half_line.write(b'{"id": "wam')
    sent = graph_module.read_journal(journal)
    assert [one.reference for one in sent] == [f"out:{place}" for place in range(5)]
    assert sent[0].text == "oi"
    assert sent[0].to == CUSTOMER


def test_the_graph_is_quick_enough_for_benches() -> None:
    with FakeGraph(webhook_url=None) as graph:
        line = http.client.HTTPConnection("127.0.0.1", int(graph.url.rsplit(":", 1)[1]))
        body = json.dumps(message()).encode()
        started = time.perf_counter()
        for _ in range(1000):
            line.request("POST", f"/v26.0/{PHONE_NUMBER_ID}/messages", body, BEARER)
            assert line.getresponse().read()
        # The client is the slow half here; a bound loose enough for a busy machine.
        assert time.perf_counter() - started < 5


# --- Twilio -------------------------------------------------------------------------------------------------


def send(twilio: FakeTwilio, auth: tuple[str, str] = BASIC, **form: Any) -> requests.Response:
    fields = {"From": f"whatsapp:{TWILIO_NUMBER}", "To": f"whatsapp:+{CUSTOMER}", "Body": "oi"} | form
    url = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    return requests.post(url, data=fields, auth=auth, timeout=10)


def test_twilio_accepts_a_message_as_queued(twilio: FakeTwilio) -> None:
    answer = send(twilio, Body="a" * 1600)
    assert answer.status_code == 201
    resource = answer.json()
    assert resource["status"] == "queued"
    assert resource["sid"] == twilio.sent[0].sid
    assert resource["sid"].startswith("SM")
    assert len(resource["sid"]) == 34
    assert resource["to"] == f"whatsapp:+{CUSTOMER}"
    assert twilio.sent[0].person == CUSTOMER


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Body": "a" * 1601}, 21617),
        ({"Body": ""}, 21602),
        ({"To": ""}, 21604),
        ({"To": f"+{CUSTOMER}"}, 21211),
        ({"To": "whatsapp:0"}, 21211),
        ({"From": ""}, 21603),
        ({"From": "whatsapp:+19999999999"}, 63007),
        ({"ContentSid": "HX404"}, 21655),
        ({"MediaUrl": "ftp://x"}, 21620),
        ({"StatusCallback": "not a url"}, 20001),
        ({"ContentVariables": "{broken"}, 21656),
    ],
)
def test_twilio_refuses_what_it_documents(twilio: FakeTwilio, form: Json, code: int) -> None:
    answer = send(twilio, **form)
    error = answer.json()
    assert (answer.status_code, error["code"], error["status"]) == (400, code, 400)
    assert error["message"]
    assert str(code) in error["more_info"]
    assert not twilio.sent


def test_twilio_needs_the_right_credentials(twilio: FakeTwilio) -> None:
    answer = send(twilio, auth=(ACCOUNT_SID, "wrong"))
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


def test_twilio_callbacks_are_signed_for_the_address_given(twilio: FakeTwilio, receiver: Receiver) -> None:
    twilio.callback_origin = receiver.url
    callback = "https://shop.example/whatsapp/status?ref=out%3A7"
    send(twilio, StatusCallback=callback)
    assert twilio.poster.wait_until_idle()
    statuses = []
    for path, headers, body in receiver.posts:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        assert path == "/whatsapp/status?ref=out%3A7"
        assert RequestValidator(AUTH_TOKEN).validate(callback, form, headers["X-Twilio-Signature"])
        statuses.append(form["MessageStatus"])
    assert statuses == ["queued", "sent", "delivered", "read"]


def test_twilio_can_fail_a_message_later(twilio: FakeTwilio, receiver: Receiver) -> None:
    twilio.fault("failed_later", code=63016)
    assert send(twilio, StatusCallback=receiver.url + "/whatsapp/status").status_code == 201
    assert twilio.poster.wait_until_idle()
    form = dict(parse_qsl(receiver.posts[0][2].decode()))
    assert (form["MessageStatus"], form["ErrorCode"]) == ("undelivered", "63016")


def test_twilio_lists_its_messages_in_pages(twilio: FakeTwilio) -> None:
    for _ in range(5):
        send(twilio)
    lost = twilio.add_inbound("onde está?", CUSTOMER)
    twilio.add_inbound("antiga", CUSTOMER, at=time.time() - 10 * 86_400)
    path: str | None = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json?PageSize=2"
    sids: list[str] = []
    while path:
        page = requests.get(twilio.url + path, auth=BASIC, timeout=10).json()
        sids += [found["sid"] for found in page["messages"]]
        path = page["next_page_uri"]
    assert len(sids) == len(set(sids)) == 7
    query = {"To": f"whatsapp:{TWILIO_NUMBER}", "DateSent>": time.strftime("%Y-%m-%d", time.gmtime())}
    url = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    found = requests.get(url, params=query, auth=BASIC, timeout=10).json()["messages"]
    assert [(one["sid"], one["direction"]) for one in found] == [(lost.sid, "inbound")]


def test_twilio_contents_can_be_made_and_sent(twilio: FakeTwilio) -> None:
    actions = [{"title": "Sim", "id": "yes"}]
    content = {"language": "pt_BR", "types": {"twilio/quick-reply": {"body": "Ok?", "actions": actions}}}
    made = requests.post(f"{twilio.url}/v1/Content", json=content, auth=BASIC, timeout=10)
    assert made.status_code == 201
    sid = made.json()["sid"]
    assert (
        requests.get(f"{twilio.url}/v1/Content", auth=BASIC, timeout=10).json()["contents"][0]["sid"] == sid
    )
    assert send(twilio, Body="", ContentSid=sid, ContentVariables='{"1": "Ana"}').status_code == 201
    assert twilio.sent[0].content_variables == {"1": "Ana"}
    actions[0]["title"] = "a" * 21
    assert requests.post(f"{twilio.url}/v1/Content", json=content, auth=BASIC, timeout=10).status_code == 400


def test_twilio_media_need_credentials_and_redirect(twilio: FakeTwilio) -> None:
    url = twilio.add_media(b"ogg!", "audio/ogg")
    assert requests.get(url, timeout=10).status_code == 401
    first = requests.get(url, auth=BASIC, allow_redirects=False, timeout=10)
    assert first.status_code == 307
    assert requests.get(first.headers["Location"], timeout=10).content == b"ogg!"


def test_twilio_typing_account_and_faults(twilio: FakeTwilio) -> None:
    form = {"messageId": "SM" + "0" * 32, "channel": "whatsapp"}
    typing = f"{twilio.url}/v2/Indicators/Typing.json"
    assert requests.post(typing, data=form, auth=BASIC, timeout=10).json() == {"success": True}
    assert requests.post(typing, data={}, auth=BASIC, timeout=10).status_code == 400
    account = requests.get(
        f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}.json", auth=BASIC, timeout=10
    ).json()
    assert account["status"] == "active"
    twilio.fault("throttled", retry_after_secs=3)
    assert send(twilio).headers["Retry-After"] == "3"
    twilio.fault("cut_after")
    with pytest.raises(requests.ConnectionError):
        send(twilio)
    assert len(twilio.sent) == 1


# --- The builders -------------------------------------------------------------------------------------------


def test_meta_bodies_are_escaped_as_meta_does() -> None:
    webhook = MetaWebhooks().text("Olá 👋 a@b.com/x")
    assert webhook.body.isascii()
    assert b"Ol\\u00e1 \\ud83d\\udc4b a\\u0040b.com\\/x" in webhook.body
    assert webhook.headers["X-Hub-Signature-256"] == meta_signature(webhook.body, APP_SECRET)
    value = json.loads(webhook.body)["entry"][0]["changes"][0]["value"]
    assert value["messages"][0]["text"]["body"] == "Olá 👋 a@b.com/x"


def test_a_person_without_a_phone_has_no_from() -> None:
    webhook = MetaWebhooks().text("oi", wa_id=None, user_id=BSUID, username="@ana")
    value = json.loads(webhook.body)["entry"][0]["changes"][0]["value"]
    assert value["contacts"] == [{"profile": {"name": "Ana", "username": "@ana"}, "user_id": BSUID}]
    assert "from" not in value["messages"][0]
    assert value["messages"][0]["from_user_id"] == BSUID


def test_a_batch_holds_every_update() -> None:
    meta = MetaWebhooks()
    values = [meta.message_value({"type": "text", "text": {"body": str(n)}}) for n in range(999)]
    values.append(meta.status_value("wamid.X", "sent"))
    changes = json.loads(meta.batch(values).body)["entry"][0]["changes"]
    assert len(changes) == 1000
    assert len({c["value"]["messages"][0]["id"] for c in changes[:-1]}) == 999


def test_twilio_forms_verify_with_the_official_library() -> None:
    builder = TwilioWebhooks(public_url="https://shop.example")
    for webhook in (
        builder.text("Olá 👋 & tudo=bem?"),
        builder.button("yes", "Sim"),
        builder.list_choice("1", "Opção"),
        builder.message({"Body": "oi"}, wa_id=None, bsuid=BSUID),
        builder.status("SM" + "0" * 32, "delivered"),
    ):
        form = dict(parse_qsl(webhook.body.decode(), keep_blank_values=True))
        url = "https://shop.example" + webhook.path
        assert RequestValidator(AUTH_TOKEN).validate(url, form, webhook.headers["X-Twilio-Signature"])
    assert form["SmsStatus"] == "delivered"


def test_the_signature_matches_the_published_vector() -> None:
    phone = "+14158675309"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": phone,
        "Digits": "1234",
        "From": phone,
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    signed = TwilioWebhooks(auth_token="12345").sign(url, form)
    assert signed.headers["X-Twilio-Signature"] == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert base64.b64decode(signed.headers["X-Twilio-Signature"])
