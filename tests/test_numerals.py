"""Numbers as people type them: understood as they are meant, or not at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resviz.numerals import real, whole


@pytest.mark.parametrize(
    "text",
    [
        *("0.01", "0,01", ".01", ",01", "1e-2", "1E-2", "1,0e-2", "+0.010", " 0.01 ", "0.01\n"),
        *("\u00a00,01", "1e\u22122", "０．０１", "٠٫٠١", "1" + "0" * 20 + "e-22"),
    ],
)
def test_a_hundredth(text):
    assert real(text) == 0.01


@pytest.mark.parametrize(
    "text",
    [
        *("1000", "1 000", "1.000", "1,000", "1'000", "1’000", "1\u00a0000", "1\u202f000"),
        *("1000.0", "1000,0", "1000.", "1e3", "1.0E+3", "+1000", "01000", "١٠٠٠", "１０００"),
    ],
)
def test_a_thousand(text):
    assert whole(text) == 1000


def test_signs_and_many_groups():
    assert whole("2 147 483 647") == 2**31 - 1
    assert whole("-1.000") == whole("\u22121000") == -1000
    assert real("-,5") == -0.5


STRANGE = [
    "",
    " ",
    "-",
    ".",
    ",",
    "e3",
    "1e",
    "1_000",
    "0x10",
    "1/2",
    "1%",
    "a",
    "½",
    "²",
    "nan",
    "inf",
]


@pytest.mark.parametrize("text", [*STRANGE, "1.000,5", "1,000.5", "0,0,1", "1 000,5", "0. 1"])
def test_no_other_number_is_guessed(text):
    assert real(text) is None


@pytest.mark.parametrize("text", [*STRANGE, "2.5", "2,5", "1.00.000", "1 00", "1.000,000", "1e-3"])
def test_nor_another_whole_number(text):
    assert whole(text) is None


@pytest.mark.parametrize("text", ["9" * 5000, "0" * 10**6, "1e9999"])
def test_what_is_too_long_ends_at_once(text):
    assert real(text) in (None, math.inf)
    assert whole(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read_back(value):
    assert real(repr(value)) == value
    assert real(repr(value).replace(".", ",")) == value


@given(st.integers(-(10**15), 10**15), st.sampled_from(" .,'"))
def test_whole_numbers_come_back_from_any_grouping(value, mark):
    assert whole(f"{value:,}".replace(",", mark)) == whole(str(value)) == value


@given(st.text(max_size=70))
def test_any_text_is_a_number_or_none(text):
    assert real(text) is None or isinstance(real(text), float)
    assert whole(text) is None or isinstance(whole(text), int)
