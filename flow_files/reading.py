"""Reads flow files: YAML text in, a Flow out, or a FlowError that names file, step and line.

An admin's published flow is read by the same `read_flow` from the database's text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from flow_files.problems import Place, problems
from flow_files.scenes import Flow

FLOWS_DIR = Path(__file__).parent.parent / "flows"
MAX_FILE_CHARS = 400_000
MAX_DEPTH = 40
# With what aliases repeat: a few lines of them can stand for more than any machine walks through.
MAX_NODES = 50_000
# The safe loader in C where PyYAML has it: the same language, ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Pydantic names the branch of a union that it tried; people who edit flows need not read it.
_PYDANTIC_BRANCHES = frozenset({"dict[str,str]", "str", "int", "float", "[key]"})


class FlowError(ValueError):
    """A flow file that cannot be used; the text names file, step and line."""


def load_flow(path: Path | str) -> Flow:
    """Read a flow file. Raises FlowError for what is wrong in it, OSError when it cannot be read."""
    file = Path(path)
    return read_flow(file.read_text(encoding="utf-8"), file.name)


def load_flows(folder: Path | str = FLOWS_DIR) -> Mapping[str, Flow]:
    """Read every flow of a folder, by name."""
    flows: dict[str, Flow] = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        flow = load_flow(path)
        if flow.name in flows:
            raise FlowError(f"{path.name}: another file already has the flow name {flow.name!r}")
        flows[flow.name] = flow
    return flows


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Flow]:
    """The flows that come with the program, read once."""
    return load_flows()


def read_flow(source: str, file_name: str) -> Flow:
    """Read a flow from YAML text; `file_name` is named in errors. Raises FlowError."""
    if len(source) > MAX_FILE_CHARS:
        raise FlowError(f"{file_name}: a flow has at most {MAX_FILE_CHARS} characters")
    lines = _Lines(file_name, _compose(source, file_name))
    try:
        flow = Flow.model_validate(yaml.load(source, Loader=_LOADER))
    except ValidationError as error:
        first = error.errors()[0]
        raise FlowError(lines.sentence(first["loc"], _reason(first))) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise FlowError(f"{file_name}: {error}") from error
    for problem in problems(flow):
        raise FlowError(lines.sentence(problem.place, problem.reason))
    return flow


def _compose(source: str, file_name: str) -> yaml.Node:
    try:
        node = yaml.compose(source, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FlowError(f"{file_name}, line {line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FlowError(f"{file_name}: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise FlowError(f"{file_name}, line 1: a flow is a mapping of name, title, start, person and steps")
    return node


def _reason(error: Any) -> str:
    """Say pydantic's finding in the words of someone who edits a flow."""
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "is not a word that a flow knows"
    return str(error["msg"])


@dataclass(frozen=True)
class _Lines:
    """Finds the line of a place in the file, and refuses keys that stand twice (YAML would keep the last)
    and more nodes than a flow has."""

    file_name: str
    root: yaml.Node

    def __post_init__(self) -> None:
        self._judge(self.root, 0, MAX_NODES)

    def sentence(self, place: Place, reason: str) -> str:
        step = f", step {place[1]}" if len(place) > 1 and place[0] == "steps" else ""
        inner = ".".join(
            str(part) for part in (place[2:] if step else place) if part not in _PYDANTIC_BRANCHES
        )
        line = self._line(place)
        return f"{self.file_name}{step}, line {line}: {inner + ' ' if inner else ''}{reason}"

    def _line(self, place: Place) -> int:
        node, line = self.root, self.root.start_mark.line
        for part in place:
            found = self._child(node, part)
            if found is None:
                continue
            node, line = found
        return line + 1

    @staticmethod
    def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if str(key.value) == str(part):
                    return value, key.start_mark.line
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            return node.value[part], node.value[part].start_mark.line
        return None

    def _judge(self, node: yaml.Node, depth: int, left: int) -> int:
        """Walk through a node and give how many nodes may still follow."""
        if depth > MAX_DEPTH:
            raise FlowError(f"{self.file_name}, line {node.start_mark.line + 1}: nested too deeply")
        if left <= 0:
            raise FlowError(
                f"{self.file_name}, line {node.start_mark.line + 1}: more than {MAX_NODES} values"
            )
        left -= 1
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                left = self._judge(child, depth + 1, left)
        if not isinstance(node, yaml.MappingNode):
            return left
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise FlowError(f"{self.file_name}, line {key.start_mark.line + 1}: a key is one word")
            if str(key.value) in seen:
                raise FlowError(f"{self.file_name}, line {key.start_mark.line + 1}: {key.value} stands twice")
            seen.add(str(key.value))
            left = self._judge(value, depth + 1, left)
        return left
