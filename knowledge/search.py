"""The one search over the knowledge base: which passages answer a question, and whether one clearly does.

The database finds candidates through its own index (SQLite FTS5, PostgreSQL tsvector, MariaDB FULLTEXT;
without an index it reads the words); the score is made here, so that all of them decide alike. Reads only.
MariaDB's index knows a row after its commit, and not before.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    column,
    distinct,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects import mysql

from knowledge.words import asked_stems, indexed, relatives, stems
from models import SEARCH_INDEX, Article, Passage, db

QUESTION_MAX_CHARS: Final = 1_000
QUESTION_MAX_STEMS: Final = 16
RELATIVES_MAX: Final = 12
CANDIDATES_MAX: Final = 300
# How much of a word counts by where it was found. Tuned on tests/knowledge_questions.csv.
IN_TITLE: Final = 1.0
IN_TEXT: Final = 0.8
AS_RELATIVE: Final = 0.85
BY_BOTH: Final = 0.5
# From where on an answer is clear: its score, and how far the next article is behind.
CLEAR_SCORE: Final = 0.6
CLEAR_MARGIN: Final = 0.08

Matcher = Callable[[Sequence[str]], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that may answer. `score` is the share of the question's content that it has, 0 to 1, rare
    words counting more. `is_clear` (only of the first): it may be the answer without asking a person.
    """

    passage_id: int
    article_id: int
    title: str
    heading: str
    text: str
    score: float
    is_clear: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """One thing that the question asks for: its stems in the index, those of their relatives, its weight."""

    own: tuple[str, ...]
    others: tuple[str, ...]
    weight: float = 0.0


def search(
    question: str, language: str, limit: int = 3, *, integration_id: int | None = None
) -> tuple[Found, ...]:
    """Find the active passages in `language` that answer `question` best, at most one of each article.

    With `integration_id` as that number of ours knows them: its own articles and those of every number.

    >>> found = search("vocês aceitam pix?", "pt")
    >>> answer = found[0].text if found and found[0].is_clear else None  # None: offer a person
    """
    wishes = _wishes(question, language)
    if not wishes:
        return ()
    names = list(dict.fromkeys(name for wish in wishes for name in (*wish.own, *wish.others)))
    scope = _scope(language, integration_id)
    rows, counts = _candidates(names, scope)
    if not rows:
        return ()
    article_count = _article_count(scope)
    wishes = [replace(wish, weight=_weight(wish, counts, article_count)) for wish in wishes]
    found = [_scored(row, wishes, language) for row in rows]
    found = _best_of_each(sorted(found, key=lambda f: (-f.score, f.passage_id)))
    return _with_clearness(found)[:limit]


def _wishes(question: str, language: str) -> list[_Wish]:
    said = list(dict.fromkeys(asked_stems(question[:QUESTION_MAX_CHARS], language)))[:QUESTION_MAX_STEMS]
    wishes: list[_Wish] = []
    for stem in said:
        name = indexed(stem)
        # "Open" and "hours" in one question are one wish, not two.
        same = next((place for place, wish in enumerate(wishes) if name in wish.others), None)
        if same is None:
            others = relatives(stem, language)[:RELATIVES_MAX]
            wishes.append(_Wish((name,), tuple(indexed(other) for other in others)))
        else:
            wishes[same] = replace(wishes[same], own=(*wishes[same].own, name))
    return wishes


def _weight(wish: _Wish, counts: Mapping[str, int], article_count: int) -> float:
    """Give how much a word tells: the rarer, the more; one that no article has, as the rarest."""
    found = max(counts[name] for name in wish.own) or max((counts[n] for n in wish.others), default=0)
    return math.log(1 + article_count / (found or 1))


def _scored(row: Any, wishes: Sequence[_Wish], language: str) -> Found:
    title = {indexed(stem) for stem in stems(f"{row.title} {row.heading}", language)}
    words = frozenset(row.words.split())
    total = sum(wish.weight for wish in wishes)
    share = sum(wish.weight * _share(wish, title, words) for wish in wishes) / total
    return Found(row.id, row.article_id, row.title, row.heading, row.text, round(share, 4))


def _share(wish: _Wish, title: set[str], words: frozenset[str]) -> float:
    """Give how well one thing of the question is met, 0 to 1: by the title, by the text, best by both."""
    in_title = _met(wish, title, IN_TITLE)
    return in_title + (1 - in_title) * _met(wish, words, IN_TEXT) * (BY_BOTH if in_title else 1)


def _met(wish: _Wish, words: Set[str], most: float) -> float:
    own = len(words & set(wish.own)) / len(wish.own)
    return most * max(own, AS_RELATIVE if not words.isdisjoint(wish.others) else 0.0)


def _best_of_each(found: Iterable[Found]) -> list[Found]:
    best: dict[int, Found] = {}
    for each in found:
        best.setdefault(each.article_id, each)
    return list(best.values())


def _with_clearness(found: Sequence[Found]) -> tuple[Found, ...]:
    first, *rest = found
    margin = first.score - rest[0].score if rest else first.score
    is_clear = first.score >= CLEAR_SCORE and margin >= CLEAR_MARGIN
    return (replace(first, is_clear=is_clear), *rest)


# --- what the database does ---------------------------------------------------------------------------------


def _scope(language: str, integration_id: int | None) -> ColumnElement[bool]:
    """Give which articles are searched at all."""
    searched = and_(Article.is_active, Article.language == language)
    if integration_id is None:
        return searched
    own = or_(Article.integration_id.is_(None), Article.integration_id == integration_id)
    return and_(searched, own)


def _candidates(names: Sequence[str], scope: ColumnElement[bool]) -> tuple[Sequence[Any], dict[str, int]]:
    """Give the passages that have any of these words, and how many articles have each of them.

    Where there are too many, the rarest words choose; their passages are taken in the order of their ids,
    which is the same on every database.
    """
    matches = _matcher()
    rows = _passages_where(matches(names), scope, CANDIDATES_MAX + 1)
    if len(rows) <= CANDIDATES_MAX:
        return rows, _counted(rows, names)
    counts = _ask_counts(names, scope, matches)
    return _passages_where(matches(_rarest(counts)), scope, 2 * CANDIDATES_MAX), counts


def _passages_where(condition: ColumnElement[bool], scope: ColumnElement[bool], limit: int) -> Sequence[Any]:
    return db.session.execute(
        select(Passage.id, Passage.article_id, Article.title, Passage.heading, Passage.text, Passage.words)
        .join(Article, Article.id == Passage.article_id)
        .where(scope, condition)
        .order_by(Passage.id)
        .limit(limit)
    ).all()


def _counted(rows: Sequence[Any], names: Iterable[str]) -> dict[str, int]:
    articles: dict[str, set[int]] = {name: set() for name in names}
    for row in rows:
        for word in row.words.split():
            if word in articles:
                articles[word].add(row.article_id)
    return {name: len(ids) for name, ids in articles.items()}


def _ask_counts(names: Sequence[str], scope: ColumnElement[bool], matches: Matcher) -> dict[str, int]:
    counts = [
        select(func.count(distinct(Passage.article_id)))
        .join(Article, Article.id == Passage.article_id)
        .where(scope, matches([name]))
        .scalar_subquery()
        for name in names
    ]
    return dict(zip(names, db.session.execute(select(*counts)).one(), strict=True))


def _rarest(counts: Mapping[str, int]) -> list[str]:
    """Give the words to look for, the rarest first, until there are candidates enough."""
    wanted: list[str] = []
    total = 0
    for name in sorted((name for name in counts if counts[name]), key=lambda name: (counts[name], name)):
        if wanted and total + counts[name] > CANDIDATES_MAX:
            break
        wanted.append(name)
        total += counts[name]
    return wanted


def _article_count(scope: ColumnElement[bool]) -> int:
    count = select(func.count(Article.id)).where(scope)
    return db.session.scalar(count) or 0


def _matcher() -> Matcher:
    """Give the condition "has any of these words" in the dialect of the database, or without an index."""
    dialect = db.engine.dialect.name
    if dialect == "postgresql":
        return _match_postgresql
    if dialect == "sqlite" and _knows("SELECT 1 FROM sqlite_master WHERE name = :name"):
        return _match_sqlite
    if dialect in ("mysql", "mariadb") and _knows(
        "SELECT 1 FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = 'passages' AND index_name = :name"
    ):
        return _match_mariadb
    return _match_without_index


def _knows(question: str) -> bool:
    return db.session.execute(text(question), {"name": SEARCH_INDEX}).first() is not None


def _match_sqlite(names: Sequence[str]) -> ColumnElement[bool]:
    index = table(SEARCH_INDEX, column("rowid", Integer))
    found = literal_column(SEARCH_INDEX).op("MATCH")(" OR ".join(f'"{name}"' for name in names))
    return Passage.id.in_(select(index.c.rowid).where(found))


def _match_postgresql(names: Sequence[str]) -> ColumnElement[bool]:
    simple: ColumnElement[Any] = literal_column("'simple'::regconfig")
    return func.to_tsvector(simple, Passage.words).op("@@", is_comparison=True)(
        func.to_tsquery(simple, " | ".join(names))
    )


def _match_mariadb(names: Sequence[str]) -> ColumnElement[bool]:
    return mysql.match(Passage.__table__.c.words, against=" ".join(names)).in_boolean_mode()


def _match_without_index(names: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(Passage.words.contains(f" {name} ") for name in names))
