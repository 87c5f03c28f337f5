"""The demo's message templates, handed in at the simulated provider, which approves them. Flushes."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

import message_templates
from integrations import Number
from providers import provider
from providers.base import SendError
from providers.templates import Button, Draft, Wording

TEMPLATES_FILE: Final = Path(__file__).parent / "templates.yaml"


def seed(number: Number, now: datetime) -> int:
    """Write every template in every language for one number; gives how many."""
    drafts = [draft for item in _items() for draft in _drafts(item)]
    for draft in drafts:
        row = message_templates.save_draft(number.id, draft, now=now)
        message_templates.begin_submission(row, now=now)
        answer = provider(number.account.provider).submit_template(number.account, draft)
        if isinstance(answer, SendError):
            raise ValueError(answer.operator_message)
        message_templates.note_submitted(row.id, answer, now=now)
    return len(drafts)


def _items() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = yaml.safe_load(TEMPLATES_FILE.read_text(encoding="utf-8"))
    return items


def _drafts(item: dict[str, Any]) -> list[Draft]:
    return [
        Draft(
            item["name"],
            language,
            item["category"],
            Wording(
                body=body,
                footer=item.get("footers", {}).get(language, ""),
                buttons=tuple(
                    Button("quick_reply", title) for title in item.get("buttons", {}).get(language, ())
                ),
                examples=item["examples"],
            ),
        )
        for language, body in item["bodies"].items()
    ]
