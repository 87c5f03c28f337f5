"""Keep the steps of records"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
    op.create_table('state_changes',
    sa.Column('id', number, autoincrement=True, nullable=False),
    sa.Column('record', sa.String(length=20), nullable=False),
    sa.Column('record_id', number, nullable=False),
    sa.Column('before', sa.String(length=24), nullable=False),
    sa.Column('after', sa.String(length=24), nullable=False),
    sa.Column('actor', sa.String(length=12), nullable=False),
    sa.Column('operator_id', number, nullable=True),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('at', moment, nullable=False),
    sa.ForeignKeyConstraint(['operator_id'], ['operators.id'], name=op.f('fk_state_changes_operator_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_state_changes'))
    )
    with op.batch_alter_table('state_changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_state_changes_record_record_id'), ['record', 'record_id'], unique=False)


def downgrade() -> None:
    op.drop_table('state_changes')
