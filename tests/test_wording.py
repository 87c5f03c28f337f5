"""What rows say in English, in the page's words: the closed lists of other rooms are all known."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, session
from sqlalchemy import select

import integrations
import triage
from dashboard import wording
from dashboard.breach_wording import breach_words
from dashboard.languages import SESSION_KEY
from models import Alert, Conversation, Integration, Message, WebhookEvent, db, utc_now
from providers import meta_errors, twilio_errors
from providers.base import Health
from replies.breaches import SENTENCES
from tests import page_rows
from tests.browsing import get, sign_in
from tests.page_rows import ADMIN_EMAIL

THINGS = {
    "s.kind": "image",
    "s.menu_word": "menu",
    "s.courtesy": "thanks",
    "s.awaits": "money",
    "s.intent": "complaint",
}


@pytest.fixture
def spanish(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        session[SESSION_KEY] = "es"
        yield


def triage_reasons() -> list[str]:
    """Read every reason out of triage's own source, with one thing put into each that names one."""
    tree = ast.parse(Path(triage.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    decisions = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Decision"]
    return [_text(reason) for call in decisions for reason in _either(call.args[1])]


def _either(node: ast.expr) -> list[ast.expr]:
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return str(getattr(triage, node.id))
    assert isinstance(node, ast.JoinedStr)
    return "".join(
        THINGS[ast.unparse(part.value)] if isinstance(part, ast.FormattedValue) else _text(part)
        for part in node.values
    )


def test_every_reason_of_triage_is_said_in_the_page_language(spanish: None) -> None:
    reasons = triage_reasons()
    assert len(reasons) > 15
    assert [reason for reason in reasons if wording.reason_words(reason) == reason] in ([], ["spam"])


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("chose an option", "eligió una opción del menú"),
        ("answers the question for money", "responde a la pregunta abierta: un importe"),
        ("clear intent: complaint", "un deseo claro: reclamo"),
        ("the word for back", "pidió volver"),
        ("said thanks", "dio las gracias"),
        ("image received", "Foto: el bot no lo puede leer"),
        ("whatever an older version wrote", "whatever an older version wrote"),
        ("", ""),
    ],
)
def test_a_reason_is_said_or_left_as_it_was(spanish: None, reason: str, said: str) -> None:
    assert wording.reason_words(reason) == said


def test_an_error_is_said_by_its_code_and_an_unknown_one_as_it_came(spanish: None) -> None:
    assert wording.error_words("cancelled", "A person took over").startswith("No se envió")
    assert wording.error_words("131047", "...").startswith("Más de 24 horas")
    assert wording.error_words("99999", "Something new") == "Something new"
    assert wording.error_words("99999", "") == "No se pudo enviar."


def test_codes_in_the_table_are_codes_of_a_provider(spanish: None) -> None:
    known = {str(code) for code in (*meta_errors.MEANINGS, *twilio_errors.MEANINGS)}
    assert set(wording._provider_errors()) <= known


def test_every_breach_is_said_in_the_page_language(spanish: None) -> None:
    told = {code: breach_words(code) for code in SENTENCES}
    assert all(words.endswith(".") and words != code for code, words in told.items())
    assert told["guarantee"] == "Prometió una garantía o un resultado que la tienda no indica."
    assert len(set(told.values())) == len(told)
    assert breach_words("of an older version") == "of an older version"


@pytest.fixture
def desk(app: Flask) -> page_rows.Desk:
    with app.app_context():
        page_rows.people()
        return page_rows.fill()


def test_alerts_and_failures_speak_the_page_language(app: Flask, desk: page_rows.Desk) -> None:
    with app.app_context():
        thread = db.session.get_one(Conversation, desk.waiting_id)
        thread.handler_reason = "angry and critical"
        failed = db.session.scalars(select(Message).where(Message.status == "failed")).first()
        failed.error_code, failed.error_text = "cancelled", "A person took over before this was sent."
        now = utc_now()
        row = Alert(kind="waiting", open_topic="waiting:x", text="A customer waits for a person: x")
        row.conversation_id, row.created_at, row.last_at = thread.id, now, now
        db.session.add(row)
        db.session.commit()
        thread_id = failed.conversation_id
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    assert "Um cliente espera por uma pessoa" in get(client, "/").text
    assert "está com raiva, e é crítico" in get(client, "/").text
    assert ">A customer waits" not in get(client, "/").text
    assert ">Não enviada: antes de sair" in get(client, f"/inbox/{thread_id}").text


def test_an_unknown_event_names_the_number_and_the_topic(app: Flask, desk: page_rows.Desk) -> None:
    with app.app_context():
        for key, state, payload in (
            ("one", "unknown", b'{"field": "messages", "metadata": {"phone_number_id": "999"}, "other": {}}'),
            ("two", "ignored", b'{"field": "account_update", "metadata": null, "other": {}}'),
            ("three", "unknown", b'{"form": {"To": "whatsapp:+14155238886"}}'),
            ("four", "unknown", b"[]"),
        ):
            event = WebhookEvent(event_key=key, provider="meta", kind="other", state=state, payload=payload)
            event.received_at = utc_now()
            db.session.add(event)
        db.session.commit()
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    page = get(client, "/events").text
    assert "Nenhum número com o id 999 está conectado." in page
    assert "<code>account_update</code>" in page
    assert "+14155238886 está conectado" in page
    assert "Não menciona nenhum número nosso." in page


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (
            Health(
                True,
                "+55 11 4004-2000 Loja: connected, quality red.",
                code="meta_number",
                facts={"number": "+55 11", "name": "Loja", "status": "connected", "quality": "red"},
            ),
            "+55 11 Loja: conectado, calidad baja",
        ),
        (
            Health(True, "x", code="twilio_account", facts={"name": "Ana", "status": "suspended"}),
            "Cuenta de Twilio Ana: suspendida",
        ),
        (
            Health(True, "x", code="meta_number", facts={"status": "new word", "quality": "green"}),
            " : new word, calidad buena",
        ),
        (Health(True, "x", code="simulated"), "Número simulado: siempre disponible, no llega a nadie"),
        (Health(False, "x", code="190"), "El proveedor no acepta nuestras credenciales."),
        (Health(False, "x", code="http_418"), "El proveedor rechazó la solicitud (HTTP 418)."),
        (Health(False, "x", code="cut"), "La conexión se cortó antes de que el proveedor respondiera."),
        (Health(False, "Nobody knows 777.", code="777"), "Nobody knows 777."),
        (Health(True, "An older sentence."), "An older sentence."),
        (
            Health(True, "y" * 300, code="meta_number", facts={"name": "n" * 300}),
            "y" * 255,
        ),
    ],
)
def test_the_health_of_a_number_is_said_in_the_page_language(app: Flask, health: Health, words: str) -> None:
    with app.test_request_context():
        session[SESSION_KEY] = "es"
        row = Integration(provider="simulator", shape="meta", name="Loja", number_id="111")
        db.session.add(row)
        db.session.flush()
        integrations.record_health(row.id, health, now=utc_now())
        assert wording.health_words(row.health_summary).startswith(words)
        db.session.rollback()


@pytest.mark.parametrize("stored", ["", "[]", "7", '{"code": 7}', "{"])
def test_any_stored_health_is_shown(spanish: None, stored: str) -> None:
    assert isinstance(wording.health_words(stored), str)
