"""The simulator page: a phone whose messages leave as signed webhooks and enter by the desk's real door.

For signed-in operators, and for simulated numbers only. The browser says what happened on the phone; this
room has the provider build and sign the webhook, posts it over HTTP to this very process and shows the door's
answer. It never calls the pipeline and never writes a message.
"""

import json
import random
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import requests
import structlog
from babel import Locale
from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

import auth
import flow_files
import integrations
import phone
import simulated_phone
from dashboard import turn_xray
from dashboard.arguments import row_id
from dashboard.templating import day_name
from models import Integration, db, utc_now
from providers import simulated_media
from providers.base import Account
from providers.simulator import SimulatedEvent, webhook
from simulated_phone import COUNTRIES, Bubble, Customer, NotSimulated
from vault import SealBroken

EVERYWHERE: Final = ("", "0.0.0.0", "::")
DOOR_TIMEOUT_SECS: Final = (2.0, 10.0)
AGED_BY: Final = timedelta(hours=25)
MAX_TEXT_CHARS: Final = 4096
MAX_RECEIPTS: Final = 40
MAX_NAME_CHARS: Final = 60
# What a webhook may be repeated to: the door's own addresses.
DOOR_PATHS: Final = frozenset({"/webhook", "/whatsapp", "/whatsapp/status"})
REPEATED_HEADERS: Final = frozenset(
    {"content-type", "x-hub-signature-256", "x-twilio-signature", "user-agent", "i-twilio-idempotency-token"}
)
DISORDER_GAP: Final = timedelta(seconds=3)
PLACE: Final = (-8.0631, -34.8711, "Marco Zero, Recife")
UNDELIVERABLE: Final = "Message undeliverable"
RECEIPTS_OF_PHONE: Final = ("sent", "delivered", "read", "failed")
WA_ID: Final = re.compile(r"([0-9]{6,15})?", re.ASCII)
FILE_KINDS: Final[Mapping[str, str]] = {"media": "image", "voice": "audio", "document": "document"}
FAILURE_CODES: Final[Mapping[str, int]] = {"meta": 131026, "twilio": 63024}
# The two of "disorder" are each clear, even below an open menu: only such texts wait for one another.
SAMPLE_TEXTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "pt": {
        "greeting": ("oi",),
        "burst": ("oi, tudo bem?", "vi vocês no instagram", "quanto custa?"),
        "disorder": ("fiz um pedido na semana passada", "e o pedido ainda não chegou"),
        "owner": ("Oi! Aqui é a dona da loja, eu mesma te ajudo.",),
    },
    "es": {
        "greeting": ("hola",),
        "burst": ("hola, ¿qué tal?", "los vi en instagram", "¿cuánto cuesta?"),
        "disorder": ("hice un pedido la semana pasada", "y el pedido todavía no llegó"),
        "owner": ("¡Hola! Soy la dueña de la tienda, te ayudo yo misma.",),
    },
    "en": {
        "greeting": ("hi",),
        "burst": ("hi there", "saw you on instagram", "how much is it?"),
        "disorder": ("I placed an order last week", "and the order has not arrived yet"),
        "owner": ("Hi! This is the owner, I will help you myself.",),
    },
}

log = structlog.get_logger()
bp = Blueprint("simulator", __name__, url_prefix="/simulator")


class Refused(Exception):
    """What the page asked cannot be done; the text is shown on the phone."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook that was posted to the door, and what the door said; `status` 0 when it said nothing."""

    label: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    took_ms: float
    error: str = ""

    @property
    def shown_body(self) -> str:
        """The body as people read it: indented JSON, or one form field a line."""
        text = self.body.decode("utf-8", "replace")
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return "\n".join(f"{name} = {value}" for name, value in parse_qsl(text, keep_blank_values=True))

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "html": render_template("simulator/_door.html", post=self),
            "request": {
                "path": self.path,
                "headers": dict(self.headers),
                "body": self.body.decode("latin-1"),
            },
        }


@bp.errorhandler(Refused)
def refuse(refused: Refused) -> ResponseReturnValue:
    return jsonify(error={"code": refused.code, "message": refused.message}), refused.status


@bp.errorhandler(NotSimulated)
def refuse_real_number(_error: NotSimulated) -> ResponseReturnValue:
    message = _("Only a simulated number can be played with.")
    return jsonify(error={"code": "not_simulated", "message": message}), 403


@bp.errorhandler(SealBroken)
def refuse_broken_seal(_error: SealBroken) -> ResponseReturnValue:
    message = _("This number's secrets cannot be opened: SECRET_KEY was changed.")
    return jsonify(error={"code": "seal_broken", "message": message}), 409


# --- the page -----------------------------------------------------------------------------------------------


@bp.get("")
def simulator() -> ResponseReturnValue:
    """The phone of one simulated number, or the offer to make one."""
    numbers = simulated_phone.numbers()
    if not numbers:
        return render_template("simulator/no_number.html", flows=sorted(flow_files.shipped()))
    wanted = request.args.get("number", type=row_id)
    chosen = next((n for n in numbers if n.id == wanted), numbers[0])
    first = _first_customer(chosen)
    known = simulated_phone.customers(chosen)
    # Somebody who has not written yet comes first, so that a newcomer finds an empty phone.
    customers = known if any(one.bsuid == first.bsuid for one in known) else [first, *known]
    owner = _owner_of(chosen)
    if owner is not None:
        others = [one for one in customers if one.wa_id != owner.wa_id]
        customers = [*others[:1], owner, *others[1:]]
    return render_template(
        "simulator/index.html",
        numbers=numbers,
        number=_shown_number(chosen),
        customers=[_customer_json(customer) for customer in customers],
        countries=[(code, _country_label(code)) for code in COUNTRIES],
        is_worker_alive=simulated_phone.is_worker_alive(utc_now()),
    )


@bp.post("/numbers")
@auth.login_required_role("admin")
def create_number() -> ResponseReturnValue:
    """Make a simulated number, with a secret of its own that signs its webhooks."""
    shape = request.form.get("shape", "")
    flow, language = request.form.get("flow", ""), request.form.get("language", "")
    if shape not in FAILURE_CODES or flow not in flow_files.shipped() or language not in SAMPLE_TEXTS:
        raise Refused("bad_number", _("Choose one of the offered kinds."))
    made = integrations.create(
        provider="simulator",
        shape=shape,
        number_id=simulated_phone.new_number_id(shape, random.SystemRandom()),
        business_id=f"simulated-{secrets.token_hex(4)}",
        name=flow.capitalize(),
        app_secret=secrets.token_hex(16),
        access_token=secrets.token_hex(16),
        verify_token=secrets.token_hex(8),
        start_flow=flow,
        language=language,
    )
    db.session.commit()
    log.info("simulated_number_created", integration_id=made.id, shape=shape)
    return redirect(url_for("simulator.simulator", number=made.id))


@bp.post("/customers")
def new_customer() -> ResponseReturnValue:
    """Invent somebody to hold the phone; the desk learns of the person with the first message."""
    wishes = _json_body()
    country, name = _text(wishes, "country"), _text(wishes, "name").strip()[:MAX_NAME_CHARS]
    if country not in COUNTRIES:
        raise Refused("bad_country", _("Choose one of the offered countries."))
    customer = simulated_phone.invent(country, name, random.SystemRandom())
    return jsonify(customer=_customer_json(customer))


@bp.get("/numbers/<int:integration_id>/phone.json")
def phone_screen(integration_id: int) -> ResponseReturnValue:
    """What the phone shows now; only the word that nothing changed while `after` is still the revision."""
    number = simulated_phone.number(integration_id)
    customer = _read_customer(request.args)
    screen = simulated_phone.screen(number, customer, utc_now())
    if request.args.get("after") == screen.revision:
        return jsonify(is_changed=False)
    conversation = simulated_phone.conversation_of(number, customer)
    turns = turn_xray.latest_turns(integrations.account(number), conversation) if conversation else ()
    return jsonify(
        is_changed=True,
        revision=screen.revision,
        is_typing=screen.is_typing,
        is_worker_alive=screen.is_worker_alive,
        facts_html=render_template("simulator/_customer_facts.html", facts=screen.facts),
        bubbles=_shown_bubbles(screen.bubbles),
        turns=[{"id": turn.id, "html": render_template("simulator/_turn.html", t=turn)} for turn in turns],
    )


def _shown_bubbles(bubbles: Sequence[Bubble]) -> list[dict[str, Any]]:
    """Render bubbles, each day's first under its date; no buttons on what is not the desk's."""
    shown: list[dict[str, Any]] = []
    day = ""
    for bubble in bubbles:
        name = day_name(bubble.at)
        if name != day:
            day = name
            shown.append({"key": f"d{bubble.key}", "html": render_template("simulator/_day.html", day=day)})
        shown.append(
            {
                "key": bubble.key,
                "external_id": bubble.external_id,
                "status": bubble.status,
                "wants_receipts": bubble.wants_receipts,
                "html": render_template("simulator/_bubble.html", b=bubble),
            }
        )
    return shown


# --- what happens on the phone ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """One thing that the page asked for, read and checked."""

    number: Integration
    account: Account
    customer: Customer
    wishes: Mapping[str, Any]
    now: datetime

    @property
    def language(self) -> str:
        """The language of the samples: what this customer wrote last, else what is spoken where they live."""
        contact = simulated_phone.contact_of(self.number, self.customer)
        spoken = contact.language if contact and contact.language else self.customer.language
        return spoken if spoken in SAMPLE_TEXTS else self.number.language

    @property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        return SAMPLE_TEXTS.get(self.language, SAMPLE_TEXTS["pt"])


@bp.post("/act")
def act() -> ResponseReturnValue:
    """Do what the customer, WhatsApp or the owner does: build webhooks, post them, tell the answers."""
    wishes = _json_body()
    name = _text(wishes, "act")
    if name not in ACTS:
        raise Refused("bad_act", _("The phone cannot do that."))
    number = simulated_phone.number(_integer(wishes, "number"))
    play = Play(
        number, integrations.account(number), _read_customer(wishes.get("customer")), wishes, utc_now()
    )
    letters = ACTS[name](play)
    # The door writes on a connection of its own: ours must not hold a transaction while it does.
    db.session.commit()
    db.session.remove()
    posts = [_post(letter) for letter in letters]
    ids = [letter.external_id for letter in letters if letter.external_id]
    return jsonify(posts=[post.as_json() for post in posts], external_ids=ids)


@dataclass(frozen=True, slots=True)
class Letter:
    """A signed webhook, ready to be posted."""

    label: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    external_id: str = ""


def _say(play: Play) -> list[Letter]:
    text = _text(play.wishes, "text").strip()
    if not text or len(text) > MAX_TEXT_CHARS:
        raise Refused("bad_text", _("A message has 1 to %(count)d characters.", count=MAX_TEXT_CHARS))
    referral = simulated_phone.sample_referral(play.language) if play.wishes.get("ad") is True else None
    label = _("message from an ad") if referral else _("message")
    return [_message(play, label, kind="text", text=text, referral=referral)]


def _choose(play: Play) -> list[Letter]:
    """Press a button or a row: the desk gets its id, its title and the message that it belongs to."""
    is_list = play.wishes.get("kind") == "list"
    choice_id, title = _text(play.wishes, "id"), _text(play.wishes, "title")
    if not choice_id or not title:
        raise Refused("bad_choice", _("This button is empty."))
    return [
        _message(
            play,
            _("list row") if is_list else _("button"),
            kind="choice",
            choice_kind="list" if is_list else "button",
            choice_id=choice_id,
            choice_title=title,
            quotes=_text(play.wishes, "quotes") or None,
        )
    ]


def _burst(play: Play) -> list[Letter]:
    return [
        _message(play, _("fragment %(number)d", number=index), kind="text", text=text)
        for index, text in enumerate(play.texts["burst"], start=1)
    ]


def _disorder(play: Play) -> list[Letter]:
    """Post the later message first; the provider's time stamps still tell the true order."""
    first, second = play.texts["disorder"]
    earlier = play.now - DISORDER_GAP
    return [
        _message(play, _("second message, posted first"), kind="text", text=second),
        _message(play, _("first message, posted second"), kind="text", text=first, at=earlier),
    ]


def _react(play: Play) -> list[Letter]:
    conversation = simulated_phone.conversation_of(play.number, play.customer)
    target = simulated_phone.last_answer(conversation.id) if conversation else None
    if target is None:
        raise Refused("nothing_to_react", _("There is no message of the desk yet."), 409)
    return [_message(play, _("reaction"), kind="reaction", target=target.external_id, emoji="❤️")]


def _order(play: Play) -> list[Letter]:
    if play.account.shape != "meta":
        raise Refused("no_catalogue", _("Twilio has no catalogue orders."), 409)
    items = simulated_phone.sample_order()
    if not items:
        raise Refused("no_products", _("The shop has no product that could be ordered."), 409)
    return [_message(play, _("catalogue order"), kind="order", order_items=items)]


def _place(play: Play) -> list[Letter]:
    latitude, longitude, name = PLACE
    return [_message(play, _("location"), kind="location", text=name, latitude=latitude, longitude=longitude)]


def _send_file(play: Play) -> list[Letter]:
    kind = FILE_KINDS[_text(play.wishes, "act")]
    media = simulated_media.file_of(kind, str(secrets.randbits(48)))
    return [_message(play, _("file"), kind="media", media=media)]


def _own_up(play: Play) -> list[Letter]:
    """The owner answers on her own phone; Meta alone tells us so."""
    if play.account.shape != "meta":
        raise Refused("no_echo", _("Twilio does not tell what the owner writes on her own phone."), 409)
    text = _text(play.wishes, "text").strip()[:MAX_TEXT_CHARS] or play.texts["owner"][0]
    return [_message(play, _("echo of the owner's phone"), kind="echo", text=text)]


def _tell_receipts(play: Play) -> list[Letter]:
    """The phone tells that messages arrived, were read, or could not be delivered."""
    wanted = play.wishes.get("receipts")
    if not isinstance(wanted, list) or len(wanted) > MAX_RECEIPTS:
        raise Refused("bad_receipts", _("The receipts could not be read."))
    pairs = [(_text(one, "external_id"), _text(one, "status")) for one in wanted if isinstance(one, Mapping)]
    conversation = simulated_phone.conversation_of(play.number, play.customer)
    sent = {}
    if conversation is not None:
        owned = simulated_phone.owned_messages(conversation.id, [external_id for external_id, _ in pairs])
        sent = {message.external_id: message.id for message in owned}
    return [
        _receipt(play, external_id, sent[external_id], status)
        for external_id, status in pairs
        if external_id in sent and status in RECEIPTS_OF_PHONE
    ]


def _age(play: Play) -> list[Letter]:
    """Let 25 hours pass for this conversation. Posts nothing."""
    conversation = simulated_phone.conversation_of(play.number, play.customer)
    if conversation is None:
        raise Refused("no_conversation", _("This customer has not written yet."), 409)
    simulated_phone.age(conversation, AGED_BY)
    log.info(
        "simulated_conversation_aged", conversation_id=conversation.id, hours=AGED_BY.total_seconds() / 3600
    )
    return []


def _repeat(play: Play) -> list[Letter]:
    """Post a webhook again, byte for byte, with the signature that it had."""
    wanted = play.wishes.get("request")
    kept = wanted if isinstance(wanted, Mapping) else {}
    path, headers, body = _text(kept, "path"), kept.get("headers"), _text(kept, "body")
    # Only the door's own addresses: this must not become a way to post anything anywhere.
    if path.partition("?")[0] not in DOOR_PATHS or not isinstance(headers, Mapping):
        raise Refused("bad_repeat", _("There is no webhook to repeat yet."))
    clean = {
        str(name): str(value) for name, value in headers.items() if str(name).lower() in REPEATED_HEADERS
    }
    try:
        return [Letter(_("identical bytes again"), path, clean, body.encode("latin-1"))]
    except UnicodeEncodeError as error:
        raise Refused("bad_repeat", _("There is no webhook to repeat yet.")) from error


ACTS: Final[Mapping[str, Callable[[Play], list[Letter]]]] = {
    "text": _say,
    "choice": _choose,
    "burst": _burst,
    "disorder": _disorder,
    "reaction": _react,
    "order": _order,
    "location": _place,
    "media": _send_file,
    "voice": _send_file,
    "document": _send_file,
    "owner": _own_up,
    "receipts": _tell_receipts,
    "age": _age,
    "repeat": _repeat,
}


# --- webhooks and the door ----------------------------------------------------------------------------------


def _message(play: Play, label: str, **fields: Any) -> Letter:
    """Build a message with an id of its own, as the provider would give it."""
    prefix = "SM" if play.account.shape == "twilio" else "wamid.SIM"
    return _letter(play, label, external_id=f"{prefix}{secrets.token_hex(16)}", **fields)


def _receipt(play: Play, external_id: str, message_id: int, status: str) -> Letter:
    """Build what the provider tells of a message of the desk, with the desk's own id in it."""
    error = _failure_code(play.account.shape) if status == "failed" else 0
    letter = _letter(
        play,
        _("receipt: %(status)s", status=status),
        kind="status",
        external_id=external_id,
        status=status,
        reference=str(message_id),
        error_code=error,
        error_title=UNDELIVERABLE if error else "",
    )
    return replace(letter, external_id="")


def _letter(play: Play, label: str, **fields: Any) -> Letter:
    event = SimulatedEvent(person=play.customer.person, **fields)
    built = webhook(play.account, event, public_base_url=_public_base_url(), now=play.now)
    return Letter(label, built.path, built.headers, built.body, event.external_id)


def _post(letter: Letter) -> Post:
    """Knock at the door of this very process, as the provider would from outside."""
    began = time.perf_counter()
    status, error = 0, ""
    try:
        with requests.Session() as line:
            line.trust_env = False  # a proxy of this machine must not carry it away
            answer = line.post(
                f"{_door_base()}{letter.path}",
                data=letter.body,
                headers=dict(letter.headers),
                timeout=DOOR_TIMEOUT_SECS,
                allow_redirects=False,
            )
        status = answer.status_code
    except requests.RequestException as failure:
        error = type(failure).__name__
        log.warning("simulator_door_unreachable", error=error)
    took_ms = (time.perf_counter() - began) * 1000
    return Post(letter.label, letter.path, letter.headers, letter.body, status, took_ms, error)


def _door_base() -> str:
    """Give this process's own address: what the server listens on, not what a proxy calls it."""
    host = "127.0.0.1" if auth.current_config().host in EVERYWHERE else auth.current_config().host
    before_proxy = request.environ.get("werkzeug.proxy_fix.orig") or {}
    port = before_proxy.get("SERVER_PORT") or request.environ.get("SERVER_PORT") or auth.current_config().port
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _public_base_url() -> str:
    """Give the address that signatures name: as the door computes it."""
    return auth.current_config().public_base_url or _door_base()


# --- reading what the page sent -----------------------------------------------------------------------------


def _json_body() -> Mapping[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # which `silent` does not catch: nested deeper than Python reads
        body = None
    if not isinstance(body, dict):
        raise Refused("bad_json", _("The request could not be understood."))
    return body


def _text(wishes: Mapping[str, Any], name: str) -> str:
    """Read a text as WhatsApp would carry it: without NUL and without halves of characters."""
    value = wishes.get(name)
    return value.encode("utf-8", "ignore").decode().replace("\x00", "") if isinstance(value, str) else ""


def _integer(wishes: Mapping[str, Any], name: str) -> int:
    value = str(wishes.get(name, ""))
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else 0


def _read_customer(given: Any) -> Customer:
    """Read who holds the phone. The browser keeps invented people until the desk knows them."""
    wishes = given if isinstance(given, Mapping) else {}
    wa_id, bsuid = _text(wishes, "wa_id"), _text(wishes, "bsuid")
    if not phone.is_bsuid(bsuid) or not WA_ID.fullmatch(wa_id):
        raise Refused("bad_customer", _("Nobody holds this phone. Choose a customer."))
    is_hidden = wishes.get("hides_phone") in (True, "1") or not wa_id
    return Customer(_text(wishes, "name")[:MAX_NAME_CHARS], wa_id, bsuid, is_hidden)


def _customer_json(customer: Customer) -> dict[str, Any]:
    shown = simulated_phone.shown_phone(customer.wa_id) or customer.bsuid
    return {
        "name": customer.name,
        "wa_id": customer.wa_id,
        "bsuid": customer.bsuid,
        "hides_phone": customer.hides_phone,
        "label": f"{customer.name} · {shown}" if customer.name else shown,
    }


def _shown_number(number: Integration) -> dict[str, Any]:
    is_meta = number.shape == "meta"
    acts = {"location", "reaction", *FILE_KINDS} | ({"order", "owner"} if is_meta else set())
    return {
        "id": number.id,
        "name": number.name,
        "shape": number.shape,
        "display_phone": number.display_phone,
        "greeting": SAMPLE_TEXTS.get(number.language, SAMPLE_TEXTS["pt"])["greeting"][0],
        "failure_code": _failure_code(number.shape),
        "time_zone": auth.current_config().time_zone,
        "acts": acts,
    }


def _failure_code(shape: str) -> int:
    return FAILURE_CODES.get(shape, FAILURE_CODES["meta"])


def _first_customer(number: Integration) -> Customer:
    """Put a phone into somebody's hand at once: the same person for every first visit to this number."""
    country = {"pt": "BR", "es": "ES"}.get(number.language, "US")
    return simulated_phone.invent(country, "", random.Random(number.id))


def _owner_of(number: Integration) -> Customer | None:
    """Put the owner's own phone among the phones, so that her buttons can be pressed here."""
    known = integrations.number(number.id)
    wa_id = known.owner_phone.removeprefix("+") if known is not None else ""
    return Customer(str(_("The owner")), wa_id, simulated_phone.bsuid_of(wa_id)) if wa_id else None


def _country_label(code: str) -> str:
    country, _dash, variant = code.partition("-")
    territories = (get_locale() or Locale("en")).territories
    name = territories.get(country, country)
    return str(_("%(country)s, older account without the ninth digit", country=name) if variant else name)
