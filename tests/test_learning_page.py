"""The learning page and its commands: they render, steer with a reason, and lead to every conversation."""

import csv
import random
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import learning
import rehearsal
import tasks
from dashboard.languages import HTML_LANGUAGES
from models import (
    Alert,
    Conversation,
    Decision,
    Integration,
    LearningChange,
    Order,
    PolicyState,
    Rehearsal,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import counted, get, post, sign_in
from tests.page_rows import AGENT_EMAIL, EVIL
from tests.records import make_product

PAGE = "/learning"
LIST = "/learning/decisions"
OLD = timedelta(days=8)


@pytest.fixture
def filled(app: Flask) -> int:
    """Add closed and open decisions, a sale, a harm and a person's choice; gives one conversation's id."""
    config = app.config["BALCAO"]
    with app.app_context():
        number = Integration(provider="simulator", shape="meta", name="Loja", number_id="111")
        db.session.add(number)
        db.session.flush()
        for turn in range(30):
            thread = page_rows.conversation(number, f"Cliente {turn} {EVIL}", f"55119876500{turn:02}")
            now = utc_now() - (OLD if turn < 20 else timedelta(hours=1))
            drawn = learning.draw(
                thread.id,
                thread.contact_id,
                context={"language": "pt"},
                facts_allow_scarcity=True,
                is_upset=False,
                config=config,
                now=now,
                rng=random.Random(turn),
            )
            learning.keep(drawn)
            if turn in (3, 25):
                _sell(thread, now)
            if turn == 7:
                learning.note(thread.id, "opt_out", now=now)
        learning.choose_by_hand(
            thread.id, thread.contact_id, "racional", context={}, config=config, now=utc_now()
        )
        learning.close_decisions(config, now=utc_now())
        db.session.commit()
        return thread.id


def _sell(thread: Conversation, now) -> None:
    order = Order(
        contact_id=thread.contact_id,
        conversation_id=thread.id,
        status="paid",
        total_minor=9700,
        placed_at=now,
    )
    db.session.add(order)
    db.session.flush()
    learning.credit_sale(order.id, now=now)


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_renders_empty_and_filled_and_escaped(
    admin: FlaskClient, language: str, request: pytest.FixtureRequest
) -> None:
    post(admin, "/language", "/account", language=language)
    for filled in (False, True):
        if filled:
            request.getfixturevalue("filled")
        for path in (PAGE, LIST, f"{LIST}?strategy=racional&state=open&group=policy"):
            answer = get(admin, path)
            assert answer.status_code == 200, path
            assert f'<html lang="{HTML_LANGUAGES[language]}"' in answer.text
            assert EVIL not in answer.text, path
            assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"", answer.text), path


def test_agents_may_not_open_it(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    for path in (PAGE, LIST, f"{PAGE}/log.csv"):
        assert get(agent, path).status_code == 403
    assert PAGE not in get(agent, "/inbox").text
    assert f'href="{PAGE}"' in get(admin, "/inbox").text


def test_the_first_sentence_says_how_far_it_may_be_believed(admin: FlaskClient, filled: int) -> None:
    text = get(admin, PAGE).text
    assert re.search(r'class="belief">Cedo demais para dizer: 20 de cerca de [23]\.\d00 conversas', text)
    assert "cedo demais para dizer</dd>" in text
    assert "vendas a mais" not in text
    post(admin, "/language", "/account", language="en")
    assert re.search(r"Too early to say: 20 of about [23],\d00 closed conversations", get(admin, PAGE).text)


def test_every_number_leads_to_as_many_conversations(admin: FlaskClient, filled: int) -> None:
    links = re.findall(r'<a href="(/learning/decisions\?[^"]*)">(\d+)</a>', get(admin, PAGE).text)
    assert len(links) > 10
    for path, number in links:
        page = get(admin, path.replace("&amp;", "&")).text
        assert page.count('class="record-title"') == int(number), path


def test_a_list_names_the_conversation_and_what_came_of_it(admin: FlaskClient, filled: int) -> None:
    assert re.search(rf'href="/[a-z/]+/{filled}"', get(admin, f"{LIST}?group=manual").text)
    sold = get(admin, f"{LIST}?state=sold").text
    assert sold.count("R$\xa097,00") == 2
    assert "não quer mensagens" in get(admin, f"{LIST}?state=opt_out").text


def test_odd_addresses_are_no_errors(admin: FlaskClient, filled: int) -> None:
    everything = get(admin, LIST).text.count('class="record-title"')
    for query in ("strategy=x", "state=%00", "group=1", "before=-1", "before=x", "before=9" + 30 * "9"):
        answer = get(admin, f"{LIST}?{query}")
        assert answer.status_code == 200
        assert answer.text.count('class="record-title"') == everything == 31
    assert get(admin, f"{LIST}?before=2").text.count('class="record-title"') == 1


def test_steering_needs_a_reason_and_keeps_who_when_and_why(app: Flask, admin: FlaskClient) -> None:
    form = {"action": "pause", "strategy": "emocional"}
    refused = post(admin, f"{PAGE}/steer", PAGE, **form, reason="  ")
    assert refused.status_code == 422
    assert "Escreva primeiro o motivo." in refused.text
    assert post(admin, f"{PAGE}/steer", PAGE, **form, reason=f"queixas {EVIL}").status_code == 303
    page = get(admin, PAGE).text
    assert "Pausar: Emocional" in page
    assert "queixas &lt;script&gt;" in page
    with app.app_context():
        change = db.session.query(LearningChange).one()
        assert (change.action, change.strategy, change.operator_id) == ("pause", "emocional", 1)
        assert [arm.strategy for arm in learning.standings() if arm.is_paused] == ["emocional"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("freeze", "Congelado"),
        ("switch_off", "Desligado: todos"),
        ("reset", "foi esquecido. A comparação conta desde então"),
        ("pin", "sempre usada"),
    ],
)
def test_each_button_shows_what_it_did(admin: FlaskClient, filled: int, action: str, said: str) -> None:
    form = {"action": action, "strategy": "racional", "reason": "teste"}
    if action == "reset":
        assert post(admin, f"{PAGE}/steer", PAGE, **form).status_code == 422  # it must be meant
    post(admin, f"{PAGE}/steer", PAGE, **form, is_meant="1")
    assert said in get(admin, PAGE).text.split("</h1>")[1]


@pytest.mark.parametrize(
    "form", [{"action": "pause"}, {"action": "x", "strategy": "racional"}, {"action": "pin", "strategy": "y"}]
)
def test_odd_forms_are_refused(app: Flask, admin: FlaskClient, form: dict[str, str]) -> None:
    assert post(admin, f"{PAGE}/steer", PAGE, **form, reason="x").status_code == 422
    with app.app_context():
        assert db.session.query(PolicyState).count() == 0


def test_a_form_without_the_token_changes_nothing(app: Flask, admin: FlaskClient) -> None:
    assert admin.post(f"{PAGE}/steer", data={"action": "reset", "reason": "x"}).status_code == 400
    with app.app_context():
        assert db.session.query(LearningChange).count() == 0


def test_the_log_is_downloaded_as_csv(app: Flask, admin: FlaskClient, filled: int) -> None:
    answer = get(admin, f"{PAGE}/log.csv")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(StringIO(answer.text)))
    with app.app_context():
        assert len(rows) == db.session.query(Decision).count() == 31
    assert sum(int(row["sales"]) for row in rows) == 2


def test_commands_export_the_log_and_rebuild_the_state(app: Flask, filled: int) -> None:
    runner = app.test_cli_runner()
    exported = runner.invoke(args=["export-learning"])
    assert exported.exit_code == 0
    assert len(list(csv.DictReader(StringIO(exported.output)))) == 31
    with app.app_context():
        before = db.session.query(PolicyState).one().settled
    assert runner.invoke(args=["rebuild-learning"]).output == "Rebuilt.\n"
    with app.app_context():
        assert db.session.query(PolicyState).one().settled == before


def test_customers_of_a_kind_lead_to_their_conversations(admin: FlaskClient, filled: int) -> None:
    post(admin, "/language", "/account", language="en")
    page = get(admin, PAGE).text
    assert "Closed with a sale, by customer" in page
    assert 'segment=language%3Dpt"' in page or "segment=language%3Dpt&amp;" in page
    listed = get(admin, f"{LIST}?segment=language%3Dpt&state=matured&group=drawn").text
    assert "Language: Portuguese" in listed
    assert listed.count('class="record-title"') == 20
    for odd in ("language%3Den", "niche%3D%25"):
        assert "record-title" not in get(admin, f"{LIST}?segment={odd}").text
    assert get(admin, f"{LIST}?segment=password%3Dx").text.count('class="record-title"') == 31


def test_the_log_comes_as_vowpal_wabbit_reads_it(app: Flask, admin: FlaskClient, filled: int) -> None:
    text = get(admin, f"{PAGE}/log.vw").text
    examples = [example.splitlines() for example in text.strip().split("\n\n")]
    assert len(examples) == 20  # neither what is open nor a person's choice
    for shared, *arms in examples:
        assert shared == "shared |c language=pt"
        labels = [arm.partition("|")[0].strip() for arm in arms]
        assert sum(bool(label) for label in labels) == 1
        cost, probability = next(label for label in labels if label).split(":")[1:]
        assert cost in ("-1", "0")
        assert 0 < float(probability) <= 1
    assert sum("0:-1:" in "".join(example) for example in examples) == 1
    assert app.test_cli_runner().invoke(args=["learning", "export", "--format", "vw"]).output == text


def test_simulated_customers_come_at_the_press_of_a_button(app: Flask, admin: FlaskClient) -> None:
    wish = {"customers": "3", "days": "5", "drift": "slow"}
    assert "Clientes simulados" in get(admin, PAGE).text
    assert post(admin, f"{PAGE}/rehearse", PAGE, **wish).status_code == 422  # nothing is for sale
    with app.app_context():
        make_product()
        db.session.commit()
    for odd in ({"customers": "0"}, {"days": "9999"}, {"customers": "x"}):
        assert post(admin, f"{PAGE}/rehearse", PAGE, **wish | odd).status_code == 422
    assert post(admin, f"{PAGE}/rehearse", PAGE, **wish).status_code == 303
    assert "<progress" in get(admin, PAGE).text
    assert post(admin, f"{PAGE}/rehearse", PAGE, **wish).status_code == 422  # they are on their way
    with app.app_context():
        booked = db.session.query(Rehearsal).one()
        assert (booked.state, booked.customers, booked.drift) == ("waiting", 3, "slow")
        booked_id = booked.id
        for is_mine in (True, False):
            assert rehearsal.play_booked(booked_id, app.config["BALCAO"], now=utc_now()) is is_mine
    assert "3 de 3 clientes simulados" in get(admin, PAGE).text


def test_where_a_real_number_is_nobody_is_simulated(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        make_product()
        db.session.add(Integration(provider="meta", name="Ours", number_id="1"))
        db.session.commit()
    assert "/learning/rehearse" not in get(admin, PAGE).text
    assert post(admin, f"{PAGE}/rehearse", "/account", customers="3", days="5").status_code == 422


def test_agents_let_nobody_come(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert post(agent, f"{PAGE}/rehearse", "/account", customers="3", days="5").status_code == 403


def test_what_was_forgotten_can_be_remembered(
    app: Flask, admin: FlaskClient, filled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, asked = {"reason": "teste", "is_meant": "1"}, []
    monkeypatch.setattr(tasks, "_enqueue", lambda task, *arguments: asked.append((task, arguments)))
    post(admin, f"{PAGE}/steer", PAGE, action="reset", **form)
    assert "0 de cerca de" in get(admin, PAGE).text
    assert "Lembrar tudo" in get(admin, PAGE).text
    post(admin, f"{PAGE}/steer", PAGE, action="remember", **form)
    assert "20 de cerca de" in get(admin, PAGE).text
    assert post(admin, f"{PAGE}/steer", PAGE, action="remember", **form).status_code == 422  # it is so
    assert [task for task, _ in asked] == [tasks.close_decisions] * 2, "draws would know nothing until then"
    asked[-1][0].call_local(*asked[-1][1])
    with app.app_context():
        assert db.session.query(PolicyState.live).scalar() is not None
        actions = db.session.query(LearningChange.action).order_by(LearningChange.id).all()
        assert [action for (action,) in actions] == ["reset", "remember"]


@pytest.mark.parametrize(
    "stored", ['{"version": 99}', "[1, 2]", '"a text"', "not even JSON", '{"version": 2, "kind": "uniform"}']
)
def test_a_stored_state_that_cannot_be_read_stops_nothing_and_heals(
    app: Flask, admin: FlaskClient, filled: int, stored: str
) -> None:
    config = app.config["BALCAO"]
    with app.app_context():
        good = db.session.query(PolicyState).one().settled
        db.session.execute(
            text("UPDATE policy_states SET settled = :s, live = :s, absorbed = :s, version = version + 1"),
            {"s": stored},
        )
        db.session.commit()
    assert get(admin, PAGE).status_code == 200
    with app.app_context():
        thread = db.session.query(Conversation).first()
        assert thread is not None
        facts: dict[str, Any] = {"context": {}, "facts_allow_scarcity": True, "is_upset": False}
        now = utc_now() + timedelta(days=30)
        drawn = learning.draw(
            thread.id, thread.contact_id, config=config, now=now, rng=random.Random(1), **facts
        )
        assert drawn.columns is not None
        assert sum(drawn.columns["propensities"].values()) == pytest.approx(1.0)
        db.session.rollback()
        learning.close_decisions(config, now=utc_now())
        db.session.commit()
        row = db.session.query(PolicyState).populate_existing().one()
        assert row.settled == good
        assert [one.kind for one in db.session.query(Alert)] == ["learning_unreadable"]
        learning.close_decisions(config, now=utc_now())
        assert db.session.query(Alert).one().times == 1


def test_a_person_chooses_the_way_of_selling_and_takes_it_back(
    app: Flask, admin: FlaskClient, filled: int
) -> None:
    with app.app_context():
        thread_id = db.session.query(Conversation.id).order_by(Conversation.id).limit(1).scalar()
    page, door = f"/inbox/{thread_id}", f"/inbox/{thread_id}/strategy"
    assert "Jeito de vender" in get(admin, page).text
    for _twice in range(2):
        assert post(admin, door, page, strategy="emocional").status_code == 303
    assert "Agora: Emocional, escolhida por uma pessoa." in get(admin, page).text
    with app.app_context():
        newest = db.session.query(Decision).order_by(Decision.id.desc()).first()
        assert newest is not None
        assert (newest.conversation_id, newest.strategy, newest.is_manual) == (thread_id, "emocional", True)
        assert newest.propensity is None
        assert db.session.query(Decision).count() == 32
    assert post(admin, door, page, strategy="").status_code == 303
    assert "na próxima resposta de venda" in get(admin, page).text
    assert post(admin, door, page, strategy="agressivo").status_code == 422
    assert post(admin, "/inbox/999999/strategy", page, strategy="racional").status_code == 404
    assert admin.post(door, data={"strategy": "racional"}).status_code == 400  # without the token


# --- strategies of the shop's own ---------------------------------------------------------------------------

OWN_PAGE = f"{PAGE}/strategies"
OWN = {"title": "Vizinho", "base": "consultivo", "instruction": "Fale como vizinho.", "reason": "teste"}


def test_an_admin_adds_rewords_pins_and_retires_a_strategy(
    app: Flask, admin: FlaskClient, filled: int
) -> None:
    assert post(admin, OWN_PAGE, OWN_PAGE, **OWN, words_pt="Estou aqui do lado.").status_code == 303
    page = get(admin, OWN_PAGE).text
    assert "Vizinho" in page
    assert "Estou aqui do lado." in page
    same = {"instruction": OWN["instruction"], "words_pt": "Estou aqui do lado.", "reason": "x"}
    assert post(admin, f"{OWN_PAGE}/vizinho", OWN_PAGE, **same).status_code == 422
    assert post(admin, f"{OWN_PAGE}/vizinho", OWN_PAGE, **same | {"words_pt": ""}).status_code == 303
    assert "versão 2" in get(admin, OWN_PAGE).text
    for action in ("pin", "retire"):
        form = {"action": action, "strategy": "vizinho", "reason": f"fim {EVIL}"}
        assert post(admin, f"{PAGE}/steer", PAGE, **form).status_code == 303
    shown = get(admin, PAGE).text
    assert "Aposentar: Vizinho" in shown
    assert EVIL not in shown
    assert 'value="vizinho"' not in shown
    with app.app_context():
        told = [(row.action, row.operator_id) for row in db.session.query(LearningChange)]
        assert told == [(action, 1) for action in ("add", "reword", "pin", "retire")]


def test_what_was_refused_stands_in_the_form_again_escaped(app: Flask, admin: FlaskClient) -> None:
    refused = post(admin, OWN_PAGE, OWN_PAGE, **OWN | {"title": EVIL, "base": "x"}, words_en=f'"{EVIL}')
    assert refused.status_code == 422
    assert "Escolha primeiro em que ela se baseia." in refused.text
    assert EVIL not in refused.text
    assert refused.text.count("&lt;script&gt;") >= 2
    assert post(admin, OWN_PAGE, OWN_PAGE).status_code == 422
    assert post(admin, f"{OWN_PAGE}/nobody", OWN_PAGE, **OWN).status_code == 422
    assert post(admin, f"{OWN_PAGE}/racional", OWN_PAGE, **OWN).status_code == 422
    promised = post(admin, OWN_PAGE, OWN_PAGE, **OWN, words_pt="Hoje com 50% de desconto!")
    assert "prometem algo" in promised.text
    with app.app_context():
        assert db.session.query(LearningChange).count() == 0


def test_only_admins_add_strategies_and_only_with_the_token(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, OWN_PAGE).status_code == 403
    for path in (OWN_PAGE, f"{OWN_PAGE}/vizinho", f"{PAGE}/steer"):
        assert post(agent, path, "/inbox", **OWN).status_code == 403
        assert app.test_client().post(path, data=OWN).status_code in (302, 303, 400, 401)
    assert admin.post(OWN_PAGE, data=OWN).status_code == 400
    with app.app_context():
        assert db.session.query(LearningChange).count() == 0


def test_an_own_strategy_is_offered_by_hand_and_filters_the_list(admin: FlaskClient, filled: int) -> None:
    post(admin, OWN_PAGE, OWN_PAGE, **OWN)
    choose = f"/inbox/{filled}/strategy"
    assert post(admin, choose, f"/inbox/{filled}", strategy="vizinho").status_code == 303
    assert "Vizinho" in get(admin, f"/inbox/{filled}?person=1").text
    assert get(admin, f"{LIST}?strategy=vizinho").text.count('class="record-title"') == 1
    assert post(admin, choose, f"/inbox/{filled}", strategy="nobody").status_code == 422


def test_the_page_asks_the_database_little(app: Flask, admin: FlaskClient, filled: int) -> None:
    post(admin, OWN_PAGE, OWN_PAGE, **OWN)
    get(admin, PAGE)
    for action in ("pin", "reset"):
        form = {"action": action, "strategy": "racional", "reason": "x", "is_meant": "1"}
        post(admin, f"{PAGE}/steer", PAGE, **form)
        get(admin, PAGE)
        with counted(app) as statements:
            get(admin, PAGE)
        assert len(statements) <= 15, statements
