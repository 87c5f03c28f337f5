"""Taking care: one problem is one ticket, news are told unasked, the customer closes a complaint."""

from collections.abc import Callable
from datetime import timedelta

import pytest

import conversations
import history
from crm import complaints, feedback, linked_words, telling, tickets
from crm.numbered import Actor
from models import (
    Alert,
    Complaint,
    Contact,
    Conversation,
    Feedback,
    FeedbackRequest,
    FollowUp,
    Integration,
    Ticket,
    db,
)
from tests.real_door import WalkedDesk, texts_of
from tests.test_teams import make_team, people

LANGUAGES = ("pt", "es", "en")
GREETING = {"pt": "oi", "es": "hola", "en": "hello"}
PROBLEM = {
    "pt": "meu curso não abre, a tela fica preta",
    "es": "mi curso no abre, la pantalla queda negra",
    "en": "my course does not open, the screen stays black",
}
MORE = {
    "pt": "o curso continua não abrindo no celular, preciso de ajuda",
    "es": "el curso sigue sin abrir en el celular, necesito ayuda",
    "en": "the course still does not open on my phone, please help",
}
YES = {"pt": "sim", "es": "sí", "en": "yes"}
ADDED = {"pt": "Juntei", "es": "Agregué", "en": "added this to your ticket"}
SOLVED = {"pt": "resolvido!", "es": "¡resuelto!", "en": "solved!"}
WHY = {"pt": "porquê", "es": "por qué", "en": "why"}
NOTED = {"pt": "Anotado", "es": "Anotado", "en": "Noted"}
UNHAPPY = {
    "pt": ("2", "O curso veio errado e ninguém responde"),
    "es": ("2", "El curso llegó incompleto y nadie responde"),
    "en": ("2", "The course was wrong and nobody answers"),
}
SORRY = {"pt": "desculpas", "es": "disculpas", "en": "apologise"}
REOPENED = {"pt": "Reabri", "es": "Reabrí", "en": "reopened"}
GOOD = {"pt": "Que bom", "es": "Qué bueno", "en": "Great"}


@pytest.fixture
def desk(desk: WalkedDesk) -> WalkedDesk:
    desk.change(Integration, start_flow="desk")
    return desk


def speak(desk: WalkedDesk, language: str) -> None:
    desk.change(Integration, language=language)
    desk.says(GREETING[language])


def read(desk: WalkedDesk, said: str) -> str:
    return "\n".join(texts_of(desk.says(said)))


def told(desk: WalkedDesk, do: Callable[[], object]) -> list[str]:
    """Do something as a person of ours would, and give what the customer then reads."""
    before = len(desk.graph.sent)
    with desk.app.app_context():
        do()
        db.session.commit()
    desk.work()
    return texts_of(desk.graph.sent[before:])


def newest(model):
    return db.session.query(model).order_by(model.id.desc()).first()


def close_ticket(desk: WalkedDesk) -> None:
    ticket = newest(Ticket)
    tickets.set_status(ticket, "solved", now=desk.clock(), by=Actor("operator"))
    assert telling.tell_status(ticket, now=desk.clock()) == "sent"
    assert feedback.ask_about(ticket, now=desk.clock()) == "sent"


def resolve_complaint(desk: WalkedDesk) -> None:
    complaint = newest(Complaint)
    complaints.set_status(complaint, "resolved", now=desk.clock(), by=Actor("operator"))
    complaint.asked_at = desk.clock()
    assert telling.ask(complaint.conversation_id, "complaint_solved", now=desk.clock()) == "sent"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_ticket_lives_from_the_problem_to_the_score(desk: WalkedDesk, language: str) -> None:
    with desk.app.app_context():
        (ana,) = people("ana")
        team_id = make_team(members=(ana,)).id
        db.session.commit()
    speak(desk, language)
    desk.says(PROBLEM[language])
    opened = read(desk, YES[language])
    (ticket,) = desk.rows(Ticket)
    assert f"*{ticket.number}*" in opened
    assert (ticket.team_id, ticket.operator_id, ticket.status) == (team_id, ana, "open")
    assert ticket.due_at > desk.clock()
    assert ADDED[language] in read(desk, MORE[language])
    assert len(desk.rows(Ticket)) == 1
    with desk.app.app_context():
        words = [message.body for message in linked_words.words_of(newest(Ticket))]
        assert [PROBLEM[language], MORE[language]] == [word for word in words if len(word) > 5]
    said = told(desk, lambda: close_ticket(desk))
    assert SOLVED[language] in said[0]
    assert len(said) == 2
    assert WHY[language] in texts_of(desk.presses("desk/feedback_score:four", "4"))[0]
    assert NOTED[language] in read(desk, "muito bom 👍")
    (given,) = desk.rows(Feedback)
    assert (given.score, given.text, given.record, given.record_id) == (
        4,
        "muito bom 👍",
        "ticket",
        ticket.id,
    )
    assert [row.state for row in desk.rows(FeedbackRequest)] == ["answered"]
    with desk.app.app_context():
        steps = [(step.before, step.after, step.actor) for step in history.changes_of("ticket", ticket.id)]
    assert steps == [("", "open", "customer"), ("open", "solved", "operator")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_complaint_is_closed_by_the_customers_word(desk: WalkedDesk, language: str) -> None:
    speak(desk, language)
    way, words = UNHAPPY[language]
    desk.says(way)
    assert SORRY[language] in read(desk, words)
    assert len(told(desk, lambda: resolve_complaint(desk))) == 1
    assert REOPENED[language] in texts_of(desk.presses("desk/complaint_solved:no"))[0]
    (complaint,) = desk.rows(Complaint)
    assert complaint.status == "open"
    assert complaint.escalated_at is not None
    assert len(desk.rows(Alert, Alert.kind == "complaint")) == 1
    told(desk, lambda: resolve_complaint(desk))
    said = texts_of(desk.presses("desk/complaint_solved:yes"))
    assert GOOD[language] in said[0]
    assert desk.rows(Complaint)[0].status == "closed"
    assert WHY[language] in texts_of(desk.presses("desk/feedback_score:two", "2"))[0]
    (given,) = desk.rows(Feedback)
    assert (given.score, given.record, given.record_id) == (2, "complaint", complaint.id)
    assert desk.presses("desk/complaint_solved:yes")  # an old button shows the menu, and closes nothing
    assert len(desk.rows(FeedbackRequest)) == 1


def test_a_problem_told_in_pieces_before_the_offer_is_taken_is_one_ticket(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    assert "tela fica preta" in read(desk, MORE["pt"])
    desk.says("sim")
    (ticket,) = desk.rows(Ticket)
    assert PROBLEM["pt"] in ticket.description
    assert MORE["pt"] in ticket.description
    with desk.app.app_context():
        assert len(linked_words.words_of(newest(Ticket))) >= 2


def test_another_problem_may_have_its_own_ticket(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    desk.says("sim")
    desk.says(MORE["pt"])
    desk.says("1")  # another problem
    desk.says("sim")
    assert len(desk.rows(Ticket)) == 2


def test_after_a_day_of_silence_a_problem_is_a_new_one(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    desk.says("sim")
    desk.change(Ticket, updated_at=desk.clock() - timedelta(hours=25))
    assert "Abro um chamado" in read(desk, MORE["pt"])


def test_the_scores_button_counts_while_a_person_has_the_conversation(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    desk.says("sim")
    desk.hears(desk.meta.echo("Oi, aqui é a Ana"))
    told(desk, lambda: close_ticket(desk))
    desk.presses("desk/feedback_score:five", "5")
    assert [row.score for row in desk.rows(Feedback)] == [5]
    assert desk.conversation().handler == "human"


def test_a_typed_score_counts_too(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    desk.says("sim")
    told(desk, lambda: close_ticket(desk))
    assert "porquê" in read(desk, "5")
    assert [row.score for row in desk.rows(Feedback)] == [5]


def test_nobody_is_asked_twice_outside_the_window_or_after_an_opt_out(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says(PROBLEM["pt"])
    desk.says("sim")
    told(desk, lambda: close_ticket(desk))
    with desk.app.app_context():
        assert feedback.ask_about(newest(Ticket), now=desk.clock() + timedelta(days=3)) is None
        ticket = newest(Ticket)
        assert telling.tell_status(ticket, now=desk.clock() + timedelta(days=3)) == "window_closed"
        conversations.opt_out(newest(Contact).id, now=desk.clock())
        db.session.expire_all()
        assert telling.tell_status(ticket, now=desk.clock()) == "opted_out"


def test_after_a_hand_over_the_score_is_asked_once_and_only_where_a_person_wrote(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("7")

    def give_back() -> None:
        conversation = newest(Conversation)
        conversations.hand_back(conversation, now=desk.clock())
        feedback.ask_after_hand_over(conversation, now=desk.clock())

    assert told(desk, give_back) == []
    desk.says("7")
    desk.hears(desk.meta.echo("Oi, aqui é a Ana"))
    assert len(told(desk, give_back)) == 1
    assert told(desk, give_back) == []
    desk.presses("desk/feedback_score:three", "3")
    assert [(row.score, row.record) for row in desk.rows(Feedback)] == [(3, "conversation")]


def test_a_payment_question_that_needs_a_person_is_the_finance_teams(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        (ana,) = people("ana")
        finance_id = make_team("finance", (ana,)).id
        db.session.commit()
    desk.says("oi")
    desk.says("4")
    assert "financeiro" in read(desk, "1")
    (task,) = desk.rows(FollowUp)
    assert (task.kind, task.team_id, task.operator_id, task.status) == (
        "payment_inquiry",
        finance_id,
        ana,
        "open",
    )
    assert task.due_at > desk.clock()
    assert desk.conversation().team_id == finance_id


def test_an_order_question_leaves_one_task(desk: WalkedDesk) -> None:
    for _ in range(2):
        desk.says("menu")
        desk.says("3")
        desk.says("1")
        desk.change(Conversation, handler="bot")
    assert [(task.kind, task.status) for task in desk.rows(FollowUp)] == [("order_inquiry", "open")]


# Told within one minute by somebody in a hurry; none of the later ones names an option.
PIECES = {
    "pt": (
        "aparece erro 500 quando abro o painel",
        "e agora sumiu o botão verde também",
        "isso é urgente, estou perdendo vendas",
    ),
    "es": (
        "aparece error 500 cuando abro el panel",
        "y ahora desapareció el botón verde también",
        "es urgente, estoy perdiendo ventas",
    ),
    "en": (
        "error 500 shows up when I open the panel",
        "and now the green button is gone too",
        "this is urgent, I'm losing sales",
    ),
}
MISSING = {"pt": "continuam me cobrando", "es": "me siguen cobrando", "en": "they keep charging me"}
ALL_WELL = {"pt": "sim, ficou tudo certo", "es": "sí, todo bien", "en": "yes, all good"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_messages_about_one_problem_are_one_ticket_and_none_is_lost(
    desk: WalkedDesk, language: str
) -> None:
    speak(desk, language)
    before, *after = PIECES[language]
    desk.says(PROBLEM[language])
    assert before in read(desk, before)  # the offer comes back with both
    desk.says(YES[language])
    for words in (MORE[language], *after):
        assert ADDED[language] in read(desk, words)
    (ticket,) = desk.rows(Ticket)
    with desk.app.app_context():
        told_of = [message.body for message in linked_words.words_of(newest(Ticket))]
    assert {PROBLEM[language], before, MORE[language], *after} <= set(told_of)
    assert ticket.priority == "urgent"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_missing_is_linked_to_the_complaint_and_a_typed_yes_closes_it(
    desk: WalkedDesk, language: str
) -> None:
    speak(desk, language)
    way, words = UNHAPPY[language]
    desk.says(way)
    desk.says(words)
    told(desk, lambda: resolve_complaint(desk))
    desk.presses("desk/complaint_solved:no")
    (complaint,) = desk.rows(Complaint)
    assert complaint.number in read(desk, MISSING[language])
    with desk.app.app_context():
        assert MISSING[language] in [message.body for message in linked_words.words_of(newest(Complaint))]
    desk.says("menu")  # a menu that is open must not swallow the answer
    told(desk, lambda: resolve_complaint(desk))
    assert GOOD[language] in read(desk, ALL_WELL[language])
    assert desk.rows(Complaint)[0].status == "closed"


def test_a_complaint_told_in_pieces_is_one_complaint(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("2")
    desk.says("O curso veio errado e ninguém responde")
    assert "Juntei isto à sua reclamação" in read(
        desk, "quero reclamar também do péssimo atendimento de vocês"
    )
    assert len(desk.rows(Complaint)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_solved_ticket_is_opened_again_by_the_customer(desk: WalkedDesk, language: str) -> None:
    speak(desk, language)
    desk.says(PROBLEM[language])
    desk.says(YES[language])
    told(desk, lambda: close_ticket(desk))
    desk.says("menu")
    (ticket,) = desk.rows(Ticket)
    assert ticket.number in read(desk, MORE[language])
    assert ticket.number in read(desk, YES[language])
    (ticket,) = desk.rows(Ticket)
    assert ticket.status == "open"
    with desk.app.app_context():
        last = history.changes_of("ticket", ticket.id)[-1]
        assert (last.before, last.after, last.actor) == ("solved", "open", "customer")
        assert MORE[language] in [one.body for one in linked_words.words_of(newest(Ticket))]


def test_who_has_the_task_gets_the_conversation_too(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        team_id = make_team("support", tuple(people("ana", "bia", "caio"))).id
        db.session.commit()
    words = "cadê meu pedido? já faz uma semana que comprei e não chegou"
    desk.says(words)
    (task,) = desk.rows(FollowUp)
    assert (task.words, task.team_id) == (words, team_id)
    desk.says("falar com uma pessoa")
    assert desk.conversation().operator_id == task.operator_id is not None
    with desk.app.app_context():
        assert words in [message.body for message in linked_words.words_of(newest(FollowUp))]
