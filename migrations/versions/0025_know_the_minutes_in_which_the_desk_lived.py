"""Know the minutes in which the desk lived

What share of its time a shop's desk was there can be told only if the living left a trace.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
exact_part = sa.String(10).with_variant(mysql.VARCHAR(10, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "pulses",
        sa.Column("part", exact_part, nullable=False),
        sa.Column("minute", moment, nullable=False),
        sa.PrimaryKeyConstraint("part", "minute", name=op.f("pk_pulses")),
    )
    op.create_index(op.f("ix_pulses_minute"), "pulses", ["minute"], unique=False)


def downgrade() -> None:
    op.drop_table("pulses")
