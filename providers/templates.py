"""What a message template holds, which placeholders it has, what a provider allows, and how it is filled.

`meta` and `twilio` read their lists into `ListedTemplate`; `message_templates` fills. Pure. Sources: Meta,
"Templates: components, parameters, supported languages" (April 2026); Twilio, "Content template types".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

Style = Literal["numbered", "named", "shared"]

NAME_MAX: Final = 512
HEADER_MAX: Final = 60
BODY_MAX: Final = 1024
FOOTER_MAX: Final = 60
BUTTONS_MAX: Final = 10
BUTTON_TEXT_MAX: Final = 25
URL_MAX: Final = 2000
URL_BUTTONS_MAX: Final = 2
CODE_MAX: Final = 15
# Twilio, "Using variables with content templates" and "twilio/quick-reply".
SHARED_NAME_MAX: Final = 16
SHARED_BUTTON_MAX: Final = 20
# Meta refuses a body that is hardly more than its placeholders; its own ratio is not published.
WORDS_PER_PLACEHOLDER: Final = 2
CATEGORIES: Final = ("utility", "marketing")
MEDIA_HEADERS: Final = ("image", "video", "document")
# What a sample of each may be (Meta, "Template media" and "Resumable Upload API"), and how large.
SAMPLES: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    "image": (("image/jpeg", "image/png"), 5 * 1024**2),
    "video": (("video/mp4",), 16 * 1024**2),
    "document": (("application/pdf",), 16 * 1024**2),
}
# A file's kind by the ending of its address: Twilio is told nothing else.
_ENDINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("jpg", "jpeg", "png"), "image"),
    **dict.fromkeys(("mp4", "3gp"), "video"),
    **dict.fromkeys(("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt"), "document"),
}
# Buttons that need no values, or a value that we know how to give.
SENDABLE_BUTTONS: Final = ("quick_reply", "url", "phone_number", "copy_code", "voice_call")
WRITABLE_BUTTONS: Final = ("quick_reply", "url", "phone_number", "copy_code")
LANGUAGE_CODES: Final = (
    "ar", "de", "en", "en_GB", "en_US", "es", "es_AR", "es_ES", "es_MX", "fr", "it", "ja", "ko", "pt_BR",
    "pt_PT", "zh_CN", "zh_HK", "zh_TW",
)  # fmt: skip
# Which regional form stands for a language when several are there.
USUAL_FORMS: Final = ("pt_BR", "es_MX", "en_US", "es_ES", "zh_CN")
HEADER: Final = "header"

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}", re.ASCII)
_NAME = re.compile(r"[a-z0-9_]{1,512}", re.ASCII)
_TIGHT = re.compile(r"\}\}\s*\{\{")
_EDGE = re.compile(r"^\s*\{\{|\}\}[\s.,!?;:]*$")


@dataclass(frozen=True, slots=True)
class Button:
    """One button; `text` is its title, the rest depends on `kind`."""

    kind: str
    text: str
    url: str = ""
    phone: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """Everything that a template says. `style` tells how placeholders are named: numbered anew in each part,
    by names, or shared by all parts (Twilio). `header` holds a text, or at Twilio the address of the file;
    `file_id` is the file of ours that goes on top (Meta). `unsupported` names a part that the desk cannot
    fill."""

    body: str
    header_kind: str = ""  # text, image, video, document, or none
    header: str = ""
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)  # by placeholder key
    style: Style = "numbered"
    unsupported: str = ""
    file_id: int = 0


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value that a template wants. `key` is how `fill` is given it; `kind`: text, media or code."""

    key: str
    kind: Literal["text", "media", "code"] = "text"
    example: str = ""


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A template as its provider knows it; words are in lower case."""

    external_id: str
    name: str
    language: str
    category: str
    status: str
    wording: Wording
    status_reason: str = ""
    quality: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A template that is to be handed in."""

    name: str
    language: str
    category: str
    wording: Wording


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the provider said to a draft, or says of it now; it may have changed the category."""

    external_id: str
    status: str
    category: str
    status_reason: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values: the provider's components, the words as the customer reads them, and the
    file of ours that delivery puts on top."""

    components: tuple[dict[str, Any], ...]
    preview: str
    file_id: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a provider would refuse: `part` is the form's field, `code` names the reason."""

    part: str
    code: str
    detail: str = ""


class Unfillable(ValueError):
    """The values do not fit: `code` is missing, too_long, bad_link or unsupported; `keys` are the
    placeholders."""

    def __init__(self, code: str, keys: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {', '.join(keys)}")
        self.code = code
        self.keys = tuple(keys)


# --- placeholders -------------------------------------------------------------------------------------------


def placeholders(wording: Wording) -> tuple[Placeholder, ...]:
    """List the values that a template wants, header first, each once.

    Keys: the body's own names ("1", "name"), "header" for a file's address where no file of ours stands on
    top, "header:1" of a header's text, "button:0" for what follows a link or for a code. At Twilio all parts
    share the body's names.
    """
    keys: dict[str, Literal["text", "media", "code"]] = {}
    if wording.style == "shared":
        parts = (wording.header, wording.body, *(button.url for button in wording.buttons))
        keys.update((name, "text") for part in parts for name in names_in(part))
    else:
        if wording.header_kind in MEDIA_HEADERS and not wording.file_id:
            keys[HEADER] = "media"
        keys.update((f"{HEADER}:{name}", "text") for name in names_in(wording.header))
        keys.update((name, "text") for name in names_in(wording.body))
        for place, button in enumerate(wording.buttons):
            if button.kind == "url" and names_in(button.url):
                keys[f"button:{place}"] = "text"
            elif button.kind == "copy_code":
                keys[f"button:{place}"] = "code"
    return tuple(Placeholder(key, kind, wording.examples.get(key, "")) for key, kind in keys.items())


def names_in(text: str) -> tuple[str, ...]:
    """Give the names of the placeholders in a text, in order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def style_of(body: str, *, is_shared: bool) -> Style:
    """Tell how a text names its placeholders; `is_shared` at Twilio, where one numbering runs through all
    parts."""
    names = names_in(body)
    is_named = bool(names) and not any(name.isdigit() for name in names)
    return "shared" if is_shared else "named" if is_named else "numbered"


def pick_language(wanted: str, offered: Iterable[str]) -> str | None:
    """Choose the template language for a person who speaks `wanted` ("pt"); None when none fits."""
    codes = sorted(offered)
    if wanted in codes:
        return wanted
    short = wanted.partition("_")[0]
    if short in codes:
        return short
    forms = [code for code in codes if short and code.partition("_")[0] == short]
    return next((code for code in USUAL_FORMS if code in forms), forms[0] if forms else None)


# --- filling ------------------------------------------------------------------------------------------------


def fill(wording: Wording, values: Mapping[str, str], payloads: Mapping[int, str] | None = None) -> Filled:
    """Put values into every placeholder. `payloads` are the ids that quick replies send back, by place.

    A value is one line: providers refuse line ends and long gaps in it. A value for "header" takes the place
    of the file of ours. Raises Unfillable.
    """
    if wording.unsupported:
        raise Unfillable("unsupported", [wording.unsupported])
    if wording.file_id and values.get(HEADER):
        wording = replace(wording, file_id=0)
    wanted = placeholders(wording)
    given = {one.key: " ".join(str(values.get(one.key) or "").split()) for one in wanted}
    if missing := [key for key, value in given.items() if not value]:
        raise Unfillable("missing", missing)
    bad_links = [one.key for one in wanted if one.kind == "media" and not _is_https(given[one.key])]
    if bad_links:
        raise Unfillable("bad_link", bad_links)
    body = put_in(wording.body, given)
    if len(body) > BODY_MAX:
        raise Unfillable("too_long", names_in(wording.body))
    components = _variables(given) if wording.style == "shared" else _components(wording, given, payloads)
    return Filled(components, preview(wording, given), wording.file_id)


def preview(wording: Wording, values: Mapping[str, str]) -> str:
    """Give the words as the customer reads them; a placeholder without value stays as it is written."""
    prefix = "" if wording.style == "shared" else f"{HEADER}:"
    of_header = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    header = put_in(wording.header, of_header) if wording.header_kind == "text" else ""
    parts = (
        f"*{header}*" if header else "",
        put_in(wording.body, values),
        f"_{wording.footer}_" if wording.footer else "",
    )
    return "\n\n".join(part for part in parts if part)


def put_in(text: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder whose value is given; the others stay as they are."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _header_values(wording: Wording, given: Mapping[str, str]) -> dict[str, str]:
    if wording.style == "shared":
        return dict(given)
    return {name: given[f"{HEADER}:{name}"] for name in names_in(wording.header)}


def _variables(given: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    return ({"type": "variables", "values": dict(given)},) if given else ()


def _components(
    wording: Wording, given: Mapping[str, str], payloads: Mapping[int, str] | None
) -> tuple[dict[str, Any], ...]:
    made: list[dict[str, Any]] = []
    if wording.header_kind in MEDIA_HEADERS:
        if not wording.file_id:
            made.append(file_header(wording.header_kind, {"link": given[HEADER]}))
    elif header := _header_values(wording, given):
        made.append({"type": HEADER, "parameters": _texts(wording, header)})
    if names := names_in(wording.body):
        made.append({"type": "body", "parameters": _texts(wording, {name: given[name] for name in names})})
    for place, button in enumerate(wording.buttons):
        if parameter := _button_parameter(button, given.get(f"button:{place}"), (payloads or {}).get(place)):
            made.append(
                {
                    "type": "button",
                    "sub_type": button.kind,
                    "index": str(place),
                    "parameters": [parameter],
                }
            )
    return tuple(made)


def file_header(kind: str, file: Mapping[str, str]) -> dict[str, Any]:
    """Give the component that puts a file on top: `file` names it by `id` or `link`."""
    return {"type": HEADER, "parameters": [{"type": kind, kind: dict(file)}]}


def _texts(wording: Wording, values: Mapping[str, str]) -> list[dict[str, str]]:
    is_named = wording.style == "named"
    return [
        {"type": "text", "text": value} | ({"parameter_name": name} if is_named else {})
        for name, value in values.items()
    ]


def _button_parameter(button: Button, value: str | None, payload: str | None) -> dict[str, str] | None:
    if button.kind == "quick_reply" and payload:
        return {"type": "payload", "payload": payload}
    if button.kind == "copy_code" and value:
        return {"type": "coupon_code", "coupon_code": value[:CODE_MAX]}
    if button.kind == "url" and value:
        return {"type": "text", "text": quote(value, safe="/?=&-._~%:,")}
    return None


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


# --- what a provider would refuse ---------------------------------------------------------------------------


def problems(draft: Draft) -> list[Problem]:
    """Find what Meta would refuse, before it is asked; nothing when nothing is known to be wrong. Twilio
    hands in at Meta, whose rules hold there too."""
    wording = draft.wording
    found = [
        *([] if _NAME.fullmatch(draft.name) else [Problem("name", "bad_name")]),
        *([] if draft.language in LANGUAGE_CODES else [Problem("language", "unknown_language")]),
        *([] if draft.category in CATEGORIES else [Problem("category", "unknown_category")]),
        *_header_problems(wording),
        *_body_problems(wording),
        *_length("footer", wording.footer, FOOTER_MAX),
        *([Problem("footer", "no_placeholder_here")] if "{{" in wording.footer else []),
        *_button_problems(wording.buttons, wording.style),
        *_shared_problems(wording),
    ]
    unexplained = [one.key for one in placeholders(wording) if one.kind == "text" and not one.example.strip()]
    return [*found, *(Problem("examples", "no_example", key) for key in unexplained)]


def _header_problems(wording: Wording) -> list[Problem]:
    if wording.header_kind == "":
        return []
    if wording.header_kind in MEDIA_HEADERS:
        return _media_problems(wording)
    if wording.header_kind != "text":
        return [Problem("header_kind", "header_kind")]
    found = _length("header", wording.header, HEADER_MAX)
    if not wording.header.strip():
        found.append(Problem("header", "empty"))
    if len(names_in(wording.header)) > 1:
        found.append(Problem("header", "one_placeholder"))
    if "\n" in wording.header or "*" in wording.header:
        found.append(Problem("header", "plain_line"))
    return [*found, *_naming_problems("header", wording.header, wording.style)]


def _media_problems(wording: Wording) -> list[Problem]:
    """A sample goes along for the review: at Meta a file of ours, at Twilio what the address leads to."""
    if wording.style != "shared":
        return [] if wording.file_id else [Problem("header_file", "no_file")]
    address = put_in(wording.header, wording.examples)
    if not _is_https(address):
        return [Problem("header", "bad_link")]
    kind = kind_of_address(address)
    return [] if kind == wording.header_kind else [Problem("header", "other_kind")]


def kind_of_address(address: str) -> str:
    """Tell by the ending of an address what file lies there: image, video, document, or nothing known."""
    name = address.partition("?")[0].rpartition("/")[2]
    return _ENDINGS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def _shared_problems(wording: Wording) -> list[Problem]:
    """At Twilio one numbering runs through all parts; names have 16 characters at most."""
    if wording.style != "shared":
        return []
    names = [one.key for one in placeholders(wording)]
    if long := next((name for name in names if len(name) > SHARED_NAME_MAX), ""):
        return [Problem("body", "bad_placeholder_name", long)]
    numbers = sorted(int(name) for name in names if name.isdecimal())
    is_in_sequence = numbers in ([], list(range(1, len(names) + 1)))
    return [] if is_in_sequence else [Problem("body", "not_in_sequence")]


def _body_problems(wording: Wording) -> list[Problem]:
    body = wording.body
    if not body.strip():
        return [Problem("body", "empty")]
    found = [*_length("body", body, BODY_MAX), *_naming_problems("body", body, wording.style)]
    if _EDGE.search(body.strip()):
        found.append(Problem("body", "placeholder_at_edge"))
    if _TIGHT.search(body):
        found.append(Problem("body", "placeholders_touch"))
    words = len(_PLACEHOLDER.sub(" ", body).split())
    if names_in(body) and words < WORDS_PER_PLACEHOLDER * len(names_in(body)):
        found.append(Problem("body", "too_few_words"))
    if "\n\n\n" in body.replace("\r", ""):
        found.append(Problem("body", "many_line_ends"))
    return found


def _naming_problems(part: str, text: str, style: str) -> list[Problem]:
    names = names_in(text)
    if text.count("{{") != len(_PLACEHOLDER.findall(text)) or text.count("}}") != text.count("{{"):
        return [Problem(part, "broken_placeholder")]
    if style == "shared":
        return []
    if style == "named":
        bad = [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
        return [Problem(part, "bad_placeholder_name", bad[0])] if bad else []
    expected = [str(place) for place in range(1, len(names) + 1)]
    return [] if sorted(names, key=lambda n: (len(n), n)) == expected else [Problem(part, "not_in_sequence")]


def _button_problems(buttons: Sequence[Button], style: str) -> list[Problem]:
    found = [Problem("buttons", "too_many", str(BUTTONS_MAX))] if len(buttons) > BUTTONS_MAX else []
    for kind, most in (("url", URL_BUTTONS_MAX), ("phone_number", 1), ("copy_code", 1)):
        if sum(button.kind == kind for button in buttons) > most:
            found.append(Problem("buttons", "too_many_of_kind", kind))
    titles = [button.text.strip().lower() for button in buttons if button.kind != "copy_code"]
    if len(set(titles)) != len(titles):
        found.append(Problem("buttons", "same_title"))
    if _are_mixed([button.kind == "quick_reply" for button in buttons]):
        found.append(Problem("buttons", "mixed"))
    return [*found, *(problem for button in buttons for problem in _one_button(button, style))]


def _are_mixed(are_replies: Sequence[bool]) -> bool:
    """Quick replies must stand together: one change between the kinds at most."""
    return sum(one != other for one, other in pairwise(are_replies)) > 1


def _one_button(button: Button, style: str) -> list[Problem]:
    if button.kind not in WRITABLE_BUTTONS:
        return [Problem("buttons", "button_kind", button.kind)]
    found = [] if button.text.strip() or button.kind == "copy_code" else [Problem("buttons", "empty")]
    found += _length("buttons", button.text, SHARED_BUTTON_MAX if style == "shared" else BUTTON_TEXT_MAX)
    if "{{" in button.text:
        found.append(Problem("buttons", "no_placeholder_here"))
    if button.kind == "url":
        names = names_in(button.url)
        if not _is_https(button.url.partition("{{")[0]) or len(button.url) > URL_MAX:
            found.append(Problem("buttons", "bad_link", button.text))
        elif (names and not button.url.endswith("}}")) or (
            len(names) > 1 or (style != "shared" and names not in ((), ("1",)))
        ):
            found.append(Problem("buttons", "link_placeholder", button.text))
    if button.kind == "phone_number" and not re.fullmatch(r"\+?\d{6,20}", button.phone):
        found.append(Problem("buttons", "bad_phone", button.text))
    if button.kind == "copy_code" and not 0 < len(button.code) <= CODE_MAX:
        found.append(Problem("buttons", "bad_code"))
    return found


def _length(part: str, text: str, most: int) -> list[Problem]:
    return [Problem(part, "too_long", str(most))] if len(text) > most else []


# --- as JSON ------------------------------------------------------------------------------------------------


def to_json(wording: Wording) -> dict[str, Any]:
    """Give a wording as a JSON object for its row."""
    return {**asdict(wording), "buttons": [asdict(button) for button in wording.buttons]}


def from_json(stored: Mapping[str, Any]) -> Wording:
    """Read back what `to_json` gave."""
    fields = dict(stored)
    buttons = tuple(Button(**button) for button in fields.pop("buttons", ()))
    return Wording(**fields, buttons=buttons)
