"""The demo set: three simulated numbers, a shop of digital goods, the investment programmes, and people who
have written.

The command `seed-demo` and the first start without credentials call `seed_demo`. The same seed and `now`
give the same set (only the secrets that sign simulated webhooks are drawn anew). What the desk says in it
is said by the real flows, rules and verbs; only customers and operators follow a script (`threads.yaml`).
Flushes, never commits.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml
from flask import current_app
from sqlalchemy import delete, func, select, update

import integrations
import privacy
from config import Config
from models import Category, Contact, Conversation, Integration, OrderItem, Product, db
from shop import catalog, programs

from .performance import Script, perform, read_scripts

DEFAULT_SEED: Final = 20_260_401
SHOP_FILE: Final = Path(__file__).parent / "shop.yaml"
SECRET_BYTES: Final = 24


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


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove_demo` took away; `media_paths` are files that the caller removes after its commit."""

    numbers: int
    products: int
    contacts: int
    messages: int
    media_paths: tuple[str, ...] = ()


def seed_demo(*, now: datetime, seed: int = DEFAULT_SEED) -> Seeded:
    """Write the demo set, unless it is there. Flushes. Idempotent."""
    program_count = programs.seed_programs(now=now)
    if _demo_numbers():
        return Seeded(is_new=False, programs=program_count)
    product_count = _seed_shop()
    numbers = {number.key: _add_number(number) for number in NUMBERS}
    config: Config = current_app.config["BALCAO"]
    message_count = contact_count = 0
    rng = Random(seed)
    for script in _in_order(read_scripts()):
        number = integrations.number(numbers[script.number].id)
        if number is None:
            raise LookupError(script.number)
        message_count += perform(script, number, config, now=now, rng=rng)
        contact_count += 1
    integrations.forget()  # a caller that rolls back must not remember our numbers
    return Seeded(True, len(numbers), program_count, product_count, contact_count, message_count)


def remove_demo() -> Removed:
    """Delete the simulated numbers of the demo with everybody who wrote to them, and the demo's products.

    Flushes. A product that a real order holds is only taken off sale. Programmes stay. Idempotent.
    """
    number_ids = [number.id for number in _demo_numbers()]
    people = db.session.scalars(
        select(Contact).where(
            Contact.id.in_(select(Conversation.contact_id).where(Conversation.integration_id.in_(number_ids)))
        )
    ).all()
    deleted = privacy.delete_person(people)
    removed_products = _remove_products()
    db.session.execute(delete(Integration).where(Integration.id.in_(number_ids)))
    db.session.flush()
    db.session.expire_all()
    integrations.forget()
    return Removed(len(number_ids), removed_products, deleted.contacts, deleted.messages, deleted.media_paths)


def _demo_numbers() -> list[Integration]:
    ids = [number.number_id for number in NUMBERS]
    return list(
        db.session.scalars(
            select(Integration).where(Integration.provider == "simulator", Integration.number_id.in_(ids))
        )
    )


def _add_number(number: DemoNumber) -> Integration:
    return integrations.create(
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


def _in_order(scripts: list[Script]) -> list[Script]:
    """Let the oldest conversation be written first, as ids grow with time."""
    return sorted(scripts, key=lambda script: -script.days_ago)


def _seed_shop() -> int:
    shelves: list[dict[str, Any]] = yaml.safe_load(SHOP_FILE.read_text(encoding="utf-8"))
    count = 0
    for place, shelf in enumerate(shelves):
        home = catalog.save_category(shelf["name"], names=shelf["names"], position=place)
        for position, sheet in enumerate(shelf["products"]):
            catalog.save_product(
                home.id, catalog.ProductSheet(**sheet, currency="BRL", position=position, is_demo=True)
            )
            count += 1
    return count


def _remove_products() -> int:
    is_held = select(OrderItem.id).where(OrderItem.product_id == Product.id).exists()
    db.session.execute(
        update(Product)
        .where(Product.is_demo, is_held)
        .values(is_active=False)
        .execution_options(synchronize_session=False)
    )
    free = list(db.session.scalars(select(Product.id).where(Product.is_demo, ~is_held)))
    homes = list(db.session.scalars(select(Product.category_id).where(Product.is_demo).distinct()))
    db.session.execute(delete(Product).where(Product.id.in_(free)))
    for home in homes:
        if not db.session.scalar(select(func.count(Product.id)).where(Product.category_id == home)):
            db.session.execute(delete(Category).where(Category.id == home))
    return len(free)
