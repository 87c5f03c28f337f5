"""People of ours and the keys of their programs: making them, knowing them again, ending their sessions.

Called by the doors (`auth`, `dashboard`, `cli`, `main`). Verbs over rows: they flush, never commit, and know
no request. Passwords are kept as Argon2 hashes, keys as SHA-256 (they are long and random); neither can be
read back.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from zxcvbn import zxcvbn

import vault
from config import Config, ConfigError
from models import ApiKey, ApiWrite, Operator, db, reading
from statements import insert_or_ignore
from vocabulary import ROLES

PASSWORD_MIN_CHARS = 10
# Argon2 reads the whole password; a megabyte of it would be a cheap way to keep us busy.
PASSWORD_MAX_CHARS = 200
# What a new password is refused for besides its length (NIST SP 800-63B, 3.1.1.2): that it is among those
# which are tried first. So many guesses are out of reach of whoever has to pass our throttle.
PASSWORD_GUESSES_MIN = 1_000_000
PASSWORD_JUDGED_CHARS = 72  # more takes zxcvbn long, and says nothing new
PASSWORD_OWN_WORD_MIN = 3
PASSWORD_BESIDE_OWN_MIN = 6
SERVICE_WORDS = ("balcao", "balcão", "whatsapp", "senha", "mudar", "trocar", "brasil", "contraseña", "clave")
GENERATED_PASSWORD_BYTES = 12
KEY_START = "balcao_"
KEY_BYTES = 32
KEY_PREFIX_CHARS = 15
# The first two are the whole of reading and the whole of changing; the others open one field each.
SCOPES = (
    "read",
    "write",
    "integrations:read",
    "contacts:read",
    "contacts:write",
    "messages:read",
    "messages:send",
    "outreach:read",
    "outreach:write",
    "records:read",
    "records:write",
    "shop:read",
    "shop:write",
    "knowledge:read",
    "knowledge:write",
    "figures:read",
)
# A phone's clock may be off by one step of thirty seconds (RFC 6238, 5.2).
TOTP_STEP_SECS = 30
TOTP_STEPS_OFF = 1
RECOVERY_CODES = 8
RECOVERY_CODE_BYTES = 5
TOTP_ISSUER = "Balcão"
WRITE_PATH_CHARS = 255
DEFAULT_ADMIN_EMAIL = "admin@balcao.local"

_PASSWORD_WORDS = {
    "length": f"a password has {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters",
    "own": "a password is more than one's name or e-mail address",
    "guessable": "this password is among the first that are tried; take words that do not belong together",
}

_hasher = PasswordHasher()
# Verified when the e-mail is unknown, so that the answer takes as long as for a known one.
_nobodys_hash = _hasher.hash(secrets.token_urlsafe(GENERATED_PASSWORD_BYTES))


class OperatorRefused(ValueError):
    """An operator or a password that cannot be accepted; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only moment at which `key` is known."""

    row: ApiKey
    key: str


def create_operator(email: str, name: str, password: str, role: str = "agent") -> Operator:
    """Add a person who may log in. Raises OperatorRefused; flushes."""
    address = clean_email(email)
    if role not in ROLES:
        raise OperatorRefused(f"the role must be one of {', '.join(ROLES)}")
    if find_operator(address) is not None:
        raise OperatorRefused(f"{address} already has an account")
    operator = Operator(
        email=address,
        name=" ".join(name.split())[:120] or address.partition("@")[0],
        password_hash=_hash_password(password, address, name),
        role=role,
        session_stamp=_new_stamp(),
    )
    db.session.add(operator)
    db.session.flush()
    return operator


def clean_email(email: str) -> str:
    """Give the address as it is kept: lower case. Raises OperatorRefused."""
    try:
        # Desks on a private network use names such as admin@balcao.local.
        checked = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        if not email.strip().lower().endswith(".local"):
            raise OperatorRefused(f"{email.strip()[:80]!r} is not an e-mail address") from error
        return email.strip().lower()[:190]
    return checked.normalized.lower()[:190]


def find_operator(email: str) -> Operator | None:
    return db.session.scalar(select(Operator).where(Operator.email == email.strip().lower()))


def authenticate(email: str, password: str, *, now: datetime) -> Operator | None:
    """Give the active operator whose password this is. Takes the same time for an unknown e-mail.

    Judging a password is slow on purpose, so it happens between transactions: strangers who guess would keep
    all others from writing. Rolls back what was not committed before; flushes.
    """
    if "\0" in email:  # no column holds it
        return None
    with reading():
        known = find_operator(email[:190])
        known_hash = known.password_hash if known else _nobodys_hash
        db.session.rollback()
    if not _is_password(known_hash, password[:PASSWORD_MAX_CHARS]):
        return None
    newer_hash = _hasher.hash(password) if _hasher.check_needs_rehash(known_hash) else known_hash
    operator = find_operator(email[:190])
    if operator is None or operator.password_hash != known_hash or not operator.is_active:
        return None  # gone, or changed meanwhile
    operator.password_hash = newer_hash
    operator.last_login_at = now
    db.session.flush()
    return operator


def change_password(operator: Operator, password: str) -> None:
    """Set a new password and end every session of the operator. Raises OperatorRefused; flushes."""
    operator.password_hash = _hash_password(password, operator.email, operator.name)
    end_sessions(operator)


def is_password_of(operator: Operator, password: str) -> bool:
    return _is_password(operator.password_hash, password[:PASSWORD_MAX_CHARS])


def end_sessions(operator: Operator) -> None:
    """End every session of the operator, on all devices. Flushes."""
    operator.session_stamp = _new_stamp()
    db.session.flush()


def deactivate(operator: Operator) -> None:
    """Lock an operator out at once. Idempotent; flushes."""
    operator.is_active = False
    end_sessions(operator)


# --- the second factor --------------------------------------------------------------------------------------


def new_totp_secret() -> str:
    return str(pyotp.random_base32())


def totp_address(operator: Operator, secret: str) -> str:
    """Give what an authenticator app reads from a QR code."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=operator.email, issuer_name=TOTP_ISSUER))


def turn_on_totp(
    operator: Operator, secret: str, code: str, *, secret_key: str, now: datetime
) -> tuple[str, ...] | None:
    """Ask for a code at every sign-in from now on; gives the recovery codes, shown this once.

    None when `code` is not of this secret: then nothing changes. Flushes.
    """
    step = _step_of(secret, code, now)
    if step is None:
        return None
    codes = tuple(secrets.token_hex(RECOVERY_CODE_BYTES) for _ in range(RECOVERY_CODES))
    operator.totp_secret, operator.totp_step = vault.seal(secret, secret_key), step
    operator.recovery_hashes = [_hash_key(one) for one in codes]
    db.session.flush()
    return codes


def turn_off_totp(operator: Operator) -> None:
    """Ask for a password alone again. Idempotent; flushes."""
    operator.totp_secret, operator.totp_step, operator.recovery_hashes = "", None, None
    db.session.flush()


def takes_second_factor(operator: Operator, code: str, *, secret_key: str, now: datetime) -> bool:
    """Whether `code` is the app's of this moment, or a recovery code; either counts once. Flushes."""
    db.session.refresh(operator, with_for_update=True)  # of two who show it at once, one is late
    written = "".join(code.split()).lower()
    step = _step_of(vault.unseal(operator.totp_secret, secret_key), written, now)
    if step is not None:
        if operator.totp_step is not None and step <= operator.totp_step:
            return False
        operator.totp_step = step
        db.session.flush()
        return True
    left = [one for one in operator.recovery_hashes or () if one != _hash_key(written)]
    is_known = len(left) < len(operator.recovery_hashes or ())
    operator.recovery_hashes = left
    db.session.flush()
    return is_known


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """Give the time step of which this is the code, None when it is of none near `now`."""
    this = int(now.timestamp()) // TOTP_STEP_SECS
    totp = pyotp.TOTP(secret)
    for step in range(this - TOTP_STEPS_OFF, this + TOTP_STEPS_OFF + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode("utf-8", "replace")):
            return step
    return None


# --- the first one, and keys of programs --------------------------------------------------------------------


def ensure_first_admin(config: Config) -> str | None:
    """Make the first admin when nobody can log in yet; give its password if we invented it, else None.

    Of several processes that start at once one makes the admin; the others give None. Raises ConfigError for
    what nobody may have as address or password; who can log in already is not judged. Flushes.
    """
    if db.session.scalar(select(func.count()).select_from(Operator)):
        return None
    password = config.admin_password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    try:
        with db.session.begin_nested():
            create_operator(first_admin_email(config), "Admin", password, role="admin")
    except IntegrityError:
        return None
    except OperatorRefused as refusal:
        raise ConfigError(f"ADMIN_EMAIL, ADMIN_PASSWORD: {refusal}") from refusal
    return None if config.admin_password else password


def first_admin_email(config: Config) -> str:
    return (config.admin_email or DEFAULT_ADMIN_EMAIL).lower()


def create_api_key(
    name: str, scopes: tuple[str, ...] = ("read",), *, operator_id: int | None = None
) -> NewKey:
    """Make a key for a program. Raises OperatorRefused for an unknown scope; flushes."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise OperatorRefused(f"a key's scopes are some of {', '.join(SCOPES)}")
    key = KEY_START + secrets.token_urlsafe(KEY_BYTES)
    row = ApiKey(
        name=" ".join(name.split())[:120] or "key",
        prefix=key[:KEY_PREFIX_CHARS],
        key_hash=_hash_key(key),
        scopes=" ".join(scopes),
        operator_id=operator_id,
    )
    db.session.add(row)
    db.session.flush()
    return NewKey(row, key)


def find_api_key(bearer: str) -> ApiKey | None:
    """Give the live key that a program showed, or None."""
    if not bearer.startswith(KEY_START):
        return None
    return db.session.scalar(
        select(ApiKey).where(ApiKey.key_hash == _hash_key(bearer), ApiKey.revoked_at.is_(None))
    )


def scopes_allow(scopes: str, scope: str) -> bool:
    """Whether a key of these scopes may do what asks for `scope`."""
    whole = "read" if scope.endswith(":read") else "write"
    return not {scope, whole}.isdisjoint(scopes.split()) if ":" in scope else scope in scopes.split()


def list_api_keys() -> list[ApiKey]:
    """List every key, the newest first; revoked ones stay, for what they did."""
    return list(db.session.scalars(select(ApiKey).order_by(ApiKey.id.desc())))


def revoke_api_key(key: ApiKey, *, now: datetime) -> None:
    """End a key. Idempotent; flushes."""
    key.revoked_at = key.revoked_at or now
    db.session.flush()


# --- what programs change -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedChange:
    """A program's request to change something; `fingerprint` is the SHA-256 of all of it."""

    key_id: int
    fingerprint: str
    method: str
    path: str
    at: datetime


def begin_write(asked: AskedChange, idempotency_key: str) -> ApiWrite:
    """Give the row of this request: a new one, whose status is 0, or the finished one of the same key.

    A second request with the key waits at the database until the first has committed or given up. Flushes.
    """
    row = {**_written_down(asked), "idempotency_key": idempotency_key, "status": 0}
    db.session.execute(insert_or_ignore(ApiWrite).values(row))
    same = (ApiWrite.api_key_id == asked.key_id, ApiWrite.idempotency_key == idempotency_key)
    return db.session.scalars(select(ApiWrite).where(*same)).one()


def note_write(asked: AskedChange) -> ApiWrite:
    """Add the row of a request that has no Idempotency-Key. The caller flushes."""
    row = ApiWrite(**_written_down(asked))
    db.session.add(row)
    return row


def _written_down(asked: AskedChange) -> dict[str, Any]:
    return {
        "api_key_id": asked.key_id,
        "fingerprint": asked.fingerprint,
        "method": asked.method,
        "path": asked.path[:WRITE_PATH_CHARS],
        "created_at": asked.at,
    }


def writes_of(key_id: int, limit: int) -> list[ApiWrite]:
    """List what was changed with a key, the newest first."""
    mine = select(ApiWrite).where(ApiWrite.api_key_id == key_id)
    return list(db.session.scalars(mine.order_by(ApiWrite.id.desc()).limit(limit)))


def password_problem(password: str, email: str, name: str) -> str:
    """Say why a person may not have this password: length, own, guessable; empty when she may.

    Length and what is tried first count; kinds of characters do not (NIST SP 800-63B, 3.1.1.2).
    """
    if not PASSWORD_MIN_CHARS <= len(password) <= PASSWORD_MAX_CHARS:
        return "length"
    own = _own_words(email, name)
    beside = password.casefold()
    for word in own:
        beside = beside.replace(word, "")
    if len(beside) < min(len(password), PASSWORD_BESIDE_OWN_MIN):
        return "own"
    judged = zxcvbn(password[:PASSWORD_JUDGED_CHARS], user_inputs=[*own, *SERVICE_WORDS])
    return "" if judged["guesses"] >= PASSWORD_GUESSES_MIN else "guessable"


def _own_words(email: str, name: str) -> list[str]:
    """Give what everybody knows of a person, the longest first: a word may be part of another."""
    words = {email, *re.split(r"[^\w]+", f"{email} {name}")}
    known = {word.casefold() for word in words if len(word) >= PASSWORD_OWN_WORD_MIN}
    return sorted(known, key=lambda word: (-len(word), word))


def _hash_password(password: str, email: str, name: str) -> str:
    problem = password_problem(password, email, name)
    if problem:
        raise OperatorRefused(_PASSWORD_WORDS[problem])
    return _hasher.hash(password)


def _is_password(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _new_stamp() -> str:
    return secrets.token_hex(16)
