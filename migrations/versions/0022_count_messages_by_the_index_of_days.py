"""Count messages by the index of days

The overview counts what a day brought: with direction and conversation in the index by time, no row is read.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

NAME = "ix_messages_created"


def upgrade() -> None:
    op.drop_index(NAME, "messages")
    op.create_index(NAME, "messages", ["created_at", "direction", "conversation_id"])


def downgrade() -> None:
    op.drop_index(NAME, "messages")
    op.create_index(NAME, "messages", ["created_at"])
