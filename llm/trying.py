"""One model asked until it answers or it is clear that it will not: tries, waits, habits, the circuit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from llm.base import NOTHING_USED, Failed, Model, Usage
from llm.dialects import Said
from llm.line import NoReply, Reply, post
from llm.memory import Habits, JsonMode, Memory
from llm.refusals import Refusal, from_no_reply

MAX_TRIES: Final = 3
FIRST_WAIT_SECS: Final = 0.5
MAX_WAIT_SECS: Final = 8.0
# Another model answers sooner than one that wants to be left alone for longer.
PATIENCE_SECS: Final = 2.0
MIN_ATTEMPT_SECS: Final = 0.05
_NEXT_MODE: Final[Mapping[tuple[str, JsonMode], JsonMode]] = {
    ("chat", "schema"): "object",
    ("chat", "object"): "plain",
    ("messages", "schema"): "plain",
}
# These say that the model or its service is unwell or shut to us; other failures are answers.
_UNWELL: Final = frozenset(
    {"timeout", "unreachable", "overloaded", "rate_limited", "refused_key", "over_budget"}
)


@dataclass(slots=True)
class Course:
    """One call on its way: when it must be over, and what it has cost so far."""

    memory: Memory
    started: float
    deadline: float
    usage: Usage = NOTHING_USED
    tries: int = 0

    @classmethod
    def begin(cls, memory: Memory, deadline_secs: float) -> "Course":
        now = memory.clock.now()
        return cls(memory, now, now + deadline_secs)

    @property
    def left_secs(self) -> float:
        return self.deadline - self.memory.clock.now()

    @property
    def took_ms(self) -> int:
        return round((self.memory.clock.now() - self.started) * 1000)

    def failed(self, model: Model, refusal: Refusal) -> Failed:
        return Failed(
            refusal.code, model.label, self.usage, self.took_ms, self.tries, refusal.status, refusal.detail
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to a model, written anew for each try, and how its answer is read.

    `has_form` says that a refusal may be about the JSON schema that is sent along.
    """

    path: str
    write: Callable[[Habits], dict[str, Any]]
    read: Callable[[Reply], Said | Refusal]
    has_form: bool = False


def ask_model(model: Model, request: Request, course: Course, *, has_others: bool) -> Said | Refusal:
    """Ask one model within the course's deadline, and keep its circuit.

    `has_others` says that other models could still answer: then this one gets half of the time that is left,
    and no long waits.
    """
    memory = course.memory
    if not memory.may_ask(model.label):
        return Refusal("circuit_open")
    outcome = _try_often(model, request, course, has_others=has_others)
    if isinstance(outcome, Refusal) and (outcome.code in _UNWELL or outcome.is_passing):
        has_hung = outcome.code == "timeout"
        memory.note_failure(model.label, wait_secs=outcome.wait_secs or 0.0, has_hung=has_hung)
    else:
        memory.note_success(model.label)
    return outcome


def _try_often(model: Model, request: Request, course: Course, *, has_others: bool) -> Said | Refusal:
    memory = course.memory
    habits = memory.habits(model.label)
    until = course.deadline - (course.left_secs / 2 if has_others else 0.0)
    failures = 0
    while True:
        outcome = _try_once(model, request, habits, course, until)
        if isinstance(outcome, Said):
            memory.learn(model.label, habits)
            return outcome
        humbler = _humbler(habits, outcome, model, request)
        if humbler is not None:
            habits = humbler
            continue
        failures += 1
        wait_secs = _wait_secs(outcome, failures, memory)
        if (
            not outcome.is_passing
            or failures >= MAX_TRIES
            or not _is_worth(wait_secs, until, course, has_others)
        ):
            return outcome
        memory.clock.sleep(wait_secs)


def _try_once(model: Model, request: Request, habits: Habits, course: Course, until: float) -> Said | Refusal:
    secs = until - course.memory.clock.now()
    if secs < MIN_ATTEMPT_SECS:
        return Refusal("timeout", "no time was left")
    course.tries += 1
    reply = post(model.endpoint, request.path, secs=secs, **request.write(habits))
    outcome = request.read(reply) if isinstance(reply, Reply) else from_no_reply(reply)
    course.usage += outcome.usage
    if isinstance(reply, NoReply) and reply.code == "timeout" and not model.is_free:
        # It may have answered to nobody, and sends its bill.
        course.usage += Usage(is_cost_known=False)
    return outcome


def _humbler(habits: Habits, refusal: Refusal, model: Model, request: Request) -> Habits | None:
    """Give the next way to ask a model that refused the form of the request; None when there is none."""
    if refusal.blames == "temperature" and habits.takes_temperature:
        return replace(habits, takes_temperature=False)
    mode = _NEXT_MODE.get((model.endpoint.dialect, habits.json_mode))
    return replace(habits, json_mode=mode) if refusal.blames and request.has_form and mode else None


def _wait_secs(refusal: Refusal, failures: int, memory: Memory) -> float:
    if refusal.wait_secs is not None:
        return refusal.wait_secs
    longest: float = min(FIRST_WAIT_SECS * 2 ** (failures - 1), MAX_WAIT_SECS)
    return longest * memory.rng.uniform(0.5, 1.0)


def _is_worth(wait_secs: float, until: float, course: Course, has_others: bool) -> bool:
    if has_others and wait_secs > PATIENCE_SECS:
        return False
    return course.memory.clock.now() + wait_secs + MIN_ATTEMPT_SECS < until
