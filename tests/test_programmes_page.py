"""Investment programmes as managers keep them; what is wrong is said at its field."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import InvestmentProgram, db
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL

NEW = "/programmes/new"
FIELDS = {
    "name": "Portugal Golden Residency",
    "country": "Portugal",
    "category": "Europe",
    "minimum_investment": "280000",
    "processing_time": "6 months",
    "link": "https://example.com/portugal",
    "rank": "1",
    "description": "",
}


def test_a_programme_is_written_changed_and_deleted(app: Flask, admin: FlaskClient) -> None:
    assert post(admin, NEW, NEW, **FIELDS).status_code == 303
    assert post(admin, NEW, NEW, **FIELDS).status_code == 422  # the same name
    with app.app_context():
        path = f"/programmes/{db.session.query(InvestmentProgram).one().id}"
    assert post(admin, path, path, **(FIELDS | {"minimum_investment": "300000"})).status_code == 303
    with app.app_context():
        assert db.session.query(InvestmentProgram).one().minimum_investment == 300_000
    assert "Portugal Golden Residency" in get(admin, "/programmes").text
    post(admin, f"{path}/delete", path)
    assert get(admin, path).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"country": ""},
        {"category": "Mars"},
        {"minimum_investment": "x"},
        {"minimum_investment": "-1"},
        {"rank": "1e9"},
        {"link": "javascript:alert(1)"},
        {"description": "x" * 5000},
    ],
)
def test_what_is_wrong_is_said_at_its_field(app: Flask, admin: FlaskClient, wrong: dict[str, str]) -> None:
    answer = post(admin, NEW, NEW, **(FIELDS | wrong))
    assert answer.status_code == 422
    assert f"{next(iter(wrong))}-problem" in answer.text
    with app.app_context():
        assert db.session.query(InvestmentProgram).count() == 0


def test_an_agent_keeps_no_programmes(app: Flask, admin: FlaskClient) -> None:
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/programmes").status_code == 403
