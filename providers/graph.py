"""The talk with Meta's Graph API: one call, and the reading of its JSON. Called by `meta` and
`meta_conversions`; knows neither messages nor events."""

from typing import Any
from urllib.parse import quote

from providers import loose, transport
from providers.base import Account
from providers.transport import Answer, Bearer, Failure

DEFAULT_BASE_URL = "https://graph.facebook.com"
# The newest on 29 July 2026; versions live two years, so it is configuration.
DEFAULT_API_VERSION = "v26.0"


def call(account: Account, method: str, path: str, **body: Any) -> Answer | Failure:
    """Make one request with the account's token; `body` is what `transport.exchange` takes."""
    version = account.api_version or DEFAULT_API_VERSION
    url = f"{base_url(account)}/{quote(version)}/{quote(path, safe='/')}"
    return transport.exchange(
        method, url, Bearer(account.access_token), timeout_secs=account.timeout_secs, **body
    )


def base_url(account: Account) -> str:
    return (account.base_url or DEFAULT_BASE_URL).rstrip("/")


def body_of(answer: Answer) -> dict[str, Any]:
    """Read an answer's JSON object; empty when it is none."""
    try:
        return loose.mapping(loose.read(answer.content))
    except ValueError:
        return {}
