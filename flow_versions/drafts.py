"""Writing flows: a draft for each, published as the next version, and the way back. Every step of it is kept.

A version is never changed. Going back publishes the older text anew, as a version of its own.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import delete, func, select

import history
from flow_files import FLOWS_DIR, Code, Flow, FlowError, Mistake, Problem, read_flow, shipped
from flow_versions.walked import TRIED, forget, shipped_version
from models import DeskSetting, FlowVersion, db
from statements import changed_rows, insert_or_ignore

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_VERSION_LINE: Final = re.compile(r"^version:.*$", re.MULTILINE)
_NAME_LINE: Final = re.compile(r"^name:.*$", re.MULTILINE)
FLOWS_MOST: Final = 30
DRAFTS: Final = "flow_drafts"  # the row that whoever saves one holds


class FlowRefused(ValueError):
    """A flow that cannot be begun; the text is a code: name, taken or many."""


def source_of(flow: str) -> str | None:
    """Give the text of a flow as it is walked now; None for an unknown one."""
    row = _newest(flow)
    if row is not None:
        return row.source
    file = FLOWS_DIR / f"{flow}.yaml"
    return file.read_text(encoding="utf-8") if flow in shipped() else None


def draft_of(flow: str) -> FlowVersion | None:
    return db.session.scalar(
        select(FlowVersion).where(FlowVersion.flow == flow, FlowVersion.version.is_(None))
    )


def text_of(flow: str) -> str | None:
    """Give the text that an editor begins with: the draft, or what is walked; None for an unknown flow."""
    row = draft_of(flow)
    return row.source if row is not None else source_of(flow)


def hold_drafts(*, now: datetime) -> None:
    """Let nobody else save a draft until the commit; whoever waited reads what was saved. Flushes."""
    db.session.execute(insert_or_ignore(DeskSetting).values(name=DRAFTS, value={}, updated_at=now))
    db.session.execute(select(DeskSetting.name).where(DeskSetting.name == DRAFTS).with_for_update())


def versions_of(flow: str) -> Sequence[FlowVersion]:
    """List what was published, the newest first; the shipped file came before all of them."""
    of_flow = select(FlowVersion).where(FlowVersion.flow == flow, FlowVersion.version.is_not(None))
    return db.session.scalars(of_flow.order_by(FlowVersion.version.desc())).all()


def begin(flow: str, like: str, *, now: datetime, operator_id: int | None) -> FlowVersion:
    """Make the draft of a new flow from another one's text. Raises FlowRefused for a name that is taken or
    none. Flushes."""
    source = source_of(like)
    if not NAME.fullmatch(flow) or source is None:
        raise FlowRefused("name")
    if flow in shipped() or db.session.scalar(
        select(FlowVersion.id).where(FlowVersion.flow == flow).limit(1)
    ):
        raise FlowRefused("taken")
    if (db.session.scalar(select(func.count(FlowVersion.flow.distinct()))) or 0) >= FLOWS_MOST:
        raise FlowRefused("many")
    return save_draft(
        flow, _NAME_LINE.sub(f"name: {flow}", source, count=1), now=now, operator_id=operator_id
    )


def save_draft(flow: str, source: str, *, now: datetime, operator_id: int | None) -> FlowVersion:
    """Keep a text, right or wrong, until it is published. Flushes."""
    row = draft_of(flow)
    if row is None:
        row = FlowVersion(flow=flow, source=source)
        db.session.add(row)
    row.source, row.operator_id, row.created_at = source, operator_id, now
    db.session.flush()
    forget()
    return row


def drop_draft(flow: str) -> None:
    """Throw the draft away. Flushes."""
    changed_rows(delete(FlowVersion).where(FlowVersion.flow == flow, FlowVersion.version.is_(None)))
    forget()


def publish(flow: str, source: str, *, reason: str, now: datetime, operator_id: int | None) -> FlowVersion:
    """Make a text the newest version; who is in the middle of an older one stays in it.

    Raises FlowError. Flushes.
    """
    read = check(flow, source)
    newest = _newest(flow)
    before = (newest.version or 0) if newest is not None else shipped_version(flow)
    line = f"version: {before + 1}"
    numbered = (
        _VERSION_LINE.sub(line, source, count=1)
        if _VERSION_LINE.search(source)
        else _NAME_LINE.sub(f"name: {read.name}\n{line}", source, count=1)
    )
    if check(flow, numbered).version != before + 1:
        raise FlowError(Mistake(flow, 0, Problem((), Code.VERSION_NOT_FOUND)))
    row = FlowVersion(
        flow=flow,
        version=before + 1,
        source=numbered,
        reason=reason[:255],
        operator_id=operator_id,
        created_at=now,
    )
    db.session.add(row)
    db.session.flush()
    drop_draft(flow)
    history.note_change(
        "flow",
        row.id,
        before=f"{flow} {before}"[:24],
        after=f"{flow} {row.version}"[:24],
        actor="operator",
        operator_id=operator_id,
        reason=reason,
        now=now,
    )
    return row


def go_back(row: FlowVersion | None, flow: str, *, now: datetime, operator_id: int | None) -> FlowVersion:
    """Publish an older version anew, or the shipped file for None. Raises FlowError. Flushes."""
    if row is not None:
        source, named = row.source, row.version
    else:
        file = FLOWS_DIR / f"{flow}.yaml"
        source, named = file.read_text(encoding="utf-8") if flow in shipped() else "", shipped_version(flow)
    return publish(flow, source, reason=f"= {named}", now=now, operator_id=operator_id)


@lru_cache(maxsize=16)
def read_text(source: str, flow: str) -> Flow:
    """Read a text as `read_flow` does; a page reads the same one several times. Raises FlowError."""
    return read_flow(source, flow)


def check(flow: str, source: str) -> Flow:
    """Read a text as this flow. Raises FlowError, also where it lacks a way in that the desk takes."""
    read = read_text(source, flow)
    if read.name != flow:
        raise FlowError(Mistake(flow, 1, Problem((), Code.NAME_CHANGED, {"name": flow})))
    own = shipped().get(flow)
    lost = sorted(set(own.entries) - set(read.entries)) if own is not None else []
    if lost:
        raise FlowError(Mistake(flow, 0, Problem((), Code.ENTRIES_LOST, {"names": ", ".join(lost)})))
    return read


def try_with(number_id: int, flow: str, *, now: datetime) -> None:
    """Have one simulated number walk the draft of a flow. Flushes."""
    kept = db.session.get(DeskSetting, TRIED)
    tried = {str(number_id): flow}
    if kept is None:
        db.session.add(DeskSetting(name=TRIED, value=tried, updated_at=now))
    else:
        kept.value, kept.updated_at = {**kept.value, **tried}, now
    db.session.flush()
    forget()


def _newest(flow: str) -> FlowVersion | None:
    of_flow = select(FlowVersion).where(FlowVersion.flow == flow, FlowVersion.version.is_not(None))
    return db.session.scalar(of_flow.order_by(FlowVersion.version.desc()).limit(1))
