"""What every test would pay again, paid once per process: routes, templates and tables are made from the same
sources each time. Only the cost differs; `conftest` installs it, and nothing here knows a test.
"""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, cast

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import make_url
from werkzeug.routing.rules import Rule

import models
import opening
from models import db


class CompiledTemplates(BytecodeCache):
    """The code of each template, by its name and source; each application keeps an environment of its own."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def get_source_checksum(self, source: str) -> str:
        return source

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = cast(CodeType, bucket.code)


def install(folder: Path) -> None:
    """Let all applications of this process share what they make; `folder` keeps the empty SQLite desk."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}
    Rule._compile_builder = _remembered(Rule._compile_builder)  # type: ignore[method-assign]
    db.create_all = _unless_there(_copied(db.create_all, folder / "empty.db"))  # type: ignore[method-assign]
    opening.migrate = _copied(opening.migrate, folder / "migrated.db")
    models._open_sqlite = _without_waiting(models._open_sqlite)


def _remembered(compile_builder: Callable[..., Any]) -> Callable[..., Any]:
    """Werkzeug writes, parses and compiles two functions for each rule: two thirds of an application's start.
    They depend on what the rule says alone, and take its converters as they are called.
    """
    builders: dict[Any, Any] = {}

    def remembered(self: Rule, append_unknown: bool = True) -> Any:
        if self.defaults:
            return compile_builder(self, append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in builders:
            builders[key] = compile_builder(self, append_unknown)
        return builders[key]

    return remembered


# The names of server databases that were made with all tables.
_with_tables: set[str | None] = set()


def has_tables(url: str) -> None:
    """Note that nobody needs to make tables at this address."""
    _with_tables.add(make_url(url).database)


def _unless_there(create_all: Callable[..., None]) -> Callable[..., None]:
    """Do not look for each of a hundred tables that are surely there."""

    def create() -> None:
        if db.engine.url.database not in _with_tables:
            create_all()

    return create


def _copied(make_tables: Callable[..., None], model: Path) -> Callable[..., None]:
    """Copy the file of the first empty SQLite desk to every later one; another database makes its tables."""

    def copied() -> None:
        engine = db.engine
        path = Path(engine.url.database or "")
        is_file = engine.dialect.name == "sqlite" and path.suffix == ".db"
        if not is_file or (path.exists() and path.stat().st_size):
            make_tables()
            return
        if not model.exists():
            make_tables()
            engine.dispose()  # the last connection leaves all in the one file
            shutil.copyfile(path, model)
        shutil.copyfile(model, path)

    return copied


def _without_waiting(open_sqlite: Callable[..., None]) -> Callable[..., None]:
    """A commit needs no disk where no power is cut; programs that tests start and kill still wait for it."""

    def opened(connection: sqlite3.Connection, record: Any) -> None:
        open_sqlite(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    return opened
