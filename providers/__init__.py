"""WhatsApp providers behind one contract (`base.Provider`); `provider(name)` gives the singleton."""

from providers.base import Provider
from providers.meta import meta

_PROVIDERS: dict[str, Provider] = {"meta": meta}


def provider(name: str) -> Provider:
    """Give the provider of that name (vocabulary.PROVIDERS). Raises KeyError for another."""
    return _PROVIDERS[name]
