"""Lay the tables of telling alerts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def exact(length: int) -> sa.String:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _column(name: str, kind: object, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=nullable)


def _table(name: str, *parts: object) -> None:
    op.create_table(
        name,
        sa.Column("id", number, autoincrement=True, nullable=False),
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
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(_column("routed_at", moment, nullable=True))
        batch_op.create_index(batch_op.f("ix_alerts_routed_at"), ["routed_at"], unique=False)
    # What there is has been seen on the pages: nobody is told of it now.
    op.execute("UPDATE alerts SET routed_at = created_at")
    _table(
        "alert_recipients",
        _column("channel", sa.String(10)),
        _column("address", sa.Text()),
        _column("address_key", exact(64)),
        _column("name", sa.String(120)),
        _column("operator_id", number, nullable=True),
        _column("language", sa.String(5)),
        _column("kinds", long_text, nullable=True),
        _column("quiet_from_min", sa.Integer(), nullable=True),
        _column("quiet_until_min", sa.Integer(), nullable=True),
        _column("is_woken", sa.Boolean()),
        _column("secret", sa.Text()),
        _column("is_active", sa.Boolean()),
        _column("is_from_environment", sa.Boolean()),
        _column("created_at", moment),
        _column("removed_at", moment, nullable=True),
        _reference("alert_recipients", "operator_id", "operators"),
        _unique("alert_recipients", "channel", "address_key"),
    )
    _index("alert_recipients", "operator_id")
    _table(
        "push_subscriptions",
        _column("operator_id", number),
        _column("endpoint", sa.Text()),
        _column("endpoint_key", exact(64)),
        _column("p256dh", sa.String(120)),
        _column("auth", sa.String(60)),
        _column("browser", sa.String(120)),
        _column("created_at", moment),
        _column("last_ok_at", moment, nullable=True),
        _reference("push_subscriptions", "operator_id", "operators"),
        _unique("push_subscriptions", "endpoint_key"),
    )
    _index("push_subscriptions", "operator_id")
    _outboxes()


def _outboxes() -> None:
    _table(
        "alert_deliveries",
        _column("alert_id", number),
        _column("recipient_id", number),
        _column("kind", sa.String(40)),
        _column("topic", exact(190)),
        _column("state", sa.String(10)),
        _column("reason", sa.String(60)),
        _column("batch_id", number, nullable=True),
        _column("attempts", sa.Integer()),
        _column("due_at", moment, nullable=True),
        _column("sent_at", moment, nullable=True),
        _column("created_at", moment),
        _reference("alert_deliveries", "recipient_id", "alert_recipients"),
        _unique("alert_deliveries", "alert_id", "recipient_id"),
    )
    _index("alert_deliveries", "due_at")
    _index("alert_deliveries", "recipient_id", "topic")
    _index("alert_deliveries", "recipient_id", "sent_at")
    _table(
        "appointment_letters",
        _column("appointment_id", number),
        _column("sequence", sa.Integer()),
        _column("method", sa.String(10)),
        _column("state", sa.String(10)),
        _column("reason", sa.String(60)),
        _column("attempts", sa.Integer()),
        _column("due_at", moment, nullable=True),
        _column("sent_at", moment, nullable=True),
        _column("created_at", moment),
        _reference("appointment_letters", "appointment_id", "appointments"),
        _unique("appointment_letters", "appointment_id", "sequence"),
    )
    _index("appointment_letters", "due_at")


def downgrade() -> None:
    for table in ("appointment_letters", "alert_deliveries", "push_subscriptions", "alert_recipients"):
        op.drop_table(table)
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_routed_at"))
        batch_op.drop_column("routed_at")
