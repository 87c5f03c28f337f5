"""How this shop takes money: which ways are set up, and what an order of some currency may be paid with.

Flow actions, `payments` and the admin's form call these verbs. The environment gives the first values; as
soon as an admin has saved the form, the database counts. Flushes, never commits.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import integrations
from config import Config
from models import PaymentSettings, db
from shop import pix

PIX: Final = "pix"
STRIPE: Final = "stripe"
MERCADOPAGO: Final = "mercadopago"
MANUAL: Final = "manual"
METHODS: Final = (MERCADOPAGO, PIX, STRIPE, MANUAL)  # the order in which a customer is offered them
# A payment service is asked by a task; the other ways need nobody but a person who looks at the account.
BY_SERVICE: Final = frozenset({STRIPE, MERCADOPAGO})
PIX_METHODS: Final = frozenset({PIX, MERCADOPAGO})
SETTINGS_ID: Final = 1
# The demo's key, which no bank knows. It counts while all numbers are simulated and there is no other key.
DEMO_PIX_KEY: Final = "00000000-0000-4000-8000-000000000000"
MANUAL_TEXT_MAX_CHARS: Final = 800


class SettingsRefused(ValueError):
    """What an admin wrote cannot be used; `field` is the one that is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Till:
    """The ways without a payment service. `pix_key` is normal; empty means that the way is not set up."""

    pix_key: str = ""
    pix_name: str = ""
    pix_city: str = ""
    manual_text: str = ""

    @property
    def takes_pix(self) -> bool:
        return bool(self.pix_key and self.pix_name and self.pix_city)


def till(config: Config) -> Till:
    """Give what is set up. A Pix key of the environment that is none counts as not set; what an admin wrote
    beside the demo's key outlives that key."""
    row = db.session.get(PaymentSettings, SETTINGS_ID)
    if row is not None and not _is_outdated_demo(row, config):
        return Till(row.pix_key, row.pix_name, row.pix_city, row.manual_text)
    return Till(
        pix_key=pix.normal_key(config.pix_key) or "",
        pix_name=config.pix_name,
        pix_city=config.pix_city,
        manual_text=(row.manual_text if row is not None else "")
        or config.manual_payment_text[:MANUAL_TEXT_MAX_CHARS],
    )


def _is_outdated_demo(row: PaymentSettings, config: Config) -> bool:
    is_real = any(number.account.provider != "simulator" for number in integrations.numbers())
    return row.pix_key == DEMO_PIX_KEY and (is_real or bool(config.pix_key))


def save(wanted: Till, *, now: datetime) -> Till:
    """Keep what an admin wrote. Raises SettingsRefused for a key that is none, or a name or place without
    letters.

    Flushes. Idempotent.
    """
    key = pix.normal_key(wanted.pix_key) if wanted.pix_key.strip() else ""
    if key is None:
        raise SettingsRefused("pix_key")
    for field, limit in (("pix_name", pix.NAME_MAX_CHARS), ("pix_city", pix.CITY_MAX_CHARS)):
        if key and not pix.folded(getattr(wanted, field), limit):
            raise SettingsRefused(field)
    if len(wanted.manual_text) > MANUAL_TEXT_MAX_CHARS:
        raise SettingsRefused("manual_text")
    row = db.session.get(PaymentSettings, SETTINGS_ID) or PaymentSettings(id=SETTINGS_ID)
    row.pix_key, row.pix_name, row.pix_city = key, wanted.pix_name.strip(), wanted.pix_city.strip()
    row.manual_text, row.updated_at = wanted.manual_text.strip(), now
    db.session.add(row)
    db.session.flush()
    return Till(row.pix_key, row.pix_name, row.pix_city, row.manual_text)


def offered(currency: str, config: Config) -> tuple[str, ...]:
    """Give the methods that an order in this currency may be paid with, in the order of offering.

    Pix is in reais only; where Mercado Pago confirms it by itself, the keyless one is not offered beside it.
    """
    kept = till(config)
    is_real = currency == pix.CURRENCY
    ready = {
        MERCADOPAGO: is_real and bool(config.mercadopago_access_token),
        PIX: is_real and kept.takes_pix and not config.mercadopago_access_token,
        STRIPE: bool(config.stripe_secret_key),
        MANUAL: bool(kept.manual_text),
    }
    return tuple(method for method in METHODS if ready[method])
