"""Eight weeks of simulated customers as a packaged file: written once from a rehearsal, read by `seed_demo`.

One line of JSON per table: its columns, then its rows. Rows point to each other by their place in the file,
to products by SKU; times are seconds before the end. Reading gives everything new ids and moves the end to
`now`. `commands` writes the file; flushes, never commits.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, bindparam, insert, select, update

from integrations import Number
from message_content import from_json
from models import (
    Base,
    Complaint,
    Contact,
    ContactIdentity,
    Conversation,
    Decision,
    Message,
    Order,
    OrderItem,
    Outcome,
    Product,
    Sale,
    Turn,
    UtcDateTime,
    db,
)
from record_numbers import COMPLAINT, ORDER, number_of
from statements import table

HISTORY_FILE: Final = Path(__file__).parent / "history.jsonl.gz"
# In this order rows are written, so that what a row points to is there.
TABLES: Final[tuple[type[Base], ...]] = (
    Contact,
    ContactIdentity,
    Conversation,
    Order,
    OrderItem,
    Complaint,
    Turn,
    Message,
    Decision,
    Outcome,
    Sale,
)
NUMBERED: Final[Mapping[str, str]] = {"orders": ORDER, "complaints": COMPLAINT}
# What is set anew when the file is read, and what says nothing without the desk that it came from.
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "contacts": frozenset({"is_demo", "merged_into_id"}),
    "contact_identities": frozenset({"account", "replaced_at"}),
    "conversations": frozenset({"integration_id"}),
    "orders": frozenset({"cart_of_conversation_id"}),
    "complaints": frozenset({"message_id"}),
    "messages": frozenset(
        {"integration_id", "external_id", "quotes_external_id", "client_token", "send_due_at"}
    ),
    "decisions": frozenset({"is_demo"}),
    "sales": frozenset({"is_demo"}),
}
OF_A_TRACE: Final = ("source", "actions", "reply", "analysis")
# What may lie beyond the end; all else has happened.
LATER: Final = frozenset({"closes_at", "handover_ends_at", "away_until", "due_at"})
PRODUCTS: Final = "products"
_WRITTEN: Final = re.compile(rf"[{''.join(NUMBERED.values())}]-\d+")
_MARK: Final = re.compile(r"§([a-z]+):(\d+)§")

Places = dict[str, dict[int, int]]


# --- writing ------------------------------------------------------------------------------------------------


def write(number: Number, path: Path, *, until: datetime) -> int:
    """Write what came through a number into a file; gives its size in bytes. Changes no row."""
    packer = _Packer(until)
    lines = []
    for model in TABLES:
        rows = _rows(model, number)
        packer.places[model.__tablename__] = {row.id: place for place, row in enumerate(rows)}
        columns = _columns(model)
        packed = [[packer.pack(column, row) for column in columns] for row in rows]
        lines.append([model.__tablename__, [column.name for column in columns], packed])
    text = "\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    content = gzip.compress(text.encode(), 9, mtime=0)
    path.write_bytes(content)
    return len(content)


def _rows(model: type[Base], number: Number) -> Sequence[Any]:
    """Give the rows of a table that belong to the number's people, in order; a cart is not over yet."""
    threads = select(Conversation.id).where(Conversation.integration_id == number.id)
    people = select(Conversation.contact_id).where(Conversation.integration_id == number.id)
    placed = select(Order.id).where(Order.conversation_id.in_(threads), Order.status != "cart")
    decided = select(Decision.id).where(Decision.conversation_id.in_(threads))
    conditions: dict[type[Base], Any] = {
        Contact: Contact.id.in_(people),
        ContactIdentity: ContactIdentity.contact_id.in_(people),
        Conversation: Conversation.id.in_(threads),
        Order: Order.id.in_(placed),
        OrderItem: OrderItem.order_id.in_(placed),
        Outcome: Outcome.decision_id.in_(decided),
        Sale: Sale.order_id.in_(placed),
    }
    columns = table(model).c
    belongs = conditions[model] if model in conditions else columns.conversation_id.in_(threads)
    return db.session.scalars(select(model).where(belongs).order_by(columns.id)).all()


def _columns(model: type[Base]) -> list[Column[Any]]:
    """Give the columns that the file holds: none that points to what it does not hold."""
    out = {"id", "number"} | LEFT_OUT.get(model.__tablename__, frozenset())
    known = {one.__tablename__ for one in TABLES} | {PRODUCTS, None}
    return [c for c in table(model).columns if c.name not in out and _target(c) in known]


def _target(column: Column[Any]) -> str | None:
    """Name the table that a column points to; an outcome's order has no key, because it outlives it."""
    if column.table.name == "outcomes" and column.name == "order_id":
        return "orders"
    return next((key.column.table.name for key in column.foreign_keys), None)


class _Packer:
    """Makes a row's values independent of the desk and the day."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._skus = {row.id: row.sku for row in db.session.execute(select(Product.id, Product.sku))}
        self.places: Places = {}

    def pack(self, column: Column[Any], row: Any) -> Any:
        value, target = getattr(row, column.name), _target(column)
        if value is None:
            return None
        if isinstance(column.type, UtcDateTime):
            secs = round((value - self._until).total_seconds())
            return secs if column.name in LATER else min(0, secs)
        if target == PRODUCTS:
            return self._skus[value]
        if target is not None:
            return self.places[target].get(value)  # an outcome of no order has order 0
        if isinstance(row, Turn) and column.name == "trace":
            return {name: value[name] for name in OF_A_TRACE if name in value}
        if isinstance(row, Message) and column.name == "body":
            return None if row.content and row.direction == "out" else self._with_marks(value)
        if isinstance(row, Message) and column.name == "content":
            return json.loads(self._with_marks(json.dumps(value, ensure_ascii=False)))
        return value

    def _with_marks(self, text: str) -> str:
        """Put a mark where the number of an order stands: it will have another one."""
        return _WRITTEN.sub(lambda found: self._mark(found[0]), text)

    def _mark(self, written: str) -> str:
        for name, prefix in NUMBERED.items():
            for row_id, place in self.places[name].items():
                if number_of(prefix, row_id) == written:
                    return f"§{name}:{place}§"
        return written


# --- reading ------------------------------------------------------------------------------------------------


def read(number: Number, *, now: datetime, path: Path = HISTORY_FILE) -> dict[str, int]:
    """Write the file's rows as if they had come through a number until `now`; gives how many of each table.

    Flushes.
    """
    reader = _Reader(number, now)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            reader.read(*json.loads(line))
    db.session.expire_all()
    return {name: len(rows) for name, rows in reader.ids.items()}


class _Reader:
    """Gives the file's rows a place on this desk."""

    def __init__(self, number: Number, now: datetime) -> None:
        self._number, self._now = number, now
        self._skus = {row.sku: row.id for row in db.session.execute(select(Product.id, Product.sku))}
        same_account = ContactIdentity.account == number.identity_account
        self._taken = set(db.session.scalars(select(ContactIdentity.value).where(same_account)))
        self.ids: dict[str, list[int]] = {}

    def read(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        model = next(one for one in TABLES if one.__tablename__ == name)
        readers = [(column, self._reader_of(table(model).c[column])) for column in columns]
        values = []
        for place, row in enumerate(rows):
            told = {column: read(value) for (column, read), value in zip(readers, row, strict=True)}
            values.append(told | self._set_anew(name, told, place))
        statement = insert(table(model)).returning(table(model).c.id, sort_by_parameter_order=True)
        self.ids[name] = list(db.session.scalars(statement, values)) if values else []
        if name in NUMBERED and values:
            numbers = [{"row": one, "new": number_of(NUMBERED[name], one)} for one in self.ids[name]]
            numbered = update(table(model)).where(table(model).c.id == bindparam("row"))
            db.session.connection().execute(numbered.values(number=bindparam("new")), numbers)

    def _reader_of(self, column: Column[Any]) -> Callable[[Any], Any]:
        target = _target(column)
        if isinstance(column.type, UtcDateTime):
            return lambda secs: None if secs is None else self._now + timedelta(seconds=secs)
        if target == PRODUCTS:
            return self._skus.__getitem__
        if target is not None:
            nothing = 0 if column.table.name == "outcomes" else None
            return lambda place: nothing if place is None else self.ids[target][place]
        if column.table.name == "messages" and column.name == "body":
            return self._without_marks
        if column.table.name == "messages" and column.name == "content":
            return self._content
        return lambda value: value

    def _content(self, content: Any) -> Any:
        text = json.dumps(content, ensure_ascii=False)
        return json.loads(self._without_marks(text)) if "§" in text else content

    def _without_marks(self, text: Any) -> Any:
        if not text or "§" not in text:
            return text
        return _MARK.sub(lambda found: number_of(NUMBERED[found[1]], self.ids[found[1]][int(found[2])]), text)

    def _set_anew(self, name: str, row: Mapping[str, Any], place: int) -> dict[str, Any]:
        """Give what the file leaves out."""
        if name == "contact_identities":
            value = row["value"]
            while value in self._taken:  # one of the demo's people has the same invented number
                value += "0"
            self._taken.add(value)
            return {"value": value, "account": self._number.identity_account}
        if name == "messages":
            body = from_json(row["content"]).summary if row["body"] is None else row["body"]
            return {"body": body, "integration_id": self._number.id, "external_id": f"history.{place}"}
        if name == "conversations":
            return {"integration_id": self._number.id}
        return {"is_demo": True} if name in ("contacts", "decisions", "sales") else {}
