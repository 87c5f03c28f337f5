"""Lay the tables of templates and campaigns"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def exact(length: int) -> sa.String:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _key() -> sa.Column[int]:
    return sa.Column("id", number, autoincrement=True, nullable=False)


def _column(name: str, kind: object, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=nullable)


def _primary(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def upgrade() -> None:
    _templates()
    _campaigns()
    _recipients()
    _scheduled()


def _templates() -> None:
    op.create_table(
        "message_templates",
        _key(),
        _column("integration_id", number),
        _column("name", exact(512)),
        _column("language", exact(15)),
        _column("category", sa.String(20)),
        _column("wording", long_text),
        _column("body", long_text),
        _column("status", sa.String(20)),
        _column("status_reason", sa.String(255)),
        _column("quality", sa.String(12)),
        _column("external_id", exact(100), nullable=True),
        _column("synced_at", moment, nullable=True),
        _column("created_at", moment),
        _column("updated_at", moment),
        _reference("message_templates", "integration_id", "integrations"),
        _primary("message_templates"),
        _unique("message_templates", "integration_id", "name", "language"),
    )
    _index("message_templates", "external_id")
    op.create_table(
        "template_uses",
        _key(),
        _column("template_id", number),
        _column("message_id", number),
        _column("purpose", sa.String(20)),
        _column("created_at", moment),
        _reference("template_uses", "template_id", "message_templates"),
        _primary("template_uses"),
        _unique("template_uses", "message_id"),
    )
    _index("template_uses", "template_id", "created_at")


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        _key(),
        _column("name", sa.String(120)),
        _column("integration_id", number),
        _column("template_name", exact(512)),
        _column("fallback_language", exact(15)),
        _column("filling", long_text),
        _column("segment", long_text),
        _column("state", sa.String(12)),
        _column("per_minute", sa.Integer()),
        _column("starts_at", moment, nullable=True),
        _column("next_at", moment, nullable=True),
        _column("reason", sa.String(40)),
        _column("operator_id", number, nullable=True),
        _column("client_token", exact(64), nullable=True),
        _column("is_demo", sa.Boolean()),
        _column("created_at", moment),
        _column("started_at", moment, nullable=True),
        _column("ended_at", moment, nullable=True),
        _reference("campaigns", "integration_id", "integrations"),
        _reference("campaigns", "operator_id", "operators"),
        _primary("campaigns"),
        _unique("campaigns", "client_token"),
    )
    _index("campaigns", "integration_id")
    _index("campaigns", "created_at")
    _index("campaigns", "state", "next_at")


def _recipients() -> None:
    op.create_table(
        "campaign_recipients",
        _key(),
        _column("campaign_id", number),
        _column("person_key", exact(60)),
        _column("contact_id", number, nullable=True),
        _column("conversation_id", number, nullable=True),
        _column("phone", exact(20)),
        _column("name", sa.String(255)),
        _column("language", sa.String(5)),
        _column("columns", long_text, nullable=True),
        _column("state", sa.String(10)),
        _column("reason", sa.String(40)),
        _column("message_id", number, nullable=True),
        _column("due_at", moment, nullable=True),
        _column("queued_at", moment, nullable=True),
        _reference("campaign_recipients", "campaign_id", "campaigns"),
        _reference("campaign_recipients", "contact_id", "contacts"),
        _reference("campaign_recipients", "conversation_id", "conversations"),
        _primary("campaign_recipients"),
        _unique("campaign_recipients", "campaign_id", "person_key"),
    )
    for column in ("contact_id", "conversation_id", "phone", "message_id"):
        _index("campaign_recipients", column)
    _index("campaign_recipients", "campaign_id", "state", "due_at")


def _scheduled() -> None:
    op.create_table(
        "scheduled_messages",
        _key(),
        _column("contact_id", number),
        _column("conversation_id", number),
        _column("operator_id", number, nullable=True),
        _column("body", long_text),
        _column("template_id", number, nullable=True),
        _column("filling", long_text, nullable=True),
        _column("state", sa.String(10)),
        _column("reason", sa.String(40)),
        _column("message_id", number, nullable=True),
        _column("client_token", exact(64)),
        _column("due_at", moment),
        _column("settled_at", moment, nullable=True),
        _column("created_at", moment),
        _reference("scheduled_messages", "contact_id", "contacts"),
        _reference("scheduled_messages", "conversation_id", "conversations"),
        _reference("scheduled_messages", "operator_id", "operators"),
        _reference("scheduled_messages", "template_id", "message_templates"),
        _primary("scheduled_messages"),
        _unique("scheduled_messages", "client_token"),
    )
    for column in ("contact_id", "conversation_id", "template_id"):
        _index("scheduled_messages", column)
    _index("scheduled_messages", "state", "due_at")


def downgrade() -> None:
    for table in (
        "scheduled_messages",
        "campaign_recipients",
        "campaigns",
        "template_uses",
        "message_templates",
    ):
        op.drop_table(table)
