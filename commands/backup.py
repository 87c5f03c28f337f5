"""`backup` writes everything into one file, `restore` puts it back, on the same kind of database or another.

A backup is a zip: `manifest.json`, one `tables/<name>.jsonl` for each table, and the stored files. Rows are
kept as the database has them (times in UTC, JSON as text, bytes in base64), so that a backup of an older
version is restored at its own schema and then migrated. Credentials inside stay encrypted with SECRET_KEY,
which is not part of it.
"""

import base64
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import click
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade

from commands.making import as_json, command, print_json, refuse, settings, without_asking
from models import Base, UtcDateTime, db

FORMAT: Final = 1
ROWS_AT_ONCE: Final = 500
CHUNK_BYTES: Final = 1024 * 1024
MANIFEST: Final = "manifest.json"
# A worker's heartbeat says nothing on another day.
LEFT_OUT: Final = frozenset({"workers"})


# --- backup -------------------------------------------------------------------------------------------------


@command("backup")
@click.argument("output", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--media/--no-media", default=True, help="With the stored files.")
@as_json
def backup(output: Path, media: bool, wants_json: bool) -> None:
    """Write the whole desk, rows and files, into one zip file."""
    part = output.with_name(f".{output.name}.part")
    try:
        with _private(part) as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            counts = _write_tables(archive, is_quiet=wants_json)
            files = _write_media(archive) if media else 0
        part.replace(output)
    except OSError as error:
        refuse(f"{output} cannot be written ({error.strerror})")
    finally:
        part.unlink(missing_ok=True)
    rows = sum(counts.values())
    if wants_json:
        print_json({"file": str(output), "rows": rows, "files": files, "tables": counts})
        return
    click.echo(f"{output}: {rows:,} rows of {len(counts)} tables, {files} files.")
    click.echo("Keep SECRET_KEY with it, in another place: stored credentials open with nothing else.")


@contextmanager
def _private(path: Path) -> Iterator[Any]:
    """Open a new file that nobody else may read: a backup is everything that customers ever wrote."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as raw:
        yield raw


def _write_tables(archive: zipfile.ZipFile, *, is_quiet: bool) -> dict[str, int]:
    tables = [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]
    engine = db.engine
    if engine.dialect.name != "sqlite":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    counts: dict[str, int] = {}
    with engine.connect() as connection:  # one transaction: all tables as they were at one moment
        revision = MigrationContext.configure(connection).get_current_revision()
        with click.progressbar(tables, label="Tables", hidden=is_quiet) as bar:
            for table in bar:
                counts[table.name] = _write_table(archive, connection, table)
        connection.rollback()
    manifest = {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(),
        "schema": revision,
        "tables": {
            table.name: {
                "rows": counts[table.name],
                "columns": _kinds_of(table),
                "later": _later(table, tables),
            }
            for table in tables
        },
    }
    archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return counts


def _write_table(archive: zipfile.ZipFile, connection: sa.Connection, table: sa.Table) -> int:
    kinds = _kinds_of(table)
    source = _plain_table(table.name, kinds)
    query = sa.select(*source.columns).order_by(*(source.c[key.name] for key in table.primary_key))
    count = 0
    with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as out:
        rows = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(query)
        for row in rows:
            line = [_TO_JSON[kind](value) for kind, value in zip(kinds.values(), row, strict=True)]
            out.write(json.dumps(line).encode() + b"\n")
            count += 1
    return count


def _write_media(archive: zipfile.ZipFile) -> int:
    folder, count = settings().media_dir, 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            archive.write(path, f"media/{path.relative_to(folder).as_posix()}")
            count += 1
    return count


# --- restore ------------------------------------------------------------------------------------------------


@command("restore")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@without_asking
@as_json
def restore(source: Path, yes: bool, wants_json: bool) -> None:
    """Put a backup back into this database, whose data is DELETED first."""
    try:
        archive = zipfile.ZipFile(source)
        manifest = _manifest(archive)
        damaged = _damaged(archive, manifest)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError):
        refuse(f"{source} is no backup of a desk")
    if damaged:
        refuse(f"{source} is damaged ({damaged}); nothing was deleted")
    if manifest["schema"] not in _known_revisions():
        refuse(f"its schema {manifest['schema']} is not known to this version: update the program first")
    if not yes:
        click.confirm(f"Delete everything in {db.engine.dialect.name} {db.engine.url.database}?", abort=True)
    with archive:
        _empty()
        upgrade(directory=_migrations(), revision=manifest["schema"])
        with db.engine.begin() as connection:
            _fill(connection, archive, manifest, is_quiet=wants_json)
        upgrade(directory=_migrations())
        files = _read_media(archive)
    rows = sum(one["rows"] for one in manifest["tables"].values())
    if wants_json:
        print_json({"rows": rows, "files": files, "of": manifest["at"]})
    else:
        click.echo(
            f"{rows:,} rows and {files} files of {manifest['at'][:16].replace('T', ' ')} UTC are back."
        )


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if manifest["format"] != FORMAT or not manifest["tables"]:
        raise ValueError("another format")
    return manifest


def _damaged(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> str:
    """Name a part that is missing or cannot be read; empty when all is there. Reads everything once: after
    the data has been deleted it would be too late."""
    names = set(archive.namelist())
    for name in manifest["tables"]:
        if f"tables/{name}.jsonl" not in names:
            return f"tables/{name}.jsonl"
    for info in archive.infolist():
        try:
            with archive.open(info) as part:
                while part.read(CHUNK_BYTES):
                    continue
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            return info.filename
    return ""


def _empty() -> None:
    """Drop every table, also those that this version does not know."""
    db.session.remove()
    with db.engine.begin() as connection:
        if connection.dialect.name == "sqlite":  # a full-text table takes its shadows along
            virtual = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
            for (name,) in connection.exec_driver_sql(virtual).all():
                connection.exec_driver_sql(f'DROP TABLE "{name}"')
        found = sa.MetaData()
        found.reflect(connection)
        found.drop_all(connection)


def _fill(
    connection: sa.Connection, archive: zipfile.ZipFile, manifest: Mapping[str, Any], *, is_quiet: bool
) -> None:
    """Insert every row; what points forward (a contact to the one that it was merged into) is set last."""
    plans = list(manifest["tables"].items())
    for name, _plan in reversed(plans):  # what migrations wrote, and what the backup has, too
        connection.execute(sa.delete(sa.table(name)))
    with click.progressbar(plans, label="Tables", hidden=is_quiet) as bar:
        for name, plan in bar:
            _fill_table(connection, archive, name, plan)
    for name, plan in plans:
        if plan["later"]:
            _point(connection, archive, name, plan)
    if connection.dialect.name == "postgresql":
        for name, plan in plans:
            if "id" in plan["columns"] and plan["rows"]:
                highest = (
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
                )
                connection.exec_driver_sql(highest)


def _fill_table(
    connection: sa.Connection, archive: zipfile.ZipFile, name: str, plan: Mapping[str, Any]
) -> None:
    target = _plain_table(name, plan["columns"])
    later = dict.fromkeys(plan["later"])
    for chunk in _chunks(archive, name, plan["columns"]):
        connection.execute(sa.insert(target), [{**row, **later} for row in chunk])


def _point(connection: sa.Connection, archive: zipfile.ZipFile, name: str, plan: Mapping[str, Any]) -> None:
    target = _plain_table(name, plan["columns"])
    for chunk in _chunks(archive, name, plan["columns"]):
        for row in chunk:
            values = {column: row[column] for column in plan["later"] if row[column] is not None}
            if values:
                connection.execute(sa.update(target).where(target.c.id == row["id"]).values(**values))


def _chunks(archive: zipfile.ZipFile, name: str, kinds: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    with archive.open(f"tables/{name}.jsonl") as lines:
        for line in lines:
            values = json.loads(line)
            chunk.append(
                {
                    column: _FROM_JSON[kind](value)
                    for (column, kind), value in zip(kinds.items(), values, strict=True)
                }
            )
            if len(chunk) == ROWS_AT_ONCE:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _read_media(archive: zipfile.ZipFile) -> int:
    folder, count = settings().media_dir.resolve(), 0
    for info in archive.infolist():
        if not info.filename.startswith("media/") or info.is_dir():
            continue
        path = (folder / info.filename.removeprefix("media/")).resolve()
        if not path.is_relative_to(folder):  # a file that somebody made up
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(archive.read(info))
        count += 1
    return count


# --- what a value is ----------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _maybe(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else change(value)


_TO_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "plain": _same,
    "flag": _same,
    "time": _maybe(datetime.isoformat),
    "day": _maybe(date.isoformat),
    "bytes": _maybe(lambda value: base64.b64encode(value).decode()),
}
_FROM_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "plain": _same,
    "flag": _same,
    "time": _maybe(datetime.fromisoformat),
    "day": _maybe(date.fromisoformat),
    "bytes": _maybe(base64.b64decode),
}
_TYPES: Final[Mapping[str, sa.types.TypeEngine[Any]]] = {
    "plain": sa.types.NullType(),
    "flag": sa.Boolean(),
    "time": sa.DateTime(),
    "day": sa.Date(),
    "bytes": sa.LargeBinary(),
}


def _kinds_of(table: sa.Table) -> dict[str, str]:
    return {column.name: _kind(column.type) for column in table.columns}


def _kind(type_: sa.types.TypeEngine[Any]) -> str:
    match type_:
        case UtcDateTime():
            return "time"
        case sa.LargeBinary():
            return "bytes"
        case sa.Date():
            return "day"
        case sa.Boolean():
            return "flag"
    return "plain"


def _later(table: sa.Table, tables: Sequence[sa.Table]) -> list[str]:
    """Name the columns that point to rows of this table, or of one that comes after it."""
    known = {one.name for one in tables[: tables.index(table)]}
    return [
        column.name
        for column in table.columns
        if any(key.column.table.name not in known for key in column.foreign_keys)
    ]


def _plain_table(name: str, kinds: Mapping[str, str]) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, _TYPES[kind]) for column, kind in kinds.items()))


def _known_revisions() -> frozenset[str]:
    return frozenset(one.revision for one in ScriptDirectory(_migrations()).walk_revisions())


def _migrations() -> str:
    return str(Path(current_app.root_path) / "migrations")
