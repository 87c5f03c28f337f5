"""Lay the tables of webhooks out and lead forms, follow messages by one trace id, and keep deletions' receipts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
TRACED = ("webhook_events", "turns", "messages")


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Give a string type that is compared byte for byte."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _column(name: str, kind: object, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=nullable)


def _table(name: str, *parts: object) -> None:
    op.create_table(
        name,
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def upgrade() -> None:
    # Added without a rewrite of the table: these may hold millions of rows.
    for table in TRACED:
        op.add_column(table, sa.Column("trace_id", exact(64), nullable=True))
    _index("messages", "trace_id")
    op.add_column("workers", sa.Column("figures", long_text, nullable=True))
    _webhooks_out()
    _table(
        "lead_forms",
        _column("name", sa.String(120)),
        _column("source", sa.String(60)),
        _column("integration_id", row_id, nullable=True),
        _column("token_hash", exact(64)),
        _column("created_at", moment),
        _column("last_used_at", moment, nullable=True),
        _column("revoked_at", moment, nullable=True),
        _reference("lead_forms", "integration_id", "integrations"),
        _unique("lead_forms", "token_hash"),
    )
    _index("lead_forms", "integration_id")
    _table(
        "form_entries",
        _column("form_id", row_id),
        _column("entry_key", exact(64)),
        _column("lead_id", row_id, nullable=True),
        _column("created_at", moment),
        _reference("form_entries", "form_id", "lead_forms"),
        _unique("form_entries", "form_id", "entry_key"),
    )
    _index("form_entries", "created_at")
    _table(
        "erasures",
        _column("receipt", exact(40)),
        _column("subject_hash", exact(64)),
        _column("counts", long_text),
        _column("asked_by", sa.String(20)),
        _column("operator_id", row_id, nullable=True),
        _column("at", moment),
        _reference("erasures", "operator_id", "operators"),
        _unique("erasures", "receipt"),
    )
    _index("erasures", "subject_hash")


def _webhooks_out() -> None:
    _table(
        "webhook_endpoints",
        _column("service", sa.String(20)),
        _column("name", sa.String(120)),
        _column("url", sa.Text()),
        _column("kinds", long_text, nullable=True),
        _column("secret", sa.Text()),
        _column("old_secret", sa.Text()),
        _column("old_secret_until", moment, nullable=True),
        _column("is_active", sa.Boolean()),
        _column("failing_since", moment, nullable=True),
        _column("last_ok_at", moment, nullable=True),
        _column("created_at", moment),
        _column("removed_at", moment, nullable=True),
    )
    _table(
        "outgoing_events",
        _column("kind", sa.String(40)),
        _column("record", sa.String(20)),
        _column("record_id", row_id),
        _column("before", sa.String(24)),
        _column("after", sa.String(24)),
        _column("contact_id", row_id, nullable=True),
        _column("trace_id", exact(64), nullable=True),
        _column("body", long_text, nullable=True),
        _column("is_spread", sa.Boolean()),
        _column("at", moment),
    )
    _index("outgoing_events", "is_spread", "id")
    _index("outgoing_events", "contact_id")
    _index("outgoing_events", "at")
    _table(
        "webhook_deliveries",
        _column("event_id", row_id),
        _column("endpoint_id", row_id),
        _column("state", sa.String(10)),
        _column("attempts", sa.Integer()),
        _column("due_at", moment, nullable=True),
        _column("status_code", sa.Integer(), nullable=True),
        _column("reason", sa.String(60)),
        _column("took_ms", sa.Integer(), nullable=True),
        _column("sent_at", moment, nullable=True),
        _column("created_at", moment),
        _reference("webhook_deliveries", "event_id", "outgoing_events"),
        _reference("webhook_deliveries", "endpoint_id", "webhook_endpoints"),
        _unique("webhook_deliveries", "event_id", "endpoint_id"),
    )
    _index("webhook_deliveries", "due_at")
    _index("webhook_deliveries", "endpoint_id", "id")


def downgrade() -> None:
    for name in ("erasures", "form_entries", "lead_forms"):
        op.drop_table(name)
    for name in ("webhook_deliveries", "outgoing_events", "webhook_endpoints"):
        op.drop_table(name)
    op.drop_column("workers", "figures")
    op.drop_index(op.f("ix_messages_trace_id"), table_name="messages")
    for table in reversed(TRACED):
        op.drop_column(table, "trace_id")
