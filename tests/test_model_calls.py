"""What calls to the model cost, and when they must end for the day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import alerts
import llm
import model_calls
from app import create_app
from llm import Answered, Failed, Usage
from model_calls import Totals, affordable, may_spend, record, spent_today
from models import Alert, ModelCall, Turn, db
from tests.records import NOW, make_conversation

# The shop's day begins at 03:00 UTC in São Paulo.
MIDNIGHT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _desk(app):
    with app.app_context():
        yield


@pytest.fixture
def config(load_config):
    return load_config(OPENROUTER_API_KEY="k", AI_MODEL="a/b", AI_FALLBACK_MODELS="c:free")


def call(cost_microusd: int = 0) -> Answered[None]:
    return Answered("Oi", None, "openrouter:a/b", Usage(100, 20, cost_microusd), took_ms=300)


def test_a_call_is_kept_without_its_words(config):
    conversation = make_conversation()
    turn = Turn(conversation_id=conversation.id, responder="ai", reason="question")
    db.session.add(turn)
    db.session.flush()
    record(
        call(123),
        purpose="reply",
        config=config,
        now=NOW,
        conversation_id=conversation.id,
        turn_id=turn.id,
    )
    kept = db.session.query(ModelCall).one()
    assert (kept.purpose, kept.model, kept.outcome, kept.created_at) == ("reply", "openrouter:a/b", "ok", NOW)
    assert (kept.prompt_tokens, kept.completion_tokens, kept.cost_microusd, kept.took_ms) == (
        100,
        20,
        123,
        300,
    )
    assert (kept.conversation_id, kept.turn_id) == (conversation.id, turn.id)


def test_a_failed_call_is_kept_with_its_code_and_its_cost(config):
    failure = Failed("content_filtered", "openrouter:a/b", Usage(100, 0, 50), took_ms=80)
    kept = record(failure, purpose="suggestion", config=config, now=NOW)
    assert (kept.outcome, kept.cost_microusd) == ("content_filtered", 50)


@pytest.mark.parametrize("code", sorted(llm.WHAT_TO_DO))
def test_every_code_and_a_long_name_fit_their_columns(config, code):
    kept = record(Failed(code, "m" * 500), purpose="transcription", config=config, now=NOW)
    db.session.refresh(kept)
    assert (kept.outcome, len(kept.model)) == (code, 120)
    assert len(code) <= 20


def test_totals_are_those_of_one_conversation_one_turn_or_today(config):
    first, second = make_conversation(), make_conversation("5581911112222", "Bia")
    turn = Turn(conversation_id=first.id, responder="ai", reason="question")
    db.session.add(turn)
    db.session.flush()
    record(call(5), purpose="reply", config=config, now=NOW, conversation_id=first.id, turn_id=turn.id)
    record(call(7), purpose="summary", config=config, now=NOW, conversation_id=first.id)
    record(Failed("timeout"), purpose="reply", config=config, now=NOW, conversation_id=second.id)
    assert model_calls.totals_of_turn(turn.id) == Totals(1, 0, 100, 20, 5, 300)
    assert model_calls.totals_of_conversation(first.id) == Totals(2, 0, 200, 40, 12, 600)
    assert model_calls.totals_of_conversation(second.id) == Totals(1, 1)
    assert model_calls.totals_of_today(config.zone, now=NOW) == Totals(3, 1, 200, 40, 12, 600)
    assert model_calls.totals_of_turn(10**6) == Totals()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_other_databases_count_the_same(kind, request, load_config):
    settings = load_config(DATABASE_URL=request.getfixturevalue(f"{kind}_url"), OPENAI_API_KEY="k")
    with create_app(settings).app_context():
        db.create_all()
        record(call(1_000_000), purpose="reply", config=settings, now=NOW)
        record(Failed("timeout"), purpose="reply", config=settings, now=NOW)
        assert model_calls.totals_of_today(settings.zone, now=NOW) == Totals(2, 1, 100, 20, 1_000_000, 300)
        assert not may_spend(settings, now=NOW)
        assert alerts.open_count() == 1
        db.session.remove()
        db.engine.dispose()


def test_a_day_is_the_shops(config):
    record(call(1), purpose="reply", config=config, now=MIDNIGHT - timedelta(microseconds=1))
    record(call(10), purpose="reply", config=config, now=MIDNIGHT)
    assert spent_today(config.zone, now=MIDNIGHT - timedelta(seconds=1)) == 11
    assert spent_today(config.zone, now=MIDNIGHT) == 10
    assert spent_today(config.zone, now=MIDNIGHT + timedelta(hours=23, minutes=59)) == 10
    assert spent_today(config.zone, now=MIDNIGHT + timedelta(days=1)) == 0


def test_the_cap_ends_spending_until_midnight(config):
    record(call(999_999), purpose="reply", config=config, now=NOW)
    assert may_spend(config, now=NOW)
    record(call(1), purpose="reply", config=config, now=NOW)
    assert not may_spend(config, now=NOW)
    assert may_spend(config, now=MIDNIGHT + timedelta(days=1))


def test_above_the_cap_only_free_models_are_asked(config):
    models = llm.models_of(config)
    assert models is not None
    assert affordable(models, config, now=NOW) == models
    record(call(1_000_000), purpose="reply", config=config, now=NOW)
    assert affordable(models, config, now=NOW) == replace(models, chat=models.chat[1:])
    assert affordable(replace(models, chat=models.chat[:1]), config, now=NOW) is None
    assert affordable(None, config, now=NOW) is None


def test_a_cap_of_nothing_asks_free_models_only_and_alerts_nobody(load_config):
    config = load_config(OPENROUTER_API_KEY="k", AI_DAILY_SPEND_CAP_USD="0")
    models = llm.models_of(config)
    assert affordable(models, config, now=NOW) == models
    paid = load_config(OPENAI_API_KEY="k", AI_DAILY_SPEND_CAP_USD="0")
    assert affordable(llm.models_of(paid), paid, now=NOW) is None
    record(call(), purpose="reply", config=config, now=NOW)
    assert alerts.open_count() == 0


def test_people_are_told_once_a_day_that_the_cap_is_reached(config):
    record(call(1_000_000), purpose="reply", config=config, now=NOW)
    record(call(), purpose="reply", config=config, now=NOW)
    alert = db.session.query(Alert).one()
    assert (alert.kind, alert.times) == ("model_spend", 1)
    assert "1.00 US dollars" in alert.text
    alerts.acknowledge(alert.id, now=NOW)
    record(Failed("over_budget"), purpose="reply", config=config, now=NOW)
    assert db.session.query(Alert).count() == 1
    tomorrow = NOW + timedelta(days=1)
    record(call(1_000_000), purpose="reply", config=config, now=tomorrow)
    assert db.session.query(Alert).count() == 2
