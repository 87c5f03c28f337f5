"""WhatsApp providers behind one contract (`base.Provider`); `provider(name)` gives the singleton."""

from providers.base import Provider
from providers.meta import meta
from providers.twilio import twilio

_PROVIDERS: dict[str, Provider] = {"meta": meta, "twilio": twilio}


def provider(name: str) -> Provider:
    """Give the provider of that name (vocabulary.PROVIDERS). Raises KeyError for another."""
    return _PROVIDERS[name]
