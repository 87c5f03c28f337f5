"""What admins set while the desk runs: some rows of the table of settings, over what the environment says.

One rule: what was saved on a page comes before the environment, and what was not saved is as the environment
has it. Values are kept as texts, one row each, and read by the same table as the environment, so that the
same bounds hold. Each process remembers what it read for a few seconds (`current`). Flushes, never commits.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from flask import current_app
from sqlalchemy import delete, select, update

import config as settings
from config import Config, ConfigError
from models import DeskSetting, db, reading
from statements import changed_rows, insert_or_ignore

AI: Final = (
    "AI_USE",
    "AI_MODEL",
    "AI_FALLBACK_MODELS",
    "AI_VISION_MODEL",
    "AI_TRANSCRIPTION_MODEL",
    "AI_DAILY_SPEND_CAP_USD",
    "AI_PRICE_IN",
    "AI_PRICE_OUT",
    "AI_READS",
    "AI_JUDGE",
    "AI_INTENTS_LEFT_OUT",
    "AI_NICHES_LEFT_OUT",
    "AI_TONE",
    "AI_TEMPERATURE",
    "AI_REPLY_TOKENS",
    "PERSON_BELOW",
)
RETENTION: Final = (
    "RETENTION_EVENTS_DAYS",
    "RETENTION_OUTGOING_DAYS",
    "RETENTION_ALERTS_DAYS",
    "RETENTION_MODEL_CALLS_DAYS",
    "RETENTION_MEDIA_DAYS",
    "RETENTION_PEOPLE_DAYS",
)
NAMES: Final = AI + RETENTION
REMEMBERED_SECS: Final = 4.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that was changed, as texts; None is the environment's own."""

    name: str
    before: str | None
    after: str | None


@dataclass
class _Memory:
    """What one process read last, and the settings that came of it."""

    texts: Mapping[str, str] = field(default_factory=dict)
    config: Config | None = None
    until: float = 0.0


def current(config: Config) -> Config:
    """Give the settings as they count now: `config` is the environment's. At most REMEMBERED_SECS old.

    Reads in the caller's transaction, or in one of its own that it ends. The same object comes back until
    something changes.
    """
    memory = _memory()
    if memory.config is None or time.monotonic() >= memory.until:
        is_own_read = not db.session().in_transaction()
        with reading():
            texts = kept()
            if is_own_read:
                db.session.rollback()
        if memory.config is None or texts != memory.texts:
            memory.texts, memory.config = texts, over(config, texts)
        memory.until = time.monotonic() + REMEMBERED_SECS
    return memory.config


def over(config: Config, texts: Mapping[str, str]) -> Config:
    """Lay what was saved over the environment's settings. A text that is no longer accepted counts as not
    saved, and is logged."""
    for name, text in texts.items():
        try:
            config = settings.with_texts(config, {name: text})
        except ConfigError:
            log.warning("desk_setting_refused", name=name)
    return config


def kept() -> dict[str, str]:
    """Give what was saved, by the setting's name."""
    rows = db.session.execute(select(DeskSetting.name, DeskSetting.value).where(DeskSetting.name.in_(NAMES)))
    return {name: str(value) for name, value in rows}


def save(wanted: Mapping[str, str | None], *, now: datetime) -> list[Change]:
    """Keep texts that the table accepts; None goes back to the environment. Gives what changed. Flushes.

    Raises ConfigError when one is refused; then nothing changed. Two who save at once: of each setting the
    later one counts.
    """
    settings.check_texts({name: text for name, text in wanted.items() if text is not None})
    before = kept()
    changes = [
        Change(name, before.get(name), text) for name, text in wanted.items() if before.get(name) != text
    ]
    for change in changes:
        row = DeskSetting.name == change.name
        if change.after is None:
            changed_rows(delete(DeskSetting).where(row))
            continue
        new = {"value": change.after, "updated_at": now}
        db.session.execute(insert_or_ignore(DeskSetting).values(name=change.name, **new))
        changed_rows(update(DeskSetting).where(row).values(**new))
    return changes


def listed(name: str) -> str:
    """Give a name as a list with commas can hold it."""
    return " ".join(name.replace(",", " ").casefold().split())


def forget_read() -> None:
    """Let this process read anew what has just been committed; the others do within REMEMBERED_SECS."""
    _memory().until = 0.0


def _memory() -> _Memory:
    memory: _Memory = current_app.extensions.setdefault("desk_settings", _Memory())
    return memory
