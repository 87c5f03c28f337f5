"""Who may pass which door: signed-in operators by role, programs by key, and how often one may try.

Used by every door; `app.py` names the guard of each blueprint. Never decides what a page shows.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Response, abort, current_app, g, make_response, redirect, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response as BaseResponse

import operators
import vault
from config import Config
from models import ApiKey, Operator, begin_writing, db, utc_now
from vocabulary import ROLES

# Only failed attempts count. One address may house an office; one e-mail is one person. Whoever fails on
# purpose with her e-mail uses its limit up, so her own devices do not share it: a device on which she once
# signed in has a limit of its own, and no stranger can get to it. Only on a new device she may have to wait.
LOGIN_LIMIT_PER_ADDRESS = "20 per 15 minutes"
LOGIN_LIMIT_PER_EMAIL = "6 per 15 minutes"
LOGIN_FAILED_STATUS = 401
DEVICE_COOKIE = "balcao_device"
DEVICE_KNOWN_FOR = timedelta(days=180)
SIGNED_IN_AT = "signed_in_at"
AWAITED_CODE = "awaited_code"
CODE_WITHIN = timedelta(minutes=10)
# Right signatures are never counted: all of a provider's customers share its addresses, and one of them could
# make it post forged webhooks to us.
FORGERIES_PER_ADDRESS = "120 per minute"
# A key's last use is for people to look at; writing it at every call would cost more than the call.
KEY_USE_NOTED_EVERY = timedelta(hours=1)

Guard = Callable[[], BaseResponse | None]

log = structlog.get_logger()
login_manager = LoginManager()
# Without Redis each process counts for itself, and a Redis that is away must not lock people out.
limiter = Limiter(key_func=get_remote_address, in_memory_fallback_enabled=True)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The operator behind this session, as Flask-Login wants it; no row, so no transaction is held."""

    id: int
    name: str
    email: str
    role: str
    stamp: str
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        return f"{self.id}.{self.stamp}"

    def may(self, role: str) -> bool:
        """Whether this person's role reaches `role`."""
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Program:
    """The program behind this request's key."""

    key_id: int
    name: str
    scopes: str

    def may(self, scope: str) -> bool:
        return operators.scopes_allow(self.scopes, scope)


@login_manager.user_loader
def load_signed_in(session_id: str) -> SignedIn | None:
    """Know the person of a session again; None when the person is gone, locked out or has a new password."""
    operator_id, _, stamp = session_id.partition(".")
    operator = db.session.get(Operator, int(operator_id)) if operator_id.isdecimal() else None
    if operator is None or not operator.is_active or operator.session_stamp != stamp or _is_over():
        return None
    return _signed_in(operator)


def sign_in(operator: Operator) -> None:
    session[SIGNED_IN_AT] = int(utc_now().timestamp())
    login_user(_signed_in(operator))


def _is_over() -> bool:
    """Whether this session has lasted long enough: its cookie is made anew with each change to it, so its own
    end would move on for as long as somebody uses it."""
    ends = session.get(SIGNED_IN_AT, 0) + current_app.permanent_session_lifetime.total_seconds()
    return bool(utc_now().timestamp() > ends)


def sign_out() -> None:
    """End the session, and with it every other of this person.

    A session is a signed cookie: one that was copied would open every page for as long as it lives. What
    ends it is the operator's stamp, which all her devices share. Flushes; the view commits.
    """
    operators.end_sessions(db.session.get_one(Operator, current_user.id))
    logout_user()


def _signed_in(operator: Operator) -> SignedIn:
    return SignedIn(operator.id, operator.name, operator.email, operator.role, operator.session_stamp)


# --- guards of blueprints -----------------------------------------------------------------------------------


def anyone() -> None:
    """Let everybody in: public pages, and webhooks, whose signature is their guard."""
    return


def at_least(role: str) -> Guard:
    """Make the guard that lets signed-in operators of `role` or more in."""

    def guard() -> BaseResponse | None:
        if not current_user.is_authenticated:
            return _ask_to_sign_in()
        if not current_user.may(role):
            abort(403)
        return None

    return guard


def login_required_role(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Ask more of one view than its blueprint does."""
    guard = at_least(role)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return guard() or view(*args, **kwargs)

        return guarded

    return decorate


def _ask_to_sign_in() -> BaseResponse:
    if not is_browser():
        abort(401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("sign_in.login", next=wanted if wanted != "/" else None))


def is_browser() -> bool:
    """Whether the client asks for pages: browsers name text/html, programs do not."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def safe_next(target: str | None) -> str | None:
    """Give `target` when it is a path of ours; never another site's address."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    if "\\" in target or any(not character.isprintable() for character in target):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else target


# --- programs -----------------------------------------------------------------------------------------------


def api_key_required(scope: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let only programs in that show a live key with `scope` as `Authorization: Bearer <key>`."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            program()
            if not current_program().may(scope):
                abort(403)
            return view(*args, **kwargs)

        return guarded

    return decorate


def program() -> None:
    """Let programs in that show a live key (RFC 6750); what each may do is its views' question."""
    scheme, bearer = _shown()
    key = operators.find_api_key(bearer) if scheme == "bearer" else None
    if key is None:
        raise _stranger("invalid_token" if bearer else "")
    g.program = Program(key.id, key.name, key.scopes)
    _note_use(key)


def program_rate() -> str:
    """Say how often one program, or one address without a key, may ask."""
    return f"{current_config().api_requests_per_minute} per minute"


limited_by_address = limiter.shared_limit(program_rate, scope="no key", key_func=get_remote_address)


@limited_by_address
def _stranger(why: str) -> Unauthorized:
    """Make the refusal of who shows no live key; an address that keeps trying gets 429 instead."""
    told: dict[str, str | None] = {"realm": "balcao", **({"error": why} if why else {})}
    return Unauthorized(www_authenticate=WWWAuthenticate("bearer", told))


def current_program() -> Program:
    return g.program  # type: ignore[no-any-return]


def veiled(sent: bytes) -> str:
    """Make a mark of what a program sent that only who has its key can make again: we do not keep the key."""
    return hmac.new(_shown()[1].encode("utf-8", "replace"), sent, "sha256").hexdigest()


def _shown() -> tuple[str, str]:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower(), bearer.strip()


def _note_use(key: ApiKey) -> None:
    now = utc_now()
    if key.last_used_at is not None and now - key.last_used_at < KEY_USE_NOTED_EVERY:
        return
    key_id = key.id
    db.session.rollback()  # ends the read, which on SQLite could not become a write
    begin_writing()
    used = db.session.get(ApiKey, key_id)
    if used is not None:
        used.last_used_at = now
    db.session.commit()


# --- how often one may try ----------------------------------------------------------------------------------


def throttle_login(view: Callable[..., Any]) -> Callable[..., Any]:
    """Slow down guessing: by address and by e-mail, counting failed attempts only."""
    by_email = limiter.limit(LOGIN_LIMIT_PER_EMAIL, key_func=_tried_email, methods=["POST"])
    by_address = limiter.limit(LOGIN_LIMIT_PER_ADDRESS, key_func=_trying_address, methods=["POST"])
    # The innermost is asked first: an address that is used up must not use up one e-mail after the other.
    return by_email(by_address(_only_failures(view)))


@limiter.shared_limit(FORGERIES_PER_ADDRESS, scope="forgeries", key_func=get_remote_address)
def refuse_forged(event: str, **about: Any) -> Response:
    """Refuse a webhook whose signature is wrong. Who goes on sending them gets 429, and fills no log."""
    log.warning(event, **about)
    return Response("Signature missing or wrong.\n", 403, mimetype="text/plain")


def throttle_code(view: Callable[..., Any]) -> Callable[..., Any]:
    """Slow down guessing of the second factor: by the person whose password was right."""
    by_person = limiter.limit(LOGIN_LIMIT_PER_EMAIL, key_func=_awaited_operator, methods=["POST"])
    return by_person(_only_failures(view))


def _only_failures(view: Callable[..., Any]) -> Callable[..., Any]:
    """Give a try back that did not fail.

    The throttle counts each try before the password is judged, which takes long: counted afterwards, as many
    guesses would pass at once as there are threads.
    """

    @wraps(view)
    def judged(*args: Any, **kwargs: Any) -> Response:
        try:
            answer = make_response(view(*args, **kwargs))
        except SQLAlchemyError:
            _give_back()  # nothing was judged
            raise
        if answer.status_code != LOGIN_FAILED_STATUS:
            _give_back()
        return answer

    return judged


def _give_back() -> None:
    for counted in limiter.current_limits:
        try:
            limiter.limiter.hit(counted.limit, *counted.request_args, cost=-1)
        except Exception as error:  # whichever the store raises: at worst a right password counted
            log.warning("throttle_away", error=type(error).__name__)


def await_code(operator: Operator, now: datetime) -> None:
    """Remember that this session's password was right; it opens nothing until a code is."""
    session[AWAITED_CODE] = [operator.id, operator.session_stamp, int(now.timestamp())]


def awaits_code_of(now: datetime) -> Operator | None:
    """Give the operator whose code this session is asked for, as long as she may still give it."""
    match session.get(AWAITED_CODE):
        case [int(operator_id), str(stamp), int(at)] if now.timestamp() - at <= CODE_WITHIN.total_seconds():
            operator = db.session.get(Operator, operator_id)
            is_same = operator is not None and operator.is_active and operator.session_stamp == stamp
            return operator if is_same else None
    return None


def _awaited_operator() -> str:
    awaited = session.get(AWAITED_CODE)
    return f"code:{awaited[0]}" if awaited else get_remote_address()


def remember_device(answer: BaseResponse, operator: Operator) -> None:
    """Let this browser be known again as one on which `operator` has signed in; it opens no door."""
    device = vault.seal(f"device {operator.email} {secrets.token_hex(8)}", current_config().secret_key)
    answer.set_cookie(
        DEVICE_COOKIE,
        device,
        max_age=DEVICE_KNOWN_FOR,
        path=url_for("sign_in.login"),
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _tried_email() -> str:
    return _own_device() or f"email:{_written_email()}"


def _trying_address() -> str:
    return _own_device() or get_remote_address()


def _own_device() -> str | None:
    """Name the session or the device of the very person whose password is tried; None for a stranger's."""
    if current_user.is_authenticated:
        return f"operator:{current_user.id}"
    try:
        device = vault.unseal(request.cookies.get(DEVICE_COOKIE, ""), current_config().secret_key)
    except (vault.SealBroken, UnicodeEncodeError):
        return None
    return device if device.startswith(f"device {_written_email()} ") else None


def _written_email() -> str:
    return request.form.get("email", "").strip().lower()[:190]


def current_config() -> Config:
    """Give the settings of the application that answers this request."""
    return current_app.config["BALCAO"]  # type: ignore[no-any-return]
