"""The third provider: it speaks Meta's or Twilio's language and reaches nobody.

The door takes its webhooks as any other; `whatsapp_service` sends through it with the real builders and
limits, so a message that could not leave does not seem to. The simulator page has `webhook` build and sign
what a phone would cause. No network, no state, no clock of its own.
"""

from dataclasses import replace
from datetime import datetime

from twilio.request_validator import SIGNATURE_HEADER as TWILIO_SIGNATURE_HEADER

from message_content import Content, Media, Template
from providers import (
    meta_errors,
    meta_messages,
    simulated_media,
    simulated_meta,
    simulated_twilio,
    twilio_errors,
    twilio_messages,
)
from providers.base import (
    Account,
    DownloadedMedia,
    Element,
    Event,
    Health,
    InboundMedia,
    Limits,
    MediaError,
    OwnFile,
    Person,
    ProviderError,
    SendError,
    Sent,
    SignedRequest,
)
from providers.headers import header
from providers.meta import meta, with_file
from providers.simulated_events import SimulatedEvent, SimulatedRequest, sid, wamid
from providers.templates import Draft, ListedTemplate, Submitted
from providers.twilio import twilio

__all__ = ["SimulatedEvent", "SimulatedRequest", "Simulator", "simulator", "webhook"]

_LIMITS = {"meta": meta_messages.LIMITS, "twilio": twilio_messages.LIMITS}
_BOTH = replace(meta_messages.LIMITS, text=twilio_messages.LIMITS.text)


class Simulator:
    """The provider of simulated numbers. `shape` matters to `fit` alone: without it the result suits both."""

    name = "simulator"
    keeps_templates = False

    def __init__(self, shape: str = "") -> None:
        self.shape = shape
        self.limits: Limits = _LIMITS.get(shape, _BOTH)

    def verify(self, request: SignedRequest, app_secret: str) -> bool:
        if header(request.headers, TWILIO_SIGNATURE_HEADER):
            return twilio.verify(request, app_secret)
        return meta.verify(request, app_secret)

    def split(self, request: SignedRequest) -> list[Element]:
        is_form = "urlencoded" in header(request.headers, "Content-Type").lower()
        return twilio.split(request) if request.form or is_form else meta.split(request)

    def parse(self, payload: bytes) -> Event:
        """Read an element of either shape: Twilio's always begins with its form."""
        return twilio.parse(payload) if payload.startswith(b'{"form":') else meta.parse(payload)

    def fit(self, content: Content) -> tuple[Content, ...]:
        """Fit as the shape does; without one, Meta's buttons and lists with Twilio's shorter text."""
        if self.shape == "twilio":
            return twilio.fit(content)
        fitted = meta.fit(content)
        if self.shape == "meta":
            return fitted
        return tuple(p for part in fitted for p in (twilio.fit(part) if part.KIND == "text" else (part,)))

    def attach(self, account: Account, content: Media | Template, file: OwnFile) -> Content | SendError:
        if isinstance(content, Media):
            return replace(content, file_id=0, link=file.url)
        return with_file(content, file, {"link": file.url})

    def explain(self, error: ProviderError) -> SendError:
        # Twilio's codes have five digits and begin where Meta has none.
        is_twilios = error.code in twilio_errors.MEANINGS and error.code not in meta_errors.MEANINGS
        return twilio.explain(error) if is_twilios else meta.explain(error)

    def send(
        self, account: Account, to: Person, content: Content, *, reference: str, quotes: str | None = None
    ) -> Sent | SendError:
        """Build the real request and refuse what the real one would refuse; then say it was accepted.

        The id comes from the reference: sending twice gives the same message.
        """
        if account.shape != "twilio":
            payload = meta_messages.prepare(to, content, reference=reference, quotes=quotes)
            return payload if isinstance(payload, SendError) else Sent(wamid(reference))
        # What was fitted without the shape may be a menu, which is more than one text here.
        for piece in twilio.fit(content) or (content,):
            fields = twilio_messages.prepare(account, to, piece, reference=reference)
            if isinstance(fields, SendError):
                return fields
        return Sent(sid("SM", reference))

    def mark_read(self, account: Account, external_id: str, *, typing: bool) -> bool:
        return True

    def fetch_media(
        self, account: Account, media: InboundMedia, *, max_bytes: int
    ) -> DownloadedMedia | MediaError:
        file = simulated_media.content_of(media)
        if file is None:
            return MediaError("simulated", "A simulated message of this kind has no file behind it.")
        if len(file.content) > max_bytes:
            return MediaError("too_large", "The file is larger than may be stored.")
        return file

    def health(self, account: Account) -> Health:
        words = "Simulated number: always there, reaches nobody."
        return Health(True, words, {"shape": account.shape}, "simulated")

    def list_templates(self, account: Account) -> tuple[ListedTemplate, ...] | SendError:
        return ()

    def submit_template(
        self, account: Account, draft: Draft, external_id: str = "", file: OwnFile | None = None
    ) -> Submitted | SendError:
        """Approve at once: nobody reviews what reaches nobody."""
        prefix = "HX" if account.shape == "twilio" else "TP"
        external_id = sid(prefix, f"{account.number_id}:{draft.name}:{draft.language}")
        return Submitted(external_id, "approved", draft.category)


simulator = Simulator()


def webhook(
    account: Account, event: SimulatedEvent, *, public_base_url: str, now: datetime
) -> SimulatedRequest:
    """Build and sign the webhook that `event` would cause, in the account's shape.

    `public_base_url` is the origin under which the door knows itself: Twilio signs the whole address. An echo
    exists only at Meta: for a Twilio-shaped account it raises ValueError.
    """
    event = replace(event, at=event.at or now)
    event = replace(event, external_id=_external_id(event, is_twilio=account.shape == "twilio"))
    if account.shape == "twilio":
        made = simulated_twilio.build(account, event, public_base_url)
    else:
        made = simulated_meta.build(account, event, event.at or now)
    return replace(made, external_id=event.external_id)


def _external_id(event: SimulatedEvent, *, is_twilio: bool) -> str:
    """Give the event's own id; one made of it is the same when the same event is built again."""
    seed = event.reference or repr(event)
    return event.external_id or (sid("SM", seed) if is_twilio else wamid(seed))
