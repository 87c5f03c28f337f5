"""Lay the tables of notices and nudges"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    with op.batch_alter_table("integrations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner_phone", sa.String(length=40), nullable=False, server_default=""))
    op.create_table(
        "owner_notices",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("alert_id", number, nullable=False),
        sa.Column("integration_id", number, nullable=False),
        sa.Column("conversation_id", number, nullable=False),
        sa.Column("order_id", number, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("message_id", number, nullable=True),
        sa.Column("sent_count", sa.Integer(), nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("knocked_at", moment, nullable=True),
        sa.Column("answer", sa.String(length=10), nullable=False),
        sa.Column("answered_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        _reference("owner_notices", "integration_id", "integrations"),
        _reference("owner_notices", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owner_notices")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_owner_notices_alert_id")),
    )
    _index("owner_notices", "integration_id")
    _index("owner_notices", "conversation_id")
    _index("owner_notices", "order_id")
    _index("owner_notices", "created_at")
    _index("owner_notices", "state", "due_at")
    op.create_table(
        "nudges",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("record_id", number, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("contact_id", number, nullable=False),
        sa.Column("conversation_id", number, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("silent_since", moment, nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("message_id", number, nullable=True),
        sa.Column("settled_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        _reference("nudges", "contact_id", "contacts"),
        _reference("nudges", "conversation_id", "conversations"),
        _reference("nudges", "message_id", "messages"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nudges")),
        sa.UniqueConstraint("record", "record_id", name=op.f("uq_nudges_record_record_id")),
    )
    _index("nudges", "contact_id")
    _index("nudges", "conversation_id")
    _index("nudges", "created_at")
    _index("nudges", "state", "due_at")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def downgrade() -> None:
    op.drop_table("nudges")
    op.drop_table("owner_notices")
    with op.batch_alter_table("integrations", schema=None) as batch_op:
        batch_op.drop_column("owner_phone")
