"""WhatsApp providers behind one contract (`base.Provider`); `provider(name)` gives the singleton."""

from providers import meta, simulator, twilio
from providers.base import Provider

_PROVIDERS: dict[str, Provider] = {
    "meta": meta.meta,
    "twilio": twilio.twilio,
    "simulator": simulator.simulator,
}


def provider(name: str) -> Provider:
    """Give the provider of that name (vocabulary.PROVIDERS). Raises KeyError for another."""
    return _PROVIDERS[name]
