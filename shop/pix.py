"""The static Pix BR Code: what a bank's app reads from a picture or from the clipboard, made without any
account.

`payments` makes one per order; pages and tests read one back. Pure. The format is EMV's merchant-presented
QR code (EMVCo "QR Code Specification for Payment Systems, Merchant-Presented Mode" 1.1) as the Banco
Central fills it in ("Manual de Padrões para Iniciação do Pix"): fields of two digits id, two digits length
and the value, and at the end a CRC-16 over all of it.
"""

import io
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import segno
from babel.numbers import get_currency_precision

GUI: Final = "br.gov.bcb.pix"
CURRENCY: Final = "BRL"
CURRENCY_NUMBER: Final = "986"  # ISO 4217
NAME_MAX_CHARS: Final = 25
CITY_MAX_CHARS: Final = 15
TXID_MAX_CHARS: Final = 25
AMOUNT_MAX_CHARS: Final = 13
KEY_MAX_CHARS: Final = 77
CRC_START: Final = 0xFFFF
CRC_POLYNOMIAL: Final = 0x1021
PICTURE_SCALE: Final = 8
PICTURE_BORDER: Final = 4  # modules; what ISO/IEC 18004 wants around it

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9]\d{9,14}")
_COMPANY_CHARS: Final = 14
_PERSON_CHARS: Final = 11


class BadCode(ValueError):
    """A text is no BR Code, or was changed on its way."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a BR Code says: whom to pay, how much (None: the payer decides), and for which order."""

    key: str
    name: str
    city: str
    amount_minor: int | None
    txid: str


def normal_key(written: str) -> str | None:
    """Give a Pix key as the directory keeps it, None when it is none.

    A key is an e-mail address, a phone number with + and country code, a CPF, a CNPJ or a random key. Eleven
    digits without + are a CPF: so their check digits must fit.
    """
    text = written.strip()
    lowered = text.lower()
    if _UUID.fullmatch(lowered):
        return lowered
    if "@" in text:
        return lowered if _EMAIL.fullmatch(lowered) and len(lowered) <= KEY_MAX_CHARS else None
    bare = re.sub(r"[\s().\-/]", "", text).upper()
    if _PHONE.fullmatch(bare):
        return bare
    return bare if _is_person(bare) or _is_company(bare) else None


def make_code(charge: Charge) -> str:
    """Give the BR Code of a charge. Raises ValueError for what no code can say."""
    account = _field("00", GUI) + _field("01", _given(charge.key, KEY_MAX_CHARS, "key"))
    fields = [
        _field("00", "01"),
        _field("26", account),
        _field("52", "0000"),
        _field("53", CURRENCY_NUMBER),
        _field("54", _amount(charge.amount_minor)) if charge.amount_minor is not None else "",
        _field("58", "BR"),
        _field("59", _given(folded(charge.name, NAME_MAX_CHARS), NAME_MAX_CHARS, "name")),
        _field("60", _given(folded(charge.city, CITY_MAX_CHARS), CITY_MAX_CHARS, "city")),
        _field("62", _field("05", _txid(charge.txid))),
    ]
    told = "".join(fields) + "6304"
    return told + f"{crc16(told.encode()):04X}"


def read_code(code: str) -> Charge:
    """Read a static BR Code back. Raises BadCode."""
    body, crc = code[:-4], code[-4:]
    if not body.endswith("6304") or f"{crc16(body.encode()):04X}" != crc.upper():
        raise BadCode("the check sum does not fit")
    fields = _fields(body.removesuffix("6304"))
    account = _fields(fields.get("26", ""))
    if account.get("00") != GUI or fields.get("53") != CURRENCY_NUMBER:
        raise BadCode("this is no Pix code")
    amount = fields.get("54")
    return Charge(
        key=account.get("01", ""),
        name=fields.get("59", ""),
        city=fields.get("60", ""),
        amount_minor=None if amount is None else int(Decimal(amount).scaleb(2)),
        txid=_fields(fields.get("62", "")).get("05", ""),
    )


def picture(code: str) -> bytes:
    """Give the QR code as a PNG that a phone's camera reads from another screen."""
    target = io.BytesIO()
    segno.make_qr(code, error="m").save(target, kind="png", scale=PICTURE_SCALE, border=PICTURE_BORDER)
    return target.getvalue()


def folded(text: str, limit: int) -> str:
    """Give a text in the letters that every bank's app reads: ASCII, without accents, one space between
    words.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9 .,&'()/+-]", " ", plain)
    return " ".join(kept.split())[:limit].strip()


def crc16(data: bytes) -> int:
    """CRC-16 with polynomial 0x1021 and start 0xFFFF (EMV calls it CRC-16/CCITT-FALSE)."""
    crc = CRC_START
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ CRC_POLYNOMIAL if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _field(number: str, value: str) -> str:
    return f"{number}{len(value):02d}{value}"


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while text:
        number, length = text[:2], text[2:4]
        if not (number.isdecimal() and length.isdecimal()) or len(text) < 4 + int(length):
            raise BadCode("a field ends too early")
        found[number] = text[4 : 4 + int(length)]
        text = text[4 + int(length) :]
    return found


def _given(value: str, limit: int, what: str) -> str:
    if not value or len(value) > limit or not value.isascii():
        raise ValueError(f"a Pix code needs a {what} of 1 to {limit} ASCII characters")
    return value


def _amount(minor: int) -> str:
    places = get_currency_precision(CURRENCY)
    written = f"{minor // 10**places}.{minor % 10**places:0{places}d}"
    if minor <= 0 or len(written) > AMOUNT_MAX_CHARS:
        raise ValueError(f"{minor} is no amount for a Pix code")
    return written


def _txid(txid: str) -> str:
    if not re.fullmatch(rf"[A-Za-z0-9]{{1,{TXID_MAX_CHARS}}}", txid):
        raise ValueError(f"{txid!r} is no transaction id for a Pix code")
    return txid


def _is_person(bare: str) -> bool:
    """Tell whether this is a CPF: nine digits and two check digits, modulo 11."""
    if not re.fullmatch(rf"\d{{{_PERSON_CHARS}}}", bare) or len(set(bare)) == 1:
        return False
    digits = [int(digit) for digit in bare]
    return all(
        sum(digit * (count + 1 - place) for place, digit in enumerate(digits[:count])) * 10 % 11 % 10
        == digits[count]
        for count in (9, 10)
    )


def _is_company(bare: str) -> bool:
    """Tell whether this is a CNPJ: twelve digits or, since 2026, letters and two check digits, modulo 11."""
    if not re.fullmatch(r"[0-9A-Z]{12}\d{2}", bare) or len(bare) != _COMPANY_CHARS or len(set(bare)) == 1:
        return False
    values = [ord(character) - ord("0") for character in bare]
    for count in (12, 13):
        weights = [(count - 1 - place) % 8 + 2 for place in range(count)]
        rest = sum(value * weight for value, weight in zip(values[:count], weights, strict=True)) % 11
        if values[count] != (0 if rest < 2 else 11 - rest):
            return False
    return True
