"""Two people in one form: the second is told what the first one changed, and loses nothing.

The forms are read from the program. Each either asks `meanwhile.overtaken` before it saves, or stands here
with the reason why it need not.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from werkzeug.test import TestResponse

import integrations
import message_templates
import opening
from app import create_app
from config import Config
from dashboard import meanwhile
from dashboard.form_markup import filled, read_fields
from demo import templates as demo_templates
from models import (
    AlertRecipient,
    Article,
    Campaign,
    CannedReply,
    Contact,
    Integration,
    InvestmentProgram,
    MessageTemplate,
    Product,
    Team,
    WebhookEndpoint,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import AS_BROWSER, get, post, sign_in
from tests.page_rows import ADMIN_EMAIL
from tests.test_audit import called, forms, is_ours

# --- which forms take part ----------------------------------------------------------------------------------

WAIT_SECS: Final = 120
# From a form to the verb that saves, which may ask for it.
CALLS_DEEP: Final = 2
# Kinds of fields that hold whatever is typed.
TYPED: Final = ("text", "number", "time", "url", "textarea")
_NEW: Final = "makes something new, or adds to what is there: nothing is written over"
_ONE: Final = "one step or one switch of a thing, which says what it shall be"
_ENDS: Final = "takes something away"
_ACTS: Final = "does something now, and keeps no fields"
_SINGLE: Final = "one field: whoever writes it sees the whole of it"
OTHERWISE: Final = {
    _NEW: "alert_settings.add api_keys.add articles.import_files articles.new campaigns.new"
    " campaigns.take_file contacts.add_field contacts.take_in figures.save_report flows.begin inbox.add_label"
    " lead_forms.add learning.add_strategy numbers.new order_by_hand.new people.create products.new"
    " programmes.new shelves.create simulator.create_number teaching.add_examples teaching.add_phrase"
    " teams.add_holiday teams.new template_list.new ways_to_pay.upload webhooks.add",
    _ONE: "alert_settings.switch articles.switch campaigns.cancel campaigns.pause campaigns.resume"
    " campaigns.start connectors.switch conversions.switch_off conversions.switch_on flows.restore"
    " flows.restore_shipped learning.steer numbers.make_default numbers.switch order.cancel order.mark_paid"
    " order.refund order.take_up people.change products.switch shelves.switch teaching.go_back"
    " webhooks.switch ai_settings.go_back alert_settings.restore",
    _ENDS: "alert_settings.remove api_keys.revoke articles.delete campaigns.delete campaigns.empty"
    " connectors.remove contacts.drop_field contacts.join figures.delete_report getting_started.remove_demo"
    " inbox.remove_label inbox.remove_reply lead_forms.revoke person_data.delete products.delete"
    " products.drop_keys programmes.delete retention.run shelves.delete teaching.delete_examples"
    " teaching.delete_phrase teams.delete_holiday template_list.delete webhooks.remove",
    _ACTS: "ai_settings.try_model alert_settings.new_secret alert_settings.test alert_settings.test_owner"
    " campaigns.test connectors.hook_secret connectors.replay connectors.resync_all connectors.test"
    " events.replay figures.count learning.rehearse numbers.test teaching.train template_list.review"
    " template_list.submit template_list.sync webhooks.replay webhooks.rotate webhooks.test",
    _SINGLE: "contacts.rename_field owner_phone.save",
    "compares whole texts, and shows their difference line by line": "flows.save",
}


# These save by the same verb as the form that edits, with nothing that could have been changed.
SHARE_A_VERB: Final = {"products.new", "template_list.new"}


@pytest.fixture
def bare(load_config: Callable[..., Config]) -> Flask:
    return create_app(load_config())


def asks_whether_overtaken(function: FunctionType, deep: int = CALLS_DEEP) -> bool:
    if function is meanwhile.overtaken:
        return True
    is_followed = bool(deep) and is_ours(function.__code__)
    return is_followed and any(asks_whether_overtaken(one, deep - 1) for one in called(function))


def taking_part(app: Flask) -> set[str]:
    found = set()
    for rule in forms(app):
        view = app.view_functions[rule.endpoint]
        bare = getattr(view, "__wrapped__", view)
        assert isinstance(bare, FunctionType)
        if asks_whether_overtaken(bare):
            found.add(rule.endpoint)
    return found - SHARE_A_VERB


def test_every_form_asks_whether_it_was_overtaken_or_says_why_not(bare: Flask) -> None:
    names = {rule.endpoint for rule in forms(bare)}
    assert len(taking_part(bare)) >= 20
    told = [name for several in OTHERWISE.values() for name in several.split()]
    assert sorted(told) == sorted(names - taking_part(bare))


# --- every form, as a browser has it ------------------------------------------------------------------------


@pytest.fixture
def house(app: Flask, admin: FlaskClient) -> FlaskClient:
    """An admin at a desk with one of each that is edited."""
    with app.app_context():
        page_rows.fill()
        integrations.forget()
        number = integrations.numbers()[0]
        demo_templates.seed(number, utc_now())
        draft = db.session.query(MessageTemplate).filter_by(language="pt_BR").first()
        assert draft is not None
        draft.status = message_templates.DRAFT
        db.session.add_all(
            [
                Team(name="Vendas", duty="sales"),
                Article(slug="frete", title="Frete", body="Grátis acima de R$ 100."),
                WebhookEndpoint(url="https://crm.example/hook", name="CRM", secret=""),
                AlertRecipient(channel="email", address="a@b.co", address_key="k", name="Ana"),
                Campaign(
                    name="Volta",
                    integration_id=number.id,
                    template_name="welcome_back",
                    segment={"language": "pt"},
                ),
                InvestmentProgram(
                    name="Golden", country="Portugal", category="Europe", minimum_investment=280_000
                ),
                CannedReply(shortcut="frete", body="Grátis."),
            ]
        )
        db.session.commit()
    post(
        admin,
        "/learning/strategies",
        "/learning/strategies",
        title="Calma",
        base="consultivo",
        instruction="Sem pressa.",
        words_pt="Sem pressa.",
        reason="prova",
    )
    return admin


def pages(app: Flask) -> dict[str, str]:
    """Give the page of each form that takes part."""
    with app.app_context():

        def first(model: type) -> int:
            return int(db.session.query(model.id).order_by(model.id).limit(1).scalar())  # type: ignore[attr-defined]

        draft = db.session.query(MessageTemplate.id).filter_by(status=message_templates.DRAFT).scalar()
        return {
            "products.edit": f"/products/{first(Product)}",
            "contacts.edit": f"/contacts/{first(Contact)}",
            "articles.edit": f"/knowledge/{first(Article)}",
            "programmes.edit": f"/programmes/{first(InvestmentProgram)}",
            "shelves.change": "/categories",
            "teams.edit": f"/teams/{first(Team)}",
            "teams.team_hours": f"/teams/{first(Team)}",
            "teams.write_hours": "/teams",
            "numbers.edit": f"/integrations/{first(Integration)}",
            "webhooks.save": f"/webhooks/{first(WebhookEndpoint)}",
            "alert_settings.save": f"/alerts/recipients/{first(AlertRecipient)}",
            "alert_settings.save_owner": "/alerts/owner",
            "campaigns.words": f"/campaigns/{first(Campaign)}",
            "campaigns.segment": f"/campaigns/{first(Campaign)}",
            "template_list.edit": f"/templates/{draft}/edit",
            "connectors.save": "/connectors/hubspot",
            "ways_to_pay.save": "/ways-to-pay",
            "ai_settings.save": "/ai",
            "retention.save": "/retention",
            "figures.save_prices": "/analytics",
            "learning.reword_strategy": "/learning/strategies",
            "inbox.keep_reply": "/inbox/tools?edit=frete",
        }


def form_on(app: Flask, page: str, html: str, endpoint: str) -> tuple[str, str]:
    """Give the address and the HTML of a form on a page."""
    for found in re.finditer(r"<form\b([^>]*)>(.*?)</form>", html, re.S):
        address = re.search(r'\baction="([^"]*)"', found[1])
        path = (address[1] if address else page).partition("?")[0]
        if 'method="post"' in found[1]:
            matched, _places = app.url_map.bind("").match(path, method="POST")
            if matched == endpoint:
                return path, found[2]
    raise AssertionError(f"no form of {endpoint} on {page}")


def opened(app: Flask, client: FlaskClient, endpoint: str) -> tuple[str, dict[str, list[str]]]:
    """Open a form as a browser does: where it goes, and what it would send."""
    page = pages(app)[endpoint]
    answer = get(client, page)
    assert answer.status_code == 200, page
    path, html = form_on(app, page, answer.text, endpoint)
    return path, {name: one.values for name, one in read_fields(html).items()}


def form_again(app: Flask, answer: TestResponse, path: str, endpoint: str) -> dict[str, list[str]]:
    """Give what the form on a page that came again would send."""
    html = form_on(app, path, answer.text, endpoint)[1]
    return {name: one.values for name, one in read_fields(html).items()}


def sent(client: FlaskClient, path: str, fields: dict[str, list[str]]) -> TestResponse:
    return client.post(path, data=fields, headers=AS_BROWSER)


def test_each_form_comes_again_when_a_field_is_not_as_it_was_shown(app: Flask, house: FlaskClient) -> None:
    known = pages(app)
    assert set(known) == taking_part(app)
    for endpoint, page in known.items():
        path, fields = opened(app, house, endpoint)
        (as_shown,) = fields["as_shown"]
        marks = json.loads(as_shown)
        written = read_fields(form_on(app, page, get(house, page).text, endpoint)[1])
        name = next(name for name in reversed(marks) if name and written[name].kind in TYPED)
        old = {name: "other"} | {other: mark for other, mark in marks.items() if other != name}
        typed = fields | {"as_shown": [json.dumps(old)], name: ["77"]}
        answer = sent(house, path, typed)
        assert answer.status_code == 409, endpoint
        assert "meanwhile" in answer.text, endpoint
        again = form_on(app, page, answer.text, endpoint)[1]
        assert read_fields(again)[name].values == ["77"], endpoint
        anyway = {name: one.values for name, one in read_fields(again).items()}
        assert sent(house, path, anyway).status_code != 409, endpoint


# --- what is compared ---------------------------------------------------------------------------------------


@pytest.fixture
def caio(app: Flask, house: FlaskClient) -> FlaskClient:
    """Another browser, which has the same pages open."""
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    return client


def test_the_second_is_told_what_the_first_has_changed(
    app: Flask, house: FlaskClient, caio: FlaskClient
) -> None:
    path, hers = opened(app, house, "programmes.edit")
    _path, his = opened(app, caio, "programmes.edit")
    assert sent(house, path, hers | {"country": ["Espanha"], "rank": ["7"]}).status_code == 303
    answer = sent(caio, path, his | {"country": ["Grécia"], "description": ["Nova"]})
    assert answer.status_code == 409
    assert "Ana Ribeiro" in answer.text
    assert "<dd>Espanha</dd>" in answer.text
    assert "<dd>7</dd>" in answer.text
    again = form_again(app, answer, path, "programmes.edit")
    assert (again["country"], again["description"]) == (["Grécia"], ["Nova"]), "what was typed stays"
    assert again["rank"] == ["7"], "what was not touched is as the other left it"
    with app.app_context():
        assert db.session.query(InvestmentProgram).one().country == "Espanha"
    assert sent(caio, path, again).status_code == 303
    with app.app_context():
        row = db.session.query(InvestmentProgram).one()
        assert (row.country, row.rank, row.description) == ("Grécia", 7, "Nova")


def test_two_who_write_the_same_agree(app: Flask, house: FlaskClient, caio: FlaskClient) -> None:
    path, hers = opened(app, house, "contacts.edit")
    _path, his = opened(app, caio, "contacts.edit")
    assert sent(house, path, hers | {"email": ["ana@b.co"]}).status_code == 303
    assert sent(caio, path, his | {"email": ["ana@b.co"]}).status_code == 303


def test_a_third_change_is_told_too(app: Flask, house: FlaskClient, caio: FlaskClient) -> None:
    path, hers = opened(app, house, "contacts.edit")
    _path, his = opened(app, caio, "contacts.edit")
    sent(house, path, hers | {"name": ["Um"]})
    answer = sent(caio, path, his | {"name": ["Dois"]})
    again = form_again(app, answer, path, "contacts.edit")
    _path, hers = opened(app, house, "contacts.edit")
    sent(house, path, hers | {"name": ["Três"]})
    answer = sent(caio, path, again)
    assert (answer.status_code, "<dd>Três</dd>" in answer.text) == (409, True)


def test_a_form_that_was_refused_may_be_mended(app: Flask, house: FlaskClient) -> None:
    path, fields = opened(app, house, "programmes.edit")
    refused = sent(house, path, fields | {"name": [""], "rank": ["3"]})
    assert refused.status_code == 422
    again = form_again(app, refused, path, "programmes.edit")
    assert sent(house, path, again | {"name": ["Outro"]}).status_code == 303


def test_what_waits_to_be_told_is_told_with_a_refusal(app: Flask, house: FlaskClient) -> None:
    with app.app_context():
        db.session.add(Team(name="Suporte"))
        db.session.commit()
    path, fields = opened(app, house, "teams.edit")
    refused = sent(house, path, fields | {"name": ["Suporte"]})
    assert refused.status_code == 400
    assert 'class="notice notice-danger"' in refused.text


def test_a_sale_meanwhile_stops_nobody_from_editing_the_product(app: Flask, house: FlaskClient) -> None:
    with app.app_context():
        db.session.query(Product).one().stock = 5
        db.session.commit()
    path, fields = opened(app, house, "products.edit")
    with app.app_context():
        db.session.query(Product).one().stock = 4
        db.session.commit()
    assert sent(house, path, fields | {"name_pt": ["Curso novo"]}).status_code == 303
    with app.app_context():
        row = db.session.query(Product).one()
        assert (row.name, row.stock) == ("Curso novo", 4)


def test_ticks_and_choices_are_compared(app: Flask, house: FlaskClient, caio: FlaskClient) -> None:
    path, hers = opened(app, house, "articles.edit")
    _path, his = opened(app, caio, "articles.edit")
    assert sent(house, path, hers | {"active": [], "language": ["es"]}).status_code == 303
    answer = sent(caio, path, his | {"title": ["Entrega"]})
    assert answer.status_code == 409
    again = read_fields(form_on(app, path, answer.text, "articles.edit")[1])
    assert (again["active"].values, again["language"].values, again["title"].values) == (
        [],
        ["es"],
        ["Entrega"],
    )


def test_a_secret_that_was_typed_is_not_sent_back(app: Flask, house: FlaskClient, caio: FlaskClient) -> None:
    with app.app_context():
        number = db.session.query(Integration).one()
        number.provider = "meta"
        db.session.commit()
    path, hers = opened(app, house, "numbers.edit")
    _path, his = opened(app, caio, "numbers.edit")
    assert sent(house, path, hers | {"name": ["Balcão"]}).status_code == 303
    answer = sent(caio, path, his | {"name": ["Loja 2"], "access_token": ["EAA-geheim"]})
    assert answer.status_code == 409
    assert "EAA-geheim" not in answer.text


def test_what_the_other_wrote_is_shown_as_text(app: Flask, house: FlaskClient, caio: FlaskClient) -> None:
    evil = '"><script>alert(1)</script>'
    path, hers = opened(app, house, "contacts.edit")
    _path, his = opened(app, caio, "contacts.edit")
    sent(house, path, hers | {"name": [evil]})
    answer = sent(caio, path, his | {"name": [f"{evil}2"]})
    assert answer.status_code == 409
    assert str(escape(f"{evil}2")) in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("forged", ["", "x", "[]", "null", '{"name": 3}', '{"": "yesterday"}'])
def test_marks_that_are_none_are_read_as_never_shown(app: Flask, house: FlaskClient, forged: str) -> None:
    path, fields = opened(app, house, "contacts.edit")
    assert sent(house, path, fields | {"as_shown": [forged], "name": ["Outra"]}).status_code == 409


# --- at once ------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(load_config: Callable[..., Config], database_url: str) -> Iterator[Flask]:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        opening.migrate()
        page_rows.people()
        db.session.add(Contact(name="Mariana"))
        db.session.commit()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_of_two_who_save_at_once_the_second_is_told(shop: Flask) -> None:
    with shop.app_context():
        contact_id = db.session.query(Contact.id).scalar()
    path, begin = f"/contacts/{contact_id}", threading.Barrier(2)
    answers: list[int] = []

    def save(client: FlaskClient, fields: dict[str, list[str]], name: str) -> None:
        begin.wait(WAIT_SECS)
        answers.append(sent(client, path, fields | {"name": [name]}).status_code)

    threads = []
    for name in ("Mariana Lima", "Mariana Souza"):
        client = shop.test_client()
        sign_in(client, ADMIN_EMAIL)
        html = form_on(shop, path, get(client, path).text, "contacts.edit")[1]
        fields = {field: one.values for field, one in read_fields(html).items()}
        threads.append(threading.Thread(target=save, args=(client, fields, name)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    assert sorted(answers) == [303, 409]


# --- the markup ---------------------------------------------------------------------------------------------

PIECE: Final = """
<label for="a">Name</label><input id="a" name="a" value="x &amp; y" required>
<textarea name="b" aria-label="Text">
one
two</textarea>
<label>Kind <select name="c">
<option value="">none</option><option value="1" selected>One</option></select></label>
<select name="d"><option>First</option><option>Second</option></select>
<fieldset><legend>Told of</legend>
<input type="checkbox" id="e1" name="e" value="1" checked><label for="e1">This</label>
<input type="checkbox" id="e2" name="e" value="2"><label for="e2">That</label></fieldset>
<label><input type="checkbox" name="f"> On sale</label>
<input type="hidden" name="g" value="seal" data-field="Picture" data-words="a.png">
<input name="off" value="1" disabled><button name="h" value="1">Go</button><input type="password" name="i">
"""


def test_a_form_tells_its_fields_as_a_browser_would_send_them() -> None:
    found = read_fields(PIECE)
    assert {name: one.values for name, one in found.items()} == {
        "a": ["x & y"],
        "b": ["one\ntwo"],
        "c": ["1"],
        "d": ["First"],
        "e": ["1"],
        "f": [],
        "g": ["seal"],
        "i": [],
    }
    words = {name: (one.words, one.shown(one.values)) for name, one in found.items()}
    assert words["a"] == ("Name", "x & y")
    assert words["b"] == ("Text", "one\ntwo")
    assert words["c"] == ("Kind", "One")
    assert words["e"] == ("Told of", "This")
    assert words["f"] == ("On sale", "")
    assert words["g"] == ("Picture", "a.png")


def test_a_form_is_filled_in_anew_and_otherwise_left_alone() -> None:
    typed = {"a": ['"<b>'], "b": ["\n</textarea>"], "c": [""], "e": ["2"], "f": ["on"]}
    again = read_fields(filled(PIECE, typed))
    assert {name: one.values for name, one in again.items()} == {
        **typed,
        "d": ["First"],
        "g": ["seal"],
        "i": [],
    }
    assert filled(PIECE, {}) == PIECE
