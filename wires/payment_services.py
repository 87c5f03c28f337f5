"""Which payment services this desk has: one for each key in the settings.

`cashier`, `payment_door` and `setup_check` ask here. The services are made once for each settings object.
"""

from collections.abc import Mapping
from functools import lru_cache

from config import Config
from wires import mercadopago, stripe
from wires.payment import PaymentService


@lru_cache(maxsize=8)
def payment_services(config: Config) -> Mapping[str, PaymentService]:
    """Give the services that are set up, by their method."""
    found: list[PaymentService | None] = [stripe.service_of(config), mercadopago.service_of(config)]
    return {service.method: service for service in found if service is not None}
