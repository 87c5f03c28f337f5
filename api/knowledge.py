"""What the business knows and tells: its articles, which answers are taken from."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

import knowledge
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, endpoint, found
from api.kinds import VISIBLE, BodyId, Clean, Flag, OneOf, RowId
from api.paging import DatedQuery, Page, narrowed, page
from knowledge import ArticleRefused
from knowledge.files import BODY_MAX_CHARS, TITLE_MAX_CHARS, Sheet
from models import Article, Integration, db, utc_now
from vocabulary import LANGUAGES

Language = Annotated[str, OneOf(LANGUAGES)]


class ArticleQuery(DatedQuery):
    language: Language | None = None
    integration_id: RowId | None = None
    is_active: Flag | None = None


class ArticleText(Body):
    """An article as a whole."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX_CHARS, pattern=VISIBLE), Clean]
    body: Annotated[str, Field(min_length=1, max_length=BODY_MAX_CHARS, pattern=VISIBLE), Clean]
    language: Language
    integration_id: BodyId | None = Field(
        default=None, description="The number that knows it; null: every one."
    )
    is_active: bool = True


class Deleted(shapes.Shape):
    id: int


@endpoint("GET", "/articles", scope="knowledge:read")
def list_articles(asked: ArticleQuery) -> Page[shapes.Article]:
    """List articles."""
    query = narrowed(
        select(Article),
        asked,
        Article.created_at,
        language=Article.language,
        integration_id=Article.integration_id,
        is_active=Article.is_active,
    )
    return page(query, Article.id, asked, _articles)


@endpoint("GET", "/articles/<int:article_id>", scope="knowledge:read")
def get_article(article_id: int) -> shapes.Article:
    """Get one article."""
    return _articles([_find(article_id)])[0]


@endpoint("POST", "/articles", scope="knowledge:write", status=201, refusals=("conflict",))
def create_article(said: ArticleText) -> Written[shapes.Made]:
    """Add an article; answers may use it at once."""
    try:
        row = knowledge.create_article(_sheet(said), now=utc_now())
    except ArticleRefused as refused:
        raise _refused(refused) from refused
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/articles/{row.id}"))


@endpoint("PUT", "/articles/<int:article_id>", scope="knowledge:write", refusals=("conflict",), locks=Article)
def replace_article(article_id: int, said: ArticleText) -> Written[shapes.Article]:
    """Replace an article."""
    row = _find(article_id)
    try:
        knowledge.change_article(row, _sheet(said), now=utc_now())
    except ArticleRefused as refused:
        raise _refused(refused) from refused
    return Written(_articles([row])[0])


@endpoint("DELETE", "/articles/<int:article_id>", scope="knowledge:write", locks=Article)
def delete_article(article_id: int) -> Written[Deleted]:
    """Delete an article."""
    knowledge.delete_article(_find(article_id))
    return Written(Deleted(id=article_id))


def _sheet(said: ArticleText) -> Sheet:
    if said.integration_id is not None and db.session.get(Integration, said.integration_id) is None:
        raise Refused("conflict", f"There is no integration {said.integration_id}.")
    return Sheet(
        title=said.title,
        body=said.body,
        language=said.language,
        integration_id=said.integration_id,
        is_active=said.is_active,
    )


def _refused(refused: ArticleRefused) -> Refused:
    return Refused("conflict", f"This article cannot be kept: {knowledge.PROBLEMS[refused.code]}.")


def _find(article_id: int) -> Article:
    return found(db.session.get(Article, article_id))  # type: ignore[no-any-return]


def _articles(rows: Sequence[Article]) -> list[shapes.Article]:
    return [shapes.Article.of(row) for row in rows]
