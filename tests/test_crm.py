"""Leads, tickets, complaints, appointments and feedback."""

from datetime import timedelta

import pytest

from crm import appointments, complaints, feedback, leads, tickets
from crm.leads import LeadWish, record_lead
from models import Contact, Lead, Message, Ticket, db
from tests.records import NOW, make_conversation


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


@pytest.fixture
def contact(conversation):
    return db.session.get(Contact, conversation.contact_id)


def test_a_second_wish_for_the_same_thing_completes_the_open_lead(contact):
    first = record_lead(contact, LeadWish(name="Ana", interest="Golden Visa", notes="by phone"), now=NOW)
    later = NOW + timedelta(days=1)
    second = record_lead(
        contact,
        LeadWish(email="ana@example.com", interest="Golden Visa", budget_usd=300_000, notes="rich"),
        now=later,
    )
    assert first.is_new
    assert not second.is_new
    assert second.lead.id == first.lead.id
    assert (second.lead.name, second.lead.email, second.lead.budget_usd) == (
        "Ana",
        "ana@example.com",
        300_000,
    )
    assert second.lead.notes == "by phone\nrich"
    assert second.lead.updated_at == later


def test_another_interest_or_a_closed_lead_makes_a_new_one(contact):
    first = record_lead(contact, LeadWish(interest="Golden Visa"), now=NOW).lead
    assert record_lead(contact, LeadWish(interest="EB-5"), now=NOW).is_new
    leads.set_status(first, "lost", now=NOW)
    assert record_lead(contact, LeadWish(interest="Golden Visa"), now=NOW).is_new
    assert db.session.query(Lead).count() == 3


def test_the_contact_learns_name_and_email_once(contact):
    contact.name = ""
    record_lead(contact, LeadWish(name="Ana Lima", email="ana@example.com"), now=NOW)
    record_lead(contact, LeadWish(name="Somebody Else", email="else@example.com"), now=NOW)
    assert (contact.name, contact.email) == ("Ana Lima", "ana@example.com")


def test_texts_that_are_too_long_are_cut_not_refused(contact):
    lead = record_lead(contact, LeadWish(name="A" * 999, interest="x" * 999), now=NOW).lead
    assert (len(lead.name), len(lead.interest)) == (255, 120)
    assert not record_lead(contact, LeadWish(interest="x" * 999), now=NOW).is_new


def test_a_ticket_has_a_number_a_subject_and_its_priority(conversation):
    ticket = tickets.open_ticket(
        conversation.contact_id, "\n the video stops \nat minute 3", now=NOW, priority="urgent"
    )
    assert ticket.number is not None
    assert ticket.number.startswith("T-")
    assert ticket.subject == "the video stops"
    assert ticket.priority == "urgent"
    assert tickets.ticket_of(conversation.contact_id, f"what about {ticket.number}?") is ticket
    assert tickets.ticket_of(conversation.contact_id + 1, ticket.number) is None


def test_one_message_opens_one_ticket_and_one_complaint(conversation):
    message = {"now": NOW, "conversation_id": conversation.id, "message_id": _message_id(conversation)}
    assert tickets.open_ticket(conversation.contact_id, "help", **message) is tickets.open_ticket(
        conversation.contact_id, "help", **message
    )
    assert complaints.open_complaint(conversation.contact_id, "bad", **message) is complaints.open_complaint(
        conversation.contact_id, "bad", **message
    )
    assert db.session.query(Ticket).count() == 1


def test_an_unknown_priority_counts_as_medium(conversation):
    assert tickets.open_ticket(conversation.contact_id, "x", now=NOW, priority="panic").priority == "medium"


def test_a_second_wish_moves_the_open_appointment(conversation):
    wish = {"now": NOW, "conversation_id": conversation.id}
    first = appointments.request_appointment(conversation.contact_id, wish="tomorrow", topic="Visa", **wish)
    second = appointments.request_appointment(conversation.contact_id, wish="friday at 3", **wish)
    assert second is first
    assert (second.topic, second.wish) == ("Visa", "friday at 3")
    appointments.confirm(second, NOW + timedelta(days=2), now=NOW)
    third = appointments.request_appointment(conversation.contact_id, wish="monday", **wish)
    assert third is not first
    assert third.number != first.number


def test_feedback_needs_a_score_from_one_to_five_or_words(conversation):
    feedback.record_feedback(conversation.contact_id, now=NOW, score=5)
    feedback.record_feedback(conversation.contact_id, now=NOW, score=2, text="slow")
    assert feedback.average_score(NOW - timedelta(days=1)) == 3.5
    for wrong in ({"score": 0}, {"score": 6}, {}, {"text": "  "}):
        with pytest.raises(ValueError):
            feedback.record_feedback(conversation.contact_id, now=NOW, **wrong)


@pytest.mark.parametrize(
    ("room", "make"),
    [
        (leads, lambda c: record_lead(c, LeadWish(), now=NOW).lead),
        (tickets, lambda c: tickets.open_ticket(c.id, "x", now=NOW)),
        (complaints, lambda c: complaints.open_complaint(c.id, "x", now=NOW)),
        (appointments, lambda c: appointments.request_appointment(c.id, now=NOW)),
    ],
)
def test_only_known_states_are_taken(contact, room, make):
    row = make(contact)
    for status in room.STATUSES:
        room.set_status(row, status, now=NOW)
    with pytest.raises(ValueError):
        room.set_status(row, "nonsense", now=NOW)


def _message_id(conversation):
    message = Message(
        conversation_id=conversation.id,
        integration_id=conversation.integration_id,
        direction="in",
        sender="customer",
        kind="text",
    )
    db.session.add(message)
    db.session.flush()
    return message.id
