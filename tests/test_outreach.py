"""Campaigns and planned messages, through the real door: who is reached, at what pace, once each, and what
came of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

import conversations
import history
import integrations
import message_templates
import tasks
import unasked
from config import Config
from message_templates import TemplateRefused
from models import (
    Alert,
    Campaign,
    CampaignRecipient,
    Contact,
    ContactIdentity,
    Conversation,
    Integration,
    Message,
    MessageTemplate,
    Operator,
    Sale,
    ScheduledMessage,
    db,
)
from outreach import audience, campaigns, limits, lists, results, scheduled
from outreach.audience import Segment, Value
from outreach.campaigns import CampaignRefused, Plan
from outreach.scheduled import NotSchedulable
from privacy import delete_person, export_person, find_people
from providers import provider
from providers.base import Person
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import BUSINESS_ACCOUNT_ID, CUSTOMER
from tests.real_door import META, WalkedDesk, walked_desk

BODIES = {
    "pt_BR": "Olá {{nome}}, chegou novidade na loja. Quer ver?",
    "es": "Hola {{nome}}, hay novedades en la tienda. ¿Quieres verlas?",
    "en_US": "Hi {{nome}}, there is something new in the shop. Want to see it?",
}
EVERYBODY = Segment()
GREETING = {"pt": "oi", "es": "hola", "en": "hello"}
STOP = {"pt": "sair", "es": "baja", "en": "stop"}
PEOPLE = ("5581999990001", "5581999990002", "5581999990003")


def noon_ahead() -> float:
    """Give the seconds to the next noon in Recife, so that no test depends on the hour of its run."""
    now = datetime.now(UTC)
    noon = datetime.combine(now.date(), time(15, 0), UTC)
    return ((noon - now) % timedelta(days=1)).total_seconds()


def say(desk: WalkedDesk, text: str, wa_id: str = CUSTOMER, **about: Any) -> None:
    """Let somebody write at the desk's own time: the real one may lie a whole window before it."""
    desk.says(text, wa_id, at=int(desk.clock().timestamp()), **about)


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    known = {**META, "WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID, "TIME_ZONE": "America/Recife"}
    with FakeGraph() as graph, walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **known), graph) as desk:
        desk.clock.advance(noon_ahead())
        for language, body in BODIES.items():
            graph.add_template("novidade", language, body, category="MARKETING")
        with desk.app.app_context():
            number = integrations.numbers()[0]
            listed = provider("meta").list_templates(number.account)
            assert isinstance(listed, tuple)
            message_templates.keep_listing(number, listed, now=desk.clock())
            db.session.add(Operator(email="m@example.com", name="Marta", password_hash="", role="manager"))
            db.session.commit()
        yield desk


def meet(desk: WalkedDesk, wa_id: str, name: str, language: str = "pt", **columns: Any) -> None:
    """Let somebody have written to us a while ago."""
    with desk.app.app_context():
        number = integrations.numbers()[0]
        conversation = conversations.admit(number, Person(wa_id=wa_id, name=name), now=desk.clock())
        conversation.last_inbound_at = desk.clock() - timedelta(days=30)
        contact = db.session.get_one(Contact, conversation.contact_id)
        contact.language = language
        for column, value in columns.items():
            setattr(contact, column, value)
        db.session.commit()


def make(desk: WalkedDesk, segment: Segment | None = EVERYBODY, per_minute: int = 60, **words: Any) -> int:
    """Make a draft of a campaign; gives its id."""
    with desk.app.app_context():
        number = integrations.numbers()[0]
        campaign = campaigns.create(
            Plan("Novidades", number.id, "novidade", segment), operator=None, now=desk.clock()
        )
        filling = {"nome": Value("first_name", otherwise="cliente")} | words.pop("filling", {})
        campaigns.change_words(campaign, filling, words.pop("fallback", ""), per_minute)
        db.session.commit()
        return campaign.id


def take_file(desk: WalkedDesk, campaign_id: int, text: str) -> audience.Preview:
    with desk.app.app_context():
        campaign, number = db.session.get_one(Campaign, campaign_id), integrations.numbers()[0]
        people = audience.people_of_file(campaign, number, lists.read(text.encode(), "BR"))
        campaigns.add_people(campaign, people)
        db.session.commit()
        counted = audience.Preview()
        for one in people:
            counted.count(one)
        return counted


def start(desk: WalkedDesk, campaign_id: int, at: datetime | None = None) -> None:
    with desk.app.app_context():
        campaigns.start(campaign_id, at=at, now=desk.clock(), operator=None)
        db.session.commit()


def sweep(desk: WalkedDesk) -> int:
    """Do what one sweep does; gives how many messages were queued."""
    with desk.app.app_context():
        woken = unasked.reach_out(desk.app.config["BALCAO"], desk.clock())
    for conversation_id in woken:
        tasks.run_outbox.call_local(conversation_id)
    return len(woken)


def run(desk: WalkedDesk, seconds: int = 600, step: int = 5) -> None:
    for _ in range(0, seconds, step):
        sweep(desk)
        desk.clock.advance(step)


def recipients(desk: WalkedDesk) -> dict[str, tuple[str, str]]:
    return {row.person_key: (row.state, row.reason) for row in desk.rows(CampaignRecipient)}


def state_of(desk: WalkedDesk) -> str:
    return str(desk.rows(Campaign)[0].state)


# --- who is reached -----------------------------------------------------------------------------------------


def test_everybody_reads_it_in_her_language_once(desk: WalkedDesk) -> None:
    for wa_id, name, language in zip(PEOPLE, ("Ana", "Eva", "Kim"), ("pt", "es", "en"), strict=True):
        meet(desk, wa_id, name, language)
    start(desk, make(desk))
    run(desk, 60)
    sent = {message.to: message.payload["template"] for message in desk.graph.sent}
    assert {wa_id: one["language"]["code"] for wa_id, one in sent.items()} == dict(
        zip(PEOPLE, ("pt_BR", "es", "en_US"), strict=True)
    )
    assert sent[PEOPLE[1]]["components"][0]["parameters"][0]["text"] == "Eva"
    assert len(desk.graph.sent) == 3
    assert state_of(desk) == "done"
    with desk.app.app_context():
        steps = [step.after for step in history.changes_of("campaign", 1)]
    assert steps == ["draft", "scheduled", "running", "done"]


def test_who_is_left_out_is_counted_with_the_reason(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    meet(desk, PEOPLE[1], "Bia", opted_out_at=desk.clock())
    meet(desk, PEOPLE[2], "Cora", refuses_marketing_at=desk.clock())
    meet(desk, "4915112345678", "Uwe", "de")
    meet(desk, "5581999990009", "", "pt")
    campaign_id = make(desk, filling={"nome": Value("first_name")})
    with desk.app.app_context():
        campaign = db.session.get_one(Campaign, campaign_id)
        found = audience.preview(campaign, integrations.numbers()[0], desk.clock())
    assert found.reached == 1
    assert dict(found.left_out) == {
        "opted_out": 1,
        "refuses_marketing": 1,
        "no_language": 1,
        "missing_value": 1,
    }
    start(desk, campaign_id)
    run(desk, 60)
    assert [message.to for message in desk.graph.sent] == [PEOPLE[0]]
    assert sorted(reason for _, reason in recipients(desk).values()) == [
        "",
        "missing_value",
        "no_language",
        "opted_out",
        "refuses_marketing",
    ]


def test_a_segment_asks_for_all_of_its_filters(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana", "pt")
    meet(desk, PEOPLE[1], "Eva", "es")
    with desk.app.app_context():
        ana = db.session.scalars(select(Contact).where(Contact.name == "Ana")).one()
        db.session.add(
            Sale(contact_id=ana.id, amount_minor=100, currency="BRL", method="pix", at=desk.clock())
        )
        db.session.commit()
    for segment, count in (
        (Segment(), 2),
        (Segment(language="es"), 1),
        (Segment(bought="yes"), 1),
        (Segment(bought="no", language="pt"), 0),
        (Segment(seen_within_days=7), 0),
        (Segment(silent_for_days=7), 2),
        (Segment(lead_status="new"), 0),
        (Segment(label_id=5), 0),
        (Segment(niche_id=5), 0),
    ):
        campaign_id = make(desk, segment)
        with desk.app.app_context():
            campaign = db.session.get_one(Campaign, campaign_id)
            assert audience.preview(campaign, integrations.numbers()[0], desk.clock()).reached == count


def test_a_file_brings_people_and_tells_who_is_left_out(desk: WalkedDesk) -> None:
    meet(desk, "558187654321", "Ana")  # known without the ninth digit
    meet(desk, PEOPLE[1], "Bia", opted_out_at=desk.clock())
    campaign_id = make(desk, None, filling={"nome": Value("column", "apelido", "cliente")})
    text = (
        "nome;telefone;apelido\n"
        "Ana;(81) 98765-4321;Aninha\n"
        "Ana de novo;+55 81 8765-4321;x\n"
        f"Bia;{PEOPLE[1]};Bia\n"
        f"Cora;{PEOPLE[2]};\n"
        "Nada;12;x\n"
    )
    counted = take_file(desk, campaign_id, text)
    assert (counted.reached, dict(counted.left_out)) == (
        2,
        {"duplicate": 1, "opted_out": 1, "invalid_phone": 1},
    )
    assert dict(take_file(desk, campaign_id, text).left_out)["already_in"] == 2
    start(desk, campaign_id)
    run(desk, 60)
    texts = {m.to: m.payload["template"]["components"][0]["parameters"][0]["text"] for m in desk.graph.sent}
    assert texts == {"558187654321": "Aninha", PEOPLE[2]: "cliente"}


def test_two_spellings_of_a_known_person_are_one(desk: WalkedDesk) -> None:
    meet(desk, "558187654321", "Ana")
    campaign_id = make(desk, None)
    counted = take_file(desk, campaign_id, "telefone\n81987654321\n8187654321\n")
    assert counted.reached == 1
    start(desk, campaign_id)
    run(desk, 60)
    values = [row.value for row in desk.rows(ContactIdentity)]
    assert values == ["558187654321"]


# --- pace and time ------------------------------------------------------------------------------------------


def test_it_keeps_its_pace_and_makes_up_for_little(desk: WalkedDesk) -> None:
    for place in range(20):
        meet(desk, f"55819999900{place:02d}", "Ana")
    start(desk, make(desk, per_minute=12))
    sweep(desk)
    assert len(desk.graph.sent) == 1
    for _ in range(5):
        desk.clock.advance(1)
        sweep(desk)
    assert len(desk.graph.sent) == 2
    desk.clock.advance(600)  # every worker slept
    sweep(desk)
    assert len(desk.graph.sent) <= 5


def test_nobody_is_written_to_at_night(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    desk.clock.advance(11 * 3600)  # 23:00 in Recife
    start(desk, make(desk))
    run(desk, 60)
    assert desk.graph.sent == []
    assert state_of(desk) == "running"
    desk.clock.advance(10 * 3600)
    run(desk, 60)
    assert len(desk.graph.sent) == 1


def test_a_start_that_lies_ahead_waits(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    campaign_id = make(desk)
    with pytest.raises(CampaignRefused, match="in_past"):
        start(desk, campaign_id, desk.clock() - timedelta(hours=1))
    start(desk, campaign_id, desk.clock() + timedelta(minutes=30))
    run(desk, 60)
    assert (state_of(desk), desk.graph.sent) == ("scheduled", [])
    desk.clock.advance(1800)
    run(desk, 60)
    assert len(desk.graph.sent) == 1


def test_a_second_click_on_start_is_refused(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    campaign_id = make(desk)
    start(desk, campaign_id)
    with pytest.raises(CampaignRefused, match="not_draft"):
        start(desk, campaign_id)
    with desk.app.app_context(), pytest.raises(CampaignRefused, match="not_draft"):
        campaigns.change_segment(db.session.get_one(Campaign, campaign_id), Segment())
    run(desk, 60)
    assert len(desk.graph.sent) == 1


# --- stopping -----------------------------------------------------------------------------------------------


def act(desk: WalkedDesk, verb: Callable[..., Any], campaign_id: int = 1) -> None:
    with desk.app.app_context():
        verb(campaign_id, now=desk.clock(), operator=None)
        db.session.commit()


def test_a_pause_holds_and_resuming_goes_on_with_the_rest(desk: WalkedDesk) -> None:
    for wa_id in PEOPLE:
        meet(desk, wa_id, "Ana")
    start(desk, make(desk, per_minute=12))
    sweep(desk)
    act(desk, campaigns.pause)
    run(desk, 60)
    assert len(desk.graph.sent) == 1
    with pytest.raises(CampaignRefused, match="not_running"):
        act(desk, campaigns.pause)
    act(desk, campaigns.resume)
    run(desk, 60)
    assert sorted(message.to or "" for message in desk.graph.sent) == sorted(PEOPLE)


def test_a_cancelled_campaign_takes_back_what_has_not_left(desk: WalkedDesk) -> None:
    for wa_id in PEOPLE:
        meet(desk, wa_id, "Ana")
    start(desk, make(desk, per_minute=600))
    with desk.app.app_context():
        unasked.reach_out(desk.app.config["BALCAO"], desk.clock())
    act(desk, campaigns.cancel)
    desk.work()
    run(desk, 60)
    assert desk.graph.sent == []
    assert {message.error_code for message in desk.outgoing()} == {"cancelled"}
    with pytest.raises(CampaignRefused, match="over"):
        act(desk, campaigns.cancel)


def test_who_opts_out_after_the_start_gets_nothing(desk: WalkedDesk) -> None:
    for wa_id in PEOPLE:
        meet(desk, wa_id, "Ana")
    start(desk, make(desk, per_minute=12))
    sweep(desk)
    desk.change(Contact, opted_out_at=desk.clock())
    run(desk, 60)
    assert len(desk.graph.sent) == 1
    assert sorted(recipients(desk).values())[0] == ("left_out", "opted_out")
    assert state_of(desk) == "done"


def test_a_template_that_is_refused_halts_the_campaign(desk: WalkedDesk) -> None:
    for wa_id in PEOPLE:
        meet(desk, wa_id, "Ana")
    desk.graph.templates[0]["status"] = "PAUSED"
    start(desk, make(desk, per_minute=12))
    run(desk, 60)
    (campaign,) = desk.rows(Campaign)
    assert (campaign.state, campaign.reason) == ("paused", "refused")
    assert len([r for r in recipients(desk).values() if r[0] == "queued"]) <= 2
    desk.graph.templates[0]["status"] = "APPROVED"
    desk.clock.advance(60)
    act(desk, campaigns.resume)
    run(desk, 60)
    assert state_of(desk) == "done"
    assert len(desk.graph.sent) >= 1


def test_a_template_that_is_paused_halts_the_campaign(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    start(desk, make(desk))
    desk.change(MessageTemplate, status="paused")
    run(desk, 30)
    (campaign,) = desk.rows(Campaign)
    assert (campaign.state, campaign.reason) == ("paused", "no_template")


def test_a_paused_number_is_waited_for(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    start(desk, make(desk))
    desk.change(Integration, paused_until=desk.clock() + timedelta(minutes=5))
    run(desk, 60)
    assert desk.graph.sent == []
    desk.clock.advance(300)
    run(desk, 60)
    assert len(desk.graph.sent) == 1


# --- what came of it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", GREETING)
def test_answers_sales_and_opt_outs_are_counted(desk: WalkedDesk, language: str) -> None:
    meet(desk, CUSTOMER, "Ana", language)
    meet(desk, PEOPLE[0], "Bia", language)
    meet(desk, PEOPLE[1], "Cora", language)
    desk.graph.fault("error", code=131049, person=PEOPLE[1], times=1)
    start(desk, make(desk))
    run(desk, 60)
    for message in desk.graph.sent:
        desk.post(desk.meta.status(message.id, "delivered", message.to))
    desk.work()
    say(desk, GREETING[language], CUSTOMER)
    say(desk, STOP[language], PEOPLE[0])
    with desk.app.app_context():
        ana = db.session.scalars(select(Contact).where(Contact.name == "Ana")).one()
        db.session.add(
            Sale(contact_id=ana.id, amount_minor=9700, currency="BRL", method="pix", at=desk.clock())
        )
        db.session.commit()
        campaign = db.session.scalars(select(Campaign)).one()
        found = results.of(campaign)
        failed = results.people(campaign, "failed", limit=10)
    assert (found.total, found.sent, found.delivered, found.failed) == (3, 2, 2, 1)
    assert (found.replied, found.opted_out, found.left_out) == (2, 1, 0)
    assert found.sales == [("BRL", 1, 9700)]
    assert [(code, count) for code, _words, count in found.errors] == [("131049", 1)]
    assert [contact.name for _row, contact, _message in failed if contact] == ["Cora"]


def test_a_test_goes_to_one_number_and_counts_for_nobody(desk: WalkedDesk) -> None:
    campaign_id = make(desk)
    with desk.app.app_context():
        campaign = db.session.get_one(Campaign, campaign_id)
        for _ in range(2):  # a double click
            conversation_id = campaigns.send_test(
                campaign, CUSTOMER, "pt", now=desk.clock(), operator=None, client_token="t1"
            )
            db.session.commit()
    tasks.run_outbox.call_local(conversation_id)
    assert [message.to for message in desk.graph.sent] == [CUSTOMER]
    assert desk.rows(CampaignRecipient) == []
    desk.change(Contact, opted_out_at=desk.clock())
    with desk.app.app_context(), pytest.raises(TemplateRefused, match="opted_out"):
        campaigns.send_test(
            db.session.get_one(Campaign, campaign_id), CUSTOMER, "pt", now=desk.clock(), operator=None
        )


def test_a_deleted_person_leaves_the_lists(desk: WalkedDesk) -> None:
    meet(desk, PEOPLE[0], "Ana")
    campaign_id = make(desk, None)
    take_file(desk, campaign_id, f"telefone\n{PEOPLE[0]}\n{PEOPLE[1]}\n")
    with desk.app.app_context():
        people = find_people(PEOPLE[0])
        assert len(export_person(people, now=desk.clock())["campaign_recipients"]) == 1
        delete_person(people)
        db.session.commit()
    assert [row.phone for row in desk.rows(CampaignRecipient)] == [PEOPLE[1]]


# --- one message, later -------------------------------------------------------------------------------------


def plan(desk: WalkedDesk, minutes: float = 60, **about: Any) -> int:
    with desk.app.app_context():
        conversation = db.session.scalars(select(Conversation)).first()
        operator = db.session.scalars(select(Operator)).one()
        if template := about.pop("template_language", None):
            row = message_templates.find(integrations.numbers()[0].id, "novidade", template)
            about |= {"template": row, "values": {"nome": "Ana"}}
        assert conversation is not None
        planned = scheduled.write(
            conversation,
            due_at=desk.clock() + timedelta(minutes=minutes),
            operator=operator,
            client_token=about.pop("token", "p1"),
            now=desk.clock(),
            **about,
        )
        db.session.commit()
        return planned.id


def planned_state(desk: WalkedDesk) -> tuple[str, str]:
    (row,) = desk.rows(ScheduledMessage)
    return row.state, row.reason


def test_a_planned_message_leaves_at_its_time_once(desk: WalkedDesk) -> None:
    desk.clock.ahead = timedelta(0)  # her window is counted from when the door took her words
    say(desk, "oi")
    before = len(desk.graph.sent)
    assert plan(desk, body="Conseguiu ver?") == plan(desk, body="Conseguiu ver?")
    sweep(desk)
    assert len(desk.graph.sent) == before
    desk.clock.advance(3600)
    sweep(desk)
    sweep(desk)
    assert [message.text for message in desk.graph.sent[before:]] == ["Conseguiu ver?"]
    assert planned_state(desk) == ("queued", "")
    assert desk.outgoing()[-1].sender == "operator"


def test_free_text_waits_for_no_window(desk: WalkedDesk) -> None:
    say(desk, "oi")
    before = len(desk.graph.sent)
    plan(desk, minutes=25 * 60, body="Conseguiu ver?")
    desk.clock.advance(25 * 3600)
    sweep(desk)
    assert planned_state(desk) == ("refused", "window_closed")
    assert len(desk.graph.sent) == before


@pytest.mark.parametrize(("language", "code"), [("pt", "pt_BR"), ("es", "es"), ("en", "en_US")])
def test_a_planned_template_leaves_outside_the_window(desk: WalkedDesk, language: str, code: str) -> None:
    say(desk, GREETING[language])
    before = len(desk.graph.sent)
    plan(desk, minutes=48 * 60, template_language=language)
    desk.clock.advance(48 * 3600)
    sweep(desk)
    (sent,) = desk.graph.sent[before:]
    assert sent.payload["template"]["language"]["code"] == code


def test_a_planned_message_respects_what_happened_meanwhile(desk: WalkedDesk) -> None:
    desk.clock.ahead = timedelta(0)  # her window is counted from when the door took her words
    say(desk, "oi")
    before = len(desk.graph.sent)
    plan(desk, template_language="pt")
    desk.change(Contact, opted_out_at=desk.clock())
    desk.clock.advance(3600)
    sweep(desk)
    assert planned_state(desk) == ("refused", "opted_out")
    assert len(desk.graph.sent) == before
    (told,) = [alert for alert in desk.rows(Alert) if alert.kind == "delivery_failed"]
    assert told.conversation_id == desk.conversation().id
    with pytest.raises(NotSchedulable, match="opted_out"):
        plan(desk, body="x", token="p2")


def test_a_planned_message_is_taken_back(desk: WalkedDesk) -> None:
    say(desk, "oi")
    planned_id, conversation_id = plan(desk, body="x"), desk.conversation().id
    with desk.app.app_context():
        assert not scheduled.cancel(planned_id, 4711, now=desk.clock())
        assert scheduled.cancel(planned_id, conversation_id, now=desk.clock())
        db.session.commit()
        assert not scheduled.cancel(planned_id, conversation_id, now=desk.clock())
        db.session.rollback()
    desk.clock.advance(3600)
    assert sweep(desk) == 0


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"body": " "}, "empty"),
        ({"body": "x" * 5000}, "too_long"),
        ({"body": "x", "minutes": -1}, "in_past"),
        ({"body": "x", "minutes": 60 * 24 * 200}, "too_late"),
    ],
)
def test_what_cannot_be_planned_is_refused(desk: WalkedDesk, about: dict[str, Any], code: str) -> None:
    say(desk, "oi")
    with pytest.raises(NotSchedulable, match=code):
        plan(desk, **about)
    assert desk.messages(Message.sender == "operator") == []


def test_an_answer_is_what_comes_soon_or_quotes_the_message(desk: WalkedDesk) -> None:
    for wa_id, name in zip((CUSTOMER, *PEOPLE[:2]), ("Ana", "Bia", "Cora"), strict=True):
        meet(desk, wa_id, name)
    start(desk, make(desk))
    run(desk, 60)
    sent = {message.to: message.id for message in desk.graph.sent}
    days = timedelta(days=4)
    for message in desk.rows(Message, Message.direction == "out"):
        desk.change(Message, Message.id == message.id, created_at=message.created_at - days)
    for row in desk.rows(CampaignRecipient):
        queued_at = row.queued_at - days
        desk.change(CampaignRecipient, CampaignRecipient.id == row.id, queued_at=queued_at)
    say(desk, "oi, vocês abrem amanhã?", CUSTOMER)  # about something else
    say(desk, "quero!", PEOPLE[0], quotes=sent[PEOPLE[0]])
    assert replied(desk) == ["Bia"]
    desk.change(Message, Message.body.startswith("oi, vocês"), created_at=desk.clock() - timedelta(days=2))
    assert replied(desk) == ["Ana", "Bia"]


def replied(desk: WalkedDesk) -> list[str]:
    with desk.app.app_context():
        campaign = db.session.scalars(select(Campaign)).one()
        rows = results.people(campaign, "replied", limit=10)
        assert results.of(campaign).replied == len(rows)
        return sorted(contact.name for _row, contact, _message in rows if contact)


def test_metas_number_of_people_a_day_is_kept(desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.TIERS, "TIER_50", 2)
    for wa_id, name in zip((CUSTOMER, *PEOPLE[:2]), ("Ana", "Bia", "Cora"), strict=True):
        meet(desk, wa_id, name)
    desk.change(Integration, health_summary='{"code": "meta_number", "limit": "TIER_50"}')
    start(desk, make(desk))
    run(desk, 60)
    assert len(desk.graph.sent) == 2
    (campaign,) = desk.rows(Campaign)
    assert (campaign.state, campaign.reason) == ("running", "daily_limit")
    assert campaign.next_at > desk.clock() + timedelta(hours=20)
    run(desk, 26 * 60 * 60, step=60 * 60)
    assert len(desk.graph.sent) == 3
    assert [(row.state, row.reason) for row in desk.rows(Campaign)] == [("done", "")]
