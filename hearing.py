"""Voice notes, pictures and documents made out before the turn, where a model is set that can.

The pipeline calls `made_out` with no transaction open. What a recording says becomes the message's words;
without such a model, or when it fails, the message stays as it came and the desk says what it cannot read.
What a picture or a document shows no fixed text can answer: where no model wrote the reply, it waits for a
person (`answered`, `tell_unseen`).
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

import ai_service
import alerts
import answering
import consulting
from consulting import Means
from conversations import Thread
from flow_turns import Answer
from llm import File
from providers import provider
from providers.base import DownloadedMedia, InboundMessage
from understanding import Arrival, Understanding

log = structlog.get_logger()

MAX_BYTES: Final = 20 * 1024 * 1024  # what services take; larger files wait for a person
# Of these a model tells what it sees; a recording's words are the customer's own.
SHOWN_KINDS: Final = frozenset({"image", "document"})
WRITTEN: Final = "model"


def made_out(means: Means, thread: Thread, arrival: Arrival, now: datetime) -> Arrival:
    """Give the arrival with the words that a model made out of its file; unchanged where none could."""
    message = arrival.message
    file = message.media
    if file is None or means.assistant is None or thread.is_with_person(now) or thread.has_opted_out:
        return arrival
    if not ai_service.can_make_out(means.assistant, message.kind, file.mime_type):
        return arrival
    assistant = consulting.assistant(means, now)
    if assistant is None:
        return arrival
    account = arrival.number.account
    fetched = provider(account.provider).fetch_media(account, file, max_bytes=MAX_BYTES)
    if not isinstance(fetched, DownloadedMedia):
        log.info("media_not_made_out", event_id=arrival.event_id, code=fetched.code)
        return arrival
    means.keep_lease()
    language = thread.language or arrival.number.language
    sent = File(fetched.content, fetched.mime_type.partition(";")[0].strip(), fetched.filename or "file")
    words, call = ai_service.make_out(assistant, message.kind, sent, language=language)
    consulting.keep([call], means, conversation_id=thread.conversation_id, now=now)
    return replace(arrival, event=_with_words(message, words, call.result.model)) if words else arrival


def _with_words(message: InboundMessage, words: str, model: str) -> InboundMessage:
    """Put what was made out after the caption, and keep who made it out."""
    text = f"{message.text}\n{words}".strip()
    extra = {**message.extra, "made_out_by": model, "has_caption": bool(message.text.strip())}
    return replace(message, text=text, extra=extra)


def answered(understood: Understanding, answer: Answer) -> Answer:
    """Give the answer, or thanks for a file without a caption that a model saw and no model answered."""
    if not is_unseen(understood, answer) or understood.first.message.extra["has_caption"]:
        return answer
    return replace(answering.thank_for_file(understood), reply=answer.reply)


def is_unseen(understood: Understanding, answer: Answer) -> bool:
    """Tell whether a file was made out and a model's reply to it was wanted in vain."""
    message = understood.first.message
    if message.kind not in SHOWN_KINDS or "made_out_by" not in message.extra:
        return False
    # What an action did it did with the words of the file, or of the caption alone.
    is_in_vain = not answer.actions or message.extra["has_caption"]
    is_ours = understood.decision.responder in ("ai", "menu")
    return is_ours and is_in_vain and answer.source not in (WRITTEN, answering.RECEIPT_TAKEN)


def tell_unseen(thread: Thread, understood: Understanding, now: datetime) -> None:
    """Have somebody look at the file."""
    alerts.raise_alert(
        "media",
        f"media:{thread.conversation_id}",
        f"A customer sent a file that nobody has looked at: {understood.first.message.kind}",
        conversation_id=thread.conversation_id,
        now=now,
    )
