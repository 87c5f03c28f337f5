"""The static Pix BR Code: the published example, keys, and any charge read back as it was meant."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

import setup_check
from shop import pix
from tests.paying import PIX

# The Banco Central's own example of a static code.
EXAMPLE = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR"
    "5913Fulano de Tal6008BRASILIA62070503***63041D3D"
)


def test_the_published_example_is_read_and_its_check_sum_fits():
    assert pix.read_code(EXAMPLE) == pix.Charge(
        "123e4567-e12b-12d1-a456-426655440000", "Fulano de Tal", "BRASILIA", None, "***"
    )
    assert pix.crc16(b"123456789") == 0x29B1


@pytest.mark.parametrize("place", range(0, len(EXAMPLE), 7))
def test_a_changed_code_is_refused(place):
    changed = EXAMPLE[:place] + ("0" if EXAMPLE[place] != "0" else "1") + EXAMPLE[place + 1 :]
    with pytest.raises(pix.BadCode):
        pix.read_code(changed)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("529.982.247-25", "52998224725"), ("52998224724", None), ("11.222.333/0001-81", "11222333000181"),
        ("12.ABC.345/01DE-35", "12ABC34501DE35"), ("+55 (11) 91234-5678", "+5511912345678"),
        ("11912345678", None),
        ("Ana@Loja.example", "ana@loja.example"), ("", None), ("00000000000", None),
        ("123E4567-E12B-12D1-A456-426655440000", "123e4567-e12b-12d1-a456-426655440000"),
    ],
)  # fmt: skip
def test_a_key_is_made_normal_or_refused(written, normal):
    assert pix.normal_key(written) == normal


NAMES = st.text(min_size=1, max_size=60).filter(lambda name: pix.folded(name, pix.NAME_MAX_CHARS))
TXIDS = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=pix.TXID_MAX_CHARS)
KEYS = st.sampled_from(
    ["ana@loja.example", "+5511912345678", "52998224725", "123e4567-e12b-12d1-a456-426655440000", "k" * 77]
)


@given(key=KEYS, name=NAMES, city=NAMES, amount=st.none() | st.integers(1, 10**11), txid=TXIDS)
def test_any_charge_is_read_back_and_stays_within_the_limits(key, name, city, amount, txid):
    code = pix.make_code(pix.Charge(key, name, city, amount, txid))
    said = pix.read_code(code)
    assert (said.key, said.amount_minor, said.txid) == (key, amount, txid)
    assert said.name == pix.folded(name, pix.NAME_MAX_CHARS)
    assert (len(said.name) <= 25, 0 < len(said.city) <= 15, code.isascii()) == (True, True, True)
    assert re.fullmatch(r"000201.*6304[0-9A-F]{4}", code)


@given(st.text(max_size=200))
def test_reading_what_is_no_code_raises_bad_code_alone(text):
    with pytest.raises(pix.BadCode):
        pix.read_code(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": ""},
        {"key": "k" * 78},
        {"name": "我"},
        {"city": " "},
        {"amount_minor": 0},
        {"txid": "P-1"},
        {"txid": ""},
    ],
)
def test_a_charge_that_no_code_can_say_is_refused(changed):
    whole = {"key": "a@b.co", "name": "Ana", "city": "Recife", "amount_minor": 9700, "txid": "P10017"}
    with pytest.raises(ValueError):
        pix.make_code(pix.Charge(**{**whole, **changed}))


def test_a_code_becomes_a_picture():
    assert pix.picture(EXAMPLE).startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"PIX_KEY": "11912345678"}, ["no Pix key"]),
        ({"PIX_CITY": ""}, ["PIX_CITY"]),
        ({"PIX_KEY": ""}, []),
    ],
)
def test_the_setup_check_says_why_pix_is_not_offered(load_config, changed, words):
    found = [finding.words for finding in setup_check._pix(load_config(**{**PIX, **changed}))]
    assert len(found) == len(words)
    assert all(word in said for word, said in zip(words, found, strict=True))
