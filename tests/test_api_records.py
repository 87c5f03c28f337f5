"""What programs read and change beside conversations: records, shop, knowledge, campaigns, figures."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

import operators
import vault
from models import (
    Alert,
    Appointment,
    Campaign,
    CampaignRecipient,
    DailyFigure,
    Decision,
    Integration,
    Lead,
    LearningChange,
    Message,
    MessageTemplate,
    Order,
    OrderItem,
    Outcome,
    Product,
    Sale,
    StateChange,
    Ticket,
    db,
    utc_now,
)
from tests.browsing import counted
from tests.calling import API, Caller, code_of
from tests.records import make_conversation, make_product


def steps(app: Flask, record: str) -> list[tuple[str, str, str]]:
    with app.app_context():
        rows = db.session.query(StateChange).filter_by(record=record).order_by(StateChange.id)
        return [(row.before, row.after, row.actor) for row in rows]


# --- records ------------------------------------------------------------------------------------------------


def test_a_lead_is_opened_once_and_moved_on(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    wish = {
        "contact_id": thread["contact_id"],
        "interest": "Portugal",
        "budget": {"amount_minor": 50_000_000, "currency": "USD"},
    }
    first, again = program.post("/leads", wish), program.post("/leads", wish)
    assert (first.status_code, first.json) == (201, again.json)
    lead_id = first.json["id"]
    told = program.get(f"/leads/{lead_id}")
    assert told["budget"] == {"amount_minor": 50_000_000, "currency": "USD"}
    assert (told["status"], told["source"]) == ("new", "api")
    moved = program.call("PATCH", f"/leads/{lead_id}", json={"status": "qualified", "reason": "call"})
    assert (moved.status_code, moved.json["status"]) == (200, "qualified")
    assert steps(app, "lead") == [("", "new", "program"), ("new", "qualified", "program")]
    assert [one["id"] for one in program.get("/leads", status="qualified")["data"]] == [lead_id]
    assert program.get("/leads", status="won")["data"] == []
    with app.app_context():
        assert db.session.query(Alert).filter_by(kind="lead").count() == 1


def test_a_ticket_has_a_number_a_due_time_and_tells_its_customer(
    app: Flask, program: Caller, thread: dict[str, int], woken: list[int]
) -> None:
    wish = {
        "contact_id": thread["contact_id"],
        "conversation_id": thread["id"],
        "description": "Não abre.",
        "priority": "high",
    }
    ticket_id = program.post("/tickets", wish, once="t-1").json["id"]
    assert program.post("/tickets", wish, once="t-1").json["id"] == ticket_id
    told = program.get(f"/tickets/{ticket_id}")
    assert told["number"]
    assert told["due_at"] > told["created_at"]
    assert program.call("PATCH", f"/tickets/{ticket_id}", json={"status": "solved"}).status_code == 200
    assert steps(app, "ticket") == [("", "open", "program"), ("open", "solved", "program")]
    assert woken == [thread["id"]]
    with app.app_context():
        assert db.session.query(Message).filter_by(conversation_id=thread["id"]).count() > 0


def test_a_complaint_alerts_and_belongs_to_its_contact(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    with app.app_context():
        stranger = make_conversation("5511999990000", "Rui").contact_id
        db.session.commit()
    wish = {"contact_id": thread["contact_id"], "description": "Chegou quebrado."}
    assert program.post("/complaints", wish).status_code == 201
    refused = program.post("/complaints", {**wish, "contact_id": stranger, "conversation_id": thread["id"]})
    assert (refused.status_code, code_of(refused)) == (409, "conflict")
    with app.app_context():
        assert db.session.query(Alert).filter_by(kind="complaint").count() == 1
    assert [actor for _, _, actor in steps(app, "complaint")] == ["program"]


def test_an_appointment_gets_its_time_and_no_other_has_it(
    app: Flask, program: Caller, thread: dict[str, int], woken: list[int]
) -> None:
    with app.app_context():
        rows = [Appointment(contact_id=thread["contact_id"], topic="Consulta") for _ in range(2)]
        db.session.add_all(rows)
        db.session.commit()
        first, second = (row.id for row in rows)
    refused = program.call("PATCH", f"/appointments/{first}", json={"status": "confirmed"})
    assert (refused.status_code, code_of(refused)) == (409, "conflict")
    time = (utc_now() + timedelta(days=3)).replace(microsecond=0).isoformat()
    fixed = program.call("PATCH", f"/appointments/{first}", json={"starts_at": time})
    assert fixed.status_code == 200, fixed.text
    assert fixed.json["starts_at"] == time.replace("+00:00", "Z")
    assert program.call("PATCH", f"/appointments/{second}", json={"starts_at": time}).status_code == 409
    past = program.call("PATCH", f"/appointments/{second}", json={"starts_at": "2020-01-01T00:00:00Z"})
    assert past.status_code == 409


def test_a_record_goes_to_people_that_there_are(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    with app.app_context():
        operator = operators.create_operator("ana@loja.com.br", "Ana", "uma senha bem longa")
        ticket = Ticket(contact_id=thread["contact_id"], subject="x")
        db.session.add(ticket)
        db.session.commit()
        operator_id, path = operator.id, f"/tickets/{ticket.id}"
    assert program.call("PATCH", path, json={"operator_id": operator_id}).json["operator_id"] == operator_id
    assert program.call("PATCH", path, json={"operator_id": 99}).status_code == 409
    assert program.call("PATCH", path, json={"operator_id": None}).json["operator_id"] is None


# --- the shop -----------------------------------------------------------------------------------------------


def test_a_product_changes_its_price_and_hides_what_it_delivers(app: Flask, program: Caller) -> None:
    with app.app_context():
        product = make_product(stock=3, delivery_kind="text", delivery_text="SEGREDO")
        db.session.commit()
        path = f"/products/{product.id}"
    told = program.call("PATCH", path, json={"price_minor": 12_000, "stock": 8})
    assert told.status_code == 200, told.text
    assert told.json["price"] == {"amount_minor": 12_000, "currency": "BRL"}
    assert (told.json["stock"], told.json["is_active"]) == (8, True)
    assert "SEGREDO" not in told.text + program.call("GET", path).text
    assert program.call("PATCH", path, json={"is_active": False}).json["is_active"] is False
    assert program.call("PATCH", path, json={"stock": None}).json["stock"] is None
    late = program.call("PATCH", path, json={"offer_ends_at": "2020-01-01T00:00:00Z"})
    assert (late.status_code, code_of(late)) == (409, "conflict")
    with app.app_context():
        kept = db.session.query(Product).one()
        assert (kept.delivery_text, kept.price_minor) == ("SEGREDO", 12_000)


def test_orders_come_with_their_items_and_carts_when_asked_for(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    with app.app_context():
        product = make_product()
        ids = {"contact_id": thread["contact_id"], "conversation_id": thread["id"]}
        placed = Order(**ids, number="P-1", status="paid", payment_status="paid", total_minor=19_400)
        cart = Order(**ids)
        db.session.add_all([placed, cart])
        db.session.flush()
        item = OrderItem(
            order_id=placed.id, product_id=product.id, name="Curso", quantity=2, price_minor=9_700
        )
        sale = Sale(order_id=placed.id, amount_minor=19_400, currency="BRL", method="pix", at=utc_now())
        db.session.add_all([item, sale])
        db.session.commit()
        cart_id = cart.id
    (told,) = program.get("/orders")["data"]
    assert told["total"] == {"amount_minor": 19_400, "currency": "BRL"}
    assert [(one["quantity"], one["price"]["amount_minor"]) for one in told["items"]] == [(2, 9_700)]
    assert [one["id"] for one in program.get("/orders", status="cart")["data"]] == [cart_id]
    (sold,) = program.get("/sales")["data"]
    assert (sold["order_id"], sold["amount"]["amount_minor"]) == (told["id"], 19_400)


# --- knowledge, campaigns, figures --------------------------------------------------------------------------


def test_an_article_is_written_replaced_and_deleted(app: Flask, program: Caller) -> None:
    text = {"title": "Aceitam Pix?", "body": "Sim, aceitamos Pix.", "language": "pt"}
    made = program.post("/articles", text)
    assert made.status_code == 201, made.text
    path = made.json["url"].removeprefix(API)
    assert program.get(path)["body"] == "Sim, aceitamos Pix."
    told = program.call("PUT", path, json={**text, "body": "Sim, e cartão.", "is_active": False})
    assert (told.json["body"], told.json["is_active"]) == ("Sim, e cartão.", False)
    assert program.call("PUT", path, json={**text, "integration_id": 9}).status_code == 409
    assert program.call("DELETE", path).json == {"id": made.json["id"]}
    assert program.call("GET", path).status_code == 404


def test_an_article_may_have_the_title_of_one_that_changed_its_language(program: Caller) -> None:
    text = {"title": "Pix", "body": "Sim.", "language": "pt"}
    path = program.post("/articles", text).json["url"].removeprefix(API)
    assert program.call("PUT", path, json={**text, "language": "en"}).status_code == 200
    again = program.post("/articles", text)
    assert again.status_code == 201, again.text


def test_a_campaign_is_held_and_goes_on(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    with app.app_context():
        row = Campaign(
            name="Natal", integration_id=thread["integration_id"], template_name="natal", state="running"
        )
        db.session.add(row)
        db.session.flush()
        db.session.add(CampaignRecipient(campaign_id=row.id, person_key="c:1"))
        db.session.commit()
        path = f"/campaigns/{row.id}"
    assert program.get("/campaigns")["data"][0]["waiting"] == 1
    assert program.post(f"{path}/pause").json["state"] == "paused"
    again = program.post(f"{path}/pause")
    assert (again.status_code, code_of(again)) == (409, "conflict")
    assert program.get(path)["people"] == 1
    assert program.post(f"{path}/cancel").json["state"] == "cancelled"


def test_a_campaign_is_written_down_and_started(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    with app.app_context():
        row = MessageTemplate(
            integration_id=thread["integration_id"],
            name="natal",
            language="pt_BR",
            wording={"body": "Olá {{1}}!"},
            status="approved",
        )
        db.session.add(row)
        db.session.commit()
    wish = {
        "name": "Natal",
        "integration_id": thread["integration_id"],
        "template_name": "natal",
        "people": {"bought": "no"},
        "values": {"1": {"source": "first_name", "otherwise": "você"}},
        "per_minute": 30,
    }
    made = program.post("/campaigns", wish, once="k-1")
    assert made.status_code == 201, made.text
    path = made.headers["Location"].removeprefix(API)
    told = program.get(path)
    assert (told["state"], told["template_name"], told["per_minute"]) == ("draft", "natal", 30)
    with app.app_context():
        kept = db.session.query(Campaign).one()
        assert (kept.filling["1"]["source"], kept.segment["bought"]) == ("first_name", "no")
    late = (utc_now() + timedelta(days=1)).isoformat()
    assert program.post(f"{path}/start", {"at": late}).json["state"] == "scheduled"
    again = program.post(f"{path}/start", {})
    assert (again.status_code, code_of(again)) == (409, "conflict")
    for more in ({"template_name": "outro"}, {"integration_id": 99}):
        refused = program.post("/campaigns", {**wish, **more}, once=f"k-{next(iter(more))}")
        assert (refused.status_code, code_of(refused)) == (409, "conflict"), more
    with app.app_context():
        assert db.session.query(Campaign).count() == 1


def test_a_template_is_drafted_and_replaced(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    words = {
        "name": "saiu",
        "language": "pt_BR",
        "category": "utility",
        "body": "Olá {{1}}, o seu pedido saiu para entrega hoje. Bom proveito!",
        "examples": {"1": "Mariana"},
        "buttons": [{"kind": "quick_reply", "text": "Obrigada"}],
    }
    wish = {**words, "integration_id": thread["integration_id"]}
    made = program.post("/templates", wish, once="t-1")
    assert made.status_code == 201, made.text
    path = made.headers["Location"].removeprefix(API)
    told = program.get(path)
    assert (told["status"], told["placeholders"], told["is_usable"]) == ("draft", ["1"], False)
    twice = program.post("/templates", wish, once="t-2")
    assert (twice.status_code, code_of(twice)) == (409, "template_refused")
    bare = program.post("/templates", {**wish, "name": "so", "body": "{{1}}"})
    assert (bare.status_code, code_of(bare)) == (409, "template_refused")
    changed = program.call("PUT", path, json={**words, "category": "marketing"})
    assert (changed.status_code, changed.json["category"]) == (200, "marketing"), changed.text
    assert steps(app, "template")[0] == ("", "draft", "program")
    with app.app_context():
        db.session.query(MessageTemplate).one().status = "approved"
        db.session.commit()
    late = program.call("PUT", path, json=words)
    assert (late.status_code, code_of(late)) == (409, "template_refused")


def test_figures_and_the_log_of_the_learning_are_told(app: Flask, program: Caller) -> None:
    zone = app.config["BALCAO"].zone
    with app.app_context():
        db.session.add(DailyFigure(day=utc_now().astimezone(zone).date(), name="leads", count=3))
        decision = Decision(
            strategy="consultivo",
            policy="epsilon_greedy",
            propensities={"consultivo": 0.7},
            propensity=0.7,
            closes_at=utc_now(),
        )
        db.session.add(decision)
        db.session.flush()
        db.session.add(
            Outcome(decision_id=decision.id, kind="sale", value_minor=9_700, currency="BRL", at=utc_now())
        )
        db.session.add(LearningChange(action="pause", strategy="escassez", reason="teste"))
        db.session.commit()
    (figure,) = program.get("/analytics/days", name="leads")["data"]
    assert (figure["name"], figure["count"]) == ("leads", 3)
    assert program.call("GET", "/analytics/days?first=2026-01-01&last=2026-12-31").status_code == 409
    assert program.call("GET", "/analytics/days?first=0001-01-01&last=0001-01-01").status_code == 200
    (told,) = program.get("/learning/decisions")["data"]
    assert told["outcomes"][0]["value"] == {"amount_minor": 9_700, "currency": "BRL"}
    assert program.get("/learning/changes")["data"][0]["action"] == "pause"


def test_a_number_is_told_without_its_credentials(app: Flask, program: Caller) -> None:
    with app.app_context():
        sealed = vault.seal("geheim", app.config["BALCAO"].secret_key)
        number = Integration(
            provider="meta",
            name="Loja",
            number_id="1",
            app_secret=sealed,
            access_token=sealed,
            verify_token=sealed,
        )
        db.session.add(number)
        db.session.flush()
        wording = {"body": "Olá {{1}}!"}
        db.session.add(
            MessageTemplate(
                integration_id=number.id, name="oi", language="pt_BR", wording=wording, status="approved"
            )
        )
        db.session.commit()
    answer = program.call("GET", "/integrations")
    assert len(answer.json["data"]) == 1
    assert sealed not in answer.text
    assert "geheim" not in answer.text
    (template,) = program.get("/templates")["data"]
    assert (template["placeholders"], template["is_usable"]) == (["1"], True)


@pytest.mark.parametrize(
    "path",
    "/leads /tickets /complaints /appointments /products /orders /sales /articles /campaigns /templates "
    "/integrations /learning/decisions /learning/changes".split(),
)
def test_a_full_page_costs_few_statements(
    app: Flask, program: Caller, thread: dict[str, int], path: str
) -> None:
    _fill(app, thread)
    program.get(path)
    with counted(app) as asked:
        answer: Any = program.get(path, limit=100)
    assert isinstance(answer["data"], list)
    assert len(asked) <= 6, asked


def _fill(app: Flask, thread: dict[str, int]) -> None:
    with app.app_context():
        of = {"contact_id": thread["contact_id"]}
        for number in range(30):
            product = make_product(f"curso-{number}")
            order = Order(**of, conversation_id=thread["id"], status="placed", number=f"P-{number}")
            campaign = Campaign(name="x", integration_id=thread["integration_id"], template_name="x")
            decision = Decision(strategy="racional", policy="uniform", closes_at=utc_now())
            db.session.add_all([Lead(**of), Ticket(**of), Appointment(**of), order, campaign, decision])
            db.session.flush()
            db.session.add(
                OrderItem(order_id=order.id, product_id=product.id, name="x", quantity=1, price_minor=1)
            )
        db.session.commit()
