"""What the business teaches: corrections, examples, phrases, and the models made of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import analysis
import lanes
import operators
import privacy
import tasks
from ai_service import understand
from analysis import Models, Pattern
from analysis.train import shipped_examples, version
from config import Config
from models import (
    Conversation,
    LabelCorrection,
    Message,
    PhrasePattern,
    TrainedModel,
    TrainingExample,
    Turn,
    db,
)
from tests import page_rows
from tests.browsing import post, sign_in
from tests.conftest import QUICK_HASHER
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import CUSTOMER
from tests.page_rows import AGENT_EMAIL
from tests.real_door import META, walked_desk
from tests.records import NOW, make_conversation
from training import corrections, current, examples, lessons
from training.examples import MAX_PHRASES, Added, Wanted
from training.lessons import Lesson
from training.refusals import MAX_TEXT_CHARS, TeachingRefused

TEXT = "o zorblat guardou um osso"


@pytest.fixture
def room(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def heard(body: str = TEXT, **columns: object) -> Message:
    """Add a message that was read as nothing in particular; flushes."""
    conversation = db.session.scalars(select(Conversation)).first() or make_conversation()
    labels = {"intent": "other", "sentiment": "neutral", "sentiment_score": 0.1, "urgency": "low"}
    message = Message(
        conversation_id=conversation.id,
        integration_id=conversation.integration_id,
        sender="customer",
        kind="text",
        body=body,
        **{"direction": "in", "language": "pt", **labels, **columns},
    )
    db.session.add(message)
    db.session.flush()
    return message


def correct(message: Message, task: str, label: str) -> bool:
    return corrections.correct(message.id, task, label, operator_id=None, now=NOW)


def rows(model: Any) -> list[Any]:
    db.session.expire_all()
    return list(db.session.scalars(select(model)))


# --- corrections --------------------------------------------------------------------------------------------


def test_a_correction_changes_the_message_and_becomes_an_example(room: None) -> None:
    message = heard()
    assert correct(message, "urgency", "critical")
    assert message.urgency == "critical"
    (kept,) = rows(LabelCorrection)
    assert (kept.task, kept.read_as, kept.label) == ("urgency", "low", "critical")
    (example,) = rows(TrainingExample)
    assert (example.text, example.label, example.language) == (TEXT, "critical", "pt")


def test_a_correction_of_a_correction_replaces_it(room: None) -> None:
    message = heard()
    correct(message, "intent", "complaint")
    correct(message, "intent", "feedback")
    (kept,), (example,) = rows(LabelCorrection), rows(TrainingExample)
    assert (kept.read_as, kept.label, example.label) == ("other", "feedback", "feedback")


def test_the_old_label_undoes_a_correction_and_its_example(room: None) -> None:
    message = heard()
    correct(message, "intent", "complaint")
    assert correct(message, "intent", "other")
    assert message.intent == "other"
    assert rows(TrainingExample) == []
    assert rows(LabelCorrection)[0].label == "other"


def test_confirming_counts_and_teaches_nothing(room: None) -> None:
    message = heard()
    corrections.confirm(message.id, operator_id=None, now=NOW)
    assert rows(TrainingExample) == []
    assert {one.task: (one.confirmed, one.corrected) for one in corrections.accuracy(30, now=NOW)} == {
        "intent": (1, 0),
        "buying_signal": (1, 0),
        "sentiment": (1, 0),
        "urgency": (1, 0),
    }


def test_accuracy_counts_corrected_against_confirmed_of_the_last_days(room: None) -> None:
    correct(heard(), "intent", "complaint")
    correct(heard(), "intent", "other")
    old = heard()
    corrections.correct(old.id, "intent", "spam", operator_id=None, now=NOW - timedelta(days=8))
    found = {one.task: one for one in corrections.accuracy(7, now=NOW)}
    assert (found["intent"].count, found["intent"].share) == (2, 0.5)
    assert (found["urgency"].count, found["urgency"].share) == (0, None)


def test_no_buying_signal_is_a_label_like_others(room: None) -> None:
    message = heard(buying_signal="ready_to_buy")
    correct(message, "buying_signal", "none")
    assert message.buying_signal is None
    assert corrections.label_of(message, "buying_signal") == "none"
    assert rows(TrainingExample)[0].label == "none"


def test_a_burst_was_read_as_one_and_is_corrected_as_one(room: None) -> None:
    first = heard("o zorblat")
    conversation = first.conversation_id
    turn = Turn(conversation_id=conversation, responder="ai", reason="x")
    db.session.add(turn)
    db.session.flush()
    first.turn_id = turn.id
    second = heard("engoliu um osso", turn_id=turn.id)
    correct(second, "intent", "complaint")
    assert (first.intent, second.intent) == ("complaint", "complaint")
    (kept,), (example,) = rows(LabelCorrection), rows(TrainingExample)
    assert kept.message_id == first.id
    assert example.text == "o zorblat\nengoliu um osso"


def test_a_sentiment_score_does_not_contradict_its_corrected_label(room: None) -> None:
    message = heard(sentiment="excited", sentiment_score=0.9)
    correct(message, "sentiment", "angry")
    assert message.sentiment_score == -1.0


@pytest.mark.parametrize(
    ("columns", "task", "label", "code"),
    [
        ({}, "mood", "angry", "task"),
        ({}, "intent", "angry", "label"),
        ({}, "intent", "", "label"),
        ({"intent": None}, "intent", "complaint", "not_read"),
        ({"direction": "out"}, "intent", "complaint", "not_read"),
        ({"is_revoked": True}, "intent", "complaint", "not_read"),
    ],
)
def test_what_cannot_be_corrected_is_refused(room: None, columns, task, label, code) -> None:
    message = heard(**columns)
    with pytest.raises(TeachingRefused) as refused:
        correct(message, task, label)
    assert refused.value.code == code
    assert rows(LabelCorrection) == []


def test_a_message_without_words_is_corrected_but_is_no_example(room: None) -> None:
    message = heard("😡😡")
    correct(message, "sentiment", "angry")
    assert message.sentiment == "angry"
    assert rows(TrainingExample) == []


# --- examples and phrases -----------------------------------------------------------------------------------


def test_lines_become_examples_once_and_may_change_their_label(room: None) -> None:
    lines = ["quero banho", "", "  quero   banho ", "tosa amanhã"]
    assert examples.add_examples("intent", "appointment_request", "pt", lines, now=NOW) == Added(2, 0, 0)
    again = examples.add_examples("intent", "other", "pt", ["quero banho"], now=NOW)
    assert again == Added(0, 1, 0)
    assert examples.add_examples("intent", "other", "pt", ["quero banho"], now=NOW) == Added(0, 0, 1)
    assert examples.counts()["intent"] == 2


@pytest.mark.parametrize(
    ("task", "label", "language", "lines", "code"),
    [
        ("spam", "spam", "pt", ["x y"], "task"),
        ("intent", "greeting", "pt", ["x y"], "label"),
        ("intent", "other", "xx", ["x y"], "language"),
        ("intent", "other", "pt", ["", "\x00"], "empty"),
        ("intent", "other", "pt", ["x", "!!!"], "empty"),
        ("intent", "other", "pt", ["x" * (MAX_TEXT_CHARS + 1)], "too_long"),
        ("intent", "other", "pt", [f"linha {n}" for n in range(1001)], "too_many"),
    ],
)
def test_examples_that_teach_nothing_are_refused(room: None, task, label, language, lines, code) -> None:
    with pytest.raises(TeachingRefused) as refused:
        examples.add_examples(task, label, language, lines, now=NOW)
    assert refused.value.code == code
    assert rows(TrainingExample) == []


def test_examples_are_filtered_and_paged(room: None) -> None:
    examples.add_examples("intent", "other", "pt", [f"linha {n}" for n in range(5)], now=NOW)
    examples.add_examples("urgency", "low", "es", ["sin 100% prisa"], now=NOW)
    first = examples.list_examples(Wanted(task="intent"), before=None, limit=3)
    rest = examples.list_examples(Wanted(task="intent"), before=first[-1].id, limit=3)
    assert [row.text for row in (*first, *rest)] == [f"linha {n}" for n in (4, 3, 2, 1, 0)]
    assert len(examples.list_examples(Wanted(words="100%"), before=None, limit=9)) == 1
    assert len(examples.list_examples(Wanted(words="LINHA", language="pt"), before=None, limit=9)) == 5
    assert examples.remove_examples([row.id for row in first]) == 3
    assert examples.remove_examples([row.id for row in first]) == 0


def test_a_phrase_reads_at_once_and_stops_at_once(room: None) -> None:
    assert current.current_models().patterns == ()
    phrase = examples.add_phrase("intent", "complaint", " zorblat ", now=NOW)
    assert [(one.label, one.phrase) for one in current.current_models().patterns] == [
        ("complaint", "zorblat")
    ]
    assert examples.add_phrase("intent", "feedback", "zorblat", now=NOW).id == phrase.id
    assert current.current_models().patterns[0].label == "feedback"
    assert examples.remove_phrase(phrase.id)
    assert not examples.remove_phrase(phrase.id)
    assert current.current_models().patterns == ()


@pytest.mark.parametrize(
    ("phrase", "code"), [("", "empty"), ("a", "too_short"), ("7!", "too_short"), ("?!", "too_short")]
)
def test_a_phrase_that_stands_everywhere_is_refused(room: None, phrase: str, code: str) -> None:
    with pytest.raises(TeachingRefused) as refused:
        examples.add_phrase("intent", "complaint", phrase, now=NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("phrase", "text"), [("🔥", "🔥🔥"), ("🔥", "olha isso 🔥"), ("买", "我要买"), ("oi", "oi")]
)
def test_a_word_or_an_emoji_is_a_phrase_and_settles(room: None, phrase: str, text: str) -> None:
    examples.add_phrase("intent", "complaint", phrase, now=NOW)
    found = analysis.read(text, now=NOW, models=current.current_models())
    assert (found.intent, found.intent_confidence) == ("complaint", 0.95)


def test_phrases_are_bounded(room: None) -> None:
    for n in range(MAX_PHRASES):
        db.session.add(PhrasePattern(task="intent", label="other", phrase=f"frase {n}"))
    db.session.flush()
    with pytest.raises(TeachingRefused) as refused:
        examples.add_phrase("intent", "other", "mais uma", now=NOW)
    assert refused.value.code == "too_many"
    with pytest.raises(TeachingRefused):
        examples.add_phrase("intent", "other", "x" * 161, now=NOW)


# --- models -------------------------------------------------------------------------------------------------


def teach_urgency(count: int = 12) -> None:
    lines = [f"o zorblat {n} engoliu um osso" for n in range(count)]
    examples.add_examples("urgency", "urgent", "pt", lines, now=NOW)


def train_now(at=NOW) -> list:
    learnt = [lessons.learn(lesson) for lesson in lessons.read_lessons()]
    for one in learnt:
        lessons.keep(one, now=at)
    return learnt


def test_nothing_taught_is_nothing_to_learn(room: None) -> None:
    assert lessons.read_lessons() == ()
    assert current.current_models().own == {}


def test_a_training_measures_on_lines_that_nobody_trained_on(room: None) -> None:
    teach_urgency()
    (learnt,) = train_now()
    assert (learnt.task, learnt.own_examples) == ("urgency", 12)
    assert learnt.on_own is not None
    assert learnt.on_own.examples == 2
    assert learnt.on_own.accuracy_after > learnt.on_own.accuracy_before
    assert learnt.on_package is not None
    assert learnt.on_package.examples > 20


def test_few_examples_give_no_figure_of_their_own(room: None) -> None:
    teach_urgency(4)
    (learnt,) = train_now()
    assert learnt.on_own is None
    assert learnt.data is not None


def test_a_trained_model_reads_until_one_goes_back(room: None) -> None:
    teach_urgency(4)
    train_now()
    assert set(current.current_models().own) == {"urgency"}
    assert lessons.go_back() == 1
    assert lessons.go_back() == 0
    assert current.current_models().own == {}
    assert examples.counts()["urgency"] == 4


def test_a_model_whose_examples_are_gone_is_given_up(room: None) -> None:
    teach_urgency(4)
    train_now()
    examples.remove_examples([row.id for row in rows(TrainingExample)])
    (learnt,) = train_now()
    assert learnt.data is None
    assert current.current_models().own == {}


def test_old_versions_are_forgotten(room: None) -> None:
    teach_urgency(4)
    (learnt,) = train_now()
    for _ in range(8):
        lessons.keep(learnt, now=NOW)
    versions = lessons.list_versions()
    assert len(versions) == lessons.KEPT_VERSIONS
    assert [one.is_active for one in versions] == [True, False, False, False, False]
    assert not versions[0].is_outdated


def test_an_example_outweighs_the_packaged_one_of_the_same_text(room: None) -> None:
    packaged = shipped_examples("urgency")[0]
    label = "low" if packaged.label != "low" else "high"
    examples.add_examples("urgency", label, packaged.language, [packaged.text], now=NOW)
    (lesson,) = lessons.read_lessons()
    learnt = lessons.learn(lesson)
    assert learnt.packaged_examples < len(shipped_examples("urgency"))


def test_what_was_corrected_to_or_from_spam_teaches_the_guard_too(room: None) -> None:
    correct(heard("promo zorblat da loja", intent="spam"), "intent", "feedback")
    found = {lesson.task: lesson for lesson in lessons.read_lessons()}
    assert set(found) == {"intent", "spam"}
    assert [example.label for example in found["spam"].own] == ["real"]
    assert found["intent"].own[0].weight == lessons.CORRECTION_WEIGHT


def test_a_model_that_cannot_be_used_leaves_the_shipped_one(room: None) -> None:
    for data in (b"", b"BLC1 no model", lessons.learn(Lesson("urgency", _two())).data or b""):
        db.session.add(TrainedModel(task="intent", version="x", data=data))
    db.session.flush()
    current.forget()
    assert current.current_models().own == {}


def _two() -> tuple:
    return tuple(shipped_examples("urgency")[:2])


def test_two_trainings_at_once_are_one(app: Flask) -> None:
    with app.app_context():
        assert tasks.train_models() == []
        lease = lanes.claim(tasks.TRAINING_LANE, "another")
        assert lease is not None
        assert lanes.is_held(tasks.TRAINING_LANE)
        assert tasks.train_models() is None
        lanes.release(lease)
        assert not lanes.is_held(tasks.TRAINING_LANE)
        assert tasks.train_models() == []


def test_the_version_names_the_examples(room: None) -> None:
    teach_urgency(4)
    (lesson,) = lessons.read_lessons()
    assert version("urgency", lesson.own) != version("urgency", lesson.own[1:])


def test_a_text_is_judged_once_per_version(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge = analysis.judge

    def counted(text: str, **given: Any) -> analysis.Judgement:
        judged.append(text)
        return judge(text, **given)

    monkeypatch.setattr(analysis, "judge", counted)
    phrase = Pattern("intent", "complaint", "quorblat")
    texts = {}
    for models in (Models(), Models(), Models(patterns=(phrase,)), Models(patterns=(phrase,))):
        found = understand("amanhã quorblat", now=NOW, region="BR", language="pt", models=models)
        texts[found.intent] = found.entities[0].value
    assert judged == ["amanhã quorblat"] * 2
    assert "complaint" in texts
    later = understand("amanhã quorblat", now=NOW + timedelta(days=1), region="BR", language="pt")
    assert later.entities[0].value != texts["complaint"]


def test_tomorrow_is_the_business_s_own_tomorrow(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph:
        settings = load_config(GRAPH_API_BASE_URL=graph.url, TIME_ZONE="America/Sao_Paulo", **META)
        with walked_desk(settings, graph) as desk:
            desk.says("hello")
            soon = datetime.now(UTC) + timedelta(hours=1)
            night = soon.replace(hour=1, minute=30) + timedelta(days=soon.hour >= 1)
            desk.clock.ahead = night - datetime.now(UTC)  # 22:30 of the day before, in São Paulo
            desk.says("vocês abrem amanhã?")
            found = desk.rows(Turn)[-1].trace["analysis"]["entities"]
    assert [one["value"] for one in found] == [night.date().isoformat()]


# --- a person's data ----------------------------------------------------------------------------------------


def test_a_deleted_person_leaves_no_correction_and_no_example(room: None) -> None:
    message = heard()
    correct(message, "urgency", "critical")
    people = privacy.find_people("5581998765432")
    export = privacy.export_person(people, now=NOW)
    assert [row["label"] for row in export["corrections"]] == ["critical"]
    assert [row["text"] for row in export["training_examples"]] == [TEXT]
    privacy.delete_person(people)
    assert rows(LabelCorrection) == rows(TrainingExample) == []


# --- a life -------------------------------------------------------------------------------------------------


def test_a_correction_on_the_page_is_learnt_and_read(
    load_config: Callable[..., Config], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "_hasher", QUICK_HASHER)
    with FakeGraph() as graph:
        settings = load_config(GRAPH_API_BASE_URL=graph.url, DATABASE_URL=database_url, **META)
        with walked_desk(settings, graph) as desk:
            with desk.app.app_context():
                page_rows.people()
            desk.says("hello")
            desk.says(TEXT)
            before = desk.messages(Message.body == TEXT)[-1]
            assert before.urgency != "critical"
            agent = desk.app.test_client()
            sign_in(agent, AGENT_EMAIL)
            page = f"/inbox/{before.conversation_id}"
            form = {"was_urgency": before.urgency, "urgency": "critical", "verdict": "correct"}
            assert post(agent, f"{page}/messages/{before.id}/reading", page, **form).status_code == 303
            with desk.app.app_context():
                learnt = tasks.train_models()
                assert learnt is not None
                assert [one.task for one in learnt] == ["urgency"]
                current.forget()
            desk.says(TEXT.upper(), CUSTOMER[:-1] + "0")
            assert desk.messages(Message.body == TEXT.upper())[-1].urgency == "critical"
