"""The figures: what one day counts, the same again when counted twice, and a period beside the one before."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

import analytics
import counting
import operators
from analytics import Period, uptime
from analytics.forecast import MIN_DAYS, Forecast, TooLittle, forecast
from analytics.of_messages import wait_within
from app import create_app
from config import Config
from models import (
    Contact,
    Conversation,
    DailyFigure,
    Feedback,
    LabelCorrection,
    Lead,
    Message,
    ModelCall,
    Niche,
    Order,
    OrderItem,
    Sale,
    StateChange,
    Ticket,
    Turn,
    WebhookEvent,
    db,
)
from tests import page_rows
from tests.records import NOW, make_conversation, make_product

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
# 23:30 in São Paulo: another day in UTC.
LATE = datetime(2026, 3, 4, 2, 30, tzinfo=ZoneInfo("UTC"))
DAY = date(2026, 3, 3)


@pytest.fixture
def conversation(app: Flask) -> Iterator[Conversation]:
    with app.app_context():
        yield make_conversation()


def say(of: Conversation, at: datetime, direction: str = "in", **columns: Any) -> Message:
    sender = {"in": "customer", "out": "bot"}[direction]
    row = Message(
        **{
            "conversation_id": of.id,
            "integration_id": of.integration_id,
            "direction": direction,
            "sender": sender,
            "kind": "text",
            "created_at": at,
            **columns,
        }
    )
    db.session.add(row)
    db.session.flush()
    return row


def counted(day: date = DAY) -> dict[tuple[str, str], tuple[int, int]]:
    """Count a day and give its rows by name and part."""
    analytics.keep_day(day, analytics.tally_day(day, zone=SAO_PAULO))
    rows = db.session.execute(
        select(DailyFigure.name, DailyFigure.part, DailyFigure.count, DailyFigure.total).where(
            DailyFigure.day == day
        )
    )
    return {(name, part): (count, total) for name, part, count, total in rows}


def test_a_day_is_the_shops_own_and_counting_it_twice_changes_nothing(conversation: Conversation) -> None:
    say(conversation, LATE, intent="complaint", sentiment="angry")
    say(conversation, LATE + timedelta(minutes=40))  # after midnight there
    first = counted()
    assert first["messages_in", ""] == (1, 0)
    assert first["hours", "1-23"] == (1, 0)  # a Tuesday
    assert (first["intent", "complaint"], first["sentiment", "angry"]) == ((1, 0), (1, 0))
    assert counted() == first
    assert db.session.query(DailyFigure).filter_by(day=DAY, name="messages_in").count() == 1


def test_a_wait_begins_with_the_first_unanswered_words_and_may_end_the_next_day(
    conversation: Conversation,
) -> None:
    say(conversation, LATE - timedelta(hours=1))
    say(conversation, LATE - timedelta(minutes=59))
    say(conversation, LATE - timedelta(minutes=58), "out", status="failed")  # it came to nobody
    say(conversation, LATE - timedelta(minutes=50), "out", status="read")
    say(conversation, LATE)
    say(conversation, LATE + timedelta(hours=5), "out", sender="operator", status="sent")
    found = counted()
    assert found["first_answer", "000900"] == (1, 600)
    assert found["first_answer", "028800"] == (1, 18_000)
    assert found["answered_by", "person"] == (1, 18_000)
    assert ("unanswered", "") not in found
    assert found["not_delivered", "failed"] == (1, 0)


def live(part: str, since: datetime, minutes: int) -> None:
    for minute in range(minutes):
        uptime.beat(part, since + timedelta(minutes=minute, seconds=7))
        uptime.beat(part, since + timedelta(minutes=minute, seconds=40))  # several processes, one row


def test_uptime_is_the_share_of_the_watched_minutes_in_which_all_parts_lived(app: Flask) -> None:
    with app.app_context():
        assert ("uptime", "all") not in counted(), "nobody has watched yet: no figure"
        began = LATE - timedelta(hours=1)
        live("web", began, 60)
        live("worker", began, 45)
        found = counted()
        assert (found["uptime", "all"], found["uptime", "web"]) == ((60, 45), (60, 60))
        live("worker", LATE + timedelta(hours=3), 1)  # it came back the next day
        found = counted()
        assert found["uptime", "all"] == (60 + 30, 45), "the rest of the day was an outage"
        assert ("uptime", "all") not in counted(DAY - timedelta(days=1))
        uptime.forget_old(LATE + uptime.KEPT + timedelta(days=1))
        assert ("uptime", "all") not in counted(), "what is no longer kept is no outage"


def test_days_are_counted_and_read_on_every_database(
    load_config: Callable[..., Config], database_url: str
) -> None:
    config = load_config(DATABASE_URL=database_url)
    with create_app(config).app_context():
        db.create_all()
        operators.create_operator(page_rows.ADMIN_EMAIL, "Ana", page_rows.PASSWORD, "admin")
        page_rows.fill()
        live("web", NOW, 5)
        live("worker", NOW, 3)
        db.session.commit()
        today = datetime.now(config.zone).date()
        watched = NOW.astimezone(config.zone).date()
        period = Period(today - timedelta(days=2), today)
        days = {period.first, today - timedelta(days=1), today, watched}
        rows = select(
            DailyFigure.day, DailyFigure.name, DailyFigure.part, DailyFigure.count, DailyFigure.total
        )
        counting.count(config, days)
        first = sorted(map(tuple, db.session.execute(rows)))
        counting.count(config, days)
        assert sorted(map(tuple, db.session.execute(rows))) == first
        report = analytics.read_report(period)
        drawn = analytics.daily_series(period.first, today)["messages_in"]
        assert sum(drawn.values()) == report.now.count("messages_in") > 0
        assert analytics.read_report(Period(watched, watched)).now.mean("uptime", uptime.ALL) == 3 / 5
        db.session.remove()
        db.engine.dispose()


def test_what_could_not_be_worked_on_is_counted(conversation: Conversation) -> None:
    for state in ("failed", "done"):
        db.session.add(
            WebhookEvent(
                event_key=state, provider="meta", kind="message", state=state, payload=b"{}", received_at=LATE
            )
        )
    db.session.flush()
    assert counted()["not_worked_on", ""] == (1, 0)


def test_who_is_never_answered_is_counted_apart(conversation: Conversation) -> None:
    say(conversation, LATE)
    found = counted()
    assert found["unanswered", ""] == (1, 0)
    assert found["handled", "nobody"] == (1, 0)


def test_a_conversation_with_a_hand_over_was_not_managed_alone(conversation: Conversation) -> None:
    say(conversation, LATE)
    say(conversation, LATE, "out", status="sent")
    assert counted()["handled", "alone"] == (1, 0)
    db.session.add(
        StateChange(record="conversation", record_id=conversation.id, after="human", actor="bot", at=LATE)
    )
    db.session.flush()
    found = counted()
    assert found["handled", "handed_over"] == (1, 0)
    assert ("handled", "alone") not in found


def test_steps_count_arrivals_and_departures_and_no_question_twice(conversation: Conversation) -> None:
    for before, after in ((None, "menu"), ("menu", "name"), ("name", "name"), ("name", None)):
        turn = Turn(
            conversation_id=conversation.id,
            responder="menu",
            reason="",
            flow="shop",
            step_before=before,
            step_after=after,
        )
        db.session.add(turn)
        db.session.flush()
        say(conversation, LATE, turn_id=turn.id)
    found = counted()
    assert (found["step_reached", "shop/menu"], found["step_left", "shop/menu"]) == ((1, 0), (1, 0))
    assert (found["step_reached", "shop/name"], found["step_left", "shop/name"]) == ((1, 0), (1, 0))


def sell(of: Conversation, at: datetime, amount: int, **columns: Any) -> Sale:
    order = Order(contact_id=of.contact_id, conversation_id=of.id, status="paid", source="shop")
    db.session.add(order)
    db.session.flush()
    sale = Sale(
        order_id=order.id,
        contact_id=of.contact_id,
        conversation_id=of.id,
        amount_minor=amount,
        currency="BRL",
        method="pix",
        at=at,
        **columns,
    )
    db.session.add(sale)
    db.session.flush()
    return sale


def test_revenue_is_net_of_what_was_paid_back_and_splits_by_niche(conversation: Conversation) -> None:
    sale = sell(conversation, LATE, 10_000, strategy="racional", ad_source_id="ad-1")
    for sku, price, niche in (("a", 2_000, "Yoga"), ("b", 1_000, None)):
        row = Niche(name=niche) if niche else None
        if row is not None:
            db.session.add(row)
            db.session.flush()
        product = make_product(sku)
        product.niche_id = row.id if row else None
        db.session.add(
            OrderItem(order_id=sale.order_id, product_id=product.id, name=sku, quantity=1, price_minor=price)
        )
    sale.refunded_minor = 1_000
    db.session.flush()
    found = counted()
    assert found["revenue", "BRL"] == (1, 9_000)
    assert found["revenue_strategy", "BRL|racional"] == (1, 9_000)
    assert found["revenue_source", "BRL|shop"] == (1, 9_000)
    assert found["revenue_ad", "BRL|ad-1"] == (1, 9_000)
    niches = {key[1]: total for key, (_count, total) in found.items() if key[0] == "revenue_niche"}
    assert sum(niches.values()) == 9_000
    assert niches["BRL|"] == 3_000


def test_new_customers_are_followed_as_far_as_they_came(conversation: Conversation) -> None:
    day, at = NOW.astimezone(SAO_PAULO).date(), NOW
    assert counted(day)["funnel", "1_came"][0] == 1
    assert counted(day)["funnel", "4_paid"][0] == 0
    sell(conversation, at + timedelta(days=5), 5_000)  # days later, it is still that day's customer
    found = counted(day)
    assert [found["funnel", part][0] for part in ("2_interested", "3_ordered", "4_paid")] == [1, 1, 1]


def test_records_scores_corrections_and_costs_are_counted(conversation: Conversation) -> None:
    of = {"contact_id": conversation.contact_id, "conversation_id": conversation.id}
    message = say(conversation, LATE)
    ticket = Ticket(**of, created_at=LATE - timedelta(hours=3))
    db.session.add_all(
        [
            ticket,
            Lead(**of, created_at=LATE),
            Feedback(**of, score=4, created_at=LATE),
            LabelCorrection(
                message_id=message.id, task="intent", read_as="spam", label="spam", created_at=LATE
            ),
            LabelCorrection(
                message_id=message.id, task="urgency", read_as="low", label="high", created_at=LATE
            ),
            ModelCall(purpose="reply", model="m", outcome="ok", cost_microusd=700, created_at=LATE),
            ModelCall(purpose="reply", model="m", outcome="timeout", created_at=LATE),
        ]
    )
    db.session.flush()
    for before, after in (("open", "solved"), ("solved", "open")):
        db.session.add(
            StateChange(
                record="ticket", record_id=ticket.id, before=before, after=after, actor="operator", at=LATE
            )
        )
    db.session.flush()
    found = counted()
    assert found["leads", ""] == (1, 0)
    assert found["score", "4"] == (1, 4)
    assert (found["judged", "intent"], found["judged", "urgency"]) == ((1, 1), (1, 0))
    assert (found["model_cost", "m"], found["model_failed", "m"]) == ((2, 700), (1, 0))
    assert (found["resolved", "ticket"], found["reopened", "ticket"]) == ((1, 10_800), (1, 0))


def test_days_that_were_never_counted_are_found_newest_first(app: Flask, conversation: Conversation) -> None:
    config: Config = app.config["BALCAO"]
    now = datetime.now(ZoneInfo("UTC"))
    say(conversation, now - timedelta(days=4))
    db.session.commit()
    contact = db.session.get_one(Contact, conversation.contact_id)
    contact.created_at = now
    db.session.commit()
    assert counting.count_missing(config, now) == 5
    days = analytics.days_to_count(now=now, zone=config.zone)
    assert days == sorted(days, reverse=True)
    assert len(days) == 2  # today and yesterday go on


def test_a_report_stands_beside_the_period_before_it(conversation: Conversation) -> None:
    for back, count in ((0, 3), (1, 2), (2, 1)):
        for _ in range(count):
            say(conversation, LATE - timedelta(days=back))
        counted(DAY - timedelta(days=back))
    report = analytics.read_report(Period(DAY, DAY))
    assert (report.now.count("messages_in"), report.before.count("messages_in")) == (3, 2)
    assert report.is_counted
    longer = analytics.read_report(Period(DAY - timedelta(days=1), DAY))
    assert longer.now.count("messages_in") == 5
    assert not longer.has_before  # the day before those was never counted
    series = analytics.daily_series(DAY - timedelta(days=2), DAY)
    assert list(series["messages_in"].values()) == [1, 2, 3]
    assert series["leads"] == {DAY - timedelta(days=back): 0 for back in (2, 1, 0)}


@pytest.mark.parametrize(("first", "last"), [(DAY, DAY - timedelta(days=1)), (DAY, DAY + timedelta(366))])
def test_a_period_is_whole_and_not_too_long(first: date, last: date) -> None:
    with pytest.raises(ValueError, match="days"):
        Period(first, last)


def test_the_median_wait_is_the_upper_end_of_its_step() -> None:
    assert wait_within([("000015", 5), ("000060", 4), ("more", 1)], 0.5) == 15
    assert wait_within([("000015", 1), ("000060", 4)], 0.5) == 60
    assert wait_within([("more", 3)], 0.5) is None
    assert wait_within([], 0.5) is None


def days_of(values: list[int]) -> dict[date, int]:
    return {DAY - timedelta(days=len(values) - 1 - place): value for place, value in enumerate(values)}


def test_what_repeats_each_week_is_foretold_without_doubt() -> None:
    found = forecast(days_of([1, 2, 3, 4, 5, 6, 7] * 8))
    assert isinstance(found, Forecast)
    assert [value for _day, value in found.days] == [1, 2, 3, 4, 5, 6, 7]
    assert (found.low, found.total, found.high, found.last_week) == (28, 28, 28, 28)
    assert found.days[0][0] == DAY + timedelta(days=1)


def test_the_interval_is_as_wide_as_the_rule_was_wrong() -> None:
    found = forecast(days_of([0] * 28 + [10] * 28))
    assert isinstance(found, Forecast)
    assert found.total == 70
    assert (found.low < 20, found.high > 120) == (True, True)


@pytest.mark.parametrize("values", [[1] * (MIN_DAYS - 1), [0] * 60, []], ids=["days", "events", "nothing"])
def test_too_little_gives_no_forecast(values: list[int]) -> None:
    assert isinstance(forecast(days_of(values)), TooLittle)


def test_a_gap_ends_what_may_be_learnt_from() -> None:
    counts = days_of([2] * 60)
    del counts[DAY - timedelta(days=10)]
    assert forecast(counts) == TooLittle(10, 20)
