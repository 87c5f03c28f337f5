"""Lay the tables of teams, hours and care"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Table, column, target: who looks after a record.
REFERENCES = (
    ("conversations", "team_id", "teams"),
    *((table, "team_id", "teams") for table in ("leads", "tickets", "complaints", "appointments")),
    *((table, "operator_id", "operators") for table in ("leads", "tickets", "complaints", "appointments")),
)


def exact(length: int) -> sa.String:
    binary = mysql.VARCHAR(length, collation="utf8mb4_bin")
    return sa.String(length).with_variant(binary, "mysql", "mariadb")


number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
words = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")

COLUMNS = (
    ("conversations", "away_until", moment),
    ("leads", "score", sa.Integer()),
    ("leads", "score_reasons", words),
    ("leads", "scored_at", moment),
    ("tickets", "due_at", moment),
    ("complaints", "due_at", moment),
    ("complaints", "escalated_at", moment),
    ("complaints", "asked_at", moment),
    ("appointments", "ends_at", moment),
    ("appointments", "slot_key", exact(60)),
    ("feedback", "record_id", number),
)
# Table, columns, whether it is unique.
INDEXES = (
    ("tickets", "due_at", False),
    ("appointments", "starts_at", False),
    ("appointments", "slot_key", True),
)


def add_reference(table: str, column: str, target: str) -> None:
    """Add a column that points to `target`.

    SQLite adds it in place: to copy the table would drop the old one, which other rows point to.
    """
    name = f"fk_{table}_{column}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER CONSTRAINT {name} REFERENCES {target} (id)"
        )
    else:
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=True))
        op.create_foreign_key(name, table, target, [column], ["id"])
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def upgrade() -> None:
    op.create_table(
        "holidays",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("is_yearly", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holidays")),
        sa.UniqueConstraint("day", name=op.f("uq_holidays_day")),
    )
    op.create_table(
        "teams",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("duty", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.String(length=12), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("last_operator_id", number, nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["last_operator_id"], ["operators.id"], name=op.f("fk_teams_last_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("operator_id", number, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("team_id", number, nullable=True),
        sa.Column("token_hash", exact(64), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("last_read_at", moment, nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_calendar_feeds_operator_id")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_calendar_feeds_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feeds_token_hash")),
    )
    op.create_index(op.f("ix_calendar_feeds_operator_id"), "calendar_feeds", ["operator_id"], unique=False)
    op.create_index(op.f("ix_calendar_feeds_team_id"), "calendar_feeds", ["team_id"], unique=False)

    op.create_table(
        "team_members",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("team_id", number, nullable=False),
        sa.Column("operator_id", number, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_team_members_operator_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_members")),
        sa.UniqueConstraint("team_id", "operator_id", name=op.f("uq_team_members_team_id_operator_id")),
    )
    op.create_index(op.f("ix_team_members_operator_id"), "team_members", ["operator_id"], unique=False)

    op.create_table(
        "working_hours",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("team_id", number, nullable=True),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("opens_min", sa.Integer(), nullable=False),
        sa.Column("closes_min", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_working_hours_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_hours")),
    )
    op.create_index(op.f("ix_working_hours_team_id"), "working_hours", ["team_id"], unique=False)

    op.create_table(
        "feedback_requests",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("key", exact(60), nullable=False),
        sa.Column("contact_id", number, nullable=False),
        sa.Column("conversation_id", number, nullable=False),
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("record_id", number, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("feedback_id", number, nullable=True),
        sa.Column("asked_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_feedback_requests_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_feedback_requests_conversation_id")
        ),
        sa.ForeignKeyConstraint(
            ["feedback_id"], ["feedback.id"], name=op.f("fk_feedback_requests_feedback_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_requests")),
        sa.UniqueConstraint("key", name=op.f("uq_feedback_requests_key")),
    )
    op.create_index(
        op.f("ix_feedback_requests_contact_id"), "feedback_requests", ["contact_id"], unique=False
    )
    op.create_index(
        op.f("ix_feedback_requests_conversation_id"), "feedback_requests", ["conversation_id"], unique=False
    )

    op.create_table(
        "follow_ups",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("contact_id", number, nullable=False),
        sa.Column("conversation_id", number, nullable=True),
        sa.Column("message_id", number, nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("words", words, nullable=False),
        sa.Column("team_id", number, nullable=True),
        sa.Column("operator_id", number, nullable=True),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_follow_ups_contact_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_follow_ups_conversation_id")
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_follow_ups_message_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_follow_ups_operator_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_follow_ups_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
    )
    op.create_index(op.f("ix_follow_ups_contact_id"), "follow_ups", ["contact_id"], unique=False)
    op.create_index(op.f("ix_follow_ups_conversation_id"), "follow_ups", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_follow_ups_created_at"), "follow_ups", ["created_at"], unique=False)
    op.create_index(op.f("ix_follow_ups_operator_id"), "follow_ups", ["operator_id"], unique=False)
    op.create_index(op.f("ix_follow_ups_team_id"), "follow_ups", ["team_id"], unique=False)

    op.create_table(
        "record_messages",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("record_id", number, nullable=False),
        sa.Column("message_id", number, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_record_messages_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_messages")),
        sa.UniqueConstraint(
            "record", "record_id", "message_id", name=op.f("uq_record_messages_record_record_id_message_id")
        ),
    )
    op.create_index(op.f("ix_record_messages_message_id"), "record_messages", ["message_id"], unique=False)

    op.create_table(
        "appointment_reminders",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("appointment_id", number, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointments.id"], name=op.f("fk_appointment_reminders_appointment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_reminders")),
        sa.UniqueConstraint(
            "appointment_id",
            "kind",
            "starts_at",
            name=op.f("uq_appointment_reminders_appointment_id_kind_starts_at"),
        ),
    )
    for table, column, target in REFERENCES:
        add_reference(table, column, target)
    for table, column, kind in COLUMNS:
        op.add_column(table, sa.Column(column, kind, nullable=True))
    op.add_column("feedback", sa.Column("record", sa.String(20), nullable=False, server_default=""))
    for table, column, is_unique in INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=is_unique)


def downgrade() -> None:
    for table, column, _is_unique in INDEXES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
    for table, column in (("feedback", "record"), *((table, column) for table, column, _kind in COLUMNS)):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    for table, column, _target in REFERENCES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_constraint(f"fk_{table}_{column}", type_="foreignkey")
            batch_op.drop_column(column)
    for table in (
        "appointment_reminders",
        "record_messages",
        "follow_ups",
        "feedback_requests",
        "working_hours",
        "team_members",
        "calendar_feeds",
        "teams",
        "holidays",
    ):
        op.drop_table(table)
