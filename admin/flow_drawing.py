"""A flow as steps and arrows: one column of boxes in the order in which a customer meets them, and arcs to
where each leads. One column fits a phone, and a keyboard goes through it from top to bottom. No markup.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flow_files import Flow, Scene, Step

BOX_WIDTH: Final = 250
BOX_HEIGHT: Final = 46
GAP: Final = 16
ARC_STEP: Final = 9
ARC_MOST: Final = 110
MARGIN: Final = 8
LABEL_MAX_CHARS: Final = 34


@dataclass(frozen=True, slots=True)
class Arrow:
    """Where a step leads: the target, by which choice or outcome, and the path of the arc."""

    target: str
    label: str
    path: str
    is_back: bool


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    note: str  # what it awaits or does
    kind: str  # choice, question, action, end, way
    y: int
    line: int  # in the text, from 1; 0 where it was not found
    is_start: bool
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    boxes: tuple[Box, ...]
    width: int
    height: int


def draw(flow: Flow, source: str) -> Drawing:
    """Lay a flow out."""
    order = _order(flow)
    rows = {name: row for row, name in enumerate(order)}
    lines = _lines(source)
    boxes = tuple(
        Box(
            name=name,
            note=_note(flow.steps[name]),
            kind=_kind(flow.steps[name]),
            y=MARGIN + row * (BOX_HEIGHT + GAP),
            line=lines.get(name, 0),
            is_start=name == flow.start,
            arrows=tuple(
                Arrow(target, label, _arc(row, rows[target]), rows[target] <= row)
                for target, label in _ways(flow.steps[name])
                if target in rows
            ),
        )
        for name, row in rows.items()
    )
    height = 2 * MARGIN + len(order) * (BOX_HEIGHT + GAP)
    return Drawing(boxes, BOX_WIDTH + ARC_MOST + 2 * MARGIN, height)


def _order(flow: Flow) -> list[str]:
    """Give the steps as a walk from the start finds them, those of other ways in last."""
    found: dict[str, None] = {}
    for way_in in (flow.start, *(entry.step for entry in flow.entries.values()), flow.person, *flow.steps):
        waiting = deque([way_in])
        while waiting:
            name = waiting.popleft()
            if name in found or name not in flow.steps:
                continue
            found[name] = None
            waiting.extend(target for target, _label in _ways(flow.steps[name]))
    return list(found)


def _ways(step: Step) -> Iterator[tuple[str, str]]:
    """Give each target once, with what leads there."""
    ways: dict[str, list[str]] = {}
    for target, label in [*_ways_of(step, ""), *_outcomes(step)]:
        if label not in ways.setdefault(target, []):
            ways[target].append(label)
    for target, labels in ways.items():
        yield target, ", ".join(label for label in labels if label)[:LABEL_MAX_CHARS]


def _outcomes(step: Step) -> Iterator[tuple[str, str]]:
    for outcome, scene in step.outcomes.items():
        yield from _ways_of(scene, outcome)


def _ways_of(scene: Scene, outcome: str) -> Iterator[tuple[str, str]]:
    for option in scene.choices:
        if option.goes:
            yield option.goes, f"{outcome} {option.key}".strip()
    if scene.listing and scene.listing.goes:
        yield scene.listing.goes, f"{outcome} *".strip()
    if scene.goes:
        yield scene.goes, outcome


def _kind(step: Step) -> str:
    if step.action:
        return "action"
    if step.awaits:
        return "choice" if step.awaits == "choice" else "question"
    return "end" if step.ends else "way"


def _note(step: Step) -> str:
    if step.action:
        return step.action
    if step.awaits == "choice":
        return f"{len(step.choices)}+" if step.listing else str(len(step.choices))
    return step.awaits or ""


def _arc(row: int, target: int) -> str:
    """Give the path of an arc from the side of one box to that of another."""
    y1 = MARGIN + row * (BOX_HEIGHT + GAP) + BOX_HEIGHT // 2
    y2 = MARGIN + target * (BOX_HEIGHT + GAP) + BOX_HEIGHT // 2
    x = MARGIN + BOX_WIDTH
    if row == target:
        return f"M{x},{y1 - 8} C{x + 30},{y1 - 16} {x + 30},{y1 + 16} {x},{y1 + 8}"
    reach = x + min(ARC_MOST, 20 + abs(target - row) * ARC_STEP)
    shift = 6 if target > row else -6
    return f"M{x},{y1} C{reach},{y1} {reach},{y2 - shift} {x + 3},{y2 - shift}"


def _lines(source: str) -> dict[str, int]:
    """Find the line on which each step begins."""
    found: dict[str, int] = {}
    is_inside = False
    for number, line in enumerate(source.splitlines(), 1):
        if re.match(r"\S", line) and not line.startswith("#"):
            is_inside = line.startswith("steps:")
        match = re.match(r"  ([A-Za-z_][\w]*):", line)
        if is_inside and match:
            found.setdefault(match[1], number)
    return found
