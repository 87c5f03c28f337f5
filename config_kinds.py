"""How each kind of setting is read from its text: a whole number, a price, a database's address, and so on.

Called by `config.py` alone. Pure: text in, a typed value out, or `BadValue` with the words that complete
"NAME: 'text' ...". Never reads the environment and knows no setting by name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

import working_hours

BASE_DIR: Final = Path(__file__).resolve().parent
IN_MEMORY_SQLITE: Final = "sqlite:///:memory:"
LANGUAGES: Final = ("pt", "es", "en")
TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on", "t", "y", "sim"})
FALSE_WORDS: Final = frozenset({"0", "false", "no", "off", "f", "n", "nao", "não"})

SQL_DRIVERS: Final[Mapping[str, str]] = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}


class BadValue(ValueError):
    """A value that its kind does not accept; the message completes "NAME: 'value' ..."."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the table: what it is called, how it is read, what it is without a value, what it is for."""

    name: str
    aliases: tuple[str, ...]
    kind: str
    default: str
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_secret: bool = False

    @property
    def attribute(self) -> str:
        return self.name.lower()


def _text(text: str, _variable: Variable) -> str:
    return text


def _whole(text: str, variable: Variable) -> int:
    example = f"(example: {variable.default or '1'})"
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        raise BadValue(f"is not a whole number {example}")
    return int(_within(int(text), variable, example))


def _number(text: str, variable: Variable) -> float:
    example = f"(example: {variable.default})"
    if not re.fullmatch(r"[+-]?[0-9]{1,15}([.][0-9]{1,15})?", text):
        raise BadValue(f"is not a number {example}")
    return _within(float(text), variable, example)


def _within(number: float, variable: Variable, example: str) -> float:
    if variable.low is not None and variable.high is not None and not variable.low <= number <= variable.high:
        raise BadValue(f"is not between {variable.low:g} and {variable.high:.12g} {example}")
    return number


def _flag(text: str, _variable: Variable) -> bool:
    if text.lower() in TRUE_WORDS:
        return True
    if text.lower() in FALSE_WORDS:
        return False
    raise BadValue("is neither yes nor no (example: 1)")


def _choice(text: str, variable: Variable) -> str:
    for choice in variable.choices:
        if choice.lower() == text.lower():
            return choice
    example = variable.default or variable.choices[0]
    raise BadValue(f"is not one of {', '.join(variable.choices)} (example: {example})")


def _language(text: str, _variable: Variable) -> str:
    language = re.split("[-_]", text.lower())[0]
    if language not in LANGUAGES:
        raise BadValue(f"is not one of {', '.join(LANGUAGES)} (example: {LANGUAGES[0]})")
    return language


def _zone(text: str, _variable: Variable) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # OSError: the name of a folder, such as "America"
        raise BadValue("is not a time zone (example: America/Sao_Paulo)") from error
    return text


def _url(text: str, _variable: Variable) -> str:
    parts = _split_url(text, "is not a web address (example: https://desk.example.com)")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise BadValue("is not a web address (example: https://desk.example.com)")
    return text.rstrip("/")


def _split_url(text: str, refusal: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for a port that is none
    except ValueError as error:
        raise BadValue(refusal) from error
    return parts


def _folder(text: str, _variable: Variable) -> Path:
    return (BASE_DIR / Path(text).expanduser()).resolve()


def _email(text: str, _variable: Variable) -> str:
    if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+", text):
        raise BadValue("is not an e-mail address (example: ana@example.com)")
    return text


def _phone(text: str, _variable: Variable) -> str:
    digits = re.sub(r"[\s().-]", "", text.removeprefix("whatsapp:"))
    if not re.fullmatch(r"\+?[0-9]{7,15}", digits):
        raise BadValue("is not a phone number with country code (example: +14155238886)")
    return "+" + digits.removeprefix("+")


def _number_id(text: str, _variable: Variable) -> str:
    if not re.fullmatch(r"[0-9]{1,32}", text):
        raise BadValue("is not an id of digits alone, and no telephone number (example: 106540352242922)")
    return text


def _version(text: str, _variable: Variable) -> str:
    if not re.fullmatch(r"v?[0-9]{1,3}\.[0-9]", text):
        raise BadValue("is not a Graph API version (example: v26.0)")
    return "v" + text.removeprefix("v")


def _names(text: str, _variable: Variable) -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[,\s]+", text) if name)


def _phrases(text: str, _variable: Variable) -> tuple[str, ...]:
    separator = r"[;\n]" if re.search(r"[;\n]", text) else ","
    return tuple(phrase.strip() for phrase in re.split(separator, text) if phrase.strip())


def _price(text: str, _variable: Variable) -> Decimal:
    """Read 97, 97.00, 97,00, 1.497,00 and 1,497.00, with or without a currency sign in front."""
    figures = re.sub(r"^(R\$|US\$|[$€£]|[A-Z]{3})\s*", "", text)
    match = re.fullmatch(r"([0-9]{1,9}|[0-9]{1,3}(?:[.,][0-9]{3}){1,2})(?:[.,]([0-9]{1,2}))?", figures)
    if not match:
        raise BadValue("is not a price (example: 97.00)")
    whole, cents = match.groups(default="0")
    return Decimal(f"{re.sub('[.,]', '', whole)}.{cents}").quantize(Decimal("0.01"))


def _dollars(text: str, variable: Variable) -> Decimal:
    example = f"(example: {variable.default or '0.15'})"
    if not re.fullmatch(r"(US)?[$]?\s?[0-9]{1,9}([.][0-9]{1,6})?", text):
        raise BadValue(f"is not an amount of US dollars {example}")
    amount = Decimal(text.lstrip("US$ "))
    _within(float(amount), variable, example)
    return amount


def _database(text: str, _variable: Variable) -> str:
    refusal = "is not a database address (example: postgresql://user:password@localhost/balcao)"
    scheme, separator, rest = text.partition("://")
    base = scheme.lower().partition("+")[0]
    if not separator or base not in (*SQL_DRIVERS, "sqlite"):
        raise BadValue(refusal)
    if base == "sqlite":
        return IN_MEMORY_SQLITE if rest in ("", "/", "/:memory:") else f"sqlite://{rest}"
    parts = _split_url(text, refusal)
    if not parts.path.strip("/"):
        raise BadValue("names no database (example: postgresql://user:password@localhost/balcao)")
    query = parts.query
    if base in ("mysql", "mariadb"):  # the server's default may be three-byte utf8, which refuses emoji
        query = urlencode({**dict(parse_qsl(query)), "charset": "utf8mb4"})
    # Not urlunsplit: of an address without a host, a socket's, it would make "scheme:/path".
    return f"{SQL_DRIVERS[base]}://{parts.netloc}{parts.path}{query and f'?{query}'}"


def _queue(text: str, _variable: Variable) -> str:
    parts = _split_url(text, "is not a Redis address (example: redis://localhost:6379/0)")
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise BadValue("is not a Redis address (example: redis://localhost:6379/0)")
    return text


def _smtp(text: str, _variable: Variable) -> str:
    parts = _split_url(
        text, "is not a mail server's address (example: smtp://user:password@mail.example.com:587)"
    )
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadValue("is not a mail server's address (example: smtp://user:password@mail.example.com:587)")
    return text


def _hours(text: str, _variable: Variable) -> tuple[working_hours.Stretch, ...]:
    try:
        return working_hours.read_hours(text)
    except working_hours.BadHours as refusal:
        raise BadValue(
            f"is not {refusal} (example: mon-fri 09:00-12:00 13:00-18:00; sat 09:00-13:00)"
        ) from refusal


PARSERS: Final[Mapping[str, Callable[[str, Variable], Any]]] = {
    "text": _text,
    "whole": _whole,
    "number": _number,
    "flag": _flag,
    "choice": _choice,
    "language": _language,
    "zone": _zone,
    "url": _url,
    "folder": _folder,
    "email": _email,
    "phone": _phone,
    "number_id": _number_id,
    "version": _version,
    "names": _names,
    "phrases": _phrases,
    "price": _price,
    "dollars": _dollars,
    "database": _database,
    "queue": _queue,
    "smtp": _smtp,
    "hours": _hours,
}
# What a value of this kind is when nothing was given; all others are the empty string.
EMPTY: Final[Mapping[str, Any]] = {
    "whole": None,
    "flag": None,
    "folder": None,
    "price": None,
    "dollars": None,
    "names": (),
    "phrases": (),
    "hours": (),
}
