"""The event stream of the operators' pages: it says which conversations changed, and pages fetch them anew.

A stream takes a thread of the server as long as it is open, so a process keeps a cap of them; whoever comes
after is told to ask now and then instead. Each ends after some minutes: the browser comes back by itself and
the guard looks anew whether it may.
"""

import json
from collections.abc import Iterator
from time import monotonic
from typing import Final

from flask import Blueprint, Flask, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue

from auth import current_config
from dashboard.changes import Watcher

STREAM_LASTS_SECS: Final = 180.0
HEARTBEAT_SECS: Final = 5.0
COMES_BACK_AFTER_MS: Final = 1500
MARK_MAX_CHARS: Final = 40

bp = Blueprint("live", __name__)


@bp.app_template_global()
def live_address() -> str:
    """Give the address of the stream that tells what a page of this request does not show yet."""
    return url_for("live.stream", after=_watcher().mark(g.began))


@bp.get("/live")
def stream() -> ResponseReturnValue:
    """Stream the ids of changed conversations; 204 when this process has no place left."""
    if request.method == "HEAD":
        return "", 204  # nobody would read the stream, nor give its place back
    watcher = _watcher()
    mark = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    last = watcher.join(mark[:MARK_MAX_CHARS])
    if last is None:
        return "", 204
    answer = Response(_events(watcher, last), mimetype="text/event-stream")
    answer.call_on_close(watcher.leave)  # also when nobody ever began to read
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would keep events until a buffer is full
    return answer


def end_streams(app: Flask) -> None:
    """End every stream of this process, which else would keep it from stopping; browsers come back elsewhere.

    A signal's handler may call it.
    """
    if (watcher := app.extensions.get("balcao_changes")) is not None:
        watcher.end()


def _events(watcher: Watcher, last: int) -> Iterator[str]:
    """Write events until the stream has lasted; needs no request any more."""
    ends = monotonic() + STREAM_LASTS_SECS
    yield f"retry: {COMES_BACK_AFTER_MS}\n\n"
    while monotonic() < ends and not watcher.is_over:
        news = watcher.wait(last, HEARTBEAT_SECS)
        last = news.number
        if news.conversations:
            data = json.dumps({"conversations": sorted(news.conversations)})
            yield f"id: {watcher.name_of(news)}\nevent: changed\ndata: {data}\n\n"
        else:
            yield ": still here\n\n"  # this is how a reader that has gone is noticed


def _watcher() -> Watcher:
    """Give this process's watcher of the current application."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    found = app.extensions.get("balcao_changes")
    if found is None:
        most = max(1, current_config().web_threads // 2)
        found = app.extensions.setdefault("balcao_changes", Watcher(app, most))
    return found  # type: ignore[no-any-return]
