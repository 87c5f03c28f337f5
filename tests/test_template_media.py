"""Templates with a file on top, and templates handed in through Twilio: from the form to the phone."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import conversations
import integrations
import message_templates
import tasks
from config import Config
from models import MessageTemplate, StoredFile, db
from providers import meta_templates, provider, templates, twilio_templates
from providers.base import Account, OwnFile, Person, SendError
from providers.templates import Button, Draft, Submitted, Wording
from tests.browsing import AS_BROWSER, get, post, token
from tests.fakes.graph import FakeGraph
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import (
    ACCESS_TOKEN,
    ACCOUNT_SID,
    AUTH_TOKEN,
    BUSINESS_ACCOUNT_ID,
    CUSTOMER,
    PHONE_NUMBER_ID,
    TWILIO_NUMBER,
)
from tests.pictures import picture_bytes
from tests.real_door import META, TWILIO, WalkedDesk, walked_desk
from tests.records import NOW, make_meta_number

PDF = b"%PDF-1.7\n" + b"x" * 60
MP4 = b"\x00\x00\x00\x18ftypmp42" + b"x" * 60
BODY = "Olá {{1}}, a sua nota está aqui em cima."


def draft(wording: Wording, name: str = "nota_fiscal") -> Draft:
    return Draft(name, "pt_BR", "utility", wording)


def with_file(kind: str) -> Draft:
    return draft(Wording(BODY, header_kind=kind, examples={"1": "Bia"}, file_id=7))


# --- Meta ---------------------------------------------------------------------------------------------------


def meta_account(url: str) -> Account:
    return Account(1, "meta", PHONE_NUMBER_ID, BUSINESS_ACCOUNT_ID, access_token=ACCESS_TOKEN, base_url=url)


@pytest.mark.parametrize(
    ("kind", "content", "mime_type"),
    [
        ("image", picture_bytes(), "image/png"),
        ("video", MP4, "video/mp4"),
        ("document", PDF, "application/pdf"),
    ],
)
def test_a_sample_is_uploaded_for_the_review(kind: str, content: bytes, mime_type: str) -> None:
    file = OwnFile(content, mime_type, "amostra", "")
    with FakeGraph() as graph:
        taken = provider("meta").submit_template(meta_account(graph.url), with_file(kind), "", file)
        wrong = provider("meta").submit_template(
            meta_account(graph.url), with_file("image" if kind != "image" else "video"), "", file
        )
    assert isinstance(taken, Submitted)
    assert next(iter(graph.samples.values())) == content
    header = graph.templates[0]["components"][0]
    assert (header["type"], header["format"]) == ("HEADER", kind.upper())
    assert header["example"]["header_handle"][0] in graph.samples
    assert isinstance(wrong, SendError)
    assert len(graph.templates) == 1


def test_a_sample_that_does_not_arrive_hands_nothing_in() -> None:
    file = OwnFile(PDF, "application/pdf", "nota.pdf", "")
    with FakeGraph() as graph:
        for kind, outcome in (("cut_before", "retry"), ("server_error", "retry")):
            graph.faults.clear()
            graph.fault(kind, target="media")
            failed = provider("meta").submit_template(
                meta_account(graph.url), with_file("document"), "", file
            )
            assert isinstance(failed, SendError)
            assert failed.outcome in (outcome, "uncertain")
        unknown = provider("meta").submit_template(
            meta_account(graph.url), with_file("document"), "", OwnFile(b"GIF89a", "image/gif", "a.gif", "")
        )
        assert isinstance(unknown, SendError)
        assert graph.templates == []


def test_a_listed_template_with_a_file_reads_back() -> None:
    sent = meta_templates.submission(with_file("document"), "4::x") | {"id": "1", "status": "APPROVED"}
    read = meta_templates.read(sent)
    assert read is not None
    assert (read.wording.header_kind, read.wording.file_id, read.wording.unsupported) == ("document", 0, "")
    assert [one.key for one in templates.placeholders(read.wording)] == ["header", "1"]


def test_a_file_of_ours_needs_no_value_and_gives_way_to_one() -> None:
    wording = with_file("document").wording
    assert [one.key for one in templates.placeholders(wording)] == ["1"]
    filled = templates.fill(wording, {"1": "Ana"})
    assert (filled.file_id, [part["type"] for part in filled.components]) == (7, ["body"])
    other = templates.fill(wording, {"1": "Ana", "header": "https://loja.example/nota-9.pdf"})
    assert other.file_id == 0
    assert other.components[0]["parameters"][0]["document"] == {"link": "https://loja.example/nota-9.pdf"}


# --- through the pages --------------------------------------------------------------------------------------

FIELDS = {"name": "nota_fiscal", "language": "pt_BR", "category": "utility", "body": BODY, "example:1": "Bia"}


@pytest.fixture
def graph() -> Iterator[FakeGraph]:
    with FakeGraph() as fake:
        yield fake


@pytest.fixture
def meta_number(app: Flask, graph: FakeGraph, load_config: Callable[..., Config]) -> str:
    app.config["BALCAO"] = load_config(GRAPH_API_BASE_URL=graph.url)
    with app.app_context():
        row = make_meta_number()
        db.session.commit()
        return str(row.id)


def write(client: FlaskClient, path: str, content: bytes = b"", **fields: Any) -> TestResponse:
    data = {"csrf_token": token(client, "/templates/new")} | FIELDS | fields
    if content:
        data["header_file"] = (io.BytesIO(content), "amostra")
    return client.post(path, data=data, headers=AS_BROWSER)


def first(app: Flask) -> MessageTemplate:
    with app.app_context():
        row = db.session.query(MessageTemplate).first()
        assert row is not None
        db.session.expunge_all()
        return row


def test_a_picture_goes_from_the_form_to_the_review_and_survives_a_sync(
    app: Flask, admin: FlaskClient, graph: FakeGraph, meta_number: str
) -> None:
    shown = write(
        admin, "/templates/new", picture_bytes(), number=meta_number, header_kind="image", preview="1"
    )
    assert shown.status_code == 200
    kept = shown.text.partition('name="header_file_kept" value="')[2].partition('"')[0]
    assert kept, "a preview keeps the file"
    fields: dict[str, Any] = {"number": meta_number, "header_kind": "image"}
    assert write(admin, "/templates/new", **fields).status_code == 422
    forged = kept.replace(kept[-6:], "000000")
    assert write(admin, "/templates/new", header_file_kept=forged, **fields).status_code == 422
    saved = write(admin, "/templates/new", header_file_kept=kept, **fields)
    assert saved.status_code == 303
    assert "amostra" in get(admin, f"{saved.location}/edit").text
    post(admin, f"{saved.location}/submit", "/templates/new")
    assert graph.samples
    assert first(app).status == "pending"
    graph.templates[0]["status"] = "APPROVED"
    post(admin, "/templates/sync", "/templates/new", number=meta_number)
    row = first(app)
    assert row.status == "approved"
    assert row.wording["file_id"], "the file stays what is sent"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"GIF89a....", "image"),
        (PDF, "image"),
        (picture_bytes(), "video"),
        (b"\x89PNG\r\n\x1a\nhalf", "image"),
    ],
)
def test_a_file_that_is_no_sample_is_told_at_its_field(
    app: Flask, admin: FlaskClient, meta_number: str, content: bytes, kind: str
) -> None:
    answer = write(admin, "/templates/new", content, number=meta_number, header_kind=kind)
    assert answer.status_code == 422
    assert 'id="header_file-problem"' in answer.text
    with app.app_context():
        assert db.session.query(MessageTemplate).count() == 0


def test_a_form_shows_one_button_more_than_are_taken(admin: FlaskClient, meta_number: str) -> None:
    assert get(admin, "/templates/new").text.count('name="button_kind_') == 3
    buttons: dict[str, Any] = {f"button_kind_{place}": "quick_reply" for place in range(5)}
    buttons |= {f"button_text_{place}": f"Opção {place}" for place in range(5)}
    saved = write(admin, "/templates/new", number=meta_number, **buttons)
    page = get(admin, f"{saved.location}/edit").text
    assert page.count('name="button_kind_') == 6
    assert "Opção 4" in page


# --- how it leaves ------------------------------------------------------------------------------------------


@pytest.fixture
def desk(graph: FakeGraph, load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    known = {**META, "WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID}
    with walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **known), graph) as desk:
        yield desk


def test_a_template_leaves_with_its_file_which_is_uploaded_once(desk: WalkedDesk, graph: FakeGraph) -> None:
    desk.says("oi")
    with desk.app.app_context():
        number = integrations.numbers()[0]
        file = StoredFile(sha256="0" * 64, path="nota.pdf", mime_type="application/pdf", filename="nota.pdf")
        file.size_bytes, file.created_at = len(PDF), NOW
        db.session.add(file)
        db.session.flush()
        folder = tasks._config().media_dir
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nota.pdf").write_bytes(PDF)
        wording = Wording(BODY, header_kind="document", examples={"1": "Bia"}, file_id=file.id)
        row = message_templates.save_draft(number.id, draft(wording), now=NOW)
        message_templates.begin_submission(row, now=NOW)
        graph.review = "APPROVED"
        answer = provider("meta").submit_template(
            number.account, message_templates.draft_of(row), "", OwnFile(PDF, "application/pdf", "n.pdf", "")
        )
        assert isinstance(answer, Submitted)
        message_templates.note_submitted(row.id, answer, now=NOW)
        conversation = conversations.admit(number, Person(wa_id=CUSTOMER), now=desk.clock())
        for name in ("Ana", "Bia"):
            message_templates.queue(
                conversation.id, row, {"1": name}, purpose="test", now=desk.clock(), client_token=name
            )
        db.session.commit()
    desk.clock.advance(30 * 3600)
    uploads = len(graph.media)
    desk.work()
    sent = [message.payload["template"] for message in graph.sent if message.type == "template"]
    files = [one["components"][0]["parameters"][0]["document"] for one in sent]
    assert [graph.media[file["id"]].content for file in files] == [PDF, PDF]
    assert files[0]["filename"] == "nota.pdf"
    assert len(graph.media) == uploads + 1, "a campaign uploads its file once"


# --- Twilio -------------------------------------------------------------------------------------------------


def twilio_account(url: str) -> Account:
    return Account(1, "twilio", TWILIO_NUMBER, ACCOUNT_SID, access_token=AUTH_TOKEN, base_url=url)


SHARED: dict[str, Wording] = {
    "twilio/text": Wording("Oi {{1}}, tudo certo?", examples={"1": "Ana"}, style="shared"),
    "twilio/quick-reply": Wording("Oi?", buttons=(Button("quick_reply", "Sim"),), style="shared"),
    "twilio/call-to-action": Wording(
        "Oi {{1}}, tudo certo?",
        buttons=(
            Button("url", "Ver", url="https://loja.example/p/{{2}}"),
            Button("phone_number", "Ligar", phone="+5511999990000"),
            Button("copy_code", "Copiar", code="VERAO10"),
        ),
        examples={"1": "Ana", "2": "P-7"},
        style="shared",
    ),
    "whatsapp/card": Wording(
        "Oi {{1}}, a nota chegou.",
        "document",
        "https://loja.example/{{2}}",
        "Loja da Ana",
        (Button("quick_reply", "Obrigada"), Button("url", "Ver", url="https://loja.example/p")),
        {"1": "Ana", "2": "n/7.pdf"},
        "shared",
    ),
}


def follow_reviews(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        tasks.reconcile_numbers(tasks.RECONCILE_BACK)


@pytest.mark.parametrize("kind", SHARED)
def test_a_content_is_made_handed_in_and_reads_back(kind: str) -> None:
    wanted = draft(SHARED[kind], "aviso")
    assert templates.problems(wanted) == []
    with FakeTwilio() as fake:
        account = twilio_account(fake.url)
        taken = provider("twilio").submit_template(account, wanted)
        assert isinstance(taken, Submitted)
        assert taken.status == "pending"
        assert list(fake.contents[taken.external_id]["types"]) == [kind]
        listed = provider("twilio").list_templates(account)
        assert isinstance(listed, tuple)
        assert [one.wording for one in listed] == [wanted.wording]
        fake.approvals[taken.external_id] |= {"status": "rejected", "rejection_reason": "too short"}
        again = provider("twilio").submit_template(account, wanted, taken.external_id)
        assert isinstance(again, Submitted)
        assert list(fake.contents) == [again.external_id], "the new Content takes the place of the old one"


def test_a_content_that_whatsapp_does_not_take_is_removed_again() -> None:
    with FakeTwilio() as fake:
        fake.fault("error", target="create", code=20001)
        refused = provider("twilio").submit_template(
            twilio_account(fake.url), draft(SHARED["twilio/text"], "aviso")
        )
        assert isinstance(refused, SendError)
        assert fake.contents == {}


def test_a_template_is_handed_in_at_twilio_asked_for_and_sent(load_config: Callable[..., Config]) -> None:
    with FakeTwilio() as fake, FakeGraph() as graph:
        with walked_desk(load_config(TWILIO_API_BASE_URL=fake.url, **TWILIO), graph) as desk:
            with desk.app.app_context():
                number = integrations.numbers()[0]
                row = message_templates.save_draft(number.id, draft(SHARED["whatsapp/card"], "nota"), now=NOW)
                assert message_templates.begin_submission(row, now=NOW)
                answer = provider("twilio").submit_template(number.account, message_templates.draft_of(row))
                assert isinstance(answer, Submitted)
                message_templates.note_submitted(row.id, answer, now=NOW)
                db.session.commit()
                sid = answer.external_id
            follow_reviews(desk)
            assert desk.rows(MessageTemplate)[0].status == "pending"
            fake.approvals[sid]["status"] = "approved"
            follow_reviews(desk)
            assert desk.rows(MessageTemplate)[0].status == "approved"
            with desk.app.app_context():
                row = db.session.query(MessageTemplate).one()
                conversation = conversations.admit(number, Person(wa_id=CUSTOMER), now=desk.clock())
                values = {"1": "Ana", "2": "n/9.pdf"}
                message_templates.queue(conversation.id, row, values, purpose="test", now=desk.clock())
                db.session.commit()
                conversation_id = conversation.id
            tasks.run_outbox.call_local(conversation_id)
            (sent,) = fake.sent
            assert (sent.content_sid, sent.content_variables) == (sid, values)


def test_a_rejection_at_twilio_is_told_with_its_reason(load_config: Callable[..., Config]) -> None:
    with FakeTwilio() as fake, FakeGraph() as graph:
        with walked_desk(load_config(TWILIO_API_BASE_URL=fake.url, **TWILIO), graph) as desk:
            with desk.app.app_context():
                number = integrations.numbers()[0]
                row = message_templates.save_draft(number.id, draft(SHARED["twilio/text"], "oi"), now=NOW)
                message_templates.begin_submission(row, now=NOW)
                answer = provider("twilio").submit_template(number.account, message_templates.draft_of(row))
                assert isinstance(answer, Submitted)
                message_templates.note_submitted(row.id, answer, now=NOW)
                db.session.commit()
            fake.approvals[answer.external_id] |= {"status": "rejected", "rejection_reason": "too short"}
            follow_reviews(desk)
            row = desk.rows(MessageTemplate)[0]
            assert (row.status, row.status_reason) == ("rejected", "too short")


def test_a_contents_file_is_known_by_its_address() -> None:
    node = {"sid": "HX1", "types": {"twilio/media": {"body": "Oi", "media": ["https://x.example/{{1}}"]}}}
    for sample, kind in (("a.png", "image"), ("b.mp4", "video"), ("c.pdf", "document"), ("d", "")):
        read = twilio_templates.read(node | {"variables": {"1": sample}})
        assert read is not None
        assert read.wording.header_kind == kind
