"""How long what is kept: one rule for each table, in days from the settings; 0 keeps for ever.

The worker calls `forget` some times a day. Each call deletes a bounded number of rows of each table, so that
no transaction grows; what is left goes the next time. Flushes, never commits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from config import Config
from models import (
    Alert,
    AlertDelivery,
    ApiWrite,
    Appointment,
    Base,
    Contact,
    Conversation,
    FormEntry,
    ModelCall,
    Order,
    PaymentEvent,
    StoredMedia,
    WebhookEvent,
    db,
)
from privacy import erasures
from statements import changed_rows
from webhooks_out import deliveries

ROWS_AT_ONCE: Final = 5_000
PEOPLE_AT_ONCE: Final = 25
SETTLED: Final = ("done", "ignored", "unknown", "failed")
FORGOTTEN: Final = "deleted by age"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went, by table; `media_paths` are files that the caller removes once it has committed."""

    counts: Mapping[str, int] = field(default_factory=dict)
    media_paths: tuple[str, ...] = ()


def forget(
    config: Config, *, now: datetime, done: Callable[[int, int], None] = lambda _done, _total: None
) -> Forgotten:
    """Delete what is older than the settings allow; `done` is told after each table. Flushes. Idempotent."""

    def before(days: int) -> datetime | None:
        return now - timedelta(days=days) if days else None

    counts: dict[str, int] = {}
    rules: tuple[tuple[str, int, Callable[[datetime], int]], ...] = (
        ("webhook_events", config.retention_events_days, _webhook_events),
        ("payment_events", config.retention_events_days, _payment_events),
        ("form_entries", config.retention_events_days, _form_entries),
        ("outgoing_events", config.retention_outgoing_days, _outgoing_events),
        ("api_writes", config.retention_outgoing_days, _api_writes),
        ("alerts", config.retention_alerts_days, _alerts),
        ("model_calls", config.retention_model_calls_days, _model_calls),
    )
    for place, (name, days, rule) in enumerate(rules, 1):
        if (moment := before(days)) is not None:
            counts[name] = rule(moment)
        done(place, len(rules))
    paths: list[str] = []
    if (moment := before(config.retention_media_days)) is not None:
        found = _media(moment)
        counts["stored_media"] = len(found)
        paths += found
    if (moment := before(config.retention_people_days)) is not None:
        counts["contacts"] = _people(moment, config, now, paths)
    db.session.flush()
    return Forgotten({name: count for name, count in counts.items() if count}, tuple(paths))


def _webhook_events(moment: datetime) -> int:
    return _delete(WebhookEvent, (WebhookEvent.received_at < moment) & WebhookEvent.state.in_(SETTLED))


def _payment_events(moment: datetime) -> int:
    return _delete(PaymentEvent, (PaymentEvent.received_at < moment) & PaymentEvent.state.in_(SETTLED))


def _form_entries(moment: datetime) -> int:
    return _delete(FormEntry, FormEntry.created_at < moment)


def _outgoing_events(moment: datetime) -> int:
    return deliveries.forget_before(moment, ROWS_AT_ONCE)


def _api_writes(moment: datetime) -> int:
    """Forget which program changed what; its Idempotency-Key may be used anew."""
    return _delete(ApiWrite, ApiWrite.created_at < moment)


def _alerts(moment: datetime) -> int:
    """Forget alerts that somebody has acknowledged; who was told of them is forgotten with them."""
    ids = _ids(Alert, (Alert.last_at < moment) & Alert.open_topic.is_(None))
    changed_rows(delete(AlertDelivery).where(AlertDelivery.alert_id.in_(ids)))
    return changed_rows(delete(Alert).where(Alert.id.in_(ids)))


def _model_calls(moment: datetime) -> int:
    return _delete(ModelCall, ModelCall.created_at < moment)


def _media(moment: datetime) -> list[str]:
    """Forget files of old messages, and name those that no younger message has, too."""
    ids = _ids(StoredMedia, (StoredMedia.created_at < moment) & (StoredMedia.path != ""))
    paths = set(db.session.scalars(select(StoredMedia.path).where(StoredMedia.id.in_(ids))))
    changed_rows(
        update(StoredMedia)
        .where(StoredMedia.id.in_(ids))
        .values(state="failed", error=FORGOTTEN, path="", due_at=None)
    )
    kept = set(db.session.scalars(select(StoredMedia.path).where(StoredMedia.path.in_(sorted(paths)))))
    return sorted(paths - kept)


def _people(moment: datetime, config: Config, now: datetime, paths: list[str]) -> int:
    """Delete people who have been silent since: no message, no order, no appointment to come."""
    mine = Conversation.contact_id == Contact.id
    silent = (
        Contact.created_at < moment,
        Contact.merged_into_id.is_(None),
        exists().where(mine),
        ~exists().where(mine, func.coalesce(Conversation.last_message_at, Conversation.created_at) >= moment),
        ~exists().where(Order.contact_id == Contact.id, Order.updated_at >= moment),
        ~exists().where(Appointment.contact_id == Contact.id, Appointment.starts_at >= moment),
    )
    people = db.session.scalars(
        select(Contact).where(*silent).order_by(Contact.id).limit(PEOPLE_AT_ONCE)
    ).all()
    for contact_id in [person.id for person in people]:
        person = db.session.get_one(Contact, contact_id)
        deleted, _receipt = erasures.erase(
            [person], asked_by="retention", secret_key=config.secret_key, now=now
        )
        paths += deleted.media_paths
    return len(people)


def _delete(model: type[Base], condition: ColumnElement[bool]) -> int:
    key = model.__mapper__.primary_key[0]
    return changed_rows(delete(model).where(key.in_(_ids(model, condition))))


def _ids(model: type[Base], condition: ColumnElement[bool]) -> list[int]:
    key = model.__mapper__.primary_key[0]
    return list(db.session.scalars(select(key).where(condition).order_by(key).limit(ROWS_AT_ONCE)))
