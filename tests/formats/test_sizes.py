from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats import sizes
from identities.formats.errors import FormatError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("0", 0),
        ("-1", -1),
        ("1k", 1_000),
        ("1K", 1_000),
        ("1kib", 1_024),
        ("1Ki", 1_024),
        ("5G", 5_000_000_000),
        ("10GiB", 10 * 2**30),
        ("1.5 MiB", 1_572_864),
        ("64M", 64_000_000),
        ("12b", 12),
        ("1,000", 1_000),
        ("unlimited", -1),
        ("none", 0),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_number_is_read_with_si_and_iec_suffixes(text: str, number: int) -> None:
    assert sizes.parse_number(text) == number


@pytest.mark.parametrize(
    "text", ["x", "1x", "1 2", "--1", "1e3", "0x10", "k", "9223372036854775808", "9E9", "1" * 100, "٣"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        sizes.parse_number(text)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (-1, "unlimited"),
        (0, "none"),
        (1, "1 B"),
        (512 * 2**20, "512 MiB"),
        (10**9, "1 GB"),
        (1536, "1.5 KiB"),
        (1_000_001, "1,000,001 B"),
        (65_536, "64 KiB"),
    ],
)
def test_a_size_is_told_in_words_without_rounding(number: int, words: str) -> None:
    assert sizes.size_words(number) == words


@given(
    st.integers(-(2**63), 2**63 - 1)
    | st.builds(
        lambda a, b, p: a * b**p, st.integers(1, 2000), st.sampled_from([1000, 1024]), st.integers(0, 4)
    )
)
def test_every_size_survives_words_and_reading(number: int) -> None:
    assert sizes.parse_number(sizes.size_words(number)) == number
    assert sizes.parse_number(sizes.number_words(number)) == number
