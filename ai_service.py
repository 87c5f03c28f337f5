"""Understand a message and write a reply; always gives one, with or without a model. Never touches the
database.

The pipeline calls `understand` for each message. `write` has a model plan a reply and lets nothing pass that
the facts do not hold; `reply` and its siblings are the fixed texts of templates/whatsapp, by what was wanted,
with the way on as buttons. `suggest`, `summarise` and `translate` help operators.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar, cast

from pydantic import BaseModel

import analysis
import llm
import texts
from analysis import Judgement, Models, Reading
from config import Config
from llm import Answered, Failed
from menu_flows import MENU, PERSON, shipped
from message_content import Choice, Content, Menu, Text
from replies import doubts, guards, prompts
from replies.facts import Facts
from replies.files import making_out
from replies.guards import Breach
from replies.plan import ModelReading, Plan, ReadPlan, Suggestions, Summary, Translation, Verdict
from replies.prompts import Prompt
from triage import CLEAR_INTENT

SHIPPED: Final = Models()
JUDGEMENTS_KEPT: Final = 2048  # of at most 4096 characters each, mostly far less

# Written by the customer's side of a chat: longer than a reply may be would only be cut.
REPLY_TOKENS: Final = 700
REPLY_SECS: Final = 20.0
HEAR_SECS: Final = 12.0
LEAST_SECS: Final = 1.0  # no model answers in less; asking would only count as its failure
HELP_SECS: Final = 30.0
JUDGE_SECS: Final = 10.0
JUDGE_TOKENS: Final = 100
SURE: Final = 0.0  # a judge is asked for its likeliest verdict
PLAIN: Final = 0.3  # how freely a summary or translation is worded; replies take the wire's default

Judging = Literal["doubt", "always", "never"]
Purpose = Literal[
    "reply",
    "judging",
    "reading",
    "suggestion",
    "summary",
    "translation",
    "transcription",
    "vision",
    "document",
    "test",
]
SURE_MODEL: Final = 0.6
MAX_TRIES: Final = 2  # one corrected try
FOUND_CHARS: Final = 120
Form = TypeVar("Form", bound=BaseModel)

NEEDS_WAY_ON: Final = frozenset({"insult", "lost", "robot", "explain", "language"})
MEDIA_TEXTS: Final = {
    "image": "image_received",
    "sticker": "sticker_received",
    "video": "video_received",
    "audio": "voice_received",
    "document": "document_received",
    "location": "location_received",
    "contacts": "contact_received",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the AI says, and in which way it came to it."""

    contents: tuple[Content, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Voice:
    """How the shop wants replies: whether the call reads too, how freely and long they are, in which tone."""

    reads: bool = True
    temperature: float = 0.7
    reply_tokens: int = REPLY_TOKENS
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Assistant:
    """The models that may be asked now, and what is remembered of them from call to call.

    `ends_at`, on the memory's clock, is when the customer has waited long enough: no call of a reply goes on
    beyond it.
    """

    models: llm.Models
    memory: llm.Memory
    judging: Judging = "never"
    ends_at: float | None = None
    voice: Voice = Voice()

    def secs(self, at_most: float) -> float:
        """Give how long a call may take."""
        return at_most if self.ends_at is None else min(at_most, self.ends_at - self.memory.clock.now())


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a model, to be written down: what it was for and how it ended."""

    purpose: Purpose
    result: Answered[Any] | Failed


@dataclass(frozen=True, slots=True)
class Written:
    """What came of having a reply written: `plan` None means that nothing may leave, and why stands in
    `breaches` and `calls`."""

    plan: Plan | None
    calls: tuple[Call, ...]
    breaches: tuple[Breach, ...] = ()
    prompt_version: str = ""


@dataclass(frozen=True, slots=True)
class Helped:
    """What a model wrote for an operator; None when it could not."""

    told: BaseModel | None
    call: Call


def assistant_of(config: Config, memory: llm.Memory) -> Assistant | None:
    """Give the models that the settings name, with the process's memory of them. None without any, or when
    they are switched off."""
    models = llm.models_of(config) if config.ai_use != "off" else None
    voice = Voice(config.ai_reads, config.ai_temperature, config.ai_reply_tokens, config.ai_tone)
    judging = cast(Judging, config.ai_judge)
    return None if models is None else Assistant(models, memory, judging, voice=voice)


def warm_up(now: datetime) -> None:
    """Load the models and flows that the first message would otherwise wait for."""
    understand("oi", now=now, region=None, language=None)
    shipped()


def understand(
    text: str, *, now: datetime, region: str | None, language: str | None, models: Models = SHIPPED
) -> Reading:
    """Read a message locally; `language` is the conversation's so far, a prior and no more.

    `now` is in the business's time zone, or "tomorrow" is another day there; `models` are its own.
    """
    judgement = _judge(text, language, models)
    return analysis.complete(judgement, text, now=now, region=region, language=language)


@lru_cache(maxsize=JUDGEMENTS_KEPT)
def _judge(text: str, language: str | None, models: Models) -> Judgement:
    """Judge a text once per version of the models: a burst is read several times, greetings all day."""
    return analysis.judge(text, language=language, models=models)


def reply(reading: Reading | None, *, language: str, start_flow: str) -> Reply:
    """Answer free text by what it wants; offers the way on and the menu."""
    intent = "other"
    if reading is not None and reading.intent_confidence >= CLEAR_INTENT:
        intent = reading.intent
    body = texts.text(f"reply_{intent}", language)
    return Reply((Menu(body, _ways_on(language, start_flow)),), f"fixed text: {intent}")


def write(
    assistant: Assistant,
    words: str,
    *,
    strategy: str,
    instruction: str = "",
    language: str,
    facts: Facts,
    turns: Sequence[prompts.Turn],
    reading: Reading | None,
    keep_lease: Callable[[], None] = lambda: None,
) -> Written:
    """Have a model plan the reply; a plan with a breach costs one corrected try, then nothing leaves.

    Where the local reading is in doubt, the same call reads the message too. What is to be judged and gets no
    verdict does not leave, and there is no second try: a judge that is down stays down. Nothing is asked when
    the assistant's time is over. `keep_lease` is
    called before every call but the first, which the caller has made ready for.
    """
    is_in_doubt = reading is None or reading.intent_confidence < CLEAR_INTENT
    reads_too = is_in_doubt and assistant.voice.reads
    asked = prompts.reply(
        words,
        strategy=strategy,
        instruction=instruction,
        tone=assistant.voice.tone,
        language=language,
        facts=facts,
        turns=turns,
        reading=reading,
        reads_too=reads_too,
    )
    calls: list[Call] = []
    breaches: list[Breach] = []
    prompt = asked
    for place in range(MAX_TRIES):
        if assistant.secs(REPLY_SECS) < LEAST_SECS:
            break
        if place:
            keep_lease()
        result = _ask(assistant, prompt, ReadPlan if reads_too else Plan)
        calls.append(Call("reply", result))
        if isinstance(result, Failed):
            break
        found = guards.check(result.parsed, facts, language=language, strategy=strategy, words=words)
        if not found and _is_to_judge(assistant, result.parsed.text, words, facts, language=language):
            if assistant.secs(JUDGE_SECS) < LEAST_SECS:
                breaches.append(Breach("unjudged", result.parsed.text[:FOUND_CHARS]))
                break
            keep_lease()
            judged, found = _judged(assistant, result.parsed.text, words, facts, language=language)
            calls.append(judged)
        breaches += found
        if calls[-1].purpose == "judging" and isinstance(calls[-1].result, Failed):
            break
        if not found:
            return Written(result.parsed, tuple(calls), tuple(breaches), asked.version)
        prompt = prompts.corrected(asked, result.text, found)
    return Written(None, tuple(calls), tuple(breaches), asked.version)


def _is_to_judge(assistant: Assistant, text: str, words: str, facts: Facts, *, language: str) -> bool:
    if assistant.judging == "doubt":
        return bool(doubts.doubtful(text, facts, language=language, words=words))
    return assistant.judging == "always"


def _judged(
    assistant: Assistant, text: str, words: str, facts: Facts, *, language: str
) -> tuple[Call, tuple[Breach, ...]]:
    """Have a second call hold a reply to the customer's `words` against the facts.

    A call that brings no verdict is a breach of its own: nobody has said that the reply is true.
    """
    sentences = doubts.parts(text)
    result = llm.ask(
        assistant.models,
        _messages(prompts.judging(sentences, words=words, language=language, facts=facts)),
        memory=assistant.memory,
        schema=Verdict,
        deadline_secs=assistant.secs(JUDGE_SECS),
        max_tokens=JUDGE_TOKENS,
        temperature=SURE,
    )
    call = Call("judging", result)
    if isinstance(result, Failed):
        return call, (Breach("unjudged", text[:FOUND_CHARS]),)
    told = sorted(set(result.parsed.unsupported))
    wrong = [sentences[number - 1] for number in told if 1 <= number <= len(sentences)]
    return call, tuple(Breach("unsupported", one[:FOUND_CHARS]) for one in wrong)


def merged(local: Reading, found: ModelReading) -> Reading:
    """Take the model's labels where the local reading is in doubt and the model is not."""
    if found.confidence < SURE_MODEL:
        return local
    changes: dict[str, Any] = {}
    if local.intent_confidence < CLEAR_INTENT:
        changes |= {"intent": found.intent, "intent_confidence": found.confidence}
    if local.buying_signal_confidence < CLEAR_INTENT:
        changes |= {"buying_signal": found.buying_signal, "buying_signal_confidence": found.confidence}
    if local.sentiment_confidence < CLEAR_INTENT:
        changes |= {
            "sentiment": found.sentiment,
            "sentiment_confidence": found.confidence,
            "sentiment_score": found.sentiment_score,
        }
    if local.urgency_confidence < CLEAR_INTENT:
        changes |= {"urgency": found.urgency, "urgency_confidence": found.confidence}
    return replace(local, **changes)


def suggest(assistant: Assistant, turns: Sequence[prompts.Turn], *, language: str, facts: Facts) -> Helped:
    """Have three different replies written for an operator; those with a breach are left out by the
    caller."""
    return _help(
        assistant, "suggestion", prompts.suggestions(turns, language=language, facts=facts), Suggestions
    )


def summarise(assistant: Assistant, turns: Sequence[prompts.Turn], *, language: str) -> Helped:
    """Have a conversation summed up in one paragraph, in the operator's language."""
    return _help(assistant, "summary", prompts.summary(turns, language=language), Summary)


def translate(assistant: Assistant, text: str, *, language: str) -> Helped:
    """Have a customer's message put into the operator's language."""
    return _help(assistant, "translation", prompts.translation(text, language=language), Translation)


def can_make_out(assistant: Assistant, kind: str, mime_type: str) -> bool:
    """Tell whether a model is set that can read a file of this kind."""
    models = assistant.models
    match kind:
        case "audio":
            return models.transcription is not None
        case "image":
            return models.vision is not None
        case "document":
            is_pdf = mime_type.startswith("application/pdf")
            return models.vision is not None if is_pdf else mime_type.startswith("text/")
    return False


def make_out(assistant: Assistant, kind: str, file: llm.File, *, language: str) -> tuple[str, Call]:
    """Have a file put into words; empty when it could not be."""
    models, memory = assistant.models, assistant.memory
    purpose: Purpose
    result: Answered[None] | Failed
    if kind == "audio":
        purpose = "transcription"
        result = llm.transcribe(models, file, memory=memory, language=language, deadline_secs=HEAR_SECS)
    else:
        is_image = kind == "image"
        purpose, make = ("vision", llm.describe_image) if is_image else ("document", llm.read_document)
        asked = making_out("image" if is_image else "document", language=language)
        result = make(models, file, asked, memory=memory, deadline_secs=REPLY_SECS)
    words = "" if isinstance(result, Failed) else result.text.strip()
    return words, Call(purpose, result)


def _help(assistant: Assistant, purpose: Purpose, prompt: Prompt, form: type[Form]) -> Helped:
    result = llm.ask(
        assistant.models,
        _messages(prompt),
        memory=assistant.memory,
        schema=form,
        deadline_secs=HELP_SECS,
        temperature=None if purpose == "suggestion" else PLAIN,
    )
    told = None if isinstance(result, Failed) else result.parsed
    return Helped(told, Call(purpose, result))


def _ask(assistant: Assistant, prompt: Prompt, form: type[Form]) -> Answered[Form] | Failed:
    return llm.ask(
        assistant.models,
        _messages(prompt),
        memory=assistant.memory,
        schema=form,
        deadline_secs=assistant.secs(REPLY_SECS),
        max_tokens=assistant.voice.reply_tokens,
        temperature=assistant.voice.temperature,
    )


def _messages(prompt: Prompt) -> list[llm.Message]:
    return [llm.Message(message.role, message.content) for message in prompt.messages]


def receive_media(kind: str, *, language: str, start_flow: str, has_question: bool = False) -> Reply:
    """Thank for a file that cannot be read here, and say what to do instead.

    While a typed answer is awaited no menu comes with it: "1" may be the answer.
    """
    name = MEDIA_TEXTS.get(kind, "cannot_read")
    body = texts.text(name, language)
    content = Text(body) if has_question else Menu(body, _ways_on(language, start_flow))
    return Reply((content,), f"fixed text: {name}")


def be_polite(kind: str, *, language: str, start_flow: str, has_question: bool = False) -> Reply:
    """Answer thanks, small talk or a farewell in a word; who is lost or cross gets a way on, too.

    While a typed answer is awaited no menu comes with it: "1" may be the answer.
    """
    body = texts.text(f"courtesy_{kind}", language, flow=start_flow)
    is_menu = kind in NEEDS_WAY_ON and not has_question
    content = Menu(body, _ways_on(language, start_flow)) if is_menu else Text(body)
    return Reply((content,), f"fixed text: courtesy_{kind}")


def soothe(*, language: str, start_flow: str) -> Reply:
    """Say sorry to who is cross, and offer a person."""
    body = texts.text("courtesy_insult", language)
    return Reply((Menu(body, _ways_on(language, start_flow)),), "fixed text: upset")


def _ways_on(language: str, start_flow: str) -> tuple[Choice, ...]:
    return (
        Choice(f"{start_flow}/{MENU}", texts.text("title_menu", language)),
        Choice(f"{start_flow}/{PERSON}", texts.text("title_person", language)),
    )
