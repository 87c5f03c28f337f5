"""What the page of the figures calls things, and how each figure is defined, in the reader's language."""

from collections.abc import Mapping
from datetime import timedelta
from math import floor
from typing import NamedTuple

from flask_babel import format_decimal, format_percent
from flask_babel import gettext as _

from dashboard import wording
from dashboard.care_words import weekday_word
from dashboard.templating import money, responder_word, span


class Told(NamedTuple):
    """A figure's title and what exactly it counts."""

    title: str
    definition: str


def tiles() -> Mapping[str, Told]:
    """Name the figures on top of the page."""
    return {
        "messages_in": Told(_("Messages received"), _("Messages that customers sent, by the day they came.")),
        "conversations": Told(
            _("Conversations"),
            _("Conversations in which a customer wrote, once a day each: two days count twice."),
        ),
        "leads": Told(_("Leads"), _("Leads that were opened, by the day on which they were.")),
        "sales": Told(_("Sales"), _("Orders that were paid, by the day of the payment.")),
        "revenue": Told(
            _("Revenue"),
            _(
                "What paid orders brought, by the day of the payment, less what has been paid back of them"
                " since. One currency at a time; the one with the most sales stands here."
            ),
        ),
        "first_answer": Told(
            _("Half are answered within"),
            _(
                "How long customers wait from the first words that nobody has answered to the next answer, by"
                " the desk or by a person. Half of them wait at most this long. Waits are kept in steps, so"
                " the figure is the upper end of one. Who was not answered within three days is left out and"
                " counted apart."
            ),
        ),
        **_more_tiles(),
    }


def _more_tiles() -> Mapping[str, Told]:
    return {
        "resolution": Told(
            _("Time to a solution"),
            _(
                "The mean time from the opening of a ticket or complaint to its end, by the day on which it"
                " ended. Nights and Sundays count, too."
            ),
        ),
        "alone": Told(
            _("Managed by the desk alone"),
            _(
                "The share of the answered conversations of a day in which no person of ours wrote and none"
                " was handed over."
            ),
        ),
        "csat": Told(
            _("Satisfied customers"),
            _("The share of scores of 4 or 5 among all scores from 1 to 5 that customers gave (CSAT)."),
        ),
        **_faults(),
        "judged": Told(
            _("Read correctly"),
            _(
                "Of the readings that people of ours judged in the inbox, the share that they confirmed. They"
                " look at doubtful ones first, so it is lower than it is for all messages."
            ),
        ),
        "cost": Told(
            _("Costs"),
            _(
                "What language models cost, as their services say, and our templates at the prices that are"
                " written below. Answers within 24 hours are free of charge by Meta and count nothing."
            ),
        ),
        "roi": Told(
            _("Revenue for each unit of costs"),
            _(
                "Revenue divided by the costs in the same currency (ROI). It says nothing about wages or"
                " goods."
            ),
        ),
    }


def _faults() -> Mapping[str, Told]:
    return {
        "not_delivered": Told(
            _("Not delivered"),
            _("The share of our messages that failed, or of which nobody knows whether they came."),
        ),
        "errors": Told(
            _("Errors"),
            _(
                "Of all messages that came and left, the share of ours that failed or whose fate nobody"
                " knows, and of theirs that the desk could not work on."
            ),
        ),
        "uptime": Told(
            _("Uptime"),
            _(
                "The share of the minutes in which both a web process and a worker lived, of all minutes"
                " since the desk first noted that it lives. Days before have no figure. The provider's own"
                " outages do not count."
            ),
        ),
    }


def breakdowns() -> Mapping[str, Told]:
    """Name the figures that are shown in parts, in their order."""
    read = _("How the desk read the messages of customers. Each message counts once.")
    revenue = _("What paid orders brought, less what was paid back, in one currency.")
    return {
        "intent": Told(_("What customers want"), read),
        "buying_signal": Told(_("Where sales stand"), read),
        "sentiment": Told(_("Mood"), read),
        "urgency": Told(_("Urgency"), read),
        "handled": Told(
            _("Who answered"),
            _(
                "Each conversation of a day counts once: handed over to a person that day, else answered by"
                " one, else by the desk alone, else by nobody."
            ),
        ),
        "first_answer": Told(
            _("How long customers wait"),
            _("Waits for an answer by their length, from the first unanswered words on."),
        ),
        "reopened": Told(
            _("Opened again"),
            _("Tickets and complaints that had ended and were opened again, by the day on which they were."),
        ),
        "score": Told(_("Scores"), _("Scores that customers gave when they were asked.")),
        "revenue_strategy": Told(
            _("Revenue by strategy"), f"{revenue} {_('By the way of selling that the conversation had.')}"
        ),
        "revenue_niche": Told(
            _("Revenue by niche"),
            f"{revenue} {_('An order with goods of several niches is split by what its lines cost.')}",
        ),
        "revenue_source": Told(_("Revenue by source"), f"{revenue} {_('By where the order was placed.')}"),
        "revenue_ad": Told(
            _("Revenue by ad"), f"{revenue} {_('By the first ad or campaign that brought the customer.')}"
        ),
        "judged": Told(
            _("Readings that people judged"),
            _("How many readings were judged, and what share of them was right."),
        ),
        "model_cost": Told(
            _("Language models"), _("Calls of each model, and what they cost as their services say.")
        ),
        "templates": Told(
            _("Templates sent"), _("Templates that left, by category. Each category has its own price.")
        ),
    }


def part_word(name: str, part: str) -> str:
    """Name a part of a figure."""
    match name:
        case "intent" | "buying_signal" | "sentiment" | "urgency":
            return wording.reading_word(part)
        case "handled":
            words: Mapping[str, str] = {
                "alone": _("the desk alone"),
                "handed_over": _("handed over"),
                "person": _("a person, without a hand-over"),
                "nobody": _("nobody"),
            }
            return words.get(part, part)
        case "first_answer":
            is_long = part == "more"
            return str(_("more than 3 days") if is_long else _("up to %(time)s", time=secs_word(int(part))))
        case "revenue_strategy":
            return wording.strategy_word(part) if part else _("without a strategy")
        case "revenue_niche":
            return part or _("without a niche")
        case "revenue_source":
            return responder_word(part) if part else _("unknown source")
        case "revenue_ad":
            return part or _("without an ad")
        case "judged":
            return wording.task_word(part)
        case "reopened" | "resolved":
            return wording.record_kind_word(part)
    return part


def funnel_words() -> Mapping[str, str]:
    return {
        "1_came": _("wrote for the first time"),
        "2_interested": _("left a lead or filled a cart"),
        "3_ordered": _("ordered"),
        "4_paid": _("paid"),
    }


def funnel_definition() -> str:
    return str(
        _(
            "Of the customers who first came in this period: how many came so far to this day. Newer"
            " customers had less time, so the last days look lower than they will be."
        )
    )


def steps_definition() -> str:
    return str(
        _(
            "How often a step of a flow was reached, and the share of those who went no further from it. A"
            " question that is asked again counts once; the end of a flow is no step."
        )
    )


def hours_definition() -> str:
    return str(
        _("When customers write: messages received by weekday and hour, in the time zone of the shop.")
    )


def forecast_definition() -> str:
    return str(
        _(
            "Each weekday as the mean of its last four. In eight of ten earlier weeks the same rule was no"
            " further off than the interval says. It knows nothing of holidays, offers or campaigns."
        )
    )


def secs_word(secs: float | None) -> str:
    return "–" if secs is None else span(timedelta(seconds=secs))


def value_words(value: float | None, unit: str, currency: str = "") -> str:
    """Write a value for people; a dash for what is not known."""
    if value is None:
        return "–"
    match unit:
        case "share":
            return str(format_percent(value, "#,##0.#%"))
        case "fine_share":
            # Never rounded up to a whole: 99.99 % is not 100 %.
            return str(format_percent(floor(value * 10_000) / 10_000, "#,##0.##%"))
        case "money":
            return money(round(value), currency)
        case "secs":
            return secs_word(value)
        case "times":
            return str(format_decimal(value, "#,##0.#"))
    return str(format_decimal(round(value)))


def hour_words(weekday: int, hour: int, count: int) -> str:
    """Say one cell of the heat map."""
    return str(
        _(
            "%(day)s, %(hour)s h: %(count)d messages",
            day=weekday_word(weekday),
            hour=f"{hour:02}",
            count=count,
        )
    )
