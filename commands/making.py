"""How a command is made: an application context around it, expected failures as one line, JSON or a table."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final, NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from config import Config, ConfigError
from conversations import OutsideServiceWindow
from operators import OperatorRefused
from training.refusals import TeachingRefused

Command = Callable[..., Any]

COMMANDS: Final[list[click.Command]] = []
FACTS: Final = "balcao.facts"
WANTS_FACTS: Final = "balcao.wants_facts"
as_json = click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
without_asking = click.option("--yes", is_flag=True, help="Do not ask.")


def command(name: str) -> Callable[[Command], click.Command]:
    """Make a click command inside an application context whose expected failures are one line."""

    def wrap(function: Command) -> click.Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                done = function(*args, **kwargs)
            except SQLAlchemyError as error:
                refuse(database_words(error))
            except (ConfigError, OperatorRefused, OutsideServiceWindow, TeachingRefused) as error:
                refuse(str(error))
            if wants_facts():
                print_json(click.get_current_context().meta.get(FACTS, {}))
            return done

        made = click.command(name)(with_appcontext(run))
        if not any("--json" in option.opts for option in made.params):
            made.params.append(_facts_option())
        COMMANDS.append(made)
        return made

    return wrap


def tell(words: str, **facts: Any) -> None:
    """Say what was done: words to people, `facts` to programs that asked with --json (all in one object)."""
    if wants_facts():
        click.get_current_context().meta.setdefault(FACTS, {}).update(facts)
    else:
        click.echo(words)


def wants_facts() -> bool:
    """Tell whether this run of a command that says what it did is to say it as JSON."""
    return bool(click.get_current_context().meta.get(WANTS_FACTS))


def _facts_option() -> click.Option:
    def note(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
        context.meta[WANTS_FACTS] = wanted

    return click.Option(["--json"], is_flag=True, expose_value=False, callback=note, help="Print JSON.")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give who works long a way to tell how many steps of how many are done.

    It is a bar on standard error; nothing where no terminal looks on, or JSON is asked for.
    """
    asks_json = click.get_current_context().params.get("wants_json") or wants_facts()
    stream = sys.stderr
    with click.progressbar(
        length=1, label=label, file=stream, hidden=bool(asks_json) or not stream.isatty()
    ) as bar:

        def note(done: int, total: int) -> None:
            bar.length = total or 1
            bar.update((done if total else 1) - bar.pos)  # of nothing, everything is done

        yield note


def refuse(words: str) -> NoReturn:
    click.echo(f"Error: {words}", err=True)
    raise SystemExit(1)


def database_words(error: SQLAlchemyError) -> str:
    """Give the first line of what the database said, and what to do about the two usual cases."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    line = next(iter(str(cause).strip().splitlines()), type(error).__name__)[:200]
    if any(
        words in line.lower()
        for words in ("no such table", "does not exist", "doesn't exist", "no such column")
    ):
        return f"the database is not prepared ({line}); run: python cli.py init-db"
    return f"the database: {line}"


def clock() -> datetime:
    return datetime.now(UTC)


def settings() -> Config:
    return current_app.config["BALCAO"]  # type: ignore[no-any-return]


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> None:
    lines = [tuple(header), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
