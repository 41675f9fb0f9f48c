"""The validation that every page and service goes by (`changes.check`) judges as the Go library does, case by case and
grade by grade; what only we find is told apart.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.report import Grade, Issue, Report
from identities.errors import IdentityError
from identities.services import changes, inspection
from tests.goldens import GOLDEN

CASES = json.loads((GOLDEN / "invalid/cases.json").read_text())
RECORDED = 1_795_469_000
"""A moment after the tokens were made, on the day that the Go library judged them."""
PANICS = "account-raw-export-null"
READ = [case for case in CASES if not case["expected"].get("decode_error")]
UNREAD = [case for case in CASES if case["expected"].get("decode_error") and case["name"] != PANICS]

STOPPED = {
    "account-import-local-11",
    "account-import-self",
    "account-raw-sk-dup",
    "account-revoke-key-junk",
    "account-scope-bad-perms",
    "activation-expired",
    "operator-accturl-03",
    "operator-accturl-04",
    "user-conntypes-bad",
    "user-expired",
    "user-limits-negative",
    "user-puballow-07",
    "user-subdeny-05",
    "user-subdeny-06",
    "user-subdeny-07",
    "user-subdeny-13",
}
"""Cases that Go lets pass and we stop, when somebody brings them in anew; those that were there before we do not."""


def named(case: Any) -> str:
    return str(case["name"])


def by_grade(issues: Any) -> Counter[tuple[str, str]]:
    return Counter((issue.grade.value, issue.message) for issue in issues)


def go(case: Any) -> Counter[tuple[str, str]]:
    return Counter((issue["level"], issue["description"]) for issue in case["expected"]["issues"] or [])


@pytest.mark.parametrize("case", READ, ids=named)
@pytest.mark.parametrize("new", [False, True], ids=["was-there-before", "new"])
def test_every_verdict_is_go_s_grade_by_grade(case: Any, new: bool) -> None:
    claims = codec.decode(case["token"]).claims
    found = changes.check(claims, None if new else claims, now=RECORDED)
    assert by_grade(found.of_go) == go(case)
    assert found.of_go.blocking is case["expected"]["blocking"]
    assert found.of_go.blocking_with_time_checks is case["expected"]["blocking_with_time_checks"]
    assert by_grade(found) - by_grade(found.of_go) == by_grade(issue for issue in found if issue.ours)


@pytest.mark.parametrize("case", READ, ids=named)
def test_what_was_there_before_is_blocked_only_where_go_blocks_it(case: Any) -> None:
    claims = codec.decode(case["token"]).claims
    found = changes.check(claims, claims, now=RECORDED)
    assert found.blocking is case["expected"]["blocking"]
    assert all(issue.grade is Grade.WARNING for issue in found if issue.ours)


@pytest.mark.parametrize("case", UNREAD, ids=named)
def test_what_go_can_t_read_never_gets_so_far(case: Any) -> None:
    with pytest.raises(IdentityError):
        codec.decode(case["token"])
    assert inspection.judge(case["token"], now=RECORDED).blocking


def test_where_go_panics_we_say_no() -> None:
    token = next(case["token"] for case in CASES if case["name"] == PANICS)
    claims = codec.decode(token).claims
    assert changes.check(claims, claims, now=RECORDED).of_go.blocking


def test_every_case_is_judged() -> None:
    assert len(READ) + len(UNREAD) + 1 == len(CASES) == 212
    grades = Counter(level for case in READ for level, _ in go(case))
    assert all(grades[grade.value] for grade in Grade)


def test_our_own_findings_are_stricter_never_milder() -> None:
    stopped = set()
    for case in READ:
        claims = codec.decode(case["token"]).claims
        found = changes.check(claims, None, now=RECORDED)
        assert found.blocking or not case["expected"]["blocking"]
        if found.blocking and not case["expected"]["blocking"]:
            stopped.add(case["name"])
    assert stopped == STOPPED


def test_a_time_that_is_typed_in_is_judged_by_us() -> None:
    claims = codec.decode(next(case["token"] for case in READ if case["name"] == "user-ok")).claims
    gone = changes.check(replace(claims, exp=RECORDED - 1), claims, now=RECORDED)
    assert [issue.ours for issue in gone.errors] == [True]
    assert [(issue.grade, issue.message) for issue in gone.of_go] == [(Grade.TIMECHECK, "claim is expired")]
    turned = changes.check(replace(claims, exp=RECORDED + 5, nbf=RECORDED + 9), claims, now=RECORDED)
    assert turned.blocking
    assert not turned.of_go.blocking


def test_a_report_tells_them_apart() -> None:
    theirs, ours = Issue(Grade.ERROR, "a", "b"), Issue(Grade.ERROR, "a", "c", ours=True)
    assert Report.of([theirs, ours]).of_go == Report.of([theirs])
