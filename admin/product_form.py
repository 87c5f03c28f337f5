"""The form of a product: what was typed, read in the reader's own way, and what is wrong said at its field.

`products` calls it. Prices are read and shown as the reader of the page writes numbers, times are those of
the shop's zone. A file that was sent is kept before the rest is judged, and the form names it again under our
seal.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from babel.numbers import NumberFormatError, parse_decimal
from flask_babel import format_decimal, get_locale
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage, MultiDict

import media
from admin import kept_files
from config import Config
from models import StoredFile, db
from shop import assortment, catalog, delivery, pictures
from shop.assortment import Goods, Wording
from shop.pictures import NoPicture
from vocabulary import TEXT_LANGUAGES

WHOLE_MAX_DIGITS: Final = 9
# WhatsApp's own limit for a picture; a file leaves by a link of ours, so only our memory limits it.
PICTURE_MAX_BYTES: Final = 5 * 1024 * 1024
FILE_MAX_BYTES: Final = 64 * 1024 * 1024
FORM_MAX_BYTES: Final = PICTURE_MAX_BYTES + FILE_MAX_BYTES + 2 * 1024 * 1024
CURRENCIES: Final = (
    "BRL", "USD", "EUR", "MXN", "ARS", "CLP", "COP", "PEN", "UYU", "PYG", "BOB", "GBP", "CAD", "CHF", "AUD",
    "JPY", "INR", "AED",
)  # fmt: skip
CURRENCY_SIGN: Final = re.compile(r"^(?:[A-Za-z]{0,3}\$|[A-Z]{3}\b|[€£¥₹])\s*|\s*(?:[A-Z]{3}|€)$")
# Python also reads 1e9 and 1_000 as numbers; nobody means a price by them.
PRICE_SIGNS: Final = re.compile(r"[-+]?[\d.,'\s\u2019]+")
LOCAL_TIME: Final = "%Y-%m-%dT%H:%M"
BAD: Final = "bad"


@dataclass(slots=True)
class Form:
    """What was typed, field by field, so that nothing of it is lost; what is wrong; which files are kept."""

    written: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)


# --- showing ------------------------------------------------------------------------------------------------


def form_of(goods: Goods, config: Config) -> Form:
    """Give a product as its form shows it."""
    written = {
        "sku": goods.sku,
        "category": str(goods.category_id or ""),
        "niche": str(goods.niche_id or ""),
        "price": price_field(goods.price_minor, goods.currency),
        "currency": goods.currency,
        "stock": "" if goods.stock is None else str(goods.stock),
        "stock_before": "" if goods.stock is None else str(goods.stock),
        "offer_ends_at": _time_field(goods.offer_ends_at, config.zone),
        "attribution_days": str(goods.attribution_days or ""),
        "delivery_kind": goods.delivery_kind,
        "delivery_text": goods.delivery_text,
        "position": str(goods.position),
        "active": "1" if goods.is_active else "",
    }
    for code, words in goods.words.items():
        written |= {
            f"name_{code}": words.name,
            f"description_{code}": words.description,
            f"benefits_{code}": "\n".join(words.benefits),
        }
    form = Form(written)
    for name, file_id in (("image", goods.image_id), ("delivery_file", goods.delivery_file_id)):
        file = db.session.get(StoredFile, file_id) if file_id is not None else None
        if file is not None:
            kept_files.show(form, name, file, config)
    return form


def price_field(minor: int | None, currency: str) -> str:
    """Write a price as the reader types it: 1.497,00 in Portuguese, 1,497.00 in English."""
    if minor is None:
        return ""
    digits = assortment.currency_precision(currency)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return str(format_decimal(Decimal(minor).scaleb(-digits), pattern))


def _time_field(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime(LOCAL_TIME) if moment is not None else ""


# --- reading ------------------------------------------------------------------------------------------------


def read_form(fields: Mapping[str, str], files: MultiDict[str, FileStorage], config: Config) -> Form:
    """Take what was typed, and keep the files that came with it. Commits them: a refused form comes again."""
    form = Form({name: value.replace("\0", "") for name, value in fields.items()})
    for name, keep in (("image", _keep_picture), ("delivery_file", _keep_file)):
        kept_files.take(form, name, files.get(name), config, partial(keep, form, name, config))
    db.session.commit()
    return form


def read_goods(form: Form, *, language: str, config: Config) -> Goods:
    """Read the form as a product; what cannot be read is noted at its field and left out."""
    currency = _chosen(form, "currency", assortment.current_currencies(), default=CURRENCIES[0])
    before = _stock_before(form)
    return Goods(
        language=language,
        words={code: _wording(form, code) for code in TEXT_LANGUAGES},
        sku=form.written.get("sku", ""),
        category_id=_whole(form, "category"),
        niche_id=_whole(form, "niche"),
        price_minor=_price(form, currency),
        currency=currency,
        stock=_whole(form, "stock"),
        stock_before=int(before) if before else None,
        is_stock_before_known=before is not None,
        offer_ends_at=_time(form, "offer_ends_at", config.zone),
        attribution_days=_whole(form, "attribution_days"),
        image_id=form.files["image"].id if "image" in form.files else None,
        delivery_kind=_chosen(form, "delivery_kind", delivery.KINDS, default=delivery.KINDS[0]),
        delivery_text=form.written.get("delivery_text", "").replace("\r\n", "\n"),
        delivery_file_id=form.files["delivery_file"].id if "delivery_file" in form.files else None,
        position=_whole(form, "position") or 0,
        is_active=form.written.get("active") == "1",
    )


def _wording(form: Form, code: str) -> Wording:
    return Wording(
        form.written.get(f"name_{code}", ""),
        form.written.get(f"description_{code}", "").replace("\r\n", "\n"),
        assortment.lines_of(form.written.get(f"benefits_{code}", "")),
    )


def _price(form: Form, currency: str) -> int | None:
    """Read an amount as the reader of the page writes numbers: in Portuguese 1.497,00, never 1,497.00."""
    typed = CURRENCY_SIGN.sub("", form.written.get("price", "").strip()).strip()
    if not typed:
        form.problems["price"] = "missing"
        return None
    try:
        if not PRICE_SIGNS.fullmatch(typed):
            raise NumberFormatError(typed)
        amount = parse_decimal(typed, locale=get_locale(), strict=True)
    except NumberFormatError:
        form.problems["price"] = BAD
        return None
    digits = assortment.currency_precision(currency)
    minor = amount.scaleb(digits) if amount.is_finite() else Decimal(0)
    if minor != minor.to_integral_value():
        form.problems["price"] = "digits"
        return None
    if not 0 <= minor <= assortment.PRICE_MAX_MINOR:
        form.problems["price"] = "out_of_range"
        return None
    return int(minor)


def _whole(form: Form, name: str) -> int | None:
    """Read a whole number; an empty field is None."""
    typed = form.written.get(name, "").strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= WHOLE_MAX_DIGITS):
        form.problems[name] = BAD
        return None
    return int(typed)


def _stock_before(form: Form) -> str | None:
    """Give the stock with which the form was opened, empty for unlimited; None when it does not say."""
    told = form.written.get("stock_before")
    is_stock = told is not None and re.fullmatch(rf"[0-9]{{0,{WHOLE_MAX_DIGITS}}}", told) is not None
    return told if is_stock else None


def _time(form: Form, name: str, zone: ZoneInfo) -> datetime | None:
    typed = form.written.get(name, "").strip()
    if not typed:
        return None
    try:
        local = datetime.fromisoformat(typed)
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        form.problems[name] = BAD
        return None


def _chosen(form: Form, name: str, known: Collection[str], *, default: str) -> str:
    typed = form.written.get(name, "")
    if typed in known:
        return typed
    form.problems[name] = "none"
    return default


# --- files --------------------------------------------------------------------------------------------------


def _keep_picture(form: Form, name: str, config: Config, sent: FileStorage) -> StoredFile | None:
    """Keep a picture of a kind that WhatsApp shows; what it holds counts, not its name."""
    content = sent.stream.read(PICTURE_MAX_BYTES + 1)
    if len(content) > PICTURE_MAX_BYTES:
        form.problems[name] = "large"
        return None
    try:
        kind = pictures.picture_kind(content)
    except NoPicture as refused:
        form.problems[name] = refused.code
        return None
    return _keep(form, name, content, kind, sent, config, PICTURE_MAX_BYTES)


def _keep_file(form: Form, name: str, config: Config, sent: FileStorage) -> StoredFile | None:
    content = sent.stream.read(FILE_MAX_BYTES + 1)
    return _keep(
        form, name, content, sent.mimetype or "application/octet-stream", sent, config, FILE_MAX_BYTES
    )


def _keep(
    form: Form, name: str, content: bytes, kind: str, sent: FileStorage, config: Config, limit: int
) -> StoredFile | None:
    if len(content) > limit:
        form.problems[name] = "large"
        return None
    if not content:
        form.problems[name] = "empty"
        return None
    now = datetime.now(UTC)
    return media.store(content, kind, sent.filename or name, config.media_dir, now=now)


# --- words --------------------------------------------------------------------------------------------------


def problem_words(name: str, code: str) -> str:
    """Say what is wrong with a field in the language of the page."""
    stem = name.rpartition("_")[0] if name.rpartition("_")[2] in TEXT_LANGUAGES else name
    said = _WORDS.get((stem, code)) or _WORDS.get(("", code))
    return said() if said is not None else str(_("This cannot be kept."))


_WORDS: Final[Mapping[tuple[str, str], Callable[[], str]]] = {
    ("name", "missing"): lambda: str(_("Write a name.")),
    ("name", "long"): lambda: str(_("A name has 160 characters at most.")),
    ("name", "taken"): lambda: str(_("This name is there already.")),
    ("description", "long"): lambda: str(_("A description has 3,000 characters at most.")),
    ("benefits", "many"): lambda: str(_("Up to 12 benefits fit.")),
    ("benefits", "long"): lambda: str(_("A benefit has 200 characters at most.")),
    ("sku", BAD): lambda: str(_("Letters, digits, points and dashes only, 60 at most, no spaces.")),
    ("sku", "taken"): lambda: str(_("Another product has this key.")),
    ("category", "none"): lambda: str(_("Choose a category.")),
    ("", "none"): lambda: str(_("Choose one of these.")),
    ("niche", "none"): lambda: str(_("Choose a niche, or none.")),
    ("price", "missing"): lambda: str(_("Write the price.")),
    ("price", BAD): lambda: str(
        _("This cannot be read as a price. Write it as %(example)s.", example=price_field(149700, "BRL"))
    ),
    ("price", "digits"): lambda: str(_("This currency has fewer digits behind the point.")),
    ("price", "out_of_range"): lambda: str(_("A price is not below nothing and not that large.")),
    ("stock", "out_of_range"): lambda: str(_("From 0 to 1,000,000, or empty for unlimited.")),
    ("attribution_days", "out_of_range"): lambda: str(_("From 1 to 365 days, or empty.")),
    ("position", "out_of_range"): lambda: str(_("From 0 to 9999.")),
    ("offer_ends_at", BAD): lambda: str(_("This is no date with a time.")),
    ("offer_ends_at", "past"): lambda: str(_("This moment is over: a deadline must be true.")),
    ("delivery_text", "missing"): lambda: str(_("Write what the customer gets.")),
    ("delivery_text", "long"): lambda: str(_("A text has 3,500 characters at most.")),
    ("delivery_file", "missing"): lambda: str(_("Choose the file that the customer gets.")),
    ("delivery_file", "large"): lambda: str(_("The file is larger than 64 MB.")),
    ("image", "large"): lambda: str(_("The picture is larger than 5 MB, which WhatsApp does not take.")),
    ("image", "no_picture"): lambda: str(_("This is no whole PNG or JPEG picture.")),
    ("image", "pixels"): lambda: str(_("The picture has more than 25 million points. Make it smaller.")),
    ("image", "colours"): lambda: str(_("WhatsApp takes pictures in RGB colours, 8 bits each. Save it so.")),
    ("keys", "many"): lambda: str(_("Add at most 10,000 keys at once.")),
    ("keys", "long"): lambda: str(_("A key has 190 characters at most, one on each line.")),
    ("", BAD): lambda: str(_("Write a whole number.")),
    ("", "empty"): lambda: str(_("The file is empty.")),
}  # fmt: skip


def delivery_words() -> dict[str, str]:
    """Name the ways in which a product is handed over."""
    return {
        delivery.MANUAL: _("By a person"),
        delivery.TEXT: _("A text in the chat"),
        delivery.FILE: _("A file by private link"),
        delivery.KEY: _("A licence key"),
    }


def priced(minor: int, currency: str) -> str:
    """Write a price as the reader of the page does."""
    return catalog.price_text(minor, currency, str(get_locale() or "en")[:2])
