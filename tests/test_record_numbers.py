"""The numbers of tickets, complaints, appointments and orders."""

import pytest

from record_numbers import APPOINTMENT, ORDER, TICKET, number_of, read_number


def test_a_number_is_its_prefix_the_id_and_a_check_digit():
    assert number_of(TICKET, 1) == "T-10017"
    assert number_of(ORDER, 41).startswith("P-1041")


@pytest.mark.parametrize(
    "written", ["T-10017", "t10017", "T 10017", "my ticket is #10017, thanks", "T-１００１７", "t – 10017"]
)
def test_a_number_is_read_as_people_write_it(written):
    assert read_number(written, TICKET) == "T-10017"


@pytest.mark.parametrize(
    "written", ["", "T-10018", "P-10017", "1001", "call 5511987654321012345678", "XT10017", "100171"]
)
def test_what_is_no_number_of_this_sort_is_refused(written):
    assert read_number(written, TICKET) is None


def test_a_slip_of_a_finger_is_no_other_number():
    number = number_of(APPOINTMENT, 5)
    for place in range(2, len(number)):
        for digit in "0123456789":
            slipped = number[:place] + digit + number[place + 1 :]
            assert slipped == number or read_number(slipped, APPOINTMENT) is None


def test_every_id_reads_back():
    assert all(read_number(number_of(ORDER, n), ORDER) == number_of(ORDER, n) for n in (1, 2, 9_000, 10**15))
