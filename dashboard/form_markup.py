"""The fields of a form as its own HTML has them: what each says, how people call it, and filled in anew.

`meanwhile` calls it with what our templates made. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from markupsafe import Markup, escape

# What is sent without saying anything that somebody could have changed.
WITHOUT_VALUE: Final = ("submit", "button", "reset", "image", "file")
SECRET: Final = "password"  # never shown, so always empty
TICKED: Final = ("checkbox", "radio")
HEADINGS: Final = ("legend", "h2", "h3")
Attrs = dict[str, str | None]


@dataclass(slots=True)
class Field:
    """One name of a form: what it would send now, and how people call it and its values."""

    kind: str
    values: list[str] = field(default_factory=list)
    words: str = ""
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def is_switch(self) -> bool:
        return self.kind == "checkbox" and len(self.titles) == 1

    def shown(self, values: Sequence[str]) -> str:
        """Write values as the form names them."""
        return ", ".join(self.titles.get(value, value) for value in values if value)


def read_fields(html: str) -> dict[str, Field]:
    """Give the fields of a piece of a form by their names."""
    return _parsed(html, {}).fields


def filled(html: str, values: Mapping[str, Sequence[str]]) -> Markup:
    """Give the piece of a form with other values in some of its fields; the rest stays as it is written."""
    made, at = [], 0
    for begins, ends, replacement in _parsed(html, values).edits:
        made += [html[at:begins], replacement]
        at = ends
    return Markup("".join([*made, html[at:]]))


def _parsed(html: str, wanted: Mapping[str, Sequence[str]]) -> "_Parser":
    parser = _Parser(html, wanted)
    parser.feed(html)
    parser.close()
    return parser


class _Parser(HTMLParser):
    """Reads fields and their words; notes what is to be written otherwise, as (from, to, text)."""

    def __init__(self, html: str, wanted: Mapping[str, Sequence[str]]) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: dict[str, Field] = {}
        self.edits: list[tuple[int, int, str]] = []
        self._wanted = {name: list(values) for name, values in wanted.items()}
        self._line_starts = [0]
        for line in html.split("\n"):
            self._line_starts.append(self._line_starts[-1] + len(line) + 1)
        self._text: list[str] = []  # of the option, textarea or heading that is being read
        self._heading = ""
        self._select: tuple[str, Attrs] | None = None
        self._option: Attrs = {}
        self._area: tuple[str, int] | None = None
        self._label: Attrs | None = None
        self._label_text: list[str] = []
        self._in_label: list[tuple[Field, str]] = []
        self._by_id: dict[str, tuple[Field, str]] = {}
        self._words_of_id: dict[str, str] = {}

    # --- what comes -------------------------------------------------------------------------------------

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found: Attrs = dict(attrs)
        name = found.get("name") if "disabled" not in found else None
        match tag:
            case "input" if name and found.get("type") not in WITHOUT_VALUE:
                self._take_input(name, found)
            case "select" if name:
                self._select = (name, found)
                self._know(self._field(name, found, "select"), "", found)
            case "option":
                self._option, self._text = found, []
                self._rewrite_option(found)
            case "textarea" if name:
                self._area, self._text = (name, self._here() + self._tag_length()), []
                self._know(self._field(name, found, "textarea"), "", found)
            case "label":
                self._label, self._label_text, self._in_label = found, [], []
            case _ if tag in HEADINGS:
                self._text = []

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        if self._label is not None and self._select is None and self._area is None:
            self._label_text.append(data)

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "option" if self._select is not None:
                self._end_option(self.fields[self._select[0]])
            case "select" if self._select is not None:
                self._end_select(*self._select)
            case "textarea" if self._area is not None:
                self._end_area(*self._area)
            case "label" if self._label is not None:
                self._end_label(self._label)
            case _ if tag in HEADINGS:
                self._heading = _words(self._text)

    def close(self) -> None:
        super().close()
        for key, (one, value) in self._by_id.items():
            _name(one, value, self._words_of_id.get(key, ""))
        for one in self.fields.values():
            if one.is_switch or (one.kind in TICKED and not one.words):
                one.words = next(iter(one.titles.values()))

    # --- each kind --------------------------------------------------------------------------------------

    def _field(self, name: str, attrs: Attrs, kind: str) -> Field:
        words = attrs.get("aria-label") or attrs.get("data-field") or ""
        return self.fields.setdefault(name, Field(kind, words=words))

    def _know(self, one: Field, value: str, attrs: Attrs) -> None:
        """Keep whom a label around it, or one that names its id, is of."""
        if self._label is not None:
            self._in_label.append((one, value))
        elif attrs.get("id"):
            self._by_id[str(attrs["id"])] = (one, value)

    def _take_input(self, name: str, attrs: Attrs) -> None:
        kind = attrs.get("type") or "text"
        one, value = self._field(name, attrs, kind), attrs.get("value") or ""
        if kind == SECRET:
            return
        if kind in TICKED:
            value = value or "on"
            one.titles.setdefault(value, value)
            one.words = one.words or self._heading
            if "checked" in attrs:
                one.values.append(value)
        else:
            one.values.append(value)
            if attrs.get("data-words"):
                one.titles[value] = str(attrs["data-words"])
        self._know(one, value if kind in TICKED else "", attrs)
        if name in self._wanted:
            self._rewrite("input", self._as_wanted(name, kind, value, attrs))

    def _as_wanted(self, name: str, kind: str, value: str, attrs: Attrs) -> Attrs:
        wanted = self._wanted[name]
        if kind in TICKED:
            return _marked(attrs, "checked", is_on=value in wanted)
        return attrs | {"value": wanted.pop(0) if wanted else ""}

    def _rewrite_option(self, option: Attrs) -> None:
        value, name = option.get("value"), self._select[0] if self._select else ""
        if name in self._wanted and value is not None:
            self._rewrite("option", _marked(option, "selected", is_on=value in self._wanted[name]))

    def _end_option(self, select: Field) -> None:
        title = _words(self._text)
        value = self._option.get("value")
        value = title if value is None else value
        select.titles[value] = title
        if "selected" in self._option:
            select.values.append(value)

    def _end_select(self, name: str, attrs: Attrs) -> None:
        one = self.fields[name]
        if not one.values and one.titles and "multiple" not in attrs:
            one.values.append(next(iter(one.titles)))  # as browsers choose
        self._select = None

    def _end_area(self, name: str, begins: int) -> None:
        self.fields[name].values.append("".join(self._text).removeprefix("\n"))  # as browsers read it
        if self._wanted.get(name):
            self.edits.append((begins, self._here(), f"\n{escape(self._wanted[name].pop(0))}"))
        self._area = None

    def _end_label(self, label: Attrs) -> None:
        words = _words(self._label_text)
        self._words_of_id[str(label.get("for") or "")] = words
        for one, value in self._in_label:
            _name(one, value, words)
        self._label = None

    # --- places -----------------------------------------------------------------------------------------

    def _here(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column

    def _tag_length(self) -> int:
        return len(self.get_starttag_text() or "")

    def _rewrite(self, tag: str, attrs: Attrs) -> None:
        begins = self._here()
        written = (key if value is None else f'{key}="{escape(value)}"' for key, value in attrs.items())
        self.edits.append((begins, begins + self._tag_length(), f"<{' '.join([tag, *written])}>"))


def _marked(attrs: Attrs, mark: str, *, is_on: bool) -> Attrs:
    return {key: value for key, value in attrs.items() if key != mark} | ({mark: None} if is_on else {})


def _name(one: Field, value: str, words: str) -> None:
    if value in one.titles and one.kind in TICKED:
        one.titles[value] = words or value
    else:
        one.words = one.words or words


def _words(parts: Sequence[str]) -> str:
    return " ".join("".join(parts).split())
