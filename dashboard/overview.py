"""The front page: who needs a person now, today beside last week, what happens, how the desk fares.

One read makes all of it, in few queries; the page's script fetches the same parts anew when the event stream
says that something changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import alerts
import tasks
from dashboard import inbox_lists
from dashboard.overview_activity import Happening, activity
from dashboard.overview_alerts import ShownAlert, shown_alerts
from dashboard.overview_figures import Figure, Need, figures_of, needs_of
from dashboard.overview_health import Health, health_of
from models import Contact, Conversation, db, utc_now

WAITING_SHOWN: Final = 6
ALERTS_SHOWN: Final = 8

bp = Blueprint("overview", __name__)


@dataclass(frozen=True, slots=True)
class Overview:
    waiting: tuple[Conversation, ...]
    needs: tuple[Need, ...]
    figures: tuple[Figure, ...]
    activity: tuple[Happening, ...]
    people: Mapping[int, Contact]  # of activity and alerts, by conversation
    health: Health
    alerts: tuple[ShownAlert, ...]


def page() -> str:
    return render_template("dashboard/overview.html", overview=_read(utc_now()))


@bp.get("/overview/now")
def now_part() -> ResponseReturnValue:
    """The parts of the page that change, for its script."""
    return render_template("dashboard/_overview_now.html", overview=_read(utc_now()))


@bp.post("/alerts/<int:alert_id>/acknowledge")
def acknowledge_alert(alert_id: int) -> ResponseReturnValue:
    if alerts.acknowledge(alert_id, now=utc_now()):
        flash(_("Done: the alert is closed."), "success")
    db.session.commit()
    return redirect(url_for("status.home"))


def _read(now: datetime) -> Overview:
    happened, open_alerts = activity(), alerts.open_alerts(ALERTS_SHOWN)
    people = _people_of(
        [
            *(line.conversation_id for line in happened),
            *(alert.conversation_id for alert in open_alerts if alert.conversation_id),
        ]
    )
    return Overview(
        waiting=inbox_lists.waiting_conversations(WAITING_SHOWN),
        needs=needs_of(now),
        figures=figures_of(now),
        activity=happened,
        people=people,
        health=health_of(now, has_model=tasks.means().assistant is not None),
        alerts=shown_alerts(open_alerts, people),
    )


def _people_of(conversation_ids: Iterable[int]) -> dict[int, Contact]:
    ids = set(conversation_ids)
    if not ids:
        return {}
    rows = db.session.execute(
        select(Conversation.id, Contact)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(Conversation.id.in_(ids))
        .options(selectinload(Contact.identities))
    )
    return {row.id: row.Contact for row in rows}
