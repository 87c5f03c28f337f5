"""Files of articles, read and checked: Markdown with or without front matter, CSV with a question a row.

No database: files in, `Sheet`s out. All that is wrong is told at once, with file and line, and then nothing
is given: an import is whole or it is not.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from analysis.folding import fold
from knowledge.passages import cut, first_heading, without_title
from vocabulary import LANGUAGES

FILE_MAX_BYTES: Final = 1_000_000
FILES_MAX: Final = 1_000
ROWS_MAX: Final = 5_000
TITLE_MAX_CHARS: Final = 200
BODY_MAX_CHARS: Final = 50_000
SLUG_MAX_CHARS: Final = 120
SUFFIXES: Final = (".md", ".markdown", ".csv")
# What stands in a file, by what it says; `{}` is the problem's detail.
PROBLEMS: Final[Mapping[str, str]] = {
    "unreadable": "the file cannot be read ({})",
    "not_a_kind": "only .md and .csv files are read",
    "too_large": "the file is larger than 1 MB",
    "too_many": "there are more than {} of them; import them in parts",
    "not_utf8": "the file is not UTF-8 text; save it as UTF-8",
    "no_articles": "there is no article in it",
    "bad_front_matter": "the front matter is not YAML: {}",
    "unknown_key": "the front matter knows title, language, number and active, not “{}”",
    "bad_active": "active is true or false",
    "no_title": "there is no title: write one in the front matter or as the first heading",
    "long_title": "the title has more than 200 characters",
    "no_text": "there is no text",
    "long_text": "the text has more than 50,000 characters",
    "unknown_language": "“{}” is no language of the desk",
    "unknown_number": "“{}” is no number of the desk; write its name, its id or its telephone number",
    "no_header": "the first row must name the columns question and answer (and language, number)",
    "broken_row": "the row cannot be read: {}",
    "no_question": "the question is empty",
    "no_answer": "the answer is empty",
    "extra_cells": "the row has more cells than the header; put texts with commas in quotes",
    "twice": "the same title or question stands in {} too",
}
_COLUMNS: Final[Mapping[str, str]] = {
    "question": "question", "pergunta": "question", "pregunta": "question",
    "answer": "answer", "resposta": "answer", "respuesta": "answer",
    "language": "language", "idioma": "language", "lingua": "language",
    "number": "number", "numero": "number",
}  # fmt: skip
_FRONT_MATTER: Final = re.compile(
    r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: its name (with folders, where it has them) and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """An article as somebody wrote it; `number` is the one of ours that knows it, as the file names it.

    `integration_id` None: every number knows it.
    """

    title: str
    body: str
    language: str
    is_active: bool = True
    slug: str = ""
    integration_id: int | None = None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where; `code` is of PROBLEMS."""

    file: str
    line: int
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {PROBLEMS[self.code].format(self.detail)}"


class FilesRefused(Exception):
    """Nothing was read, because of these problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def uploads_of(path: Path) -> tuple[Upload, ...]:
    """Read one file, or every article file of a folder and its folders. Raises FilesRefused."""
    paths = _article_files(path) if path.is_dir() else [path]
    if len(paths) > FILES_MAX:
        raise FilesRefused([Problem(str(path), 1, "too_many", str(FILES_MAX))])
    uploads, problems = [], []
    for each in paths:
        name = (each.relative_to(path) if path.is_dir() else _with_language_folder(path)).as_posix()
        try:
            with each.open("rb") as file:
                uploads.append(Upload(name, file.read(FILE_MAX_BYTES + 1)))
        except OSError as error:
            problems.append(Problem(name, 1, "unreadable", error.strerror or ""))
    if problems or not uploads:
        raise FilesRefused(problems or [Problem(str(path), 1, "no_articles")])
    return tuple(uploads)


def _article_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _with_language_folder(path: Path) -> Path:
    return path.relative_to(path.parents[1]) if path.parent.name in LANGUAGES else Path(path.name)


def read_files(
    uploads: Iterable[Upload], language: str, numbers: Mapping[str, int] | None = None
) -> tuple[Sheet, ...]:
    """Read files as articles in `language`, unless they or their folder say another. Raises FilesRefused.

    `numbers` are the ids of our numbers by all that a file may call them, as `number_key` writes it.
    """
    sheets: dict[str, Sheet] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for upload in uploads:
        for line, read in _read(upload, language):
            found = _of_number(upload.name, line, read, numbers or {})
            if isinstance(found, Problem):
                problems.append(found)
            elif found.slug in sheets:
                problems.append(Problem(upload.name, line, "twice", places[found.slug]))
            else:
                sheets[found.slug] = found
                places[found.slug] = f"{upload.name}:{line}"
    if problems or not sheets:
        raise FilesRefused(problems or [Problem("-", 1, "no_articles")])
    return tuple(sheets.values())


def number_key(written: str) -> str:
    """Give what a number is called in one spelling: a name folded, a telephone number as its digits."""
    digits = re.sub(r"[\s().+-]", "", written)
    return digits if digits.isdecimal() else " ".join(fold(written).split())


def _of_number(name: str, line: int, found: Sheet | Problem, numbers: Mapping[str, int]) -> Sheet | Problem:
    if isinstance(found, Problem) or not found.number:
        return found
    known = numbers.get(number_key(found.number))
    if known is None:
        return Problem(name, line, "unknown_number", found.number[:40])
    return replace(found, integration_id=known)


def title_slug(title: str, language: str, *folders: str) -> str:
    """Give the name that an article keeps through imports; long ones and other scripts by their hash."""
    parts = [language, *(_slug(part) for part in (*folders, title))]
    slug = "/".join(parts)
    if len(slug) <= SLUG_MAX_CHARS:
        return slug
    return f"{language}/{hashlib.sha256(slug.encode()).hexdigest()[:40]}"


def _slug(words: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", fold(words)).strip("-")
    has_all = not re.search(r"[^\W\d_a-z]", fold(words))
    if slug and has_all:
        return slug
    digest = hashlib.sha256(words.strip().encode("utf-8", "replace")).hexdigest()[:12]
    return f"{slug}-{digest}".strip("-")


def sheet_problem(sheet: Sheet) -> str:
    """Give the code of what is wrong with an article, or nothing."""
    if not sheet.title:
        return "no_title"
    if len(sheet.title) > TITLE_MAX_CHARS:
        return "long_title"
    if len(sheet.body) > BODY_MAX_CHARS:
        return "long_text"
    if sheet.language not in LANGUAGES:
        return "unknown_language"
    return "" if cut(sheet.title, sheet.body) else "no_text"


def clean(text: str) -> str:
    """Give a text with one kind of line end and without the NUL that PostgreSQL refuses."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


# --- one file -----------------------------------------------------------------------------------------------

_Found = tuple[int, Sheet | Problem]


def _read(upload: Upload, language: str) -> Iterator[_Found]:
    path = PurePosixPath(upload.name.replace("\\", "/"))
    if path.suffix.lower() not in SUFFIXES:
        yield 1, Problem(upload.name, 1, "not_a_kind")
    elif len(upload.content) > FILE_MAX_BYTES:
        yield 1, Problem(upload.name, 1, "too_large")
    else:
        try:
            text = clean(upload.content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = upload.content.count(b"\n", 0, error.start) + 1
            yield line, Problem(upload.name, line, "not_utf8")
            return
        language = path.parent.name if path.parent.name in LANGUAGES else language
        reader = _read_csv if path.suffix.lower() == ".csv" else _read_markdown
        yield from reader(path, text, language)


def _folders(path: PurePosixPath) -> list[str]:
    """Give the folders that belong to an article's name; the one of its language is said already."""
    parents = path.parts[:-1]
    return list(parents[:-1] if parents and parents[-1] in LANGUAGES else parents)


def _read_markdown(path: PurePosixPath, text: str, language: str) -> Iterator[_Found]:
    front = _FRONT_MATTER.match(text)
    facts: Mapping[str, Any] = {}
    line = 1
    if front is not None:
        line += front.group().count("\n")
        text = text[front.end() :]
        facts_or_problem = _front_matter(str(path), front[1])
        if isinstance(facts_or_problem, Problem):
            yield facts_or_problem.line, facts_or_problem
            return
        facts = facts_or_problem
    title = str(facts.get("title") or first_heading(text)).strip()
    language = str(facts.get("language") or language)
    slug = title_slug(path.stem, language, *_folders(path))
    number = str(facts.get("number") or "").strip()
    sheet = Sheet(title, without_title(title, text), language, facts.get("active", True), slug, number=number)
    code = sheet_problem(sheet)
    detail = language if code == "unknown_language" else ""
    yield line, Problem(str(path), line, code, detail) if code else sheet


def _front_matter(name: str, written: str) -> Mapping[str, Any] | Problem:
    try:
        facts = yaml.safe_load(written) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark is not None else 2
        return Problem(name, line, "bad_front_matter", str(getattr(error, "problem", "") or "cannot be read"))
    except (ValueError, RecursionError):  # a date or a number that is none, or nested without end
        return Problem(name, 2, "bad_front_matter", "cannot be read")
    if not isinstance(facts, dict):
        return Problem(name, 2, "bad_front_matter", "names and values are expected")
    for key, value in facts.items():
        line = _line_of(written, str(key))
        if key not in ("title", "language", "number", "active"):
            return Problem(name, line, "unknown_key", str(key)[:40])
        if isinstance(value, list | dict | set):  # a few lines of aliases can stand for gigabytes
            return Problem(name, line, "bad_front_matter", "names and values are expected")
        if key == "active" and not isinstance(value, bool):
            return Problem(name, line, "bad_active")
    return facts


def _line_of(written: str, key: str) -> int:
    lines = written.split("\n")
    return next((n for n, line in enumerate(lines, start=2) if line.lstrip("\"' ").startswith(key)), 2)


def _read_csv(path: PurePosixPath, text: str, language: str) -> Iterator[_Found]:
    header_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=header_line.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    count = 0
    line = 1
    try:
        for row in rows:
            if not columns:
                columns = [_COLUMNS.get(fold(cell).strip(), "") for cell in row]
                if not {"question", "answer"} <= set(columns):
                    yield 1, Problem(str(path), 1, "no_header")
                    return
            elif any(cell.strip() for cell in row):
                count += 1
                found = _row(path, line, columns, row, language)
                yield line, found
            if count >= ROWS_MAX:
                yield line, Problem(str(path), line, "too_many", str(ROWS_MAX))
                return
            line = rows.line_num + 1
    except csv.Error as error:
        yield rows.line_num, Problem(str(path), rows.line_num, "broken_row", str(error))
        return
    if not count:
        yield 1, Problem(str(path), 1, "no_articles")


def _row(
    path: PurePosixPath, line: int, columns: Sequence[str], row: Sequence[str], language: str
) -> Sheet | Problem:
    if len(row) > len(columns):
        return Problem(str(path), line, "extra_cells")
    cells = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name}
    question, answer = cells.get("question", ""), cells.get("answer", "")
    language = fold(cells.get("language") or language)
    if not question or not answer:
        return Problem(str(path), line, "no_question" if not question else "no_answer")
    slug = title_slug(question, language, *_folders(path), path.stem)
    sheet = Sheet(question, answer, language, slug=slug, number=cells.get("number", ""))
    code = sheet_problem(sheet)
    detail = cells.get("language", "")[:40] if code == "unknown_language" else ""
    return Problem(str(path), line, code, detail) if code else sheet
