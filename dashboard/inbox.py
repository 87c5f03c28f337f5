"""The list of conversations: filtered by who handles them, searched by name or phone, a page at a time."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from dashboard import inbox_lists

bp = Blueprint("inbox", __name__)


@bp.get("/inbox")
def inbox() -> ResponseReturnValue:
    handler = request.args.get("handler", "all")
    if handler not in inbox_lists.FILTERS:
        handler = "all"
    search = " ".join(request.args.get("q", "").replace("\x00", "").split())
    after = inbox_lists.Place.read(request.args.get("after", ""))
    return render_template(
        "dashboard/inbox.html",
        page=inbox_lists.inbox_page(handler, search, after),
        handler=handler,
        search=search,
        is_first=after is None,
    )
