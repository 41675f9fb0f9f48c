"""Which revocation entries can go: only those whose going lets nobody in again."""

from __future__ import annotations

import pytest

from identities.claims.revocations import Issued, Verdict, verdict

NOW = 1000
EXPIRED, LASTING = Issued(iat=10, exp=999), Issued(iat=10, exp=0)


@pytest.mark.parametrize(
    ("key", "at", "everyone", "issued", "expected"),
    [
        ("*", 5, 5, [], Verdict.ALL_USERS),
        ("U", 50, 50, [LASTING], Verdict.COVERED),
        ("U", 50, 60, [], Verdict.COVERED),
        ("U", 50, 49, [], Verdict.UNKNOWN),
        ("U", 50, 0, [EXPIRED], Verdict.EXPIRED),
        ("U", 50, 0, [EXPIRED, Issued(iat=51, exp=0)], Verdict.EXPIRED),
        ("U", 50, 0, [EXPIRED, Issued(iat=50, exp=0)], Verdict.LASTING),
        ("U", 50, 0, [Issued(iat=10, exp=NOW)], Verdict.LASTING),
        ("U", 50, 0, [EXPIRED, Issued(iat=11, exp=20, imported=True)], Verdict.IMPORTED),
        ("U", 50, 0, [EXPIRED, Issued(iat=99, exp=20, imported=True)], Verdict.IMPORTED),
    ],
)
def test_an_entry_goes_only_when_nobody_is_let_in_by_it(
    key: str, at: int, everyone: int, issued: list[Issued], expected: Verdict
) -> None:
    found = verdict(key, at, everyone=everyone, issued=issued, now=NOW)
    assert found is expected
    assert found.drops == (expected in (Verdict.COVERED, Verdict.EXPIRED))
