"""One person's data: exported, deleted for good with a receipt, forgotten by age; and who was deleted."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

import click
from flask_babel import force_locale

import desk_settings
import desk_worker
import media
import privacy
import texts
from commands.making import (
    as_json,
    clock,
    command,
    print_json,
    progress,
    refuse,
    settings,
    table,
    without_asking,
)
from connectors import TITLES
from dashboard.person_archive import archive_of
from models import Contact, Erasure, db, reading
from privacy import erasures, retention
from vocabulary import TEXT_LANGUAGES

SHOWN_RECEIPTS = 50


def people_of(written: str) -> list[Contact]:
    """Find who is meant, or refuse."""
    people = privacy.find_people(written)
    if not people:
        refuse(f"nobody is known by {written[:60]!r}")
    return people


def remove_files(paths: Iterable[str]) -> None:
    """Remove stored files whose rows are gone."""
    for path in media.remove(paths, settings().media_dir):
        click.echo(f"Warning: {path} could not be removed", err=True)


@command("export-user")
@click.argument("written", metavar="PHONE")
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file.")
@click.option("--language", type=click.Choice(TEXT_LANGUAGES), help="Of the page in a zip.")
def export_user(written: str, output: Path | None, language: str | None) -> None:
    """Print everything that is kept of one person, as JSON; into a file named .zip with a page and files."""
    with reading():
        people = people_of(written)
        export = privacy.export_person(people, now=clock())
        reader = language or texts.text_language(next((one.language for one in people if one.language), None))
    if output is None:
        print_json(export)
        return
    if output.suffix == ".zip":
        with force_locale(texts.DAY_LOCALES[reader]):
            content = archive_of(export, settings().media_dir, reader)
    else:
        content = json.dumps(export, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")
    try:
        output.write_bytes(content)
    except OSError as error:
        refuse(f"{output} cannot be written ({error.strerror})")
    click.echo(f"Written to {output}.")


@command("delete-user")
@click.argument("written", metavar="PHONE")
@without_asking
@as_json
def delete_user(written: str, yes: bool, wants_json: bool) -> None:
    """Delete one person's data for good: messages, records, files and raw webhooks. Gives a receipt."""
    people = people_of(written)
    if not yes:
        names = ", ".join(person.name or f"contact {person.id}" for person in people)
        db.session.rollback()  # nobody waits for our answer with a lock
        click.confirm(f"Delete {names} and everything of theirs?", abort=True)
        people = people_of(written)
    deleted, receipt = erasures.erase(
        people, asked_by="command", secret_key=settings().secret_key, now=clock()
    )
    told, left = _told(receipt), erasures.left_elsewhere(receipt)
    db.session.commit()
    remove_files(deleted.media_paths)
    if wants_json:
        print_json(told)
        return
    click.echo(
        f"Deleted: {deleted.contacts} contact(s), {deleted.messages} messages, {deleted.records} records, "
        f"{deleted.webhook_events} raw webhooks, {len(deleted.media_paths)} files. "
        f"Receipt: {told['receipt']}"
    )
    if left:
        where = ", ".join(f"{TITLES[service]} ({count})" for service, count in left.items())
        click.echo(f"Still kept elsewhere; delete it there: {where}")


@command("erasures")
@click.argument("written", metavar="[PHONE]", required=False)
@as_json
def list_erasures(written: str | None, wants_json: bool) -> None:
    """List the receipts of deletions, or those of whoever had this phone."""
    with reading():
        found = (
            erasures.erasures_of(written, settings().secret_key)
            if written
            else erasures.erasures(SHOWN_RECEIPTS)
        )
        rows = [_told(one) for one in found]
    if wants_json:
        print_json(rows)
    elif not rows:
        click.echo("Nobody was deleted." if written is None else "Nobody with this phone was deleted here.")
    else:
        header = ("at", "receipt", "asked_by", "messages", "records", "files")
        table([[row.get(name, row["counts"].get(name, "")) for name in header] for row in rows], header)


@command("forget-old")
@as_json
def forget_old(wants_json: bool) -> None:
    """Delete what is older than the page of retention, or else the environment allows; the worker does it by
    itself."""
    total = sum(retention.count(desk_settings.current(settings()), now=clock()).values())
    with progress("Rows") as done:
        forgotten = desk_worker.forget_now(
            settings(),
            by="command",
            now=clock(),
            for_secs=inf,
            done=lambda rows: done(rows, max(rows, total)),
        )
    if forgotten is None:
        refuse("another run is at work; try again in a moment")
    if wants_json:
        print_json(asdict(forgotten))
    else:
        counts = ", ".join(f"{count} {name}" for name, count in forgotten.counts.items())
        click.echo(f"Deleted: {counts}." if counts else "Nothing is old enough.")


def _told(receipt: Erasure) -> dict[str, Any]:
    return {
        "receipt": receipt.receipt,
        "at": receipt.at.isoformat(timespec="seconds"),
        "asked_by": receipt.asked_by,
        "counts": receipt.counts,
    }
