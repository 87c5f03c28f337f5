"""The pages of the desk's records, teams and hours: shown, moved on, assigned, in three languages."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from crm import appointments, calendar_feeds, feedback, follow_ups, lead_scores, teams
from models import (
    Appointment,
    Complaint,
    Conversation,
    FollowUp,
    Holiday,
    Lead,
    Message,
    StateChange,
    Team,
    Ticket,
    WorkingHours,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import get, post, sign_in, token
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, EVIL


@pytest.fixture
def desk(app: Flask) -> page_rows.Desk:
    with app.app_context():
        page_rows.people()
        filled = page_rows.fill()
        conversation = db.session.get_one(Conversation, filled.waiting_id)
        follow_ups.open_follow_up(
            conversation.contact_id, "order_inquiry", now=utc_now(), conversation_id=conversation.id
        )
        lead_scores.score_lead(db.session.query(Lead).one(), now=utc_now())
        feedback.record_feedback(
            conversation.contact_id, now=utc_now(), score=4, text=EVIL, conversation_id=conversation.id
        )
        db.session.commit()
        return filled


@pytest.fixture
def admin(app: Flask, desk: page_rows.Desk) -> FlaskClient:
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    return client


PAGES = (
    "/records/tickets/1",
    "/records/complaints/1",
    "/records/appointments/1",
    "/records/leads/1",
    "/records/follow-ups/1",
    "/leads/scores",
    "/feedback",
    "/leads",
    "/tickets?kind=follow-ups",
    "/tickets?kind=appointments",
    "/teams",
    "/teams/new",
    "/account",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_shown_and_escapes_what_customers_wrote(admin: FlaskClient, path: str) -> None:
    page = get(admin, path)
    assert page.status_code == 200
    assert EVIL not in page.text


def test_an_unknown_record_is_not_found(admin: FlaskClient) -> None:
    for path in ("/records/tickets/99", "/records/nonsense/1", "/teams/99"):
        assert get(admin, path).status_code == 404


def test_a_ticket_is_moved_on_and_the_customer_told(app: Flask, admin: FlaskClient) -> None:
    page = post(admin, "/records/tickets/1/status", "/records/tickets/1", status="solved")
    assert page.status_code == 303
    with app.app_context():
        assert db.session.get_one(Ticket, 1).status == "solved"
        told = db.session.query(Message).filter_by(sender="shop").order_by(Message.id).all()
        assert [message.kind for message in told] == ["text", "menu"]
        (step,) = db.session.query(StateChange).filter_by(record="ticket").all()
        assert (step.before, step.after, step.actor) == ("open", "solved", "operator")
        assert step.operator_id is not None
    assert "Ana Ribeiro" in get(admin, "/records/tickets/1").text
    assert post(admin, "/records/tickets/1/status", "/records/tickets/1", status="x").status_code == 400


def test_a_resolved_complaint_asks_the_customer(app: Flask, admin: FlaskClient) -> None:
    post(admin, "/records/complaints/1/status", "/records/complaints/1", status="resolved")
    with app.app_context():
        assert db.session.get_one(Complaint, 1).asked_at is not None
        (asked,) = db.session.query(Message).filter_by(sender="shop").all()
        assert asked.content is not None
        assert [choice["id"] for choice in asked.content["choices"]] == [
            "desk/complaint_solved:yes",
            "desk/complaint_solved:no",
        ]


def test_a_record_is_given_to_a_team_and_a_person(app: Flask, admin: FlaskClient) -> None:
    fields = {"duty": "support", "rule": "least_loaded", "seats": "2", "active": "1", "members": ["1", "2"]}
    assert post(admin, "/teams/new", "/teams/new", name="Su\0porte", **fields).status_code == 303
    with app.app_context():
        team = db.session.query(Team).one()
        assert (team.name, team.duty, team.rule, team.seats, len(teams.members_of(team.id))) == (
            "Suporte",
            "support",
            "least_loaded",
            2,
            2,
        )
    post(admin, "/records/leads/1/assign", "/records/leads/1", team="1", operator="2")
    with app.app_context():
        lead = db.session.get_one(Lead, 1)
        assert (lead.team_id, lead.operator_id) == (1, 2)
    post(admin, "/records/leads/1/assign", "/records/leads/1", team="", operator="")
    with app.app_context():
        lead = db.session.get_one(Lead, 1)
        assert (lead.team_id, lead.operator_id) == (None, None)
    assert post(admin, "/teams/new", "/teams/new", name="suporte").status_code == 400


def test_an_agreed_time_is_fixed_told_and_held(app: Flask, admin: FlaskClient) -> None:
    page = "/records/appointments/1"
    post(admin, f"{page}/status", page, status="confirmed")
    with app.app_context():
        assert db.session.get_one(Appointment, 1).status == "requested"
    wished = (utc_now() + timedelta(days=3)).strftime("%Y-%m-%dT15:00")
    post(admin, f"{page}/time", page, starts_at=wished)
    with app.app_context():
        row = db.session.get_one(Appointment, 1)
        assert (row.status, row.slot_key is None, row.starts_at.hour) == ("confirmed", False, 18)
        assert db.session.query(Message).filter_by(sender="shop").count() == 1
    for nonsense in ("", "2020-01-01T10:00", "tomorrow", "9998-01-01T10:00", "9999-12-31T23:59"):
        assert post(admin, f"{page}/time", page, starts_at=nonsense).status_code == 303
    post(admin, f"{page}/status", page, status="cancelled")
    with app.app_context():
        assert db.session.get_one(Appointment, 1).slot_key is None
        assert appointments.reminders_of(1) == []


def test_hours_and_holidays_are_written_and_read_back(app: Flask, admin: FlaskClient) -> None:
    post(admin, "/teams/hours", "/teams", mon="09:00-12:00, 13:00–18:00", sat="09:00-13:00")
    assert 'value="09:00-12:00 13:00-18:00"' in get(admin, "/teams").text
    post(admin, "/teams/hours", "/teams", mon="always")
    with app.app_context():
        assert db.session.query(WorkingHours).count() == 3
    for _ in range(2):
        post(admin, "/teams/holidays", "/teams", day="2026-12-25", name="Natal", yearly="1")
    post(admin, "/teams/holidays", "/teams", day="someday")
    with app.app_context():
        assert [(row.name, row.is_yearly) for row in db.session.query(Holiday)] == [("Natal", True)]
    post(admin, "/teams/holidays/1/delete", "/teams")
    with app.app_context():
        assert db.session.query(Holiday).count() == 0


def test_a_follow_up_is_done(app: Flask, admin: FlaskClient) -> None:
    post(admin, "/records/follow-ups/1/status", "/records/follow-ups/1", status="done")
    with app.app_context():
        assert db.session.get_one(FollowUp, 1).status == "done"


def test_a_calendars_address_is_shown_once_and_can_be_revoked(app: Flask, admin: FlaskClient) -> None:
    page = post(admin, "/account/calendar", "/account").text
    address = page.partition('<code class="feed-address">')[2].partition("</code>")[0]
    assert address.endswith(".ics")
    assert address not in get(admin, "/account").text
    path = address.partition("/calendar/")[2]
    assert app.test_client().get(f"/calendar/{path}").status_code == 200
    post(admin, "/account/calendar/1/revoke", "/account")
    assert app.test_client().get(f"/calendar/{path}").status_code == 404
    with app.app_context():
        assert calendar_feeds.feeds_of(1) == []


def test_agents_do_not_keep_teams(app: Flask, desk: page_rows.Desk) -> None:
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/teams").status_code == 403
    assert get(client, "/records/tickets/1").status_code == 200


@pytest.mark.parametrize(
    ("language", "words"), [("es", "En palabras del cliente"), ("en", "In the customer")]
)
def test_the_pages_speak_the_operators_language(admin: FlaskClient, language: str, words: str) -> None:
    admin.post("/language", data={"csrf_token": token(admin, "/account"), "language": language})
    assert words in get(admin, "/records/tickets/1").text
