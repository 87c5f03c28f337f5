"""How the desk learns to sell: what it has seen, what that is worth, and the wheel in people's hands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import randrange
from typing import Final
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, format_percent
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import llm
import rehearsal
import tasks
from auth import current_config
from dashboard import wording
from dashboard.arguments import row_id
from dashboard.meanwhile import overtaken
from dashboard.templating import language_word
from learning import figures, log, own_arms, policies, steering, vowpal
from learning.arms import Standing
from learning.figures import GROUPS, STATES, WEEKS, Wanted
from learning.own_arms import OWN_AT_MOST, TITLE_MAX_CHARS, Wording
from learning.proof import Uplift
from learning.rules import SteeringRefused
from learning.segments import of_segment
from models import Contact, Operator, db, utc_now
from rehearsal import DRIFTS, Plan, RehearsalRefused
from rehearsal.booking import CUSTOMERS_AT_MOST, DAYS_AT_MOST
from replies.manners import WORDS_MAX_CHARS
from replies.prompts import MAX_INSTRUCTION_CHARS
from vocabulary import STRATEGIES, TEXT_LANGUAGES

PAGE_SIZE: Final = 50
SHOWN_CHANGES: Final = 20
FORGETTING: Final = ("reset", "remember")

bp = Blueprint("learning", __name__)


@bp.get("/learning")
def learning() -> ResponseReturnValue:
    return _page()


@bp.post("/learning/steer")
def steer() -> ResponseReturnValue:
    """Do what one of the page's buttons says, for the reason that was written."""
    form = request.form
    action = form.get("action", "")
    if action == "reset" and not form.get("is_meant"):
        flash(_("Tick that everything learnt is to be forgotten."), "danger")
        return _page(), 422
    try:
        steering.steer(
            action,
            strategy=form.get("strategy", ""),
            reason=form.get("reason", ""),
            now=utc_now(),
            operator_id=current_user.id,
        )
    except SteeringRefused as refused:
        db.session.rollback()
        flash(_refusal(refused), "danger")
        return _page(), 422
    db.session.commit()
    if action in FORGETTING:
        tasks.wake_learning()
    flash(_("Done. The reason is kept below."), "success")
    return redirect(url_for("learning.learning"), 303)


@bp.post("/learning/rehearse")
def rehearse() -> ResponseReturnValue:
    """Let simulated customers come; a worker plays them."""
    form = request.form
    drift = next((one for one in DRIFTS if one == form.get("drift")), DRIFTS[0])
    plan = Plan(
        form.get("customers", 0, type=int), form.get("days", 0, type=int), drift, seed=randrange(2**31)
    )
    try:
        booked = rehearsal.book(plan, now=utc_now(), operator_id=current_user.id)
    except RehearsalRefused as refused:
        db.session.rollback()
        flash(_no_rehearsal(refused), "danger")
        return _page(), 422
    db.session.commit()
    if not tasks.ask_for_rehearsal(booked.id):
        flash(_("No worker could be told. Try again in a moment."), "danger")
        return _page(), 503
    flash(_("They are on their way. This page shows how far they are."), "success")
    return redirect(url_for("learning.learning") + "#rehearsal", 303)


@bp.get("/learning/decisions")
def decisions() -> ResponseReturnValue:
    """List the conversations behind a number of the page."""
    arms = policies.current(current_config()).arms
    chosen = _filter(arms)
    before = request.args.get("before", type=row_id)
    wanted = Wanted(**chosen)  # type: ignore[arg-type]  # the filter reads each by its kind
    rows = figures.list_decisions(wanted, now=utc_now(), before=before, limit=PAGE_SIZE + 1)
    shown = rows[:PAGE_SIZE]
    return render_template(
        "admin/learning_decisions.html",
        rows=shown,
        outcomes=figures.outcomes_of([row.id for row in shown]),
        contacts=_contacts([row.contact_id for row in shown]),
        next_before=shown[-1].id if len(rows) > PAGE_SIZE else None,
        chosen=chosen,
        title=_title(chosen, _strategy_words(arms)),
        query=urlencode(chosen),
        **_words(arms),
    )


@bp.get("/learning/strategies")
def strategies() -> ResponseReturnValue:
    """Show the strategies of the shop's own, and the form for another."""
    return _strategies_page({})


@bp.post("/learning/strategies")
def add_strategy() -> ResponseReturnValue:
    """Add a strategy that builds on one of the shipped four."""
    form = request.form

    def add(wanted: Wording) -> None:
        own_arms.add(
            form.get("title", ""),
            form.get("base", ""),
            wanted,
            reason=form.get("reason", ""),
            now=utc_now(),
            operator_id=current_user.id,
        )

    return _have_done(add)


@bp.post("/learning/strategies/<name>")
def reword_strategy(name: str) -> ResponseReturnValue:
    """Let a strategy of the shop's own say something else."""

    def reword(wanted: Wording) -> None:
        reason = request.form.get("reason", "")
        own_arms.reword(name, wanted, reason=reason, now=utc_now(), operator_id=current_user.id)

    return overtaken(strategies) or _have_done(reword)


def _have_done(act: Callable[[Wording], None]) -> ResponseReturnValue:
    """Do it with the words of the form, or say why not and show them again."""
    words = {language: request.form.get(f"words_{language}", "") for language in TEXT_LANGUAGES}
    try:
        act(Wording(request.form.get("instruction", ""), words))
    except SteeringRefused as refused:
        db.session.rollback()
        flash(_refusal(refused), "danger")
        return _strategies_page(request.form), 422
    db.session.commit()
    flash(_("Done. The reason is kept with the learning."), "success")
    return redirect(url_for("learning.strategies"), 303)


def _strategies_page(form: Mapping[str, str]) -> str:
    """Show the strategies of the shop's own; `form` is what was just refused."""
    arms = policies.current(current_config()).arms
    return render_template(
        "admin/learning_strategies.html",
        own=[arm for arm in arms if arm.is_own and not arm.is_retired],
        bases=STRATEGIES,
        languages={language: language_word(language) for language in TEXT_LANGUAGES},
        form=form,
        has_model=bool(llm.models_of(current_config())),
        limits={"title": TITLE_MAX_CHARS, "instruction": MAX_INSTRUCTION_CHARS, "words": WORDS_MAX_CHARS},
        most=OWN_AT_MOST,
        **_words(arms),
    )


@bp.get("/learning/log.csv")
def download() -> ResponseReturnValue:
    """Give the whole log, a decision a line."""
    return _file(log.csv_lines(), "text/csv", "decisions.csv")


@bp.get("/learning/log.vw")
def download_vw() -> ResponseReturnValue:
    """Give the closed decisions that were drawn, as Vowpal Wabbit learns from them."""
    return _file(vowpal.vw_lines(now=utc_now()), "text/plain", "decisions.vw")


def _file(lines: Iterator[str], mimetype: str, name: str) -> Response:
    return Response(
        stream_with_context(lines),
        mimetype=mimetype,
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


# --- what the pages show ------------------------------------------------------------------------------------


def _page() -> str:
    told = figures.report(current_config(), now=utc_now())
    changes = steering.list_changes(SHOWN_CHANGES)
    return render_template(
        "admin/learning.html",
        told=told,
        belief=_belief(told.uplift),
        after=told.kept.forgets_until_id or None,
        changes=changes,
        operators=_operators([change.operator_id for change in changes]),
        form=request.form,
        strategies=[line.arm.strategy for line in told.lines],
        rehearsal=_rehearsal(),
        window_days=current_config().learning_attribution_days,
        **_words(told.kept.arms),
    )


def _belief(uplift: Uplift) -> str:
    """Say in one sentence how far the figures may be believed."""
    if uplift.standing == "no_holdout":
        return str(
            _(
                "Nobody is held out for comparison (LEARNING_HOLDOUT is 0): whether this sells better than "
                "chance cannot be told."
            )
        )
    if uplift.standing == "few":
        counts = {"closed": format_decimal(uplift.closed), "needed": format_decimal(uplift.needed)}
        return str(
            _(
                "Too early to say: %(closed)s of about %(needed)s closed conversations needed before this "
                "can be believed.",
                **counts,
            )
        )
    if uplift.low is None or uplift.high is None:
        counts = {
            "held_out": format_decimal(uplift.holdout.size),
            "needed": format_decimal(uplift.needed_held_out),
        }
        return str(
            _(
                "Too early to say: enough conversations have closed, but only %(held_out)s of at least "
                "%(needed)s that are held out for comparison.",
                **counts,
            )
        )
    bounds = {"low": points(uplift.low), "high": points(uplift.high)}
    if uplift.low > 0:
        return str(_("It sells better than chance: %(low)s to %(high)s percentage points more.", **bounds))
    if uplift.high < 0:
        return str(_("It sells worse than chance: %(low)s to %(high)s percentage points.", **bounds))
    return str(
        _("No difference to chance can be seen: it lies between %(low)s and %(high)s points.", **bounds)
    )


def _rehearsal() -> Mapping[str, object]:
    """Give what the form of simulated customers shows; nothing where real ones may write."""
    if not rehearsal.is_possible():
        return {}
    last = rehearsal.latest()
    drifts = {
        "none": _("stay as they are"),
        "abrupt": _("change at once, half way"),
        "slow": _("change slowly"),
    }
    return {
        "last": last,
        "is_open": rehearsal.is_open(last, utc_now()),
        "drifts": drifts,
        "customers_most": CUSTOMERS_AT_MOST,
        "days_most": DAYS_AT_MOST,
    }


def _no_rehearsal(refused: RehearsalRefused) -> str:
    words = {
        "real_number": _("A real number is connected: simulated customers are for a desk without one."),
        "nothing_for_sale": _("The shop has nothing for sale: add a product first."),
        "under_way": _("Simulated customers are on their way already."),
        "too_many": _(
            "Write how many, from 1 to %(most)d, and over how many days, from 1 to %(days)d.",
            most=CUSTOMERS_AT_MOST,
            days=DAYS_AT_MOST,
        ),
    }
    return str(words[refused.code])


def percent(value: float) -> str:
    return str(format_percent(value, "0.0 %"))


def points(value: float) -> str:
    """Give a difference of shares in percentage points, with its sign."""
    return str(format_decimal(value * 100, "+0.0;-0.0"))


def _words(arms: Sequence[Standing]) -> dict[str, object]:
    own = [arm.strategy for arm in arms if arm.is_own]
    return {
        "percent": percent,
        "points": points,
        "strategy_words": _strategy_words(arms),
        "colours": {name: f"own-{place % OWN_AT_MOST + 1}" for place, name in enumerate(own)},
        "policy_words": _policy_words(),
        "outcome_words": _outcome_words(),
        "action_words": _action_words(),
        "segment_words": _segment_words(),
        "value_words": value_words,
        "reason_words": reason_words,
        "harm_heads": {
            "opt_out": _("Opted out"),
            "complaint": _("Complained"),
            "hand_over": _("Handed over"),
        },
    }


def _strategy_words(arms: Sequence[Standing]) -> Mapping[str, str]:
    return {arm.strategy: arm.title or wording.strategy_word(arm.strategy) for arm in arms}


def _policy_words() -> Mapping[str, str]:
    return {
        "epsilon_greedy": _("mostly the best, now and then another"),
        "literal": _("the best, soon never another"),
        "thompson": _("each as often as it may be the best"),
        "uniform": _("all alike"),
        "holdout": _("comparison group"),
        "by_hand": _("chosen by a person"),
    }


def _segment_words() -> Mapping[str, str]:
    return {
        "niche": _("Niche"),
        "language": _("Language"),
        "buying_signal": _("Buying signal"),
        "visit": _("New or returning"),
    }


def value_words(name: str, value: str) -> str:
    """Say what the customers of a segment have in common."""
    words: Mapping[str, str] = {
        "visit=new": _("new customers"),
        "visit=returning": _("have bought before"),
        "niche=none": _("no product named"),
        "buying_signal=none": _("no clear signal"),
    }
    known = words.get(f"{name}={value}")
    if known is not None or name == "niche":
        return str(known or value)
    return str(language_word(value) if name == "language" else wording.reading_word(value))


def _outcome_words() -> Mapping[str, str]:
    return {
        "sale": _("sale"),
        "refund": _("refund"),
        "expired": _("no sale in time"),
        "refusal": _("refused"),
        "opt_out": _("opted out"),
        "complaint": _("complained"),
        "hand_over": _("handed over to a person"),
        "taken_over": _("a person took over"),
        "released": _("the desk chooses again"),
    }


def _action_words() -> Mapping[str, str]:
    return {
        "pause": _("Pause"),
        "resume": _("Resume"),
        "pin": _("Always use"),
        "unpin": _("Choose freely"),
        "renew": _("New version"),
        "retire": _("Retire"),
        "add": _("New strategy"),
        "reword": _("Other words"),
        "reprice": _("New prices"),
        "freeze": _("Freeze"),
        "thaw": _("Learn on"),
        "switch_off": _("Switch off"),
        "switch_on": _("Switch on"),
        "reset": _("Forget all"),
        "remember": _("Remember all"),
    }


def reason_words(reason: str) -> str:
    """Say why something was changed: a person's own words, or what the desk itself saw."""
    if reason == steering.NEW_TEXTS:
        return str(_("What it says was changed."))
    if reason.startswith(steering.NEW_PRICES):
        return str(_("A price changed: %(niche)s.", niche=reason.removeprefix(steering.NEW_PRICES)))
    counted = steering.told_opt_outs(reason)
    if counted is None:
        return reason
    mine, left, expected = counted
    return str(
        _(
            "%(mine)s of %(left)s people who opted out had met it; %(expected)s were to be expected.",
            mine=mine,
            left=left,
            expected=format_decimal(expected, "0.0"),
        )
    )


def _title(chosen: Mapping[str, str | int], strategy_words: Mapping[str, str]) -> str:
    """Say which conversations are listed."""
    state_words = {
        "open": _("still open"),
        "matured": _("closed conversations"),
        "sold": _("with a sale"),
        "matured_sold": _("closed with a sale"),
    }
    group_words = {
        "policy": _("chosen by what was learnt"),
        "holdout": _("comparison group"),
        "manual": _("chosen by a person"),
    }
    words = [
        strategy_words.get(str(chosen.get("strategy"))),
        state_words.get(str(chosen.get("state"))) or _outcome_words().get(str(chosen.get("state"))),
        group_words.get(str(chosen.get("group"))),
        _segment_title(str(chosen.get("segment", ""))),
        _("in the week that began %(weeks)s weeks ago", weeks=chosen["week"]) if "week" in chosen else "",
        _("since learning began anew") if "after" in chosen else "",
    ]
    return ", ".join(str(word) for word in words if word) or str(_("all conversations"))


def _segment_title(key: str) -> str:
    name, _sign, value = key.partition("=")
    return f"{_segment_words()[name]}: {value_words(name, value)}" if value else ""


def _refusal(refused: SteeringRefused) -> str:
    words = {
        "no_reason": _("Write the reason first."),
        "unknown_strategy": _("Choose a strategy first."),
        "last_arm": _("Advising or Factual must be left: the others are not for everybody."),
        "done": _("It is so already."),
        "is_paused": _("A paused strategy cannot always be used. Resume it first."),
        "is_retired": _("It was retired, and stays so."),
        "shipped": _("This strategy came with the desk. Pause it instead."),
        "no_title": _("Give it a name first."),
        "no_base": _("Choose what it builds on first."),
        "no_words": _("Write what it should do or say: without, it would be just what it builds on."),
        "too_long": _("That is too long."),
        "name_taken": _("There is, or was, a strategy of this name."),
        "too_many": _(
            "You have %(most)d strategies of your own already: retire one first.", most=OWN_AT_MOST
        ),
        "not_sayable": _(
            "These words promise something or name a price, a date or an address. Such things are told "
            "only as they stand in your products and articles, by every strategy."
        ),
    }
    return str(words.get(refused.code) or _("The request was refused."))


def _filter(arms: Sequence[Standing]) -> dict[str, str | int]:
    """Read the filter from the address; what is not in a closed list counts as not given."""
    names = [arm.strategy for arm in arms]
    lists: dict[str, Sequence[str]] = {"strategy": names, "state": STATES, "group": GROUPS}
    given = {name: request.args.get(name, "") for name in lists}
    chosen: dict[str, str | int] = {name: value for name, value in given.items() if value in lists[name]}
    segment = request.args.get("segment", "")
    if of_segment(segment) is not None:
        chosen["segment"] = segment
    if after := request.args.get("after", type=row_id):
        chosen["after"] = after
    week = request.args.get("week", 0, type=int)
    return chosen | ({"week": week} if 1 <= week <= WEEKS else {})


def _contacts(ids: list[int | None]) -> dict[int, Contact]:
    rows = db.session.scalars(
        select(Contact).where(Contact.id.in_(ids)).options(selectinload(Contact.identities))
    )
    return {row.id: row for row in rows}


def _operators(ids: list[int | None]) -> dict[int, str]:
    rows = db.session.scalars(select(Operator).where(Operator.id.in_(ids)))
    return {row.id: row.name for row in rows}
