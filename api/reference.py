"""What the API tells of itself: `/api/v1/openapi.json`, and the same as a page that needs no network.

It imports every room of the API, so that the table of endpoints is full. Open to everybody: it shows nothing
of the shop.
"""

import hashlib
import json
import re
from functools import cache
from typing import Final

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

import operators
from api import (
    appointments,
    campaigns,
    contacts,
    conversations,
    figures,
    integrations,
    knowledge,
    orders,
    records,
    shop,
)
from api.doors import PREFIX
from api.openapi import document
from api.outline import outline
from auth import current_config, limited_by_address

VERSION: Final = "1.0.0"
# Rooms whose endpoints stand in the table once they are imported.
ROOMS: Final = (
    contacts,
    conversations,
    integrations,
    records,
    appointments,
    shop,
    orders,
    knowledge,
    campaigns,
    figures,
)

bp = Blueprint("api_reference", __name__, url_prefix=PREFIX)


@bp.get("/openapi.json")
@limited_by_address
def openapi() -> ResponseReturnValue:
    """Give the OpenAPI 3.1 document."""
    response = Response(_written(), mimetype="application/json")
    response.set_etag(hashlib.sha256(_written().encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "public, no-cache"
    return response.make_conditional(request)


@bp.get("/docs")
@limited_by_address
def docs() -> ResponseReturnValue:
    """Show the document to people."""
    desk = current_config().public_base_url or request.host_url.rstrip("/")
    told = document(VERSION)
    return render_template(
        "api/reference.html",
        document=told,
        sections=outline(told, desk),
        prefix=PREFIX,
        scopes=operators.SCOPES,
    )


@bp.app_template_filter("marked")
def marked(words: str) -> Markup:
    """Show what stands in backticks as code; everything is escaped first."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(words))))


@cache
def _written() -> str:
    return json.dumps(document(VERSION), ensure_ascii=False)
