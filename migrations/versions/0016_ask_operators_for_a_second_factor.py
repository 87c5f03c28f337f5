"""Ask operators for a second factor"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    with op.batch_alter_table("operators", schema=None) as batch_op:
        batch_op.add_column(sa.Column("totp_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("recovery_hashes", long_text, nullable=True))
    op.execute("UPDATE operators SET totp_secret = ''")
    with op.batch_alter_table("operators", schema=None) as batch_op:
        # MariaDB takes no default for a text when the column is made.
        batch_op.alter_column("totp_secret", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("operators", schema=None) as batch_op:
        for name in ("recovery_hashes", "totp_step", "totp_secret"):
            batch_op.drop_column(name)
