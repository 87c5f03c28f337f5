"""Invitations by e-mail: what a calendar gets when an appointment is booked, moved and cancelled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select, update

import privacy
from app import create_app
from config import Config
from crm import appointments, invitations
from models import Appointment, AppointmentLetter, Contact, Conversation, Integration, db
from telling import invitations as telling
from tests import page_rows
from tests.browsing import get, sign_in
from tests.fakes.smtp import FakeSmtp, Taken
from tests.records import make_conversation

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday, 09:00 in São Paulo
TEN = NOW + timedelta(hours=1)
ELEVEN = NOW + timedelta(hours=2)


@dataclass
class Desk:
    """A desk with one customer, whose e-mail is known."""

    app: Flask
    mail: FakeSmtp
    contact_id: int
    conversation_id: int

    @property
    def config(self) -> Config:
        config: Config = self.app.config["BALCAO"]
        return config

    def book(self, at: datetime = TEN) -> int:
        with self.app.app_context():
            row = appointments.book(
                self.config,
                self.contact_id,
                at,
                now=NOW,
                topic="Consulta, a primeira",
                conversation_id=self.conversation_id,
            )
            db.session.commit()
            return row.id

    def move(self, appointment_id: int, at: datetime) -> None:
        with self.app.app_context():
            row = db.session.get_one(Appointment, appointment_id)
            appointments.move(self.config, row, at, now=NOW)
            db.session.commit()

    def set_status(self, appointment_id: int, status: str) -> None:
        with self.app.app_context():
            row = db.session.get_one(Appointment, appointment_id)
            appointments.set_status(row, status, now=NOW)
            db.session.commit()

    def send(self, now: datetime = NOW) -> list[Taken]:
        """Do what the teller does, and give the letters that came of it."""
        before = len(self.mail.taken)
        with self.app.app_context():
            for letter_id in telling.wanted(now):
                telling.send(letter_id, self.config, lambda: now)
        return self.mail.taken[before:]

    def letters(self) -> list[tuple[int, str, str, str]]:
        with self.app.app_context():
            rows = db.session.scalars(select(AppointmentLetter).order_by(AppointmentLetter.id)).all()
            return [(row.sequence, row.method, row.state, row.reason) for row in rows]

    def teach(self, **fields: object) -> None:
        with self.app.app_context():
            db.session.execute(update(Contact).values(**fields))
            db.session.commit()


@pytest.fixture
def desk(load_config: Callable[..., Config], sqlite_url: str) -> Iterator[Desk]:
    with FakeSmtp() as mail:
        config = load_config(
            DATABASE_URL=sqlite_url,
            SMTP_URL=mail.url,
            MAIL_FROM="desk@loja.com.br",
            WORKING_HOURS="mon-fri 09:00-12:00",
            APPOINTMENT_MINS="60",
        )
        app = create_app(config)
        with app.app_context():
            db.create_all()
            conversation = make_conversation(name="Zoë Prado")
            contact = db.session.get_one(Contact, conversation.contact_id)
            contact.email, contact.language = "zoe@cliente.com.br", "pt"
            db.session.commit()
            opened = Desk(app, mail, contact.id, conversation.id)
        yield opened
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def event_of(taken: Taken) -> tuple[str, dict]:
    """Give the method and the one event of a letter's calendar, read by the library."""
    part = taken.part("text/calendar")
    calendar = Calendar.from_ical(part.get_content())
    (event,) = calendar.walk("VEVENT")
    assert part.get_param("method") == str(calendar["METHOD"])
    return str(calendar["METHOD"]), event


def test_a_booking_a_move_and_an_end_are_one_event_in_the_customers_calendar(desk: Desk) -> None:
    booked = desk.book()
    (first,) = desk.send()
    desk.move(booked, ELEVEN)
    (second,) = desk.send()
    desk.set_status(booked, "cancelled")
    (third,) = desk.send()
    assert desk.send() == []

    events = [event_of(one) for one in (first, second, third)]
    assert [method for method, _event in events] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [int(event["SEQUENCE"]) for _method, event in events] == [0, 1, 2]
    assert len({str(event["UID"]) for _method, event in events}) == 1
    assert [event["DTSTART"].dt for _method, event in events] == [TEN, ELEVEN, ELEVEN]
    assert [str(event["STATUS"]) for _method, event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    event = events[0][1]
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=1)
    assert str(event["SUMMARY"]) == "Consulta, a primeira · Loja"
    assert str(event["ATTENDEE"]) == "mailto:zoe@cliente.com.br"
    assert str(event["ORGANIZER"]) == "mailto:desk@loja.com.br"


@pytest.mark.parametrize(
    ("language", "new", "moved", "cancelled"),
    [
        ("pt", "está marcado", "tem um novo horário", "foi cancelado"),
        ("es", "está reservada", "tiene un nuevo horario", "quedó cancelada"),
        ("en", "is booked", "has a new time", "is cancelled"),
    ],
)
def test_the_letter_is_in_the_customers_language(desk: Desk, language, new, moved, cancelled) -> None:
    desk.teach(language=language)
    booked = desk.book()
    (first,) = desk.send()
    desk.move(booked, ELEVEN)
    (second,) = desk.send()
    desk.set_status(booked, "cancelled")
    (third,) = desk.send()
    for taken, words in ((first, new), (second, moved), (third, cancelled)):
        assert words in taken.text
        assert "Zoë" in taken.text
        assert "Loja" in taken.text
        assert taken.recipients == ("zoe@cliente.com.br",)
        assert taken.message["Content-Language"] == language


def test_what_changed_before_the_letter_left_is_one_letter(desk: Desk) -> None:
    booked = desk.book()
    desk.move(booked, ELEVEN)
    (only,) = desk.send()
    method, event = event_of(only)
    assert (method, event["DTSTART"].dt) == ("REQUEST", ELEVEN)
    assert desk.letters() == [(0, "REQUEST", "dropped", "replaced"), (1, "REQUEST", "sent", "")]


def test_who_was_never_invited_is_not_told_of_the_end(desk: Desk) -> None:
    booked = desk.book()
    desk.set_status(booked, "cancelled")
    assert desk.send() == []
    assert desk.letters() == [(0, "REQUEST", "dropped", "replaced")]


def test_the_same_status_again_is_no_news(desk: Desk) -> None:
    booked = desk.book()
    desk.set_status(booked, "confirmed")
    desk.send()
    desk.set_status(booked, "confirmed")
    assert desk.send() == []
    assert len(desk.letters()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"email": ""},
        {"email": "no address"},
        {"email": "a@b, c@d"},
        {"opted_out_at": NOW},
        {"is_demo": True, "email": "zoe@example.com"},
    ],
)
def test_who_cannot_or_must_not_be_written_to_gets_no_letter(desk: Desk, fields) -> None:
    desk.teach(**fields)
    desk.book()
    assert desk.send() == []
    assert desk.letters() == []


def test_who_asks_for_silence_before_the_letter_leaves_gets_none(desk: Desk) -> None:
    desk.book()
    desk.teach(opted_out_at=NOW)
    assert desk.send() == []
    assert desk.letters() == [(0, "REQUEST", "dropped", "nobody")]


def test_a_letter_that_failed_goes_again_and_one_that_was_cut_off_has_the_same_id(desk: Desk) -> None:
    desk.book()
    desk.mail.data_answer = "452 no room"
    assert desk.send() == []
    assert desk.letters() == [(0, "REQUEST", "waiting", "refused")]
    desk.mail.data_answer = "250 OK"
    (first,) = desk.send(NOW + timedelta(minutes=1))
    with desk.app.app_context():
        db.session.execute(update(AppointmentLetter).values(state="sending", due_at=NOW))
        db.session.commit()
    (again,) = desk.send(NOW + timedelta(minutes=9))
    assert first.message["Message-ID"] == again.message["Message-ID"]


def test_without_a_mail_server_the_letter_is_kept_and_shown_as_unsent(desk: Desk) -> None:
    desk.book()
    with desk.app.app_context():
        letter_id = telling.wanted(NOW)[0]
        config = desk.config
        object.__setattr__(config, "smtp_url", "")
        assert not telling.send(letter_id, config, lambda: NOW)
    assert desk.letters() == [(0, "REQUEST", "failed", "not_configured")]


def test_a_persons_deletion_takes_her_letters_along(desk: Desk) -> None:
    desk.book()
    with desk.app.app_context():
        person = db.session.get_one(Contact, desk.contact_id)
        told = privacy.export_person([person], now=NOW)
        assert len(told["appointment_letters"]) == 1
        privacy.delete_person([person])
        db.session.commit()
        assert db.session.scalars(select(Conversation)).all() == []
    assert desk.letters() == []


def test_a_business_whose_name_is_odd_breaks_no_calendar(desk: Desk) -> None:
    with desk.app.app_context():
        row = db.session.scalars(select(Integration)).one()
        row.name = 'Loja "Sol"; BEGIN:VEVENT\r\nX:1, 🌞'
        db.session.commit()
    desk.book()
    (taken,) = desk.send()
    _method, event = event_of(taken)
    assert "X" not in event
    assert "Sol" in str(event["SUMMARY"])


def test_letters_of_an_appointment_are_listed_in_order(desk: Desk) -> None:
    booked = desk.book()
    desk.send()
    desk.move(booked, ELEVEN)
    with desk.app.app_context():
        assert [row.sequence for row in invitations.letters_of(booked)] == [0, 1]


def test_the_appointments_page_shows_what_the_customer_was_sent(desk: Desk) -> None:
    with desk.app.app_context():
        page_rows.people()
    booked = desk.book()
    desk.send()
    client = desk.app.test_client()
    sign_in(client, page_rows.AGENT_EMAIL)
    page = get(client, f"/records/appointments/{booked}", **{"Accept-Language": "en"}).text
    assert "Invitation: was sent" in page
