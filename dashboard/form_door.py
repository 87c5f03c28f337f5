"""The door of lead forms: a website posts what somebody wrote into its form to a private address.

Form-encoded or JSON, from a browser on any site or from a form service. Known by the token in the address
alone, so it takes entries and gives nothing back but whether one was taken; spam is told the same. Throttled
by address.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from flask import Blueprint, Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address

from auth import is_browser, limiter
from crm import web_forms
from models import db, utc_now
from providers import loose

log = structlog.get_logger()
bp = Blueprint("form_door", __name__)

TOKEN_MAX_CHARS: Final = 80
BODY_MAX_BYTES: Final = 64 * 1024
ENTRIES_PER_ADDRESS: Final = "30 per minute"


@bp.post("/forms/<token>")
@limiter.limit(ENTRIES_PER_ADDRESS, key_func=get_remote_address)
def take(token: str) -> ResponseReturnValue:
    """Take one entry: 202 when it was taken, 422 with what it lacks, 404 for an address that is none."""
    form = web_forms.form_of(token) if len(token) <= TOKEN_MAX_CHARS else None
    if form is None:
        abort(404)
    key = request.headers.get("Idempotency-Key", "")[:200]
    try:
        taken = web_forms.take(form, _fields(), now=utc_now(), key=key)
    except web_forms.NotALead as refusal:
        db.session.rollback()
        if is_browser():
            return render_template("forms/refused.html"), 422
        return jsonify(error={"code": "invalid", "message": str(refusal)}), 422
    db.session.commit()
    log.info("form_entry", is_lead=taken.lead_id is not None, is_new=taken.is_new)
    if is_browser():
        return render_template("forms/taken.html")
    return jsonify(status="accepted"), 202


@bp.after_request
def let_other_sites_post(answer: Response) -> Response:
    """Let scripts of other sites post here: no cookie is read, and the answer tells nothing."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
    return answer


def _fields() -> dict[str, str]:
    """Read an entry's fields as texts, whatever form it came in; what is nested is left out."""
    if request.is_json:
        try:
            given = json.loads(request.get_data())
        except (ValueError, RecursionError):
            abort(400)
        if not isinstance(given, Mapping):
            abort(400)
        pairs = ((str(name), _text(value)) for name, value in given.items())
    else:
        pairs = ((name, value) for name, value in request.form.items())
    cleaned = ((loose.clean_text(name), loose.clean_text(value)) for name, value in pairs)
    return dict(list(cleaned)[: web_forms.FIELDS_MAX])


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
