"""Know what each operator has read, and index the words of messages

What is read is each operator's own from here on. The words of messages are found through SQLite's FTS5 (kept in
step by triggers; a build without it goes without), PostgreSQL's GIN over an expression that folds Latin accents
and takes signs for spaces, MariaDB's FULLTEXT.
"""

import sqlite3

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TRIGGERS = ("messages_fts_insert", "messages_fts_delete", "messages_fts_update")
FORGET = "INSERT INTO messages_fts (messages_fts, rowid, body) VALUES ('delete', old.id, old.body)"
LEARN = "INSERT INTO messages_fts (rowid, body) VALUES (new.id, new.body)"
# Deleted words leave the file at once, not when the index is tidied up.
SECURE_DELETE_FROM = (3, 42)
# Latin letters lose their accents, and signs part words. `teamwork.finding` asks by the same expression.
ACCENTED = "ÀÁÂÃÄÅàáâãäåÈÉÊËèéêëÌÍÎÏìíîïÒÓÔÕÖòóôõöÙÚÛÜùúûüÇçÑñÝýÿ"
PLAIN = "AAAAAAaaaaaaEEEEeeeeIIIIiiiiOOOOOoooooUUUUuuuuCcNnYyy"
SIGNS = ".,@/+_-;&=?#<>*~()!|"
FOLDED = f"translate(left(body, 16000), '{ACCENTED}{SIGNS}', '{PLAIN}{' ' * len(SIGNS)}')"


def upgrade() -> None:
    op.create_table(
        "read_marks",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("operator_id", row_id, nullable=False),
        sa.Column("conversation_id", row_id, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_read_marks_operator_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_read_marks_conversation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_marks")),
        sa.UniqueConstraint(
            "operator_id", "conversation_id", name=op.f("uq_read_marks_operator_id_conversation_id")
        ),
    )
    op.create_index(op.f("ix_read_marks_conversation_id"), "read_marks", ["conversation_id"])
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(
            f"CREATE INDEX messages_fts ON messages USING gin (to_tsvector('simple'::regconfig, {FOLDED}))"
        )
    elif dialect == "sqlite":
        _index_sqlite()
    else:
        op.execute("CREATE FULLTEXT INDEX messages_fts ON messages (body)")


def _index_sqlite() -> None:
    has_fts5 = op.get_bind().execute(sa.text("SELECT sqlite_compileoption_used('ENABLE_FTS5')")).scalar()
    if not has_fts5:
        return
    op.execute("DROP TABLE IF EXISTS messages_fts")  # `reset-db` drops only what the models know
    op.execute(
        "CREATE VIRTUAL TABLE messages_fts USING fts5"
        "(body, content='messages', content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
    )
    if sqlite3.sqlite_version_info >= SECURE_DELETE_FROM:
        op.execute("INSERT INTO messages_fts (messages_fts, rank) VALUES ('secure-delete', 1)")
    op.execute(f"CREATE TRIGGER {TRIGGERS[0]} AFTER INSERT ON messages BEGIN {LEARN}; END")
    op.execute(f"CREATE TRIGGER {TRIGGERS[1]} AFTER DELETE ON messages BEGIN {FORGET}; END")
    op.execute(
        f"CREATE TRIGGER {TRIGGERS[2]} AFTER UPDATE OF id, body ON messages BEGIN {FORGET}; {LEARN}; END"
    )
    op.execute("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for trigger in TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        op.execute("DROP TABLE IF EXISTS messages_fts")
    elif dialect == "postgresql":
        op.execute("DROP INDEX messages_fts")
    else:
        op.execute("DROP INDEX messages_fts ON messages")
    op.drop_table("read_marks")
