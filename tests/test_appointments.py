"""Appointments: free times, none given twice, moved, cancelled, reminded of, subscribed to."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from zoneinfo import ZoneInfo

import pytest

import conversations
import history
import integrations
from app import create_app
from config import Config
from crm import appointments, calendar_feeds, hours, linked_words, slots, teams
from crm.appointments import SlotTaken
from models import Appointment, AppointmentReminder, Contact, Integration, MessageTemplate, db, reading
from providers.templates import Wording, to_json
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.records import make_conversation
from tests.test_teams import make_team, people
from working_hours import read_hours

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday, 09:00 in São Paulo
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


@pytest.fixture
def config(load_config: Callable[..., Config]) -> Config:
    return load_config(WORKING_HOURS="mon-fri 09:00-12:00", APPOINTMENT_MINS="60")


def local(at: datetime) -> str:
    return at.astimezone(SAO_PAULO).strftime("%d %H:%M")


def free(config: Config, wish: str = "", now: datetime = NOW) -> list[str]:
    return [local(at) for at in slots.free_slots(config, slots.place(), now=now, wish=wish)]


def book(config: Config, contact_id: int, at: datetime) -> Appointment:
    return appointments.book(config, contact_id, at, now=NOW, topic="Consulta")


def test_free_times_are_working_hours_with_some_notice(conversation, config):
    assert free(config) == [
        "23 10:00",
        "23 11:00",
        "24 09:00",
        "24 10:00",
        "24 11:00",
        "25 09:00",
        "25 10:00",
        "25 11:00",
    ]


def test_a_wished_day_comes_first_and_the_nearest_to_the_time(conversation, config):
    assert free(config, "2026-11-26") == ["26 09:00", "26 10:00", "26 11:00"]
    assert (
        free(config, "2026-11-28")
        == free(config, "2026-11-30") + free(config, "2026-12-01") + free(config, "2026-12-02")[:2]
    )
    many = free(config, "2026-11-26T11:00:00")
    assert many == ["26 09:00", "26 10:00", "26 11:00"]
    assert free(config, "nonsense") == free(config)


def test_a_holiday_and_a_booked_time_are_not_free(conversation, config):
    hours.add_holiday(date(2026, 11, 24), "Feriado", is_yearly=False)
    book(config, conversation.contact_id, NOW + timedelta(hours=1))
    assert free(config)[:2] == ["23 11:00", "25 09:00"]


def test_no_time_is_given_twice(conversation, config):
    at = NOW + timedelta(hours=1)
    first = book(config, conversation.contact_id, at)
    other = make_conversation("5511999990000", "Beto")
    with pytest.raises(SlotTaken):
        book(config, other.contact_id, at)
    # Another worker looked before the first had booked: the database itself refuses.
    row = appointments.request_appointment(other.contact_id, now=NOW)
    with pytest.raises(SlotTaken):
        appointments._take(row, slots.place(), at, timedelta(hours=1))
    assert db.session.get(Appointment, row.id).slot_key is None
    appointments.set_status(first, "cancelled", now=NOW)
    assert book(config, other.contact_id, at).status == "confirmed"


def test_a_team_holds_as_many_at_once_as_it_has_seats(conversation, config):
    make_team(teams.SCHEDULING, seats=2)
    at = NOW + timedelta(hours=1)
    keys = {book(config, make_conversation(f"55119999900{i}", "x").contact_id, at).slot_key for i in (10, 11)}
    assert len(keys) == 2
    with pytest.raises(SlotTaken):
        book(config, conversation.contact_id, at)


def test_what_is_past_or_out_of_hours_cannot_be_booked(conversation, config):
    for at in (NOW - timedelta(hours=1), NOW + timedelta(hours=6), NOW + timedelta(minutes=90)):
        with pytest.raises(SlotTaken):
            book(config, conversation.contact_id, at)


def test_a_moved_appointment_gives_its_time_back_and_remembers(conversation, config):
    first, second = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    row = book(config, conversation.contact_id, first)
    appointments.move(config, row, second, now=NOW)
    assert (row.starts_at, row.ends_at) == (second, second + timedelta(hours=1))
    assert free(config)[0] == "23 10:00"
    steps = [(step.before, step.after) for step in history.changes_of("appointment", row.id)]
    assert steps == [("", "requested"), ("requested", "confirmed"), ("20261123T1300Z", "20261123T1400Z")]


def test_of_two_at_once_one_wins(load_config: Callable[..., Config], database_url: str) -> None:
    """Both have looked and found the time free; the database lets one of them have it."""
    app = create_app(load_config(DATABASE_URL=database_url, WORKING_HOURS="mon-fri 09:00-12:00"))
    with app.app_context():
        db.create_all()
        contacts = [make_conversation(f"551199990000{at}", "x").contact_id for at in range(2)]
        db.session.commit()
    both_looked, outcomes = Barrier(2), []

    def take(contact_id: int) -> None:
        with app.app_context():
            with reading():
                assert slots.is_free(app.config["BALCAO"], slots.place(), NOW + timedelta(hours=1), now=NOW)
                db.session.rollback()
            both_looked.wait(timeout=60)
            row = appointments.request_appointment(contact_id, now=NOW)
            try:
                appointments._take(row, slots.place(), NOW + timedelta(hours=1), timedelta(hours=1))
                outcomes.append("booked")
            except SlotTaken:
                outcomes.append("taken")
            db.session.commit()
            db.session.remove()

    workers = [Thread(target=take, args=(contact_id,)) for contact_id in contacts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert sorted(outcomes) == ["booked", "taken"]
    with app.app_context():
        held = db.session.query(Appointment).filter(Appointment.slot_key.is_not(None)).all()
        assert len(held) == 1
        db.session.remove()
        db.engine.dispose()


# --- through the door ---------------------------------------------------------------------------------------


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    settings = load_config(GRAPH_API_BASE_URL="http://127.0.0.1:9", **META)
    with FakeGraph() as graph:
        settings = load_config(GRAPH_API_BASE_URL=graph.url, **META)
        with walked_desk(settings, graph) as desk:
            with desk.app.app_context():
                hours.write_hours(None, read_hours("mon-sun 00:00-24:00"))
                db.session.commit()
            desk.change(Integration, start_flow="desk")
            yield desk


WORDS = {
    "pt": ("oi", "agendar", "Consultoria", "Marcado!", "Lembrete"),
    "es": ("hola", "agendar", "Consultoría", "¡Agendado!", "Recordatorio"),
    "en": ("hello", "appointment", "Consulting", "Booked!", "Reminder"),
}


def remind(desk: WalkedDesk, row: Appointment, before: timedelta) -> list[str]:
    sent = len(desk.graph.sent)
    assert row.starts_at is not None
    desk.clock.advance((row.starts_at - before - desk.clock()).total_seconds())
    with desk.app.app_context():
        appointments.remind(desk.app.config["BALCAO"], now=desk.clock())
        db.session.commit()
    desk.work()
    return texts_of(desk.graph.sent[sent:])


@pytest.mark.parametrize("language", WORDS)
def test_a_customer_books_moves_cancels_and_is_reminded(desk: WalkedDesk, language: str) -> None:
    greeting, wish, topic, booked, reminder = WORDS[language]
    desk.change(Integration, language=language)
    desk.says(greeting)
    desk.says(wish)
    (offer,) = desk.says(topic)
    assert len(offer.choices) == 10
    assert booked in texts_of(desk.says("2"))[0]
    (row,) = desk.rows(Appointment)
    assert (row.status, row.topic) == ("confirmed", topic)
    with desk.app.app_context():
        said = [message.body for message in linked_words.words_of(db.session.get_one(Appointment, row.id))]
    assert topic in said
    desk.says(wish)
    desk.presses("desk/appointment_start.found:move")
    (moved,) = desk.says("3")
    assert booked in moved.text
    (again,) = desk.rows(Appointment)
    assert again.starts_at > row.starts_at
    desk.change(Appointment, created_at=again.starts_at - timedelta(days=3))
    assert reminder in remind(desk, again, timedelta(minutes=50))[0]
    assert remind(desk, again, timedelta(minutes=45)) == []
    desk.says(wish)
    desk.presses("desk/appointment_start.found:cancel")
    assert [(row.status, row.slot_key) for row in desk.rows(Appointment)] == [("cancelled", None)]
    assert remind(desk, again, timedelta(minutes=40)) == []


def test_who_comes_second_is_offered_other_times(desk: WalkedDesk) -> None:
    for wa_id in ("5511987654321", "5521987650000"):
        desk.says("oi", wa_id)
        desk.says("agendar", wa_id)
        desk.says("Consultoria", wa_id)
    desk.says("1", "5511987654321")
    said = texts_of(desk.says("1", "5521987650000"))
    assert "acabou de ser ocupado" in said[0]
    assert "Marcado!" in texts_of(desk.says("1", "5521987650000"))[0]
    starts = [row.starts_at for row in desk.rows(Appointment)]
    assert len(set(starts)) == 2


def test_a_reminder_that_may_not_be_sent_is_shown_as_such(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("agendar")
    desk.says("Consultoria")
    desk.says("1")
    (row,) = desk.rows(Appointment)
    far = row.starts_at + timedelta(days=4)
    desk.change(Appointment, starts_at=far, created_at=far - timedelta(days=9))
    (row,) = desk.rows(Appointment)
    assert remind(desk, row, timedelta(hours=23)) == []
    with desk.app.app_context():
        conversations.opt_out(db.session.query(Contact).one().id, now=desk.clock())
        db.session.commit()
    assert remind(desk, row, timedelta(minutes=30)) == []
    assert [(r.kind, r.state) for r in desk.rows(AppointmentReminder)] == [
        ("day", "window_closed"),
        ("hour", "opted_out"),
    ]


def test_a_calendar_program_reads_what_is_booked_until_the_address_is_revoked(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("agendar")
    desk.says("Preço, prazo; e mais " + "á" * 60)
    desk.says("1")
    with desk.app.app_context():
        (ana,) = people("ana")
        token = calendar_feeds.make_feed(ana, "Agenda", now=desk.clock())
        db.session.commit()
    answer = desk.client.get(f"/calendar/{token}.ics")
    assert answer.mimetype == "text/calendar"
    lines = answer.text.split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 75
    whole = answer.text.replace("\r\n ", "")
    assert "SUMMARY:Preço\\, prazo\\; e mais ááá" in whole
    assert whole.count("BEGIN:VEVENT") == 1
    (row,) = desk.rows(Appointment)
    assert f"DTSTART:{row.starts_at.strftime('%Y%m%dT%H%M%SZ')}" in whole
    assert "STATUS:CONFIRMED" in whole
    with desk.app.app_context():
        (feed,) = calendar_feeds.feeds_of(ana)
        assert feed.last_read_at is not None
        assert token not in feed.token_hash
        assert not calendar_feeds.revoke(feed.id, ana + 1, now=desk.clock())
        calendar_feeds.revoke(feed.id, ana, now=desk.clock())
        db.session.commit()
    assert desk.client.get(f"/calendar/{token}.ics").status_code == 404
    assert desk.client.get("/calendar/x.ics").status_code == 404


def test_a_reminder_outside_of_the_window_goes_by_the_template_that_is_kept_for_it(desk: WalkedDesk) -> None:
    body = "Temos uma notícia sobre o seu atendimento: {{1}} Até logo!"
    desk.graph.add_template("customer_news", "pt_BR", body)
    desk.says("oi")
    desk.says("agendar")
    desk.says("Consultoria")
    desk.says("1")
    with desk.app.app_context():
        (number,) = integrations.numbers()
        row = MessageTemplate(
            integration_id=number.id, name="customer_news", language="pt_BR", category="utility",
            status="approved", body=body, wording=to_json(Wording(body)), created_at=desk.clock(),
            updated_at=desk.clock(),
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
    (booked,) = desk.rows(Appointment)
    far = booked.starts_at + timedelta(days=4)
    desk.change(Appointment, starts_at=far, created_at=far - timedelta(days=9))
    (booked,) = desk.rows(Appointment)
    assert remind(desk, booked, timedelta(hours=23)) == ["customer_news"]
    (value,) = desk.graph.sent[-1].payload["template"]["components"][0]["parameters"]
    assert booked.number in value["text"]
    assert "\n" not in value["text"]
    assert desk.outgoing()[-1].body.startswith("Temos uma notícia sobre o seu atendimento: ⏰ Lembrete")
    assert remind(desk, booked, timedelta(hours=22)) == []
    assert [(r.kind, r.state) for r in desk.rows(AppointmentReminder)] == [("day", "sent")]


@pytest.mark.parametrize(
    ("words", "hours_of_day"),
    [
        ("segunda à tarde", (12, 18)),
        ("amanhã", None),
        ("amanhã de manhã", (0, 12)),
        ("el lunes por la mañana", (0, 12)),
        ("mañana", None),
        ("mañana a la tarde", (12, 18)),
        ("Monday morning", (0, 12)),
        ("tomorrow evening", (18, 24)),
        ("de manhã ou à tarde", None),
    ],
)
def test_a_part_of_the_day_is_read(words: str, hours_of_day: tuple[int, int] | None) -> None:
    assert slots.part_of_day(words) == hours_of_day


def test_who_wants_the_afternoon_is_offered_the_afternoon_and_a_full_day_is_said(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        hours.write_hours(None, read_hours("mon-sat 09:00-18:00"))
        db.session.commit()
    desk.says("oi")
    (offer,) = desk.says("quero agendar uma consulta na terça à tarde")
    times = [name.rpartition(" ")[2] for name in offer.choices.values() if ":" in name]
    assert times
    assert all("12:00" <= time < "18:00" for time in times)
    desk.says("menu")
    (offer,) = desk.says("quero agendar uma consulta para domingo")
    assert "Nesse dia não há" in offer.text


@pytest.mark.parametrize(
    ("asked", "about", "topic", "wish"),
    [
        ("quero agendar para terça às 15h", None, "", "quero agendar para terça às 15h"),
        ("agendar", "terça às 15h", "", "terça às 15h"),
        ("agendar", "visto de estudante, terça às 15h", "visto de estudante", None),
        ("agendar", "Consultoria", "Consultoria", ""),
    ],
)
def test_a_wished_time_is_no_topic(
    desk: WalkedDesk, asked: str, about: str | None, topic: str, wish: str | None
) -> None:
    desk.says("oi")
    (offer,) = desk.says(asked)
    if about is not None:
        (offer,) = desk.says(about)
    if "15h" in (about or asked):
        assert "ter. 24/11, 15:00" in offer.choices.values()
    desk.says("1")
    (row,) = desk.rows(Appointment)
    assert (row.topic, row.wish) == (topic, about if wish is None else wish)
    told = asked if about is None else about
    with desk.app.app_context():
        said = [message.body for message in linked_words.words_of(db.session.get_one(Appointment, row.id))]
        event = calendar_feeds.calendar_text("Agenda", [(db.session.get_one(Appointment, row.id), "Ana")])
    assert told in said
    assert f"SUMMARY:{topic and topic + ' · '}Ana" in event
