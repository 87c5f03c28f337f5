"""Index the words of passages for the full-text search

SQLite keeps an FTS5 table in step by triggers (a build without FTS5 goes without: the search then reads the
words themselves); PostgreSQL has a GIN index over an expression, MariaDB a FULLTEXT index. The words are small
ASCII letters and digits, so each tokenizer takes them as they are.
"""

from alembic import op
from sqlalchemy import text

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

TRIGGERS = ('passages_fts_insert', 'passages_fts_delete', 'passages_fts_update')
FORGET = "INSERT INTO passages_fts (passages_fts, rowid, words) VALUES ('delete', old.id, old.words)"
LEARN = 'INSERT INTO passages_fts (rowid, words) VALUES (new.id, new.words)'


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == 'postgresql':
        op.execute("CREATE INDEX passages_fts ON passages USING gin (to_tsvector('simple'::regconfig, words))")
    elif dialect == 'sqlite':
        _index_sqlite()
    else:
        op.execute('CREATE FULLTEXT INDEX passages_fts ON passages (words)')


def _index_sqlite() -> None:
    has_fts5 = op.get_bind().execute(text("SELECT sqlite_compileoption_used('ENABLE_FTS5')")).scalar()
    if not has_fts5:
        return
    op.execute('DROP TABLE IF EXISTS passages_fts')  # `reset-db` drops only what the models know
    op.execute(
        "CREATE VIRTUAL TABLE passages_fts USING fts5"
        "(words, content='passages', content_rowid='id', tokenize='ascii')"
    )
    op.execute(f'CREATE TRIGGER {TRIGGERS[0]} AFTER INSERT ON passages BEGIN {LEARN}; END')
    op.execute(f'CREATE TRIGGER {TRIGGERS[1]} AFTER DELETE ON passages BEGIN {FORGET}; END')
    op.execute(
        f'CREATE TRIGGER {TRIGGERS[2]} AFTER UPDATE OF id, words ON passages BEGIN {FORGET}; {LEARN}; END'
    )
    op.execute("INSERT INTO passages_fts (passages_fts) VALUES ('rebuild')")


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == 'sqlite':
        for trigger in TRIGGERS:
            op.execute(f'DROP TRIGGER IF EXISTS {trigger}')
        op.execute('DROP TABLE IF EXISTS passages_fts')
    elif dialect == 'postgresql':
        op.execute('DROP INDEX passages_fts')
    else:
        op.execute('DROP INDEX passages_fts ON passages')
