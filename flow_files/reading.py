"""Reads flow files: YAML text in, a Flow out, or a FlowError that names file, step and line.

An admin's published flow is read by the same `read_flow` from the database's text.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from flow_files.mistakes import Code, FlowError, Mistake, Place, Problem
from flow_files.problems import problems
from flow_files.scenes import Flow

FLOWS_DIR = Path(__file__).parent.parent / "flows"
MAX_FILE_CHARS = 400_000
MAX_DEPTH = 40
# With what aliases repeat: a few lines of them can stand for more than any machine walks through.
MAX_NODES = 50_000
# The safe loader in C where PyYAML has it: the same language, ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
            raise FlowError(Mistake(path.name, 0, Problem((), Code.NAME_TAKEN, {"name": flow.name})))
        flows[flow.name] = flow
    return flows


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Flow]:
    """The flows that come with the program, read once."""
    return load_flows()


def read_flow(source: str, file_name: str) -> Flow:
    """Read a flow from YAML text; `file_name` is named in errors. Raises FlowError."""
    if len(source) > MAX_FILE_CHARS:
        raise FlowError(Mistake(file_name, 0, Problem((), Code.TOO_LONG, {"most": MAX_FILE_CHARS})))
    with _naming(file_name):
        root = yaml.compose(source, Loader=_LOADER)
    if not isinstance(root, yaml.MappingNode):
        raise FlowError(Mistake(file_name, 1, Problem((), Code.NO_MAPPING)))
    lines = _Lines(file_name, root)
    with _naming(file_name):
        whole = yaml.load(source, Loader=_LOADER)
    try:
        flow = Flow.model_validate(whole)
    except ValidationError as error:
        raise FlowError(lines.mistake(_shape_problem(error))) from error
    for problem in problems(flow):
        raise FlowError(lines.mistake(problem))
    return flow


@contextmanager
def _naming(file_name: str) -> Iterator[None]:
    """Have what YAML refuses name the file; its constructors raise whatever they come upon."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FlowError(Mistake(file_name, line, _unreadable(error.problem))) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise FlowError(Mistake(file_name, 0, _unreadable(error))) from error


def _unreadable(why: object) -> Problem:
    return Problem((), Code.UNREADABLE, {"why": str(why)})


def _shape_problem(error: ValidationError) -> Problem:
    """Give the first of pydantic's findings."""
    found = error.errors()[0]
    code = Code.__members__.get(found["type"].upper())
    if code is None:
        return Problem(found["loc"], Code.UNREADABLE, {"why": found["msg"]})
    return Problem(found["loc"], code, found.get("ctx", {}))


@dataclass(frozen=True)
class _Lines:
    """Finds the line of a place in the file, and refuses keys that stand twice (YAML would keep the last)
    and more nodes than a flow has."""

    file_name: str
    root: yaml.Node

    def __post_init__(self) -> None:
        self._judge(self.root, 0, MAX_NODES)

    def mistake(self, problem: Problem) -> Mistake:
        return Mistake(self.file_name, self._line(problem.place), problem)

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
            raise self._refusal(node, Code.TOO_DEEP)
        if left <= 0:
            raise self._refusal(node, Code.TOO_MANY_VALUES, most=MAX_NODES)
        left -= 1
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                left = self._judge(child, depth + 1, left)
        if not isinstance(node, yaml.MappingNode):
            return left
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refusal(key, Code.KEY_OF_PARTS)
            if str(key.value) in seen:
                raise self._refusal(key, Code.KEY_TWICE, key=key.value)
            seen.add(str(key.value))
            left = self._judge(value, depth + 1, left)
        return left

    def _refusal(self, node: yaml.Node, code: Code, **values: object) -> FlowError:
        return FlowError(Mistake(self.file_name, node.start_mark.line + 1, Problem((), code, values)))
