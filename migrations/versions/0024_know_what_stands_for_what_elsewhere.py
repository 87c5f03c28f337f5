"""Know what stands for what in another system

A connector creates nothing twice, and knows what is left of a person there when she is deleted here.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
exact_id = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")

ENDPOINTS, LINKS = "webhook_endpoints", "connector_links"


def upgrade() -> None:
    op.add_column(ENDPOINTS, sa.Column("settings", long_text, nullable=True))
    op.add_column(ENDPOINTS, sa.Column("hook_secret", sa.Text(), nullable=True))
    op.add_column(ENDPOINTS, sa.Column("trouble", sa.String(60), nullable=True))
    op.create_table(
        LINKS,
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("endpoint_id", row_id, nullable=False),
        sa.Column("record", sa.String(20), nullable=False),
        sa.Column("record_id", row_id, nullable=False),
        sa.Column("contact_id", row_id, nullable=False),
        sa.Column("external_id", exact_id, nullable=False),
        sa.Column("facts", long_text, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_connector_links_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connector_links")),
        sa.UniqueConstraint(
            "endpoint_id", "record", "record_id", name=op.f("uq_connector_links_endpoint_id_record_record_id")
        ),
    )
    op.create_index(op.f("ix_connector_links_contact_id"), LINKS, ["contact_id"], unique=False)
    op.create_index(
        op.f("ix_connector_links_endpoint_id_external_id"), LINKS, ["endpoint_id", "external_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table(LINKS)
    for column in ("trouble", "hook_secret", "settings"):
        op.drop_column(ENDPOINTS, column)
