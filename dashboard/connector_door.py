"""The door of connectors: what other systems tell of their own accord, signed with a secret that both know.

Verifies over the exact bytes, takes it in one commit and says 200. Without a secret, or with a wrong or
missing signature, it says 403; while the connector is off, too.
"""

import structlog
from flask import Blueprint, Response, request

import vault
from auth import current_config, refuse_forged
from connectors import calcom, calcom_hooks
from connectors.account import account_of
from models import db, utc_now
from webhooks_out import endpoints
from wires.calcom import SIGNATURE, is_signed

log = structlog.get_logger()
bp = Blueprint("connector_door", __name__)


@bp.post("/connectors/calcom/webhook")
def calcom_webhook() -> Response:
    config, now = current_config(), utc_now()
    row = endpoints.of_service(calcom.SERVICE)
    body, given = request.get_data(cache=True), request.headers.get(SIGNATURE, "")
    if row is None or not row.is_active or not is_signed(body, given, _secret(row.hook_secret)):
        return refuse_forged("connector_webhook_refused", service=calcom.SERVICE, is_set_up=row is not None)
    account = account_of(row, config, endpoints.secrets_of(row, config.secret_key, now))
    try:
        calcom_hooks.take(account, body, now=now)
    except calcom_hooks.Unreadable:
        # Sent again it would be no better.
        log.warning("connector_webhook_unreadable", service=calcom.SERVICE)
    db.session.commit()
    return Response("TAKEN\n", mimetype="text/plain")


def _secret(sealed: str | None) -> str:
    try:
        return vault.unseal(sealed or "", current_config().secret_key)
    except vault.SealBroken:
        return ""
