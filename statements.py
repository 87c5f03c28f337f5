"""Statements as the verbs run them: built once, counted, and the INSERT that leaves a known row alone.

Called by the rooms of floor 3 and above. A statement built at import costs a third of one built for each
message; such statements stand on the tables (`table`), not on the classes. Flushes nothing and commits
nothing.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast, overload

from sqlalchemy import CursorResult, Executable, Insert, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from models import Base, db

POSTGRES_DEADLOCK: Final = "40P01"
MARIADB_DEADLOCK: Final = 1213


def table(model: type[Base]) -> Table:
    """Give the table behind a class."""
    return cast(Table, model.__table__)


def changed_rows(statement: Executable, values: Mapping[str, Any] | None = None) -> int:
    """Run an UPDATE, DELETE or INSERT and give how many rows it matched; objects in memory are not
    touched."""
    return _run(statement, values).rowcount


def inserted_id(statement: Executable, values: Mapping[str, Any]) -> int:
    """Run an INSERT of one row and give its id. Raises IntegrityError."""
    key: Any = _run(statement, values).inserted_primary_key
    return int(key[0])


def insert_or_ignore(model: type[Base]) -> Insert:
    """Give an INSERT that leaves an existing row alone, in the dialect of the database in use.

    What its row count says of an ignored row differs between the databases: do not ask it.
    """
    dialect = db.engine.dialect.name
    if dialect == "postgresql":
        return postgresql.insert(model).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(model).on_conflict_do_nothing()
    key = next(iter(table(model).primary_key.columns))
    return mysql.insert(model).on_duplicate_key_update({key.name: key})


@overload
def bounded(identifier: str, length: int) -> str: ...


@overload
def bounded(identifier: None, length: int) -> None: ...


def bounded(identifier: str | None, length: int) -> str | None:
    """Give an id of the outside world as a column of `length` can hold it: a longer one by its hash."""
    if identifier is None or len(identifier) <= length:
        return identifier
    return f"h:{hashlib.sha256(identifier.encode('utf-8', 'replace')).hexdigest()}"


def is_deadlock(error: DBAPIError) -> bool:
    """Tell whether the database ended a transaction so that another could go on: the same again will do."""
    cause = error.orig
    return getattr(cause, "sqlstate", None) == POSTGRES_DEADLOCK or (
        cause is not None and cause.args[:1] == (MARIADB_DEADLOCK,)
    )


def _run(statement: Executable, values: Mapping[str, Any] | None) -> CursorResult[Any]:
    options = {"synchronize_session": False}
    return cast(CursorResult[Any], db.session.execute(statement, values, execution_options=options))


class Later(FunctionElement[datetime]):
    """A moment of a row, so many seconds later: `Later(Message.created_at, 3600)`."""

    inherit_cache = True
    name = "later"


@compiles(Later, "sqlite")
def _later_in_sqlite(element: Later, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = (compiler.process(one, **kw) for one in element.clauses)
    return f"strftime('%Y-%m-%d %H:%M:%f', {moment}, '+' || {seconds} || ' seconds')"


@compiles(Later, "postgresql")
def _later_in_postgresql(element: Later, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = (compiler.process(one, **kw) for one in element.clauses)
    return f"({moment} + make_interval(secs => {seconds}))"


@compiles(Later, "mysql", "mariadb")
def _later_in_mariadb(element: Later, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = (compiler.process(one, **kw) for one in element.clauses)
    return f"DATE_ADD({moment}, INTERVAL {seconds} SECOND)"
