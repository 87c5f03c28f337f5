"""The pages of AI and retention: what they save, for whom, with which bounds, and what they never show."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient

import desk_settings
import tasks
from models import DeskSetting, ModelCall, Operator, StateChange, WebhookEvent, db, utc_now
from tests.browsing import counted, get, post, sign_in
from tests.fakes.chat_models import FakeChatModels
from tests.page_rows import AGENT_EMAIL

KEY = "sk-or-do-not-show"


@pytest.fixture
def admin(admin: FlaskClient) -> FlaskClient:
    post(admin, "/language", "/account", language="en")
    return admin


@pytest.fixture
def model(app: Flask) -> Iterator[FakeChatModels]:
    with FakeChatModels("own", key=None) as fake:
        app.config["BALCAO"] = replace(
            app.config["BALCAO"],
            ai_base_url=fake.url,
            ai_model=fake.models[0],
            openrouter_api_key=KEY,
            ai_price_in=Decimal(1),
            ai_price_out=Decimal(2),
        )
        yield fake


def fields(app: Flask, **changes: object) -> dict[str, object]:
    """Give the form of AI as the page shows it, with some fields changed."""
    config = app.config["BALCAO"]
    as_it_is = {
        "ai_use": config.ai_use,
        "ai_model": config.ai_model,
        "ai_reads": "true",
        "ai_judge": config.ai_judge,
        "ai_temperature": "0.7",
        "ai_reply_tokens": "700",
        "person_below": "0",
        "ai_daily_spend_cap_usd": "1.00",
    }
    return as_it_is | changes


def test_what_an_admin_saves_counts_and_is_in_the_audit_log(
    app: Flask, admin: FlaskClient, model: FakeChatModels
) -> None:
    wanted = fields(
        app, ai_daily_spend_cap_usd="2.50", ai_tone="Sem emoji", ai_intents_left_out=["complaint", "spam"]
    )
    assert post(admin, "/ai", "/ai", **wanted).status_code == 303
    page = get(admin, "/ai").text
    assert 'value="2.50"' in page
    assert "Sem emoji" in page
    with app.app_context():
        assert set(desk_settings.kept()) == {"AI_DAILY_SPEND_CAP_USD", "AI_TONE", "AI_INTENTS_LEFT_OUT"}
        now = tasks.means().config
        assert now.ai_daily_spend_cap_usd == Decimal("2.50")
        assert now.ai_intents_left_out == ("complaint", "spam")
        told = {row.reason for row in db.session.query(StateChange).filter_by(record="setting")}
        assert "AI_DAILY_SPEND_CAP_USD: 1.00 → 2.50" in told
    assert "AI_DAILY_SPEND_CAP_USD: 1.00 → 2.50" in get(admin, "/audit").text
    post(admin, "/ai/environment", "/ai")
    with app.app_context():
        assert desk_settings.kept() == {}
        assert tasks.means().config is app.config["BALCAO"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("ai_daily_spend_cap_usd", "-1"),
        ("ai_daily_spend_cap_usd", "1e9"),
        ("ai_temperature", "3"),
        ("ai_reply_tokens", "9"),
        ("person_below", "1.1"),
        ("ai_judge", "perhaps"),
        ("ai_tone", "x" * 401),
        ("ai_model", "x\x01y"),
    ],
)
def test_what_is_out_of_bounds_is_said_at_its_field_and_loses_nothing(
    app: Flask, admin: FlaskClient, field: str, text: str
) -> None:
    answer = post(admin, "/ai", "/ai", **fields(app, ai_fallback_models="kept-model", **{field: text}))
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert "kept-model" in answer.text
    with app.app_context():
        assert desk_settings.kept() == {}


def test_keys_are_never_shown(app: Flask, admin: FlaskClient, model: FakeChatModels) -> None:
    page = get(admin, "/ai").text
    assert KEY not in page
    assert "set in environment" in page


def test_a_question_shows_the_answer_its_cost_and_time_and_is_written_down(
    app: Flask, admin: FlaskClient, model: FakeChatModels
) -> None:
    model.script("Olá! Como posso ajudar?")
    page = post(admin, "/ai/try", "/ai", question="Diga olá").text
    assert "Olá! Como posso ajudar?" in page
    assert "US$" in page or "$" in page
    with app.app_context():
        call = db.session.query(ModelCall).one()
        assert (call.purpose, call.outcome, call.conversation_id) == ("test", "ok", None)
        assert call.cost_microusd > 0
    post(admin, "/ai", "/ai", **fields(app, ai_use="off"))
    assert "switched off" in post(admin, "/ai/try", "/ai", question="Diga olá").text
    with app.app_context():
        assert db.session.query(ModelCall).count() == 1


def test_above_the_cap_no_paid_model_is_tried(app: Flask, admin: FlaskClient, model: FakeChatModels) -> None:
    post(admin, "/ai", "/ai", **fields(app, ai_daily_spend_cap_usd="0"))
    assert "spend cap is reached" in post(admin, "/ai/try", "/ai", question="Diga olá").text
    assert not model.asked


def test_terms_are_counted_before_they_are_saved_and_a_run_tells_what_it_removed(
    app: Flask, admin: FlaskClient
) -> None:
    with app.app_context():
        old = utc_now() - timedelta(days=40)
        for place in range(3):
            row = WebhookEvent(
                provider="meta",
                event_key=f"old{place}",
                kind="message",
                payload=b"{}",
                state="done",
                received_at=old,
            )
            db.session.add(row)
        db.session.commit()
    terms = {"retention_events_days": "30", "retention_people_days": "0"}
    seen = post(admin, "/retention", "/retention", **terms)
    assert "3 × raw webhooks" in seen.text
    with app.app_context():
        assert desk_settings.kept() == {}, "looking saves nothing"
    assert post(admin, "/retention", "/retention", do="save", **terms).status_code == 303
    post(admin, "/retention/run", "/retention")
    with app.app_context():
        assert db.session.query(WebhookEvent).count() == 3, "without the tick nothing goes"
    post(admin, "/retention/run", "/retention", sure="1")
    with app.app_context():
        assert db.session.query(WebhookEvent).count() == 0
        reasons = {row.reason for row in db.session.query(StateChange)}
        assert {"RETENTION_EVENTS_DAYS: 90 → 30", "3 webhook_events"} <= reasons
        who = db.session.query(Operator).filter_by(role="admin").one().name
    page = get(admin, "/retention").text
    assert "3 × raw webhooks" in page
    assert who in page


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("retention_events_days", "1"),
        ("retention_people_days", "29"),
        ("retention_media_days", "-1"),
        ("retention_media_days", "x"),
        ("retention_alerts_days", "36501"),
    ],
)
def test_terms_have_bounds(app: Flask, admin: FlaskClient, field: str, text: str) -> None:
    answer = post(admin, "/retention", "/retention", do="save", **{field: text})
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    with app.app_context():
        assert db.session.query(DeskSetting).count() == 0


def test_only_admins_come_in_and_the_pages_stay_within_their_queries(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    for path in ("/ai", "/retention"):
        assert get(agent, path).status_code == 403
        get(admin, path)
        with counted(app) as asked:
            assert get(admin, path).status_code == 200
        assert len(asked) <= 15
    for path in ("/ai", "/ai/try", "/ai/environment", "/retention", "/retention/run"):
        assert post(agent, path, "/account", sure="1").status_code == 403
