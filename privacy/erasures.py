"""Deletions with a receipt: that somebody was deleted, when, by whom and how much, and nothing of whom.

Every way of deleting a person calls `erase`. The receipt's code is for the person; the keyed hash beside it
finds the receipt again when she asks with her number, and tells nobody else anything. Flushes, never commits.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import select

import phone
import privacy
import vault
from models import Contact, Erasure, db
from privacy import Deleted
from webhooks_out import links

AskedBy = Literal["operator", "program", "command", "retention"]

PURPOSE: Final = "balcao erasures v1"
RECEIPT_PREFIX: Final = "ER-"
RECEIPT_BYTES: Final = 8


def erase(
    people: Sequence[Contact],
    *,
    asked_by: AskedBy,
    secret_key: str,
    now: datetime,
    operator_id: int | None = None,
) -> tuple[Deleted, Erasure]:
    """Delete a person, and keep the receipt of it. Flushes; the caller removes the named files."""
    name = _name_of(people)
    elsewhere = links.forget_people(privacy.with_merged(people), now=now)
    deleted = privacy.delete_person(people)
    counts = {key: count for key, count in asdict(deleted).items() if isinstance(count, int)}
    receipt = Erasure(
        receipt=RECEIPT_PREFIX + secrets.token_hex(RECEIPT_BYTES).upper(),
        subject_hash=_hash(name, secret_key),
        counts=counts | {"files": len(deleted.media_paths)} | elsewhere,
        asked_by=asked_by,
        operator_id=operator_id,
        at=now,
    )
    db.session.add(receipt)
    db.session.flush()
    return deleted, receipt


def left_elsewhere(receipt: Erasure) -> dict[str, int]:
    """Give how much of a person other systems still keep, by their service."""
    ends = {
        key.removesuffix("_left"): count for key, count in receipt.counts.items() if key.endswith("_left")
    }
    return {service: count for service, count in ends.items() if count}


def erasures(limit: int) -> Sequence[Erasure]:
    """List the receipts, the newest first."""
    return db.session.scalars(select(Erasure).order_by(Erasure.id.desc()).limit(limit)).all()


def erasures_of(written: str, secret_key: str) -> Sequence[Erasure]:
    """Find the receipts of whoever had this phone, in any spelling, this business-scoped id, or this e-mail
    address and no other name."""
    previous = secret_key.previous if isinstance(secret_key, vault.Key) else ()
    email = privacy.email_of(written)
    names = {email} if email else {_same(one) for values in privacy.spellings(written) for one in values}
    hashes = {_hash(name, key) for name in names for key in (secret_key, *previous)}
    return db.session.scalars(
        select(Erasure).where(Erasure.subject_hash.in_(sorted(hashes))).order_by(Erasure.id)
    ).all()


def _name_of(people: Sequence[Contact]) -> str:
    """Give the one name that a person will come back with: her phone, else her id, else her e-mail."""
    for kind in ("wa_id", "bsuid"):
        for person in people:
            if (value := person.identity(kind)) is not None:
                return _same(value)
    return next((person.email.lower() for person in people if person.email), "") or secrets.token_hex(8)


def _same(value: str) -> str:
    """Write every spelling of one phone in one way."""
    return min(phone.variants(value)) if value.isdecimal() else value


def _hash(name: str, secret_key: str) -> str:
    key = vault.derive(secret_key, PURPOSE, 32)
    return hmac.new(key, name.encode("utf-8", "replace"), "sha256").hexdigest()
