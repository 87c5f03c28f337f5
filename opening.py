"""Make a desk ready for its first customer: schema, the environment's numbers and product, the first admin,
demo history.

Called by `main.serve` and by `cli init-db`. Idempotent: a second call changes nothing that people have
changed. Commits.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import select, text

import counting
import demo
import integrations
import operators
from alerts import recipients
from config import Config
from models import Integration, db, reading
from shop import catalog, programs

MIGRATIONS_DIR = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening found out: the admin's new password is known here and never again."""

    admin_email: str
    new_password: str | None


def migrate() -> None:
    """Bring the schema to the newest version."""
    if db.engine.dialect.name in ("mysql", "mariadb"):
        with db.engine.begin() as connection:
            connection.execute(text("ALTER DATABASE CHARACTER SET utf8mb4"))
    upgrade(directory=str(MIGRATIONS_DIR))


def prepare(config: Config, *, with_demo: bool = True) -> Opened:
    """Migrate and fill what an empty desk needs."""
    migrate()
    is_empty = _is_empty()
    now = datetime.now(UTC)
    integrations.adopt_environment(config)
    new_password = operators.ensure_first_admin(config)
    recipients.adopt_environment(config, now=now)
    programs.seed_programs(now=now)
    catalog.save_environment_product(config)
    has_demo = with_demo and _wants_demo(config, is_empty=is_empty) and demo.seed_demo(now=now).is_new
    db.session.commit()
    if has_demo:
        counting.count_missing(config, now)
    integrations.forget()
    return Opened(operators.first_admin_email(config), new_password)


def _is_empty() -> bool:
    with reading():
        found = db.session.execute(select(Integration.id).limit(1)).first()
        db.session.rollback()
    return found is None


def _wants_demo(config: Config, *, is_empty: bool) -> bool:
    if config.demo is not None:
        return config.demo
    return is_empty and not config.has_credentials
