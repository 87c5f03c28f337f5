"""Each form of managers and admins leaves a line in the audit log, or stands here with the reason why not.

The forms are read from the program: from each view the calls are followed down to `history.note_change`.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

import pytest
from flask import Flask
from flask_babel import force_locale
from werkzeug.routing import Rule

import history
import message_templates
from app import create_app
from config import Config
from dashboard import templating
from outreach import campaigns
from shop import assortment
from tests.test_roles import role_of

ROOT: Final = Path(__file__).resolve().parent.parent
# From a form through a verb to its `_note`.
CALLS_DEEP: Final = 5
# What all who answer customers share, and so must be seen who changed it.
SHARED: Final = ("inbox.add_label", "inbox.keep_reply", "inbox.remove_reply")
# The closed list of forms that leave no line.
_DRAFT: Final = "a draft that nobody was sent; start, pause and end of a campaign leave a line"
_TRIED: Final = "a test, which changes nothing"
_AGAIN: Final = "does once more what stands in a log of its own"
_LEARNING: Final = "`learning.steering` keeps who, what and why, and shows it on its page"
SILENT: Final = {
    "ai_settings.try_model": _TRIED,
    "alert_settings.test": _TRIED,
    "alert_settings.test_owner": _TRIED,
    "campaigns.delete": _DRAFT,
    "campaigns.empty": _DRAFT,
    "campaigns.segment": _DRAFT,
    "campaigns.take_file": _DRAFT,
    "campaigns.test": _TRIED,
    "campaigns.words": _DRAFT,
    "connectors.replay": _AGAIN,
    "connectors.resync_all": _AGAIN,
    "connectors.test": _TRIED,
    "events.replay": _AGAIN,
    "figures.count": "figures are counted anew from the same rows",
    "figures.delete_report": "a report of one's own",
    "figures.save_report": "a report of one's own",
    "learning.add_strategy": _LEARNING,
    "learning.rehearse": "simulated customers; the rehearsal names who asked for it",
    "learning.reword_strategy": _LEARNING,
    "learning.steer": _LEARNING,
    "numbers.test": _TRIED,
    "person_data.delete": "`privacy.erasures` keeps a receipt with who asked, and nothing of the person",
    "simulator.create_number": "a simulated number, which no customer reaches",
    "template_list.delete": "a draft that no provider ever had; its steps go with it",
    "webhooks.replay": _AGAIN,
    "webhooks.test": _TRIED,
}


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Flask:
    return create_app(load_config())


def names_of(code: CodeType) -> set[str]:
    """Give every name that a function calls or reads, with those of the functions inside it."""
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*map(names_of, inner))


def is_ours(code: CodeType) -> bool:
    path = Path(code.co_filename)
    return path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / ".venv")


def called(function: FunctionType) -> Iterator[FunctionType]:
    names = names_of(function.__code__)
    for name in names:
        found = function.__globals__.get(name)
        is_module = isinstance(found, ModuleType)
        reached = [vars(found).get(other) for other in names] if is_module else [found]
        yield from (one for one in reached if isinstance(one, FunctionType))


@cache
def leaves_a_line(function: FunctionType, deep: int = CALLS_DEEP) -> bool:
    if function is history.note_change:
        return True
    return (
        bool(deep)
        and is_ours(function.__code__)
        and any(leaves_a_line(one, deep - 1) for one in called(function))
    )


def forms(app: Flask) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and (
            role_of(rule) in ("manager", "admin") or rule.endpoint in SHARED
        ):
            yield rule


def test_every_form_of_managers_and_admins_leaves_a_line_or_says_why_not(desk: Flask) -> None:
    judged = {}
    for rule in forms(desk):
        view = desk.view_functions[rule.endpoint]
        bare = getattr(view, "__wrapped__", view)
        assert isinstance(bare, FunctionType)
        judged[rule.endpoint] = leaves_a_line(bare)
    assert len(judged) > 80
    assert sorted(name for name, has_line in judged.items() if not has_line) == sorted(SILENT)
    assert all(SILENT.values())


def test_every_state_of_a_campaign_a_template_and_a_product_has_a_word(desk: Flask) -> None:
    states = {campaigns.DRAFT, campaigns.SCHEDULED, campaigns.RUNNING, campaigns.PAUSED}
    states |= {message_templates.APPROVED, message_templates.PENDING, *message_templates.ALARMING}
    states |= {assortment.ON_SALE, assortment.OFF_SALE}
    with desk.test_request_context(), force_locale("pt_BR"):
        assert {state for state in states if templating.state_word(state) == state} == set()
