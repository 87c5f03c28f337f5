"""The door of `/api/v1`: one decorator that makes a view an endpoint, and one shape for every refusal.

`endpoint` reads what an endpoint takes and gives from its function's annotations; `openapi` writes the
document from the same table, so what is told is what is done. Here the key's scope and rate are asked,
queries and bodies are read, answers get their ETag, and a change is committed before anybody is woken.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from flask import Blueprint, Response, g, request, send_file
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema
from sqlalchemy import inspect, select
from werkzeug.datastructures import FileStorage, WWWAuthenticate
from werkzeug.exceptions import RequestEntityTooLarge

import auth
import operators
from api.shapes import Receipt
from models import ApiWrite, Base, db, utc_now

PREFIX: Final = "/api/v1"
MAX_BYTES: Final = 256 * 1024
# The largest file that is taken, and the form around it.
UPLOAD_MAX_BYTES: Final = 16 * 1024 * 1024 + MAX_BYTES
BYTES: Final = "application/octet-stream"
LIMITERS_OWN: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
RATE_SECS: Final = 60
KEY_MAX_CHARS: Final = 128
KEY_PATTERN: Final = f"[!-~]{{1,{KEY_MAX_CHARS}}}"
PROBLEMS_TOLD: Final = 5
# Every code that an answer may carry beside the general ones of the program, and its status.
REFUSALS: Final[Mapping[str, int]] = {
    "bad_query": 400,
    "bad_json": 400,
    "bad_idempotency_key": 400,
    "insufficient_scope": 403,
    "not_found": 404,
    "service_window_closed": 409,
    "opted_out": 409,
    "number_off": 409,
    "file_refused": 409,
    "template_refused": 409,
    "slot_taken": 409,
    "out_of_stock": 409,
    "known": 409,
    "conflict": 409,
    "precondition_failed": 412,
    "unsupported_media_type": 415,
    "invalid": 422,
    "idempotency_key_reused": 422,
}

bp = Blueprint("api", __name__, url_prefix=PREFIX)


class Refused(Exception):
    """A request that is not done: `code` is of REFUSALS, `message` is for whoever writes the program, `url`
    leads to what stands in the way."""

    def __init__(self, code: str, message: str, *, url: str = "") -> None:
        super().__init__(code)
        self.code, self.message, self.url = code, message, url


class _Repeated(ValueError):
    """A name stands more than once in one object."""


class Query(BaseModel):
    """What stands behind the question mark; a name that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """What a request brings as JSON: exact types, no names but those listed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Upload(BaseModel):
    """What a form with a file brings (multipart/form-data)."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    file: Annotated[FileStorage, WithJsonSchema({"type": "string", "format": "binary"})]


class Download(BaseModel):
    """A file as an answer."""

    path: Path
    filename: str


Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Written(Generic[Answer]):
    """What a change answers with, and what is to be done once it is committed."""

    answer: Answer
    after: Sequence[Callable[[], object]] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the document."""

    method: str
    rule: str
    scope: str
    status: int
    refusals: tuple[str, ...]
    needs_key: bool
    view: Callable[..., Any]
    query: type[Query]
    body: type[Body | Upload] | None
    answer: type[BaseModel]
    locks: type[Base] | None = None
    gather: Callable[[Any], Any] | None = None

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    @property
    def shown(self) -> "Endpoint":
        """The GET of the same address."""
        return next(one for one in ENDPOINTS if (one.method, one.rule) == ("GET", self.rule))


ENDPOINTS: Final[list[Endpoint]] = []


def endpoint(
    method: str,
    rule: str,
    *,
    scope: str,
    status: int = 200,
    refusals: tuple[str, ...] = (),
    needs_key: bool = False,
    locks: type[Base] | None = None,
    gather: Callable[[Any], Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function an endpoint. `asked` is its query, `said` its body; a change gives `Written`;
    `locks` is the table whose row If-Match holds fast, `gather` makes `brought` of what was said (None where
    nothing is) while no transaction is open."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(view)
        gives = hints["return"]
        answer = get_args(gives)[0] if get_origin(gives) is Written else gives
        if method == "POST" and not issubclass(answer, Receipt):
            raise TypeError(f"{view.__name__}: what a POST answers is kept, so it is a Receipt")
        made = Endpoint(
            method,
            rule,
            scope,
            status,
            refusals,
            needs_key,
            view,
            hints.get("asked", Query),
            hints.get("said"),
            answer,
            locks,
            gather,
        )
        ENDPOINTS.append(made)
        bp.add_url_rule(rule, view.__name__, _LIMITED(_door(made)), methods=[method])
        return view

    return decorate


def _door(made: Endpoint) -> Callable[..., ResponseReturnValue]:
    def pass_door(**places: Any) -> ResponseReturnValue:
        if not auth.current_program().may(made.scope):
            raise Refused("insufficient_scope", f"This key does not have the scope {made.scope}.")
        given: dict[str, Any] = dict(places)
        asked = _read_query(made.query)
        if made.query is not Query:
            given["asked"] = asked
        if made.body is not None:
            given["said"] = _read_body(made.body)
        if made.gather is not None:
            db.session.rollback()
            given["brought"] = made.gather(given.get("said"))
        return _change(made, given) if made.changes else _show(made.view(**given))

    pass_door.__name__ = made.name
    return pass_door


def found(row: Any) -> Any:
    """Give the row, or answer that there is none."""
    if row is None:
        raise Refused("not_found", "There is nothing with this id.")
    return row


def client_token() -> str:
    """Name this request, which has an Idempotency-Key, for what is to be done once whatever else is
    forgotten."""
    asked = f"{auth.current_program().key_id}\n{request.headers['Idempotency-Key']}"
    return hashlib.sha256(asked.encode()).hexdigest()


# --- how often ----------------------------------------------------------------------------------------------


def _payer() -> str:
    return f"key:{auth.current_program().key_id}"


_LIMITED = auth.limiter.shared_limit(auth.program_rate, scope="api", key_func=_payer)


@bp.record_once
def _tell_rate_last(state: BlueprintSetupState) -> None:
    """Run `tell_rate` after the limiter, which writes headers of its own behind those of blueprints."""
    state.app.after_request_funcs.setdefault(None, []).insert(0, tell_rate)


def tell_rate(response: Response) -> Response:
    """Say how many requests are left, as draft-ietf-httpapi-ratelimit-headers-07 does."""
    limit = auth.limiter.current_limit
    if not request.path.startswith(f"{PREFIX}/") or limit is None:
        return response
    per_minute = auth.current_config().api_requests_per_minute
    wait = min(max(math.ceil(limit.reset_at - time.time()), 1), RATE_SECS)
    for name in LIMITERS_OWN:
        response.headers.pop(name, None)
    response.headers["RateLimit-Policy"] = f"{per_minute};w={RATE_SECS}"
    response.headers["RateLimit-Limit"] = str(per_minute)
    response.headers["RateLimit-Remaining"] = str(max(0, limit.remaining))
    response.headers["RateLimit-Reset"] = str(wait)
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(wait)
    return response


# --- what is asked ------------------------------------------------------------------------------------------


def _read_query(model: type[Query]) -> Query:
    many = [name for name, values in request.args.lists() if len(values) > 1]
    if many:
        raise Refused("bad_query", f"{many[0][:40]!r} stands there more than once.")
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise Refused("bad_query", _told(error)) from error


def _read_body(model: type[Body | Upload]) -> Body | Upload:
    if issubclass(model, Upload):
        return _read_upload(model)
    if request.mimetype != "application/json":
        raise Refused("unsupported_media_type", "Send application/json.")
    try:
        read = model.model_validate_json(_read_whole())
        json.loads(request.get_data(cache=True), object_pairs_hook=_once)
        return read
    except _Repeated as error:
        raise Refused("bad_json", f"{str(error)[:40]!r} stands more than once in an object.") from error
    except ValidationError as error:
        is_broken = any(one["type"] == "json_invalid" for one in error.errors(include_input=False))
        raise Refused("bad_json" if is_broken else "invalid", _told(error)) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object in which a name is repeated: readers disagree on which one counts (RFC 8259, 4)."""
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return read


def _read_whole() -> bytes:
    """Give the body. One without a length is read up to the limit only, and might be a part."""
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) == request.max_content_length:
        raise RequestEntityTooLarge
    return body


def _read_upload(model: type[Upload]) -> Upload:
    request.max_content_length = UPLOAD_MAX_BYTES
    if request.mimetype != "multipart/form-data":
        raise Refused("unsupported_media_type", "Send multipart/form-data.")
    fields: list[tuple[str, list[Any]]] = [*request.form.lists(), *request.files.lists()]
    if any(len(values) > 1 for _, values in fields):
        raise Refused("invalid", "A field stands there more than once.")
    try:
        return model.model_validate({name: values[0] for name, values in fields})
    except ValidationError as error:
        raise Refused("invalid", _told(error)) from error


def _told(error: ValidationError) -> str:
    """Say what is wrong and where, without what was sent."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(str(part) for part in one['loc'])[:80] or 'body'}: {one['msg']}"
        for one in problems[:PROBLEMS_TOLD]
    ]
    return "; ".join(told)


# --- what is answered ---------------------------------------------------------------------------------------


def _show(answer: BaseModel) -> ResponseReturnValue:
    """Give the answer, or 304 to who has it already."""
    if isinstance(answer, Download):
        return send_file(answer.path, mimetype=BYTES, as_attachment=True, download_name=answer.filename)
    response = Response(answer.model_dump_json(), mimetype="application/json")
    response.set_etag(_etag(answer))
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Authorization")
    return response.make_conditional(request)


def _etag(answer: BaseModel) -> str:
    return hashlib.sha256(answer.model_dump_json().encode()).hexdigest()[:32]


def _json(answer: Mapping[str, Any], status: int) -> Response:
    written = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Response(written, status, mimetype="application/json")


@bp.errorhandler(Refused)
def refuse(refused: Refused) -> ResponseReturnValue:
    db.session.rollback()
    answer = {"error": {"code": refused.code, "message": refused.message}}
    response = _json(answer, REFUSALS[refused.code])
    if refused.url:
        response.headers["Location"] = refused.url
    if refused.code == "insufficient_scope":
        told: dict[str, str | None] = {"realm": "balcao", "error": refused.code}
        response.headers["WWW-Authenticate"] = WWWAuthenticate("bearer", told).to_header()
    return response


# --- what is changed ----------------------------------------------------------------------------------------


def _change(made: Endpoint, given: Mapping[str, Any]) -> Response:
    """Do it, write down which program did it, commit, and only then wake whoever has work now."""
    key = _idempotency_key(is_needed=made.needs_key) if made.method == "POST" else ""
    key_id = auth.current_program().key_id
    asked = operators.AskedChange(key_id, _fingerprint(), request.method, request.path, utc_now())
    row = operators.begin_write(asked, auth.veiled(key.encode())) if key else None
    if row is not None and row.status:
        return _again(row, asked.fingerprint)
    if "If-Match" in request.headers and made.locks is not None:
        _check_match(made, made.locks)
    written = made.view(**given)
    answer = written.answer.model_dump(mode="json")
    if row is None:
        row = operators.note_write(asked)
    row.status, row.trace_id, row.answer = made.status, g.trace_id, answer if key else None
    db.session.commit()
    for step in written.after:
        step()
    response = _told_of(answer, made.status)
    if made.locks is not None and isinstance(written.answer, made.shown.answer):
        response.set_etag(_etag(written.answer))
    return response


def _check_match(made: Endpoint, table: type[Base]) -> None:
    """Refuse to change what is not as the program saw it (RFC 9110, 13.1.1). Its row is held fast until the
    change is committed, so that of two programs that saw the same one is refused."""
    places: dict[str, int] = dict(request.view_args or {})
    (row_id,) = places.values()
    db.session.execute(select(table).where(inspect(table).primary_key[0] == row_id).with_for_update())
    if not request.if_match.contains(_etag(made.shown.view(**places))):
        raise Refused("precondition_failed", "It has changed since: get it again, and look at what is new.")


def _again(row: ApiWrite, mark: str) -> Response:
    """Give the answer that the same request had."""
    if row.fingerprint != mark:
        raise Refused("idempotency_key_reused", "This Idempotency-Key came with another request before.")
    answer, status = row.answer or {}, row.status
    db.session.rollback()
    response = _told_of(answer, status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _told_of(answer: Mapping[str, Any], status: int) -> Response:
    response = _json(answer, status)
    if status == HTTPStatus.CREATED:
        response.headers["Location"] = answer["url"]
    return response


def _idempotency_key(*, is_needed: bool) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None and not is_needed:
        return ""
    if key is None or not re.fullmatch(KEY_PATTERN, key):
        raise Refused(
            "bad_idempotency_key",
            f"Send a header Idempotency-Key of 1 to {KEY_MAX_CHARS} visible ASCII characters, a new one for "
            "each thing that is to happen once.",
        )
    return key


def _fingerprint() -> str:
    """Name the request by what it says: the boundary of a form is another each time."""
    asked = f"{request.method} {request.full_path}\n".encode()
    if request.mimetype != "multipart/form-data":
        return auth.veiled(asked + request.get_data(cache=True))
    parts = [f"{name}={value}".encode() for name, value in sorted(request.form.items())]
    for name, file in sorted(request.files.items()):
        file.stream.seek(0)
        parts.append(f"{name}={file.filename}=".encode() + hashlib.sha256(file.stream.read()).digest())
    return auth.veiled(asked + b"\n".join(parts))
