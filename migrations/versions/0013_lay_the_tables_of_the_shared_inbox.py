"""Lay the tables of the shared inbox"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
NEWEST_READING = """
    UPDATE conversations SET {name} = (
        SELECT m.{name} FROM messages m WHERE m.id = (
            SELECT MAX(n.id) FROM messages n
            WHERE n.conversation_id = conversations.id AND n.direction = 'in' AND n.intent IS NOT NULL
        )
    )
"""


def upgrade() -> None:
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("snoozed_until", moment, nullable=True))
        batch_op.add_column(sa.Column("buying_signal", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("sentiment", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("urgency", sa.String(length=10), nullable=True))
        batch_op.create_index(
            op.f("ix_conversations_handler_last_message_at_id"), ["handler", "last_message_at", "id"]
        )
    for name in ("buying_signal", "sentiment", "urgency"):
        op.execute(NEWEST_READING.format(name=name))
    _create_labels()
    op.create_table(
        "notes",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("conversation_id", number, nullable=False),
        sa.Column("operator_id", number, nullable=False),
        sa.Column("body", long_text, nullable=False),
        sa.Column("client_token", _exact(64), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        _reference("notes", "conversation_id", "conversations"),
        _reference("notes", "operator_id", "operators"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        sa.UniqueConstraint("client_token", name=op.f("uq_notes_client_token")),
    )
    _index("notes", "conversation_id")
    _create_tools()


def _create_labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("name", name=op.f("uq_labels_name")),
    )
    op.create_table(
        "conversation_labels",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("label_id", number, nullable=False),
        sa.Column("conversation_id", number, nullable=False),
        _reference("conversation_labels", "label_id", "labels"),
        _reference("conversation_labels", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_labels")),
        sa.UniqueConstraint(
            "label_id", "conversation_id", name=op.f("uq_conversation_labels_label_id_conversation_id")
        ),
    )
    _index("conversation_labels", "conversation_id")


def _create_tools() -> None:
    op.create_table(
        "canned_replies",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("shortcut", _exact(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_replies")),
        sa.UniqueConstraint("shortcut", name=op.f("uq_canned_replies_shortcut")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("operator_id", number, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=500), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        _reference("saved_views", "operator_id", "operators"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_saved_views_operator_id_name")),
    )
    op.create_table(
        "bulk_actions",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("operator_id", number, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("before", long_text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("undone_at", moment, nullable=True),
        _reference("bulk_actions", "operator_id", "operators"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_actions")),
    )
    _index("bulk_actions", "operator_id")


def downgrade() -> None:
    for table in ("bulk_actions", "saved_views", "canned_replies", "notes", "conversation_labels", "labels"):
        op.drop_table(table)
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_conversations_handler_last_message_at_id"))
        for name in ("urgency", "sentiment", "buying_signal", "snoozed_until"):
            batch_op.drop_column(name)


def _exact(length: int) -> sa.String:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
