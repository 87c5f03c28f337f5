"""Flows that admins write: drafts, what is refused and where, versions, the way back, who walks what."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

import flow_versions
from conversations import Session
from flow_files import shipped
from flow_versions import FlowRefused
from flow_versions.walked import TRIED
from models import DeskSetting, FlowVersion, Integration, StateChange, db, utc_now
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL


@pytest.fixture
def in_app(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app
        flow_versions.forget()


@pytest.fixture
def pages(admin: FlaskClient) -> FlaskClient:
    post(admin, "/language", "/account", language="pt")
    return admin


def changed(old: str = "  pt: Central de atendimento", new: str = "  pt: Balcão novo") -> str:
    source = flow_versions.source_of("desk")
    assert source is not None
    assert old in source
    return source.replace(old, new, 1)


def publish(source: str) -> FlowVersion:
    return flow_versions.publish("desk", source, reason="", now=utc_now(), operator_id=None)


def test_what_ships_is_walked_until_something_is_published(in_app: Flask) -> None:
    assert flow_versions.flows() == shipped()
    row = publish(changed())
    assert row.version == 2
    assert flow_versions.flows()["desk"].title["pt"] == "Balcão novo"
    assert flow_versions.flows()["desk"].version == 2
    assert flow_versions.flows()["shop"] is shipped()["shop"]


def test_a_draft_is_walked_by_the_number_that_tries_it_alone(in_app: Flask) -> None:
    flow_versions.save_draft("desk", changed(), now=utc_now(), operator_id=None)
    flow_versions.try_with(7, "desk", now=utc_now())
    db.session.commit()
    flow_versions.hold(None, 7)
    assert flow_versions.flows()["desk"].title["pt"] == "Balcão novo"
    flow_versions.hold(None, 8)
    assert flow_versions.flows()["desk"].title["pt"] == "Central de atendimento"
    assert db.session.get_one(DeskSetting, TRIED).value == {"7": "desk"}


def test_an_open_session_stays_in_the_version_that_it_began_with(in_app: Flask) -> None:
    publish(changed())
    publish(changed("  pt: Balcão novo", "  pt: Mais novo"))
    db.session.commit()
    flow_versions.hold(Session("desk", "menu", {}, utc_now(), "2"), 1)
    assert flow_versions.flows()["desk"].title["pt"] == "Balcão novo"
    assert flow_versions.version_of("desk") == "2"
    flow_versions.hold(Session("desk", "menu", {}, utc_now(), "1"), 1)
    assert flow_versions.flows()["desk"] is shipped()["desk"]
    flow_versions.hold(Session("desk", "menu", {}, utc_now(), "99"), 1)  # of nobody: the newest
    assert flow_versions.flows()["desk"].title["pt"] == "Mais novo"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("start: menu", "start: nowhere", "line 8", id="a road to nowhere"),
        pytest.param("name: desk", "name: desks", "name must stay desk", id="another name"),
        pytest.param("  feedback: { step: feedback_score }\n", "", "must keep feedback", id="an entry"),
        pytest.param("steps:\n", "steps: [\n", "line ", id="no YAML"),
    ],
)
def test_a_flow_that_leads_nowhere_is_refused(in_app: Flask, old: str, new: str, said: str) -> None:
    with pytest.raises(FlowRefused, match=said):
        publish(changed(old, new))


def test_going_back_publishes_the_older_text_anew(in_app: Flask) -> None:
    older = publish(changed())
    publish(changed("  pt: Balcão novo", "  pt: Mais novo"))
    made = flow_versions.go_back(older, "desk", now=utc_now(), operator_id=None)
    assert (made.version, flow_versions.flows()["desk"].title["pt"]) == (4, "Balcão novo")
    last = flow_versions.go_back(None, "desk", now=utc_now(), operator_id=None)
    assert (last.version, flow_versions.flows()["desk"].title["pt"]) == (5, "Central de atendimento")
    steps = db.session.query(StateChange).filter_by(record="flow").order_by(StateChange.id).all()
    assert [step.after for step in steps] == ["desk 2", "desk 3", "desk 4", "desk 5"]


def test_a_published_text_that_no_longer_reads_leaves_the_shipped_one(in_app: Flask) -> None:
    db.session.add(FlowVersion(flow="desk", version=2, source="name: desk"))
    db.session.commit()
    flow_versions.forget()
    assert flow_versions.flows()["desk"] is shipped()["desk"]


def test_the_page_edits_tries_publishes_and_goes_back(app: Flask, pages: FlaskClient) -> None:
    with app.app_context():
        source = changed()
    broken = source.replace("start: menu", "start: nowhere", 1)
    answer = post(pages, "/flows/desk", "/flows/desk", source=broken, do="publish")
    assert answer.status_code == 422
    assert 'href="#line-8"' in answer.text
    assert post(pages, "/flows/desk", "/flows/desk", source=source, do="keep").status_code == 303
    assert "is-added" in get(pages, "/flows/desk").text
    tried = post(pages, "/flows/desk", "/flows/desk", source=source, do="try")
    assert "/simulator?number=" in tried.location
    with app.app_context():
        number = db.session.query(Integration).filter_by(provider="simulator").one()
        assert db.session.get_one(DeskSetting, TRIED).value == {str(number.id): "desk"}
    post(pages, "/flows/desk", "/flows/desk", source=source, do="publish", reason="outro nome")
    shown = get(pages, "/flows/desk").text
    assert "outro nome" in shown
    assert "Balcão novo" in get(pages, "/flows").text
    with app.app_context():
        row_id = db.session.query(FlowVersion).one().id
    assert get(pages, f"/flows/desk/versions/{row_id}").status_code == 200
    post(pages, "/flows/desk/versions/shipped/restore", "/flows/desk")
    assert "Central de atendimento" in get(pages, "/flows").text
    assert "is-gone" in get(pages, f"/flows/desk/versions/{row_id}").text
    post(pages, f"/flows/desk/versions/{row_id}/restore", "/flows/desk")
    assert "Balcão novo" in get(pages, "/flows").text


def test_a_new_flow_begins_as_another_ones_copy(app: Flask, pages: FlaskClient) -> None:
    assert post(pages, "/flows", "/flows", name="natal", like="shop").location == "/flows/natal"
    assert get(pages, "/flows/natal").status_code == 200
    for name in ("shop", "natal", "../x", ""):
        assert post(pages, "/flows", "/flows", name=name, like="shop").location == "/flows"
    post(pages, "/flows/natal", "/flows/natal", source="x", do="drop")
    assert get(pages, "/flows/natal").status_code == 404


@pytest.mark.parametrize(
    "source", ["", "\x00", "- a", "name: [", "name: desk\n" * 3, "&a [*a]", "x" * 400_001]
)
def test_any_text_is_kept_and_none_breaks_the_page(pages: FlaskClient, source: str) -> None:
    assert post(pages, "/flows/desk", "/flows/desk", source=source, do="publish").status_code == 422
    assert get(pages, "/flows/desk").status_code == 200


def test_every_step_is_drawn_and_named_for_who_cannot_see_it(pages: FlaskClient) -> None:
    shown = get(pages, "/flows/shop").text
    for name in shipped()["shop"].steps:
        assert f'aria-label="{name}' in shown


def test_an_agent_edits_no_flow(client: FlaskClient, pages: FlaskClient) -> None:
    client = pages.application.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/flows").status_code == 403
