"""WhatsApp providers behind one contract (`base.Provider`); `provider(name)` gives the singleton."""

from providers import meta, simulator, twilio
from providers.base import Provider

_PROVIDERS: dict[str, Provider] = {
    "meta": meta.meta,
    "twilio": twilio.twilio,
    "simulator": simulator.simulator,
}


def provider(name: str, shape: str = "") -> Provider:
    """Give the provider of that name (vocabulary.PROVIDERS). Raises KeyError for another.

    `shape` is a simulated number's (`Account.shape`): with it `fit` keeps to that provider's limits.
    """
    if name == "simulator" and shape:
        return simulator.Simulator(shape)
    return _PROVIDERS[name]
