"""The composition root: `create_app(config)` puts the rooms together and decides only who meets whom.

Called by `main.py`, `cli.py` and tests. `DOORS` is the one table of blueprints and their guards; a request
for a blueprint that is not in it is refused.
"""

import re
import runpy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import structlog
from flask import Blueprint, Flask, Request, Response, abort, g, jsonify, render_template, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter
from xstatic.pkg import font_awesome

import auth
import cli
import config as settings
import logs
import models
import payment_door
import routes
import tasks
from admin import (
    ai_settings,
    alert_settings,
    api_keys,
    articles,
    campaigns,
    connectors,
    contacts,
    conversions,
    figures,
    flows,
    getting_started,
    lead_forms,
    learning,
    numbers,
    owner_phone,
    people,
    product_form,
    products,
    programmes,
    retention,
    shelves,
    teaching,
    teams,
    template_form,
    template_list,
    ways_to_pay,
    webhooks,
)
from api import doors as api
from api import reference
from config import Config
from dashboard import (
    account,
    assist,
    attachments,
    browser_alerts,
    calendar_feed,
    components,
    connector_door,
    conversation,
    downloads,
    events,
    form_door,
    inbox,
    languages,
    live,
    metrics_page,
    order,
    order_by_hand,
    overview,
    person_data,
    reach,
    record,
    records,
    second_factor,
    sign_in,
    simulator,
    status,
    strategy,
    templating,
)

BASE_DIR: Final = Path(__file__).resolve().parent
# Meta sends up to 3 MB; the rest is room for what is around it.
MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024 + 256 * 1024
# All that surely fit a 64-bit integer.
ROW_ID_DIGITS: Final = 18

SESSION_LIFETIME: Final = timedelta(hours=14)
DATABASE_CONNECT_TIMEOUT_SECS: Final = 5
DATABASE_POOL_TIMEOUT_SECS: Final = 10
DATABASE_RECYCLE_SECS: Final = 1800
DATABASE_SPARE_CONNECTIONS: Final = 10
SLOW_REQUEST_SECS: Final = 2.0
STATIC_MAX_AGE: Final = "public, max-age=31536000, immutable"
TRACE_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap draws its icons as data
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ERROR_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A blueprint, who may pass, and whether its forms carry our token."""

    blueprint: Blueprint
    guard: auth.Guard
    checks_csrf: bool = True
    max_bytes: int = MAX_REQUEST_BYTES  # of one request: forms with files need more


class RowIdConverter(IntegerConverter):
    """A row's id in an address; what no database can hold matches no rule, whatever the method."""

    regex = rf"\d{{1,{ROW_ID_DIGITS}}}"


class DeskRequest(Request):
    """A request that knows whether a provider sent it."""

    @cached_property
    def is_webhook(self) -> bool:
        return self.method == "POST" and self.path in routes.POST_PATHS


class DeskSessions(SecureCookieSessionInterface):
    """Sessions for people; providers have none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if _is_webhook(request) else super().open_session(app, request)


class DeskFlask(Flask):
    """Flask with a short way for webhooks: what pages need (sessions, forms, throttles, headers for browsers)
    costs more than all that the door itself does.
    """

    session_interface = DeskSessions()
    request_class = DeskRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Take every view for what it is here, a plain function, without looking each time."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        if not _is_webhook(request):
            return super().preprocess_request()
        models.begin_writing()
        return None

    def process_response(self, response: Response) -> Response:
        return response if _is_webhook(request) else super().process_response(response)


def _is_webhook(request: Request) -> bool:
    return cast(DeskRequest, request).is_webhook


bootstrap = Bootstrap5()
migrate = Migrate()
csrf = CSRFProtect()
compress = Compress()
log = structlog.get_logger()

font_awesome_files = Blueprint(
    "font_awesome", __name__, static_folder=font_awesome.BASE_DIR, static_url_path="/static/font-awesome"
)

DOORS: Final[tuple[Door, ...]] = (
    Door(routes.bp, auth.anyone, checks_csrf=False),  # the signature is the guard
    Door(payment_door.bp, auth.anyone, checks_csrf=False),  # here, too
    Door(api.bp, auth.program, checks_csrf=False, max_bytes=api.MAX_BYTES),
    Door(reference.bp, auth.anyone),
    Door(status.bp, auth.anyone),
    Door(metrics_page.bp, auth.anyone),  # its view asks for an API key
    Door(sign_in.bp, auth.anyone),
    Door(calendar_feed.bp, auth.anyone),  # its token is the guard
    # The token in the address is the guard.
    Door(form_door.bp, auth.anyone, checks_csrf=False, max_bytes=form_door.BODY_MAX_BYTES),
    Door(connector_door.bp, auth.anyone, checks_csrf=False),  # the signature is the guard
    Door(downloads.bp, auth.anyone),  # the secret in the address is the guard
    Door(font_awesome_files, auth.anyone),
    Door(overview.bp, auth.at_least("agent")),
    Door(inbox.bp, auth.at_least("agent")),
    Door(conversation.bp, auth.at_least("agent"), max_bytes=attachments.REQUEST_MAX_BYTES),
    Door(assist.bp, auth.at_least("agent")),
    Door(strategy.bp, auth.at_least("agent")),
    Door(live.bp, auth.at_least("agent")),
    Door(person_data.bp, auth.at_least("admin")),
    Door(records.bp, auth.at_least("agent")),
    Door(record.bp, auth.at_least("agent")),
    Door(order.bp, auth.at_least("agent")),
    Door(order_by_hand.bp, auth.at_least("manager")),
    Door(account.bp, auth.at_least("agent")),
    Door(second_factor.bp, auth.at_least("agent")),
    Door(browser_alerts.bp, auth.at_least("agent")),
    Door(simulator.bp, auth.at_least("agent")),
    Door(components.bp, auth.at_least("admin")),
    Door(events.bp, auth.at_least("admin")),
    Door(teaching.bp, auth.at_least("admin")),
    Door(ways_to_pay.bp, auth.at_least("admin")),
    Door(teams.bp, auth.at_least("admin")),
    Door(articles.bp, auth.at_least("admin")),
    Door(learning.bp, auth.at_least("admin")),
    Door(products.bp, auth.at_least("manager"), max_bytes=product_form.FORM_MAX_BYTES),
    Door(shelves.bp, auth.at_least("manager")),
    Door(owner_phone.bp, auth.at_least("admin")),
    Door(template_list.bp, auth.at_least("manager"), max_bytes=template_form.REQUEST_MAX_BYTES),
    Door(campaigns.bp, auth.at_least("manager"), max_bytes=campaigns.FORM_MAX_BYTES),
    Door(reach.bp, auth.at_least("agent")),
    Door(alert_settings.bp, auth.at_least("admin")),
    Door(ai_settings.bp, auth.at_least("admin")),
    Door(retention.bp, auth.at_least("admin")),
    Door(webhooks.bp, auth.at_least("admin")),
    Door(lead_forms.bp, auth.at_least("admin")),
    Door(connectors.bp, auth.at_least("admin")),
    Door(api_keys.bp, auth.at_least("admin")),
    Door(contacts.bp, auth.at_least("manager"), max_bytes=contacts.FORM_MAX_BYTES),
    Door(programmes.bp, auth.at_least("manager")),
    Door(people.bp, auth.at_least("admin")),
    Door(getting_started.bp, auth.at_least("admin")),
    Door(numbers.bp, auth.at_least("admin")),
    Door(conversions.bp, auth.at_least("admin")),
    Door(figures.bp, auth.at_least("manager")),
    Door(flows.bp, auth.at_least("admin"), max_bytes=flows.FORM_MAX_BYTES),
)
# Files that are the same for everybody, ours and those that extensions bring along.
STATIC_ENDPOINTS: Final = ("static", "bootstrap.static", "font_awesome.static")
# Those of them that Flask and an extension open by themselves, without a door above.
OPEN_ENDPOINTS: Final = frozenset({"static", "bootstrap.static"})
GUARDS: Final[Mapping[str, auth.Guard]] = {door.blueprint.name: door.guard for door in DOORS}
MAX_BYTES: Final[Mapping[str, int]] = {door.blueprint.name: door.max_bytes for door in DOORS}


def create_app(config: Config | None = None) -> Flask:
    """Make the application. Opens no connection and starts no thread."""
    config = config or settings.load()
    logs.configure(config.log_level, config.log_format)
    app = DeskFlask(__name__)
    app.url_map.converters["int"] = RowIdConverter
    app.config.update(_flask_settings(config))
    # Only on request: a platform's DYNO or PORT can be set anywhere, and where nobody stands in front, each
    # visitor would choose the address by which the sign-in throttle knows her. Signatures do not need it:
    # they are checked against PUBLIC_BASE_URL.
    if config.proxy_hops:
        hops = config.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    _install_database(app)
    _install_request_life(app, config)
    _install_extensions(app, config)
    tasks.install(app, config)
    for command in cli.COMMANDS:
        app.cli.add_command(command)
    for door in DOORS:
        app.register_blueprint(door.blueprint)
        if not door.checks_csrf:
            csrf.exempt(door.blueprint)
    app.register_error_handler(HTTPException, _answer_refusal)
    app.register_error_handler(Exception, _answer_failure)
    for error in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(error, _answer_database_away)
    return app


def _flask_settings(config: Config) -> dict[str, Any]:
    is_https = config.public_base_url.startswith("https://")
    return {
        "BALCAO": config,
        "SECRET_KEY": config.secret_key,
        "SECRET_KEY_FALLBACKS": list(config.secret_key_fallbacks),
        "TESTING": config.is_testing,
        "MAX_CONTENT_LENGTH": MAX_REQUEST_BYTES,
        "PERMANENT_SESSION_LIFETIME": SESSION_LIFETIME,
        "SESSION_REFRESH_EACH_REQUEST": False,
        "SESSION_COOKIE_NAME": "balcao",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": is_https or (config.is_production and not config.public_base_url),
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "BOOTSTRAP_SERVE_LOCAL": True,
        # Pages stay as they are: compressed, their length would tell of the secrets in them (BREACH).
        "COMPRESS_MIMETYPES": ["text/css", "text/javascript", "image/svg+xml"],
        "COMPRESS_STREAMING_ENDPOINT_CONDITIONAL": list(STATIC_ENDPOINTS),
        "RATELIMIT_STORAGE_URI": config.queue_url or "memory://",
        "RATELIMIT_HEADERS_ENABLED": True,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(config),
    }


def _engine_options(config: Config) -> dict[str, Any]:
    """Give each thread a connection; parameters stay out of errors, because they hold messages."""
    if config.database_url.startswith("sqlite") and ":memory:" in config.database_url:
        return {"hide_parameters": True}
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": config.web_threads + config.worker_threads,
        "max_overflow": DATABASE_SPARE_CONNECTIONS,
        "pool_timeout": DATABASE_POOL_TIMEOUT_SECS,
    }
    if config.is_sqlite:
        return options
    return options | {
        "pool_recycle": DATABASE_RECYCLE_SECS,
        "isolation_level": "READ COMMITTED",
        "connect_args": {"connect_timeout": DATABASE_CONNECT_TIMEOUT_SECS},
    }


def _install_database(app: Flask) -> None:
    models.db.init_app(app)
    migrate.init_app(app, models.db, directory=str(BASE_DIR / "migrations"), render_as_batch=True)
    with app.app_context():
        models.prepare_engine(models.db.engine)


def _install_extensions(app: Flask, config: Config) -> None:
    bootstrap.init_app(app)
    languages.install(app, config)
    templating.install(app)
    csrf.init_app(app)
    compress.init_app(app)
    # Error pages must not ask who reads them: the database may be what failed.
    auth.login_manager.init_app(app, add_context_processor=False)
    auth.limiter.init_app(app)


# --- the life of a request ----------------------------------------------------------------------------------


def _install_request_life(app: Flask, config: Config) -> None:
    app.before_request(_begin)
    app.before_request(_check_guard)
    app.after_request(_add_headers)
    app.teardown_request(_end)
    app.url_defaults(_name_version_of_file)
    if config.public_base_url.startswith("https://"):
        app.after_request(_insist_on_https)


def _begin() -> None:
    g.began = time.monotonic()
    wished = request.headers.get("X-Request-ID", "")
    g.trace_id = wished if TRACE_ID.fullmatch(wished) else uuid4().hex
    structlog.contextvars.bind_contextvars(trace_id=g.trace_id)
    if "\0" in request.path:  # no column holds it, and nothing of ours has it in its address
        abort(404)
    # Threads are used again, and a mark would stay: every request says which it is.
    if request.method in ("GET", "HEAD"):
        models.begin_reading()
    else:
        models.begin_writing()


def _check_guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return None  # nothing matched: the answer will be 404 or 405
    guard = GUARDS.get(request.blueprint or "")
    if guard is None:
        raise InternalServerError(f"no guard for {request.endpoint}")
    refusal = guard()
    if refusal is None:
        request.max_content_length = MAX_BYTES[request.blueprint or ""]  # before anything reads the form
    return refusal


def _add_headers(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-ID"] = g.trace_id
    if request.endpoint in STATIC_ENDPOINTS:
        if "v" in request.args and response.status_code == 200:
            response.headers["Cache-Control"] = STATIC_MAX_AGE
    elif "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _insist_on_https(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _end(_error: BaseException | None) -> None:
    models.begin_writing()
    if _is_webhook(request):
        return
    took = time.monotonic() - g.began if "began" in g else 0.0
    if took > SLOW_REQUEST_SECS:
        log.warning("slow_request", endpoint=request.endpoint, method=request.method, secs=round(took, 3))
    structlog.contextvars.unbind_contextvars("trace_id")


def _name_version_of_file(endpoint: str, values: dict[str, Any]) -> None:
    """Let browsers keep a file for ever, under an address that changes with it."""
    if endpoint == "static" and "filename" in values:
        path = BASE_DIR / "static" / values["filename"]
        values.setdefault("v", f"{path.stat().st_mtime_ns:x}" if path.is_file() else "0")
    elif endpoint in STATIC_ENDPOINTS:
        values.setdefault("v", status.VERSION)


# --- refusals and failures ----------------------------------------------------------------------------------


def _answer_refusal(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()  # a redirect of the router
    if error.code >= 500:
        log.error("request_failed", endpoint=request.endpoint, status=error.code)
    answer = _error_answer(error.code, _words_for(error))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _answer_failure(error: Exception) -> ResponseReturnValue:
    log.exception("request_failed", endpoint=request.endpoint, error=type(error).__name__)
    return _error_answer(500, _words_for(InternalServerError()))


def _answer_database_away(error: Exception) -> ResponseReturnValue:
    log.error("database_away", endpoint=request.endpoint, error=type(error).__name__)
    answer = _error_answer(503, _words_for(ServiceUnavailable()))
    answer.headers["Retry-After"] = "5"
    return answer


def _error_answer(code: int, message: str) -> Response:
    """Say it as a page or as JSON. The page asks the database for nothing: it may be what failed."""
    if auth.is_browser() and not _is_webhook(request):
        page = render_template(
            "errors/error.html", code=code, message=message, trace_id=g.get("trace_id", "")
        )
        answer = Response(page, code)
    else:
        answer = jsonify(error={"code": ERROR_CODES.get(code, "error"), "message": message})
        answer.status_code = code
    return answer


def _words_for(error: HTTPException) -> str:
    if isinstance(error, CSRFError):
        return str(_("This form is too old or came from another page. Load the page again and retry."))
    words: dict[int, str] = {
        400: _("The request could not be understood."),
        401: _("Sign in, or show a valid key."),
        403: _("You may not open this."),
        404: _("There is nothing here."),
        405: _("This address does not accept that kind of request."),
        413: _("What was sent is too large."),
        415: _("What was sent has a form that is not accepted here."),
        429: _("Too many attempts. Wait some minutes and try again."),
        500: _("Something failed on our side. It was written down."),
        503: _("The desk cannot be reached right now. Try again in a moment."),
    }
    return words.get(error.code or 500) or str(_("The request was refused."))


if __name__ == "__main__":
    runpy.run_module("main", run_name="__main__")
