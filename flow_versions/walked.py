"""Which flows are walked now. Reading them for each message would cost queries, so each process remembers
them and looks every few seconds, with one cheap query, whether anything has changed.
"""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from flask import current_app
from sqlalchemy import func, select

from flow_files import Flow, FlowError, read_flow, shipped
from models import DeskSetting, FlowVersion, db, reading

log = structlog.get_logger()

REMEMBERED_SECS: Final = 4.0
# Which simulated number tries which draft: {number's id as text: flow}.
TRIED: Final = "tried_flows"

_MARK: Final = select(
    select(func.max(FlowVersion.id)).scalar_subquery(),
    select(func.count(FlowVersion.id)).scalar_subquery(),
    select(func.max(FlowVersion.created_at)).scalar_subquery(),
    select(func.max(DeskSetting.updated_at)).where(DeskSetting.name == TRIED).scalar_subquery(),
)
# What this turn holds instead of the newest version.
_held: ContextVar[Mapping[str, Flow] | None] = ContextVar("held_flows", default=None)


@dataclass
class _Memory:
    """What one process remembers of the published flows; `mark` tells whether the rows have changed."""

    walked: Mapping[str, Flow] = field(default_factory=shipped)
    drafts: Mapping[str, Flow] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    older: dict[tuple[str, int], Flow | None] = field(default_factory=dict)
    mark: tuple[Any, ...] | None = None
    until: float = 0.0


def flows() -> Mapping[str, Flow]:
    """Give every flow by name as this turn walks it; outside a turn, the newest published ones."""
    held = _held.get()
    if held is not None:
        return held
    memory = _memory()
    return memory.walked if memory.mark is not None else look()


def look() -> Mapping[str, Flow]:
    """Give the newest published flows, at most REMEMBERED_SECS old."""
    memory = _memory()
    if time.monotonic() >= memory.until:
        mark = tuple(db.session.execute(_MARK).one())
        if mark != memory.mark:
            _load(memory)
            memory.mark = mark
        memory.until = time.monotonic() + REMEMBERED_SECS
    return memory.walked


class OpenSession(Protocol):
    """What `hold` wants to know of where a conversation stands."""

    @property
    def flow(self) -> str: ...
    @property
    def step(self) -> str | None: ...
    @property
    def version(self) -> str: ...


def hold(session: OpenSession | None, number_id: int) -> None:
    """Let the turn that begins walk the version that its session began with, and a tried draft on the number
    that tries it. Holds until the next `hold`; ends the read that it needs."""
    with reading():
        walked = look()
        memory = _memory()
        mine = memory.drafts.get(memory.tried.get(str(number_id), ""))
        if mine is None and session is not None and session.step and session.flow in walked:
            mine = _begun_with(memory, walked[session.flow], session.version)
        db.session.rollback()
    _held.set({**walked, mine.name: mine} if mine is not None else None)


def forget() -> None:
    """Have this process look again, after a change of its own, and hold nothing."""
    memory = _memory()
    memory.until, memory.mark = 0.0, None
    _held.set(None)


def version_of(flow: str) -> str:
    """Give the version of a flow that this turn walks, as a session keeps it."""
    found = flows().get(flow)
    return str(found.version) if found is not None else ""


def _load(memory: _Memory) -> None:
    newest = (
        select(func.max(FlowVersion.id)).where(FlowVersion.version.is_not(None)).group_by(FlowVersion.flow)
    )
    is_wanted = FlowVersion.id.in_(newest) | FlowVersion.version.is_(None)
    walked, drafts = dict(shipped()), {}
    for row in db.session.scalars(select(FlowVersion).where(is_wanted)):
        flow = _read(row)
        if flow is None:
            continue
        if row.version is None:
            drafts[flow.name] = flow
        else:
            walked[flow.name] = flow
    kept = db.session.get(DeskSetting, TRIED)
    memory.walked, memory.drafts = walked, drafts
    memory.tried = kept.value if kept is not None and isinstance(kept.value, dict) else {}


def _begun_with(memory: _Memory, walked: Flow, version: str) -> Flow | None:
    is_other = version.isdecimal() and int(version) != walked.version
    return _older(memory, walked.name, int(version)) if is_other else None


def _older(memory: _Memory, flow: str, version: int) -> Flow | None:
    if version == shipped_version(flow):
        return shipped().get(flow)
    key = (flow, version)
    if key not in memory.older:
        row = db.session.scalar(
            select(FlowVersion).where(FlowVersion.flow == flow, FlowVersion.version == version)
        )
        memory.older[key] = _read(row) if row is not None else None
    return memory.older[key]


def shipped_version(flow: str) -> int:
    found = shipped().get(flow)
    return found.version if found is not None else 0


def _read(row: FlowVersion) -> Flow | None:
    """Read a stored flow; one that this version of the program cannot walk is left to the shipped one."""
    try:
        return read_flow(row.source, row.flow)
    except FlowError as error:
        if row.version is not None:
            log.warning("flow_unusable", flow=row.flow, version=row.version, problem=str(error)[:200])
        return None


def _memory() -> _Memory:
    return current_app.extensions.setdefault("balcao_flows", _Memory())  # type: ignore[no-any-return]
