"""Conversions go back to Meta: who came by an ad and bought, and nobody who wants no advertisements."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import conversations
import setup_check
from alerts.kinds import WEBHOOK
from crm import leads
from crm.leads import LeadWish
from history import note_change
from models import Alert, Contact, Conversation, Order, OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from telling import conversions, webhooks
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.fakes.graph import DATASET_ID
from tests.fakes.server import json_answer
from tests.fakes.webhooks import BUSINESS_ACCOUNT_ID, REFERRAL
from tests.real_door import WalkedDesk
from webhooks_out import deliveries, endpoints
from webhooks_out.endpoints import Wish

NUMBER = "/integrations/1"
CLICK = str(REFERRAL["ctwa_clid"])


@pytest.fixture
def desk_environ() -> dict[str, str]:
    return {"WHATSAPP_BUSINESS_ACCOUNT_ID": BUSINESS_ACCOUNT_ID}


@pytest.fixture
def any_desk(any_desk: WalkedDesk) -> WalkedDesk:
    return measured(any_desk)


@pytest.fixture
def desk(desk: WalkedDesk) -> WalkedDesk:
    return measured(desk)


def measured(desk: WalkedDesk) -> WalkedDesk:
    """Have Meta take the conversions of clicks that it knows."""
    desk.graph.dataset_id, desk.graph.clicks = DATASET_ID, {CLICK, "another-click"}
    with desk.app.app_context():
        endpoints.add(
            DATASET_ID,
            Wish(kinds=tuple(conversions.NAMES)),
            secret="",
            secret_key=desk.app.config["BALCAO"].secret_key,
            now=desk.clock(),
            service=endpoints.CONVERSIONS,
            integration_id=1,
        )
        db.session.commit()
    return desk


def tell(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        for endpoint_id in webhooks.wanted(desk.clock):
            webhooks.tell(endpoint_id, desk.app.config["BALCAO"], "a test", desk.clock)


def buys(desk: WalkedDesk, minor: int = 9700, currency: str = "BRL") -> None:
    """Let the customer's order be paid, as `payments` does."""
    with desk.app.app_context():
        thread = db.session.scalars(select(Conversation)).one()
        order = Order(
            contact_id=thread.contact_id,
            conversation_id=thread.id,
            status="paid",
            currency=currency,
            total_minor=minor,
        )
        db.session.add(order)
        db.session.flush()
        note_change("order", order.id, before="placed", after="paid", actor="provider", now=desk.clock())
        db.session.commit()


def asks(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        thread = db.session.scalars(select(Conversation)).one()
        wish = LeadWish(name="Ana", interest="Curso")
        leads.record_lead(
            db.session.get_one(Contact, thread.contact_id), wish, conversation_id=thread.id, now=desk.clock()
        )
        db.session.commit()


def settled(desk: WalkedDesk) -> list[tuple[str, str]]:
    return [(row.state, row.reason) for row in desk.rows(WebhookDelivery)]


def test_a_lead_and_a_purchase_of_an_ad_are_told_with_click_value_and_id(any_desk: WalkedDesk) -> None:
    any_desk.says("hi", referral=REFERRAL)
    asks(any_desk)
    buys(any_desk)
    tell(any_desk)
    lead, purchase = any_desk.graph.conversions
    assert (lead["event_name"], purchase["event_name"]) == ("LeadSubmitted", "Purchase")
    assert purchase["user_data"] == {"whatsapp_business_account_id": BUSINESS_ACCOUNT_ID, "ctwa_clid": CLICK}
    assert purchase["custom_data"] == {"value": 97.0, "currency": "BRL"}
    assert "custom_data" not in lead
    assert lead["event_id"] != purchase["event_id"]
    assert settled(any_desk) == [("sent", ""), ("sent", "")]


def test_a_currency_without_cents_is_told_as_it_is(desk: WalkedDesk) -> None:
    desk.says("hi", referral=REFERRAL)
    buys(desk, 5000, "JPY")
    tell(desk)
    assert desk.graph.conversions[0]["custom_data"] == {"value": 5000.0, "currency": "JPY"}


def test_the_newest_ad_gets_the_credit(desk: WalkedDesk) -> None:
    desk.says("hi", referral=REFERRAL)
    desk.says("hi", referral={**REFERRAL, "ctwa_clid": "another-click"})
    buys(desk)
    tell(desk)
    assert desk.graph.conversions[0]["user_data"]["ctwa_clid"] == "another-click"


def refuse_ads(contact: Contact) -> None:
    contact.refuses_marketing_at = contact.created_at


def opt_out(contact: Contact) -> None:
    conversations.opt_out(contact.id, now=contact.created_at)


def be_of_the_demo(contact: Contact) -> None:
    contact.is_demo = True


@pytest.mark.parametrize("deed", [refuse_ads, opt_out, be_of_the_demo])
def test_who_wants_no_advertisements_is_told_of_to_nobody(
    desk: WalkedDesk, deed: Callable[[Contact], Any]
) -> None:
    desk.says("hi", referral=REFERRAL)
    with desk.app.app_context():
        deed(db.session.scalars(select(Contact)).one())
        db.session.commit()
    buys(desk)
    tell(desk)
    assert (desk.graph.conversions, desk.rows(OutgoingEvent)) == ([], [])


def test_who_came_without_an_ad_or_long_after_it_leaves_nothing(desk: WalkedDesk) -> None:
    desk.says("hi")
    buys(desk)
    tell(desk)
    desk.says("hi", referral=REFERRAL)
    desk.clock.advance(timedelta(days=8).total_seconds())
    buys(desk)
    tell(desk)
    assert (desk.graph.conversions, desk.rows(OutgoingEvent)) == ([], [])


def test_what_failed_is_replayed_unless_the_person_said_stop_meanwhile(desk: WalkedDesk) -> None:
    desk.says("hi", referral=REFERRAL)
    asks(desk)
    buys(desk)
    desk.graph.access_token, token = "none", desk.graph.access_token
    tell(desk)
    assert ("failed", "190") in settled(desk), "a refused token is final, and can be replayed"
    desk.graph.access_token = token
    with desk.app.app_context():
        opt_out(db.session.scalars(select(Contact)).one())
        deliveries.replay(1, None, now=desk.clock())
        db.session.commit()
    tell(desk)
    assert set(settled(desk)) == {("dropped", "nobody")}
    assert desk.graph.conversions == []


def test_what_is_replayed_too_late_is_not_sent_and_alarms_nobody(desk: WalkedDesk) -> None:
    desk.says("hi", referral=REFERRAL)
    buys(desk)
    with desk.app.app_context():
        webhooks.wanted(desk.clock)
    desk.clock.advance(timedelta(days=8).total_seconds())
    tell(desk)
    assert settled(desk) == [("dropped", "too_old")]
    assert desk.rows(Alert, Alert.kind == WEBHOOK) == []


def test_a_click_that_meta_does_not_know_is_final_and_said(desk: WalkedDesk) -> None:
    desk.says("hi", referral={**REFERRAL, "ctwa_clid": "of somebody else"})
    buys(desk)
    tell(desk)
    assert settled(desk) == [("failed", "bad_click")]
    (alert,) = desk.rows(Alert, Alert.kind == WEBHOOK)
    assert "click" in alert.text


def test_a_success_that_counted_nothing_is_no_success(desk: WalkedDesk, monkeypatch) -> None:
    monkeypatch.setattr(desk.graph, "_count", lambda request: json_answer({"events_received": 0}))
    desk.says("hi", referral=REFERRAL)
    buys(desk)
    tell(desk)
    assert settled(desk) == [("failed", "not_counted")]


# --- the number's page --------------------------------------------------------------------------------------


@pytest.fixture
def page(desk: WalkedDesk) -> tuple[WalkedDesk, FlaskClient]:
    with desk.app.app_context():
        page_rows.people()
        endpoints.remove(endpoints.listed()[0], now=desk.clock())
        db.session.commit()
    client = desk.app.test_client()
    sign_in(client, page_rows.ADMIN_EMAIL)
    return desk, client


def test_an_admin_switches_it_on_where_meta_makes_the_dataset_and_off(page) -> None:
    desk, client = page
    desk.graph.dataset_id = ""
    post(client, f"{NUMBER}/conversions", NUMBER, people_know="1")
    shown = get(client, NUMBER).text
    assert DATASET_ID in shown
    assert "/webhooks/2" in shown
    assert get(client, "/webhooks/2").status_code == 200
    post(client, "/webhooks/2/test", "/webhooks/2")
    assert settled(desk) == [("sent", "")], "the test asks for the dataset"
    assert desk.graph.conversions == []
    post(client, f"{NUMBER}/conversions/off", NUMBER)
    assert not any(one.is_active for one in desk.rows(WebhookEndpoint))


@pytest.mark.parametrize("fields", [{}, {"people_know": "1", "dataset_id": "42"}])
def test_it_stays_off_without_consent_or_with_a_dataset_of_others(page, fields) -> None:
    desk, client = page
    post(client, f"{NUMBER}/conversions", NUMBER, **fields)
    assert not any(one.is_active for one in desk.rows(WebhookEndpoint))


def test_check_setup_says_whether_meta_takes_them(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        (found,) = setup_check._programs()
        assert (found.subject, found.level) == ("conversions", "ok")
        desk.graph.dataset_id = "another"
        (found,) = setup_check._programs()
        assert found.level == "warn"
        assert "whatsapp_business_manage_events" in found.words
