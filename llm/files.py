"""What customers send that is no text, through models that can: recordings, pictures, documents."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from llm.asking import ask
from llm.base import Answered, Failed, File, Message, Model, Models
from llm.dialects import Said, encoded, opened, usage_in
from llm.line import Reply
from llm.memory import Memory
from llm.refusals import Refusal
from llm.trying import Course, Request, ask_model

TRANSCRIPTION_PATH: Final = "/audio/transcriptions"
PDF: Final = "application/pdf"
MAX_DOCUMENT_CHARS: Final = 20_000
# WhatsApp's audio types (and WAV) by the ending that transcription services know them by.
AUDIO_ENDINGS: Final[Mapping[str, str]] = {
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "m4a",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "webm",
}


def transcribe(
    models: Models,
    recording: File,
    *,
    memory: Memory,
    language: str = "",
    deadline_secs: float = 30.0,
) -> Answered[None] | Failed:
    """Write down what is said in a recording; `not_configured` without AI_TRANSCRIPTION_MODEL. Never raises.

    `language` is a guess (ISO 639-1) that helps the model.
    """
    model = models.transcription
    if model is None or not model.can_hear:
        return Failed("not_configured")
    course = Course.begin(memory, deadline_secs)
    body = _transcription_body(model, recording, language)
    request = Request(TRANSCRIPTION_PATH, lambda _: body, lambda reply: _heard_in(model, reply))
    heard = ask_model(model, request, course, has_others=False)
    if isinstance(heard, Refusal):
        return course.failed(model, heard)
    return Answered(heard.text, None, model.label, course.usage, course.took_ms, course.tries)


def _transcription_body(model: Model, recording: File, language: str) -> dict[str, Any]:
    ending = AUDIO_ENDINGS.get(recording.mime_type.partition(";")[0].strip().lower(), "ogg")
    fields = {"model": model.name} | ({"language": language} if language else {})
    if model.endpoint.service == "openrouter":
        # Not OpenAI's multipart: https://openrouter.ai/docs/guides/overview/multimodal/stt
        return {"json": {**fields, "input_audio": {"data": encoded(recording), "format": ending}}}
    # https://platform.openai.com/docs/api-reference/audio/createTranscription: the ending tells the format
    file = (f"recording.{ending}", recording.content, recording.mime_type)
    return {"data": {**fields, "response_format": "json"}, "files": {"file": file}}


def _heard_in(model: Model, reply: Reply) -> Said | Refusal:
    answer = opened(model, reply)
    if isinstance(answer, Refusal):
        return answer
    usage = usage_in(model, answer.get("usage"))
    text = answer.get("text")
    if not isinstance(text, str):
        return Refusal("bad_answer", "no text", 200, is_passing=True, usage=usage)
    return Said(text.strip(), usage)


def describe_image(
    models: Models,
    image: File,
    instruction: str,
    *,
    memory: Memory,
    deadline_secs: float = 30.0,
    max_tokens: int = 400,
) -> Answered[None] | Failed:
    """Have a picture described as `instruction` says; `not_configured` without AI_VISION_MODEL.

    Never raises.
    """
    if models.vision is None:
        return Failed("not_configured")
    seeing = replace(models, chat=(models.vision,))
    return ask(
        seeing,
        [Message("user", instruction, (image,))],
        memory=memory,
        deadline_secs=deadline_secs,
        max_tokens=max_tokens,
        temperature=None,
    )


def read_document(
    models: Models,
    document: File,
    instruction: str,
    *,
    memory: Memory,
    deadline_secs: float = 30.0,
    max_tokens: int = 600,
) -> Answered[None] | Failed:
    """Have a document read as `instruction` says: plain text by the chat models, a PDF by AI_VISION_MODEL.

    Another kind of document, or a PDF without that model, is `not_configured`. Never raises.
    """
    text = text_in(document)
    if document.mime_type == PDF:
        return describe_image(
            models, document, instruction, memory=memory, deadline_secs=deadline_secs, max_tokens=max_tokens
        )
    if text is None:
        return Failed("not_configured")
    return ask(
        models,
        [Message("system", instruction), Message("user", text[:MAX_DOCUMENT_CHARS])],
        memory=memory,
        deadline_secs=deadline_secs,
        max_tokens=max_tokens,
        temperature=None,
    )


def text_in(document: File) -> str | None:
    """Give the text of a plain text document; None when it is none."""
    if not document.mime_type.startswith("text/") or b"\0" in document.content:
        return None
    for encoding in ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return document.content.decode(encoding)
    return None
