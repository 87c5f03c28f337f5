"""Every command of the desk: what it prints, what it changes, and how it refuses."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from sqlalchemy import func, select

import cli
import desk_settings
import integrations
import knowledge
import lanes
import tasks
from app import create_app
from crm.leads import LeadWish, record_lead
from llm import trying
from models import (
    ApiKey,
    Article,
    Contact,
    ContactIdentity,
    Conversation,
    Integration,
    InvestmentProgram,
    MenuSession,
    Message,
    MessageTemplate,
    Operator,
    StoredMedia,
    WebhookEndpoint,
    WebhookEvent,
    Worker,
    db,
    utc_now,
)
from tests.fakes.chat_models import KEY, MODEL, RudeChatModels
from tests.fakes.smtp import FakeSmtp
from training import examples
from webhooks_out import endpoints, links

PHONE = "5581998765432"
ROOT = Path(cli.__file__).parent


@pytest.fixture
def desk(load_config):
    """A desk whose schema came from the migrations, on SQLite."""
    application = create_app(load_config())
    assert run(application, "init-db").exit_code == 0
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def conversation(desk):
    """Somebody who wrote to a number of ours a minute ago."""
    with desk.app_context():
        number = integrations.create(
            provider="simulator", shape="meta", name="Loja", number_id="100200300", app_secret="s" * 20
        )
        contact = Contact(name="Ana Lima")
        db.session.add(contact)
        db.session.flush()
        db.session.add(
            ContactIdentity(contact_id=contact.id, account="simulator:100200300", kind="wa_id", value=PHONE)
        )
        thread = Conversation(
            integration_id=number.id,
            contact_id=contact.id,
            last_inbound_at=datetime.now(UTC) - timedelta(minutes=1),
        )
        db.session.add(thread)
        db.session.flush()
        db.session.add(
            Message(
                conversation_id=thread.id,
                integration_id=number.id,
                direction="in",
                sender="customer",
                kind="text",
                body="olá, tudo bem?",
            )
        )
        db.session.commit()
        return thread.id


def run(application, *args, **given):
    return application.test_cli_runner().invoke(args=args, **given)


def said(result):
    assert result.exit_code == 0, result.output
    return result.output


# --- the database -------------------------------------------------------------------------------------------


def test_init_db_prepares_everything_once_and_shows_the_password_once(load_config):
    application = create_app(load_config())
    assert "shown only now" in said(run(application, "init-db"))
    assert "shown only now" not in said(run(application, "init-db"))
    with application.app_context():
        assert db.session.query(InvestmentProgram).count() == 10
        assert db.session.query(Operator).one().role == "admin"


def test_init_db_refuses_a_password_that_nobody_may_have_in_one_line(load_config):
    result = run(create_app(load_config(ADMIN_PASSWORD="12345")), "init-db")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "ADMIN_PASSWORD: a password has" in result.output


def test_a_database_that_is_not_prepared_is_said_in_one_line(load_config):
    result = run(create_app(load_config()), "list-leads")
    assert result.exit_code == 1
    assert "init-db" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_reset_db_asks_first(desk, conversation):
    assert run(desk, "reset-db", input="n\n").exit_code == 1
    with desk.app_context():
        assert db.session.query(Contact).count() == 1
    said(run(desk, "reset-db", "--yes"))
    with desk.app_context():
        assert db.session.query(Contact).count() == 0


def test_programmes_and_the_environments_product_are_seeded(load_config):
    application = create_app(load_config(PRODUCT_NAME="Curso", PRODUCT_PRICE="97"))
    run(application, "init-db")
    output = said(run(application, "seed-programs"))
    assert "0 programmes added" in output
    assert "Curso" in output


def test_the_demo_is_seeded_once_and_can_be_removed(desk):
    assert "39 contacts" in said(run(desk, "seed-demo"))
    assert "already" in said(run(desk, "seed-demo"))
    assert said(run(desk, "stats", "--days", "30")).count("\n") == 32
    assert "39 contacts" in said(run(desk, "remove-demo", "--yes"))


# --- looking ------------------------------------------------------------------------------------------------


def test_every_command_prints_json_when_asked():
    """`analyze` writes JSON anyway, a line for each line that it reads."""
    silent = [
        made.name
        for made in cli.COMMANDS
        if not isinstance(made, click.Group) and not any("--json" in one.opts for one in made.params)
    ]
    assert set(silent) <= {"analyze"}


def test_what_a_command_did_is_json_for_programs(desk, conversation):
    assert json.loads(said(run(desk, "cleanup-sessions", "--json"))) == {"closed": 0}
    assert json.loads(said(run(desk, "test-message", PHONE, "--json")))["message_id"] > 0
    key = json.loads(said(run(desk, "create-api-key", "crm", "--json")))
    assert key["scopes"] == ["read"]
    assert json.loads(said(run(desk, "replay-events", "--json")))["failed"] == 0


def test_stats_are_a_table_or_json(desk, conversation):
    table = said(run(desk, "stats", "--days", "3")).splitlines()
    assert table[0].split()[:3] == ["day", "msg_in", "msg_out"]
    assert len(table) == 5
    counted = json.loads(said(run(desk, "stats", "--days", "2", "--json")))
    assert counted["total"]["messages_in"] == 1
    assert len(counted["days"]) == 2
    assert said(run(desk, "roll-up")).startswith("day")


@pytest.mark.parametrize("days", ["0", "367", "many"])
def test_an_impossible_number_of_days_is_refused(desk, days):
    result = run(desk, "stats", "--days", days)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_leads_are_listed(desk, conversation):
    assert "No leads yet" in said(run(desk, "list-leads"))
    with desk.app_context():
        contact = db.session.query(Contact).one()
        record_lead(contact, LeadWish(name="Ana", interest="EB-5"), now=datetime.now(UTC))
        db.session.commit()
    assert "EB-5" in said(run(desk, "list-leads"))
    assert json.loads(said(run(desk, "list-leads", "--json")))[0]["name"] == "Ana"


@pytest.mark.parametrize("written", [PHONE, "+55 81 99876-5432", "(81) 99876-5432"])
def test_a_person_is_shown_by_any_spelling(desk, conversation, written):
    assert "olá, tudo bem?" in said(run(desk, "user-info", written))
    shown = json.loads(said(run(desk, "user-info", written, "--json")))
    assert shown["messages_in"] == 1
    assert shown["last_messages"][0]["body"] == "olá, tudo bem?"


def test_a_person_is_shown_in_words_not_in_python(desk, conversation):
    with desk.app_context():
        now = datetime.now(UTC)
        db.session.add(
            MenuSession(conversation_id=conversation, flow="shop", step="products", last_activity_at=now)
        )
        db.session.commit()
    lines = said(run(desk, "user-info", PHONE)).splitlines()
    assert "phone             +55 81 99876-5432" in lines
    assert "has opted out     no" in lines
    assert any(line.startswith("session           shop, step products, since 20") for line in lines)
    assert not any(mark in line for line in lines for mark in ("{", "None", "False"))


def test_a_test_message_speaks_the_persons_language_and_comes_from_the_desk(desk, conversation):
    with desk.app_context():
        db.session.query(Contact).one().language = "es"
        db.session.commit()
    assert "Queued" in said(run(desk, "test-message", PHONE))
    with desk.app_context():
        queued = db.session.query(Message).filter_by(direction="out").one()
        assert queued.body == cli.TEST_MESSAGES["es"]
        assert (queued.sender, queued.operator_id) == ("bot", None)


@pytest.mark.parametrize("name", ["user-info", "export-user", "delete-user", "test-message"])
def test_a_stranger_is_refused_in_one_line(desk, name):
    result = run(desk, name, "34600999888")
    assert (result.exit_code, len(result.output.strip().splitlines())) == (1, 1)
    assert "nobody is known" in result.output


# --- one person's data --------------------------------------------------------------------------------------


def test_a_person_is_exported_to_standard_output_or_a_file(desk, conversation, tmp_path):
    assert json.loads(said(run(desk, "export-user", PHONE)))["messages"][0]["body"] == "olá, tudo bem?"
    target = tmp_path / "ana.json"
    said(run(desk, "export-user", PHONE, "--output", str(target)))
    assert json.loads(target.read_text())["contacts"][0]["name"] == "Ana Lima"
    assert run(desk, "export-user", PHONE, "--output", str(tmp_path / "no" / "ana.json")).exit_code != 0


def test_a_person_is_really_deleted_with_files_and_webhooks(desk, conversation):
    media_dir = desk.config["BALCAO"].media_dir
    media_dir.mkdir(parents=True, exist_ok=True)
    (media_dir / "photo.jpg").write_bytes(b"x")
    with desk.app_context():
        message = db.session.query(Message).one()
        db.session.add(StoredMedia(message_id=message.id, source={}, media_kind="image", path="photo.jpg"))
        db.session.add(_event(f'{{"from": "{PHONE}"}}', "done"))
        db.session.commit()
    assert run(desk, "delete-user", PHONE, input="n\n").exit_code == 1
    assert "1 raw webhooks, 1 files" in said(run(desk, "delete-user", "81 99876-5432", "--yes"))
    with desk.app_context():
        for table in (Contact, ContactIdentity, Conversation, Message, StoredMedia, WebhookEvent):
            assert db.session.scalar(select(func.count()).select_from(table)) == 0
    assert not (media_dir / "photo.jpg").exists()


def test_a_deletion_says_what_other_systems_still_keep(desk, conversation):
    with desk.app_context():
        other = endpoints.add(
            "https://api.cal.com", endpoints.Wish("Cal.com"), secret="k", secret_key="k" * 16, now=utc_now(),
            service="calcom",
        )  # fmt: skip
        contact = db.session.query(Contact).one()
        links.keep(
            other.id, "appointment", 1, contact_id=contact.id, external_id="b1", facts=None, now=utc_now()
        )
        db.session.commit()
    assert "Still kept elsewhere; delete it there: Cal.com (1)" in said(
        run(desk, "delete-user", PHONE, "--yes")
    )


def test_a_test_message_is_queued_while_the_window_is_open(desk, conversation):
    assert "Queued" in said(run(desk, "test-message", PHONE, "--text", "Olá!"))
    with desk.app_context():
        queued = db.session.query(Message).filter_by(direction="out").one()
        assert (queued.body, queued.status) == ("Olá!", "queued")
        assert queued.send_due_at is not None


def test_a_test_message_is_refused_when_the_window_is_closed_or_the_person_opted_out(desk, conversation):
    with desk.app_context():
        db.session.query(Conversation).one().last_inbound_at = datetime.now(UTC) - timedelta(hours=25)
        db.session.commit()
    result = run(desk, "test-message", PHONE)
    assert (result.exit_code, "window is closed" in result.output) == (1, True)
    with desk.app_context():
        db.session.query(Contact).one().opted_out_at = datetime.now(UTC)
        db.session.commit()
    assert "opted out" in run(desk, "test-message", PHONE).output


# --- operating ----------------------------------------------------------------------------------------------


def test_silent_sessions_are_closed(desk, conversation):
    with desk.app_context():
        for_ever_ago = datetime.now(UTC) - timedelta(hours=2)
        db.session.add(
            MenuSession(
                conversation_id=conversation, flow="shop", step="menu", data={}, last_activity_at=for_ever_ago
            )
        )
        db.session.commit()
    assert "1 sessions closed" in said(run(desk, "cleanup-sessions"))
    assert "0 sessions closed" in said(run(desk, "cleanup-sessions"))


def test_failed_events_wait_again(desk, conversation):
    with desk.app_context():
        db.session.add(_event("{}", "failed", lane=f"in:1:{PHONE}", attempts=5))
        db.session.commit()
    assert "1 failed and 0 unknown" in said(run(desk, "replay-events"))
    with desk.app_context():
        event = db.session.query(WebhookEvent).one()
        assert (event.state, event.attempts) == ("pending", 0)


def test_unknown_events_are_adopted_once_their_number_is_ours(desk, conversation):
    status = '{"metadata": {"phone_number_id": "777"}, "status": {"id": "w1", "status": "read"}}'
    with desk.app_context():
        db.session.add(_event(status, "unknown", kind="status", event_key="u:s:777:w1:read", lane=None))
        db.session.commit()
    assert "1 belong to no number" in said(run(desk, "replay-events"))
    with desk.app_context():
        integrations.create(provider="meta", name="New", number_id="777", app_secret="x" * 20)
        db.session.commit()
        integrations.forget()
    assert "1 unknown events wait again" in said(run(desk, "replay-events"))
    with desk.app_context():
        event = db.session.query(WebhookEvent).one()
        assert (event.state, event.event_key, event.lane) == ("pending", "s:777:w1:read", "receipts")


def test_operators_are_created_and_bad_ones_refused(desk):
    given = ("create-operator", "--email", "ana@example.com", "--role", "manager")
    assert "may sign in as manager" in said(run(desk, *given, "--password", "long enough 123"))
    for wrong in (given, ("create-operator", "--email", "no address")):
        result = run(desk, *wrong, "--password", "long enough 123")
        assert (result.exit_code, len(result.output.strip().splitlines())) == (1, 1)


def test_a_key_is_shown_once_and_only_its_hash_is_kept(desk):
    key = said(run(desk, "create-api-key", "monitor")).strip()
    with desk.app_context():
        row = db.session.query(ApiKey).one()
    assert key.startswith("balcao_")
    assert key not in (row.key_hash, row.prefix)


def test_articles_are_imported_once(desk, tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "hours.md").write_text("# Hours\n\nNine to six.", encoding="utf-8")
    (tmp_path / "faq.csv").write_text("pergunta,resposta\nTem PDF?,Tem.\n", encoding="utf-8")
    assert said(run(desk, "import-articles", str(tmp_path))).strip() == "2 new, 0 changed, 0 as they were."
    again = json.loads(said(run(desk, "import-articles", str(tmp_path), "--json")))
    assert again == {"created": 0, "changed": 0, "unchanged": 2}
    with desk.app_context():
        assert {row.slug for row in db.session.query(Article)} == {"en/hours", "pt/faq/tem-pdf"}
        assert knowledge.search("hours", "en")[0].text == "Nine to six."


def test_articles_with_a_fault_are_refused_by_file_and_line(desk, tmp_path):
    (tmp_path / "good.md").write_text("# Good\n\ntext", encoding="utf-8")
    (tmp_path / "faq.csv").write_text("question,answer\n,x\n", encoding="utf-8")
    result = run(desk, "import-articles", str(tmp_path), "--language", "es")
    assert result.exit_code == 1
    assert "faq.csv:2: the question is empty" in result.output
    told = json.loads(run(desk, "import-articles", str(tmp_path), "--json").output)
    assert [(p["file"], p["line"], p["code"]) for p in told["problems"]] == [("faq.csv", 2, "no_question")]
    with desk.app_context():
        assert db.session.query(Article).count() == 0
    assert run(desk, "import-articles", str(tmp_path / "none.md")).exit_code == 2


# --- check-setup --------------------------------------------------------------------------------------------


def test_a_fresh_desk_is_told_what_is_missing(desk):
    result = run(desk, "check-setup")
    assert result.exit_code == 0
    assert re.search(r"^ok +database +sqlite", result.output, re.MULTILINE)
    assert re.search(r"^ok +schema ", result.output, re.MULTILINE)
    assert re.search(r"^warn +worker .*main.py worker", result.output, re.MULTILINE)
    assert re.search(r"^warn +numbers ", result.output, re.MULTILINE)


def test_a_desk_without_schema_fails_and_says_what_to_run(load_config):
    result = run(create_app(load_config()), "check-setup")
    assert result.exit_code == 1
    assert re.search(r"^fail +schema .*init-db", result.output, re.MULTILINE)


def test_a_database_that_is_away_fails_without_its_password(load_config):
    application = create_app(load_config(DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/none"))
    result = run(application, "check-setup")
    assert result.exit_code == 1
    assert re.search(r"^fail +database ", result.output, re.MULTILINE)
    assert "hunter2" not in result.output


def test_a_living_worker_and_a_mail_server_that_is_away_are_seen(load_config):
    application = create_app(load_config(SMTP_URL="smtp://u:hunter2@127.0.0.1:9"))
    run(application, "init-db")
    with application.app_context():
        db.session.add(Worker(name="w1", seen_at=datetime.now(UTC)))
        db.session.commit()
    result = run(application, "check-setup", "--json")
    levels = {finding["subject"]: finding["level"] for finding in json.loads(result.output)}
    assert (levels["worker"], levels["mail"], result.exit_code) == ("ok", "fail", 1)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_the_mail_server_is_asked_whether_it_takes_our_login(load_config):
    with FakeSmtp(password="hunter2") as mail:
        for url, sender, level in (
            (mail.url, "desk@example.com", "ok"),
            (mail.url, "", "fail"),
            (mail.url.replace("hunter2", "wrong"), "desk@example.com", "fail"),
        ):
            application = create_app(load_config(SMTP_URL=url, MAIL_FROM=sender))
            result = run(application, "check-setup", "--json")
            levels = {finding["subject"]: finding["level"] for finding in json.loads(result.output)}
            assert levels["mail"] == level
            assert "hunter2" not in result.output


def test_check_setup_says_of_webhooks_templates_and_programs_what_to_do(load_config):
    environ = {
        "WHATSAPP_ACCESS_TOKEN": "t",
        "WHATSAPP_PHONE_NUMBER_ID": "100",
        "WHATSAPP_APP_SECRET": "s" * 16,
    }
    application = create_app(load_config(GRAPH_API_BASE_URL="http://127.0.0.1:9", **environ))
    run(application, "init-db")

    def found(subject):
        output = run(application, "check-setup", "--json").output
        return [
            (one["level"], one["words"]) for one in json.loads(output) if one["subject"].startswith(subject)
        ]

    def has(subject, level, words):
        return any(one[0] == level and words in one[1] for one in found(subject))

    assert has("webhook", "warn", "none has ever come")
    assert has("templates", "warn", "WHATSAPP_BUSINESS_ACCOUNT_ID")
    with application.app_context():
        number = db.session.query(Integration).one()
        number.business_id = "200"
        old = utc_now() - timedelta(days=40)
        event = {"provider": "meta", "kind": "message", "state": "done", "payload": b"{}"}
        db.session.add(WebhookEvent(event_key="k", integration_id=number.id, received_at=utc_now(), **event))
        template = MessageTemplate(
            integration_id=number.id,
            name="news",
            language="pt_BR",
            status="approved",
            wording={},
            synced_at=old,
        )
        db.session.add(template)
        endpoints.add(
            "https://crm.example.com/", endpoints.Wish("CRM"), secret="whsec_x", secret_key="k" * 16, now=old
        ).failing_since = old
        db.session.commit()
    assert has("webhook", "ok", "the last came at")
    assert has("templates", "warn", "again")
    assert has("program CRM", "warn", "takes no webhooks since")
    with application.app_context():
        db.session.query(MessageTemplate).one().synced_at = utc_now()
        db.session.query(WebhookEndpoint).one().failing_since = None
        db.session.commit()
    assert has("templates", "ok", "1 approved")
    assert has("program CRM", "ok", "is told")
    with application.app_context():
        db.session.query(MessageTemplate).one().status = "paused"
        db.session.commit()
    assert has("templates", "warn", "may not be sent")


def test_a_number_whose_credentials_cannot_be_opened_fails(desk, conversation):
    with desk.app_context():
        db.session.query(Integration).one().app_secret = "not sealed by us"
        db.session.commit()
    result = run(desk, "check-setup")
    assert re.search(r"^fail +number Loja .*SECRET_KEY", result.output, re.MULTILINE)


def test_a_desk_in_production_is_told_to_name_the_address_that_twilio_signs(load_config):
    environ = {
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "t" * 32,
        "TWILIO_PHONE_NUMBER": "+14155238886",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
    }
    application = create_app(load_config(APP_ENV="production", SECRET_KEY="k" * 32, **environ))
    run(application, "init-db")
    with application.app_context():
        integrations.adopt_environment(application.config["BALCAO"])
        db.session.commit()
    result = run(application, "check-setup")
    assert re.search(r"^fail +address .*PUBLIC_BASE_URL.*Twilio", result.output, re.MULTILINE)


@pytest.mark.parametrize(("hops", "level"), [("", "warn"), ("0", "warn"), ("1", "ok")])
def test_check_setup_says_whether_a_proxy_is_believed(load_config, hops: str, level: str) -> None:
    address = {"PUBLIC_BASE_URL": "https://desk.example.com", "PROXY_HOPS": hops}
    application = create_app(load_config(APP_ENV="production", SECRET_KEY="k" * 32, **address))
    run(application, "init-db")
    result = run(application, "check-setup")
    assert re.search(rf"^{level} +proxies .*PROXY_HOPS", result.output, re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "level", "words"),
    [
        ("fine", "ok", "answers"),
        ("length", "ok", "answers"),
        (401, "fail", "refused the key"),
        (402, "fail", "no money left"),
        (404, "fail", "Check AI_MODEL"),
        (429, "warn", "Too many calls"),
        (503, "warn", "overloaded"),
        ("cut", "fail", "cannot be reached"),
        ("html", "warn", "could not be used"),
    ],
)
def test_a_model_is_asked_one_word_and_its_failure_explained(load_config, monkeypatch, command, level, words):
    monkeypatch.setattr(trying, "FIRST_WAIT_SECS", 0.01)
    with RudeChatModels("own") as service:
        service.always = command
        settings = {"AI_BASE_URL": service.url, "AI_API_KEY": KEY, "AI_MODEL": MODEL, "AI_PRICE_IN": "1"}
        result = run(create_app(load_config(**settings, AI_PRICE_OUT="1")), "check-setup")
        assert {asked.last for asked in service.seen} == {"ping"}
    assert re.search(rf"^{level} +model +own:{MODEL}.*{words}", result.output, re.MULTILINE)
    assert KEY not in result.output


def test_the_model_that_an_admin_saved_is_the_one_that_is_asked(load_config):
    with RudeChatModels("own", key=None) as service:
        application = create_app(load_config(AI_BASE_URL=service.url, AI_MODEL="no/such-model"))
        run(application, "init-db")
        with application.app_context():
            desk_settings.save({"AI_MODEL": MODEL}, now=utc_now())
            db.session.commit()
        result = run(application, "check-setup")
    assert re.search(rf"^(ok|warn) +model +own:{MODEL} ", result.output, re.MULTILINE)
    assert "no/such-model" not in result.output


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "none set: free text is answered by fixed texts"),
        ({"AI_API_KEY": KEY}, "set AI_PRICE_IN and AI_PRICE_OUT"),
        ({"AI_API_KEY": KEY, "AI_DAILY_SPEND_CAP_USD": "0"}, "no model is known to be free"),
        ({"ANTHROPIC_API_KEY": "k", "AI_TRANSCRIPTION_MODEL": "anthropic:x"}, "takes no recordings"),
    ],
)
def test_what_is_missing_around_a_model_is_said(load_config, environ, words):
    with RudeChatModels("own", key=None) as service:
        address = {"AI_BASE_URL": service.url, "AI_MODEL": MODEL} if environ else {}
        result = run(create_app(load_config(**address, **environ)), "check-setup")
    assert re.search(rf"^(ok|warn) +model .*{words}", result.output, re.MULTILINE)


# --- analyze ------------------------------------------------------------------------------------------------


def test_every_line_gets_one_line(desk):
    given = b"oi, tudo bem?\n\n\xff\xfe\nlast line without end"
    result = run(desk, "analyze", input=given)
    answers = [json.loads(line) for line in said(result).splitlines()]
    assert len(answers) == 4
    assert answers[2] == {"error": "the line is not UTF-8"}
    assert {"language", "language_confidence", "intent", "intent_confidence", "entities"} <= set(answers[0])


@pytest.mark.parametrize(
    ("line", "is_read"),
    [
        ('{"text": "hello"}', True),
        ('{"text": "hi", "now": "2026-01-01T10:00:00Z", "region": "US", "language": "en"}', True),
        ('{"text": "hi", "now": "2026-01-01", "region": null}', True),
        ('{"text": "\\ud800"}', True),
        ('{"text": ""}', True),
        ('{"text": 3}', False),
        ('{"text": "hi", "now": "soon"}', False),
        ('{"text": "hi", "now": 17}', False),
        ('{"text": "hi", "region": ["BR"]}', False),
        ("[]", False),
        ("not json", False),
        ("", False),
        ("[" * 5000, False),
    ],
)
def test_a_line_of_json_is_read_or_refused(desk, line, is_read):
    (answer,) = [
        json.loads(out) for out in said(run(desk, "analyze", "--jsonl", input=line + "\n")).splitlines()
    ]
    assert ("error" not in answer) == is_read


def test_a_days_date_follows_the_lines_own_now(desk):
    line = '{"text": "amanhã às 15h", "now": "2026-03-10T12:00:00-03:00", "language": "pt", "region": "BR"}'
    answer = json.loads(said(run(desk, "analyze", "--jsonl", input=line + "\n")))
    assert "error" not in answer


@pytest.mark.parametrize("written", ["pt", "PT", "pt-BR", "pt_br", " Pt "])
def test_a_language_is_read_as_browsers_write_it(desk, written):
    line = json.dumps({"text": "ok 3", "now": "2026-03-10T12:00:00Z", "language": written})
    (answer,) = [
        json.loads(out) for out in said(run(desk, "analyze", "--jsonl", input=line + "\n")).splitlines()
    ]
    assert answer["language"] == "pt"


@pytest.mark.parametrize("options", [["--jsonl"], []])
def test_the_mark_before_a_file_is_no_part_of_its_first_line(desk, options):
    line = json.dumps({"text": "oi"}) if options else "oi"
    for marked in ("\ufeff" + line, line):
        (answer,) = [
            json.loads(out) for out in said(run(desk, "analyze", *options, input=marked + "\n")).splitlines()
        ]
        assert "error" not in answer
        assert answer["language"] == "pt"


# --- both ways in -------------------------------------------------------------------------------------------


def test_python_cli_and_flask_offer_the_same_commands(tmp_path):
    wanted = {made.name for made in cli.COMMANDS}
    for program in (["cli.py"], ["-m", "flask", "--app", "main"]):
        ran = subprocess.run(
            [sys.executable, *program, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        offered = set(re.findall(r"^  ([a-z][a-z-]+) ", ran.stdout, re.MULTILINE))
        assert wanted <= offered, ran.stderr


def test_flask_has_all_of_the_desk_and_runs_it(desk):
    """`flask --app main` finds the commands that the application registered: no more and no less of ours."""
    assert {made.name for made in cli.COMMANDS} == set(cli.desk.commands) == set(desk.cli.commands) - {"db"}
    ran = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "main", "stats", "--days", "1", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "DATABASE_URL": desk.config["SQLALCHEMY_DATABASE_URI"]},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["total"]["messages_in"] == 0


@pytest.mark.parametrize("looks_on", [True, False])
def test_long_work_shows_how_far_it_is_on_a_terminal_alone(desk, monkeypatch, looks_on):
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: looks_on)
    for command in (["roll-up", "--days", "3"], ["forget-old"]):
        result = run(desk, *command)
        assert result.exit_code == 0, result.output
        assert ("100%" in result.stderr) is looks_on, command
        assert "%" not in result.stdout
    assert "%" not in run(desk, "roll-up", "--json").stderr


def test_a_bad_setting_is_one_line_and_no_traceback(tmp_path):
    ran = subprocess.run(
        [sys.executable, "cli.py", "stats"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={"PORT": "many", "INSTANCE_DIR": str(tmp_path), "PATH": ""},
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "PORT" in ran.stderr


def _event(payload, state, **given):
    given = {"event_key": f"m:{state}", "kind": "message", "lane": None, **given}
    return WebhookEvent(
        provider="meta", state=state, payload=payload.encode(), received_at=datetime.now(UTC), **given
    )


def test_analyze_reads_with_the_desks_own_phrases_when_asked(desk):
    line = "cadê o zorblat"
    with desk.app_context():
        examples.add_phrase("intent", "order_inquiry", "zorblat", now=utc_now())
        db.session.commit()
    own = json.loads(said(run(desk, "analyze", "--own", input=line)))
    shipped = json.loads(said(run(desk, "analyze", input=line)))
    assert (own["intent"], own["intent_confidence"]) == ("order_inquiry", 0.95)
    assert shipped["intent_confidence"] != 0.95


def test_analyze_needs_no_database_but_for_own_models(load_config):
    application = create_app(load_config())
    assert json.loads(said(run(application, "analyze", input="oi")))["language"] == "pt"
    refused = run(application, "analyze", "--own", input="oi")
    assert refused.exit_code == 1
    assert "init-db" in refused.output


# --- train --------------------------------------------------------------------------------------------------


def test_train_says_that_there_is_nothing_to_learn(desk):
    assert "the shipped models read" in said(run(desk, "train"))
    assert json.loads(said(run(desk, "train", "--json"))) == []


def test_train_shows_what_it_is_worth_before_and_after(desk):
    with desk.app_context():
        lines = [f"o zorblat {n} engoliu um osso" for n in range(10)]
        examples.add_examples("urgency", "medium", "pt", lines, now=utc_now())
        db.session.commit()
    (learnt,) = json.loads(said(run(desk, "train", "--json")))
    assert (learnt["task"], learnt["own_examples"], learnt["on_own"]["examples"]) == ("urgency", 10, 2)
    shown = said(run(desk, "train"))
    assert "right before" in shown
    assert re.search(r"urgency +10 +\d+ +own lines +2 ", shown)
    with desk.app_context():
        lanes.claim(tasks.TRAINING_LANE, "another")
    busy = run(desk, "train")
    assert busy.exit_code == 1
    assert "training at this moment" in busy.output
