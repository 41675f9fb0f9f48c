from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats import durations
from identities.formats.errors import FormatError

NOON = 1_798_718_400  # 2026-12-31 12:00:00 UTC


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2m", "2m0s"),
        ("1.9s", "1.9s"),
        ("1h", "1h0m0s"),
        ("1500ms", "1.5s"),
        ("1h30m10.5s", "1h30m10.5s"),
        ("0", "0s"),
        ("-5ms", "-5ms"),
        ("+1us", "1µs"),
        ("7ns", "7ns"),
        (".5s", "500ms"),
        ("1.s", "1s"),
        ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
    ],
)
def test_a_duration_prints_as_go_prints_it(text: str, printed: str) -> None:
    assert durations.format_duration(durations.parse_duration(text)) == printed


@pytest.mark.parametrize(
    "text", ["", "5", "-", ".s", "1d", "1 m", "s", "2m ", "9999999999h", "1" * 200 + "s", "٣s"]
)
def test_what_go_refuses_as_a_duration_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="is no duration"):
        durations.parse_duration(text)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_duration_survives_printing_and_reading(nanoseconds: int) -> None:
    assert durations.parse_duration(durations.format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("0", 0),
        ("0d", 0),
        ("2027-01-01", NOON + 43_200),
        ("2027-01-01 00:00:01 UTC", NOON + 43_201),
        ("90m", NOON + 5_400),
        ("-2h", NOON - 7_200),
        ("1d", NOON + 86_400),
        ("2w", NOON + 1_209_600),
        ("2M", NOON + (31 + 28 + 3) * 86_400),  # 31 December + 2 months = 31 February = 3 March
        ("-1M", NOON - 30 * 86_400),  # 31 November = 1 December
        ("1y", NOON + 365 * 86_400),
    ],
)
def test_an_expiry_is_read_as_nsc_reads_it(text: str, seconds: int) -> None:
    assert durations.parse_expiry(text, now=NOON) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "1.5d",
        "2027-13-01",
        "2027-02-30",
        "tomorrow",
        "5x",
        "x5d",
        "99999999y",
        "-99999d",
        "2027-01-01 1:2:3 UTC",
    ],
)
def test_a_malformed_expiry_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(FormatError, match="30d, 2w, 6M, 1y") as refused:
        durations.parse_expiry(text, now=NOON)
    assert refused.value.field == "expiry"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", NOON),
        ("", NOON),
        ("1700000000", 1_700_000_000),
        ("2026-12-31T12:00:00Z", NOON),
        ("2026-12-31T13:00:00+01:00", NOON),
    ],
)
def test_a_moment_is_now_unix_seconds_or_rfc_3339(text: str, seconds: int) -> None:
    assert durations.parse_moment(text, now=NOON) == seconds


@pytest.mark.parametrize("text", ["now", "2026-12-31", "2026-12-31T12:00:00", "-5"])
def test_a_moment_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="is no moment"):
        durations.parse_moment(text, now=NOON)
