"""Let an article belong to one number"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    with op.batch_alter_table('articles', schema=None) as batch_op:
        batch_op.add_column(sa.Column('integration_id', big, nullable=True))
        batch_op.create_index(batch_op.f('ix_articles_integration_id'), ['integration_id'], unique=False)
        batch_op.create_foreign_key(
            batch_op.f('fk_articles_integration_id_integrations'), 'integrations', ['integration_id'], ['id']
        )


def downgrade() -> None:
    with op.batch_alter_table('articles', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_articles_integration_id_integrations'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_articles_integration_id'))
        batch_op.drop_column('integration_id')
