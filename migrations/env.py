"""How Alembic meets the application: its engine and its tables. Run through `cli.py init-db` or `flask
--app main db upgrade`."""

from typing import Any, Literal

from alembic import context
from flask import current_app

import models

database = current_app.extensions["migrate"].db


PLAIN_TYPES = {
    models.UtcDateTime: "sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')",
    models.Json: "sa.Text().with_variant(mysql.LONGTEXT(), 'mysql', 'mariadb')",
}


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our own types as plain ones: a migration must not change when models.py does."""
    if kind == "type" and type(item) in PLAIN_TYPES:
        autogen.imports.add("from sqlalchemy.dialects import mysql")
        return PLAIN_TYPES[type(item)]
    return False


def run() -> None:
    engine = database.engine
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            compare_type=True,
            include_name=models.is_in_metadata,
            compare_server_default=False,
            render_as_batch=engine.dialect.name == "sqlite",
            transaction_per_migration=True,
            # SQLite keeps schema changes in a transaction too, now that we begin it ourselves.
            transactional_ddl=engine.dialect.name != "mysql",
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
