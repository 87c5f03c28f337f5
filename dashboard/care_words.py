"""What the desk's rows say in words: duties of teams, how a customer was told, what a score is made of.

Called by the templates. What is in no table is shown as it was stored. Reads nothing and decides nothing.
"""

from collections.abc import Mapping

from flask_babel import get_locale
from flask_babel import gettext as _

from crm.lead_scores import Reason
from dashboard.wording import reading_word


def duty_word(duty: str) -> str:
    """Name what a team looks after."""
    words: Mapping[str, str] = {
        "support": _("support"),
        "escalation": _("complaints and escalation"),
        "finance": _("finance"),
        "scheduling": _("appointments"),
        "sales": _("sales and leads"),
        "": _("nothing by itself"),
    }
    return words.get(duty, duty)


def rule_word(rule: str) -> str:
    """Name how a team shares its work."""
    words: Mapping[str, str] = {
        "round_robin": _("everybody in turn"),
        "least_loaded": _("who has the least open work"),
    }
    return words.get(rule, rule)


def follow_up_word(kind: str) -> str:
    words: Mapping[str, str] = {
        "order_inquiry": _("Question about an order"),
        "payment_inquiry": _("Question about a payment"),
    }
    return words.get(kind, kind)


def told_word(told: str | None) -> str:
    """Say how a customer was told of something."""
    words: Mapping[str, str] = {
        "sent": _("The customer is being told."),
        "window_closed": _("The customer was not told: the 24-hour window is closed."),
        "opted_out": _("The customer was not told: this person asked for no more messages."),
        "number_off": _("The customer was not told: this number is switched off."),
    }
    return words.get(told or "", "")


def reminder_word(kind: str, state: str) -> str:
    """Say what became of a reminder."""
    kinds: Mapping[str, str] = {"day": _("A day before"), "hour": _("An hour before")}
    states: Mapping[str, str] = {
        "sent": _("sent"),
        "window_closed": _("not sendable, the 24-hour window was closed"),
        "opted_out": _("not sent, this person asked for no more messages"),
        "number_off": _("not sent, this number is switched off"),
    }
    return f"{kinds.get(kind, kind)}: {states.get(state, state)}"


def score_word(reason: Reason) -> str:
    """Say what a lead's points are for."""
    match reason.code:
        case "messages":
            return str(_("%(count)s messages", count=reason.value))
        case "days":
            return str(_("came back on %(count)s days", count=reason.value))
        case "signal":
            return reading_word(reason.value)
        case "last_word" if reason.value == "0":
            return str(_("wrote within a day"))
        case "last_word":
            return str(_("last message %(count)s days before", count=reason.value))
    words: Mapping[str, str] = {
        "email": _("left an e-mail address"),
        "budget": _("named a budget"),
        "name": _("told a name"),
        "interest": _("named what it is about"),
    }
    return words.get(reason.code, reason.code)


def part_of_score_word(part: str) -> str:
    words: Mapping[str, str] = {
        "engagement": _("engagement"),
        "fit": _("fit"),
        "signal": _("buying signal"),
        "recency": _("recency"),
    }
    return words.get(part, part)


def weekday_word(weekday: int) -> str:
    """Name a weekday, 0 is Monday, in the language of the page."""
    locale = get_locale()
    return str(locale.days["stand-alone"]["wide"][weekday]).capitalize() if locale else str(weekday)
