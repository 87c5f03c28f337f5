"""The actions of the flows: their outcomes and facts, and when they read and write."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import current_app

import flow_actions
import flow_files
import providers.base
from flow_actions import FAILED, ActionContext, gather, writes
from models import (
    Alert,
    Appointment,
    Complaint,
    Contact,
    Conversation,
    Feedback,
    Lead,
    Order,
    Ticket,
    db,
)
from shop import delivery, orders, payments, programs
from tests.paying import arrived, make_order, open_topics, told
from tests.records import NOW, make_conversation, make_product


@pytest.fixture
def ctx(app):
    with app.app_context():
        yield context(make_conversation())
        db.session.rollback()


def apply(name, args, ctx, gathered=None):
    """Apply, and hold the answer to what is documented of the action."""
    result = flow_actions.apply(name, args, ctx, gathered)
    outcomes = flow_files.ACTIONS[name].outcomes
    assert result.outcome in (*outcomes, FAILED)
    assert set(outcomes.get(result.outcome, ())) <= set(result.facts)
    json.dumps(dict(result.facts))
    return result


def context(conversation, language="pt", **given):
    return ActionContext(
        config=current_app.config["BALCAO"],
        contact_id=conversation.contact_id,
        conversation_id=conversation.id,
        integration_id=conversation.integration_id,
        language=language,
        now=NOW,
        flow="shop",
        **given,
    )


def test_every_documented_action_has_its_halves_and_no_other():
    documented = {name for name, action in flow_files.ACTIONS.items() if not action.done_by_flow}
    assert set(flow_actions.ACTIONS) == documented


def test_actions_that_apply_are_the_ones_that_write():
    for name, action in flow_files.ACTIONS.items():
        if not action.done_by_flow:
            assert writes(name) == bool(action.applies_on), name


def test_an_unknown_action_is_a_fault_of_ours(ctx):
    with pytest.raises(KeyError):
        gather("dance", {}, ctx)


def test_gathering_leaves_no_transaction_open(ctx):
    db.session.commit()
    assert gather("show_categories", {}, ctx).outcome == "none"
    assert not db.session().in_transaction()


def test_gathering_leaves_the_callers_transaction_alone(ctx):
    make_product()
    assert gather("show_categories", {}, ctx).outcome == "found"
    assert db.session().in_transaction()


def test_a_reading_step_after_a_write_sees_that_write(ctx):
    product = make_product()
    assert gather("add_to_cart", {"product_id": str(product.id), "quantity": 2}, ctx) is None
    added = apply("add_to_cart", {"product_id": str(product.id), "quantity": 2}, ctx)
    assert added.outcome == "ok"
    assert added.facts["total_text"] == "R$ 194,00"
    seen = apply("show_cart", {}, ctx)
    assert seen.facts["lines"] == [{"name": product.name, "quantity": 2, "total_text": "R$ 194,00"}]


def test_apply_hands_on_what_was_gathered(ctx):
    gathered = flow_actions.ActionResult("found", {"jobs": []})
    assert apply("search_jobs", {"country": "PT"}, ctx, gathered) is gathered
    assert apply("search_jobs", {"country": "PT"}, ctx).outcome == "unavailable"


def test_programmes_are_listed_by_category(ctx):
    assert apply("list_programs", {"category": "Europe"}, ctx).outcome == "none"
    programs.seed_programs(now=NOW)
    found = apply("list_programs", {"category": "Europe", "limit": None}, ctx)
    assert [p["minimum_investment"] for p in found.facts["programs"]] == [280_000, 250_000, 500_000]
    assert len(apply("list_programs", {"category": "europe", "limit": 1}, ctx).facts["programs"]) == 1


def test_a_budget_is_checked_and_the_cheapest_is_told(ctx):
    assert apply("check_eligibility", {"budget": 1}, ctx).facts == {"minimum_investment": None}
    programs.seed_programs(now=NOW)
    assert apply("check_eligibility", {"budget": 150_000}, ctx).facts == {"minimum_investment": 200_000}
    assert apply("check_eligibility", {"budget": 250_000}, ctx).outcome == "found"
    assert apply("check_eligibility", {"budget": 10**14}, ctx).outcome == "found"


def test_a_lead_is_made_with_the_contacts_phone_and_told_to_people(ctx):
    args = {"name": "Ana", "email": "ana@example.com", "interest": "EB-5", "budget": 800_000, "country": "BR"}
    assert apply("create_lead", args, ctx).outcome == "created"
    assert apply("create_lead", args, ctx).outcome == "created"
    lead = db.session.query(Lead).one()
    assert (lead.phone, lead.budget_usd, lead.source) == ("+5581998765432", 800_000, "shop")
    alert = db.session.query(Alert).one()
    assert (alert.kind, alert.times) == ("lead", 2)


def test_ticket_complaint_and_appointment_tell_their_numbers(ctx):
    ticket = apply("open_ticket", {"subject": "Acesso", "description": "não entra"}, ctx)
    complaint = apply("open_complaint", {"description": "péssimo"}, ctx)
    appointment = apply("request_appointment", {"wish": "amanhã à tarde", "day": "2026-11-22"}, ctx)
    assert ticket.facts["ticket"]["number"] == db.session.query(Ticket).one().number
    assert complaint.facts["complaint"]["number"] == db.session.query(Complaint).one().number
    assert appointment.facts["appointment"]["number"] == db.session.query(Appointment).one().number
    assert db.session.query(Appointment).one().wish == "amanhã à tarde (2026-11-22)"
    assert {a.kind for a in db.session.query(Alert)} == {"complaint", "appointment"}


def test_feedback_with_an_impossible_score_keeps_the_words(ctx):
    assert apply("record_feedback", {"text": "gostei", "score": 11}, ctx).outcome == "created"
    assert apply("record_feedback", {"text": None, "score": None}, ctx).outcome == "failed"
    kept = db.session.query(Feedback).one()
    assert (kept.score, kept.text) == (None, "gostei")


def test_handing_over_gives_the_conversation_to_a_person_and_tells_people(ctx):
    assert apply("hand_over", {"reason": "asked for a person"}, ctx).outcome == "done"
    conversation = db.session.get(Conversation, ctx.conversation_id)
    assert (conversation.handler, conversation.handler_reason) == ("human", "asked for a person")
    assert db.session.query(Alert).one().open_topic == f"waiting:{ctx.conversation_id}"


def test_the_catalogue_speaks_the_customers_language(ctx, app):
    product = make_product(
        stock=3,
        description="Do zero.",
        descriptions={"en": "From scratch."},
        benefits={"": ["rápido"], "en": ["quick"]},
    )
    english = context(db.session.get(Conversation, ctx.conversation_id), "en")
    assert apply("show_categories", {}, english).facts["categories"][0]["name"] == "Courses"
    listed = apply("show_products", {"category_id": str(product.category_id)}, english).facts["products"]
    assert listed == [{"id": product.id, "name": "Course curso-1", "price_text": "R$97.00", "in_stock": True}]
    sheet = apply("show_product", {"product_id": product.id}, english).facts["product"]
    assert (sheet["description"], sheet["benefits"], sheet["stock_text"]) == (
        "From scratch.",
        ["quick"],
        "3 left",
    )


@pytest.mark.parametrize(
    ("language", "stock", "words"),
    [
        ("pt", None, "Disponível"),
        ("pt", 0, "Esgotado"),
        ("pt", 1, "Última unidade"),
        ("es", 2, "Quedan 2 unidades"),
        ("en", 50, "In stock"),
    ],
)
def test_the_stock_is_told_in_words(ctx, language, stock, words):
    product = make_product(stock=stock)
    here = context(db.session.get(Conversation, ctx.conversation_id), language)
    assert apply("show_product", {"product_id": product.id}, here).facts["product"]["stock_text"] == words


@pytest.mark.parametrize("written", ["", None, "abc", "９", "99999999999999999999", "1 OR 1=1", "-1", 0])
def test_an_id_that_is_none_finds_nothing(ctx, written):
    assert apply("show_product", {"product_id": written}, ctx).outcome == "none"
    assert apply("show_products", {"category_id": written}, ctx).outcome == "none"
    assert apply("add_to_cart", {"product_id": written, "quantity": 1}, ctx).outcome == "none"


def test_what_cannot_go_into_the_cart_is_told(ctx):
    product = make_product(stock=1)
    refused = apply("add_to_cart", {"product_id": product.id, "quantity": 2}, ctx)
    assert (refused.outcome, refused.facts["available"]) == ("out_of_stock", 1)
    assert apply("add_to_cart", {"product_id": product.id, "quantity": 0}, ctx).outcome == "failed"
    assert apply("show_cart", {}, ctx).outcome == "empty"
    assert apply("empty_cart", {}, ctx).outcome == "empty"
    assert apply("checkout", {}, ctx).outcome == "empty"


def test_checking_out_twice_is_one_order(ctx):
    product = make_product()
    apply("add_to_cart", {"product_id": product.id, "quantity": 1}, ctx)
    first, second = apply("checkout", {}, ctx), apply("checkout", {}, ctx)
    assert first.outcome == "created"
    assert first.facts == second.facts
    assert db.session.query(Order).count() == 1


def test_checking_out_names_what_ran_out(ctx):
    product = make_product(stock=1)
    apply("add_to_cart", {"product_id": product.id, "quantity": 1}, ctx)
    product.stock = 0
    assert apply("checkout", {}, ctx).facts["product"]["name"] == product.name
    product.stock, product.is_active = 1, False
    assert apply("checkout", {}, ctx).outcome == "out_of_stock"


def test_checking_out_at_another_price_asks_again(ctx):
    product = make_product()
    apply("add_to_cart", {"product_id": product.id, "quantity": 1}, ctx)
    product.price_minor = 12_345
    changed = apply("checkout", {}, ctx)
    assert (changed.outcome, changed.facts["total_text"]) == ("changed", "R$ 123,45")
    assert apply("checkout", {}, ctx).outcome == "created"


def test_checking_out_leaves_out_what_is_sold_in_another_currency(ctx):
    product = make_product()
    apply("add_to_cart", {"product_id": product.id, "quantity": 1}, ctx)
    product.currency = "USD"
    left_out = apply("checkout", {}, ctx)
    assert (left_out.outcome, left_out.facts["product"]["name"]) == ("left_out", product.name)
    assert apply("checkout", {}, ctx).outcome == "empty"


def test_goods_that_left_a_moment_ago_are_not_said_to_leave_again(ctx):
    order = make_order(delivery_kind="text", delivery_text="https://curso.example")
    order.total_minor = 0
    assert payments.give(order, config=ctx.config, now=NOW)
    assert delivery.gifts(NOW) == [order.id]
    assert delivery.bring_due(order.id, config=ctx.config, now=NOW) == order.conversation_id
    told_before = len(told(order.conversation_id))
    assert apply("send_goods_again", {}, ctx).outcome == "just_sent"
    assert len(told(order.conversation_id)) == told_before
    later = replace(ctx, now=NOW + timedelta(minutes=3))
    assert apply("send_goods_again", {}, later).outcome == "sent"


def test_who_misses_a_part_of_an_order_is_not_told_that_all_of_it_has_just_left(ctx):
    product = make_product(delivery_kind="key")
    delivery.add_keys(product.id, ["AAAA-1"], now=NOW)
    order = make_order(product, quantity=2)
    paid = payments.open_by_hand(order, now=NOW)
    assert paid is not None
    payments.confirm(paid, **arrived(order, ctx.config))
    told_before = len(told(order.conversation_id))
    assert apply("send_goods_again", {}, ctx).outcome == "waiting"
    assert len(told(order.conversation_id)) == told_before
    assert f"to_deliver:{order.id}" in open_topics()
    delivery.add_keys(product.id, ["AAAA-2"], now=NOW)
    assert apply("send_goods_again", {}, ctx).outcome == "sent"
    (key,) = told(order.conversation_id)[told_before:]
    assert "AAAA-2" in key
    assert f"to_deliver:{order.id}" not in open_topics()


def test_orders_and_payments_are_told_in_the_customers_language(ctx):
    assert apply("order_status", {"number": None}, ctx).outcome == "none"
    product = make_product()
    apply("add_to_cart", {"product_id": product.id, "quantity": 1}, ctx)
    number = apply("checkout", {}, ctx).facts["order"]["number"]
    row = {"number": number, "status_text": "aguardando pagamento", "total_text": "R$ 97,00"}
    assert apply("order_status", {"number": None}, ctx).facts["orders"] == [row]
    assert apply("order_status", {"number": f"pedido {number}"}, ctx).facts["orders"] == [row]
    assert apply("payment_status", {"number": None}, ctx).facts["orders"][0]["status_text"] == "em aberto"
    assert apply("order_status", {"number": "P-99999"}, ctx).outcome == "none"


def test_tickets_are_told_in_the_customers_language_to_their_owner_alone(ctx):
    assert apply("ticket_status", {"number": None}, ctx).outcome == "none"
    opened = apply("open_ticket", {"subject": "Login", "description": "Não entra"}, ctx).facts["ticket"]
    row = {"number": opened["number"], "subject": "Login", "status_text": "aberto"}
    assert apply("ticket_status", {"number": None}, ctx).facts["tickets"] == [row]
    assert apply("ticket_status", {"number": f"chamado {opened['number']}"}, ctx).facts["tickets"] == [row]
    assert apply("ticket_status", {"number": "T-99999"}, ctx).outcome == "none"
    stranger = context(make_conversation("34600111222", "Luis"))
    assert apply("ticket_status", {"number": opened["number"]}, stranger).outcome == "none"
    assert apply("ticket_status", {"number": None}, stranger).outcome == "none"


def test_a_strangers_order_is_not_told(ctx):
    apply("add_to_cart", {"product_id": make_product().id, "quantity": 1}, ctx)
    number = apply("checkout", {}, ctx).facts["order"]["number"]
    stranger = context(make_conversation("34600111222", "Luis"))
    assert apply("order_status", {"number": number}, stranger).outcome == "none"


def test_a_whatsapp_catalogue_order_becomes_the_cart(ctx):
    make_product("a")
    items = [providers.base.OrderItem("a", 2, 1, "BRL"), providers.base.OrderItem("zz", 1, 1, "BRL")]
    taken = flow_actions.take_catalog_order(items, ctx)
    assert (taken.outcome, taken.facts["total_text"], taken.facts["left_out"]) == (
        "found",
        "R$ 194,00",
        [{"name": "zz", "reason": "unknown", "left": 0}],
    )
    kept = flow_actions.take_catalog_order(items[1:], ctx)
    assert (kept.outcome, kept.facts["total_text"]) == ("kept", "R$ 194,00")
    apply("empty_cart", {}, ctx)
    assert flow_actions.take_catalog_order(items[1:], ctx).outcome == "none"
    assert orders.cart_of(ctx.conversation_id) is None


def test_a_contact_without_a_phone_is_still_a_lead(ctx):
    contact = db.session.get(Contact, ctx.contact_id)
    contact.identities[0].kind, contact.identities[0].value = "bsuid", "BR.123"
    apply("create_lead", {"name": "Ana"}, ctx)
    assert db.session.query(Lead).one().phone == ""


@pytest.fixture
def job_ctx(ctx, load_config, httpserver):
    config = load_config(CAREERJET_AFFILIATE_ID="affiliate", CAREERJET_BASE_URL=httpserver.url_for(""))
    return replace(ctx, config=config, language="en")


def test_jobs_are_searched_when_there_is_an_affiliate_id(ctx, job_ctx, httpserver):
    job = {
        "title": "<b>Nurse</b>",
        "company": "Hospital",
        "locations": "Lisboa",
        "url": "https://jobs.example/1",
    }
    httpserver.expect_oneshot_request("/search").respond_with_json({"type": "JOBS", "hits": 1, "jobs": [job]})
    assert gather("search_jobs", {"country": "PT"}, ctx).outcome == "unavailable"
    found = gather("search_jobs", {"country": "PT", "keywords": None}, job_ctx)
    assert found.facts["jobs"] == [
        {"title": "Nurse", "company": "Hospital", "location": "Lisboa", "url": "https://jobs.example/1"}
    ]


@pytest.mark.parametrize(
    ("country", "answer", "outcome"),
    [
        ("PT", {"type": "JOBS", "hits": 0, "jobs": []}, "none"),
        ("PT", {"type": "ERROR", "error": "bad affiliate"}, "unavailable"),
        ("KP", {}, "none"),
    ],
)
def test_a_job_search_without_jobs_has_an_outcome(job_ctx, httpserver, country, answer, outcome):
    httpserver.expect_request("/search").respond_with_json(answer)
    assert gather("search_jobs", {"country": country}, job_ctx).outcome == outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("quanto custa o curso de violão?", "one"), ("how much is the guitar course", "one"),
        ("qual o preço dos cursos", "found"), ("onde fica a loja", "none"), ("", "none"),
        ("meu computador não liga com o curso aberto", "none"),
    ],
)  # fmt: skip
def test_products_are_found_by_the_words_of_a_question(ctx, words: str, outcome: str):
    make_product("v", name="Curso de Violão", names={"en": "Guitar Course"})
    make_product("f", name="Curso de Foto", names={"en": "Photo Course"})
    found = apply("find_products", {"words": words}, ctx)
    assert found.outcome == outcome
    if outcome == "one":
        assert found.facts["best"]["name"] == "Curso de Violão"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("cuánto cuesta la visa de Portugal?", "Portugal Golden Residency Program"),
        ("quero investir na Grécia", "Greece Golden Visa - Real Estate"),
        ("what is the cheapest golden visa", "Greece Golden Visa - Real Estate"),
        ("qual é o mais barato?", "Dominica Citizenship by Investment"),
        ("bom dia", None),
    ],
)
def test_programmes_are_found_by_country_kind_and_price(ctx, words: str, first: str | None):
    programs.seed_programs(now=NOW)
    found = apply("find_programs", {"words": words}, ctx)
    assert (found.facts["programs"][0]["name"] if found.facts else None) == first


def test_what_an_earlier_lead_told_is_known_again(ctx):
    assert apply("known_lead", {}, ctx).outcome == "none"
    apply("create_lead", {"name": "Ana Souza", "email": "ana@example.com"}, ctx)
    assert apply("known_lead", {}, ctx).facts == {"lead": {"name": "Ana Souza", "email": "ana@example.com"}}


def test_the_one_day_that_a_wish_names_is_kept(ctx):
    told = apply("request_appointment", {"wish": "mañana a las 10"}, replace(ctx, language="es"))
    assert told.facts["appointment"]["day_text"]
    assert apply("request_appointment", {"wish": "whenever"}, ctx).facts["appointment"]["day_text"] == ""
