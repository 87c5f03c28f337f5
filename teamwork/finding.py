"""The one search over people and what was written: whose name or phone it is, and which messages say it.

Called by the inbox. The database finds messages through its own index (SQLite FTS5, PostgreSQL GIN, MariaDB
FULLTEXT): every word must be there, whole or as a beginning, without regard to case and Latin accents.
Without an index, and for writing without spaces, the newest messages are read.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects import mysql

from models import MESSAGE_SEARCH_INDEX, Contact, ContactIdentity, Message, db

PHONE_DIGITS_MIN: Final = 3
WORDS_MIN_CHARS: Final = 3
WORDS_MAX: Final = 8
WORD_MAX_CHARS: Final = 60
# The newest messages that count as found; who finds so many writes another word.
FOUND_AT_MOST: Final = 1_000
# Where words cannot be looked up they are looked for, in so many of the newest messages.
READ_AT_MOST: Final = 20_000
# A word that many of the newest messages say is found by reading these: an index would bring all of them.
RECENT: Final = 2_000
RECENT_ENOUGH: Final = 40
# InnoDB indexes none shorter, and asks in vain for these, however they are asked for.
MARIADB_WORD_MIN_CHARS: Final = 3
MARIADB_STOP_WORDS: Final = frozenset(
    "a about an are as at be by com de en for from how i in is it la of on or that the this to was what when "
    "where who will with und www".split()
)
# Chinese and Japanese write without spaces, and Thai, too: an index knows whole sentences only.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_WORD: Final = re.compile(r"[^\W_]+")
# As migration 0021 has it: the index is used only where the expression is the same.
_ACCENTED: Final = "ÀÁÂÃÄÅàáâãäåÈÉÊËèéêëÌÍÎÏìíîïÒÓÔÕÖòóôõöÙÚÛÜùúûüÇçÑñÝýÿ"
_PLAIN: Final = "AAAAAAaaaaaaEEEEeeeeIIIIiiiiOOOOOoooooUUUUuuuuCcNnYyy"
_SIGNS: Final = ".,@/+_-;&=?#<>*~()!|"
_POSTGRESQL_WORDS: Final = (
    "to_tsvector('simple'::regconfig, "
    f"translate(left(messages.body, 16000), '{_ACCENTED}{_SIGNS}', '{_PLAIN}{' ' * len(_SIGNS)}'))"
)
_FOLDING: Final = str.maketrans(_ACCENTED, _PLAIN)


def people_called(search: str) -> list[int]:
    """Give the contacts whose name, phone or username this is a part of: the newest FOUND_AT_MOST."""
    wanted: Any = select(Contact.id).where(Contact.name.icontains(search, autoescape=True))
    digits = "".join(character for character in search if character.isdecimal() and character.isascii())
    owners = select(ContactIdentity.contact_id)
    if len(digits) >= PHONE_DIGITS_MIN:
        wanted = wanted.union(owners.where(ContactIdentity.value.contains(digits)))
    elif search.startswith("@"):
        username = ContactIdentity.value.icontains(search.lstrip("@"), autoescape=True)
        wanted = owners.where(ContactIdentity.kind == "username", username)
    found = wanted.subquery()
    newest = select(found.c[0]).order_by(found.c[0].desc()).limit(FOUND_AT_MOST)
    return list(db.session.scalars(newest))


def messages_saying(search: str) -> dict[int, int]:
    """Give the newest message of each conversation that says every word of `search`: its id by the
    conversation's. Of FOUND_AT_MOST messages, the newest; nothing for fewer than WORDS_MIN_CHARS characters.
    """
    words = tuple(dict.fromkeys(word[:WORD_MAX_CHARS] for word in _WORD.findall(search)))[:WORDS_MAX]
    if len(search) < WORDS_MIN_CHARS or not words:
        return {}
    condition = None if _UNSPACED.search(search) else _says(words)
    if condition is None:
        return _newest_of_each(_read(words, READ_AT_MOST))
    if db.engine.dialect.name == "sqlite":
        return _newest_of_each(condition)
    recent = _newest_of_each(_read(words, RECENT))
    return recent if len(recent) >= RECENT_ENOUGH else _newest_of_each(condition)


def _newest_of_each(condition: ColumnElement[bool]) -> dict[int, int]:
    rows = db.session.execute(
        select(Message.conversation_id, Message.id)
        .where(condition)
        .order_by(Message.id.desc())
        .limit(FOUND_AT_MOST)
    )
    found: dict[int, int] = {}
    for conversation_id, message_id in rows:
        found.setdefault(conversation_id, message_id)
    return found


def _read(words: Sequence[str], how_many: int) -> ColumnElement[bool]:
    newest = select(func.max(Message.id)).scalar_subquery()
    says = (Message.body.icontains(word, autoescape=True) for word in words)
    return and_(Message.id > newest - how_many, *says)


def forget_deleted() -> None:
    """Take the words of deleted messages out of the index's own storage, not only out of what is found.

    SQLite from 3.42 on does so with each deletion, and then this does nothing; before, the whole index is
    written anew. PostgreSQL does so with its next VACUUM, MariaDB with OPTIMIZE TABLE, as with the rows.
    """
    if db.engine.dialect.name != "sqlite" or not _knows("SELECT 1 FROM sqlite_master WHERE name = :name"):
        return
    is_kept_clean = text(f"SELECT 1 FROM {MESSAGE_SEARCH_INDEX}_config WHERE k = 'secure-delete' AND v = 1")
    if db.session.execute(is_kept_clean).first() is None:
        db.session.execute(
            text(f"INSERT INTO {MESSAGE_SEARCH_INDEX} ({MESSAGE_SEARCH_INDEX}) VALUES ('optimize')")
        )


# --- what the database does ---------------------------------------------------------------------------------


def _says(words: Sequence[str]) -> ColumnElement[bool] | None:
    """Give the condition "has all of these words" in the dialect of the database; None without an index."""
    dialect = db.engine.dialect.name
    if dialect == "postgresql":
        return _says_postgresql(words)
    if dialect == "sqlite":
        is_indexed = _knows("SELECT 1 FROM sqlite_master WHERE name = :name")
        return _says_sqlite(words) if is_indexed else None
    is_indexed = _knows(
        "SELECT 1 FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = 'messages' AND index_name = :name"
    )
    return _says_mariadb(words) if is_indexed else None


def _knows(question: str) -> bool:
    return db.session.execute(text(question), {"name": MESSAGE_SEARCH_INDEX}).first() is not None


def _says_sqlite(words: Sequence[str]) -> ColumnElement[bool]:
    index = table(MESSAGE_SEARCH_INDEX, column("rowid", Integer))
    found = literal_column(MESSAGE_SEARCH_INDEX).op("MATCH")(" ".join(f'"{word}" *' for word in words))
    newest = select(index.c.rowid).where(found).order_by(index.c.rowid.desc()).limit(FOUND_AT_MOST)
    return Message.id.in_(newest)


def _says_postgresql(words: Sequence[str]) -> ColumnElement[bool]:
    asked = " & ".join(f"'{_folded(word)}':*" for word in words)
    stored: ColumnElement[Any] = literal_column(_POSTGRESQL_WORDS)
    query = func.to_tsquery(literal_column("'simple'::regconfig"), asked)
    # All, and then the newest: reading backwards until enough are found may go through a million.
    found = (
        select(Message.id).where(stored.op("@@", is_comparison=True)(query)).cte().prefix_with("MATERIALIZED")
    )
    return Message.id.in_(select(found.c.id).order_by(found.c.id.desc()).limit(FOUND_AT_MOST))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).translate(_FOLDING)


def _says_mariadb(words: Sequence[str]) -> ColumnElement[bool] | None:
    known = [
        word
        for word in words
        if len(word) >= MARIADB_WORD_MIN_CHARS and word.lower() not in MARIADB_STOP_WORDS
    ]
    if not known:
        return None
    asked = " ".join(f"+{word}*" for word in known)
    return mysql.match(Message.__table__.c.body, against=asked).in_boolean_mode()
