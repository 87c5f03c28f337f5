"""Counts of one person and of each day."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

import analytics
from crm.leads import LeadWish, record_lead
from models import Contact, MenuSession, Message, db
from shop import orders
from tests.records import NOW, make_conversation, make_product

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


def say(conversation, direction, at, status=None):
    db.session.add(
        Message(
            conversation_id=conversation.id,
            integration_id=conversation.integration_id,
            direction=direction,
            sender="customer" if direction == "in" else "bot",
            kind="text",
            status=status,
            created_at=at,
        )
    )
    db.session.flush()


def test_one_persons_counts_tell_messages_records_and_the_open_step(conversation):
    say(conversation, "in", NOW)
    say(conversation, "out", NOW + timedelta(minutes=1), "sent")
    record_lead(db.session.get_one(Contact, conversation.contact_id), LeadWish(name="Ana"), now=NOW)
    orders.add_to_cart(conversation.id, conversation.contact_id, make_product(), now=NOW)
    db.session.add(
        MenuSession(conversation_id=conversation.id, flow="shop", step="menu", data={}, last_activity_at=NOW)
    )
    db.session.flush()
    counts = analytics.person_counts("+55 81 99876-5432")
    assert counts is not None
    assert (counts["messages"], counts["messages_in"], counts["messages_out"]) == (2, 1, 1)
    assert counts["first_message_at"] == NOW.isoformat()
    assert (counts["leads"], counts["orders"]) == (1, 0)
    assert counts["session"]["step"] == "menu"
    assert counts["phone"] == "5581998765432"


def test_somebody_who_has_written_nothing_has_empty_counts(conversation):
    counts = analytics.person_counts("5581998765432")
    assert counts is not None
    assert (counts["messages"], counts["first_message_at"], counts["session"]) == (0, None, None)


def test_nobody_has_no_counts(conversation):
    assert analytics.person_counts("34600999888") is None
    assert analytics.person_counts("nonsense") is None


def test_a_day_is_the_shops_day(conversation):
    say(conversation, "in", NOW.replace(hour=2))  # 23:00 of the day before, in São Paulo
    say(conversation, "in", NOW.replace(hour=3))
    say(conversation, "out", NOW, "failed")
    yesterday, today = analytics.daily_counts(2, now=NOW, zone=SAO_PAULO)
    assert (yesterday.messages_in, today.messages_in) == (1, 1)
    assert (today.messages_out, today.messages_failed, today.contacts) == (1, 1, 1)
    assert today.day.isoformat() == "2026-11-21"


def test_a_cart_is_no_order_until_it_is_placed(conversation):
    cart = orders.add_to_cart(conversation.id, conversation.contact_id, make_product(), now=NOW)
    assert analytics.daily_counts(1, now=NOW, zone=SAO_PAULO)[0].orders == 0
    orders.place(cart, now=NOW)
    assert analytics.daily_counts(1, now=NOW, zone=SAO_PAULO)[0].orders == 1


@pytest.mark.parametrize("days", [0, -1, 367, 10**9])
def test_an_impossible_number_of_days_is_refused(conversation, days):
    with pytest.raises(ValueError):
        analytics.daily_counts(days, now=NOW, zone=SAO_PAULO)
