"""Keep what programs write with their keys"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def exact(length: int) -> sa.String:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "api_writes",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("api_key_id", number, nullable=False),
        sa.Column("idempotency_key", exact(128), nullable=True),
        sa.Column("fingerprint", exact(64), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", long_text, nullable=True),
        sa.Column("trace_id", exact(64), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_api_writes_api_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_writes")),
        sa.UniqueConstraint(
            "api_key_id", "idempotency_key", name=op.f("uq_api_writes_api_key_id_idempotency_key")
        ),
    )
    op.create_index(op.f("ix_api_writes_created_at"), "api_writes", ["created_at"], unique=False)
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("operator_id", number, nullable=True))
        batch_op.create_foreign_key(op.f("fk_api_keys_operator_id"), "operators", ["operator_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_api_keys_operator_id"), type_="foreignkey")
        batch_op.drop_column("operator_id")
    op.drop_table("api_writes")
