"""What a bank lists as received, held against the open payments: a file that a person uploads, or lines
that a program posts.

A line counts only when it names one of our references and its amount is the order's; everything else is
told. Reads text, calls `payments.confirm`; flushes and never commits.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from config import Config
from shop import catalog, payments

MAX_BYTES: Final = 2_000_000
MAX_LINES: Final = 5_000
HEAD_LINES: Final = 50  # before the headings some banks tell of themselves
DEFAULT_CURRENCY: Final = "BRL"
EXTERNAL_ID_MAX_CHARS: Final = 190
REFERENCE_MAX_CHARS: Final = 25
AMOUNT_HEADINGS: Final = ("valor", "amount", "importe", "monto", "credito", "credit", "value", "entrada")

TYPE_HEADINGS: Final = ("tipo", "type", "natureza", "nature", "d/c", "c/d", "dc", "cd")
CURRENCY_HEADINGS: Final = ("moeda", "currency", "moneda", "divisa")
DEBITS: Final = ("d", "db", "dr", "saida", "cargo", "egreso", "salida", "withdrawal", "outgoing")
CREDITS: Final = ("c", "cr")
SUM_MAX_DIGITS: Final = 15

# 97,00 D and -97,00 both have left the account; some write the minus as a dash.
_DEBIT_MARK = re.compile(r"\d\s*(?:D|DB|DR|-)\s*$", re.IGNORECASE)
# Banks that write no sign say it in words. What is given back has left, whatever it was given back for; what
# was "sent by" somebody may have come.
_GIVEN_BACK = re.compile(r"\b(?:devolu|devuel|estorn|reembols|refund|reversal)")
_SENT = re.compile(
    r"\b(?:envi(?:ad|ou|o\b)|efetuad|saida|salida|saque|retiro|egreso|sent\b|outgoing|withdraw|paid out)"
)
_CAME = re.compile(r"\b(?:recebi|recibi|received|cred|entrada|ingreso|incoming|deposit)")
_DASHES = str.maketrans("\u2212\u2013\u2014", "---")
_REFERENCE = re.compile(r"(?<![A-Za-z0-9])P\d{5,18}(?:N\d{1,3})?(?![A-Za-z0-9])", re.IGNORECASE)
# The Pix system's own id of a transfer: E, the bank's number, the minute and eleven signs.
_END_TO_END = re.compile(r"(?<![A-Za-z0-9])E\d{8}\d{12}[A-Za-z0-9]{11}(?![A-Za-z0-9])")


class UnreadableList(ValueError):
    """No line of headings with an amount was found."""


@dataclass(frozen=True, slots=True)
class BankLine:
    """Money that has come in: for which reference, how much, and the bank's own id of it."""

    reference: str
    amount_minor: int
    currency: str = DEFAULT_CURRENCY
    external_id: str | None = None
    is_debit: bool = False


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a list says what: the amount always, whether it came or went and in which money if it does."""

    amount: int
    type: int | None = None
    currency: int | None = None


@dataclass(slots=True)
class Booked:
    """How many lines paid an order, were known, came with another amount, named no payment of ours, or were
    left out because the money left the account or is of another currency; whom to wake.
    """

    paid: int = 0
    known: int = 0
    wrong: int = 0
    unknown: int = 0
    left_out: int = 0
    conversation_ids: set[int] = field(default_factory=set)

    def add(self, other: "Booked") -> None:
        """Count what became of other lines, too."""
        for name in ("paid", "known", "wrong", "unknown", "left_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.conversation_ids |= other.conversation_ids


def read_list(content: bytes) -> list[BankLine]:
    """Read a bank's CSV, whatever its columns are called and its comma is. Raises UnreadableList."""
    text = _text(content[:MAX_BYTES])
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=_delimiter(text)) if any(row)]
    except csv.Error as error:
        raise UnreadableList(str(error)) from error
    for start, row in enumerate(rows[:HEAD_LINES]):
        columns = _columns(row)
        if columns is not None:
            return list(_lines(rows[start + 1 :], columns))[:MAX_LINES]
    raise UnreadableList


def read_lines(posted: Any) -> list[BankLine]:
    """Read what a program posts: {"lines": [{"reference", "amount", "currency", "external_id"}]}, amounts
    as text (194.00). Raises UnreadableList with the reason.
    """
    given = posted.get("lines") if isinstance(posted, dict) else None
    if not isinstance(given, list) or len(given) > MAX_LINES:
        raise UnreadableList(f"`lines` must be a list of {MAX_LINES} at most")
    return [_posted_line(place, line) for place, line in enumerate(given)]


def _posted_line(place: int, line: Any) -> BankLine:
    told = line if isinstance(line, dict) else {}
    reference = str(told.get("reference") or "")[:REFERENCE_MAX_CHARS]
    currency = str(told.get("currency") or DEFAULT_CURRENCY).upper()
    amount = read_sum(str(told.get("amount") or ""))
    external_id = str(told.get("external_id") or "")[:EXTERNAL_ID_MAX_CHARS] or None
    # A NUL or half of a sign is kept by no database.
    is_text = f"{reference}{external_id or ''}".isprintable()
    if not reference or amount is None or not is_text or not re.fullmatch("[A-Z]{3}", currency):
        wants = "a reference, an amount such as 194.00, and a currency of three letters"
        raise UnreadableList(f"lines[{place}] needs {wants}")
    return BankLine(reference, catalog.minor_units(amount, currency), currency, external_id)


def book(
    lines: Sequence[BankLine], *, config: Config, now: datetime, actor: str, operator_id: int | None = None
) -> Booked:
    """Confirm the payments that these lines pay. Flushes. Idempotent: a list may be uploaded again."""
    booked = Booked()
    for line in lines[:MAX_LINES]:
        payment = payments.by_reference(line.reference)
        if payment is None:
            booked.unknown += 1
            continue
        if line.is_debit or line.currency != payment.currency:
            booked.left_out += 1
            continue
        done = payments.confirm(
            payments.beside_services(payment, actor=actor, now=now),
            amount_minor=line.amount_minor,
            currency=line.currency,
            actor=actor,
            operator_id=operator_id,
            external_id=line.external_id,
            config=config,
            now=now,
        )
        if done.result == "already":
            booked.known += 1
        elif done.result == "mismatch":
            booked.wrong += 1
        else:
            booked.paid += 1
            booked.conversation_ids.add(done.conversation_id)
    return booked


def read_sum(written: str) -> Decimal | None:
    """Read a sum as banks write it: 1.497,00, 1,497.00, 1497.00, R$ 97; None for what is none (1e9, 1_000) or
    is money that left.
    """
    told = written.translate(_DASHES)
    bare = re.sub(r"[^\d.,()+-]", "", told)
    if not re.search(r"[0-9]", bare) or "-" in bare or "(" in bare or re.search(r"\d[^\d.,\s'+-]+\d", told):
        return None
    bare = bare.strip("+")
    mark = max(bare.rfind("."), bare.rfind(","))
    has_cents = mark >= 0 and len(bare) - mark - 1 in (1, 2)
    whole = re.sub(r"[.,]", "", bare[:mark] if has_cents else bare)
    if len(whole) > SUM_MAX_DIGITS:
        return None
    try:
        return Decimal(f"{whole or 0}.{bare[mark + 1 :] if has_cents else 0}")
    except InvalidOperation:
        return None


def _lines(rows: Iterable[Sequence[str]], columns: _Columns) -> Iterable[BankLine]:
    for row in rows:
        told, written = " ".join(row), _cell(row, columns.amount).translate(_DASHES)
        bare = re.sub(r"[()]|(?<!\d)-|-\s*$", "", written)
        reference, amount = _REFERENCE.search(told), read_sum(bare)
        if reference is None or amount is None or amount <= 0:
            continue
        transfer = _END_TO_END.search(told)
        sign = re.sub(r"[\d.,\s+-]|\b(?:CR?|D[BR]?)\b", "", bare)
        currency = _currency(_cell(row, columns.currency) or sign)
        yield BankLine(
            reference=reference[0].upper(),
            amount_minor=catalog.minor_units(amount, currency),
            currency=currency,
            external_id=transfer[0] if transfer else None,
            is_debit=bare != written.strip() or _is_debit(_cell(row, columns.type), written, told),
        )


def _is_debit(kind: str, written: str, line: str) -> bool:
    """Tell whether money left, by the type's column, the sum's mark or the words; in doubt, it left."""
    told, words = _plain(kind), _plain(line)
    if told.startswith("deb") or told in DEBITS or _DEBIT_MARK.search(written) is not None:
        return True
    if _GIVEN_BACK.search(words):
        return True
    return bool(_SENT.search(words)) and not (told in CREDITS or _CAME.search(words))


def _currency(written: str) -> str:
    """Read a currency's code; a sign or a word that is none of Brazil's is some other money."""
    told = written.strip().upper()
    if not told or told in ("R$", "$", "REAL", "REAIS"):
        return DEFAULT_CURRENCY
    code = re.search(r"(?<![A-Z])[A-Z]{3}(?![A-Z])", told)
    return code[0] if code else "XXX"


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""


def _columns(row: Sequence[str]) -> _Columns | None:
    headings = [_plain(cell) for cell in row]
    kind = next((place for place, one in enumerate(headings) if _tells_kind(one)), None)
    amount = next(
        (place for place, one in enumerate(headings) if place != kind and one.startswith(AMOUNT_HEADINGS)),
        None,
    )
    money = next((place for place, one in enumerate(headings) if one.startswith(CURRENCY_HEADINGS)), None)
    return _Columns(amount, kind, money) if amount is not None else None


def _tells_kind(heading: str) -> bool:
    """Tell whether a column says "credit" or "debit"; a column of debits alone holds sums."""
    has_both = "deb" in heading and "cred" in heading
    return has_both or heading.startswith(TYPE_HEADINGS)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(c for c in folded if not unicodedata.combining(c))


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding).replace("\x00", "")
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1").replace("\x00", "")


def _delimiter(text: str) -> str:
    """Take the sign that stands most often in the first lines: banks never say which."""
    head = text[:4000]
    return max(";\t,", key=head.count)
