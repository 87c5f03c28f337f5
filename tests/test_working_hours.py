"""When people work: hours as they are written, openings, and due times in working time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from working_hours import BadHours, Hours, Stretch, due_time, is_open, next_opening, openings, read_hours

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
OFFICE = Hours(SAO_PAULO, read_hours("mon-fri 09:00-12:00 13:00-18:00; sat 09:00-13:00"))


def local(text: str, zone: ZoneInfo = SAO_PAULO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def test_hours_are_read_as_they_are_written() -> None:
    assert read_hours("tue 10:00-14:30; Mon 09:00-24:00") == (Stretch(0, 540, 1440), Stretch(1, 600, 870))
    assert read_hours("") == ()


@pytest.mark.parametrize(
    "written",
    [
        "always",
        "mon",
        "mon 9-18",
        "fri-mon 09:00-10:00",
        "xyz 09:00-10:00",
        "mon 18:00-09:00",
        "mon 09:75-10:00",
        "mon 09:00-25:00",
    ],
)
def test_what_are_no_hours_is_refused(written: str) -> None:
    with pytest.raises(BadHours):
        read_hours(written)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T09:00", True),  # a Monday
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T12:00", False),
        ("2026-11-23T13:00", True),
        ("2026-11-23T18:00", False),
        ("2026-11-28T12:59", True),
        ("2026-11-29T10:00", False),  # a Sunday
    ],
)
def test_open_is_from_the_opening_until_before_the_closing(moment: str, expected: bool) -> None:
    assert is_open(OFFICE, local(moment)) is expected


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-23T10:00", "2026-11-23T10:00"),
        ("2026-11-23T12:30", "2026-11-23T13:00"),
        ("2026-11-28T13:00", "2026-11-30T09:00"),
        ("2026-11-23T00:10", "2026-11-23T09:00"),
    ],
)
def test_the_next_opening(moment: str, opens: str) -> None:
    assert next_opening(OFFICE, local(moment)) == local(opens)


def test_a_holiday_moves_the_next_opening_on() -> None:
    hours = Hours(
        SAO_PAULO, OFFICE.stretches, frozenset({date(2026, 11, 23)}), yearly_off=frozenset({(11, 24)})
    )
    assert next_opening(hours, local("2026-11-22T10:00")) == local("2026-11-25T09:00")


def test_who_is_always_off_has_no_next_opening() -> None:
    hours = Hours(
        SAO_PAULO,
        (Stretch(0, 0, 60),),
        yearly_off=frozenset((m, d) for m in range(1, 13) for d in range(1, 32)),
    )
    assert next_opening(hours, local("2026-11-22T10:00")) is None
    assert due_time(hours, local("2026-11-22T10:00"), timedelta(hours=1)) == local("2026-11-22T11:00")


def test_unknown_hours_are_always_open() -> None:
    nobody_knows = Hours(SAO_PAULO)
    moment = local("2026-11-22T03:00")
    assert is_open(nobody_knows, moment)
    assert next_opening(nobody_knows, moment) == moment
    assert due_time(nobody_knows, moment, timedelta(hours=4)) == moment + timedelta(hours=4)


@pytest.mark.parametrize(
    ("start", "working", "due"),
    [
        ("2026-11-23T10:00", 60, "2026-11-23T11:00"),
        ("2026-11-23T11:00", 120, "2026-11-23T14:00"),  # over lunch
        ("2026-11-27T17:00", 120, "2026-11-28T10:00"),  # over the night
        ("2026-11-28T12:00", 8 * 60, "2026-11-30T17:00"),  # over Sunday
        ("2026-11-23T09:00", 180, "2026-11-23T12:00"),  # just in time
    ],
)
def test_due_times_count_working_time_alone(start: str, working: int, due: str) -> None:
    assert due_time(OFFICE, local(start), timedelta(minutes=working)) == local(due)


def test_overlapping_stretches_are_one() -> None:
    hours = Hours(SAO_PAULO, (Stretch(0, 540, 720), Stretch(0, 600, 780), Stretch(0, 780, 840)))
    assert list(openings(hours, date(2026, 11, 23), 1)) == [
        (local("2026-11-23T09:00"), local("2026-11-23T14:00"))
    ]


def test_a_change_of_the_clock_moves_no_opening() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    hours = Hours(madrid, read_hours("mon-sun 09:00-10:00 23:00-24:00"))
    found = [opens for opens, _closes in openings(hours, date(2026, 10, 24), 2)]
    assert [opens.astimezone(madrid).hour for opens in found] == [9, 23, 9, 23]
    assert found[2] - found[0] == timedelta(hours=25)
