"""The command line: `python cli.py COMMAND`, and the same commands as `flask --app main COMMAND`.

A door like the others: each command reads its arguments, calls one verb, commits, wakes the workers and
prints. Errors are one line and an exit code (1: it could not be done, 2: it was asked wrongly), never a
traceback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import click
from flask.cli import ScriptInfo
from sqlalchemy import select, text

import analytics
import commands.articles
import commands.backup
import commands.keys
import commands.learning
import commands.people
import commands.reading  # noqa: F401 - they bring their commands along
import conversations
import counting
import demo
import integrations
import opening
import operators
import phone
import tasks
import texts
import whatsapp_service
from commands.making import (
    COMMANDS,
    as_json,
    clock,
    command,
    print_json,
    progress,
    refuse,
    settings,
    table,
    tell,
    without_asking,
)
from commands.people import people_of, remove_files
from crm import leads
from message_content import Text
from models import Base, Contact, Conversation, Lead, Message, db, reading
from replay import replay_events
from setup_check import Finding, check_setup
from shop import catalog, programs
from vocabulary import ROLES

__all__ = ["COMMANDS", "desk"]

APPLICATION: Final = "main:app"
SHOWN_MESSAGES: Final = 20
SHOWN_CHARS: Final = 100
SHOWN_MINUTES: Final = len("2026-01-31T23:59")
MAX_LISTED: Final = 10_000
TEST_MESSAGES: Final[Mapping[str, str]] = {
    "pt": "✅ Balcão: mensagem de teste. Se você está lendo isto, o envio funciona.",
    "es": "✅ Balcão: mensaje de prueba. Si puedes leer esto, el envío funciona.",
    "en": "✅ Balcão: test message. If you can read this, sending works.",
}


# --- the database -------------------------------------------------------------------------------------------


@command("init-db")
def init_db() -> None:
    """Bring the schema to the newest version, adopt the environment's numbers, make the first admin."""
    opened = opening.prepare(settings(), with_demo=False)
    tell("The database is ready.", admin_email=opened.admin_email, new_password=opened.new_password)
    if opened.new_password:
        tell(f"Sign in as {opened.admin_email} with {opened.new_password}  (shown only now)")


@command("reset-db")
@without_asking
def reset_db(yes: bool) -> None:
    """Delete ALL data and make an empty database."""
    if not yes:
        click.confirm(f"Delete everything in {_database_name()}?", abort=True)
    db.session.remove()
    Base.metadata.drop_all(db.engine)
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    opening.migrate()
    words = f"Empty. Stored files in {settings().media_dir} were left; next: python cli.py init-db"
    tell(words, emptied=_database_name())


def _database_name() -> str:
    return f"{db.engine.dialect.name} {db.engine.url.database}"


@command("seed-programs")
def seed_programs() -> None:
    """Add the investment programmes that are missing, and the product of PRODUCT_NAME."""
    count = programs.seed_programs(now=clock())
    product = catalog.save_environment_product(settings())
    db.session.commit()
    tell(f"{count} programmes added.", programs=count)
    if product is not None:
        tell(f"Product from the environment: {product.name}.", product=product.name)


@command("seed-demo")
@click.option("--seed", default=demo.DEFAULT_SEED, show_default=True, help="Another number, another demo.")
@click.option("--history/--no-history", default=True, help="With eight weeks of simulated customers.")
def seed_demo(seed: int, history: bool) -> None:
    """Write the demo: three simulated numbers, a shop, forty conversations, weeks of simulated customers."""
    seeded = demo.seed_demo(now=clock(), seed=seed, with_history=history)
    db.session.commit()
    if not seeded.is_new:
        tell("The demo is there already; `remove-demo` takes it away.", is_new=False)
        return
    counting.count_missing(settings(), clock())
    tell(
        f"{seeded.contacts} contacts, {seeded.messages} messages, {seeded.products} products, "
        f"{seeded.numbers} simulated numbers; {seeded.simulated} simulated customers of the last weeks.",
        **asdict(seeded),
    )


@command("remove-demo")
@without_asking
def remove_demo(yes: bool) -> None:
    """Delete the demo and everybody who wrote to its simulated numbers."""
    if not yes:
        click.confirm("Delete the demo's numbers, people, conversations and products?", abort=True)
    removed = demo.remove_demo()
    db.session.commit()
    remove_files(removed.media_paths)
    tell(
        f"{removed.contacts} contacts, {removed.messages} messages, {removed.products} products deleted.",
        contacts=removed.contacts,
        messages=removed.messages,
        products=removed.products,
    )


# --- looking ------------------------------------------------------------------------------------------------


@command("stats")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, analytics.MAX_DAYS))
@as_json
def stats(days: int, wants_json: bool) -> None:
    """Count messages, contacts and records of the last days."""
    _print_days(days, wants_json)


@command("roll-up")
@click.option("--days", default=2, show_default=True, type=click.IntRange(1, analytics.MAX_DAYS))
@as_json
def roll_up(days: int, wants_json: bool) -> None:
    """Count the figures of the pages again for the last days, and show what was counted."""
    today = clock().astimezone(settings().zone).date()
    with progress("Days") as done:
        for back in range(days):
            counting.count(settings(), [today - timedelta(days=back)])
            done(back + 1, days)
    _print_days(days, wants_json)


def _print_days(days: int, wants_json: bool) -> None:
    with reading():
        counted = [asdict(day) for day in analytics.daily_counts(days, now=clock(), zone=settings().zone)]
    names = list(counted[0])
    total = {name: sum(day[name] for day in counted) for name in names if name != "day"}
    if wants_json:
        print_json({"days": counted, "total": total})
        return
    rows = [[day[name] for name in names] for day in counted]
    table([*rows, ["total", *total.values()]], [name.replace("messages_", "msg_") for name in names])


@command("list-leads")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LISTED))
@as_json
def list_leads(limit: int, wants_json: bool) -> None:
    """List leads, the newest first."""
    with reading():
        rows = [_lead(lead) for lead in leads.newest_leads(limit)]
    if wants_json:
        print_json(rows)
    elif not rows:
        click.echo("No leads yet.")
    else:
        header = ("created_at", "status", "name", "phone", "email", "interest", "budget_usd", "country")
        for row in rows:
            row["phone"] = phone.display(row["phone"] or "")
        table([[str(row[name] or "")[:40] for name in header] for row in rows], header)


def _lead(lead: Lead) -> dict[str, Any]:
    names = ("id", "status", "name", "phone", "email", "interest", "budget_usd", "country", "source", "notes")
    created_at = lead.created_at.isoformat(timespec="minutes")
    return {"created_at": created_at, **{name: getattr(lead, name) for name in names}}


@command("user-info")
@click.argument("written", metavar="PHONE")
@as_json
def user_info(written: str, wants_json: bool) -> None:
    """Show one person: counts, where they stand, and the last messages."""
    with reading():
        people = people_of(written)
        counts = analytics.person_counts(written) or {}
        messages = _last_messages(people)
    if wants_json:
        print_json({**counts, "last_messages": messages})
        return
    facts = [(name.replace("_", " "), _fact(name, value)) for name, value in counts.items()]
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        click.echo(f"{name.ljust(width)}  {value}")
    click.echo(f"\nThe last {len(messages)} messages:" if messages else "\nNo messages yet.")
    for message in messages:
        arrow = "→" if message["direction"] == "out" else "←"
        body = " ".join(message["body"].split())[:SHOWN_CHARS]
        click.echo(f"{message['at']} {arrow} {message['status'] or '':9} {body}")


def _fact(name: str, value: Any) -> str:
    """Give one fact of a person as people read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "session":
        return f"{value['flow']}, step {value['step']}, since {value['last_activity_at'][:SHOWN_MINUTES]}"
    if name == "phone":
        return phone.display(value)
    return str(value)[:SHOWN_MINUTES].replace("T", " ") if name.endswith("_at") else str(value)


def _last_messages(people: Sequence[Contact]) -> list[dict[str, Any]]:
    rows = db.session.scalars(
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.contact_id.in_([person.id for person in people]))
        .order_by(Message.id.desc())
        .limit(SHOWN_MESSAGES)
    ).all()
    return [
        {
            "at": row.created_at.isoformat(timespec="seconds"),
            "direction": row.direction,
            "sender": row.sender,
            "status": row.status,
            "body": row.body,
        }
        for row in reversed(rows)
    ]


# --- writing to somebody ------------------------------------------------------------------------------------


@command("test-message")
@click.argument("written", metavar="PHONE")
@click.option("--text", "words", help="What to say; else a short test in the person's language.")
def test_message(written: str, words: str | None) -> None:
    """Queue a text to somebody who has written in the last 24 hours."""
    people, now = people_of(written), clock()
    if any(person.has_opted_out for person in people):
        refuse("this person has opted out; nothing may be sent")
    if words is None:
        words = TEST_MESSAGES[texts.text_language(_language(people))]
    elif not words.strip():
        raise click.UsageError("--text is empty")
    conversation = _latest_conversation(people)
    if conversation is None or not conversations.is_window_open(conversation.last_inbound_at, now):
        refuse("the 24-hour window is closed: only an approved template may be sent until this person writes")
    number = integrations.number(conversation.integration_id)
    if number is None:
        refuse("the number that this person wrote to is switched off or its credentials cannot be opened")
    conversation_id = conversation.id
    ids = whatsapp_service.queue(conversation_id, number, [Text(words)], sender="bot", now=now)
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    tell(f"Queued as message {ids[0]}; a worker sends it.", message_id=ids[0])


def _language(people: Sequence[Contact]) -> str:
    """Give the language that the person writes, else the desk's."""
    return (
        next((person.language for person in people if person.language), None) or settings().default_language
    )


def _latest_conversation(people: Sequence[Contact]) -> Conversation | None:
    return db.session.scalars(
        select(Conversation)
        .where(
            Conversation.contact_id.in_([person.id for person in people]),
            Conversation.last_inbound_at.is_not(None),
        )
        .order_by(Conversation.last_inbound_at.desc())
        .limit(1)
    ).first()


# --- operating ----------------------------------------------------------------------------------------------


@command("cleanup-sessions")
def cleanup_sessions() -> None:
    """Close the menus of people who have been silent for SESSION_TIMEOUT_MINS."""
    timeout = timedelta(minutes=settings().session_timeout_mins)
    count = conversations.end_silent_sessions(older_than=clock() - timeout)
    db.session.commit()
    tell(f"{count} sessions closed.", closed=count)


@command("replay-events")
def replay() -> None:
    """Try webhooks again that failed, or whose number has been connected since."""
    replayed = replay_events()
    db.session.commit()
    tasks.wake(replayed.lanes)
    tell(
        f"{replayed.failed} failed and {replayed.adopted} unknown events wait again; "
        f"{replayed.still_unknown} belong to no number of ours.",
        failed=replayed.failed,
        adopted=replayed.adopted,
        still_unknown=replayed.still_unknown,
    )


@command("reset-second-factor")
@click.argument("email")
def reset_second_factor(email: str) -> None:
    """Let an operator who lost phone and codes sign in with the password alone."""
    operator = operators.find_operator(email)
    if operator is None:
        refuse(f"nobody has the e-mail {email}")
    operators.turn_off_totp(operator)
    operators.end_sessions(operator)
    db.session.commit()
    tell(f"{operator.email} signs in with the password alone now.", email=operator.email)


@command("create-operator")
@click.option("--email", prompt=True)
@click.option("--name", default="", help="Shown to colleagues.")
@click.option("--role", type=click.Choice(ROLES), default="agent", show_default=True)
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
def create_operator(email: str, name: str, role: str, password: str) -> None:
    """Add a person who may sign in."""
    operator = operators.create_operator(email, name, password, role)
    db.session.commit()
    tell(f"{operator.email} may sign in as {operator.role}.", email=operator.email, role=operator.role)


@command("create-api-key")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(operators.SCOPES), default=("read",))
def create_api_key(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key for a program. It is shown once."""
    made = operators.create_api_key(name, tuple(dict.fromkeys(scopes)))
    db.session.commit()
    tell(made.key, key=made.key, scopes=made.row.scopes.split())


@command("check-setup")
@as_json
def check(wants_json: bool) -> None:
    """Look whether everything is set up; the exit code is 1 when something has to be repaired."""
    with reading():
        findings = check_setup(settings(), now=clock())
    if wants_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print_findings(findings)
    if any(finding.level == "fail" for finding in findings):
        raise SystemExit(1)


def _print_findings(findings: Sequence[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.level:5} {finding.subject.ljust(width)}  {finding.words}")


# --- `python cli.py` ----------------------------------------------------------------------------------------

desk = click.Group("cli.py", {made.name or "": made for made in COMMANDS}, help="The command line of Balcão.")

if __name__ == "__main__":
    desk.main(obj=ScriptInfo(app_import_path=APPLICATION), prog_name="cli.py")
