"""A customer wants a person: who has the conversation then, and what she is told while nobody works.

The pipeline and flow actions call these verbs inside the turn. They flush and never commit.
"""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from sqlalchemy import select

import alerts
import conversations
import texts
import working_hours
from config import Config
from crm import hours, teams
from models import Conversation, Message, db

# Somebody of ours who wrote so lately is there, whatever the hours say.
STILL_THERE: Final = timedelta(hours=1)
# How long one notice counts where no opening is in sight.
SHUT_FOR: Final = timedelta(days=1)
PEOPLE: Final = ("operator", "owner")
LINES_FILE: Final = Path(__file__).parent.parent / "flows" / "words" / "emergency.yaml"


def hand_over(conversation: Conversation, duty: str, *, now: datetime, reason: str) -> None:
    """Give a conversation to the team of a duty, and tell people that a customer waits. Flushes."""
    conversations.take_over(conversation, None, now=now, reason=reason)
    teams.assign(conversation, duty)
    alerts.raise_alert(
        "waiting",
        f"waiting:{conversation.id}",
        f"A customer waits for a person: {reason}",
        conversation_id=conversation.id,
        now=now,
    )


def danger_text(country: str | None, language: str, *, is_despair: bool) -> str:
    """Say whom to call to somebody whose life may be in danger, by the lines of her ISO country; without a
    known one no number is told."""
    return texts.text("in_danger", language, is_despair=is_despair, **_lines().get(country or "", {}))


@cache
def _lines() -> dict[str, dict[str, str]]:
    lines: dict[str, dict[str, str]] = yaml.safe_load(LINES_FILE.read_text(encoding="utf-8"))
    return lines


def away_text(config: Config, conversation_id: int, language: str, now: datetime) -> str | None:
    """Say when people are back to a customer who waits for one while they are away: once per closing.

    None while they are there, and where the hours are unknown. Flushes.
    """
    conversation = db.session.get_one(Conversation, conversation_id)
    if conversation.away_until is not None and conversation.away_until > now:
        return None
    ours = hours.hours_of(config, conversation.team_id)
    if working_hours.is_open(ours, now) or _is_somebody_there(conversation_id, now):
        return None
    opens_at = working_hours.next_opening(ours, now)
    conversation.away_until = opens_at or now + SHUT_FOR
    db.session.flush()
    when = texts.moment_text(opens_at.astimezone(config.zone), language) if opens_at else ""
    return texts.text("away", language, when=when)


def _is_somebody_there(conversation_id: int, now: datetime) -> bool:
    wrote_at = db.session.scalar(
        select(Message.created_at)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == "out",
            Message.sender.in_(PEOPLE),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    return wrote_at is not None and now - wrote_at < STILL_THERE
