"""The private calendar feed's address: for programs that subscribe, known by its token alone."""

from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue

from crm import calendar_feeds
from models import begin_writing, db, utc_now

TOKEN_MAX_CHARS = 80

bp = Blueprint("calendar_feed", __name__)


@bp.get("/calendar/<token>.ics")
def feed(token: str) -> ResponseReturnValue:
    """Give the booked appointments as iCalendar; an unknown or revoked token is no address."""
    begin_writing()  # the reading is noted
    found = calendar_feeds.feed_of(token) if len(token) <= TOKEN_MAX_CHARS else None
    if found is None:
        abort(404)
    text = calendar_feeds.calendar_of(found, now=utc_now())
    db.session.commit()
    answer = Response(text, mimetype="text/calendar")
    answer.headers["Content-Disposition"] = 'inline; filename="balcao.ics"'
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
