"""Tell a program of one number

Conversions belong to the business account of one number; any other program may listen to a single one, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE, COLUMN, FOREIGN_KEY = "webhook_endpoints", "integration_id", "fk_webhook_endpoints_integration_id"
number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch:
        batch.add_column(sa.Column(COLUMN, number, nullable=True))
        batch.create_foreign_key(FOREIGN_KEY, "integrations", [COLUMN], ["id"])
        batch.create_index(f"ix_{TABLE}_{COLUMN}", [COLUMN])


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch:
        batch.drop_constraint(FOREIGN_KEY, type_="foreignkey")
        batch.drop_index(f"ix_{TABLE}_{COLUMN}")
        batch.drop_column(COLUMN)
