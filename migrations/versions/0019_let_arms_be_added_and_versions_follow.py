"""Let arms be added, their versions follow what they say and sell, and an order be paid again"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
ONCE = ["decision_id", "kind", "order_id"]
AGAIN = [*ONCE, "nth"]


def upgrade() -> None:
    with op.batch_alter_table("arms", schema=None) as batch_op:
        for name, length in (("fingerprint", 40), ("base", 20), ("title", 60)):
            batch_op.add_column(sa.Column(name, sa.String(length), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("own", long_text, nullable=True))
        batch_op.add_column(sa.Column("retired_at", moment, nullable=True))
    op.create_table(
        "offers",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column(
            "niche",
            sa.String(120).with_variant(mysql.VARCHAR(120, collation="utf8mb4_bin"), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prices", long_text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("niche", "version", name=op.f("uq_offers_niche_version")),
    )
    op.add_column("decisions", sa.Column("offer_version", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("nth", sa.Integer(), nullable=False, server_default="1"))
        # The new one first: MariaDB lets no foreign key be without an index.
        batch_op.create_unique_constraint(op.f(f"uq_outcomes_{'_'.join(AGAIN)}"), AGAIN)
        batch_op.drop_constraint(op.f(f"uq_outcomes_{'_'.join(ONCE)}"), type_="unique")


def downgrade() -> None:
    op.execute("DELETE FROM outcomes WHERE nth > 1")
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_unique_constraint(op.f(f"uq_outcomes_{'_'.join(ONCE)}"), ONCE)
        batch_op.drop_constraint(op.f(f"uq_outcomes_{'_'.join(AGAIN)}"), type_="unique")
        batch_op.drop_column("nth")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_column("offer_version")
    op.drop_table("offers")
    with op.batch_alter_table("arms", schema=None) as batch_op:
        for name in ("retired_at", "own", "title", "base", "fingerprint"):
            batch_op.drop_column(name)
