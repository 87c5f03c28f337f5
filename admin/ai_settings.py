"""What language models do for the desk: which, for what, how, for how much; tried with one question.
For admins. Keys stay in the environment and are never shown.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

import consulting
import desk_settings
import llm
import model_calls
import tasks
from admin import setting_form
from admin.product_form import Form
from auth import current_config
from dashboard.meanwhile import overtaken
from dashboard.wording import model_failure_words, reading_word
from llm import Answered, Failed
from models import Category, Niche, db, utc_now
from vocabulary import SERVICE_INTENTS

KEYS: Final = ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AI_BASE_URL", "AI_API_KEY")
# Empty is a wish of its own here: no fallback, no eyes, no tone.
MAY_BE_EMPTY: Final = (
    "AI_FALLBACK_MODELS",
    "AI_VISION_MODEL",
    "AI_TRANSCRIPTION_MODEL",
    "AI_INTENTS_LEFT_OUT",
    "AI_NICHES_LEFT_OUT",
    "AI_TONE",
)
LISTS: Final = ("AI_INTENTS_LEFT_OUT", "AI_NICHES_LEFT_OUT")
QUESTION_MAX_CHARS: Final = 200
ANSWER_MAX_CHARS: Final = 600
TRY_SECS: Final = 20.0
TRY_TOKENS: Final = 120

bp = Blueprint("ai_settings", __name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a model said to one question, or why it did not; what it cost and how long it took."""

    question: str
    outcome: Answered[None] | Failed | None
    words: str = ""

    @property
    def is_good(self) -> bool:
        return isinstance(self.outcome, Answered)

    @property
    def cost(self) -> Decimal:
        return Decimal(self.outcome.usage.cost_microusd if self.outcome else 0) / model_calls.MICROS


@bp.get("/ai")
def page() -> str:
    return _page(Form(_written()))


@bp.post("/ai")
def save() -> ResponseReturnValue:
    if late := overtaken(page, "setting"):
        return late
    form = Form({name.lower(): _typed(name) for name in desk_settings.AI})
    setting_form.judge(form, desk_settings.AI)
    if form.problems:
        return _page(form), 422
    count = setting_form.save(form, desk_settings.AI, MAY_BE_EMPTY)
    flash(_("Saved. It counts within seconds.") if count else _("Nothing was changed."), "success")
    return redirect(url_for("ai_settings.page"), 303)


@bp.post("/ai/environment")
def go_back() -> ResponseReturnValue:
    """Forget everything that this page has saved."""
    setting_form.keep(dict.fromkeys(desk_settings.AI))
    flash(_("The settings are those of the environment again."), "success")
    return redirect(url_for("ai_settings.page"), 303)


@bp.post("/ai/try")
def try_model() -> ResponseReturnValue:
    """Ask the models, as they are saved, one short question; the call costs and is written down as any."""
    question = request.form.get("question", "").replace("\0", "").strip()[:QUESTION_MAX_CHARS]
    if not question:
        flash(_("Write a question."), "danger")
        return redirect(url_for("ai_settings.page"), 303)
    means, now = tasks.means(), utc_now()
    assistant = consulting.assistant(means, now)
    if assistant is None or not assistant.models.chat:
        return _page(Form(_written()), Tried(question, None, _why_nobody(means.assistant is None)))
    outcome = llm.ask(
        assistant.models,
        [llm.Message("user", question)],
        memory=llm.Memory(),  # a trial asks also a model that is left alone for a moment
        deadline_secs=TRY_SECS,
        max_tokens=TRY_TOKENS,
        temperature=means.config.ai_temperature,
    )
    model_calls.record(outcome, purpose="test", config=means.config, now=now)
    db.session.commit()
    words = outcome.text if isinstance(outcome, Answered) else model_failure_words(outcome.code)
    return _page(Form(_written()), Tried(question, outcome, words[:ANSWER_MAX_CHARS]))


def _why_nobody(is_nobody_set: bool) -> str:
    if not is_nobody_set:
        return str(_("The day's spend cap is reached, and no free model is named."))
    if desk_settings.over(current_config(), desk_settings.kept()).ai_use == "off":
        return str(_("The models are switched off below."))
    return str(_("No key and no address is set in the environment."))


def _typed(name: str) -> str:
    field = name.lower()
    if name in LISTS:
        return ", ".join(desk_settings.listed(one) for one in request.form.getlist(field))
    return request.form.get(field, "").replace("\0", "").replace("\r\n", "\n").strip()


def _written() -> dict[str, str]:
    """Give every field as it counts now."""
    base = setting_form.texts_of(current_config(), desk_settings.AI)
    return base | {
        name.lower(): text for name, text in desk_settings.kept().items() if name in desk_settings.AI
    }


def _page(form: Form, tried: Tried | None = None) -> str:
    config, now = current_config(), utc_now()
    texts = desk_settings.kept()
    counting = desk_settings.over(config, texts)
    names = [*db.session.scalars(select(Niche.name)), *db.session.scalars(select(Category.name))]
    spent = model_calls.spent_by_model(config.zone, now=now)
    return render_template(
        "admin/ai_settings.html",
        form=form,
        tried=tried,
        keys=[(key, bool(getattr(config, key.lower()))) for key in KEYS],
        own={name.lower() for name in texts},
        environment=setting_form.texts_of(config, desk_settings.AI),
        intents=[(intent, reading_word(intent)) for intent in SERVICE_INTENTS],
        call_words=_call_words(),
        niches=sorted({desk_settings.listed(name): name for name in names}.items()),
        left_out={name: set(form.written[name.lower()].split(", ")) for name in LISTS},
        spent=spent,
        today=Decimal(model_calls.spent_today(config.zone, now=now)) / model_calls.MICROS,
        month=Decimal(sum(one.cost_microusd for one in spent)) / model_calls.MICROS,
        cap=counting.ai_daily_spend_cap_usd,
        question_max=QUESTION_MAX_CHARS,
    )


def _call_words() -> dict[str, str]:
    return {
        "reply": _("replies"),
        "judging": _("checks of replies"),
        "reading": _("reading"),
        "suggestion": _("suggestions"),
        "summary": _("summaries"),
        "translation": _("translations"),
        "transcription": _("voice notes"),
        "vision": _("pictures"),
        "document": _("documents"),
        "test": _("tries on this page"),
    }
