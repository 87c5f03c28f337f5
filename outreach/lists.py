"""A list of people as a CSV file: whatever a spreadsheet program wrote, read into rows or refused in words.

Pages call `read`. Pure: no database. A cell is text and nothing else: a formula stays the characters that it
is written with.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import phone
from vocabulary import LANGUAGES

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 10_000
MAX_COLUMNS: Final = 40
MAX_CELL_CHARS: Final = 500
_DELIMITERS: Final = (";", ",", "\t", "|")
_PHONE_NAMES: Final = (
    "phone", "telefone", "telefono", "celular", "whatsapp", "movil", "mobile", "numero", "number", "fone",
    "tel", "wa", "phone number", "numero de telefone", "numero de telefono",
)  # fmt: skip
_NAME_NAMES: Final = ("name", "nome", "nombre", "full name", "nome completo", "nombre completo", "contato")
_LANGUAGE_NAMES: Final = ("language", "idioma", "lingua", "lang")
_FOLDED: Final = str.maketrans("áàâãéêíóôõúüçñ", "aaaaeeiooouucn")


class ListRefused(ValueError):
    """The file cannot be read: `code` is empty, too_large, too_many_rows, too_many_columns, not_text,
    broken or no_phone_column."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """One row: `wa_id` are the digits of the phone, None when it is none."""

    line: int
    written: str
    wa_id: str | None
    name: str
    language: str
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class PeopleList:
    """A file that could be read; `columns` are the names of its first row."""

    columns: tuple[str, ...]
    people: tuple[ListedPerson, ...]

    def parts(self, size: int) -> Iterator["PeopleList"]:
        """Give the file in parts of at most `size` people."""
        for start in range(0, len(self.people), size):
            yield PeopleList(self.columns, self.people[start : start + size])


def read(content: bytes, region: str | None) -> PeopleList:
    """Read a CSV file with any usual delimiter and encoding. Raises ListRefused.

    `region` (ISO country) is assumed for phones without country code. The first row names the columns; a file
    without such a row is taken as one column of phones.
    """
    text = _text(content)
    rows = _rows(text)
    if not rows:
        raise ListRefused("empty")
    header, first = rows[0], 1
    names = _names(header)
    place = _column(names, _PHONE_NAMES)
    if place is None and (found := _phone_places(header, region)):
        # No names at all: the first row is a person already.
        place, first, names = found[0], 0, _numbered(len(header))
    if place is None:
        raise ListRefused("no_phone_column")
    if len(rows) - first > MAX_ROWS:
        raise ListRefused("too_many_rows", str(MAX_ROWS))
    at_name, at_language = _column(names, _NAME_NAMES), _column(names, _LANGUAGE_NAMES)
    people = []
    for line, cells in enumerate(rows[first:], start=first + 1):
        written = _cell(cells, place)
        if not any(cells):
            continue
        spoken = _cell(cells, at_language).lower()[:2]
        people.append(
            ListedPerson(
                line=line,
                written=written[:40],
                wa_id=wa_id_of(written, region),
                name=_cell(cells, at_name)[:255],
                language=spoken if spoken in LANGUAGES else "",
                columns={name: _cell(cells, at) for at, name in enumerate(names) if at != place},
            )
        )
    if not people:
        raise ListRefused("empty")
    return PeopleList(tuple(names), tuple(people))


def wa_id_of(written: str, region: str | None) -> str | None:
    """Give the digits of a phone as somebody wrote it in a spreadsheet; None for what is none."""
    written = written.strip().lstrip("'").strip()
    # A spreadsheet took the number for a quantity: 5.58E+12 has lost its digits, 5581999990000.0 has not.
    if re.fullmatch(r"\+?\d{8,15}[.,]0+", written):
        written = re.split(r"[.,]", written)[0]
    if not re.fullmatch(r"\+?[\d\s().\-/]{6,30}", written):
        return None
    # Within Brazil, 00 is followed by a carrier; in a list it stands for the +.
    written = re.sub(r"^00", "+", written)
    digits = re.sub(r"\D", "", written)
    for candidate, assumed in ((written, region), (f"+{digits}", None)):
        number = phone.normalise(candidate, assumed)
        if number is not None and phone.is_plausible(number):
            return number.removeprefix("+")
    return None


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise ListRefused("too_large", str(MAX_BYTES // 1024 // 1024))
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    # The last is what Excel writes on a Windows machine where it writes no UTF-8.
    encodings = ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252")
    decoded = (_decoded(content, encoding) for encoding in encodings)
    text = next((one for one in decoded if one is not None), None)
    if text is None or "\0" in text:
        raise ListRefused("not_text")
    return text


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _rows(text: str) -> list[list[str]]:
    # Old Macs end lines with a carriage return alone.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.lstrip("\ufeff\n").splitlines(keepends=True)
    # Excel's own way to name the delimiter.
    named = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    delimiter = named[1] if named else _delimiter(lines[0] if lines else "")
    # Strict: a quotation mark that nothing closes would swallow the rest of the file as one cell.
    body = "".join(lines[1:] if named else lines)
    reader = csv.reader(io.StringIO(body), delimiter=delimiter, strict=True)
    rows = []
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise ListRefused("too_many_columns", str(MAX_COLUMNS))
            if cells:
                rows.append([cell.strip()[:MAX_CELL_CHARS] for cell in cells])
            if len(rows) > MAX_ROWS + 1:
                raise ListRefused("too_many_rows", str(MAX_ROWS))
    except csv.Error as error:
        raise ListRefused("broken", str(reader.line_num)) from error
    return rows


def _delimiter(line: str) -> str:
    counts = Counter({mark: line.count(mark) for mark in _DELIMITERS})
    mark, count = counts.most_common(1)[0]
    return mark if count else ","


def _names(header: list[str]) -> list[str]:
    """Give each column a name of its own."""
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = cell[:60] or f"column_{place}"
        names.append(name if name not in names else f"{name}_{place}")
    return names


def _numbered(count: int) -> list[str]:
    return [f"column_{place}" for place in range(1, count + 1)]


def _column(names: list[str], known: tuple[str, ...]) -> int | None:
    folded = [name.strip().lower().translate(_FOLDED).replace("_", " ") for name in names]
    return next((folded.index(name) for name in known if name in folded), None)


def _phone_places(cells: list[str], region: str | None) -> list[int]:
    return [place for place, cell in enumerate(cells) if wa_id_of(cell, region)]


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place] if place is not None and place < len(cells) else ""
