"""The demo set: three simulated numbers, a shop of digital goods with what it tells its customers, the
investment programmes, people who have written, and eight weeks of simulated customers.

The command `seed-demo` and the first start without credentials call `seed_demo`. The same seed and `now`
give the same set (only the secrets that sign simulated webhooks are drawn anew). What the desk says in it
is said by the real flows, rules and verbs; only customers and operators follow a script (`threads.yaml`). The
weeks before are a packaged rehearsal (`history`). Flushes, never commits.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml
from flask import current_app
from sqlalchemy import select

import integrations
import knowledge
import learning
from alerts import deliveries
from config import Config
from models import Integration, PaymentSettings, db
from shop import catalog, programs, till
from simulated_phone import REHEARSAL_NUMBER

from . import history, removal, templates
from .performance import Script, perform, read_scripts
from .removal import Removed

__all__ = ["DEFAULT_SEED", "NUMBERS", "Removed", "Seeded", "remove_demo", "seed_demo"]

DEFAULT_SEED: Final = 20_260_401
SHOP_FILE: Final = Path(__file__).parent / "shop.yaml"
ARTICLES_DIR: Final = Path(__file__).parent / "articles"
# The owner is among the phones of the simulator; the number is nobody's.
OWNER_PHONE: Final = "+5511900000001"
SECRET_BYTES: Final = 24
DEMO_GOODS: Final = "https://example.com/demo (demo)"
SOLD_BY: Final = "shop"  # the number that the history's customers wrote to


@dataclass(frozen=True, slots=True)
class DemoNumber:
    """One simulated number; `key` is how the scripts call it."""

    key: str
    name: str
    shape: str
    number_id: str
    business_id: str
    display_phone: str
    start_flow: str
    language: str


# Telephone numbers that are kept for fiction or not in use.
NUMBERS: Final = (
    DemoNumber(
        "nexora",
        "Nexora Investments",
        "meta",
        "100900000000001",
        "200900000000001",
        "+971 50 000 0001",
        "nexora",
        "en",
    ),
    DemoNumber(
        "shop",
        "Maré Digital",
        "meta",
        "100900000000002",
        "200900000000002",
        "+55 81 90000-0002",
        "shop",
        "pt",
    ),
    DemoNumber("desk", "Casa Lumbre", "twilio", "+34600000003", "ACdemo", "+34 600 000 003", "desk", "es"),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What `seed_demo` made; nothing when the demo was there already."""

    is_new: bool
    numbers: int = 0
    programs: int = 0
    products: int = 0
    contacts: int = 0
    messages: int = 0
    simulated: int = 0  # customers of the history


def seed_demo(*, now: datetime, seed: int = DEFAULT_SEED, with_history: bool = True) -> Seeded:
    """Write the demo set, unless it is there. Flushes. Idempotent."""
    program_count = programs.seed_programs(now=now)
    if _demo_numbers():
        return Seeded(is_new=False, programs=program_count)
    product_count = _seed_shop()
    numbers = {number.key: _add_number(number) for number in NUMBERS}
    for key, number_row in numbers.items():
        _seed_articles(key, number_row.id, now)
    config: Config = current_app.config["BALCAO"]
    message_count = contact_count = 0
    rng = Random(seed)
    for script in _in_order(read_scripts()):
        number = integrations.number(numbers[script.number].id)
        if number is None:
            raise LookupError(script.number)
        message_count += perform(script, number, config, now=now, rng=rng)
        contact_count += 1
    simulated = _seed_history(numbers[SOLD_BY], config, now) if with_history else 0
    deliveries.leave_untold([row.id for row in numbers.values()], now=now)
    for number_row in numbers.values():
        _seed_templates(number_row, now)
    _seed_till(now)  # after the threads, which tell of a shop that sends the payment data itself
    integrations.forget()  # a caller that rolls back must not remember our numbers
    return Seeded(True, len(numbers), program_count, product_count, contact_count, message_count, simulated)


def _seed_history(sold_by: Integration, config: Config, now: datetime) -> int:
    """Write the weeks of simulated customers, and learn from them."""
    number = integrations.number(sold_by.id)
    if number is None:
        raise LookupError(sold_by.name)
    counts = history.read(number, now=now)
    learning.notice(now=now)
    learning.close_decisions(config, now=now)
    return counts["contacts"]


def remove_demo() -> Removed:
    """Delete the simulated numbers of the demo and of rehearsals with everybody who wrote to them, and the
    demo's products and articles.

    Flushes. A product that a real order holds is only taken off sale. Programmes stay. Idempotent.
    """
    return removal.remove([number.id for number in _demo_numbers(REHEARSAL_NUMBER)])


def _seed_templates(number_row: Integration, now: datetime) -> None:
    number = integrations.number(number_row.id)
    if number is None:
        raise LookupError(number_row.name)
    templates.seed(number, now)


def _seed_articles(key: str, integration_id: int, now: datetime) -> None:
    """Give a number what it alone knows: a residency desk answers nothing about a shop's delivery."""
    uploads = [
        replace(upload, name=f"{key}/{upload.name}") for upload in knowledge.uploads_of(ARTICLES_DIR / key)
    ]
    knowledge.import_files(uploads, language="pt", now=now, is_demo=True, integration_id=integration_id)


def _demo_numbers(*more: str) -> list[Integration]:
    ids = [*(number.number_id for number in NUMBERS), *more]
    return list(
        db.session.scalars(
            select(Integration).where(Integration.provider == "simulator", Integration.number_id.in_(ids))
        )
    )


def _add_number(number: DemoNumber) -> Integration:
    made = integrations.create(
        provider="simulator",
        shape=number.shape,
        name=number.name,
        number_id=number.number_id,
        business_id=number.business_id,
        display_phone=number.display_phone,
        app_secret=secrets.token_hex(SECRET_BYTES),
        access_token=secrets.token_hex(SECRET_BYTES),
        verify_token=secrets.token_hex(SECRET_BYTES),
        start_flow=number.start_flow,
        language=number.language,
    )
    if not current_app.config["BALCAO"].owner_phone:
        integrations.change(made, owner_phone=OWNER_PHONE)
    return made


def _in_order(scripts: list[Script]) -> list[Script]:
    """Let the oldest conversation be written first, as ids grow with time."""
    return sorted(scripts, key=lambda script: -script.days_ago)


def _seed_till(now: datetime) -> None:
    """Let the demo's customers pay with Pix, to a key that no bank knows; a till that is set up stays."""
    if db.session.get(PaymentSettings, till.SETTINGS_ID) is None:
        till.save(till.Till(till.DEMO_PIX_KEY, "Balcao Demo", "Sao Paulo"), now=now)


def _seed_shop() -> int:
    shelves: list[dict[str, Any]] = yaml.safe_load(SHOP_FILE.read_text(encoding="utf-8"))
    count = 0
    for place, shelf in enumerate(shelves):
        home = catalog.save_category(shelf["name"], names=shelf["names"], position=place)
        for position, sheet in enumerate(shelf["products"]):
            about: dict[str, Any] = {
                "currency": "BRL",
                "position": position,
                "delivery_text": DEMO_GOODS,
                "is_demo": True,
            }
            catalog.save_product(home.id, catalog.ProductSheet(**sheet, **about))
            count += 1
    return count
