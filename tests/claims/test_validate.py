from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody, MsgTrace
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.report import Grade
from identities.claims.user import UserBody
from identities.claims.validate import validate

GOLDEN = Path(__file__).parents[1] / "golden" / "invalid" / "cases.json"
CASES = json.loads(GOLDEN.read_text())
RECORDED = 1795469000  # a moment after the tokens were made, on the day that the Go library judged them
PANICS = "account-raw-export-null"


def _case(name: str) -> Any:
    return next(case for case in CASES if case["name"] == name)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case["expected"].get("decode_error")],
    ids=lambda case: case["name"],
)
def test_every_decodable_token_gets_the_go_library_s_findings_and_verdicts(case: Any) -> None:
    report = validate(codec.decode(case["token"]).claims, now=RECORDED)
    expected = case["expected"]
    found = [(issue.grade.value, issue.message) for issue in report]
    assert found == [(issue["level"], issue["description"]) for issue in expected["issues"] or []]
    assert report.blocking is expected["blocking"]
    assert report.blocking_with_time_checks is expected["blocking_with_time_checks"]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["expected"].get("decode_error") and case["name"] != PANICS],
    ids=lambda case: case["name"],
)
def test_what_the_go_library_cannot_decode_never_reaches_validation(case: Any) -> None:
    with pytest.raises(ClaimsError):
        codec.decode(case["token"])


def test_a_null_export_which_makes_go_panic_is_an_error() -> None:
    report = validate(codec.decode(_case(PANICS)["token"]).claims, now=RECORDED)
    assert report.blocking
    assert ("nats.exports[0]", "null export is not allowed") in [(i.path, i.message) for i in report]


def _user(**limits: Any) -> Claims[UserBody]:
    return Claims(nats=UserBody(limits=UserPermissionLimits(subs=-1, data=-1, payload=-1, **limits)))


def _account(**body: Any) -> Claims[AccountBody]:
    return Claims(nats=AccountBody(limits=OperatorLimits.unlimited(), **body))


def _found(claims: Claims[Any]) -> list[tuple[str, str]]:
    return [(issue.path, issue.message) for issue in validate(claims, now=RECORDED)]


def test_each_issue_stands_at_the_path_of_its_value() -> None:
    claims = _user(
        pub=Permission(deny=("a", "b c")), src=("10.0.0.0/8", "1.2.3.4"), times_location="Mars/Base"
    )
    assert _found(claims) == [
        ("nats.pub.deny[1]", 'Permission Subject "b c" is not allowed to contain queue'),
        ("nats.src[1]", 'invalid cidr "1.2.3.4" in user src limits'),
        ("nats.times_location", "could not parse iana time zone by name: unknown time zone Mars/Base"),
    ]


def test_times_are_checked_to_the_second() -> None:
    claims = replace(_user(), exp=100, nbf=90)
    assert [[issue.message for issue in validate(claims, now=now)] for now in (89, 90, 100, 101)] == [
        ["claim is not yet valid"],
        [],
        [],
        ["claim is expired"],
    ]
    assert {issue.grade for issue in validate(claims, now=101)} == {Grade.TIMECHECK}


@pytest.mark.parametrize(
    ("network", "good"),
    [
        ("10.0.0.0/8", True),
        ("::ffff:1.2.3.4/128", True),
        ("010.0.0.0/8", False),
        ("10.0.0.0/33", False),
        ("10.0.0.0/", False),
        ("10.0.0.0/+8", False),
        ("::/129", False),
        ("fe80::%1/64", False),
        ("", False),
    ],
)
def test_networks_are_read_as_go_reads_them(network: str, good: bool) -> None:
    assert (not _found(_user(src=(network,)))) is good


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nats://h:4222", ""),
        ("NATS://h", ""),
        ("tls://[::1]:4222", ""),
        ("", ""),
        ("nats://h:x", 'parse "nats://h:x": invalid port ":x" after host'),
        ("nats://h%zz", 'parse "nats://h%zz": invalid URL escape "%zz"'),
        ("nats://h h", 'parse "nats://h h": invalid character " " in host name'),
        ("nats://[::1", "parse \"nats://[::1\": missing ']' in host"),
        (":4222", 'parse ":4222": missing protocol scheme'),
        ("1.2.3.4:4222", 'parse "1.2.3.4:4222": first path segment in URL cannot contain colon'),
        ("nats://h\x7f", 'parse "nats://h\\x7f": net/url: invalid control character in URL'),
    ],
)
def test_service_urls_are_parsed_as_go_parses_them(url: str, problem: str) -> None:
    found = _found(Claims(nats=OperatorBody(operator_service_urls=(url,))))
    quoted = '"' + url.replace("\x7f", "\\x7f") + '"'
    expected = f"error parsing operator service url {quoted}: {problem}"
    assert found == ([("nats.operator_service_urls[0]", expected)] if problem else [])


def test_an_account_server_url_needs_a_scheme() -> None:
    body = OperatorBody(account_server_url="h/jwt", assert_server_version="2.1")
    assert [message for _, message in _found(Claims(nats=body))] == [
        'account server url "h/jwt" requires a protocol',
        "assert server version error: asserted server version must be of the form <major>.<minor>.<update>",
    ]


def test_a_wider_export_names_the_first_one_that_it_contains() -> None:
    exports = [Export(subject=subject, type="stream") for subject in ("b", "a.*", "a.x", "a.x.y", ">")]
    assert _found(_account(exports=tuple(exports))) == [
        ("nats.exports[1].subject", 'stream export subject "a.*" already exports "a.x"'),
        ("nats.exports[4].subject", 'stream export subject ">" already exports "b"'),
    ]


def test_services_of_one_exporter_must_not_overlap_locally() -> None:
    imports = [
        Import(subject="a.x", account="A", type="service"),
        Import(subject="b.*", local_subject="a.$1", account="A", type="service"),
        Import(subject="a.x", account="B", type="service"),
        Import(subject="a.x", account="A", type="stream"),
    ]
    assert _found(_account(imports=tuple(imports))) == [
        (
            "nats.imports[1].local_subject",
            'overlapping subject namespace for "a.*" and "a.x" in same account "A"',
        )
    ]


def test_too_many_imports_are_reported_twice_as_go_does() -> None:
    body = AccountBody(
        limits=replace(OperatorLimits.unlimited(), imports=0, exports=0, wildcards=False),
        imports=(Import(subject="a", account="A", type="stream"),),
        exports=(Export(subject="a.*", type="stream"),),
    )
    assert [message.split(" allowed")[0] for _, message in _found(Claims(nats=body))] == [
        "the account contains more imports than",
        "the account contains more imports than",
        "the account contains more exports than",
        "the account contains wildcard exports that are not",
    ]


def test_sampling_of_zero_is_fine_and_stays_zero() -> None:
    claims = _account(trace=MsgTrace(dest="t"))
    assert _found(claims) == []
    assert claims.nats.trace == MsgTrace(dest="t")


def test_a_thousand_exports_are_compared_without_comparing_all_pairs() -> None:
    exports = tuple(Export(subject=f"a.{number}", type="stream") for number in range(1000))
    assert _found(_account(exports=exports)) == []
