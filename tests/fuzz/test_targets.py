"""A quick look in every run: the seeds as they are, and seeds with a piece cut out or written over.

FUZZ_EXAMPLES says how many, 25 unless told; `make fuzz` goes deep.
"""

import os
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
PATCHES = st.binary(max_size=8) | st.sampled_from(
    [b"null", b"[]", b"{}", b'""', b"-1", b"1e999", b"\x00", b"%00", b"\xff", b"&*a", b": |", "½٣".encode()]
)


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    found = tuple(SEEDS[target]())
    assert found
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_is_read(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_damaged_seed_breaks_nothing(target: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds(target)))
    start = data.draw(st.integers(0, len(seed)))
    length = data.draw(st.integers(0, 40))
    TARGETS[target](seed[:start] + data.draw(PATCHES) + seed[start + length :])


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.binary(max_size=200))
def test_any_bytes_break_nothing(target: str, data: bytes) -> None:
    TARGETS[target](data)
