"""Phone numbers and business-scoped user ids: reading, showing and comparing them.

Any room may call it. It is pure; it never rewrites the id under which a provider knows a person: `variants`
only helps to find one person under several spellings of her number.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

# Meta, "Business-scoped user IDs": CC.id, and CC.ENT.id for the parent of a linked portfolio.
_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)
_PARENT_BSUID = re.compile(r"[A-Z]{2}\.ENT\.[0-9A-Za-z]{1,128}", re.ASCII)
# E.164 allows 15 digits; with spaces and brackets nobody writes more than this.
_MAX_WRITTEN_CHARS = 40
_BRAZIL, _MEXICO, _ARGENTINA = 55, 52, 54
# WhatsApp still writes the 1 of Mexican mobiles, which the numbering plan gave up in 2019.
_OLD_MEXICAN = re.compile(r"(\+|00)\s*52[\s-]*1[\s-]*(?=(\d[\s-]*){10}$)", re.ASCII)
_MOBILE_TYPES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def is_bsuid(value: str) -> bool:
    """Tell whether `value` is a business-scoped user id (a parent's too), never a phone number."""
    return _BSUID.fullmatch(value) is not None


def is_parent_bsuid(value: str) -> bool:
    """Tell whether `value` is a parent business-scoped user id."""
    return _PARENT_BSUID.fullmatch(value) is not None


def normalise(written: str, region: str | None = None) -> str | None:
    """Give a number as a person typed it in E.164 with "+", None when it cannot be a number.

    `region` (ISO country, "BR") is assumed when no country code was written. A provider's wa_id (digits with
    country code, no "+") is understood without region.
    """
    number = _parse(written, region)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else None


def country(written: str) -> str | None:
    """Give the ISO country of a number with country code ("+55...", or a wa_id), None when unknown."""
    number = _parse(written, None)
    return _region(number) if number else None


def is_plausible(written: str) -> bool:
    """Tell whether a number with country code can be somebody's, in one of its spellings: its digits belong
    to a range that is in use."""
    digits = (normalise(written) or "").removeprefix("+")
    numbers = [number for spelling in variants(digits) if (number := _parse(spelling, None))]
    return any(phonenumbers.is_valid_number(number) for number in numbers)


def display(written: str) -> str:
    """Give a number as people read it ("+55 11 98765-4321"); what is no number is given back as it is."""
    number = _parse(written, None)
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL) if number else written


@lru_cache(maxsize=4096)
def variants(wa_id: str) -> tuple[str, ...]:
    """Give every wa_id (digits without "+") under which the same line may be known, `wa_id` itself first.

    Brazilian mobiles with and without the ninth digit, Mexican with and without 1, Argentinian with and
    without 9. A landline or toll-free number has only itself, and so has what is no number.
    """
    digits = wa_id.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return (wa_id,)
    for code, make in ((_BRAZIL, _brazil), (_MEXICO, _mexico), (_ARGENTINA, _argentina)):
        if digits.startswith(str(code)):
            other = make(digits[2:])
            return (digits, f"{code}{other}") if other else (digits,)
    return (digits,)


def _brazil(national: str) -> str | None:
    """Two digits of area, then nine starting with 9 (mobile), or eight of a mobile that lost its 9."""
    area, line = national[:2], national[2:]
    if len(line) == 9 and line[0] == "9" and line[1] in "6789":
        return area + line[1:]
    # Mobiles had 6 to 9 as first of eight digits; 2 to 5 are landlines.
    if len(line) == 8 and line[0] in "6789" and area[:1] != "0":
        return f"{area}9{line}"
    return None


def _mexico(national: str) -> str | None:
    """Ten digits; WhatsApp puts a 1 before. Mexican numbers do not tell mobiles from landlines, toll-free 800
    do."""
    line = national[1:] if len(national) == 11 and national[0] == "1" else national
    if len(line) != 10 or line[0] in "01" or line[:2] in ("80", "90"):
        return None
    return line if line != national else f"1{line}"


def _argentina(national: str) -> str | None:
    """Ten digits; mobiles carry a 9 before when called from abroad. 0800 and 0600 lines never do."""
    line = national[1:] if len(national) == 11 and national[0] == "9" else national
    if len(line) != 10 or line[0] not in "123" or line[:2] == "10":
        return None
    if line != national:
        return line
    return f"9{line}"


def _parse(written: str, region: str | None) -> PhoneNumber | None:
    written = written.strip()
    if not written or len(written) > _MAX_WRITTEN_CHARS or is_bsuid(written):
        return None
    if region is None and not written.startswith(("+", "00", "＋")):
        written = f"+{written}"
    elif region is None and written.startswith("00"):
        written = f"+{written[2:]}"
    written = _OLD_MEXICAN.sub("+52", written)
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _region(number: PhoneNumber) -> str | None:
    exact = phonenumbers.region_code_for_number(number)
    return exact or phonenumbers.region_code_for_country_code(number.country_code or 0) or None
