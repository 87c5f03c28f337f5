"""How promising a lead is, why, and what became of such leads."""

from datetime import timedelta

import pytest

from crm import lead_scores, leads
from crm.lead_scores import Facts, score
from crm.leads import LeadWish, record_lead
from models import Contact, Message, Sale, db
from tests.records import NOW, make_conversation

ALL_TOLD = frozenset({"email", "budget", "name", "interest"})


@pytest.mark.parametrize(
    ("facts", "points"),
    [
        (Facts(), 0),
        (Facts(messages=3), 3),
        (Facts(messages=99, days=9), 30),
        (Facts(told=ALL_TOLD), 30),
        (Facts(signal="ready_to_buy"), 25),
        (Facts(signal="not_interested"), 0),
        (Facts(silent_for=timedelta(hours=2)), 15),
        (Facts(silent_for=timedelta(days=5)), 5),
        (Facts(silent_for=timedelta(days=30)), 0),
        (
            Facts(messages=20, days=5, told=ALL_TOLD, signal="ready_to_buy", silent_for=timedelta(0)),
            100,
        ),
    ],
)
def test_points_are_the_sum_of_their_reasons(facts: Facts, points: int) -> None:
    given = score(facts)
    assert given.points == points
    assert max(0, sum(reason.points for reason in given.reasons)) == points


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


def lead_of(conversation, **wish):
    contact = db.session.get_one(Contact, conversation.contact_id)
    return record_lead(contact, LeadWish(**wish), now=NOW, conversation_id=conversation.id).lead


def hear(conversation, at, signal=None):
    db.session.add(
        Message(
            conversation_id=conversation.id,
            integration_id=conversation.integration_id,
            direction="in",
            sender="customer",
            kind="text",
            buying_signal=signal,
            created_at=at,
        )
    )
    db.session.flush()


def test_a_lead_is_scored_from_what_its_person_wrote_and_told(conversation):
    hear(conversation, NOW - timedelta(days=2), "question")
    hear(conversation, NOW, "ready_to_buy")
    lead = lead_of(conversation, email="ana@example.com", interest="Visa")
    assert lead_scores.score_lead(lead, now=NOW).points == 2 + 5 + 10 + 5 + 25 + 15
    assert [(r.part, r.code) for r in lead_scores.reasons_of(lead)] == [
        ("engagement", "messages"),
        ("engagement", "days"),
        ("fit", "email"),
        ("fit", "interest"),
        ("signal", "signal"),
        ("recency", "last_word"),
    ]


def test_a_score_rests_when_the_lead_is_closed_or_has_bought(conversation):
    hear(conversation, NOW)
    lead = lead_of(conversation)
    lead_scores.score_lead(lead, now=NOW)
    later = NOW + timedelta(days=30)
    sale = Sale(contact_id=lead.contact_id, amount_minor=1, currency="BRL", method="pix", at=NOW)
    db.session.add(sale)
    db.session.flush()
    assert lead_scores.rescore(now=later) == 0
    sale.reversed_at = later
    assert lead_scores.rescore(now=later) == 1
    assert (lead.score, lead.updated_at) == (1, NOW)
    leads.set_status(lead, "lost", now=later)
    assert lead_scores.rescore(now=later) == 0


def test_bands_tell_what_became_of_the_leads(conversation):
    won, lost, bought, still_open = (
        lead_of(make_conversation(f"55119999900{at}", "x"), interest="x") for at in range(10, 14)
    )
    for lead, points in ((won, 80), (lost, 10), (bought, 90), (still_open, 60)):
        lead.score = points
    leads.set_status(won, "won", now=NOW)
    leads.set_status(lost, "lost", now=NOW)
    db.session.add(Sale(contact_id=bought.contact_id, amount_minor=1, currency="BRL", method="pix", at=NOW))
    db.session.flush()
    found = [(band.low, band.leads, band.won, band.lost, band.won_share) for band in lead_scores.bands()]
    assert found == [(0, 1, 0, 1, 0.0), (25, 0, 0, 0, None), (50, 1, 0, 0, None), (75, 2, 2, 0, 1.0)]
