"""Articles as rows: imported, written, changed, switched on and off, deleted. Flushes, never commits.

Every way in keeps an article's passages in step with its text. Admin pages, the command `import-articles`
and the demo call these verbs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, false, or_, select

from knowledge.files import Sheet, Upload, clean, number_key, read_files, sheet_problem, title_slug
from knowledge.passages import cut
from knowledge.words import index_text, indexed, stems
from models import Article, Integration, Passage, db

MAX_SAME_TITLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Imported:
    """How many articles an import made, changed, and found as they were."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


class ArticleRefused(Exception):
    """An article that cannot be kept; `code` is of `files.PROBLEMS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def import_files(
    uploads: Sequence[Upload],
    *,
    language: str,
    now: datetime,
    is_demo: bool = False,
    integration_id: int | None = None,
    done: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """Take over files of articles: all of them, or none. Raises FilesRefused. Flushes.

    `language` and `integration_id` (the number that knows them, None: every one) hold where a file says none.
    `done` is told how many articles of how many are written.

    A file that is imported again changes its article when it differs, and nothing when it does not. What was
    changed by hand since is overwritten; whether an article is switched on is the file's word only when new.
    """
    sheets = [
        sheet if sheet.number else replace(sheet, integration_id=integration_id)
        for sheet in read_files(uploads, language, _numbers_by_key())
    ]
    known = {
        row.slug: row
        for row in db.session.scalars(select(Article).where(Article.slug.in_([s.slug for s in sheets])))
    }
    created = changed = 0
    for count, sheet in enumerate(sheets, 1):
        row = known.get(sheet.slug)
        if row is None:
            _add(sheet, now, is_demo=is_demo)
            created += 1
        elif _told(row) != _told(sheet):
            _write(row, replace(sheet, is_active=row.is_active), now)
            changed += 1
        done(count, len(sheets))
    return Imported(created, changed, len(sheets) - created - changed)


def _told(one: Article | Sheet) -> tuple[str, str, str, int | None]:
    return one.title, one.body, one.language, one.integration_id


def _numbers_by_key() -> dict[str, int]:
    """Give the numbers by what a file may call them; a name that two have names neither."""
    found: dict[str, set[int]] = {}
    for row in db.session.scalars(select(Integration)):
        for called in (row.name, row.number_id, row.display_phone):
            if called:
                found.setdefault(number_key(called), set()).add(row.id)
    return {called: ids.pop() for called, ids in found.items() if len(ids) == 1}


def create_article(sheet: Sheet, *, now: datetime) -> Article:
    """Add an article that somebody wrote. Raises ArticleRefused. Flushes."""
    tidy = _checked(sheet)
    return _add(replace(tidy, slug=_free_slug(tidy)), now)


def change_article(article: Article, sheet: Sheet, *, now: datetime) -> None:
    """Replace an article's text; it keeps its slug. Raises ArticleRefused. Flushes."""
    _write(article, _checked(sheet), now)


def switch_article(article: Article, *, is_active: bool) -> None:
    """Let the search find an article, or not. Flushes."""
    article.is_active = is_active
    db.session.flush()


def delete_article(article: Article) -> None:
    """Delete an article and its passages. Flushes."""
    _delete([article.id])


def remove_demo_articles() -> int:
    """Delete what the demo brought. Flushes. Gives how many."""
    ids = list(db.session.scalars(select(Article.id).where(Article.is_demo)))
    _delete(ids)
    return len(ids)


def article(article_id: int) -> Article | None:
    return db.session.get(Article, article_id)


def list_articles(
    words: str = "", language: str = "", *, limit: int = 50, offset: int = 0
) -> tuple[Article, ...]:
    """List articles by title; `words` stand in the title, or all of their stems in one passage."""
    query = select(Article).order_by(Article.title, Article.id).limit(limit).offset(offset)
    if language:
        query = query.where(Article.language == language)
    if words.strip():
        query = query.where(
            or_(Article.title.icontains(clean(words.strip()), autoescape=True), _says(words, language))
        )
    return tuple(db.session.scalars(query))


def article_languages() -> tuple[str, ...]:
    """Name the languages that have an article."""
    return tuple(db.session.scalars(select(Article.language).distinct().order_by(Article.language)))


def _says(words: str, language: str) -> ColumnElement[bool]:
    wanted = [indexed(stem) for stem in dict.fromkeys(stems(words, language))]
    conditions = [Passage.words.contains(f" {stem}", autoescape=True) for stem in wanted]
    if not conditions:
        return false()
    return select(Passage.id).where(Passage.article_id == Article.id, *conditions).exists()


def _checked(sheet: Sheet) -> Sheet:
    tidy = replace(sheet, title=" ".join(clean(sheet.title).split()), body=clean(sheet.body).strip())
    code = sheet_problem(tidy)
    if code:
        raise ArticleRefused(code)
    return tidy


def _free_slug(sheet: Sheet) -> str:
    """Give a slug that no article has; two articles may have one title, and one keeps its slug in another
    language."""
    begins = Article.slug.startswith(f"{sheet.language}/", autoescape=True)
    taken = set(db.session.scalars(select(Article.slug).where(begins)))
    for number in range(1, MAX_SAME_TITLE):
        slug = title_slug(sheet.title if number == 1 else f"{sheet.title} {number}", sheet.language)
        if slug not in taken:
            return slug
    raise ArticleRefused("twice")


def _add(sheet: Sheet, now: datetime, *, is_demo: bool = False) -> Article:
    row = Article(slug=sheet.slug, is_demo=is_demo, created_at=now)
    db.session.add(row)
    _write(row, sheet, now)
    return row


def _write(row: Article, sheet: Sheet, now: datetime) -> None:
    row.title, row.body, row.language = sheet.title, sheet.body, sheet.language
    row.integration_id, row.is_active, row.updated_at = sheet.integration_id, sheet.is_active, now
    db.session.flush()
    db.session.execute(delete(Passage).where(Passage.article_id == row.id))
    for position, part in enumerate(cut(row.title, row.body)):
        spoken = f"{row.title}\n{part.heading}\n{part.text}"
        db.session.add(
            Passage(
                article_id=row.id,
                position=position,
                heading=part.heading,
                text=part.text,
                words=index_text(stems(spoken, row.language)),
            )
        )
    db.session.flush()


def _delete(ids: Sequence[int]) -> None:
    db.session.execute(delete(Passage).where(Passage.article_id.in_(ids)))
    db.session.execute(delete(Article).where(Article.id.in_(ids)))
    db.session.flush()
