"""How long what is kept: one rule for each table, in days from the settings; 0 keeps for ever.

Each call of `forget` deletes a bounded number of rows of each table, so that no transaction grows;
`desk_worker` calls it until nothing is left, some times a day. Flushes, never commits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update

from config import Config
from models import (
    Alert,
    AlertDelivery,
    ApiWrite,
    Appointment,
    Base,
    Contact,
    Conversation,
    DeskSetting,
    FormEntry,
    ModelCall,
    Order,
    OutgoingEvent,
    PaymentEvent,
    StoredMedia,
    WebhookEvent,
    db,
)
from privacy import erasures
from statements import changed_rows, insert_or_ignore
from webhooks_out import deliveries

ROWS_AT_ONCE: Final = 5_000
PEOPLE_AT_ONCE: Final = 25
SETTLED: Final = ("done", "ignored", "unknown", "failed")
FORGOTTEN: Final = "deleted by age"
# Where the latest runs are kept, and how many.
RUNS: Final = "retention_runs"
RUNS_KEPT: Final = 10


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went, by table; `media_paths` are files that the caller removes once it has committed.

    `is_all`: nothing that is old is left.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    media_paths: tuple[str, ...] = ()
    is_all: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is over: when, who had it made (worker, command, or a person's id), and what it removed."""

    at: datetime
    by: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """What of one table is old enough, after how many days of which setting, and how it is deleted."""

    name: str
    setting: str
    model: type[Base]
    is_old: Callable[[datetime], ColumnElement[bool]]
    forget: Callable[[datetime], int] | None = None  # None: the rows alone

    def moment(self, config: Config, now: datetime) -> datetime | None:
        """Give the moment before which it is old; None keeps for ever."""
        days: int = getattr(config, self.setting.lower())
        return now - timedelta(days=days) if days else None


def forget(config: Config, *, now: datetime) -> Forgotten:
    """Delete a bounded share of what is older than the settings allow. Flushes."""
    counts: dict[str, int] = {}
    for rule in RULES:
        if (moment := rule.moment(config, now)) is not None:
            counts[rule.name] = (
                rule.forget(moment) if rule.forget else _delete(rule.model, rule.is_old(moment))
            )
    paths: list[str] = []
    if (moment := MEDIA.moment(config, now)) is not None:
        found = _media(moment)
        counts[MEDIA.name] = len(found)
        paths += found
    if (moment := PEOPLE.moment(config, now)) is not None:
        counts[PEOPLE.name] = _people(moment, config, now, paths)
    db.session.flush()
    return Forgotten({name: count for name, count in counts.items() if count}, tuple(paths))


def count(config: Config, *, now: datetime) -> dict[str, int]:
    """Tell how many rows are older than the settings allow, by table; reads only."""
    found: dict[str, int] = {}
    for rule in (*RULES, MEDIA, PEOPLE):
        if (moment := rule.moment(config, now)) is not None:
            old = select(func.count()).select_from(rule.model).where(rule.is_old(moment))
            found[rule.name] = db.session.scalar(old) or 0
    return found


def note_run(forgotten: Forgotten, *, by: str, now: datetime) -> None:
    """Keep what a run removed, for the page; the latest runs stay. Flushes."""
    run = {"at": now.isoformat(timespec="seconds"), "by": by, "counts": dict(forgotten.counts)}
    kept = db.session.get(DeskSetting, RUNS, with_for_update=True)
    if kept is None:
        row = {"value": [run], "updated_at": now}
        db.session.execute(insert_or_ignore(DeskSetting).values(name=RUNS, **row))
    else:
        kept.value, kept.updated_at = [run, *kept.value][:RUNS_KEPT], now
        db.session.flush()


def runs() -> list[Run]:
    """Give the latest runs, the newest first."""
    kept = db.session.get(DeskSetting, RUNS)
    return [
        Run(datetime.fromisoformat(one["at"]), one["by"], one["counts"])
        for one in (kept.value if kept is not None else ())
    ]


def _outgoing_events(moment: datetime) -> int:
    return deliveries.forget_before(moment, ROWS_AT_ONCE)


def _old_alerts(moment: datetime) -> ColumnElement[bool]:
    return (Alert.last_at < moment) & Alert.open_topic.is_(None)


def _alerts(moment: datetime) -> int:
    """Forget alerts that somebody has acknowledged; who was told of them is forgotten with them."""
    ids = _ids(Alert, _old_alerts(moment))
    changed_rows(delete(AlertDelivery).where(AlertDelivery.alert_id.in_(ids)))
    return changed_rows(delete(Alert).where(Alert.id.in_(ids)))


def _old_media(moment: datetime) -> ColumnElement[bool]:
    return (StoredMedia.created_at < moment) & (StoredMedia.path != "")


def _media(moment: datetime) -> list[str]:
    """Forget files of old messages, and name those that no younger message has, too."""
    ids = _ids(StoredMedia, _old_media(moment))
    paths = set(db.session.scalars(select(StoredMedia.path).where(StoredMedia.id.in_(ids))))
    changed_rows(
        update(StoredMedia)
        .where(StoredMedia.id.in_(ids))
        .values(state="failed", error=FORGOTTEN, path="", due_at=None)
    )
    kept = set(db.session.scalars(select(StoredMedia.path).where(StoredMedia.path.in_(sorted(paths)))))
    return sorted(paths - kept)


def _silent(moment: datetime) -> ColumnElement[bool]:
    """Find people of whom nothing came since: no message, no order, no appointment to come."""
    mine = Conversation.contact_id == Contact.id
    return and_(
        Contact.created_at < moment,
        Contact.merged_into_id.is_(None),
        exists().where(mine),
        ~exists().where(mine, func.coalesce(Conversation.last_message_at, Conversation.created_at) >= moment),
        ~exists().where(Order.contact_id == Contact.id, Order.updated_at >= moment),
        ~exists().where(Appointment.contact_id == Contact.id, Appointment.starts_at >= moment),
    )


def _people(moment: datetime, config: Config, now: datetime, paths: list[str]) -> int:
    """Delete people who have been silent since."""
    people = db.session.scalars(
        select(Contact).where(_silent(moment)).order_by(Contact.id).limit(PEOPLE_AT_ONCE)
    ).all()
    for contact_id in [person.id for person in people]:
        person = db.session.get_one(Contact, contact_id)
        deleted, _receipt = erasures.erase(
            [person], asked_by="retention", secret_key=config.secret_key, now=now
        )
        paths += deleted.media_paths
    return len(people)


def _settled(model: type[WebhookEvent] | type[PaymentEvent]) -> Callable[[datetime], ColumnElement[bool]]:
    return lambda moment: (model.received_at < moment) & model.state.in_(SETTLED)


def _delete(model: type[Base], condition: ColumnElement[bool]) -> int:
    key = model.__mapper__.primary_key[0]
    return changed_rows(delete(model).where(key.in_(_ids(model, condition))))


def _ids(model: type[Base], condition: ColumnElement[bool]) -> list[int]:
    key = model.__mapper__.primary_key[0]
    return list(db.session.scalars(select(key).where(condition).order_by(key).limit(ROWS_AT_ONCE)))


# A forgotten `api_writes` row lets its Idempotency-Key be used anew.
RULES: Final = (
    Rule("webhook_events", "RETENTION_EVENTS_DAYS", WebhookEvent, _settled(WebhookEvent)),
    Rule("payment_events", "RETENTION_EVENTS_DAYS", PaymentEvent, _settled(PaymentEvent)),
    Rule("form_entries", "RETENTION_EVENTS_DAYS", FormEntry, lambda moment: FormEntry.created_at < moment),
    Rule(
        "outgoing_events",
        "RETENTION_OUTGOING_DAYS",
        OutgoingEvent,
        deliveries.is_settled_before,
        _outgoing_events,
    ),
    Rule("api_writes", "RETENTION_OUTGOING_DAYS", ApiWrite, lambda moment: ApiWrite.created_at < moment),
    Rule("alerts", "RETENTION_ALERTS_DAYS", Alert, _old_alerts, _alerts),
    Rule(
        "model_calls", "RETENTION_MODEL_CALLS_DAYS", ModelCall, lambda moment: ModelCall.created_at < moment
    ),
)
MEDIA: Final = Rule("stored_media", "RETENTION_MEDIA_DAYS", StoredMedia, _old_media)
PEOPLE: Final = Rule("contacts", "RETENTION_PEOPLE_DAYS", Contact, _silent)
