"""A person's ids as providers write them: prefixes off, each id in its own place.

The readers of both providers' webhooks call it. Pure; it never changes the digits of a number.
"""

from collections.abc import Mapping
from typing import Any

from phone import is_bsuid, is_parent_bsuid
from providers import loose
from providers.base import Person

# Lane and identity columns; the longest real id is a BSUID of 2 + 1 + 4 + 128.
MAX_ID_CHARS = 140
_CHANNEL = "whatsapp:"


def bare(value: Any) -> str | None:
    """Give an id without `whatsapp:` and "+"; None when there is none, or when it is too long to be one."""
    found = loose.identifier(value)
    if found is None:
        return None
    found = found.removeprefix(_CHANNEL).removeprefix("+").strip()
    return found if 0 < len(found) <= MAX_ID_CHARS else None


def person(wa_id: Any, bsuid: Any, parent: Any, contact: Mapping[str, Any]) -> Person:
    """Make a Person of the ids there are, completed from `contact` (Meta's object of `contacts[]`).

    A business-scoped id that stands where the phone should be is put where it belongs.
    """
    phone = bare(wa_id) or bare(contact.get("wa_id"))
    scoped = bare(bsuid) or bare(contact.get("user_id"))
    above = bare(parent) or bare(contact.get("parent_user_id"))
    if phone and is_bsuid(phone):
        phone, scoped = None, scoped or phone
    if scoped and is_parent_bsuid(scoped):
        scoped, above = None, above or scoped
    profile = loose.mapping(contact.get("profile"))
    username = loose.identifier(profile.get("username")) or loose.identifier(contact.get("username")) or ""
    return Person(
        wa_id=phone,
        bsuid=scoped,
        parent_bsuid=above,
        username=username.removeprefix("@") or None,
        name=loose.text(profile.get("name")).strip() or None,
    )


def is_named(who: Person) -> bool:
    """Tell whether a person has an id to be known by; a name or username alone is none."""
    return bool(who.wa_id or who.bsuid or who.parent_bsuid)


def lane_id(who: Person) -> str | None:
    """Give the id of the person's lane: the business-scoped id when there is one, else the wa_id."""
    return who.bsuid or who.wa_id or who.parent_bsuid
