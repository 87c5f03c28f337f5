"""`import-articles` brings files of articles into the knowledge base."""

from dataclasses import asdict
from pathlib import Path

import click

import knowledge
from commands.making import as_json, clock, command, print_json, progress, settings
from knowledge import FilesRefused
from models import db
from vocabulary import LANGUAGES


@command("import-articles")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--language", type=click.Choice(LANGUAGES), help="Where a file says none; else the desk's.")
@as_json
def import_articles(path: Path, language: str | None, wants_json: bool) -> None:
    """Import Markdown and CSV files, one file or a folder: all of them, or none."""
    try:
        with progress("Articles") as done:
            imported = knowledge.import_files(
                knowledge.uploads_of(path),
                language=language or settings().default_language,
                now=clock(),
                done=done,
            )
    except FilesRefused as refused:
        _tell_problems(refused, wants_json)
        raise SystemExit(1) from refused
    db.session.commit()
    if wants_json:
        print_json(asdict(imported))
    else:
        click.echo(f"{imported.created} new, {imported.changed} changed, {imported.unchanged} as they were.")


def _tell_problems(refused: FilesRefused, wants_json: bool) -> None:
    if wants_json:
        print_json({"problems": [asdict(problem) | {"words": str(problem)} for problem in refused.problems]})
        return
    click.echo("Error: nothing was imported.", err=True)
    for problem in refused.problems:
        click.echo(f"  {problem}", err=True)
