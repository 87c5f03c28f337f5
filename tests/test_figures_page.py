"""The page of the figures: periods, definitions, the conversations behind a number, CSV, reports, prices."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale

import counting
from admin import figure_words
from models import Conversation, DailyFigure, SavedReport, db, utc_now
from tests import page_rows
from tests.browsing import counted, get, post, sign_in
from tests.page_rows import AGENT_EMAIL, EVIL, Desk, message

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    post(admin, "/language", "/account", language="pt")
    with app.app_context():
        return page_rows.fill()


@pytest.fixture
def figures(app: Flask, desk: Desk) -> Desk:
    """A desk whose yesterday has been counted."""
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        message(of, "quero reclamar", intent="complaint", created_at=utc_now() - timedelta(days=1))
        db.session.commit()
        counting.count_missing(app.config["BALCAO"], utc_now())
    return desk


def test_the_page_shows_figures_with_their_definitions(admin: FlaskClient, figures: Desk) -> None:
    page = get(admin, "/analytics")
    assert page.status_code == 200
    assert "Mensagens que os clientes enviaram" in page.text
    assert 'role="tooltip"' in page.text
    assert EVIL not in page.text


@pytest.mark.parametrize(
    "query",
    [
        "days=90",
        "days=7&show=intent&show=figures",
        "days=-1",
        "from=2026-02-31&to=x",
        "from=2026-03-01&to=2026-01-01",
        "from=0001-01-01&to=0001-01-02",
        "from=2000-01-01&to=2000-01-02",
        "from=2020-01-01&to=2026-01-01",
        "show=%00",
    ],
)
def test_any_address_gives_a_page(admin: FlaskClient, figures: Desk, query: str) -> None:
    for path in ("/analytics", "/analytics/figures.csv", "/analytics/conversations"):
        more = "&figure=intent&part=complaint" if path.endswith("conversations") else ""
        assert get(admin, f"{path}?{query}{more}").status_code == 200


def test_the_page_stays_within_its_queries(app: Flask, admin: FlaskClient, figures: Desk) -> None:
    get(admin, "/analytics?days=365")
    with counted(app) as asked:
        get(admin, "/analytics?days=365")
    assert len(asked) <= 15


def test_a_number_leads_to_its_conversations(admin: FlaskClient, figures: Desk) -> None:
    found = get(admin, "/analytics/conversations?figure=intent&part=complaint").text
    assert f"/inbox/{figures.bot_id}" in found
    assert f"/inbox/{figures.closed_id}" not in found
    assert get(admin, "/analytics/conversations?figure=passwords").status_code == 404


def test_every_linked_figure_can_be_opened(admin: FlaskClient, figures: Desk) -> None:
    names = "messages_in conversations not_delivered sentiment leads sales revenue revenue_strategy"
    more = "revenue_source revenue_ad resolution reopened handled csat score judged steps"
    for name in f"{names} {more}".split():
        for part in ("", "BRL|x", "shop/menu", "5", "ticket"):
            path = f"/analytics/conversations?figure={name}&part={part}"
            assert get(admin, path).status_code == 200, path


def test_the_csv_holds_the_days_and_no_formula(app: Flask, admin: FlaskClient, figures: Desk) -> None:
    with app.app_context():
        day = utc_now().astimezone(app.config["BALCAO"].zone).date() - timedelta(days=1)
        db.session.add(DailyFigure(day=day, name="revenue_ad", part="=cmd()", count=1, total=5))
        db.session.commit()
    answer = get(admin, "/analytics/figures.csv?days=7")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["day", "figure", "part", "count", "total"]
    assert [day.isoformat(), "intent", "complaint", "1", "0"] in rows
    assert [day.isoformat(), "revenue_ad", "'=cmd()", "1", "5"] in rows
    only = list(csv.reader(io.StringIO(get(admin, "/analytics/figures.csv?days=7&name=intent").text)))
    assert {row[1] for row in only[1:]} == {"intent"}


def test_a_report_of_ones_own_is_kept_shown_and_deleted(
    app: Flask, admin: FlaskClient, figures: Desk
) -> None:
    fields = {"name": "Minha semana", "days": "7", "show": ["intent", "hours", "nonsense"]}
    answer = post(admin, "/analytics/reports", "/analytics", **fields)
    assert answer.location.endswith("/analytics?days=7&show=hours&show=intent")
    page = get(admin, answer.location).text
    assert "Minha semana" in page
    assert 'id="intent"' in page
    assert 'id="urgency"' not in page
    post(admin, "/analytics/reports", "/analytics", name="Minha semana", days="28", show="urgency")
    with app.app_context():
        row = db.session.query(SavedReport).one()
        report_id, query = row.id, row.query
    assert query == "days=28&show=urgency"
    post(admin, f"/analytics/reports/{report_id}/delete", "/analytics")
    with app.app_context():
        assert db.session.query(SavedReport).count() == 0


def test_a_report_without_a_figure_is_refused(app: Flask, admin: FlaskClient, figures: Desk) -> None:
    post(admin, "/analytics/reports", "/analytics", name="leer")
    with app.app_context():
        assert db.session.query(SavedReport).count() == 0


def test_prices_turn_templates_and_revenue_into_costs_and_roi(
    app: Flask, admin: FlaskClient, figures: Desk
) -> None:
    with app.app_context():
        day = utc_now().astimezone(app.config["BALCAO"].zone).date() - timedelta(days=1)
        db.session.add(DailyFigure(day=day, name="templates", part="marketing", count=10, total=0))
        db.session.add(DailyFigure(day=day, name="revenue", part="BRL", count=2, total=50_000))
        db.session.commit()
    post(admin, "/analytics/prices", "/analytics", marketing="0,05", dollar="5")
    page = get(admin, "/analytics").text
    assert "US$ 0,50" in page.replace("\xa0", " ")
    assert ">200<" in page.replace("\n", "")  # 500.00 for 2.50
    for wrong in ("x", "-1", "1e99", "NaN"):
        post(admin, "/analytics/prices", "/analytics", marketing=wrong)
    assert "US$ 0,50" in get(admin, "/analytics").text.replace("\xa0", " ")


def test_the_days_can_be_counted_at_once(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    assert "Contar agora" in get(admin, "/analytics").text
    assert post(admin, "/analytics/count", "/analytics").status_code == 303
    with app.app_context():
        assert db.session.query(DailyFigure).filter_by(name="counted").count() >= 2


def test_an_agent_does_not_see_the_figures(client: FlaskClient, desk: Desk) -> None:
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/analytics").status_code == 403


def test_the_document_tells_of_each_figure_what_the_page_does(app: Flask) -> None:
    written = " ".join((ROOT / "docs" / "analytics.md").read_text().split())
    with app.test_request_context(), force_locale("en"):
        figures = [*figure_words.tiles().values(), *figure_words.breakdowns().values()]
        told = [
            figure_words.funnel_definition(),
            figure_words.steps_definition(),
            figure_words.hours_definition(),
            figure_words.forecast_definition(),
        ]
    assert [one for one in figures if f"**{one.title}.** {one.definition}" not in written] == []
    assert [words for words in told if words not in written] == []
