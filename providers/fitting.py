"""Bringing a message to a provider's limits: long text in pieces, cut titles, menus as numbered text.

The provider modules call it with their own `Limits`. Pure. Lengths are UTF-16 units, as phones count: never
fewer than code points, so a text that fits here fits however the provider counts.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from message_content import Choice, Content, LinkButton, LocationRequest, Media, Menu, Text
from providers.base import Limits
from providers.loose import clean_text

# A piece that would be shorter than this part of the limit is not worth a nicer end.
_LEAST_PART = 0.4
_ENDS = ("\n\n", "\n", ". ", "! ", "? ", "; ", " ")
_ELLIPSIS = "…"
_NO_BODY = "👇"
# The files that carry no words under them.
_WITHOUT_CAPTION = ("audio", "sticker")
_ZERO_WIDTH_JOINER = "\u200d"


def length(text: str) -> int:
    """Count UTF-16 units: characters beyond the first plane (emoji) are two."""
    return len(text) + sum(1 for c in text if c > "\uffff") if not text.isascii() else len(text)


def split_text(text: str, limit: int) -> list[str]:
    """Cut a text at paragraph, line, sentence or word ends into pieces of at most `limit`; none is empty."""
    pieces = []
    rest = clean_text(text).strip()
    while length(rest) > limit:
        cut = _best_end(rest, _index_of(rest, limit))
        piece, rest = rest[:cut].rstrip(), rest[cut:].lstrip()
        if piece:
            pieces.append(piece)
    return [*pieces, rest] if rest else pieces


def shorten(text: str, limit: int) -> str:
    """Cut a one-line text to `limit`, with an ellipsis when something is lost; line ends become spaces."""
    line = " ".join(clean_text(text).split())
    if length(line) <= limit:
        return line
    return line[: _index_of(line, limit - 1)].rstrip() + _ELLIPSIS


def shorten_distinct(titles: Sequence[str], limit: int) -> list[str]:
    """Cut every title to `limit`; titles that became equal get a number at the end."""
    seen: set[str] = set()
    result = []
    for title in titles:
        short, number = shorten(title, limit), 2
        while short.casefold() in seen:
            mark = f" ({number})"
            short = shorten(title, limit - len(mark)) + mark
            number += 1
        seen.add(short.casefold())
        result.append(short)
    return result


def fit_text(content: Text, limits: Limits) -> tuple[Content, ...]:
    return tuple(replace(content, body=piece) for piece in split_text(content.body, limits.text))


def fit_media(content: Media, limits: Limits) -> tuple[Content, ...]:
    """Keep the start of a long caption under the file; the rest, and words no file may carry, follow as
    text."""
    room = 0 if content.media_kind in _WITHOUT_CAPTION else limits.caption
    pieces = split_text(content.caption, room) if room else []
    caption = pieces[0] if pieces else ""
    rest = clean_text(content.caption).strip()[len(caption) :].strip()
    filename = shorten(content.filename, 240) if content.media_kind == "document" else ""
    after = tuple(Text(piece) for piece in split_text(rest, limits.text))
    if sum(map(bool, (content.link, content.media_id, content.file_id))) != 1:
        # No file to send, or several: the words are all that can be sent.
        words = content.caption if not content.link else f"{content.caption}\n{content.link}"
        return tuple(Text(piece) for piece in split_text(words, limits.text))
    return (replace(content, caption=caption, filename=filename), *after)


def fit_link(content: LinkButton, limits: Limits) -> tuple[Content, ...]:
    """Keep the button when it can be one; else the address stands in the text."""
    address = content.url.strip()
    if not address.startswith(("https://", "http://")) or " " in address or not address.isprintable():
        return tuple(Text(piece) for piece in split_text(content.summary, limits.text))
    before, body = _last_body(content.body or content.header, limits)
    fitted = replace(
        content,
        body=body,
        url=address,
        title=shorten(content.title, limits.link_title) or "Link",
        header=shorten(content.header, limits.header),
        footer=shorten(content.footer, limits.footer),
    )
    return (*before, fitted)


def fit_location_request(content: LocationRequest, limits: Limits) -> tuple[Content, ...]:
    before, body = _last_body(content.body, limits)
    return (*before, replace(content, body=body))


def fit_menu(content: Menu, limits: Limits) -> tuple[Content, ...]:
    """Make reply buttons or a list of the menu; numbered text when it is too long for both or its ids cannot
    be sent."""
    ids = [choice.id for choice in content.choices]
    can_be_pressed = all(0 < length(id) <= limits.choice_id and id == clean_text(id).strip() for id in ids)
    if not 0 < len(ids) <= limits.rows_count or len(set(ids)) < len(ids) or not can_be_pressed:
        return numbered(content, limits)
    before, body = _last_body(content.body or content.header, limits)
    choices = [_one_line(choice) for choice in content.choices]
    fitted = replace(
        content,
        body=body,
        header=shorten(content.header, limits.header),
        footer=shorten(content.footer, limits.footer),
        button=shorten(content.button, limits.list_button),
        choices=_fit_choices(choices, limits),
    )
    return (*before, fitted)


def are_buttons(choices: Sequence[Choice], limits: Limits) -> bool:
    """Tell whether the choices can be reply buttons as they are; else they are rows of a list."""
    return len(choices) <= limits.buttons_count and all(
        not choice.description and length(choice.title) <= limits.button_title for choice in choices
    )


def numbered(content: Menu, limits: Limits) -> tuple[Content, ...]:
    """Write the menu as text: every choice on a line behind what a person types for it."""
    parts = [f"*{content.header.strip()}*" if content.header.strip() else "", content.body.strip()]
    if not content.options_in_body:
        lines = [_line(number, choice) for number, choice in enumerate(content.choices, 1)]
        parts.append("\n".join(lines))
    parts.append(f"_{content.footer.strip()}_" if content.footer.strip() else "")
    whole = "\n\n".join(part for part in parts if part)
    return tuple(Text(piece) for piece in split_text(whole, limits.text))


def _line(number: int, choice: Choice) -> str:
    title = " ".join(choice.title.split()) or choice.id
    description = " ".join(choice.description.split())
    return f"{choice.key or number}. {title}" + (f" – {description}" if description else "")


def _one_line(choice: Choice) -> Choice:
    title = " ".join(clean_text(choice.title).split()) or choice.key or choice.id
    return replace(choice, title=title, description=" ".join(clean_text(choice.description).split()))


def _fit_choices(choices: list[Choice], limits: Limits) -> tuple[Choice, ...]:
    is_short = all(
        length(choice.title) <= limits.button_title and not choice.description for choice in choices
    )
    room = limits.button_title if len(choices) <= limits.buttons_count and is_short else limits.row_title
    titles = shorten_distinct([choice.title for choice in choices], room)
    return tuple(
        # A cut title is shown whole in the row's description, where there is room.
        replace(
            choice,
            title=title,
            description=shorten(
                choice.description or (choice.title if title != choice.title else ""), limits.row_description
            ),
        )
        for choice, title in zip(choices, titles, strict=True)
    )


def _last_body(body: str, limits: Limits) -> tuple[tuple[Content, ...], str]:
    """Split a body so that its last piece stands with the buttons; what comes before goes ahead as text."""
    pieces = split_text(body, limits.menu_body) or [_NO_BODY]
    if len(pieces) == 1:
        return (), pieces[0]
    ahead = clean_text(body).strip().removesuffix(pieces[-1])
    return tuple(Text(piece) for piece in split_text(ahead, limits.text)), pieces[-1]


def _index_of(text: str, limit: int) -> int:
    """Give the greatest index whose text before it has at most `limit` units and that parts no character."""
    if length(text) <= limit:
        return len(text)
    units = index = 0
    while units <= limit:
        units += 2 if text[index] > "\uffff" else 1
        index += 1
    index -= 1
    whole = index
    while whole > 0 and _is_joined(text, whole):
        whole -= 1
    # A text that is one endless cluster is cut anyway.
    return whole or max(index, 1)


def _is_joined(text: str, index: int) -> bool:
    """Tell whether the character at `index` belongs to the one before: accents, skin tones, joined emoji,
    flags."""
    before, after = text[index - 1], text[index]
    if before == _ZERO_WIDTH_JOINER or after == _ZERO_WIDTH_JOINER:
        return True
    if unicodedata.combining(after) or after in "\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if not (_is_flag_half(before) and _is_flag_half(after)):
        return False
    start = index
    while start > 0 and _is_flag_half(text[start - 1]):
        start -= 1
    return (index - start) % 2 == 1


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _best_end(text: str, limit: int) -> int:
    least = int(limit * _LEAST_PART)
    for end in _ENDS:
        found = text.rfind(end, least, limit)
        if found > 0:
            return found + len(end.rstrip())
    return limit
