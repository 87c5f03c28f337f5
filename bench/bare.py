"""What the door is measured against: a view that only checks the HMAC over the raw body and answers 200."""

import hashlib
import hmac
import os

from flask import Flask, Response, abort, request

APP_SECRET = os.environ["WHATSAPP_APP_SECRET"].encode()

app = Flask(__name__)


@app.post("/webhook")
def webhook() -> Response:
    expected = "sha256=" + hmac.new(APP_SECRET, request.get_data(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), expected):
        abort(403)
    return Response("EVENT_RECEIVED", mimetype="text/plain")
