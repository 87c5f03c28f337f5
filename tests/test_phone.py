"""Phone numbers and business-scoped ids: reading, showing, comparing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import phone


@pytest.mark.parametrize(
    ("written", "region", "expected"),
    [
        ("+55 11 98765-4321", None, "+5511987654321"),
        ("5511987654321", None, "+5511987654321"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("011 98765-4321", "BR", "+5511987654321"),
        ("0055 11 98765 4321", None, "+5511987654321"),
        ("+1 (415) 523-8886", None, "+14155238886"),
        ("٠١٠١٢٣٤٥٦٧٨", "EG", "+201012345678"),
        ("+34 612 34 56 78", None, "+34612345678"),
        ("551187654321", None, "+551187654321"),
    ],
)
def test_a_written_number_becomes_e164(written, region, expected):
    assert phone.normalise(written, region) == expected


@pytest.mark.parametrize(
    "written", ["", "abc", "123", "+0", "US.13491208655302741918", "5" * 60, "\0", "+" * 9]
)
def test_what_is_no_number_is_none(written):
    assert phone.normalise(written) is None
    assert phone.country(written) is None
    assert phone.display(written) == written


def test_a_wa_id_tells_its_country_and_how_it_is_read():
    assert phone.country("5511987654321") == "BR"
    assert phone.country("+14155238886") == "US"
    assert phone.display("5511987654321") == "+55 11 98765-4321"


@pytest.mark.parametrize(
    ("wa_id", "country", "shown"),
    [
        ("5215550000042", "MX", "+52 55 5000 0042"),  # WhatsApp's 1, which nobody dials any more
        ("525550000042", "MX", "+52 55 5000 0042"),
        ("+52 1 55 5000 0042", "MX", "+52 55 5000 0042"),
        ("5491123456789", "AR", "+54 9 11 2345-6789"),  # the 9 is part of how Argentina's mobiles are read
        ("541123456789", "AR", "+54 11 2345-6789"),
        ("5218111234567", "MX", "+52 81 1123 4567"),
    ],
)
def test_mexican_and_argentinian_wa_ids_are_read_as_people_dial_them(wa_id, country, shown):
    assert phone.country(wa_id) == country
    assert phone.display(wa_id) == shown
    if wa_id.isdecimal():
        assert phone.variants(wa_id)[0] == wa_id  # what is stored stays as it came


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "551187654321"),  # Brazil: the ninth digit
        ("5521998765432", "552198765432"),
        ("5215512345678", "525512345678"),  # Mexico: 1
        ("5491123456789", "541123456789"),  # Argentina: 9
    ],
)
def test_spellings_of_one_line_match_both_ways(one, other):
    assert phone.variants(one) == (one, other)
    assert phone.variants(other) == (other, one)


@pytest.mark.parametrize(
    "wa_id",
    [
        "551130042000",  # a landline of São Paulo
        "558001234567",  # Brazilian toll-free
        "528001234567",  # Mexican toll-free
        "548001234567",  # Argentinian toll-free
        "14155238886",
        "34612345678",
        "US.13491208655302741918",
        "BR.ENT.11815799212886844830",
        "",
        "55",
    ],
)
def test_other_lines_have_only_themselves(wa_id):
    assert phone.variants(wa_id) == (wa_id,)


@given(st.text(max_size=30))
def test_variants_always_begin_with_the_id_itself(wa_id):
    assert phone.variants(wa_id)[0] in (wa_id, wa_id.removeprefix("+"))


@given(st.from_regex(r"(55|52|54)[0-9]{8,12}", fullmatch=True))
def test_being_a_variant_goes_both_ways(wa_id):
    for variant in phone.variants(wa_id):
        assert wa_id in phone.variants(variant)


@pytest.mark.parametrize(
    "value", ["US.13491208655302741918", "BR.a", "EG.ENT.11815799212886844830", "BR.ENT"]
)
def test_business_scoped_ids_are_known(value):
    assert phone.is_bsuid(value)


@pytest.mark.parametrize(
    "value",
    ["", "us.134", "USA.134", "US.", "US.13 4", "US.134\n", "5511987654321", "US." + "1" * 129, "ÜS.1"],
)
def test_nothing_else_is_a_business_scoped_id(value):
    assert not phone.is_bsuid(value)


def test_only_ent_marks_a_parent():
    assert phone.is_parent_bsuid("US.ENT.118")
    assert not phone.is_parent_bsuid("US.118")
