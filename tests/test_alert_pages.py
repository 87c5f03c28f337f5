"""The pages of alerts: who is told is written, tried, switched off and taken back, and only by admins."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import alerts
import opening
from alerts import deliveries, recipients
from app import create_app
from models import AlertRecipient, PushSubscription, db, utc_now
from owner import notices
from telling import alerting
from tests.browsing import get, post, sign_in
from tests.fakes.push import FakePush
from tests.fakes.smtp import FakeSmtp
from tests.page_rows import AGENT_EMAIL
from tests.records import make_conversation

EVERYTHING = {"language": "en", "which": "all", "is_woken": "1"}


@pytest.fixture
def mail(app: Flask) -> Iterator[FakeSmtp]:
    """A mail server that the application knows, which may also push to this machine."""
    config = app.config["BALCAO"]
    with FakeSmtp() as server:
        for name, value in (
            ("smtp_url", server.url),
            ("mail_from", "desk@loja.com.br"),
            ("allow_private_addresses", True),
        ):
            object.__setattr__(config, name, value)
        yield server


def rows(app: Flask) -> list[AlertRecipient]:
    with app.app_context():
        return list(db.session.scalars(select(AlertRecipient).order_by(AlertRecipient.id)))


def add_email(admin: FlaskClient, **fields):
    wanted = {"address": "ana@loja.com.br", "name": "Ana", **EVERYTHING, **fields}
    return post(admin, "/alerts/new/email", "/alerts/new/email", **wanted)


def test_nobody_but_an_admin_sees_who_is_told(client: FlaskClient, admin: FlaskClient, app: Flask) -> None:
    assert get(admin, "/alerts").status_code == 200
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, "/alerts").status_code == 403
    assert get(agent, "/alerts/new/email").status_code == 403
    assert post(agent, "/alerts/owner/test", "/account").status_code == 403
    assert get(client, "/alerts").status_code in (302, 303)


def test_the_page_says_that_nobody_is_told_and_what_is_missing(admin: FlaskClient) -> None:
    page = get(admin, "/alerts", **{"Accept-Language": "en"}).text
    assert "Nobody is told yet" in page
    assert "set SMTP_URL" in page


@pytest.mark.parametrize(("language", "words"), [("pt", "Quem é avisado"), ("es", "Quién se entera")])
def test_the_page_speaks_the_readers_language(admin: FlaskClient, language: str, words: str) -> None:
    assert words in get(admin, "/alerts", **{"Accept-Language": language}).text


def test_an_address_is_added_tried_changed_switched_off_and_taken_back(admin, app, mail) -> None:
    assert (
        add_email(admin, address=" Ana@Loja.com.br ", which="some", kinds=["lead", "nonsense"]).status_code
        == 303
    )
    (row,) = rows(app)
    assert (row.channel, row.address, row.name, row.kinds) == ("email", "ana@loja.com.br", "Ana", ["lead"])
    url = f"/alerts/recipients/{row.id}"

    post(admin, f"{url}/test", "/alerts")
    assert "test" in mail.wait_for(1)[0].text
    assert "Ana · ana@loja.com.br" in get(admin, "/alerts").text

    post(admin, url, url, **{**EVERYTHING, "name": "Ana Lima", "quiet_from": "22:00", "quiet_until": "07:30"})
    (row,) = rows(app)
    assert (row.name, row.kinds, row.quiet_from_min, row.quiet_until_min) == ("Ana Lima", None, 1320, 450)
    assert "22:00-07:30" in get(admin, "/alerts").text

    post(admin, f"{url}/switch", url)
    assert not rows(app)[0].is_active
    post(admin, f"{url}/remove", url)
    assert get(admin, url).status_code == 404
    assert "Ana Lima" in get(admin, "/alerts").text, "it can be taken back"
    post(admin, f"{url}/restore", "/alerts")
    assert rows(app)[0].is_active
    assert get(admin, url).status_code == 200


@pytest.mark.parametrize(
    ("channel", "fields", "field"),
    [
        ("email", {"address": "no address"}, "address"),
        ("email", {"address": "ana@loja.com.br\nBcc: bob@loja.com.br"}, "address"),
        ("email", {"address": ""}, "address"),
        ("email", {"address": "a" * 200 + "@loja.com.br"}, "address"),
        ("sms", {"address": "123"}, "address"),
        ("webhook", {"address": "http://crm.loja.com.br/hook"}, "address"),
        ("webhook", {"address": "https://ana:secret@crm.loja.com.br/"}, "address"),
        ("webhook", {"address": "https://crm.loja.com.br:99999/"}, "address"),
        ("webhook", {"address": "javascript:alert(1)"}, "address"),
        ("email", {"which": "some"}, "kinds"),
        ("email", {"quiet_from": "22:00"}, "quiet_until"),
        ("email", {"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
        ("email", {"quiet_from": "٢٢:00", "quiet_until": "07:00"}, "quiet_from"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(admin, app, channel, fields, field) -> None:
    wanted = {"address": "ana@loja.com.br", **EVERYTHING, **fields}
    answer = post(admin, f"/alerts/new/{channel}", f"/alerts/new/{channel}", **wanted)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert rows(app) == []


def test_an_address_is_told_once(admin, app) -> None:
    add_email(admin)
    assert add_email(admin).status_code == 422
    assert len(rows(app)) == 1


@pytest.mark.parametrize("channel", ["push", "whatsapp", "fax"])
def test_a_channel_without_an_address_of_its_own_has_no_form(admin, channel: str) -> None:
    assert get(admin, f"/alerts/new/{channel}").status_code == 404


def test_the_secret_of_a_webhook_is_shown_once(admin, app) -> None:
    page = post(
        admin,
        "/alerts/new/webhook",
        "/alerts/new/webhook",
        **EVERYTHING,
        address="https://crm.loja.com.br/hook?token=hush",
    )
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]{40,}", page.text)
    (row,) = rows(app)
    assert secret not in row.secret
    url = f"/alerts/recipients/{row.id}"
    assert "whsec_" not in get(admin, url).text
    assert "hush" not in get(admin, "/alerts").text
    again = post(admin, f"{url}/secret", url)
    assert "whsec_" in again.text
    assert secret not in again.text


def test_a_test_that_fails_says_why(admin, app, mail) -> None:
    mail.refusals = {"ana@loja.com.br": "550 no such person"}
    add_email(admin)
    (row,) = rows(app)
    post(admin, f"/alerts/recipients/{row.id}/test", "/alerts")
    assert "recusa este destinatário" in get(admin, "/alerts", **{"Accept-Language": "pt"}).text


def test_the_owners_phone_is_told_of_what_is_chosen(admin, app) -> None:
    page = get(admin, "/alerts/owner").text
    assert 'value="lead"' in page
    assert 'value="no_worker"' not in page, "only what is about a customer"
    chosen = {"which": "some", "kinds": ["lead"], "is_woken": "1"}
    assert post(admin, "/alerts/owner", "/alerts/owner", **chosen).status_code == 303
    with app.app_context():
        assert notices.wished() == ("lead",)


def test_what_was_told_is_shown_with_what_came_of_it(admin, app, mail) -> None:
    add_email(admin)
    with app.app_context():
        for number in range(5):
            alerts.raise_alert("lead", f"lead:{number}", "A lead.", now=utc_now())
        db.session.commit()
        for recipient_id in alerting.wanted(app.config["BALCAO"], utc_now()):
            alerting.tell(recipient_id, app.config["BALCAO"], "test", utc_now)
    page = get(admin, "/alerts", **{"Accept-Language": "en"}).text
    assert "5 alerts" in page
    assert "sent" in page


def test_the_overview_leads_to_who_is_told(admin, app) -> None:
    with app.app_context():
        alerts.raise_alert(deliveries.untold_topic(1).partition(":")[0], "x:1", "words", now=utc_now())
        make_conversation()
        db.session.commit()
    page = get(admin, "/", **{"Accept-Language": "en"}).text
    assert 'href="/alerts"' in page
    assert "Alerts do not reach one of their recipients" in page


# --- the own browser ----------------------------------------------------------------------------------------


def subscribe(client: FlaskClient, push: FakePush, **fields):
    wanted = {"endpoint": push.endpoint, "p256dh": push.p256dh, "auth": push.auth, **fields}
    return post(client, "/account/browsers", "/account", **wanted)


def test_an_agents_browser_shows_alerts_until_it_is_removed(admin, app, mail) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    with FakePush() as push:
        assert subscribe(agent, push).status_code == 303
        assert subscribe(agent, push).status_code == 303, "asked twice, it is one browser"
        (row,) = rows(app)
        assert row.channel == recipients.PUSH
        assert row.kinds is not None
        assert "lead" in row.kinds
        assert "credentials" not in row.kinds, "an agent need not know of servers"
        post(agent, "/account/browsers/test", "/account")
        assert len(push.shown) == 1
    with app.app_context():
        (browser,) = db.session.scalars(select(PushSubscription.id)).all()
    post(admin, f"/account/browsers/{browser}/remove", "/account")
    assert not rows(app)[0].removed_at, "nobody removes another's"
    post(agent, f"/account/browsers/{browser}/remove", "/account")
    assert rows(app)[0].removed_at
    assert post(agent, "/account/browsers/test", "/account").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": "ftp://push.example.com/x"},
        {"endpoint": ""},
        {"endpoint": "https://"},
        {"endpoint": "https://push.example.com/" + "x" * 3000},
        {"p256dh": "x"},
        {"auth": "é"},
    ],
)
def test_what_is_no_subscription_is_refused(admin, app, fields) -> None:
    with FakePush() as push:
        assert subscribe(admin, push, **fields).status_code == 400
    assert rows(app) == []


def test_the_account_page_brings_what_the_browser_needs(admin) -> None:
    page = get(admin, "/account").text
    assert re.search(r'data-key="[A-Za-z0-9_-]{87}"', page)
    (worker,) = re.findall(r'data-worker="([^"]+)"', page)
    answer = get(admin, worker)
    assert answer.status_code == 200
    assert "javascript" in answer.headers["Content-Type"]


def test_a_new_desk_tells_the_admin_of_the_environment(load_config, sqlite_url) -> None:
    application = create_app(load_config(DATABASE_URL=sqlite_url, ADMIN_EMAIL="Dona@Loja.com.br", DEMO="0"))
    with application.app_context():
        opening.prepare(application.config["BALCAO"])
        opening.prepare(application.config["BALCAO"])
        assert [row.address for row in recipients.everybody()] == ["dona@loja.com.br"]
        db.session.remove()
        db.engine.dispose()
