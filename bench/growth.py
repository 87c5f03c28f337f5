"""The time of one turn when a million messages are stored, against ten thousand.

Two desks are filled with the same spread (20 messages for each contact, every inbound one with its stored
webhook and its turn) and then take turns in alternation, each in a process of its own that works one lane at
a time: door, turn and delivery, without the waits of a queue, which would only hide a slow query.
"""

import contextlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bench.servers import Site, site
from models import (
    Contact,
    ContactIdentity,
    Conversation,
    Lane,
    Message,
    Turn,
    WebhookEvent,
    prepare_engine,
)
from tests.fakes.webhooks import BUSINESS_ACCOUNT_ID, MetaWebhooks

MESSAGES_SMALL = 10_000
MESSAGES_BIG = 1_000_000
MESSAGES_PER_CONTACT = 20
TURNS = 200
WARM_UP_TURNS = 20
SPREAD_DAYS = 180
FIRST_WA_ID = 5511_900_000_000
SEED = 20

Row = tuple[Any, ...]


def measure(database: str, *, messages: int, turns: int) -> dict[str, Any]:
    """Give the ratio of the medians, big against small, over at least `turns` turns of each, interleaved."""
    with contextlib.ExitStack() as stack:
        small = _filled(stack, database, MESSAGES_SMALL)
        big = _filled(stack, database, messages)
        times = _take_turns(small, big, turns)
    medians = {size: statistics.median(sum(parts.values()) for parts in seen) for size, seen in times.items()}
    result: dict[str, Any] = {
        "database": database,
        "messages": f"{messages} against {MESSAGES_SMALL}",
        "turns_each": turns,
        "ratio": round(medians["big"] / medians["small"], 3),
    }
    for part in ("door", "turn"):
        sides = {size: statistics.median(one[part] for one in seen) for size, seen in times.items()}
        result[f"{part}_ratio"] = round(sides["big"] / sides["small"], 3)
        result[f"{part}_ms"] = {size: round(secs * 1000, 2) for size, secs in sides.items()}
    result["fill_secs"] = round(big.fill_secs, 1)
    return result


class Turner:
    """The process that takes turns on one desk; see `bench.turner`."""

    def __init__(self, desk: Site, contacts: int, fill_secs: float) -> None:
        self.contacts = contacts
        self.fill_secs = fill_secs
        command = [sys.executable, "-m", "bench.turner"]
        log = desk.folder / "turner.log"
        self._process = subprocess.Popen(
            command,
            env=desk.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("wb"),
            text=True,
        )

    def take(self, wa_id: str) -> dict[str, float]:
        """Let one contact write "menu"; gives the seconds of the door and of the turn with its delivery."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{wa_id}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise TimeoutError("the turning process ended; see its log")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TimeoutError(answer["error"])
        return answer

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _filled(stack: contextlib.ExitStack, database: str, messages: int) -> Turner:
    desk = stack.enter_context(site(database))
    desk.start_graph("--forget", "--receipts", "")
    desk.prepare()
    started = time.perf_counter()
    fill(desk, messages)
    turner = Turner(desk, messages // MESSAGES_PER_CONTACT, time.perf_counter() - started)
    stack.callback(turner.close)
    return turner


def _take_turns(small: Turner, big: Turner, turns: int) -> dict[str, list[dict[str, float]]]:
    chance = random.Random(SEED)
    times: dict[str, list[dict[str, float]]] = {"small": [], "big": []}
    for place in range(WARM_UP_TURNS + turns):
        for size, turner in (("small", small), ("big", big)):
            taken = turner.take(str(FIRST_WA_ID + chance.randrange(turner.contacts)))
            if place >= WARM_UP_TURNS:
                times[size].append(taken)
    return times


# --- a desk that has been used ------------------------------------------------------------------------------


def fill(desk: Site, messages: int) -> None:
    """Write contacts, conversations, messages, turns and stored webhooks of the last half year, in bulk."""
    engine = sa.create_engine(desk.database_url.replace("postgresql://", "postgresql+psycopg://"))
    prepare_engine(engine)
    writer = _Writer(engine)
    with engine.connect() as connection:
        number_id = int(connection.execute(sa.text("SELECT min(id) FROM integrations")).scalar_one())
    now = datetime.now(UTC)
    chance = random.Random(SEED)
    contacts = messages // MESSAGES_PER_CONTACT
    born = [now - timedelta(days=chance.uniform(1, SPREAD_DAYS)) for _ in range(contacts)]
    _fill_people(writer, born, number_id)
    _fill_history(writer, born, messages, number_id)
    writer.finish()
    engine.dispose()


def _fill_people(writer: "_Writer", born: Sequence[datetime], number_id: int) -> None:
    """Write who there is: contacts, the names they go by, their conversations and lanes."""
    numbers = range(1, len(born) + 1)
    writer.write(Contact, ("id", "name", "language", "created_at"), _contacts(born))
    identity = ("contact_id", "account", "kind", "value", "match_key", "created_at")
    writer.write(ContactIdentity, identity, _identities(born))
    conversation = "id integration_id contact_id last_inbound_at last_message_at last_preview created_at"
    rows = ((n, number_id, n, at, at, "menu", at) for n, at in enumerate(born, 1))
    writer.write(Conversation, tuple(conversation.split()), rows)
    writer.write(Lane, ("key", "token"), ((f"in:{number_id}:{FIRST_WA_ID + n - 1}", 5) for n in numbers))
    writer.write(Lane, ("key", "token"), ((f"out:{n}", 5) for n in numbers))


def _fill_history(writer: "_Writer", born: Sequence[datetime], messages: int, number_id: int) -> None:
    """Write what was said: turns, messages in and out, and the webhooks that brought them."""
    turn = "id conversation_id responder reason language flow step_after trace created_at"
    said = ("menu", "menu word", "pt", "nexora", "main", '{"ms":{"decide":1.2}}')
    turns = (
        (m // 2 + 1, conversation, *said, at) for m, conversation, at in _times(born, messages) if m % 2 == 0
    )
    writer.write(Turn, tuple(turn.split()), turns)
    message = (
        "conversation_id integration_id turn_id direction sender kind body content external_id status "
        "status_at language intent provider_at created_at"
    )
    writer.write(Message, tuple(message.split()), _messages(born, messages, number_id))
    event = "event_key integration_id provider kind lane state payload provider_at received_at"
    writer.write(WebhookEvent, tuple(event.split()), _events(born, messages, number_id))


def _contacts(born: Sequence[datetime]) -> Iterator[Row]:
    return ((n, f"Cliente {n}", "pt", at) for n, at in enumerate(born, 1))


def _identities(born: Sequence[datetime]) -> Iterator[Row]:
    account = f"meta:{BUSINESS_ACCOUNT_ID}"
    for n, at in enumerate(born):
        wa_id = str(FIRST_WA_ID + n)
        yield (n + 1, account, "wa_id", wa_id, min(wa_id, wa_id[:4] + wa_id[5:]), at)


def _times(born: Sequence[datetime], messages: int) -> Iterator[tuple[int, int, datetime]]:
    """Number every message as it would have come: all conversations grow side by side over the half year."""
    for m in range(messages):
        contact = (m // 2) % len(born)
        yield m, contact + 1, born[contact] + timedelta(minutes=m // (2 * len(born)), seconds=m % 2)


def _messages(born: Sequence[datetime], messages: int, number_id: int) -> Iterator[Row]:
    menu = "1 Ver programas\n2 Falar com um consultor\n3 Buscar vagas\n" * 3
    content = json.dumps({"kind": "text", "body": menu})
    for m, conversation, at in _times(born, messages):
        common = (conversation, number_id, m // 2 + 1)
        if m % 2 == 0:
            yield (
                *common,
                "in",
                "customer",
                "text",
                "menu",
                None,
                f"wamid.F{m:09d}",
                None,
                None,
                "pt",
                "other",
                at,
                at,
            )
        else:
            yield (
                *common,
                "out",
                "bot",
                "text",
                menu,
                content,
                f"wamid.F{m:09d}",
                "read",
                at,
                "pt",
                None,
                None,
                at,
            )


def _events(born: Sequence[datetime], messages: int, number_id: int) -> Iterator[Row]:
    builder = MetaWebhooks()
    value = builder.message_value(
        {"type": "text", "text": {"body": "menu"}}, str(FIRST_WA_ID), message_id="wamid.F"
    )
    payload = json.dumps(value).encode()
    for m, conversation, at in _times(born, messages):
        if m % 2 == 0:
            lane = f"in:{number_id}:{FIRST_WA_ID + conversation - 1}"
            yield (
                f"m:{number_id}:wamid.F{m:09d}",
                number_id,
                "meta",
                "message",
                lane,
                "done",
                payload,
                at,
                at,
            )


class _Writer:
    """Writes rows as fast as each database allows; columns that are not given get the model's defaults."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"

    def write(self, model: Any, columns: Sequence[str], rows: Iterable[Row]) -> None:
        table: sa.Table = model.__table__
        defaults = {
            column.name: _default(column, self._engine.dialect)
            for column in table.columns
            if column.name not in columns and not column.nullable and column.default is not None
        }
        names = (*columns, *defaults)
        complete = (self._plain(row) + tuple(defaults.values()) for row in rows)
        write_rows = self._write_sqlite if self._is_sqlite else self._write_postgresql
        write_rows(table.name, names, complete)

    def finish(self) -> None:
        """Let the database know what it holds, as its own housekeeping would have by now."""
        if self._is_sqlite:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.exec_driver_sql("BEGIN")
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name in ("contacts", "conversations", "turns"):
                connection.exec_driver_sql(f"SELECT setval('{name}_id_seq', (SELECT max(id) FROM {name}))")
            connection.exec_driver_sql("VACUUM ANALYZE")

    def _plain(self, row: Row) -> Row:
        return tuple(self._plain_time(value) if isinstance(value, datetime) else value for value in row)

    def _plain_time(self, at: datetime) -> Any:
        naive = at.astimezone(UTC).replace(tzinfo=None)
        return naive.isoformat(sep=" ", timespec="microseconds") if self._is_sqlite else naive

    def _write_sqlite(self, table: str, names: Sequence[str], rows: Iterator[Row]) -> None:
        marks = ", ".join("?" for _ in names)
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        with self._engine.begin() as connection:
            cursor = connection.connection.cursor()
            cursor.executemany(statement, rows)  # type: ignore[arg-type]  # sqlite takes any iterable
            cursor.close()

    def _write_postgresql(self, table: str, names: Sequence[str], rows: Iterator[Row]) -> None:
        with self._engine.begin() as connection:
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.close()


def _default(column: sa.Column[Any], dialect: sa.Dialect) -> Any:
    """What the model would put into this column, as the database takes it."""
    default: Any = column.default
    value = default.arg(None) if default.is_callable else default.arg
    to_database = column.type.dialect_impl(dialect).bind_processor(dialect)
    return to_database(value) if to_database else value
