"""Pages of lists: by the id of the last row that was given, so that new rows shift nothing."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from api.doors import Query
from api.kinds import Limit, Moment, Place, cursor
from models import db

Item = TypeVar("Item", bound=BaseModel)


class PageQuery(Query):
    """Which page of a list."""

    limit: Limit = 50
    cursor: Place | None = None
    order: Literal["newest", "oldest"] = Field(
        default="newest", description="By when rows were made. `oldest` walks forward: its end is the newest."
    )


class Page(BaseModel, Generic[Item]):
    """A part of a list. `next_cursor` stands behind its last item; null: there is no more by now."""

    model_config = ConfigDict(frozen=True)

    data: list[Item]
    next_cursor: str | None


def page(
    query: Select[Any],
    row_id: InstrumentedAttribute[int],
    asked: PageQuery,
    shown: Callable[[Sequence[Any]], list[Item]],
) -> Page[Item]:
    """Read one page of `query` and give it in the shapes that `shown` makes of its rows."""
    if asked.order == "newest":
        query = query.order_by(row_id.desc())
        query = query if asked.cursor is None else query.where(row_id < asked.cursor)
    else:
        query = query.order_by(row_id)
        query = query if asked.cursor is None else query.where(row_id > asked.cursor)
    rows = list(db.session.scalars(query.limit(asked.limit + 1)))
    there_is_more, rows = len(rows) > asked.limit, rows[: asked.limit]
    last: Any = rows[-1] if there_is_more else None
    return Page(data=shown(rows), next_cursor=None if last is None else cursor(last.id))


class DatedQuery(PageQuery):
    """Which page of a list, and of which time."""

    created_after: Moment | None = None
    created_before: Moment | None = None


def narrowed(
    query: Select[Any], asked: DatedQuery, created_at: Any, **equal: InstrumentedAttribute[Any]
) -> Select[Any]:
    """Keep the rows of the asked time, and those whose column equals what was asked under its name."""
    if asked.created_after is not None:
        query = query.where(created_at > asked.created_after)
    if asked.created_before is not None:
        query = query.where(created_at < asked.created_before)
    for name, column in equal.items():
        wanted = getattr(asked, name)
        query = query if wanted is None else query.where(column == wanted)
    return query
