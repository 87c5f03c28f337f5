"""Teams and hours: who is next, what is nobody's, and what a customer is told while nobody works."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

import operators
from crm import hours, teams, tickets
from crm.leads import LeadWish, record_lead
from models import Alert, Contact, Conversation, Integration, Message, Operator, Team, db
from tests.real_door import WalkedDesk, texts_of
from tests.records import NOW, make_conversation
from working_hours import read_hours


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


def people(*names: str) -> list[int]:
    return [
        operators.create_operator(f"{name}@loja.com.br", name.title(), "uma senha bem longa", "agent").id
        for name in names
    ]


def make_team(duty: str = teams.SUPPORT, members: tuple[int, ...] = (), **about: Any) -> Team:
    values: dict[str, Any] = {
        "name": duty.title(),
        "rule": teams.ROUND_ROBIN,
        "seats": 1,
        "is_active": True,
    } | about
    return teams.save_team(None, duty=duty, operator_ids=members, **values)


def open_tickets(contact_id: int, count: int) -> list[int | None]:
    owners = []
    for at in range(count):
        ticket = tickets.open_ticket(contact_id, f"problem {at}", now=NOW)
        teams.assign(ticket, teams.SUPPORT)
        owners.append(ticket.operator_id)
    return owners


def test_round_robin_gives_each_one_in_turn(conversation):
    ana, beto, carla = people("ana", "beto", "carla")
    make_team(members=(ana, beto, carla))
    assert open_tickets(conversation.contact_id, 4) == [ana, beto, carla, ana]


def test_who_has_the_least_open_work_is_next(conversation):
    ana, beto = people("ana", "beto")
    make_team(members=(ana, beto), rule=teams.LEAST_LOADED)
    lead = record_lead(
        db.session.get_one(Contact, conversation.contact_id), LeadWish(interest="x"), now=NOW
    ).lead
    lead.operator_id = ana
    conversation.handler, conversation.operator_id = "human", ana
    db.session.flush()
    assert open_tickets(conversation.contact_id, 4) == [beto, beto, ana, beto]


def test_without_a_team_a_record_is_nobodys(conversation):
    people("ana")
    ticket = tickets.open_ticket(conversation.contact_id, "help", now=NOW)
    teams.assign(ticket, teams.SUPPORT)
    assert (ticket.team_id, ticket.operator_id) == (None, None)


def test_support_steps_in_for_escalation(conversation):
    (ana,) = people("ana")
    support = make_team(members=(ana,))
    assert teams.team_for(teams.ESCALATION) is support
    assert teams.team_for(teams.FINANCE) is None


def test_a_team_without_people_still_holds_the_work(conversation):
    support = make_team()
    ticket = tickets.open_ticket(conversation.contact_id, "help", now=NOW)
    teams.assign(ticket, teams.SUPPORT)
    assert (ticket.team_id, ticket.operator_id) == (support.id, None)


def test_who_may_not_sign_in_any_more_gets_no_work(conversation):
    ana, beto = people("ana", "beto")
    make_team(members=(ana, beto))
    operators.deactivate(db.session.get_one(Operator, ana))
    assert open_tickets(conversation.contact_id, 2) == [beto, beto]


def test_a_teams_name_is_its_own(conversation):
    make_team(name="Suporte")
    with pytest.raises(teams.NameTaken):
        make_team(name=" suporte ")
    with pytest.raises(teams.NameTaken):
        make_team(name="  ")


def test_hours_are_the_teams_own_else_the_business_else_the_settings(app, conversation, load_config):
    config = load_config(WORKING_HOURS="mon 09:00-10:00")
    support = make_team()
    assert hours.hours_of(config, support.id).stretches == read_hours("mon 09:00-10:00")
    hours.write_hours(None, read_hours("tue 09:00-10:00"))
    assert hours.hours_of(config, support.id).stretches == read_hours("tue 09:00-10:00")
    hours.write_hours(support.id, read_hours("wed 09:00-10:00"))
    assert hours.hours_of(config, support.id).stretches == read_hours("wed 09:00-10:00")
    assert hours.hours_of(config).stretches == read_hours("tue 09:00-10:00")
    hours.add_holiday(date(2026, 12, 25), "Natal", is_yearly=True)
    assert hours.hours_of(config).is_day_off(date(2031, 12, 25))
    with pytest.raises(hours.DayTaken):
        hours.add_holiday(date(2026, 12, 25), "Natal", is_yearly=False)


# --- what customers are told while nobody works -------------------------------------------------------------


def close_shop(desk: WalkedDesk) -> datetime:
    """Write hours down that are over for today, wherever the clock stands; gives the next opening."""
    now = desk.clock()
    opens = (now + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    with desk.app.app_context():
        day = opens.weekday()
        name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day]
        hours.write_hours(None, read_hours(f"{name} 09:00-10:00"))  # 12:00 UTC in São Paulo
        db.session.commit()
    return opens


AWAY = {"pt": "fora do horário", "es": "fuera del horario", "en": "We are closed"}
WANTS_PERSON = {
    "pt": "quero falar com uma pessoa",
    "es": "quiero hablar con una persona",
    "en": "I want to talk to a person",
}


@pytest.mark.parametrize("language", AWAY)
def test_who_wants_a_person_out_of_hours_is_told_once_when_one_comes(desk: WalkedDesk, language: str) -> None:
    opens = close_shop(desk)
    desk.change(Integration, start_flow="desk", language=language)
    desk.says({"pt": "oi", "es": "hola", "en": "hello"}[language])
    said = texts_of(desk.says(WANTS_PERSON[language]))
    assert len(said) == 2
    assert AWAY[language] in said[1]
    assert str(opens.day) in said[1]
    assert desk.says("??") == []
    assert desk.conversation().away_until == opens


def test_in_working_hours_nothing_is_said_of_hours(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        hours.write_hours(None, read_hours("mon-sun 00:00-24:00"))
        db.session.commit()
    desk.says("hello")
    assert len(desk.says("I want to talk to a person")) == 1


def test_who_writes_to_a_silent_person_is_told_once_per_closing(desk: WalkedDesk) -> None:
    desk.change(Integration, language="en")
    desk.says("hello")
    desk.says("I want to talk to a person")
    close_shop(desk)
    assert [AWAY["en"] in text for text in texts_of(desk.says("are you there?"))] == [True]
    assert desk.says("hello?") == []


def test_a_person_who_has_just_written_is_there(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.hears(desk.meta.echo("Oi, sou eu"))
    close_shop(desk)
    assert desk.says("are you there?") == []


def test_a_hand_over_goes_to_the_support_team_and_is_written_down(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        (ana,) = people("ana")
        support_id = make_team(members=(ana,)).id
        db.session.commit()
    desk.change(Integration, start_flow="desk")
    desk.says("oi")
    desk.says("7")
    conversation = desk.conversation()
    assert (conversation.team_id, conversation.operator_id) == (support_id, ana)
    assert len(desk.rows(Alert, Alert.kind == "waiting")) == 1
    assert desk.messages(Message.direction == "out")
    assert desk.rows(Conversation)[0].handler == "human"
    assert conversation.handover_ends_at is not None
