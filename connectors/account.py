"""A connector's account at its service, as the connectors need it; no row, so that no session is held."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from config import Config
from models import Contact, WebhookEndpoint
from webhooks_out import endpoints

# Whose records other systems hear of: nobody of the demo.
REAL: Final = select(Contact.id).where(~Contact.is_demo)


@dataclass(frozen=True, slots=True)
class Account:
    endpoint_id: int
    url: str
    token: str = field(repr=False)
    settings: Mapping[str, Any]
    config: Config = field(repr=False)

    def key(self, record: str, record_id: int) -> str:
        """Name a record so that no other desk's has the same name in this account."""
        return f"{self.settings['desk']}-{record}-{record_id}"


def new_settings() -> dict[str, Any]:
    """Give the settings of a connector that was just added."""
    return {"desk": secrets.token_hex(4), "erases": True}


def account_of(row: WebhookEndpoint, config: Config, tokens: tuple[str, ...]) -> Account:
    return Account(row.id, row.url, next(iter(tokens), ""), row.settings or new_settings(), config)


def account_at(service: str, config: Config) -> Account | None:
    """Give the account of a connector that is switched on. Reads only."""
    row = endpoints.of_service(service)
    if row is None or not row.is_active:
        return None
    return account_of(row, config, endpoints.secrets_of(row, config.secret_key, row.created_at))
