"""What the API tells of itself: `/api/v1/openapi.json`, and the same as a page that needs no network.

It imports every room of the API, so that the table of endpoints is full. It shows nothing of the shop.
"""

import hashlib
import json
from functools import cache
from typing import Final

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from api import campaigns, contacts, conversations, figures, integrations, knowledge, records, shop
from api.doors import PREFIX
from api.openapi import document

VERSION: Final = "1.0.0"
# Rooms whose endpoints stand in the table once they are imported.
ROOMS: Final = (contacts, conversations, integrations, records, shop, knowledge, campaigns, figures)

bp = Blueprint("api_reference", __name__, url_prefix=PREFIX)


@bp.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """Give the OpenAPI 3.1 document."""
    response = Response(_written(), mimetype="application/json")
    response.set_etag(hashlib.sha256(_written().encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "public, no-cache"
    return response.make_conditional(request)


@cache
def _written() -> str:
    return json.dumps(document(VERSION), ensure_ascii=False)
