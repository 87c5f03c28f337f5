"""Teaching on pages: agents correct where they read; admins keep examples and phrases and have models."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import lanes
import tasks
from models import (
    Conversation,
    LabelCorrection,
    Message,
    PhrasePattern,
    TrainedModel,
    TrainingExample,
    Turn,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL, EVIL
from training import examples
from training.lessons import Learnt, report

READ = {"intent": "other", "sentiment": "neutral", "urgency": "low", "language": "pt"}


@pytest.fixture
def thread(app: Flask) -> tuple[int, int]:
    """Give a conversation with one message that was read, and the message."""
    with app.app_context():
        page_rows.people()
        desk = page_rows.fill()
        of = db.session.get_one(Conversation, desk.bot_id)
        message = page_rows.message(of, f"cadê o motoboy {EVIL}", **READ)
        db.session.commit()
        return of.id, message.id


@pytest.fixture
def agent(app: Flask, thread: tuple[int, int]) -> FlaskClient:
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    return client


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Collect the trainings that workers are asked for."""
    asked: list[bool] = []

    def ask() -> bool:
        asked.append(True)
        return True

    monkeypatch.setattr(tasks, "ask_for_training", ask)
    return asked


def rows(app: Flask, model: Any) -> list[Any]:
    with app.app_context():
        found = list(db.session.scalars(select(model).order_by(model.id)))
        db.session.expunge_all()
        return found


# --- on the conversation page -------------------------------------------------------------------------------


def test_a_message_shows_its_reading_and_a_select_per_task(
    agent: FlaskClient, thread: tuple[int, int]
) -> None:
    page = get(agent, f"/inbox/{thread[0]}").text
    for task, chosen in (("intent", "other"), ("buying_signal", "none"), ("urgency", "low")):
        select_of = re.search(rf'<select[^>]* name="{task}">(.*?)</select>', page, re.DOTALL)
        assert select_of is not None
        assert re.findall(r'value="(\w+)" selected', select_of[1]) == [chosen]
    assert EVIL not in page


def test_an_agent_corrects_and_undoes(app: Flask, agent: FlaskClient, thread: tuple[int, int]) -> None:
    page, path = f"/inbox/{thread[0]}", f"/inbox/{thread[0]}/messages/{thread[1]}/reading"
    was = {f"was_{task}": label for task, label in {**READ, "buying_signal": "none"}.items()}
    form = {**was, "intent": "order_inquiry", "urgency": "low", "verdict": "correct"}
    answer = post(agent, path, page, **form)
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith(f"#m{thread[1]}")
    (kept,) = rows(app, LabelCorrection)
    assert (kept.task, kept.read_as, kept.label) == ("intent", "other", "order_inquiry")
    shown = get(agent, page).text
    assert "corrigida por uma pessoa" in shown
    assert "como o Balcão leu" in shown
    post(agent, path, page, was_intent="order_inquiry", intent="other", verdict="correct")
    assert rows(app, TrainingExample) == []
    assert "corrigida por uma pessoa" not in get(agent, page).text


def test_one_click_behind_the_answer_corrects_and_one_undoes(
    app: Flask, agent: FlaskClient, thread: tuple[int, int]
) -> None:
    page, path = f"/inbox/{thread[0]}", f"/inbox/{thread[0]}/messages/{thread[1]}/reading"
    with app.app_context():
        turn = Turn(conversation_id=thread[0], responder="ai", reason="free text")
        turn.trace = {"reply": {"strategy": "racional"}}
        db.session.add(turn)
        db.session.flush()
        db.session.get_one(Message, thread[1]).turn_id = turn.id
        answers = [
            page_rows.message(
                db.session.get_one(Conversation, thread[0]),
                body,
                direction="out",
                sender="bot",
                status="sent",
                turn_id=turn.id,
            ).id
            for body in ("Claro!", "Custa R$ 90.")
        ]
        db.session.commit()
    shown = get(agent, page).text
    assert "Racional" in shown
    assert shown.count('class="relabel"') == 1
    assert 'value="intent:other" aria-pressed="true"' in shown
    assert 'value="undo"' not in shown
    answer = post(agent, path, page, say="intent:complaint", at=str(answers[0]))
    assert answer.headers["Location"].endswith(f"#m{answers[0]}")
    assert [(one.task, one.label) for one in rows(app, LabelCorrection)] == [("intent", "complaint")]
    assert len(rows(app, TrainingExample)) == 1
    assert 'value="undo"' in get(agent, page).text
    post(agent, path, page, verdict="undo")
    post(agent, path, page, verdict="undo")
    assert (rows(app, LabelCorrection), rows(app, TrainingExample)) == ([], [])
    assert next(m for m in rows(app, Message) if m.id == thread[1]).intent == "other"


def test_an_old_form_changes_only_what_was_changed_in_it(
    app: Flask, agent: FlaskClient, thread: tuple[int, int]
) -> None:
    page, path = f"/inbox/{thread[0]}", f"/inbox/{thread[0]}/messages/{thread[1]}/reading"
    post(agent, path, page, was_intent="other", intent="complaint", verdict="correct")
    post(agent, path, page, was_intent="other", intent="other", was_urgency="low", urgency="high")
    found = next(m for m in rows(app, Message) if m.id == thread[1])
    assert (found.intent, found.urgency) == ("complaint", "high")


def test_all_of_it_is_right_confirms_every_task(
    app: Flask, agent: FlaskClient, thread: tuple[int, int]
) -> None:
    page, path = f"/inbox/{thread[0]}", f"/inbox/{thread[0]}/messages/{thread[1]}/reading"
    post(agent, path, page, was_intent="other", intent="complaint", verdict="right")
    assert [one.label == one.read_as for one in rows(app, LabelCorrection)] == [True] * 4
    assert "confirmada por uma pessoa" in get(agent, page).text


@pytest.mark.parametrize(
    "form",
    [{"intent": "greeting"}, {"intent": "<b>"}, {"urgency": "x" * 5000}, {"say": "spam"}, {"say": "x:y"}],
)
def test_a_label_of_no_list_is_refused_on_the_page(
    app: Flask, agent: FlaskClient, thread: tuple[int, int], form: dict[str, str]
) -> None:
    page = f"/inbox/{thread[0]}"
    assert post(agent, f"{page}/messages/{thread[1]}/reading", page, **form).status_code == 303
    assert "não pode ser corrigida" in get(agent, page).text
    assert rows(app, LabelCorrection) == []


def test_a_message_of_another_conversation_is_404(agent: FlaskClient, thread: tuple[int, int]) -> None:
    page = f"/inbox/{thread[0]}"
    assert post(agent, f"/inbox/1/messages/{thread[1]}/reading", page, intent="spam").status_code == 404
    assert post(agent, f"{page}/messages/9999/reading", page, intent="spam").status_code == 404


def test_the_thread_changes_its_version_with_a_label(agent: FlaskClient, thread: tuple[int, int]) -> None:
    page = f"/inbox/{thread[0]}"
    before = get(agent, f"{page}/thread").headers["ETag"]
    post(agent, f"{page}/messages/{thread[1]}/reading", page, was_intent="other", intent="complaint")
    assert get(agent, f"{page}/thread").headers["ETag"] != before


# --- the admin's pages --------------------------------------------------------------------------------------


def test_an_agent_may_not_teach_for_everybody(agent: FlaskClient) -> None:
    for path in ("/teaching", "/teaching/examples", "/teaching/phrases"):
        assert get(agent, path).status_code == 403
    for path in ("/teaching/train", "/teaching/go-back", "/teaching/examples", "/teaching/phrases"):
        assert post(agent, path, "/account").status_code == 403


def test_pasted_lines_become_examples_and_ticked_ones_go(app: Flask, admin: FlaskClient) -> None:
    path = "/teaching/examples"
    form = {"label": "intent:complaint", "language": "pt", "lines": f"veio quebrado\r\n\r\n{EVIL}\r\n"}
    assert post(admin, path, path, **form).status_code == 303
    assert [row.text for row in rows(app, TrainingExample)] == ["veio quebrado", EVIL]
    page = get(admin, f"{path}?task=intent&label=complaint&q=VEIO").text
    assert "veio quebrado" in page
    assert EVIL not in page
    ids = [str(row.id) for row in rows(app, TrainingExample)]
    answer = post(admin, f"{path}/delete?task=intent&q=a%26b", path, id=[*ids, "x", "-1"])
    assert answer.headers["Location"] == f"{path}?task=intent&q=a%26b"
    assert rows(app, TrainingExample) == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"label": "", "language": "pt", "lines": "oi oi"}, "Escolha um significado"),
        ({"label": "intent:angry", "language": "pt", "lines": "oi oi"}, "Escolha um significado"),
        ({"label": "intent:other", "language": "xx", "lines": "oi oi"}, "Escolha um idioma"),
        ({"label": "intent:other", "language": "pt", "lines": "  "}, "Escreva algo"),
        ({"label": "intent:other", "language": "pt", "lines": "a" * 1001}, "longa demais"),
    ],
)
def test_a_refused_form_keeps_what_was_written(
    app: Flask, admin: FlaskClient, form: dict[str, str], said: str
) -> None:
    answer = post(admin, "/teaching/examples", "/teaching/examples", **form)
    assert answer.status_code == 422
    assert said in answer.text
    assert form["lines"] in answer.text
    assert rows(app, TrainingExample) == []


def test_examples_are_paged_each_once(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        lines = [f"linha {n:03d}" for n in range(120)]
        examples.add_examples("intent", "other", "pt", lines, now=utc_now())
        db.session.commit()
    seen: list[str] = []
    path: str | None = "/teaching/examples?task=intent"
    while path:
        page = get(admin, path).text
        seen += re.findall(r"linha \d{3}", page)
        older = re.search(r'href="([^"]*before=[^"]*)"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert seen == lines[::-1]


def test_a_phrase_is_added_and_deleted(app: Flask, admin: FlaskClient) -> None:
    path = "/teaching/phrases"
    assert post(admin, path, path, label="intent:complaint", phrase=f"vale {EVIL}").status_code == 303
    (phrase,) = rows(app, PhrasePattern)
    assert EVIL not in get(admin, path).text
    assert post(admin, f"{path}/{phrase.id}/delete", path).status_code == 303
    assert rows(app, PhrasePattern) == []
    assert post(admin, path, path, label="intent:complaint", phrase="!").status_code == 422


def test_a_worker_is_asked_to_train_when_there_is_something_to_learn(
    app: Flask, admin: FlaskClient, trainings: list[bool]
) -> None:
    post(admin, "/teaching/train", "/teaching")
    assert trainings == []
    assert "Ainda não há nada seu" in get(admin, "/teaching").text
    with app.app_context():
        examples.add_examples("intent", "other", "pt", ["oi oi"], now=utc_now())
        db.session.commit()
    post(admin, "/teaching/train", "/teaching")
    assert trainings == [True]
    with app.app_context():
        lanes.claim(tasks.TRAINING_LANE, "a worker")
    assert "O treino está em andamento" in get(admin, "/teaching").text


def test_the_last_report_is_shown_and_one_can_go_back(app: Flask, admin: FlaskClient) -> None:
    learnt = Learnt("urgency", b"", 3, 500, None, None, 1.5)
    with app.app_context():
        db.session.add(TrainedModel(task="urgency", version="abc123", data=b"", report=report(learnt)))
        db.session.commit()
    page = get(admin, "/teaching").text
    for words in ("abc123", "3 exemplos seus e 500 de fábrica", "Poucos demais", "em uso"):
        assert words in page, words
    assert post(admin, "/teaching/go-back", "/teaching").status_code == 303
    page = get(admin, "/teaching").text
    assert "em repouso" in page
    assert "Voltar aos modelos" not in page
