"""The page that shows every shape the pages are made of, for whoever changes how they look. For admins."""

from datetime import timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from dashboard import inbox_lists
from dashboard.inbox_lists import Filters, InboxPage
from dashboard.room import Room, Shelf
from models import Contact, Conversation, Integration, Label, utc_now
from vocabulary import SENTIMENTS, URGENCIES

STATUSES = ("new", "open", "paid", "confirmed", "failed", "cancelled")

bp = Blueprint("components", __name__)


@bp.get("/components")
def components() -> ResponseReturnValue:
    """Everything here is made up and kept nowhere."""
    label = Label(id=1, name="atacado")
    lines = tuple(_made_up(n) for n in range(inbox_lists.COUNTED_AT_MOST // 25))
    room = Room(Filters(), InboxPage(lines, None), {1: [label]}, Shelf((), (), ()), {1: 2})
    return render_template(
        "dashboard/components.html", room=room, statuses=STATUSES, urgencies=URGENCIES, moods=SENTIMENTS
    )


def _made_up(number: int) -> Conversation:
    at = utc_now() - timedelta(hours=number * 9)
    contact = Contact(
        id=number, name=("Mariana Alves", "João", "Ana Lúcia", "Carlos Souza")[number], identities=[]
    )
    return Conversation(
        id=number + 1,
        contact=contact,
        integration=Integration(name="Loja"),
        handler="human" if number == 0 else "bot",
        unread_count=2 if number == 0 else 0,
        sentiment=SENTIMENTS[number],
        urgency=URGENCIES[number],
        buying_signal="question" if number % 2 else None,
        last_preview="Oi! Ainda tem vaga na turma de sábado?",
        last_inbound_at=at,
        last_message_at=at,
    )
