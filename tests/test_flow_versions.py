"""Flows that admins write: drafts, what is refused and where, versions, the way back, who walks what."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import flow_versions
import opening
import operators
from app import create_app
from config import Config
from conversations import Session
from flow_files import FlowError, shipped
from flow_versions.walked import TRIED
from models import DeskSetting, FlowVersion, Integration, StateChange, db, utc_now
from tests.browsing import AS_BROWSER, get, post, sign_in
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, PASSWORD

WAIT_SECS = 120


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


def save(client: FlaskClient, flow: str, **fields: str) -> TestResponse:
    """Open the flow's page and send its form."""
    page = f"/flows/{flow}"
    return post(client, page, page, base=base_of(get(client, page)), **fields)


def base_of(page: TestResponse) -> str:
    found = re.search(r'name="base" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


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
    with pytest.raises(FlowError, match=said):
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
    answer = save(pages, "desk", source=broken, do="publish")
    assert answer.status_code == 422
    assert 'href="#line-8"' in answer.text
    assert save(pages, "desk", source=source, do="keep").status_code == 303
    assert "is-added" in get(pages, "/flows/desk").text
    tried = save(pages, "desk", source=source, do="try")
    assert "/simulator?number=" in tried.location
    with app.app_context():
        number = db.session.query(Integration).filter_by(provider="simulator").one()
        assert db.session.get_one(DeskSetting, TRIED).value == {str(number.id): "desk"}
    save(pages, "desk", source=source, do="publish", reason="outro nome")
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


def test_who_saves_over_what_somebody_saved_meanwhile_is_refused_and_loses_nothing(
    app: Flask, pages: FlaskClient
) -> None:
    with app.app_context():
        hers, mine = changed(new="  pt: O dela"), changed(new="  pt: O meu")
    stale = base_of(get(pages, "/flows/desk"))
    assert save(pages, "desk", source=hers, do="keep").status_code == 303
    for deed in ("keep", "try", "publish", "drop"):
        refused = post(pages, "/flows/desk", "/flows/desk", base=stale, source=mine, do=deed)
        assert refused.status_code == 409
        assert "pt: O meu</code>" in refused.text  # in the difference
        assert "pt: O dela</code>" in refused.text
        assert "pt: O meu\n" in refused.text  # and to go on with
        with app.app_context():
            assert [row.source for row in db.session.query(FlowVersion)] == [hers]
    assert post(pages, "/flows/desk", "/flows/desk", base=stale, source=hers, do="keep").status_code == 303
    seen = base_of(refused)
    assert post(pages, "/flows/desk", "/flows/desk", base=seen, source=mine, do="keep").status_code == 303
    with app.app_context():
        assert [row.source for row in db.session.query(FlowVersion)] == [mine]


def test_a_form_opened_before_a_publication_is_stale_too(app: Flask, pages: FlaskClient) -> None:
    with app.app_context():
        hers, mine = changed(new="  pt: O dela"), changed(new="  pt: O meu")
    stale = base_of(get(pages, "/flows/desk"))
    save(pages, "desk", source=hers, do="publish")
    assert post(pages, "/flows/desk", "/flows/desk", base=stale, source=mine, do="keep").status_code == 409
    with app.app_context():
        assert flow_versions.draft_of("desk") is None


def test_of_two_who_save_at_once_the_second_is_refused(
    load_config: Callable[..., Config], database_url: str
) -> None:
    app = create_app(load_config(DATABASE_URL=database_url))
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context():
        opening.migrate()
        operators.create_operator(ADMIN_EMAIL, "Ana", PASSWORD, "admin")
        db.session.commit()
        texts = [changed(new=f"  pt: Texto {number}") for number in range(2)]
    clients = [app.test_client() for _text in texts]
    bases = []
    for client in clients:
        sign_in(client, ADMIN_EMAIL)
        bases.append(base_of(get(client, "/flows/desk")))
    ready = threading.Barrier(len(clients))
    statuses: list[int] = []

    def keep(client: FlaskClient, base: str, text: str) -> None:
        ready.wait(WAIT_SECS)
        fields = {"base": base, "source": text, "do": "keep"}
        statuses.append(client.post("/flows/desk", data=fields, headers=AS_BROWSER).status_code)

    threads = [threading.Thread(target=keep, args=one) for one in zip(clients, bases, texts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    with app.app_context():
        kept = [row.source for row in db.session.query(FlowVersion)]
        flow_versions.forget()
        db.session.remove()
        db.engine.dispose()
    assert sorted(statuses) == [303, 409]
    assert len(kept) == 1


def test_a_new_flow_begins_as_another_ones_copy(app: Flask, pages: FlaskClient) -> None:
    assert post(pages, "/flows", "/flows", name="natal", like="shop").location == "/flows/natal"
    assert get(pages, "/flows/natal").status_code == 200
    for name in ("shop", "natal", "../x", ""):
        assert post(pages, "/flows", "/flows", name=name, like="shop").location == "/flows"
    save(pages, "natal", source="x", do="drop")
    assert get(pages, "/flows/natal").status_code == 404


@pytest.mark.parametrize(
    "source", ["", "\x00", "- a", "name: [", "name: desk\n" * 3, "&a [*a]", "x" * 400_001]
)
def test_any_text_is_kept_and_none_breaks_the_page(pages: FlaskClient, source: str) -> None:
    assert save(pages, "desk", source=source, do="publish").status_code == 422
    assert get(pages, "/flows/desk").status_code == 200


def test_every_step_is_drawn_and_named_for_who_cannot_see_it(pages: FlaskClient) -> None:
    shown = get(pages, "/flows/shop").text
    for name in shipped()["shop"].steps:
        assert f'aria-label="{name}' in shown


def test_an_agent_edits_no_flow(client: FlaskClient, pages: FlaskClient) -> None:
    client = pages.application.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/flows").status_code == 403
