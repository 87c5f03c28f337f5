"""Finding, exporting and deleting one person's data."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

import privacy
from app import create_app
from crm import tickets
from models import (
    Alert,
    Base,
    Contact,
    ContactIdentity,
    Lane,
    MenuSession,
    Message,
    ModelCall,
    StoredMedia,
    Turn,
    WebhookEvent,
    db,
)
from shop import orders
from tests.records import NOW, make_conversation, make_product

ANA, LUIS = "558198765432", "34600111222"


@pytest.fixture
def ana(app):
    with app.app_context():
        yield make_conversation(ANA)


@pytest.mark.parametrize(
    "written",
    [
        "558198765432",
        "+55 81 99876-5432",
        "5581998765432",
        "(81) 99876-5432",
        "81 9876-5432",
        "whatsapp:+558198765432",
    ],
)
def test_a_person_is_found_by_any_spelling_of_the_number(ana, written):
    assert [person.id for person in privacy.find_people(written)] == [ana.contact_id]


@pytest.mark.parametrize("written", ["", "abc", "+34600111222", "0", "@nobody", "BR.unknown", "9" * 500])
def test_nobody_is_found_by_what_is_not_theirs(ana, written):
    assert privacy.find_people(written) == []


def test_a_person_is_found_by_business_scoped_id_and_username(ana):
    for kind, value in (("bsuid", "BR.abcDEF1"), ("username", "ana.lima")):
        _learn(ana, kind, value)
    assert len(privacy.find_people("BR.abcDEF1")) == 1
    assert privacy.find_people("br.ABCdef1") == []
    assert len(privacy.find_people("@ana.lima")) == 1


def test_the_present_holder_of_a_number_wins_over_a_former_one(ana):
    db.session.query(ContactIdentity).filter_by(contact_id=ana.contact_id).one().replaced_at = NOW
    db.session.flush()
    assert [p.id for p in privacy.find_people(ANA)] == [ana.contact_id]
    present = _other_account(ANA)
    assert [p.id for p in privacy.find_people(ANA)] == [present]


def test_everything_of_a_person_is_exported_and_can_be_written_as_json(ana):
    _fill(ana)
    make_conversation(LUIS, "Luis")
    export = privacy.export_person(privacy.find_people(ANA), now=NOW)
    json.dumps(export)
    assert export["messages"][0]["body"] == "oi"
    assert [len(export[name]) for name in ("contacts", "conversations", "messages", "tickets", "orders")] == [
        1,
        1,
        2,
        1,
        1,
    ]
    assert len(export["webhook_events"]) == 3
    assert export["webhook_events"][0]["payload"]["message"]["from"] == ANA


def test_a_deletion_leaves_no_row_of_the_person_and_all_of_the_others(ana):
    _fill(ana)
    luis = make_conversation(LUIS, "Luis")
    _fill(luis, LUIS, sku="b")
    before = _counts()
    deleted = privacy.delete_person(privacy.find_people(ANA))
    assert (deleted.contacts, deleted.conversations, deleted.messages, deleted.records) == (1, 1, 2, 2)
    assert deleted.webhook_events == 3
    assert deleted.media_paths == (f"{ANA}.jpg",)
    after = _counts()
    assert after.pop("webhook_events") == before.pop("webhook_events") - 3
    for name, count in after.items():
        is_of_everybody = name in ("integrations", "categories", "products")
        assert count == (before[name] if is_of_everybody else before[name] // 2), name
    assert privacy.find_people(ANA) == []
    assert len(privacy.export_person(privacy.find_people(LUIS), now=NOW)["webhook_events"]) == 3


def test_a_number_that_somebody_else_wrote_about_stays(ana):
    luis = make_conversation(LUIS, "Luis")
    body = {"message": {"from": LUIS, "text": {"body": f"my friend is {ANA}"}}}
    _event(luis, body, "m:about")
    assert privacy.delete_person(privacy.find_people(ANA)).webhook_events == 0


def test_a_file_that_somebody_else_sent_too_stays(ana):
    luis = make_conversation(LUIS, "Luis")
    _fill(ana)
    _fill(luis, LUIS, sku="b")
    db.session.query(StoredMedia).update({"path": "ab/same.jpg"})
    assert privacy.delete_person(privacy.find_people(ANA)).media_paths == ()
    assert privacy.delete_person(privacy.find_people(LUIS)).media_paths == ("ab/same.jpg",)


def test_what_the_model_cost_stays_without_the_person(ana):
    turn = Turn(conversation_id=ana.id, responder="ai", reason="question")
    db.session.add(turn)
    db.session.flush()
    db.session.add(
        ModelCall(conversation_id=ana.id, turn_id=turn.id, purpose="reply", model="m", outcome="ok",
                  cost_microusd=70, created_at=NOW)
    )  # fmt: skip
    db.session.flush()
    privacy.delete_person(privacy.find_people(ANA))
    kept = db.session.query(ModelCall).one()
    assert (kept.conversation_id, kept.turn_id, kept.cost_microusd) == (None, None, 70)


def test_a_merged_contact_goes_with_its_survivor(ana):
    other = Contact(name="Ana again", merged_into_id=ana.contact_id, created_at=NOW)
    db.session.add(other)
    db.session.flush()
    assert privacy.delete_person(privacy.find_people(ANA)).contacts == 2
    assert db.session.query(Contact).count() == 0


def test_deleting_nobody_deletes_nothing(ana):
    assert privacy.delete_person([]).messages == 0
    assert db.session.query(Contact).count() == 1


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_other_databases_find_and_delete_the_same(kind, request, load_config):
    url = request.getfixturevalue(f"{kind}_url")
    application = create_app(load_config(DATABASE_URL=url))
    with application.app_context():
        db.create_all()
        conversation = make_conversation(ANA)
        _fill(conversation)
        assert (
            len(privacy.export_person(privacy.find_people("+55 81 99876-5432"), now=NOW)["webhook_events"])
            == 3
        )
        assert privacy.delete_person(privacy.find_people(ANA)).webhook_events == 3
        db.session.rollback()
        db.session.remove()
        db.engine.dispose()


def _fill(conversation, wa_id=ANA, sku="a"):
    """Give the person a row in every table that can hold one."""
    thread = {"conversation_id": conversation.id, "integration_id": conversation.integration_id}
    turn = Turn(conversation_id=conversation.id, responder="menu", reason="greeting")
    db.session.add(turn)
    db.session.flush()
    heard = Message(**thread, direction="in", sender="customer", kind="text", body="oi", turn_id=turn.id)
    said = Message(**thread, direction="out", sender="bot", kind="text", body="Olá!", turn_id=turn.id)
    db.session.add_all([heard, said])
    db.session.flush()
    db.session.add_all(
        [
            StoredMedia(message_id=heard.id, source={}, media_kind="image", path=f"{wa_id}.jpg"),
            MenuSession(conversation_id=conversation.id, flow="shop", data={}),
            Alert(kind="waiting", text="waits", open_topic=wa_id, conversation_id=conversation.id),
            Lane(key=f"in:{conversation.integration_id}:{wa_id}"),
            Lane(key=f"out:{conversation.id}"),
        ]
    )
    tickets.open_ticket(conversation.contact_id, "help", now=NOW, message_id=heard.id)
    cart = orders.add_to_cart(conversation.id, conversation.contact_id, make_product(sku), now=NOW)
    orders.place(cart, now=NOW)
    _event(conversation, {"message": {"from": wa_id, "text": {"body": "olá"}}}, f"m:{wa_id}")
    _event(conversation, {"status": {"id": "x", "recipient_id": wa_id}}, f"s:{wa_id}")
    _event(conversation, {"From": f"whatsapp:+{wa_id}", "Body": "oi"}, f"t:{wa_id}")
    _event(conversation, {"message": {"from": f"{wa_id}9"}}, f"longer:{wa_id}")


def _event(conversation, body, key):
    db.session.add(
        WebhookEvent(
            event_key=key,
            integration_id=conversation.integration_id,
            provider="meta",
            kind="message",
            state="done",
            payload=json.dumps(body, ensure_ascii=False).encode(),
            received_at=NOW - timedelta(days=1),
        )
    )
    db.session.flush()


def _learn(conversation, kind, value):
    db.session.add(
        ContactIdentity(contact_id=conversation.contact_id, account="simulator:1", kind=kind, value=value)
    )
    db.session.flush()


def _other_account(wa_id):
    contact = Contact(name="Bia", created_at=NOW)
    db.session.add(contact)
    db.session.flush()
    db.session.add(ContactIdentity(contact_id=contact.id, account="meta:7", kind="wa_id", value=wa_id))
    db.session.flush()
    return contact.id


def _counts():
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }
