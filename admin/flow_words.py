"""The mistakes of a flow, as `flow_files` writes them in English, in the words of the reader's page.

A sentence is `flow, step x, line n: place reason`; one that is not known here stays as it came.
"""

import re
from collections.abc import Iterator
from typing import Final

from flask_babel import gettext as _

HEAD: Final = re.compile(
    r"(?P<flow>[^,:]+)(?:, step (?P<step>[^:]+?))?(?:, line (?P<line>\d+))?: (?P<rest>.*)", re.DOTALL
)


def flow_problem_words(problem: str) -> str:
    """Say one mistake in the reader's language, with its flow, step and line."""
    head = HEAD.fullmatch(problem)
    if head is None:
        return problem
    where = [head["flow"]]
    if head["step"]:
        where.append(_("step %(name)s", name=head["step"]))
    if head["line"]:
        where.append(_("line %(number)s", number=head["line"]))
    return f"{', '.join(where)}: {_rest_words(head['rest'])}"


def _rest_words(rest: str) -> str:
    for pattern, words in _reasons():
        found = re.fullmatch(rf"(?P<place>\S+ )?{pattern}", rest, re.DOTALL)
        if found:
            facts = {name: fact for name, fact in found.groupdict().items() if name != "place"}
            return f"{found['place'] or ''}{words.format(**facts)}"
    return rest


def _reasons() -> Iterator[tuple[str, str]]:
    """Give the English of each reason with its words; the longer of two that fit comes first."""
    yield from _of_reading()
    yield from _of_steps()
    yield from _of_scenes()
    yield from _of_texts()


def _of_reading() -> Iterator[tuple[str, str]]:
    yield r"is missing", _("is missing")
    yield r"is not a word that a flow knows", _("is not a word that a flow knows")
    yield r"a flow has at most (?P<most>\d+) characters", _("a flow has at most {most} characters")
    yield (
        r"a flow is a mapping of name, title, start, person and steps",
        _("a flow is a mapping of name, title, start, person and steps"),
    )
    yield r"nested too deeply", _("nested too deeply")
    yield r"a key is one word", _("a key is one word")
    yield r"(?P<key>.+) stands twice", _("{key} stands twice")
    yield r"name must stay (?P<name>.+)", _("name must stay {name}")
    yield r"entries must keep (?P<names>.+)", _("entries must keep {names}")
    yield r"version must stand in a line of its own", _("version must stand in a line of its own")


def _of_steps() -> Iterator[tuple[str, str]]:
    yield r"must be some of (?P<names>.+)", _("must be some of {names}")
    yield (
        r"names the step '(?P<name>.*)', which does not exist",
        _("names the step {name}, which does not exist"),
    )
    yield r"is the start and must offer choices", _("is the start and must offer choices")
    yield r"'(?P<name>.*)' is not one of (?P<names>.+)", _("{name} is not one of {names}")
    yield r"is not one of (?P<names>.+)", _("is not one of {names}")
    yield (
        r"needs `into`: what was told must be kept somewhere",
        _("needs `into`: what was told must be kept somewhere"),
    )
    yield (
        r"must be a plain name that does not begin with _",
        _("must be a plain name that does not begin with _"),
    )
    yield r"has outcomes or arguments but no action", _("has outcomes or arguments but no action")
    yield (
        r"does an action: what it says and where it goes stand in its outcomes",
        _("does an action: what it says and where it goes stand in its outcomes"),
    )
    yield r"must say what happens on '(?P<name>.*)'", _("must say what happens on {name}")
    yield r"is no outcome of (?P<name>\S+) \((?P<names>.*)\)", _("is no outcome of {name} ({names})")
    yield (
        r"is no argument of (?P<name>\S+) \(it takes (?P<names>.*)\)",
        _("is no argument of {name} (it takes {names})"),
    )
    yield (
        r"needs (?P<what>\S+): (?P<name>\S+) cannot do without it",
        _("needs {what}: {name} cannot do without it"),
    )
    yield r"is reached by nothing", _("is reached by nothing")
    yield (
        r"comes round to itself without asking anything",
        _("comes round to itself without asking anything"),
    )


def _of_scenes() -> Iterator[tuple[str, str]]:
    yield (
        r"must do one of: ask, offer choices, go to a step \(goes\), end \(ends: true\)",
        _("must do one of: ask, offer choices, go to a step (goes), end (ends: true)"),
    )
    yield r"asks for an answer but says nothing", _("asks for an answer but says nothing")
    yield (
        r"asks for an answer: into must name where it is kept",
        _("asks for an answer: into must name where it is kept"),
    )
    yield (
        r"asks for an answer: goes must name the next step",
        _("asks for an answer: goes must name the next step"),
    )
    yield (
        r"offers choices: only the choices say what is kept and where it goes",
        _("offers choices: only the choices say what is kept and where it goes"),
    )
    yield r"offers choices but says nothing", _("offers choices but says nothing")
    yield r"awaits a choice but offers none", _("awaits a choice but offers none")
    yield r"are more than (?P<most>\d+)", _("are more than {most}")
    yield r"'(?P<name>.*)' is no fact that is known here", _("{name} is no fact that is known here")
    yield (
        r"beside a list have letters or 0 as keys: digits number the list",
        _("beside a list have letters or 0 as keys: digits number the list"),
    )
    yield r"have equal keys", _("have equal keys")
    yield r"have equal titles \((?P<language>.+)\)", _("have equal titles ({language})")


def _of_texts() -> Iterator[tuple[str, str]]:
    yield r"has no words in '(?P<language>.*)'", _("has no words in {language}")
    yield r"is not a language of this flow", _("is not a language of this flow")
    yield r"is longer than (?P<most>\d+) characters", _("is longer than {most} characters")
    yield r"cannot be filled in: (?P<why>.+)", _("cannot be filled in: {why}")
    yield r"uses (?P<names>.+), which nothing gives here", _("uses {names}, which nothing gives here")
