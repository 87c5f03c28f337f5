"""The shapes that the page of the figures is drawn from: tiles, bars, lines, the heat map, the funnel.

`figures` asks; what is in them comes from a report of `analytics`. No markup: the templates draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from babel.numbers import get_currency_precision

from admin import figure_words
from admin.figure_rows import FIGURES as LINKED
from admin.figure_words import Told, value_words
from analytics import Period, Report, uptime
from analytics.forecast import Forecast, TooLittle, forecast
from analytics.reports import Sum, Sums
from models import DeskSetting, db

BREAKDOWNS: Final = (
    *("intent", "buying_signal", "sentiment", "urgency", "handled", "first_answer", "reopened", "score"),
    *(
        "revenue_strategy",
        "revenue_niche",
        "revenue_source",
        "revenue_ad",
        "judged",
        "model_cost",
        "templates",
    ),
)
CATEGORIES: Final = ("marketing", "utility", "authentication")
PRICES: Final = "message_prices"
PRICE_MAX: Final = Decimal(100_000)
MICROS: Final = 1_000_000
ROWS_MOST: Final = 12
STEPS_MOST: Final = 40
SATISFIED: Final = ("4", "5")
# The box in which lines are drawn.
WIDTH: Final = 600
HEIGHT: Final = 120


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure on top of the page; `is_good` tells whether its change is good news, None neither."""

    name: str
    told: Told
    value: str
    before: str
    change: int | None = None  # in per cent
    is_good: bool | None = None
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a figure; `size` from 0 to 1 is its length beside the longest."""

    part: str
    words: str
    value: str
    note: str
    before: str
    size: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    name: str
    told: Told
    bars: tuple[Bar, ...]
    is_linked: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A figure day by day: a path in a box of WIDTH by HEIGHT, the highest day, and what comes next."""

    name: str
    title: str
    path: str
    mean_path: str
    most: int
    total: int
    days: tuple[tuple[date, int], ...]
    ahead: Forecast | TooLittle | None


@dataclass(frozen=True, slots=True)
class Prices:
    """What a template costs by category in US dollars, and what one dollar is in the shop's money."""

    categories: Mapping[str, str]
    dollar: str = ""

    def of(self, category: str) -> Decimal:
        return Decimal(self.categories.get(category) or "0")


# --- tiles --------------------------------------------------------------------------------------------------


def tiles(report: Report, currency: str, prices: Prices) -> tuple[Tile, ...]:
    """Give the figures on top, each beside the period before where all of its days are counted."""
    told = figure_words.tiles()
    made = []
    for name, (unit, is_up_good) in _UNITS.items():
        now = _value(name, report.now, currency, prices)
        before = _value(name, report.before, currency, prices) if report.has_before else None
        shown_in = "USD" if name == "cost" else currency
        # Whole per cent, as it is shown: what rounds to nothing is no change, good or bad.
        change = round((now - before) / before * 100) if now is not None and before else None
        made.append(
            Tile(
                name=name,
                told=told[name],
                value=value_words(now, unit, shown_in),
                before=value_words(before, unit, shown_in),
                change=change,
                is_good=None if is_up_good is None or not change else (change > 0) == is_up_good,
                is_linked=name in LINKED,
            )
        )
    return tuple(made)


_UNITS: Final[dict[str, tuple[str, bool | None]]] = {
    "messages_in": ("whole", None),
    "conversations": ("whole", None),
    "leads": ("whole", True),
    "sales": ("whole", True),
    "revenue": ("money", True),
    "first_answer": ("secs", False),
    "resolution": ("secs", False),
    "alone": ("share", None),
    "csat": ("share", True),
    "not_delivered": ("share", False),
    "errors": ("share", False),
    "uptime": ("fine_share", True),
    "judged": ("share", True),
    "cost": ("money", False),
    "roi": ("times", True),
}


def _value(name: str, sums: Sums, currency: str, prices: Prices) -> float | None:
    match name:
        case "sales":
            return sums.count("revenue")
        case "revenue":
            return sums.total("revenue", currency) if currency else None
        case "first_answer":
            return sums.wait_secs()
        case "resolution":
            return sums.mean("resolved")
        case "alone":
            answered = sum(sums.count("handled", part) for part in ("alone", "handed_over", "person"))
            return sums.count("handled", "alone") / answered if answered else None
        case "csat":
            scores = sums.count("score")
            return sum(sums.count("score", part) for part in SATISFIED) / scores if scores else None
        case "not_delivered":
            sent = sums.count("messages_out")
            return sums.count("not_delivered") / sent if sent else None
        case "errors":
            worked = sums.count("messages_in") + sums.count("messages_out")
            return (sums.count("not_delivered") + sums.count("not_worked_on")) / worked if worked else None
        case "uptime":
            return sums.mean("uptime", uptime.ALL)
        case "judged":
            return sums.mean("judged")
        case "cost":
            return float(_cost_usd(sums, prices) * 100)
        case "roi":
            return _roi(sums, currency, prices)
    return sums.count(name)


def _cost_usd(sums: Sums, prices: Prices) -> Decimal:
    models = Decimal(sums.total("model_cost")) / MICROS
    return models + sum(
        (prices.of(part) * one.count for part, one in sums.of("templates").items()), Decimal()
    )


def _roi(sums: Sums, currency: str, prices: Prices) -> float | None:
    """Divide revenue by costs in one currency; None where no rate is known or nothing was spent."""
    rate = Decimal(1) if currency == "USD" else Decimal(prices.dollar or "0")
    spent = _cost_usd(sums, prices) * rate
    if not spent or not currency:
        return None
    earned = Decimal(sums.total("revenue", currency)).scaleb(-get_currency_precision(currency))
    return float(earned / spent)


# --- parts --------------------------------------------------------------------------------------------------


def breakdowns(report: Report, currency: str) -> tuple[Breakdown, ...]:
    told = figure_words.breakdowns()
    return tuple(
        Breakdown(name, told[name], _bars(name, report, currency), name in LINKED) for name in BREAKDOWNS
    )


def _bars(name: str, report: Report, currency: str) -> tuple[Bar, ...]:
    is_money = name.startswith("revenue_")
    now = report.now.for_currency(name, currency) if is_money else dict(report.now.of(name))
    before = report.before.for_currency(name, currency) if is_money else dict(report.before.of(name))
    by_size = sorted(now, key=lambda part: (-_size(now[part], is_money), part))
    parts = sorted(now) if name in ("first_answer", "score") else by_size[:ROWS_MOST]
    longest = max((_size(now[part], is_money) for part in parts), default=0)
    return tuple(
        Bar(
            part=f"{currency}|{part}" if is_money else part,
            words=figure_words.part_word(name, part),
            value=value_words(_size(now[part], is_money), "money" if is_money else "whole", currency),
            note=_note(name, now[part]),
            before=value_words(
                _size(before.get(part, Sum()), is_money), "money" if is_money else "whole", currency
            )
            if report.has_before
            else "",
            size=max(0.0, _size(now[part], is_money) / longest) if longest > 0 else 0.0,
        )
        for part in parts
    )


def _size(one: Sum, is_money: bool) -> int:
    return one.total if is_money else one.count


def _note(name: str, one: Sum) -> str:
    if name == "judged" and one.count:
        return value_words(one.total / one.count, "share")
    if name == "model_cost":
        return value_words(one.total * 100 / MICROS, "money", "USD")
    return ""


def funnel(report: Report) -> tuple[Bar, ...]:
    """Give the stages of the new customers, each with its share of the first."""
    whole = report.now.count("funnel", "1_came")
    return tuple(
        Bar(
            part=part,
            words=words,
            value=value_words(count := report.now.count("funnel", part), "whole"),
            note=value_words(count / whole, "share") if whole else "",
            before=value_words(report.before.count("funnel", part), "whole") if report.has_before else "",
            size=count / whole if whole else 0.0,
        )
        for part, words in figure_words.funnel_words().items()
    )


def steps(report: Report) -> dict[str, tuple[Bar, ...]]:
    """Give each flow's steps, the most visited first; `note` is the share that went no further."""
    reached, left = report.now.of("step_reached"), report.now.of("step_left")
    flows: dict[str, list[Bar]] = {}
    most = max((one.count for one in reached.values()), default=0)
    ordered = sorted(reached.items(), key=lambda item: -item[1].count)
    for part, one in ordered[:STEPS_MOST]:
        flow, _slash, step = part.partition("/")
        gone = max(0.0, 1 - left.get(part, Sum()).count / one.count) if one.count else 0.0
        words = value_words(one.count, "whole")
        bar = Bar(part, step, words, value_words(gone, "share"), "", one.count / most if most else 0.0)
        flows.setdefault(flow, []).append(bar)
    return {flow: tuple(bars) for flow, bars in sorted(flows.items())}


def heat(report: Report) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Give for each weekday and hour how many messages came, and a shade from 0 to 9."""
    counts = {part: one.count for part, one in report.now.of("hours").items()}
    most = max(counts.values(), default=0)
    return tuple(
        tuple(
            (found := counts.get(f"{weekday}-{hour:02}", 0), -(-found * 9 // most) if most else 0)
            for hour in range(24)
        )
        for weekday in range(7)
    )


# --- lines --------------------------------------------------------------------------------------------------


def lines(series: Mapping[str, Mapping[date, int]], period: Period, *, ends_now: bool) -> tuple[Line, ...]:
    """Draw the days of a period, and what comes after them where the period ends now."""
    titles = figure_words.tiles()
    made = []
    for name, title in (("messages_in", "messages_in"), ("leads", "leads"), ("revenue", "sales")):
        counts = series[name]
        days = tuple(
            (day, counts.get(day, 0)) for day in (period.first + timedelta(n) for n in range(period.days))
        )
        values = [value for _day, value in days]
        means = [
            sum(counts.get(day - timedelta(days=back), 0) for back in range(7)) / 7 for day, _value in days
        ]
        most = max(values, default=0)
        made.append(
            Line(
                name=title,
                title=titles[title].title,
                path=_path(values, most),
                mean_path=_path(means, most),
                most=most,
                total=sum(values),
                days=days,
                ahead=forecast(counts) if ends_now and name != "messages_in" else None,
            )
        )
    return tuple(made)


def _path(values: Sequence[float], most: float) -> str:
    """Give the points of a polyline; a single day is a line across."""
    if len(values) == 1:
        values = [*values, *values]
    width = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{place * width:.1f},{HEIGHT - (value / most * (HEIGHT - 8) if most else 0) - 2:.1f}"
        for place, value in enumerate(values)
    )


# --- prices -------------------------------------------------------------------------------------------------


def read_prices() -> Prices:
    row = db.session.get(DeskSetting, PRICES)
    kept = row.value if row is not None and isinstance(row.value, dict) else {}
    return Prices({name: str(kept.get(name, "")) for name in CATEGORIES}, str(kept.get("dollar", "")))


def prices_of(form: Mapping[str, str]) -> Prices | None:
    """Read the prices of a form; None when one is no number."""
    written = {name: form.get(name, "").strip().replace(",", ".") for name in (*CATEGORIES, "dollar")}
    for text in written.values():
        try:
            value = Decimal(text or "0")
        except InvalidOperation:
            return None
        if not value.is_finite() or not 0 <= value <= PRICE_MAX or len(text) > 20:
            return None
    return Prices({name: written[name] for name in CATEGORIES}, written["dollar"])


def save_prices(prices: Prices, *, now: datetime) -> None:
    """Keep the prices. Flushes."""
    kept: dict[str, Any] = {**prices.categories, "dollar": prices.dollar}
    db.session.merge(DeskSetting(name=PRICES, value=kept, updated_at=now))
    db.session.flush()
