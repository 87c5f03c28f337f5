"""A person chooses the way of selling of one conversation by hand, or lets the desk choose again.

The conversation page includes the form (`_strategy.html`). What a person chose teaches the desk nothing.
"""

from flask import Blueprint, abort, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import learning
from auth import current_config
from dashboard import threads, wording
from learning import policies
from models import Conversation, Decision, db, utc_now

SIMULATOR = "simulator"

bp = Blueprint("strategy", __name__)


@bp.post("/inbox/<int:conversation_id>/strategy")
def choose(conversation_id: int) -> ResponseReturnValue:
    """Start an episode in the strategy that was chosen; an empty one lets the desk choose."""
    conversation = threads.find_conversation(conversation_id) or abort(404)
    wanted, now = request.form.get("strategy", ""), utc_now()
    if wanted and wanted not in strategy_words(are_usable=True):
        abort(422)
    if wanted:
        _choose(conversation, wanted)
        flash(_("The next reply is written in this way of selling. It teaches the desk nothing."), "success")
    else:
        learning.let_choose(conversation_id, config=current_config(), now=now)
        flash(_("The desk chooses the way of selling again."), "success")
    db.session.commit()
    page = url_for("conversation.conversation", conversation_id=conversation_id, person=1)
    return redirect(page, 303)


def _choose(conversation: Conversation, wanted: str) -> None:
    now, config = utc_now(), current_config()
    episode = learning.current_episode(conversation.id, config=config, now=now)
    if episode is not None and episode.is_manual and episode.strategy == wanted:
        return  # pressed twice
    context: dict[str, str] = dict(episode.context) if episode is not None else {}
    learning.choose_by_hand(
        conversation.id,
        conversation.contact_id,
        wanted,
        context=context or {"language": conversation.contact.language or ""},
        config=config,
        now=now,
        is_demo=conversation.integration.provider == SIMULATOR,
    )


@bp.app_template_global()
def episode_of(conversation_id: int) -> Decision | None:
    """Give the open sales episode of the conversation that is shown."""
    return learning.current_episode(conversation_id, config=current_config(), now=utc_now())


@bp.app_template_global()
def strategy_words(*, are_usable: bool = False) -> dict[str, str]:
    """Name the strategies in the order in which they are offered; `are_usable`: without retired ones."""
    if "arms" not in g:
        g.arms = policies.current(current_config()).arms
    return {
        arm.strategy: arm.title or wording.strategy_word(arm.strategy)
        for arm in g.arms
        if not (are_usable and arm.is_retired)
    }
