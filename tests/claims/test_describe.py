from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.describe import Row, Section, rows
from identities.claims.describe_text import bytes_text, date_text, duration_text
from identities.claims.errors import ClaimsError
from identities.claims.generic import GenericBody
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import TimeRange, UserPermissionLimits
from identities.claims.trust import signing_key
from identities.claims.user import UserBody

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = 1795473000
FILES = sorted(path for path in GOLDEN.glob("*/out/describe/*.txt"))

Table = tuple[str, tuple[tuple[str, ...], ...]]


def _tables(text: str) -> list[Table]:
    """What nsc printed: each table's title, and its lines of cells (headers are the first line)."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = [line[1:-1] for line in block.splitlines() if line.startswith("|")]
        if lines:
            cells = tuple(tuple(cell.strip() for cell in line.split(" | ")) for line in lines[1:])
            found.append((lines[0].strip(), cells))
    return found


def _as_table(section: Section) -> Table:
    if section.headers:
        return section.title, (section.headers, *section.lines)
    return section.title, tuple((row.label, row.value) for row in section.rows)


def _comparable(table: Table) -> Table:
    """nsc prints mappings, and scopes, in random order."""
    title, lines = table
    return (title, tuple(sorted(lines))) if title == "Mappings" else table


def _claims(path: Path) -> Claims[object]:
    return codec.decode(path.read_text()).claims


def _names(folder: Path) -> dict[str, str]:
    accounts = [_claims(path) for path in folder.glob("account-*.jwt")]
    return {account.sub: account.name for account in accounts}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_nsc_describes_it_in_the_same_rows(path: Path) -> None:
    long_ids = path.name.endswith(".long.txt")
    claims = _claims(path.with_name(path.name.removesuffix(".txt").removesuffix(".long") + ".jwt"))
    scope = None
    if isinstance(claims.nats, UserBody):
        for account in (_claims(found) for found in path.parent.glob("account-*.jwt")):
            key = signing_key(account.nats, claims.iss) if isinstance(account.nats, AccountBody) else None
            scope = key if key is not None and key.is_scoped else scope
    names = _names(path.parent)
    sections = rows(claims, lambda key: names.get(key, ""), long_ids, NOW, scope)
    assert sorted(map(_comparable, map(_as_table, sections))) == sorted(
        map(_comparable, _tables(path.read_text()))
    )


def test_nsc_describes_an_activation_in_the_same_rows() -> None:
    armored = (GOLDEN / "full" / "out" / "activation-stream.jwt").read_text()
    claims = codec.decode(armored.splitlines()[1]).claims
    printed = (GOLDEN / "full" / "out" / "describe-activation-stream.txt").read_text()
    assert [_as_table(section) for section in rows(claims, str, False, NOW)] == _tables(printed)


def test_what_nsc_leaves_unsaid_is_noted() -> None:
    limits = UserPermissionLimits(
        subs=0,
        data=-1,
        payload=-1,
        times=(TimeRange(start="08:00:00", end="09:00:00"),),
        times_location="UTC",
    )
    claims = Claims(nats=UserBody(limits=limits), exp=NOW - 1, nbf=NOW + 1)
    (section,) = rows(claims, str, False, NOW)
    notes = {row.label: row.note for row in section.rows if row.note}
    assert notes == {"Expires": "expired", "Not Before": "not yet valid", "Time": "in UTC"}
    assert Row("Max Subs", "None") in section.rows


def test_an_import_of_the_deprecated_form_is_shown_the_right_way_round() -> None:
    body = AccountBody(
        limits=OperatorLimits.unlimited(),
        imports=(Import(subject="local", to="remote", account="AX", type="service", token="junk"),),
    )
    section = rows(Claims(nats=body), lambda _: "", False, NOW)[1]
    assert section.lines[0][1:4] == ("Service", "remote", "local")
    assert section.lines[0][4].startswith("error decoding: ")
    assert section.lines[0][5] == "AX"


def test_claims_of_no_known_type_are_not_described() -> None:
    with pytest.raises(ClaimsError):
        rows(Claims(nats=GenericBody()), str, False, NOW)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (9, "9 B"),
        (512, "512 B"),
        (999, "999 B"),
        (1024, "1.0 kB"),
        (65536, "66 kB"),
        (1000000, "1.0 MB"),
        (999950, "1000 kB"),
        (2147483648, "2.1 GB"),
        (10500, "10 kB"),
        (9223372036854775807, "9.2 EB"),
    ],
)
def test_sizes_are_written_as_go_humanize_does(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (100000000, "100ms"),
        (1500000000, "1.5s"),
        (120 * 10**9, "2m0s"),
        (3661 * 10**9, "1h1m1s"),
        (-(10**9), "-1s"),
        (10**9 + 1, "1.000000001s"),
    ],
)
def test_durations_are_written_as_go_does(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


def test_a_date_out_of_range_is_still_shown() -> None:
    assert date_text(2**62) == f"{2**62} seconds after 1970"
    assert replace(Row("a", "b"), note="c") == Row("a", "b", "c")
