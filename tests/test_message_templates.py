"""Message templates: what is in one, how it is filled, its life at the provider, and how it leaves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

import conversations
import history
import integrations
import message_templates
import tasks
from config import Config
from integrations import Number
from message_templates import DraftRefused, TemplateRefused
from models import Alert, Contact, Conversation, Integration, Message, MessageTemplate, TemplateUse, db
from providers import meta_templates, provider, templates
from providers.base import Account, Person, SendError
from providers.templates import Button, Draft, ListedTemplate, Submitted, Unfillable, Wording
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
    MetaWebhooks,
    Webhook,
)
from tests.real_door import TWILIO, WalkedDesk, walked_desk

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
GREETING = {"pt": "oi", "es": "hola", "en": "hello"}
BODIES = {
    "pt_BR": "Olá {{name}}, o seu pedido {{order}} chegou. Até logo!",
    "es": "Hola {{name}}, tu pedido {{order}} llegó. ¡Hasta pronto!",
    "en_US": "Hi {{name}}, your order {{order}} is here. See you!",
}
ORDER = Wording(
    body="Olá {{1}}, o pedido {{2}} saiu para entrega.",
    header_kind="text",
    header="Pedido {{1}}",
    footer="Loja da Ana",
    buttons=(
        Button("quick_reply", "Falar com alguém"),
        Button("url", "Acompanhar", url="https://loja.example/p/{{1}}"),
        Button("copy_code", "", code="VERAO10"),
    ),
    examples={"1": "Bia", "2": "P-7", "header:1": "P-7", "button:1": "P-7"},
)
VALUES = {"1": "Ana\n Lima", "2": "P-9", "header:1": "P-9", "button:1": "P 9", "button:2": "VERAO10"}


def found(integration_id: int, language: str = "pt") -> MessageTemplate:
    row = message_templates.find(integration_id, "pedido", language)
    assert row is not None
    return row


def handed_in(number: Number, row: MessageTemplate) -> None:
    """Hand a draft in as the page does. Commits."""
    assert message_templates.begin_submission(row, now=NOW)
    account = number.account
    answer = provider(account.provider).submit_template(account, message_templates.draft_of(row))
    assert not isinstance(answer, SendError)
    message_templates.note_submitted(row.id, answer, now=NOW)
    db.session.commit()


def draft(**changes: Any) -> Draft:
    known: dict[str, Any] = {"name": "pedido_saiu", "language": "pt_BR", "category": "utility"}
    wording = Wording(body="Olá {{1}}, o pedido saiu.", examples={"1": "Bia"})
    return Draft(**{**known, "wording": wording, **changes})


# --- what is in one -----------------------------------------------------------------------------------------


def test_placeholders_are_counted_part_by_part() -> None:
    assert [one.key for one in templates.placeholders(ORDER)] == [
        "header:1",
        "1",
        "2",
        "button:1",
        "button:2",
    ]


def test_at_twilio_all_parts_share_their_placeholders() -> None:
    wording = Wording(
        "Oi {{1}}", buttons=(Button("url", "Ver", url="https://x.example/{{2}}"),), style="shared"
    )
    assert [one.key for one in templates.placeholders(wording)] == ["1", "2"]
    filled = templates.fill(wording, {"1": "Ana", "2": "P-9"})
    assert filled.components == ({"type": "variables", "values": {"1": "Ana", "2": "P-9"}},)


def test_a_template_is_filled_as_meta_wants_it() -> None:
    filled = templates.fill(ORDER, VALUES, payloads={0: "@person"})
    assert filled.preview == "*Pedido P-9*\n\nOlá Ana Lima, o pedido P-9 saiu para entrega.\n\n_Loja da Ana_"
    assert [(part["type"], part.get("sub_type"), part["parameters"]) for part in filled.components] == [
        ("header", None, [{"type": "text", "text": "P-9"}]),
        ("body", None, [{"type": "text", "text": "Ana Lima"}, {"type": "text", "text": "P-9"}]),
        ("button", "quick_reply", [{"type": "payload", "payload": "@person"}]),
        ("button", "url", [{"type": "text", "text": "P%209"}]),
        ("button", "copy_code", [{"type": "coupon_code", "coupon_code": "VERAO10"}]),
    ]


@pytest.mark.parametrize(
    ("values", "code", "keys"),
    [
        ({}, "missing", ("header:1", "1", "2", "button:1", "button:2")),
        (VALUES | {"2": " \n "}, "missing", ("2",)),
        (VALUES | {"1": "x" * 1100}, "too_long", ("1", "2")),
    ],
)
def test_what_does_not_fit_is_not_filled(values: dict[str, str], code: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(Unfillable) as refused:
        templates.fill(ORDER, values)
    assert (refused.value.code, refused.value.keys) == (code, keys)


def test_a_file_of_the_header_is_an_https_address() -> None:
    wording = Wording("Sua nota.", header_kind="document")
    with pytest.raises(Unfillable, match="bad_link"):
        templates.fill(wording, {"header": "file:///etc/passwd"})
    filled = templates.fill(wording, {"header": "https://loja.example/nota.pdf"})
    assert filled.components[0]["parameters"][0]["document"] == {"link": "https://loja.example/nota.pdf"}


def test_what_the_desk_cannot_fill_is_refused() -> None:
    with pytest.raises(Unfillable, match="unsupported"):
        templates.fill(Wording("Oi", unsupported="carousel"), {})


def test_a_wording_comes_back_from_its_row() -> None:
    assert templates.from_json(templates.to_json(ORDER)) == ORDER


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("pt", ("es", "pt_BR"), "pt_BR"),
        ("pt", ("pt_PT", "pt_BR"), "pt_BR"),
        ("es", ("es_AR", "es_MX"), "es_MX"),
        ("es", ("es_AR",), "es_AR"),
        ("en", ("en", "en_US"), "en"),
        ("pt_BR", ("pt_BR",), "pt_BR"),
        ("ja", ("pt_BR", "en"), None),
        ("", ("en",), None),
    ],
)
def test_the_language_of_a_person_is_found(wanted: str, offered: tuple[str, ...], chosen: str | None) -> None:
    assert templates.pick_language(wanted, offered) == chosen


@pytest.mark.parametrize(
    ("changes", "part", "code"),
    [
        ({"name": "Pedido Saiu"}, "name", "bad_name"),
        ({"name": ""}, "name", "bad_name"),
        ({"language": "pt"}, "language", "unknown_language"),
        ({"category": "authentication"}, "category", "unknown_category"),
        ({"wording": Wording("")}, "body", "empty"),
        ({"wording": Wording("x" * 1025)}, "body", "too_long"),
        ({"wording": Wording("{{1}} saiu", examples={"1": "x"})}, "body", "placeholder_at_edge"),
        ({"wording": Wording("Olá, {{1}}!", examples={"1": "x"})}, "body", "placeholder_at_edge"),
        ({"wording": Wording("Olá {{1}}{{2}} tudo bem aí", examples={})}, "body", "placeholders_touch"),
        ({"wording": Wording("Olá {{2}} tudo bem", examples={"2": "x"})}, "body", "not_in_sequence"),
        ({"wording": Wording("Olá {{nome}} tudo", examples={"nome": "x"})}, "body", "not_in_sequence"),
        ({"wording": Wording("Olá {{1} tudo bem")}, "body", "broken_placeholder"),
        ({"wording": Wording("Olá {{1}} tudo bem aí")}, "examples", "no_example"),
        ({"wording": Wording("Olá", footer="até {{1}}")}, "footer", "no_placeholder_here"),
        ({"wording": Wording("Olá", footer="x" * 61)}, "footer", "too_long"),
        ({"wording": Wording("Olá", header_kind="text", header="x" * 61)}, "header", "too_long"),
        ({"wording": Wording("Olá", header_kind="image")}, "header_file", "no_file"),
        ({"wording": Wording("Olá", header_kind="location")}, "header_kind", "header_kind"),
        (
            {"wording": Wording("Olá", "image", "http://x.example/a.png", style="shared")},
            "header",
            "bad_link",
        ),
        (
            {"wording": Wording("Olá", "video", "https://x.example/a.png", style="shared")},
            "header",
            "other_kind",
        ),
        (
            {"wording": Wording("Olá {{1}} e {{3}} aí", style="shared", examples={"1": "a", "3": "b"})},
            "body",
            "not_in_sequence",
        ),
        (
            {"wording": Wording("Olá", buttons=(Button("quick_reply", "x" * 21),), style="shared")},
            "buttons",
            "too_long",
        ),
        ({"wording": Wording("Olá", buttons=(Button("quick_reply", "x" * 26),))}, "buttons", "too_long"),
        ({"wording": Wording("Olá", buttons=(Button("quick_reply", "Sim"),) * 2)}, "buttons", "same_title"),
        ({"wording": Wording("Olá", buttons=(Button("url", "Ver", url="http://x"),))}, "buttons", "bad_link"),
        ({"wording": Wording("Olá", buttons=(Button("otp", "Copiar"),))}, "buttons", "button_kind"),
        (
            {"wording": Wording("Olá", buttons=tuple(Button("quick_reply", f"{n}") for n in range(11)))},
            "buttons",
            "too_many",
        ),
        (
            {
                "wording": Wording(
                    "Olá",
                    buttons=(
                        Button("quick_reply", "a"),
                        Button("url", "b", url="https://x.example"),
                        Button("quick_reply", "c"),
                    ),
                )
            },
            "buttons",
            "mixed",
        ),
    ],
)
def test_what_meta_would_refuse_is_found_before(changes: dict[str, Any], part: str, code: str) -> None:
    assert (part, code) in {(problem.part, problem.code) for problem in templates.problems(draft(**changes))}


def test_a_good_draft_has_no_problems() -> None:
    assert templates.problems(draft()) == []
    assert templates.problems(draft(wording=ORDER)) == []
    named = Wording("Olá {{nome}}, tudo bem?", style="named", examples={"nome": "Bia"})
    assert templates.problems(draft(wording=named)) == []


def test_a_submission_reads_back_as_it_was() -> None:
    sent = meta_templates.submission(draft(wording=ORDER)) | {"id": "1", "status": "APPROVED"}
    read = meta_templates.read(sent)
    assert read is not None
    # Meta has no place for the example of a link's ending but the whole link.
    kept = {key: value for key, value in ORDER.examples.items() if key != "button:1"}
    button = Button("copy_code", "", code="VERAO10")
    assert read.wording == Wording(
        ORDER.body, "text", ORDER.header, ORDER.footer, (*ORDER.buttons[:2], button), kept
    )


@pytest.mark.parametrize(
    "item",
    [None, 7, {}, {"id": "1"}, {"id": "1", "name": "x", "language": "pt_BR", "components": [None, "x", {}]}],
)
def test_a_list_of_any_shape_is_read(item: Any) -> None:
    read = meta_templates.read(item)
    assert read is None or read.wording.body == ""


# --- the wires ----------------------------------------------------------------------------------------------


def meta_account(url: str) -> Account:
    return Account(1, "meta", PHONE_NUMBER_ID, BUSINESS_ACCOUNT_ID, access_token=ACCESS_TOKEN, base_url=url)


def test_meta_gives_all_pages_of_its_list() -> None:
    with FakeGraph() as graph:
        for place in range(230):
            graph.add_template(f"t{place}", "pt_BR", "Oi {{1}} tudo bem", status="PAUSED")
        listed = provider("meta").list_templates(meta_account(graph.url))
    assert isinstance(listed, tuple)
    assert [one.name for one in listed] == [f"t{place}" for place in range(230)]
    assert {(one.status, one.category) for one in listed} == {("paused", "utility")}
    assert len([r for r in graph.requests if "message_templates" in r]) == 3


def test_a_list_that_fails_in_the_middle_is_no_list() -> None:
    with FakeGraph() as graph:
        graph.add_template("a", "pt_BR", "Oi")
        failed = provider("meta").list_templates(
            Account(1, "meta", PHONE_NUMBER_ID, BUSINESS_ACCOUNT_ID, access_token="no", base_url=graph.url)
        )
    assert isinstance(failed, SendError)
    assert failed.is_credential_problem
    lost = provider("meta").list_templates(
        Account(1, "meta", "1", "2", access_token="x", base_url=graph.url, timeout_secs=5)
    )
    assert isinstance(lost, SendError)
    nameless = provider("meta").list_templates(Account(1, "meta", PHONE_NUMBER_ID))
    assert isinstance(nameless, SendError)
    assert nameless.code == "no_business_account"


def test_meta_takes_a_draft_and_refuses_it_twice() -> None:
    with FakeGraph() as graph:
        account = meta_account(graph.url)
        taken = provider("meta").submit_template(account, draft(wording=ORDER))
        again = provider("meta").submit_template(account, draft(wording=ORDER))
        known_id = taken.external_id if isinstance(taken, Submitted) else ""
        changed = provider("meta").submit_template(account, draft(), known_id)
    assert isinstance(taken, Submitted)
    assert (taken.status, taken.category) == ("pending", "utility")
    assert isinstance(again, SendError)
    assert again.outcome == "final"
    assert changed == Submitted(taken.external_id, "pending", "utility")
    assert graph.templates[0]["components"][0]["text"] == "Olá {{1}}, o pedido saiu."


def content_of_twilio(fake: FakeTwilio, sid: str, name: str, body: str, status: str = "approved") -> None:
    fake.contents[sid] = {
        "sid": sid,
        "friendly_name": name,
        "language": "pt_BR",
        "variables": {"1": "Ana"},
        "types": {"twilio/quick-reply": {"body": body, "actions": [{"title": "Sim", "id": "yes"}]}},
    }
    fake.approvals[sid] = {"status": status, "category": "UTILITY", "rejection_reason": ""}


def test_twilio_gives_its_contents_with_their_approvals() -> None:
    with FakeTwilio() as fake:
        for place in range(205):
            content_of_twilio(fake, f"HX{place:032d}", f"c{place}", "Oi {{1}}")
        account = Account(1, "twilio", TWILIO_NUMBER, ACCOUNT_SID, access_token=AUTH_TOKEN, base_url=fake.url)
        listed = provider("twilio").list_templates(account)
    assert isinstance(listed, tuple)
    assert len(listed) == 205
    assert listed[0] == ListedTemplate(
        "HX" + "0" * 32,
        "c0",
        "pt_BR",
        "utility",
        "approved",
        Wording("Oi {{1}}", buttons=(Button("quick_reply", "Sim"),), examples={"1": "Ana"}, style="shared"),
    )


# --- their life ---------------------------------------------------------------------------------------------


@pytest.fixture
def desk_environ() -> dict[str, str]:
    return {"WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID}


def sync(desk: WalkedDesk) -> message_templates.Synced:
    with desk.app.app_context():
        number = integrations.numbers()[0]
        listed = provider(number.account.provider).list_templates(number.account)
        assert isinstance(listed, tuple)
        synced = message_templates.keep_listing(number, listed, now=desk.clock())
        db.session.commit()
        return synced


def news(topic: str, waba: str = BUSINESS_ACCOUNT_ID, **value: Any) -> Webhook:
    signer = MetaWebhooks(business_account_id=waba)
    payload = signer.envelope([value], field=topic)
    payload["entry"][0]["time"] = 1_763_712_800 + value.pop("second", 0)
    return signer.sign(payload)


def add_bodies(desk: WalkedDesk) -> None:
    for language, body in BODIES.items():
        desk.graph.add_template("pedido", language, body)
    sync(desk)


def test_a_sync_writes_changes_and_marks_what_is_gone(desk: WalkedDesk) -> None:
    kept = desk.graph.add_template("lembrete", "pt_BR", "Oi {{1}}, até amanhã.")
    desk.graph.add_template("antigo", "pt_BR", "Oi")
    assert sync(desk) == message_templates.Synced(new=2, total=2)
    assert sync(desk) == message_templates.Synced(total=2)
    desk.graph.templates.remove(desk.graph.templates[1])
    kept["status"], kept["quality_score"] = "PAUSED", {"score": "RED"}
    assert sync(desk) == message_templates.Synced(changed=1, gone=1, total=1)
    rows = {row.name: row for row in desk.rows(MessageTemplate)}
    assert (rows["lembrete"].status, rows["lembrete"].quality) == ("paused", "red")
    assert rows["antigo"].status == "deleted"
    assert {alert.kind for alert in desk.rows(Alert)} == {"template"}


def test_the_provider_tells_what_became_of_a_template(desk: WalkedDesk) -> None:
    known = desk.graph.add_template("lembrete", "pt_BR", "Oi {{1}}, até amanhã.", status="PENDING")
    sync(desk)
    about: dict[str, Any] = {
        "message_template_id": int(known["id"]),
        "message_template_name": "lembrete",
        "message_template_language": "pt_BR",
    }
    topic = "message_template_status_update"
    for second, word in enumerate(("APPROVED", "PAUSED", "APPROVED")):
        assert desk.post(news(topic, event=word, reason=None, second=second, **about)) == 200
    desk.post(news("message_template_quality_update", new_quality_score="YELLOW", **about))
    desk.post(news("template_category_update", new_category="MARKETING", **about))
    desk.work()
    (row,) = desk.rows(MessageTemplate)
    assert (row.status, row.quality, row.category) == ("approved", "yellow", "marketing")
    with desk.app.app_context():
        steps = [(step.before, step.after) for step in history.changes_of("template", row.id)]
    assert steps == [
        ("", "pending"),
        ("pending", "approved"),
        ("approved", "paused"),
        ("paused", "approved"),
    ]
    assert set(desk.states()) == {"done"}
    open_topics = {alert.open_topic for alert in desk.rows(Alert) if alert.open_topic}
    assert open_topics == {f"template_category:{row.id}"}


def test_a_rejection_is_told_with_its_reason(desk: WalkedDesk) -> None:
    known = desk.graph.add_template("lembrete", "pt_BR", "Oi", status="PENDING")
    sync(desk)
    info = {"reason": "INVALID_FORMAT", "recommendation": "Feche as chaves."}
    desk.post(
        news(
            "message_template_status_update",
            event="REJECTED",
            reason="INVALID_FORMAT",
            rejection_info=info,
            message_template_id=known["id"],
        )
    )
    desk.work()
    (row,) = desk.rows(MessageTemplate)
    assert (row.status, row.status_reason) == ("rejected", "INVALID_FORMAT: Feche as chaves.")


def test_news_of_somebody_elses_account_change_nothing(desk: WalkedDesk) -> None:
    known = desk.graph.add_template("lembrete", "pt_BR", "Oi")
    sync(desk)
    topic = "message_template_status_update"
    desk.post(news(topic, waba="999", event="DISABLED", message_template_id=known["id"]))
    desk.post(news(topic, event="DISABLED", message_template_id="77", message_template_name="outro"))
    desk.post(news(topic, event=["x"], message_template_id={"a": 1}, message_template_name=None))
    desk.work()
    assert [row.status for row in desk.rows(MessageTemplate)] == ["approved"]
    assert desk.states() == ["ignored"] * 3


def test_a_draft_is_handed_in_once(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        number = integrations.numbers()[0]
        row = message_templates.save_draft(number.id, draft(), now=NOW)
        db.session.commit()
        handed_in(number, row)
        assert not message_templates.begin_submission(row, now=NOW)
        assert row.status == "pending"
        with pytest.raises(DraftRefused) as refused:
            message_templates.save_draft(number.id, draft(), row, now=NOW)
        assert [problem.code for problem in refused.value.problems] == ["handed_in"]
        with pytest.raises(DraftRefused, match="taken"):
            message_templates.save_draft(number.id, draft(), now=NOW)
        assert not message_templates.delete_draft(row)
    assert sync(desk).total == 1
    assert len(desk.rows(MessageTemplate)) == 1


def test_a_hand_in_whose_answer_was_lost_is_settled_by_the_next_sync(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        row = message_templates.save_draft(integrations.numbers()[0].id, draft(), now=desk.clock())
        message_templates.begin_submission(row, now=desk.clock())
        db.session.commit()
    sync(desk)
    assert desk.rows(MessageTemplate)[0].status == "pending"
    desk.clock.advance(660)
    sync(desk)
    assert desk.rows(MessageTemplate)[0].status == "draft"


# --- how one leaves -----------------------------------------------------------------------------------------


def queue(desk: WalkedDesk, language: str, **changes: Any) -> int:
    with desk.app.app_context():
        conversation = db.session.scalars(select(Conversation)).one()
        row = found(conversation.integration_id, language)
        given = {"values": {"name": "Ana", "order": "P-7"}, "purpose": "test", "now": desk.clock(), **changes}
        message_id = message_templates.queue(conversation.id, row, **given)
        db.session.commit()
    desk.work()
    return message_id


@pytest.mark.parametrize(("language", "code"), [("pt", "pt_BR"), ("es", "es"), ("en", "en_US")])
def test_a_template_leaves_when_the_window_is_closed(desk: WalkedDesk, language: str, code: str) -> None:
    add_bodies(desk)
    desk.says(GREETING[language])
    desk.clock.advance(timedelta(days=3).total_seconds())
    before = len(desk.graph.sent)
    message_id = queue(desk, language)
    (sent,) = desk.graph.sent[before:]
    assert (sent.type, sent.to, sent.text) == ("template", CUSTOMER, "pedido")
    assert sent.payload["template"]["language"] == {"code": code}
    (message,) = desk.messages(Message.id == message_id)
    assert message.status == "sent"
    assert message.body == BODIES[code].replace("{{name}}", "Ana").replace("{{order}}", "P-7")
    (use,) = desk.rows(TemplateUse)
    assert (use.message_id, use.purpose) == (message_id, "test")
    assert desk.conversation().last_preview.startswith(message.body[:20])


def test_what_may_not_leave_is_not_queued(desk: WalkedDesk) -> None:
    add_bodies(desk)
    desk.says("oi")
    count = len(desk.outgoing())
    for values, code in (({}, "missing"), ({"name": "Ana"}, "missing")):
        with pytest.raises(TemplateRefused) as refused:
            queue(desk, "pt", values=values)
        assert refused.value.code == code
    desk.change(Contact, refuses_marketing_at=NOW)
    queue(desk, "pt")  # a service message goes to whom no advertisement goes
    desk.change(MessageTemplate, category="marketing")
    with pytest.raises(TemplateRefused, match="refuses_marketing"):
        queue(desk, "pt")
    desk.change(Contact, refuses_marketing_at=None, opted_out_at=NOW)
    with pytest.raises(TemplateRefused, match="opted_out"):
        queue(desk, "pt")
    assert len(desk.outgoing()) == count + 1


def test_a_template_that_is_paused_is_not_found(desk: WalkedDesk) -> None:
    add_bodies(desk)
    desk.says("oi")
    desk.change(MessageTemplate, MessageTemplate.language == "pt_BR", status="paused")
    with desk.app.app_context():
        number = integrations.numbers()[0].id
        assert message_templates.find(number, "pedido", "pt") is None
        fallen_back = message_templates.find(number, "pedido", "pt", fallback="en_US")
        assert fallen_back is not None
        assert fallen_back.language == "en_US"
        paused = db.session.scalars(select(MessageTemplate).where(MessageTemplate.language == "pt_BR")).one()
        with pytest.raises(TemplateRefused, match="not_approved"):
            message_templates.queue(1, paused, {}, purpose="test", now=NOW)


def test_another_numbers_template_is_refused(desk: WalkedDesk) -> None:
    add_bodies(desk)
    desk.says("oi")
    with desk.app.app_context():
        other = integrations.create(provider="meta", number_id="777", name="Outra")
        db.session.commit()
        other_id = other.id
    desk.change(MessageTemplate, integration_id=other_id)
    with desk.app.app_context():
        row = found(other_id)
        conversation = db.session.scalars(select(Conversation)).one()
        with pytest.raises(TemplateRefused, match="other_number"):
            message_templates.queue(
                conversation.id, row, {"name": "Ana", "order": "P-7"}, purpose="test", now=NOW
            )


def test_an_opt_out_cancels_a_template_that_has_not_left(desk: WalkedDesk) -> None:
    add_bodies(desk)
    desk.says("oi")
    with desk.app.app_context():
        conversation = db.session.scalars(select(Conversation)).one()
        row = found(conversation.integration_id)
        values = {"name": "Ana", "order": "P-7"}
        message_templates.queue(conversation.id, row, values, purpose="test", now=desk.clock())
        db.session.commit()
        conversations.opt_out(conversation.contact_id, now=desk.clock())
        db.session.commit()
    before = len(desk.graph.sent)
    desk.work()
    assert len(desk.graph.sent) == before
    assert desk.outgoing()[-1].error_code == "cancelled"


def test_twilios_template_leaves_by_its_content_sid(load_config: Callable[..., Config]) -> None:
    sid = "HX" + "a" * 32
    with FakeTwilio() as fake, FakeGraph() as graph:
        content_of_twilio(fake, sid, "pedido", "Oi {{1}}, tudo certo?")
        with walked_desk(load_config(TWILIO_API_BASE_URL=fake.url, **TWILIO), graph) as desk:
            sync(desk)
            with desk.app.app_context():
                number = integrations.numbers()[0]
                conversation = conversations.admit(number, Person(wa_id=CUSTOMER), now=desk.clock())
                row = found(number.id)
                message_templates.queue(conversation.id, row, {"1": "Ana"}, purpose="test", now=desk.clock())
                db.session.commit()
                conversation_id = conversation.id
            tasks.run_outbox.call_local(conversation_id)
            (sent,) = fake.sent
            assert (sent.content_sid, sent.content_variables) == (sid, {"1": "Ana"})
            assert desk.outgoing()[0].body == "Oi Ana, tudo certo?"


def test_two_contents_of_one_name_are_two_templates(load_config: Callable[..., Config]) -> None:
    with FakeTwilio() as fake, FakeGraph() as graph:
        for ending in ("a", "b"):
            content_of_twilio(fake, "HX" + ending * 32, "pedido", f"Oi {ending}")
        with walked_desk(load_config(TWILIO_API_BASE_URL=fake.url, **TWILIO), graph) as desk:
            assert sync(desk).new == 2
            assert sync(desk) == message_templates.Synced(total=2)
            assert [row.name for row in desk.rows(MessageTemplate)] == ["pedido", "pedido_bbbbbb"]


def test_a_simulated_number_approves_at_once_and_sends(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(), graph) as desk, desk.app.app_context():
        integration = integrations.create(
            provider="simulator", shape="twilio", number_id="+5511900000009", name="Demo", app_secret="s"
        )
        number = integrations.number(integration.id)
        assert number is not None
        row = message_templates.save_draft(number.id, draft(), now=NOW)
        handed_in(number, row)
        conversation = conversations.admit(number, Person(wa_id=CUSTOMER), now=desk.clock())
        message_templates.queue(conversation.id, row, {"1": "Ana"}, purpose="test", now=desk.clock())
        conversation_id = conversation.id
        db.session.commit()
        tasks.run_outbox.call_local(conversation_id)
        message = db.session.scalars(select(Message)).one()
        assert (message.status, (message.content or {})["name"][:2]) == ("sent", "HX")
        assert db.session.scalars(select(Integration)).one().provider == "simulator"
