"""Every table of the desk, and `db`. Nouns only: columns, constraints, relations, predicates over a row's
own columns.

Times are UTC and timezone-aware in Python. Ids of the outside world are compared byte for byte. JSON is
kept as text, which
holds every character on all three databases. How the databases are opened (SQLite's WAL and IMMEDIATE
writes, MariaDB's
isolation) is at the end; `reading()` marks a block that only reads.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Double,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.sql.expression import FunctionElement

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
SQLITE_BUSY_TIMEOUT_MS = 15_000
SEALED = {"is_sealed": True}  # a column whose text is encrypted with SECRET_KEY
# What migrations 0003 and 0021 make for the full-text searches, differently on each database; no metadata has
# them. A migration that makes `messages` anew on SQLite (batch) must make the triggers of 0021 anew, too.
SEARCH_INDEX = "passages_fts"
MESSAGE_SEARCH_INDEX = "messages_fts"
# A connection that rested this long may have been cut; one that was used a moment ago need not be asked.
PING_AFTER_SECS = 5.0


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, to the microsecond, on every database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


class Json(TypeDecorator[Any]):
    """A JSON value as text. Escaped on the way in, so that NUL and lone surrogates pass PostgreSQL
    unharmed."""

    impl = LongText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


Id = BigInteger().with_variant(Integer, "sqlite")
LongBytes = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def exact(length: int) -> String:
    """Give a string type that is compared byte for byte: ids of the outside world differ by case."""
    return String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


class epoch_now(FunctionElement[float]):
    """The database's own clock in seconds since 1970: leases must not depend on the workers' clocks."""

    type = Float()
    inherit_cache = True


@compiles(epoch_now, "sqlite")
def _epoch_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch_now, "postgresql")
def _epoch_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(epoch_now)
def _epoch_mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    # SYSDATE, not NOW: NOW is the statement's start, which a waiting UPDATE leaves behind.
    return "unix_timestamp(sysdate(6))"


def utc_now() -> datetime:
    return datetime.now(UTC)


def is_in_metadata(name: str | None, _kind: str, _parents: Any) -> bool:
    """Tell Alembic's comparison what the tables below may answer for: all but the full-text searches."""
    return not (name or "").startswith((SEARCH_INDEX, MESSAGE_SEARCH_INDEX))


def primary_key() -> Mapped[int]:
    return mapped_column(Id, primary_key=True, autoincrement=True)


def reference(target: str, *, nullable: bool = False, index: bool = True) -> Mapped[Any]:
    return mapped_column(Id, ForeignKey(target), nullable=nullable, index=index)


# --- people of ours -----------------------------------------------------------------------------------------


class Operator(Base):
    """A person who logs in."""

    __tablename__ = "operators"

    id: Mapped[int] = primary_key()
    email: Mapped[str] = mapped_column(exact(190), unique=True)  # kept in lower case
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20), default="agent")
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    # Part of every session; changing it ends them all (new password, deactivation).
    session_stamp: Mapped[str] = mapped_column(String(32), default="")
    totp_secret: Mapped[str] = mapped_column(Text, default="", info=SEALED)  # empty: no second factor
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # of the last code: none counts twice
    recovery_hashes: Mapped[Any | None] = mapped_column(Json)  # of the codes that are left
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiKey(Base):
    """A key for programs; only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(exact(16))
    key_hash: Mapped[str] = mapped_column(exact(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(255), default="read")
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))  # who made it
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiWrite(Base):
    """What a program changed with its key: the proof for people, and the answer to the same request again.

    Rows are added in the commit of the change itself. No names and no words of anybody: `answer` holds ids.
    """

    __tablename__ = "api_writes"
    __table_args__ = (UniqueConstraint("api_key_id", "idempotency_key"),)

    id: Mapped[int] = primary_key()
    api_key_id: Mapped[int] = reference("api_keys.id", index=False)
    idempotency_key: Mapped[str | None] = mapped_column(exact(128))
    fingerprint: Mapped[str] = mapped_column(exact(64))  # HMAC of method, path and body
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(255))
    status: Mapped[int] = mapped_column(Integer)
    answer: Mapped[Any | None] = mapped_column(Json)
    trace_id: Mapped[str | None] = mapped_column(exact(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class Team(Base):
    """People who look after one kind of work; `rule` says who of them is next."""

    __tablename__ = "teams"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    duty: Mapped[str] = mapped_column(
        String(20), default=""
    )  # support, escalation, finance, scheduling, sales
    rule: Mapped[str] = mapped_column(String(12), default="round_robin")  # or least_loaded
    seats: Mapped[int] = mapped_column(Integer, default=1)  # appointments that it can hold at once
    last_operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class TeamMember(Base):
    __tablename__ = "team_members"
    __table_args__ = (UniqueConstraint("team_id", "operator_id"),)

    id: Mapped[int] = primary_key()
    team_id: Mapped[int] = reference("teams.id", index=False)
    operator_id: Mapped[int] = reference("operators.id")


class WorkingHours(Base):
    """One stretch of a weekday in which we work, in minutes of the local day; no team: the business."""

    __tablename__ = "working_hours"

    id: Mapped[int] = primary_key()
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    weekday: Mapped[int] = mapped_column(Integer)  # 0 is Monday
    opens_min: Mapped[int] = mapped_column(Integer)
    closes_min: Mapped[int] = mapped_column(Integer)  # up to 1440, the end of the day


class Holiday(Base):
    """A day on which nobody works."""

    __tablename__ = "holidays"

    id: Mapped[int] = primary_key()
    day: Mapped[date] = mapped_column(Date, unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    is_yearly: Mapped[bool] = mapped_column(Boolean, default=False)


# --- numbers of ours ----------------------------------------------------------------------------------------


class Integration(Base):
    """One WhatsApp number of ours at one provider."""

    __tablename__ = "integrations"
    __table_args__ = (UniqueConstraint("provider", "number_id"),)

    id: Mapped[int] = primary_key()
    provider: Mapped[str] = mapped_column(String(20))
    shape: Mapped[str] = mapped_column(String(20), default="")  # simulator: whose webhooks it speaks
    name: Mapped[str] = mapped_column(String(120))
    number_id: Mapped[str] = mapped_column(exact(100))
    display_phone: Mapped[str] = mapped_column(String(40), default="")
    business_id: Mapped[str] = mapped_column(exact(100), default="")
    app_secret: Mapped[str] = mapped_column(Text, default="", info=SEALED)
    access_token: Mapped[str] = mapped_column(Text, default="", info=SEALED)
    verify_token: Mapped[str] = mapped_column(Text, default="", info=SEALED)
    start_flow: Mapped[str] = mapped_column(String(60), default="nexora")
    language: Mapped[str] = mapped_column(String(5), default="pt")
    reply_mode: Mapped[str] = mapped_column(String(10), default="rest")
    # Who is told of orders and waiting customers, in E.164; empty: OWNER_PHONE of the environment.
    owner_phone: Mapped[str] = mapped_column(String(40), default="")
    is_default: Mapped[bool] = mapped_column(Boolean, default=False)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_from_environment: Mapped[bool] = mapped_column(Boolean, default=False)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # number-wide throttle by the provider
    health_ok: Mapped[bool | None] = mapped_column(Boolean)
    health_summary: Mapped[str] = mapped_column(String(255), default="")
    health_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- people who write to us ---------------------------------------------------------------------------------


class Contact(Base):
    """A person who writes to us; not its phone number. Merged contacts keep a row that points to the
    survivor."""

    __tablename__ = "contacts"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(255), default="")
    email: Mapped[str] = mapped_column(String(255), default="")
    language: Mapped[str | None] = mapped_column(String(5))
    country: Mapped[str | None] = mapped_column(String(2))
    opted_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refuses_marketing_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    referral: Mapped[Any | None] = mapped_column(Json)  # the first ad that brought the person
    merged_into_id: Mapped[int | None] = reference("contacts.id", nullable=True)
    custom: Mapped[Any | None] = mapped_column(Json)  # by the id of a ContactField, as text
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    identities: Mapped[list["ContactIdentity"]] = relationship(back_populates="contact")

    @property
    def has_opted_out(self) -> bool:
        return self.opted_out_at is not None

    @property
    def takes_ads(self) -> bool:
        """Whether a real person has refused neither messages nor advertisements."""
        return self.opted_out_at is None and self.refuses_marketing_at is None and not self.is_demo

    def identity(self, kind: str) -> str | None:
        """Give the newest identity of `kind` that is still in use."""
        values = [i for i in self.identities if i.kind == kind and i.replaced_at is None]
        return max(values, key=lambda i: i.id).value if values else None


class ContactField(Base):
    """A field of our own that contacts have; what stands in it is in `Contact.custom`."""

    __tablename__ = "contact_fields"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(60), unique=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ContactIdentity(Base):
    """One name under which a provider account knows a contact: verbatim, never rewritten.

    `match_key` joins spellings of one number (Brazil's ninth digit, Mexico's 1, Argentina's 9); it is for
    finding only.
    """

    __tablename__ = "contact_identities"
    __table_args__ = (
        UniqueConstraint("account", "kind", "value"),
        Index(None, "account", "match_key"),
        Index(None, "value"),
    )

    id: Mapped[int] = primary_key()
    contact_id: Mapped[int] = reference("contacts.id")
    account: Mapped[str] = mapped_column(exact(120))
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(exact(150))
    match_key: Mapped[str] = mapped_column(exact(150), default="")
    replaced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    contact: Mapped[Contact] = relationship(back_populates="identities")


class Conversation(Base):
    """The one thread between a contact and a number of ours."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("integration_id", "contact_id"),
        Index(None, "last_message_at", "id"),
        Index(None, "handler", "last_message_at", "id"),
    )

    id: Mapped[int] = primary_key()
    integration_id: Mapped[int] = reference("integrations.id", index=False)
    contact_id: Mapped[int] = reference("contacts.id")
    handler: Mapped[str] = mapped_column(String(10), default="bot")  # bot or human
    handler_reason: Mapped[str] = mapped_column(String(120), default="")
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    handover_ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    away_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the opening that the customer was told
    is_closed: Mapped[bool] = mapped_column(Boolean, default=False)
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a new message ends it sooner
    # How the customer's newest text was read, for the rows and filters of the inbox.
    buying_signal: Mapped[str | None] = mapped_column(String(20))
    sentiment: Mapped[str | None] = mapped_column(String(12))
    urgency: Mapped[str | None] = mapped_column(String(10))
    # Messages of the customer since a person of ours last wrote, handed back or closed.
    unread_count: Mapped[int] = mapped_column(Integer, default=0)
    last_inbound_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # opens the service window
    last_message_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_preview: Mapped[str] = mapped_column(String(160), default="")
    summary: Mapped[str | None] = mapped_column(Text)  # for who takes over, written at the hand-over
    summarised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pair_blocked_count: Mapped[int] = mapped_column(Integer, default=0)  # consecutive pair-limit refusals
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    contact: Mapped[Contact] = relationship(lazy="raise_on_sql")
    integration: Mapped[Integration] = relationship(lazy="raise_on_sql")

    @property
    def is_with_person(self) -> bool:
        return self.handler == "human"


class Label(Base):
    """A word of our own that operators put on conversations."""

    __tablename__ = "labels"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(40), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ConversationLabel(Base):
    __tablename__ = "conversation_labels"
    __table_args__ = (UniqueConstraint("label_id", "conversation_id"),)

    id: Mapped[int] = primary_key()
    label_id: Mapped[int] = reference("labels.id", index=False)
    conversation_id: Mapped[int] = reference("conversations.id")


class ReadMark(Base):
    """Up to which message an operator has read a conversation."""

    __tablename__ = "read_marks"
    __table_args__ = (UniqueConstraint("operator_id", "conversation_id"),)

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id", index=False)
    conversation_id: Mapped[int] = reference("conversations.id")
    message_id: Mapped[int] = mapped_column(BigInteger)  # the newest that she saw; it may be deleted since


class Note(Base):
    """What an operator wrote beside a conversation for the others; the customer never sees it."""

    __tablename__ = "notes"

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int] = reference("conversations.id")
    operator_id: Mapped[int] = reference("operators.id", index=False)
    body: Mapped[str] = mapped_column(LongText)
    client_token: Mapped[str | None] = mapped_column(exact(64), unique=True)  # one click, one note
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class CannedReply(Base):
    """A text that operators send often, called by "/" and its shortcut."""

    __tablename__ = "canned_replies"

    id: Mapped[int] = primary_key()
    shortcut: Mapped[str] = mapped_column(exact(40), unique=True)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class SavedView(Base):
    """The filters of the inbox under a name of the operator's own."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("operator_id", "name"),)

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id", index=False)
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class BulkAction(Base):
    """What an operator did to several conversations at once, and how each was before, so that it can be
    undone."""

    __tablename__ = "bulk_actions"

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id")
    action: Mapped[str] = mapped_column(String(20))
    before: Mapped[Any] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MenuSession(Base):
    """Where a conversation stands in a flow; 30 minutes of silence reset it."""

    __tablename__ = "menu_sessions"

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int] = mapped_column(Id, ForeignKey("conversations.id"), unique=True)
    flow: Mapped[str] = mapped_column(String(60))
    flow_version: Mapped[str] = mapped_column(String(20), default="")
    step: Mapped[str | None] = mapped_column(String(60))
    data: Mapped[Any] = mapped_column(Json, default=dict)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class FlowVersion(Base):
    """A flow as an admin wrote it. A draft has no version; the newest version is the one that is walked.

    Rows with a version are never changed: going back publishes the older text anew.
    """

    __tablename__ = "flow_versions"
    __table_args__ = (UniqueConstraint("flow", "version"),)

    id: Mapped[int] = primary_key()
    flow: Mapped[str] = mapped_column(exact(60))
    version: Mapped[int | None] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(LongText)
    reason: Mapped[str] = mapped_column(String(255), default="")
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- the life of a message ----------------------------------------------------------------------------------


class WebhookEvent(Base):
    """The inbox: one element of a signed webhook, as it came. The truth of what reached us.

    state: pending (a lane or the receipts task will take it), unmatched (a receipt that came before its
    message is known),
    done, ignored (stored and shown, nothing to do), failed (gave up; shown), unknown (signed, but no number
    of ours).
    """

    __tablename__ = "webhook_events"
    __table_args__ = (Index(None, "state", "lane", "id"),)

    id: Mapped[int] = primary_key()
    event_key: Mapped[str] = mapped_column(exact(190), unique=True)
    integration_id: Mapped[int | None] = mapped_column(Id)
    provider: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(10))
    lane: Mapped[str | None] = mapped_column(exact(190))
    state: Mapped[str] = mapped_column(String(10))
    payload: Mapped[bytes] = mapped_column(LongBytes)
    trace_id: Mapped[str | None] = mapped_column(exact(64))  # one from the webhook to the receipt
    provider_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(255), default="")


class Lane(Base):
    """The lease of one person's ordered work (`in:...`, `out:...`) or of one scheduled job (`job:...`)."""

    __tablename__ = "lanes"

    key: Mapped[str] = mapped_column(exact(200), primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger, default=0)  # grows with each claim
    leased_until: Mapped[float] = mapped_column(Double, default=0.0)  # epoch seconds, the database's clock
    holder: Mapped[str] = mapped_column(String(120), default="")


class Turn(Base):
    """One answer of the desk to one or several messages: who answered, why, and what it was thought to be."""

    __tablename__ = "turns"

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int] = reference("conversations.id")
    responder: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(160))
    language: Mapped[str] = mapped_column(String(5), default="")
    flow: Mapped[str | None] = mapped_column(String(60))
    step_before: Mapped[str | None] = mapped_column(String(60))
    step_after: Mapped[str | None] = mapped_column(String(60))
    trace: Mapped[Any] = mapped_column(
        Json, default=dict
    )  # analysis, actions and time of each part, for the x-ray
    trace_id: Mapped[str | None] = mapped_column(exact(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Message(Base):
    """One message of a conversation, in or out; an outgoing one is also its own outbox row.

    While `send_due_at` is set, delivery has work to do: send it (queued), or settle what became of it
    (sending, uncertain).
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("integration_id", "external_id"),
        Index("ix_messages_thread", "conversation_id", "id"),
        Index(
            "ix_messages_outbox",
            "send_due_at",
            "conversation_id",
            sqlite_where=text("send_due_at IS NOT NULL"),
            postgresql_where=text("send_due_at IS NOT NULL"),
        ),
        Index(
            "ix_messages_outbox_lane",
            "conversation_id",
            "id",
            sqlite_where=text("send_due_at IS NOT NULL"),
            postgresql_where=text("send_due_at IS NOT NULL"),
        ),
        # A day is counted from this index alone.
        Index("ix_messages_created", "created_at", "direction", "conversation_id"),
    )

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int] = mapped_column(Id, ForeignKey("conversations.id"))
    integration_id: Mapped[int] = mapped_column(Id, ForeignKey("integrations.id"))
    turn_id: Mapped[int | None] = reference(
        "turns.id", nullable=True
    )  # the turn that answered it or wrote it
    direction: Mapped[str] = mapped_column(String(3))  # in or out
    sender: Mapped[str] = mapped_column(String(10))  # customer, bot, shop, operator, owner
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(LongText, default="")
    content: Mapped[Any | None] = mapped_column(Json)  # out: message_content; in: what has no column
    trace_id: Mapped[str | None] = mapped_column(exact(64), index=True)
    external_id: Mapped[str | None] = mapped_column(exact(190))
    quotes_external_id: Mapped[str | None] = mapped_column(exact(190))
    status: Mapped[str | None] = mapped_column(String(10))  # outgoing only
    status_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error_code: Mapped[str] = mapped_column(String(20), default="")
    error_text: Mapped[str] = mapped_column(String(255), default="")
    send_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    client_token: Mapped[str | None] = mapped_column(
        exact(64), unique=True
    )  # of a form: one click, one message
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    resent_count: Mapped[int] = mapped_column(
        Integer, default=0
    )  # sends repeated without knowing the first's fate
    is_edited: Mapped[bool] = mapped_column(Boolean, default=False)
    is_revoked: Mapped[bool] = mapped_column(Boolean, default=False)
    language: Mapped[str | None] = mapped_column(String(5))
    intent: Mapped[str | None] = mapped_column(String(24))
    buying_signal: Mapped[str | None] = mapped_column(String(20))
    sentiment: Mapped[str | None] = mapped_column(String(12))
    sentiment_score: Mapped[float | None] = mapped_column(Float)
    urgency: Mapped[str | None] = mapped_column(String(10))
    provider_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    @property
    def is_inbound(self) -> bool:
        return self.direction == "in"


class StoredMedia(Base):
    """A file that came with a message: where it is kept, or why it is not."""

    __tablename__ = "stored_media"

    id: Mapped[int] = primary_key()
    message_id: Mapped[int] = reference("messages.id")
    state: Mapped[str] = mapped_column(String(10), default="pending")  # pending, stored, failed
    source: Mapped[Any] = mapped_column(Json)  # providers.base.InboundMedia
    media_kind: Mapped[str] = mapped_column(String(20))
    mime_type: Mapped[str] = mapped_column(String(120), default="")
    filename: Mapped[str] = mapped_column(String(255), default="")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    path: Mapped[str] = mapped_column(String(255), default="")
    error: Mapped[str] = mapped_column(String(255), default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Worker(Base):
    """A worker's heartbeat: the web process tells people when none is alive."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(exact(120), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    figures: Mapped[str | None] = mapped_column(LongText, deferred=True)  # as Prometheus reads them


class Alert(Base):
    """Something that people of ours must be told; repeated news of one `topic` is one open row."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("open_topic"),)

    id: Mapped[int] = primary_key()
    kind: Mapped[str] = mapped_column(String(40))
    open_topic: Mapped[str | None] = mapped_column(exact(190))  # null once acknowledged
    text: Mapped[str] = mapped_column(String(500))
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    times: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When it was written down who is told of it; none: a worker will see to it.
    routed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class AlertRecipient(Base):
    """Somebody or something that is told of alerts by one channel, and of which.

    channel: email, sms, webhook, push (every browser in which an operator turned it on), whatsapp (the
    owners' phones; which they are stands with the numbers). A removed one keeps its row, for what it was
    told.
    """

    __tablename__ = "alert_recipients"
    __table_args__ = (UniqueConstraint("channel", "address_key"),)

    id: Mapped[int] = primary_key()
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(Text, default="")
    address_key: Mapped[str] = mapped_column(exact(64))  # SHA-256 of the address
    name: Mapped[str] = mapped_column(String(120), default="")
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)  # push: whose browsers
    language: Mapped[str] = mapped_column(String(5), default="pt")
    kinds: Mapped[Any | None] = mapped_column(Json)  # None: all, also those that are to come
    quiet_from_min: Mapped[int | None] = mapped_column(Integer)  # minutes of the local day
    quiet_until_min: Mapped[int | None] = mapped_column(Integer)
    is_woken: Mapped[bool] = mapped_column(Boolean, default=True)  # urgent ones come in quiet hours, too
    secret: Mapped[str] = mapped_column(Text, default="", info=SEALED)  # signs a webhook
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_from_environment: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PushSubscription(Base):
    """One browser of an operator that shows alerts (RFC 8030); a push service that forgets it ends it."""

    __tablename__ = "push_subscriptions"

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id")
    endpoint: Mapped[str] = mapped_column(Text)
    endpoint_key: Mapped[str] = mapped_column(exact(64), unique=True)  # SHA-256 of the endpoint
    p256dh: Mapped[str] = mapped_column(String(120))
    auth: Mapped[str] = mapped_column(String(60))
    browser: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AlertDelivery(Base):
    """That one recipient is told of one alert: the outbox of alerts. No words, no names.

    state: waiting, sending (`due_at` is the end of the lease), sent, failed, uncertain (cut off; not sent
    again), dropped (over before it was told); `reason` says why. Alerts are deleted, so it only holds their
    id.
    """

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        UniqueConstraint("alert_id", "recipient_id"),
        Index(None, "recipient_id", "topic"),
        Index(None, "recipient_id", "sent_at"),
    )

    id: Mapped[int] = primary_key()
    alert_id: Mapped[int] = mapped_column(Id)
    recipient_id: Mapped[int] = reference("alert_recipients.id", index=False)
    kind: Mapped[str] = mapped_column(String(40))
    topic: Mapped[str] = mapped_column(exact(190))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str] = mapped_column(String(60), default="")
    batch_id: Mapped[int | None] = mapped_column(Id)  # the first of those that travel in one message
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- what an intent sets in motion --------------------------------------------------------------------------


class Lead(Base):
    __tablename__ = "leads"

    id: Mapped[int] = primary_key()
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)  # the opening words
    name: Mapped[str] = mapped_column(String(255), default="")
    phone: Mapped[str] = mapped_column(String(40), default="")
    email: Mapped[str] = mapped_column(String(255), default="")
    interest: Mapped[str] = mapped_column(String(120), default="")
    budget_usd: Mapped[int | None] = mapped_column(BigInteger)
    country: Mapped[str] = mapped_column(String(100), default="")
    source: Mapped[str] = mapped_column(String(60), default="")
    status: Mapped[str] = mapped_column(String(20), default="new")
    notes: Mapped[str] = mapped_column(LongText, default="")
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    score: Mapped[int | None] = mapped_column(Integer)  # 0 to 100; rests once the lead is closed
    score_reasons: Mapped[Any | None] = mapped_column(Json)  # [[part, points, code, value], ...]
    scored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[int] = primary_key()
    number: Mapped[str | None] = mapped_column(exact(20), unique=True)
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)
    subject: Mapped[str] = mapped_column(String(160), default="")
    description: Mapped[str] = mapped_column(LongText, default="")
    priority: Mapped[str] = mapped_column(String(10), default="medium")  # an urgency
    status: Mapped[str] = mapped_column(String(20), default="open")
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # in working time
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Complaint(Base):
    __tablename__ = "complaints"

    id: Mapped[int] = primary_key()
    number: Mapped[str | None] = mapped_column(exact(20), unique=True)
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)
    description: Mapped[str] = mapped_column(LongText, default="")
    status: Mapped[str] = mapped_column(String(20), default="open")
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the customer said: not solved
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # whether it was solved
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Appointment(Base):
    __tablename__ = "appointments"

    id: Mapped[int] = primary_key()
    number: Mapped[str | None] = mapped_column(exact(20), unique=True)
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)
    topic: Mapped[str] = mapped_column(String(160), default="")
    wish: Mapped[str] = mapped_column(String(255), default="")  # the customer's words for the time
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Team, start and seat while the time is taken: two at once cannot have the same one.
    slot_key: Mapped[str | None] = mapped_column(exact(60), index=True, unique=True)
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    status: Mapped[str] = mapped_column(String(20), default="requested")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Feedback(Base):
    __tablename__ = "feedback"

    id: Mapped[int] = primary_key()
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    score: Mapped[int | None] = mapped_column(Integer)  # 1 to 5
    text: Mapped[str] = mapped_column(LongText, default="")
    record: Mapped[str] = mapped_column(String(20), default="")  # what it is about: ticket, complaint, ...
    record_id: Mapped[int | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class FeedbackRequest(Base):
    """That a customer was asked for a score, once per closing. state: asked, unsent, answered."""

    __tablename__ = "feedback_requests"

    id: Mapped[int] = primary_key()
    key: Mapped[str] = mapped_column(exact(60), unique=True)  # the closing that it is about
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int] = reference("conversations.id")
    record: Mapped[str] = mapped_column(String(20))
    record_id: Mapped[int] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(10), default="asked")
    feedback_id: Mapped[int | None] = mapped_column(Id, ForeignKey("feedback.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class FollowUp(Base):
    """Something that one of us has promised to look after, by a time. status: open, done."""

    __tablename__ = "follow_ups"

    id: Mapped[int] = primary_key()
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)
    kind: Mapped[str] = mapped_column(String(24))  # the intent: order_inquiry, payment_inquiry
    words: Mapped[str] = mapped_column(LongText, default="")  # the customer's
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)
    operator_id: Mapped[int | None] = reference("operators.id", nullable=True)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(20), default="open")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class RecordMessage(Base):
    """A later message of the customer about a record that is open: one problem is one ticket."""

    __tablename__ = "record_messages"
    __table_args__ = (UniqueConstraint("record", "record_id", "message_id"),)

    id: Mapped[int] = primary_key()
    record: Mapped[str] = mapped_column(String(20))
    record_id: Mapped[int] = mapped_column(Id)
    message_id: Mapped[int] = reference("messages.id")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class AppointmentReminder(Base):
    """One reminder of one booked time, sent or not. state: sent, window_closed, opted_out, number_off."""

    __tablename__ = "appointment_reminders"
    __table_args__ = (UniqueConstraint("appointment_id", "kind", "starts_at"),)

    id: Mapped[int] = primary_key()
    appointment_id: Mapped[int] = reference("appointments.id", index=False)
    kind: Mapped[str] = mapped_column(String(8))  # day, hour
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the time that it reminds of
    state: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class AppointmentLetter(Base):
    """One e-mail with an invitation (`.ics`) to the customer, or with its end; the newest says how it is.

    state: waiting, sending (`due_at` is the end of the lease), sent, failed, dropped; `reason` says why.
    """

    __tablename__ = "appointment_letters"
    __table_args__ = (UniqueConstraint("appointment_id", "sequence"),)

    id: Mapped[int] = primary_key()
    appointment_id: Mapped[int] = reference("appointments.id", index=False)
    sequence: Mapped[int] = mapped_column(Integer)  # iCalendar's SEQUENCE (RFC 5545, 3.8.7.4)
    method: Mapped[str] = mapped_column(String(10))  # iTIP: REQUEST, CANCEL
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str] = mapped_column(String(60), default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class CalendarFeed(Base):
    """A private address of the appointments, which calendar programs subscribe to; only its hash is kept."""

    __tablename__ = "calendar_feeds"

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id")
    name: Mapped[str] = mapped_column(String(120))
    team_id: Mapped[int | None] = reference("teams.id", nullable=True)  # None: every team
    token_hash: Mapped[str] = mapped_column(exact(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# --- the shop -----------------------------------------------------------------------------------------------


class Niche(Base):
    """A field of trade that products belong to (fitness, cooking), across the shop's categories."""

    __tablename__ = "niches"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    names: Mapped[Any] = mapped_column(Json, default=dict)  # by language, where it differs
    position: Mapped[int] = mapped_column(Integer, default=0)


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    names: Mapped[Any] = mapped_column(Json, default=dict)  # by language, where it differs
    position: Mapped[int] = mapped_column(Integer, default=0)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = primary_key()
    category_id: Mapped[int] = reference("categories.id")
    niche_id: Mapped[int | None] = reference("niches.id", nullable=True)
    sku: Mapped[str] = mapped_column(exact(60), unique=True)  # the catalogue's retailer id
    name: Mapped[str] = mapped_column(String(160))
    names: Mapped[Any] = mapped_column(Json, default=dict)
    description: Mapped[str] = mapped_column(LongText, default="")
    descriptions: Mapped[Any] = mapped_column(Json, default=dict)
    benefits: Mapped[Any] = mapped_column(Json, default=list)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3), default="BRL")
    stock: Mapped[int | None] = mapped_column(Integer)  # null: unlimited
    offer_ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a true deadline of this price
    attribution_days: Mapped[int | None] = mapped_column(Integer)  # null: as the learning has it
    image_id: Mapped[int | None] = reference("stored_files.id", nullable=True, index=False)
    # What is handed over after payment: manual (people do it), file, key (from licence_keys) or text.
    delivery_kind: Mapped[str] = mapped_column(String(10), default="manual")
    delivery_text: Mapped[str] = mapped_column(LongText, default="")
    delivery_file_id: Mapped[int | None] = reference("stored_files.id", nullable=True, index=False)
    position: Mapped[int] = mapped_column(Integer, default=0)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class StoredFile(Base):
    """A file of our own in the media folder: what a product delivers, its picture, a payment's QR code."""

    __tablename__ = "stored_files"

    id: Mapped[int] = primary_key()
    sha256: Mapped[str] = mapped_column(exact(64), index=True)
    path: Mapped[str] = mapped_column(String(255))  # within the media folder
    mime_type: Mapped[str] = mapped_column(String(120))
    filename: Mapped[str] = mapped_column(String(255), default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LicenceKey(Base):
    """One key of a product's list; `taken_at` is set once and for ever, so that no key is sold twice."""

    __tablename__ = "licence_keys"
    __table_args__ = (UniqueConstraint("product_id", "code"), UniqueConstraint("delivery_id"))

    id: Mapped[int] = primary_key()
    product_id: Mapped[int] = reference("products.id", index=False)
    code: Mapped[str] = mapped_column(exact(190))
    delivery_id: Mapped[int | None] = mapped_column(Id, ForeignKey("deliveries.id"))
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Order(Base):
    """A cart until it is placed; then it has a number and its prices are fixed."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("cart_of_conversation_id"),)

    id: Mapped[int] = primary_key()
    number: Mapped[str | None] = mapped_column(exact(20), unique=True)
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int] = reference("conversations.id")
    # Set while it is the open cart, so that a conversation has one at most.
    cart_of_conversation_id: Mapped[int | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(20), default="cart")  # cart, placed, paid, cancelled, refunded
    # unpaid, claimed (the customer says so), paid, partly_refunded, refunded
    payment_status: Mapped[str] = mapped_column(String(20), default="unpaid")
    currency: Mapped[str] = mapped_column(String(3), default="BRL")
    total_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    source: Mapped[str] = mapped_column(String(60), default="")
    placed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    items: Mapped[list["OrderItem"]] = relationship(back_populates="order", order_by="OrderItem.id")


class OrderItem(Base):
    __tablename__ = "order_items"
    __table_args__ = (UniqueConstraint("order_id", "product_id"),)

    id: Mapped[int] = primary_key()
    order_id: Mapped[int] = reference("orders.id", index=False)
    product_id: Mapped[int] = reference("products.id")
    name: Mapped[str] = mapped_column(String(160))
    quantity: Mapped[int] = mapped_column(Integer)
    price_minor: Mapped[int] = mapped_column(BigInteger)

    order: Mapped[Order] = relationship(back_populates="items")


class PaymentSettings(Base):
    """How this shop takes money without an account of a payment service; one row, written by an admin."""

    __tablename__ = "payment_settings"

    id: Mapped[int] = primary_key()
    pix_key: Mapped[str] = mapped_column(String(80), default="")
    pix_name: Mapped[str] = mapped_column(String(80), default="")
    pix_city: Mapped[str] = mapped_column(String(80), default="")
    manual_text: Mapped[str] = mapped_column(LongText, default="")  # bank transfer: what the customer is told
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Payment(Base):
    """One way in which an order was to be paid. Several may be open; the first that is confirmed pays it.

    While `due_at` is set a task has work to do: ask the payment service for the link (`data` has none yet).
    """

    __tablename__ = "payments"
    __table_args__ = (UniqueConstraint("method", "external_id"), Index(None, "status", "method", "id"))

    id: Mapped[int] = primary_key()
    order_id: Mapped[int] = reference("orders.id")
    method: Mapped[str] = mapped_column(String(12))  # pix, stripe, mercadopago, manual
    status: Mapped[str] = mapped_column(String(12), default="pending")
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    our_reference: Mapped[str] = mapped_column(exact(25), unique=True)  # Pix txid; what a service gives back
    external_id: Mapped[str | None] = mapped_column(exact(190))  # the payment service's own
    data: Mapped[Any] = mapped_column(Json, default=dict)  # BR Code, link, instructions, mismatches
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the customer said that it is paid
    receipt_message_id: Mapped[int | None] = reference("messages.id", nullable=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    # When a task next asks the service how it stands, or closes it: webhooks may be lost.
    ask_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    order: Mapped[Order] = relationship()


class PaymentEvent(Base):
    """The inbox of payment services: one signed webhook as it came. state: pending, done, failed, ignored."""

    __tablename__ = "payment_events"
    __table_args__ = (UniqueConstraint("method", "event_key"), Index(None, "state", "due_at"))

    id: Mapped[int] = primary_key()
    method: Mapped[str] = mapped_column(String(12))
    event_key: Mapped[str] = mapped_column(exact(190))
    kind: Mapped[str] = mapped_column(String(80), default="")  # the service's own name of what happened
    state: Mapped[str] = mapped_column(String(10), default="pending")
    payload: Mapped[bytes] = mapped_column(LongBytes)
    payment_id: Mapped[int | None] = reference("payments.id", nullable=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(255), default="")


class Refund(Base):
    """Money that goes back. While `due_at` is set a task has to ask the payment service for it."""

    __tablename__ = "refunds"

    id: Mapped[int] = primary_key()
    payment_id: Mapped[int] = reference("payments.id")
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(12), default="requested")  # requested, done, failed
    idempotency_key: Mapped[str] = mapped_column(exact(64), unique=True)
    external_id: Mapped[str | None] = mapped_column(exact(190))
    reason: Mapped[str] = mapped_column(String(255), default="")
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    payment: Mapped[Payment] = relationship()


class Delivery(Base):
    """What one line of a paid order brings the customer, and the proof that it reached them.

    status: pending (no key left, or nobody may write to the customer now), sent, revoked. A key goes out once
    per unit, a file or a text once per line.
    """

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("order_item_id", "unit"), Index(None, "status", "id"))

    id: Mapped[int] = primary_key()
    order_id: Mapped[int] = reference("orders.id")
    order_item_id: Mapped[int] = reference("order_items.id", index=False)
    unit: Mapped[int] = mapped_column(Integer, default=1)
    kind: Mapped[str] = mapped_column(String(10))  # manual, file, key, text
    status: Mapped[str] = mapped_column(String(10), default="pending")
    text: Mapped[str] = mapped_column(LongText, default="")  # the key or the words that were handed over
    file_id: Mapped[int | None] = reference("stored_files.id", nullable=True, index=False)
    token_hash: Mapped[str | None] = mapped_column(exact(64), unique=True)  # of the link in the last message
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True)  # its status is a proof, too
    sent_count: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_count: Mapped[int] = mapped_column(Integer, default=0)
    first_opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Sale(Base):
    """A paid order as a figure: what it brought, by which strategy, and where the customer came from.

    It outlives a deleted person, without her ids.
    """

    __tablename__ = "sales"

    id: Mapped[int] = primary_key()
    order_id: Mapped[int | None] = mapped_column(Id, ForeignKey("orders.id"), unique=True)
    contact_id: Mapped[int | None] = reference("contacts.id", nullable=True)
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    decision_id: Mapped[int | None] = reference("decisions.id", nullable=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[str] = mapped_column(String(12))
    strategy: Mapped[str] = mapped_column(String(20), default="")
    flow: Mapped[str] = mapped_column(String(60), default="")
    ad_click_id: Mapped[str] = mapped_column(String(255), default="")
    ad_source_id: Mapped[str] = mapped_column(String(120), default="")
    campaign: Mapped[str] = mapped_column(String(120), default="")
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    reversed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OwnerNotice(Base):
    """One alert as the owner is told of it on her own phone, and what she answered with a button.

    state: waiting (her window is closed), sent, later (she is reminded at `due_at`), done, dropped (settled
    before she was told). An alert is one notice for ever; alerts are deleted, so it only holds their id.
    """

    __tablename__ = "owner_notices"
    __table_args__ = (UniqueConstraint("alert_id"), Index(None, "state", "due_at"))

    id: Mapped[int] = primary_key()
    alert_id: Mapped[int] = mapped_column(Id)
    integration_id: Mapped[int] = reference("integrations.id")
    conversation_id: Mapped[int] = reference("conversations.id")  # of the customer whom it is about
    order_id: Mapped[int | None] = mapped_column(Id, index=True)
    kind: Mapped[str] = mapped_column(String(20))  # paid, payment_claimed, waiting, complaint, ...
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message_id: Mapped[int | None] = mapped_column(Id)  # the last message to the owner
    sent_count: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    knocked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a template asked her to write
    answer: Mapped[str] = mapped_column(String(10), default="")  # paid, take, later
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class Nudge(Base):
    """The one message that we write by ourselves about a cart, an unpaid order or a silent lead.

    state: planned (waits for a decent hour), sent, cancelled; `reason` says why.
    """

    __tablename__ = "nudges"
    __table_args__ = (UniqueConstraint("record", "record_id"), Index(None, "state", "due_at"))

    id: Mapped[int] = primary_key()
    record: Mapped[str] = mapped_column(String(20))  # order (a cart is one, too), lead
    record_id: Mapped[int] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(10))  # cart, order, lead
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int] = reference("conversations.id")
    state: Mapped[str] = mapped_column(String(10), default="planned")
    reason: Mapped[str] = mapped_column(String(40), default="")
    silent_since: Mapped[datetime] = mapped_column(UtcDateTime)  # the last words of the customer
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message_id: Mapped[int | None] = reference("messages.id", nullable=True, index=False)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class InvestmentProgram(Base):
    """A residency or citizenship programme of seed 004."""

    __tablename__ = "investment_programs"
    __table_args__ = (Index(None, "category", "rank"),)

    id: Mapped[int] = primary_key()
    country: Mapped[str] = mapped_column(String(100))
    category: Mapped[str] = mapped_column(String(50))  # Europe, Caribbean, USA, UAE
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(LongText, default="")
    minimum_investment: Mapped[int] = mapped_column(BigInteger)  # US dollars
    processing_time: Mapped[str] = mapped_column(String(100), default="")
    link: Mapped[str] = mapped_column(String(500), default="")
    rank: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- reaching people ----------------------------------------------------------------------------------------


class MessageTemplate(Base):
    """A message that a provider has approved beforehand, in one language: all that may open a conversation.

    status: draft (ours alone), pending, approved, rejected, paused, disabled, archived, deleted.
    """

    __tablename__ = "message_templates"
    __table_args__ = (UniqueConstraint("integration_id", "name", "language"), Index(None, "external_id"))

    id: Mapped[int] = primary_key()
    integration_id: Mapped[int] = reference("integrations.id", index=False)
    name: Mapped[str] = mapped_column(exact(512))
    language: Mapped[str] = mapped_column(exact(15))  # the provider's code: pt_BR, en
    category: Mapped[str] = mapped_column(String(20), default="utility")  # marketing, utility, authentication
    wording: Mapped[Any] = mapped_column(Json)  # providers.templates.Wording
    body: Mapped[str] = mapped_column(LongText, default="")
    status: Mapped[str] = mapped_column(String(20), default="draft")
    status_reason: Mapped[str] = mapped_column(String(255), default="")
    quality: Mapped[str] = mapped_column(String(12), default="")  # green, yellow, red
    external_id: Mapped[str | None] = mapped_column(exact(100))  # Twilio: the Content SID
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class TemplateUse(Base):
    """That a template was sent, and what for; it outlives its message, which a person may have deleted."""

    __tablename__ = "template_uses"
    __table_args__ = (Index(None, "template_id", "created_at"),)

    id: Mapped[int] = primary_key()
    template_id: Mapped[int] = reference("message_templates.id", index=False)
    message_id: Mapped[int] = mapped_column(Id, unique=True)
    purpose: Mapped[str] = mapped_column(String(20))  # campaign, scheduled, operator, follow_up, owner, ...
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Campaign(Base):
    """One template to many people. state: draft, scheduled, running, paused, done, cancelled."""

    __tablename__ = "campaigns"
    __table_args__ = (Index(None, "state", "next_at"),)

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120))
    integration_id: Mapped[int] = reference("integrations.id")
    template_name: Mapped[str] = mapped_column(exact(512))
    fallback_language: Mapped[str] = mapped_column(exact(15), default="")  # for whom it has no language
    filling: Mapped[Any] = mapped_column(Json, default=dict)  # what goes into each placeholder
    segment: Mapped[Any] = mapped_column(Json, default=dict)  # whom it is for; empty: those of a file
    state: Mapped[str] = mapped_column(String(12), default="draft")
    per_minute: Mapped[int] = mapped_column(Integer, default=30)
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the next of them may leave
    reason: Mapped[str] = mapped_column(String(40), default="")  # why it paused by itself
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    client_token: Mapped[str | None] = mapped_column(exact(64), unique=True)  # of a form: one click, one row
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CampaignRecipient(Base):
    """One person of a campaign. state: waiting, queued (its message exists), left_out (`reason` says why).

    `person_key` is one per person and campaign: a contact, or the number in all its spellings.
    """

    __tablename__ = "campaign_recipients"
    __table_args__ = (
        UniqueConstraint("campaign_id", "person_key"),
        Index(None, "campaign_id", "state", "due_at"),
    )

    id: Mapped[int] = primary_key()
    campaign_id: Mapped[int] = reference("campaigns.id", index=False)
    person_key: Mapped[str] = mapped_column(exact(60))
    contact_id: Mapped[int | None] = reference("contacts.id", nullable=True)
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    phone: Mapped[str] = mapped_column(exact(20), default="", index=True)  # of a file: digits, no contact yet
    name: Mapped[str] = mapped_column(String(255), default="")
    language: Mapped[str] = mapped_column(String(5), default="")
    columns: Mapped[Any | None] = mapped_column(Json)  # of a file, by the names in its first row
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str] = mapped_column(String(40), default="")
    message_id: Mapped[int | None] = mapped_column(Id, index=True)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a decent hour where she is
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ScheduledMessage(Base):
    """One message to one person, later. state: waiting, queued, cancelled, refused (`reason` says why)."""

    __tablename__ = "scheduled_messages"
    __table_args__ = (Index(None, "state", "due_at"),)

    id: Mapped[int] = primary_key()
    contact_id: Mapped[int] = reference("contacts.id")
    conversation_id: Mapped[int] = reference("conversations.id")
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    body: Mapped[str] = mapped_column(LongText, default="")  # free text, or what a template will say
    template_id: Mapped[int | None] = reference("message_templates.id", nullable=True)
    filling: Mapped[Any | None] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str] = mapped_column(String(40), default="")
    message_id: Mapped[int | None] = mapped_column(Id)
    client_token: Mapped[str] = mapped_column(exact(64), unique=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- what became of records ---------------------------------------------------------------------------------


class StateChange(Base):
    """One step of a record from one state to another. Rows are added, never changed."""

    __tablename__ = "state_changes"
    __table_args__ = (Index(None, "record", "record_id"), Index(None, "at"))

    id: Mapped[int] = primary_key()
    record: Mapped[str] = mapped_column(String(20))  # the singular of its table: order, ticket, ...
    record_id: Mapped[int] = mapped_column(Id)
    before: Mapped[str] = mapped_column(String(24), default="")
    after: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(12))  # customer, bot, operator, owner, provider, system
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    reason: Mapped[str] = mapped_column(String(255), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- figures ------------------------------------------------------------------------------------------------


class DailyFigure(Base):
    """One figure of one local day, or one part of it: how often, and of what sum. Days are written whole.

    What `name`, `part` and `total` mean stands with the figures in `analytics.figures`.
    """

    __tablename__ = "daily_figures"
    __table_args__ = (UniqueConstraint("day", "name", "part"),)

    id: Mapped[int] = primary_key()
    day: Mapped[date] = mapped_column(Date)
    name: Mapped[str] = mapped_column(exact(30))
    part: Mapped[str] = mapped_column(exact(160), default="")
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)


class Pulse(Base):
    """A minute in which a process of this kind lived: what "uptime" is counted from. part: web, worker."""

    __tablename__ = "pulses"

    part: Mapped[str] = mapped_column(exact(10), primary_key=True)
    minute: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, index=True)


class SavedReport(Base):
    """A choice of figures and a period under a name of the operator's own."""

    __tablename__ = "saved_reports"
    __table_args__ = (UniqueConstraint("operator_id", "name"),)

    id: Mapped[int] = primary_key()
    operator_id: Mapped[int] = reference("operators.id", index=False)
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class DeskSetting(Base):
    """What admins set for the whole desk, by name; what is not here is as the environment has it."""

    __tablename__ = "desk_settings"

    name: Mapped[str] = mapped_column(exact(60), primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


# --- what the desk is taught --------------------------------------------------------------------------------


class LabelCorrection(Base):
    """An operator's word about how a message was read; the last one for a message and task counts."""

    __tablename__ = "label_corrections"
    __table_args__ = (UniqueConstraint("message_id", "task"),)

    id: Mapped[int] = primary_key()
    message_id: Mapped[int] = reference("messages.id", index=False)
    task: Mapped[str] = mapped_column(String(20))  # intent, buying_signal, sentiment, urgency
    read_as: Mapped[str] = mapped_column(String(24), default="")  # what the desk had said
    label: Mapped[str] = mapped_column(String(24))  # equal to read_as: confirmed
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class TrainingExample(Base):
    """A text of this business with its label, beside the packaged ones."""

    __tablename__ = "training_examples"

    id: Mapped[int] = primary_key()
    task: Mapped[str] = mapped_column(String(20), index=True)
    label: Mapped[str] = mapped_column(String(24))
    language: Mapped[str] = mapped_column(String(5))
    text: Mapped[str] = mapped_column(LongText)
    correction_id: Mapped[int | None] = mapped_column(Id, ForeignKey("label_corrections.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class PhrasePattern(Base):
    """A phrase of this business that settles a label wherever it stands in a message."""

    __tablename__ = "phrase_patterns"
    __table_args__ = (UniqueConstraint("task", "phrase"),)

    id: Mapped[int] = primary_key()
    task: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(24))
    phrase: Mapped[str] = mapped_column(exact(160))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class TrainedModel(Base):
    """A classifier learnt from the packaged examples and this business's own; the newest of a task reads."""

    __tablename__ = "trained_models"
    __table_args__ = (Index(None, "task", "id"),)

    id: Mapped[int] = primary_key()
    task: Mapped[str] = mapped_column(String(20))
    version: Mapped[str] = mapped_column(String(16))
    data: Mapped[bytes] = mapped_column(LongBytes)
    report: Mapped[Any] = mapped_column(Json, default=dict)  # examples, accuracy and F1 before and after
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Article(Base):
    """A page of what the business knows and tells: a question, its answer, or a whole text."""

    __tablename__ = "articles"

    id: Mapped[int] = primary_key()
    slug: Mapped[str] = mapped_column(exact(120), unique=True)  # of its file or title: an import twice is one
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(LongText, default="")
    language: Mapped[str] = mapped_column(String(5), default="pt")
    integration_id: Mapped[int | None] = reference("integrations.id", nullable=True)  # None: every number
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Passage(Base):
    """A part of an article that fits one answer, with its words made ready for the full-text search."""

    __tablename__ = "passages"
    __table_args__ = (UniqueConstraint("article_id", "position"),)

    id: Mapped[int] = primary_key()
    article_id: Mapped[int] = reference("articles.id", index=False)
    position: Mapped[int] = mapped_column(Integer)
    heading: Mapped[str] = mapped_column(String(200), default="")
    text: Mapped[str] = mapped_column(LongText)
    words: Mapped[str] = mapped_column(LongText, default="")  # folded, without accents: what is searched


class ModelCall(Base):
    """One call to a language model: what it was for, what it cost, how it ended. No words."""

    __tablename__ = "model_calls"

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True)
    turn_id: Mapped[int | None] = reference("turns.id", nullable=True)
    purpose: Mapped[str] = mapped_column(String(20))  # reply, reading, suggestion, summary, translation, ...
    model: Mapped[str] = mapped_column(String(120))
    outcome: Mapped[str] = mapped_column(String(20))  # ok, or the code of the failure
    prompt_tokens: Mapped[int] = mapped_column(Integer, default=0)
    completion_tokens: Mapped[int] = mapped_column(Integer, default=0)
    cost_microusd: Mapped[int] = mapped_column(BigInteger, default=0)  # millionths of a US dollar
    took_ms: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


# --- how it learns to sell ----------------------------------------------------------------------------------


class Arm(Base):
    """A strategy that may be chosen, in one version: what it says changed, so it is another one.

    An own one has a `base`, the shipped manner that it builds on, and a `title`.
    """

    __tablename__ = "arms"
    __table_args__ = (UniqueConstraint("strategy", "version"),)

    id: Mapped[int] = primary_key()
    strategy: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer, default=1)
    is_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    is_pinned: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[str] = mapped_column(String(255), default="")
    fingerprint: Mapped[str] = mapped_column(String(40), default="")  # of all that it says; empty: not known
    base: Mapped[str] = mapped_column(String(20), default="")  # empty: one of the shipped four
    title: Mapped[str] = mapped_column(String(60), default="")
    own: Mapped[Any | None] = mapped_column(Json)  # {"instruction": for a model, "words": by language}
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # for good; its decisions stay
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Offer(Base):
    """The prices of one niche, in one version: one of them changed, so it is another offer."""

    __tablename__ = "offers"
    __table_args__ = (UniqueConstraint("niche", "version"),)

    id: Mapped[int] = primary_key()
    niche: Mapped[str] = mapped_column(exact(120))  # as the context of a decision names it
    version: Mapped[int] = mapped_column(Integer, default=1)
    prices: Mapped[Any] = mapped_column(Json, default=dict)  # by SKU: minor units and currency
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Decision(Base):
    """Which strategy a sales episode got, and how likely each was. Rows are added, never changed; only a
    deleted person's lose their ids.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "conversation_id", "id"), Index(None, "closes_at", "id"))

    id: Mapped[int] = primary_key()
    conversation_id: Mapped[int | None] = reference("conversations.id", nullable=True, index=False)
    contact_id: Mapped[int | None] = reference("contacts.id", nullable=True)
    episode: Mapped[int] = mapped_column(Integer, default=1)  # the conversation's first, second, ...
    strategy: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer, default=1)  # of the strategy
    offer_version: Mapped[int] = mapped_column(Integer, default=1)  # of its niche's prices
    eligible: Mapped[Any] = mapped_column(Json, default=list)
    propensities: Mapped[Any] = mapped_column(Json, default=dict)  # by strategy; empty when a person chose
    propensity: Mapped[float | None] = mapped_column(Double)
    epsilon: Mapped[float | None] = mapped_column(Double)
    explored: Mapped[bool] = mapped_column(Boolean, default=False)
    context: Mapped[Any] = mapped_column(Json, default=dict)
    policy: Mapped[str] = mapped_column(String(20))
    policy_version: Mapped[int] = mapped_column(Integer, default=0)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    prompt_version: Mapped[str] = mapped_column(String(40), default="")
    is_holdout: Mapped[bool] = mapped_column(Boolean, default=False)
    is_manual: Mapped[bool] = mapped_column(Boolean, default=False)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)  # of a simulated customer
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)  # what is ordered later is not its merit


class Outcome(Base):
    """What came of a decision. Rows are added, never changed: a refund is a row beside its sale."""

    __tablename__ = "outcomes"
    __table_args__ = (UniqueConstraint("decision_id", "kind", "order_id", "nth"),)

    id: Mapped[int] = primary_key()
    decision_id: Mapped[int] = reference("decisions.id", index=False)
    kind: Mapped[str] = mapped_column(String(12))  # sale, refund, expired, refusal, or a harm
    order_id: Mapped[int] = mapped_column(Id, default=0, index=True)  # 0: of no order; outlives its order
    nth: Mapped[int] = mapped_column(Integer, default=1)  # an order may be paid again after its refund
    value_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PolicyState(Base):
    """What the policy has learnt: one row, changed only under its `version`; rebuilt from the log at will."""

    __tablename__ = "policy_states"

    id: Mapped[int] = primary_key()
    version: Mapped[int] = mapped_column(Integer, default=0)
    policy: Mapped[str] = mapped_column(String(20), default="")
    # Each read when it is asked for, so that a damaged one can be seen to.
    # From matured decisions alone: what a rebuild equals.
    settled: Mapped[Any | None] = mapped_column(Json, deferred=True)
    live: Mapped[Any | None] = mapped_column(Json, deferred=True)  # with open ones, by age: what chooses
    absorbed: Mapped[Any | None] = mapped_column(Json, deferred=True)  # which decisions `settled` knows
    forgets_until_id: Mapped[int] = mapped_column(BigInteger, default=0)  # decisions before a reset
    is_frozen: Mapped[bool] = mapped_column(Boolean, default=False)
    is_off: Mapped[bool] = mapped_column(Boolean, default=False)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LearningChange(Base):
    """Who paused, pinned, froze, reset or switched something off, when and why."""

    __tablename__ = "learning_changes"

    id: Mapped[int] = primary_key()
    action: Mapped[str] = mapped_column(String(20))
    strategy: Mapped[str] = mapped_column(String(20), default="")
    reason: Mapped[str] = mapped_column(String(255))
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Rehearsal(Base):
    """A run of simulated customers: how many were wished for, and how far it is."""

    __tablename__ = "rehearsals"

    id: Mapped[int] = primary_key()
    customers: Mapped[int] = mapped_column(Integer)
    days: Mapped[int] = mapped_column(Integer)
    drift: Mapped[str] = mapped_column(String(10), default="none")
    seed: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, running, done, failed
    done: Mapped[int] = mapped_column(Integer, default=0)  # customers who have come
    sales: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(255), default="")
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)  # its worker's last sign of life


# --- programs of other people -------------------------------------------------------------------------------


class WebhookEndpoint(Base):
    """A program that is told what happens here. A removed one keeps its row, for what it was told."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[int] = primary_key()
    service: Mapped[str] = mapped_column(String(20), default="webhook")  # whose manner of telling it wants
    integration_id: Mapped[int | None] = reference("integrations.id", nullable=True)  # None: of every number
    name: Mapped[str] = mapped_column(String(120), default="")
    url: Mapped[str] = mapped_column(Text)
    kinds: Mapped[Any | None] = mapped_column(Json)  # None: all, also those that are to come
    secret: Mapped[str] = mapped_column(Text, info=SEALED)  # and the one before it, which signs beside it
    old_secret: Mapped[str] = mapped_column(Text, default="", info=SEALED)
    old_secret_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str | None] = mapped_column(String(60))  # the code of what fails since `failing_since`
    settings: Mapped[Any | None] = mapped_column(Json)  # a connector's choices; no secrets
    hook_secret: Mapped[str | None] = mapped_column(Text, info=SEALED)  # signs what a connector is told


class ConnectorLink(Base):
    """What a record of ours is called in another system: nothing is created twice there, and a deletion knows
    what is left. `facts` is what was last said or heard of it."""

    __tablename__ = "connector_links"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "record", "record_id"),
        Index(None, "endpoint_id", "external_id"),
    )

    id: Mapped[int] = primary_key()
    endpoint_id: Mapped[int] = reference("webhook_endpoints.id", index=False)
    record: Mapped[str] = mapped_column(String(20))  # the singular of its table
    record_id: Mapped[int] = mapped_column(Id)
    contact_id: Mapped[int] = mapped_column(Id, index=True)  # whose data it is
    external_id: Mapped[str] = mapped_column(exact(64))
    facts: Mapped[Any | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class OutgoingEvent(Base):
    """Something that programs of other people are told: left beside what happened, in the same commit.

    `body` is written when it is spread to the endpoints that want its kind; every attempt sends the same.
    """

    __tablename__ = "outgoing_events"
    __table_args__ = (Index(None, "is_spread", "id"),)

    id: Mapped[int] = primary_key()
    kind: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(String(20))  # the singular of its table
    record_id: Mapped[int] = mapped_column(Id)
    before: Mapped[str] = mapped_column(String(24), default="")
    after: Mapped[str] = mapped_column(String(24), default="")
    contact_id: Mapped[int | None] = mapped_column(Id, index=True)  # whose data `body` holds
    trace_id: Mapped[str | None] = mapped_column(exact(64))
    body: Mapped[Any | None] = mapped_column(Json)
    is_spread: Mapped[bool] = mapped_column(Boolean, default=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class WebhookDelivery(Base):
    """That one endpoint is told of one event: the outbox of webhooks.

    state: waiting, sending (`due_at` is the end of the lease), sent, failed, dropped; `reason` says why.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (UniqueConstraint("event_id", "endpoint_id"), Index(None, "endpoint_id", "id"))

    id: Mapped[int] = primary_key()
    event_id: Mapped[int] = reference("outgoing_events.id", index=False)
    endpoint_id: Mapped[int] = reference("webhook_endpoints.id", index=False)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    status_code: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(60), default="")
    took_ms: Mapped[int | None] = mapped_column(Integer)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LeadForm(Base):
    """A form of somebody's website that opens leads here, under a private address; its hash alone is kept."""

    __tablename__ = "lead_forms"

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(60))
    integration_id: Mapped[int | None] = reference("integrations.id", nullable=True)
    token_hash: Mapped[str] = mapped_column(exact(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FormEntry(Base):
    """That a form was sent, so that the same entry opens one lead; `lead_id` is empty for what was spam."""

    __tablename__ = "form_entries"
    __table_args__ = (UniqueConstraint("form_id", "entry_key"),)

    id: Mapped[int] = primary_key()
    form_id: Mapped[int] = reference("lead_forms.id", index=False)
    entry_key: Mapped[str] = mapped_column(exact(64))  # a hash, of the sender's key or of the whole entry
    lead_id: Mapped[int | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class Erasure(Base):
    """The receipt of a deletion: that it was done, when, by whom and how much; nothing tells of whom."""

    __tablename__ = "erasures"

    id: Mapped[int] = primary_key()
    receipt: Mapped[str] = mapped_column(exact(40), unique=True)
    subject_hash: Mapped[str] = mapped_column(exact(64), index=True)  # keyed: only the asked number finds it
    counts: Mapped[Any] = mapped_column(Json, default=dict)
    asked_by: Mapped[str] = mapped_column(String(20))  # operator, program, command, retention
    operator_id: Mapped[int | None] = mapped_column(Id, ForeignKey("operators.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# --- how the databases are opened ---------------------------------------------------------------------------

_only_reads: ContextVar[bool] = ContextVar("only_reads", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Mark a block whose transactions only read: on SQLite they begin DEFERRED and wait for no writer.

    Every other transaction on SQLite begins IMMEDIATE: a deferred one that writes later may lose an update.
    """
    token = _only_reads.set(True)
    try:
        yield
    finally:
        _only_reads.reset(token)


def begin_reading() -> None:
    """Mark the rest of this context (a GET request) as reading only."""
    _only_reads.set(True)


def begin_writing() -> None:
    """Mark the rest of this context as writing, which is the default."""
    _only_reads.set(False)


def prepare_engine(engine: Engine) -> None:
    """Set each new connection of `engine` up for its database. Called once per engine by the composition
    root."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", partial(_ping_after_rest, engine.dialect))


def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _ping_after_rest(dialect: Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    """Replace a connection that was cut while it rested, as `pool_pre_ping` does, without asking each
    time."""
    rests_since = record.info.get("rests_since")
    if rests_since is None or time.monotonic() - rests_since < PING_AFTER_SECS:
        return
    try:
        dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error


def _open_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        f"busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # a 200 to the provider must survive a power cut
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN" if _only_reads.get() else "BEGIN IMMEDIATE")
