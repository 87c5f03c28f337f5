"""`analyze` reads texts, `train` teaches the desk the business's own examples.

`analyze` needs no database, unless the business's own models are asked for.
"""

import json
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from flask.cli import ScriptInfo
from sqlalchemy.exc import SQLAlchemyError

import analysis
import config
import tasks
from analysis import Models
from analysis.embedding import is_installed
from commands.making import (
    COMMANDS,
    as_json,
    clock,
    command,
    database_words,
    print_json,
    progress,
    refuse,
    table,
)
from models import reading
from training import lessons
from training.current import current_models, local_of
from training.lessons import Compared, Learnt, Lesson


@click.command("analyze")
@click.option(
    "--jsonl", is_flag=True, help='Each line is JSON: {"text": ..., "now"?, "region"?, "language"?}.'
)
@click.option("--own", is_flag=True, help="Read with the models and phrases of this desk's database.")
def analyze(jsonl: bool, own: bool) -> None:
    """Read texts from standard input, one a line, and print what they say, one JSON object a line."""
    models = _own_models() if own else _shipped_models()
    for line in _input_lines():
        try:
            answer = _read_line(line, jsonl, models)
        except ValueError as error:
            answer = {"error": str(error)}
        sys.stdout.write(_one_line(answer) + "\n")
        sys.stdout.flush()


COMMANDS.append(analyze)


def _shipped_models() -> Models:
    """Add the optional local model where it is installed; only this needs settings."""
    return Models(local=local_of(config.load())) if is_installed() else Models()


def _own_models() -> Models:
    """Give what the desk reads with; only this needs a database."""
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    try:
        with app.app_context(), reading():
            return current_models()
    except SQLAlchemyError as error:
        refuse(database_words(error))


def _input_lines() -> Iterator[bytes]:
    """Give lines as bytes: a bad one must not end the others, and only a line feed ends a line.

    The mark that Windows writes before the first line is no part of it.
    """
    for number, line in enumerate(sys.stdin.buffer):
        yield (line if number else line.removeprefix(BOM_UTF8)).rstrip(b"\r\n")


def _read_line(line: bytes, jsonl: bool, models: Models) -> dict[str, Any]:
    try:
        written = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("the line is not UTF-8") from error
    given = _given(written) if jsonl else {"text": written}
    return analysis.read(
        given["text"],
        now=_moment(given.get("now")),
        region=_word(given, "region"),
        language=_language(given),
        models=models,
    ).to_json()


def _given(written: str) -> dict[str, Any]:
    try:
        given = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ValueError("the line is not JSON") from error
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise ValueError("the line is not an object with a `text`")
    return given


def _moment(written: object) -> datetime:
    """Read `now`; without a zone it is UTC, without a value it is the present."""
    if written is None:
        return clock()
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("`now` is not an ISO date and time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _word(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"`{name}` is not a text")
    return value or None


def _language(given: Mapping[str, Any]) -> str | None:
    """Read a language as browsers write it: "PT", "pt-BR", "zh_Hant"; an unknown one says nothing."""
    written = (_word(given, "language") or "").strip().lower()
    return re.split(r"[-_]", written)[0] or None


def _one_line(answer: Mapping[str, Any]) -> str:
    line = json.dumps(answer, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON may carry and UTF-8 may not
        return json.dumps(answer)
    return line


# --- teaching -----------------------------------------------------------------------------------------------


@command("train")
@as_json
def train(wants_json: bool) -> None:
    """Train the business's own models and show what they are worth, before and after."""
    with progress("Tasks") as done:
        learnt = tasks.train_models(partial(_watched, done))
    if learnt is None:
        refuse("somebody is training at this moment; try again in a minute")
    if wants_json:
        print_json([lessons.report(one) for one in learnt])
    elif not learnt:
        click.echo("Nothing of the business's own to learn yet: the shipped models read.")
        click.echo("Correct labels on conversation pages, or add examples and phrases on the admin's page.")
    else:
        _print_learnt(learnt)


def _watched(done: Callable[[int, int], None], found: Sequence[Lesson]) -> Iterator[Lesson]:
    for count, lesson in enumerate(found, 1):
        yield lesson
        done(count, len(found))


def _print_learnt(learnt: Sequence[Learnt]) -> None:
    header = ("task", "own", "packaged", "measured on", "lines", "right before", "right after", "F1 before")
    rows: list[Sequence[object]] = []
    for one in learnt:
        counts = (one.task, one.own_examples, one.packaged_examples)
        if one.data is None:
            rows.append((*counts, "no own examples are left: the shipped model reads again"))
            continue
        rows += [
            (*counts, *_figures("own lines", one.on_own), one.seconds),
            ("", "", "", *_figures("packaged lines", one.on_package), ""),
        ]
    width = len(header) + 2
    table([(*row, *[""] * (width - len(row))) for row in rows], (*header, "F1 after", "seconds"))
    click.echo(
        "\nMeasured on lines that neither model was trained on; below about fifty it is a hint, no proof."
    )


def _figures(name: str, compared: Compared | None) -> tuple[object, ...]:
    if compared is None:
        return (name, "too few", "", "", "", "")
    accuracies = (f"{share:.1%}" for share in (compared.accuracy_before, compared.accuracy_after))
    return (name, compared.examples, *accuracies, f"{compared.f1_before:.3f}", f"{compared.f1_after:.3f}")
