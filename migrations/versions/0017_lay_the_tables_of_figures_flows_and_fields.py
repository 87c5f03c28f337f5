"""Lay the tables of figures, published flows, contacts' own fields and the desk's settings"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Give a string type that is compared byte for byte."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("custom", long_text, nullable=True))
    op.create_table(
        "contact_fields",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_fields")),
        sa.UniqueConstraint("name", name=op.f("uq_contact_fields_name")),
    )
    op.create_table(
        "flow_versions",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("flow", exact(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("source", long_text, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("operator_id", row_id, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_flow_versions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_versions")),
        sa.UniqueConstraint("flow", "version", name=op.f("uq_flow_versions_flow_version")),
    )
    op.create_table(
        "daily_figures",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", exact(30), nullable=False),
        sa.Column("part", exact(160), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_figures")),
        sa.UniqueConstraint("day", "name", "part", name=op.f("uq_daily_figures_day_name_part")),
    )
    op.create_table(
        "saved_reports",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("operator_id", row_id, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("query", sa.String(500), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_saved_reports_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_reports")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_saved_reports_operator_id_name")),
    )
    op.create_table(
        "desk_settings",
        sa.Column("name", exact(60), nullable=False),
        sa.Column("value", long_text, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_desk_settings")),
    )


    with op.batch_alter_table("state_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_state_changes_at"), ["at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("state_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_state_changes_at"))
    for name in ("desk_settings", "saved_reports", "daily_figures", "flow_versions", "contact_fields"):
        op.drop_table(name)
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.drop_column("custom")
