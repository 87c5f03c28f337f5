"""Forms of other people's websites that open leads: private addresses, and what comes through them.

An entry names a person who has not written to us: her phone is checked for its shape only, so it teaches a
known contact nothing. Whatever looks like a machine's is counted and opens nothing. Verbs flush and never
commit.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, select

import integrations
import phone
from crm import leads, new_leads
from crm.leads import LeadWish
from integrations import Number
from models import Contact, FormEntry, LeadForm, db
from outreach import threads
from statements import changed_rows, insert_or_ignore

TOKEN_BYTES: Final = 24
VALUE_MAX_CHARS: Final = 2000
FIELDS_MAX: Final = 60
HOME_REGION: Final = "BR"
DOLLARS_MAX: Final = 10**12
# One entry is one lead for so long, also when a browser or a form service sends it again.
KEPT_FOR: Final = timedelta(days=90)
# What forms call their fields, in the languages of the desk; the first that holds something counts.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "nome", "nombre", "full_name", "fullname", "your-name"),
    "first_name": ("first_name", "firstname", "primeiro_nome"),
    "last_name": ("last_name", "lastname", "sobrenome", "apellido"),
    "phone": ("phone", "telefone", "telefono", "whatsapp", "celular", "mobile", "phone_number", "tel"),
    "email": ("email", "e-mail", "your-email", "correo"),
    "interest": ("interest", "interesse", "interes", "product", "produto", "producto", "subject", "assunto"),
    "notes": ("message", "mensagem", "mensaje", "notes", "comments", "your-message"),
    "country": ("country", "pais", "país"),
    "budget": ("budget", "orcamento", "orçamento", "presupuesto", "budget_usd"),
    "entry_id": ("entry_id", "submission_id", "response_id", "event_id"),
}
# A field that people do not see and machines fill.
TRAPS: Final = ("_gotcha", "website_url", "confirm_email")
LINK: Final = re.compile(r"https?://|www\.|\[url", re.IGNORECASE)
LINKS_MAX: Final = 2


class NotALead(ValueError):
    """An entry that opens nothing; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an entry; no lead for spam."""

    lead_id: int | None
    is_new: bool


# --- the forms ----------------------------------------------------------------------------------------------


def add_form(name: str, *, source: str, integration_id: int | None, now: datetime) -> tuple[LeadForm, str]:
    """Make a form's private address; gives its token, which is shown once. Flushes."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    form = LeadForm(
        name=" ".join(name.split())[:120] or "form",
        source=" ".join(source.split())[: leads.SOURCE_MAX_CHARS] or "web form",
        integration_id=integration_id,
        token_hash=_hash(token),
        created_at=now,
    )
    db.session.add(form)
    db.session.flush()
    return form, token


def forms() -> Sequence[LeadForm]:
    """List the forms in use."""
    return db.session.scalars(
        select(LeadForm).where(LeadForm.revoked_at.is_(None)).order_by(LeadForm.id)
    ).all()


def form_of(token: str) -> LeadForm | None:
    return db.session.scalar(
        select(LeadForm).where(LeadForm.token_hash == _hash(token), LeadForm.revoked_at.is_(None))
    )


def revoke(form: LeadForm, *, now: datetime) -> None:
    """End a form's address. Idempotent. Flushes."""
    form.revoked_at = form.revoked_at or now
    db.session.flush()


# --- an entry -----------------------------------------------------------------------------------------------


def take(form: LeadForm, fields: Mapping[str, str], *, now: datetime, key: str = "") -> Taken:
    """Open a lead for an entry, or find the one that the same entry opened before. Flushes.

    `key` is the sender's own id of the entry; without one the same words on the same day are the same entry.
    Raises NotALead.
    """
    said = _said(fields)
    wish = _wish(said)
    entry_key = _hash(key or said["entry_id"] or _canonical(fields, now))
    if not _is_first(form, entry_key, now):
        return Taken(_entry(form, entry_key).lead_id, is_new=False)
    form.last_used_at = now
    if _is_spam(fields, said):
        db.session.flush()
        return Taken(None, is_new=True)
    lead_id = _open(form, wish, now)
    _entry(form, entry_key).lead_id = lead_id
    db.session.flush()
    return Taken(lead_id, is_new=True)


def forget_entries(before: datetime) -> int:
    """Forget which entries came; the leads stay. Flushes."""
    return changed_rows(delete(FormEntry).where(FormEntry.created_at < before))


def _said(fields: Mapping[str, str]) -> dict[str, str]:
    """Give what an entry says under our own names."""
    given = {name.strip().lower(): value.replace("\0", "").strip() for name, value in fields.items()}
    return {
        name: next((given[one] for one in names if given.get(one)), "")[:VALUE_MAX_CHARS]
        for name, names in NAMES.items()
    }


def _wish(said: Mapping[str, str]) -> LeadWish:
    written = said["phone"]
    number = phone.normalise(written, None if written.startswith("+") else HOME_REGION) if written else None
    if written and (number is None or not phone.is_plausible(number)):
        raise NotALead("the phone is no phone number; write it with country code: +55 11 98765-4321")
    email = _email(said["email"])
    if said["email"] and not email:
        raise NotALead("the e-mail is no e-mail address")
    if number is None and not email:
        raise NotALead("a phone or an e-mail is needed")
    return LeadWish(
        name=said["name"] or f"{said['first_name']} {said['last_name']}".strip(),
        phone=number or "",
        email=email,
        interest=said["interest"],
        budget_usd=_dollars(said["budget"]),
        country=said["country"],
        notes=said["notes"],
    )


def _open(form: LeadForm, wish: LeadWish, now: datetime) -> int:
    contact, conversation_id, is_known = _contact(form, wish, now)
    lead = new_leads.take(
        contact,
        wish,
        now=now,
        conversation_id=conversation_id,
        source=form.source,
        teaches=not is_known,
    )
    return lead.id


def _contact(form: LeadForm, wish: LeadWish, now: datetime) -> tuple[Contact, int | None, bool]:
    """Give whose phone it is, with her thread, or a contact with an e-mail address alone; and whether we knew
    her."""
    number = _number(form)
    if wish.phone and number is not None:
        wa_id = wish.phone.removeprefix("+")
        known = threads.known_contact(number, wa_id)
        thread = threads.open_with(number, wa_id, wish.name, now=now)
        return db.session.get_one(Contact, thread.contact_id), thread.id, known is not None
    contact = Contact(created_at=now)
    db.session.add(contact)
    db.session.flush()
    return contact, None, False


def _number(form: LeadForm) -> Number | None:
    active = integrations.numbers()
    if form.integration_id is not None:
        return next((one for one in active if one.id == form.integration_id), None)
    return next((one for one in active if one.is_default), active[0] if active else None)


def _is_spam(fields: Mapping[str, str], said: Mapping[str, str]) -> bool:
    is_trapped = any(value.strip() for name, value in fields.items() if name.strip().lower() in TRAPS)
    is_linked = bool(LINK.search(said["name"])) or len(LINK.findall(said["notes"])) > LINKS_MAX
    return is_trapped or is_linked


def _email(written: str) -> str:
    if not written:
        return ""
    try:
        return validate_email(written, check_deliverability=False, allow_smtputf8=False).normalized.lower()
    except EmailNotValidError:
        return ""


def _dollars(written: str) -> int | None:
    digits = re.sub(r"[^0-9]", "", written.partition(".")[0])
    return int(digits) if digits and len(digits) <= len(str(DOLLARS_MAX)) else None


def _canonical(fields: Mapping[str, str], now: datetime) -> str:
    return json.dumps([now.date().isoformat(), sorted(fields.items())], ensure_ascii=False)


def _is_first(form: LeadForm, entry_key: str, now: datetime) -> bool:
    """Write the entry down; the row's own time tells whether it was us."""
    known = db.session.scalar(
        select(FormEntry.id).where(FormEntry.form_id == form.id, FormEntry.entry_key == entry_key)
    )
    if known is not None:
        return False
    db.session.execute(
        insert_or_ignore(FormEntry).values(form_id=form.id, entry_key=entry_key, lead_id=None, created_at=now)
    )
    return _entry(form, entry_key).created_at == now


def _entry(form: LeadForm, entry_key: str) -> FormEntry:
    return db.session.scalars(
        select(FormEntry).where(FormEntry.form_id == form.id, FormEntry.entry_key == entry_key)
    ).one()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
