"""The desk's fixed words to customers: one small file per text and language, and the one way to fill them.

Flows, the pipeline and delivery ask `text(name, language, ...)`; flows also compile their own texts here, so
that every word to a customer passes the same sandbox and the same filters. It reads packaged files only and
never decides what is said.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from jinja2 import Environment, Template, meta, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vocabulary import TEXT_LANGUAGES

TEXTS_DIR = Path(__file__).parent / "templates" / "whatsapp"
LETTERS_DIR = Path(__file__).parent / "templates" / "letters"
DEFAULT_LANGUAGE = "pt"
# Who writes in a language that has no texts reads English more likely than Portuguese.
FOREIGN_LANGUAGE = "en"
DAY_LOCALES = {"pt": "pt_BR", "es": "es", "en": "en"}
DAY_PATTERNS = {"pt": "EEEE, d 'de' MMMM", "es": "EEEE d 'de' MMMM", "en": "EEEE, MMMM d"}
SLOT_PATTERNS = {"pt": "EEE dd/MM", "es": "EEE dd/MM", "en": "EEE, MMM d"}
AT = {"pt": "às", "es": "a las", "en": "at"}


def text(name: str, language: str | None, **values: object) -> str:
    """Give the fixed text `name` in `language` (or the nearest that ships). Raises KeyError if unknown."""
    reader = text_language(language)
    return _packaged(TEXTS_DIR, name, reader).render({**values, "language": reader}).strip()


def letter_text(name: str, language: str | None, **values: object) -> str:
    """Give a text of the e-mails, text messages and pushes that we send, as `text` does."""
    reader = text_language(language)
    return _packaged(LETTERS_DIR, name, reader).render({**values, "language": reader}).strip()


def text_language(language: str | None) -> str:
    """Give the language of TEXT_LANGUAGES in which to write to a reader of `language` ("pt-BR", "fr")."""
    if not language:
        return DEFAULT_LANGUAGE
    base = language.replace("_", "-").partition("-")[0].lower()
    return base if base in TEXT_LANGUAGES else FOREIGN_LANGUAGE


def text_names(language: str = DEFAULT_LANGUAGE) -> tuple[str, ...]:
    """List the names of all fixed texts that `language` has."""
    return tuple(sorted(path.stem for path in (TEXTS_DIR / language).glob("*.txt")))


def compile_text(source: str) -> Template:
    """Compile a customer text. Raises jinja2.TemplateSyntaxError; its `lineno` counts from 1."""
    return ENVIRONMENT.from_string(source.strip("\n"))


@lru_cache(maxsize=4096)
def compiled(source: str) -> Template:
    """Compile a customer text once and keep it."""
    return compile_text(source)


def names_used(source: str) -> frozenset[str]:
    """List the names that a text wants to be given."""
    return frozenset(meta.find_undeclared_variables(ENVIRONMENT.parse(source)))


def day_text(iso_day: str, language: str | None) -> str:
    """Write an ISO date as a reader says it: "dom., 22 de nov.", "Sun, Nov 22"; nothing for no date."""
    try:
        day = date.fromisoformat(iso_day)
    except ValueError:
        return ""
    return str(format_skeleton("MMMEd", day, locale=DAY_LOCALES[text_language(language)]))


def moment_text(moment: datetime, language: str | None) -> str:
    """Write a local time as a reader says it: "segunda-feira, 23 de novembro, às 09:00"."""
    reader = text_language(language)
    locale = DAY_LOCALES[reader]
    clock = format_time(moment, "short", locale=locale, tzinfo=moment.tzinfo)
    return f"{format_date(moment.date(), DAY_PATTERNS[reader], locale=locale)}, {AT[reader]} {clock}"


def slot_text(moment: datetime, language: str | None) -> str:
    """Write a local time as shortly as a row of a list wants it: "seg., 23/11, 09:00"."""
    reader = text_language(language)
    locale = DAY_LOCALES[reader]
    clock = format_time(moment, "short", locale=locale, tzinfo=moment.tzinfo)
    return f"{format_date(moment.date(), SLOT_PATTERNS[reader], locale=locale)}, {clock}"


@lru_cache(maxsize=512)
def _packaged(folder: Path, name: str, language: str) -> Template:
    path = folder / language / f"{name}.txt"
    if not name.isidentifier() or not path.is_file():
        raise KeyError(f"no text {name!r} in {language!r}")
    return compile_text(path.read_text(encoding="utf-8"))


@pass_context
def _usd(context: Context, amount: object) -> str:
    """Whole US dollars as the reader writes them: $280,000 in English, else US$ 280.000."""
    try:
        dollars = int(Decimal(str(amount)))
    except (ArithmeticError, ValueError):
        return ""
    if text_language(context.get("language")) == "en":
        return f"${dollars:,}"
    return f"US$ {dollars:,}".replace(",", ".")


@pass_context
def _country_name(context: Context, code: object) -> str:
    """An ISO country code as a name in the reader's language; anything else is given back as it is."""
    locale = Locale(text_language(context.get("language")))
    return str(locale.territories.get(str(code).upper(), code))


def _first_name(name: object) -> str:
    words = str(name or "").split()
    return words[0] if words else ""


def _bullet_lines(lines: object) -> str:
    """A list of benefits as lines with check marks; a text that is already lines stays one per line."""
    if isinstance(lines, str):
        parts: Iterable[Any] = lines.splitlines()
    elif isinstance(lines, Iterable):
        parts = lines
    else:
        parts = ()
    return "\n".join(f"✅ {str(part).strip()}" for part in parts if str(part).strip())


def _environment() -> Environment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        usd=_usd, country_name=_country_name, first_name=_first_name, bullet_lines=_bullet_lines
    )
    return environment


ENVIRONMENT = _environment()
