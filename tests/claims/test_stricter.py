from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims.account import AccountBody, MsgTrace
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, Permissions, TimeRange, UserPermissionLimits
from identities.claims.report import Grade
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.stricter import stricter_issues
from identities.claims.user import UserBody
from identities.claims.validate import validate

# written out, because test names are made of them and every process of a run must collect the same
ACCOUNT_KEY = "AATF7UJ5SQ6JH5MSIGOG3ZFGJ3WU2VZDVQTJFYH2G673UY4GTO5KGY55"
OTHER_ACCOUNT = "ACSOYFGWEJ7UNUFGEDSS3RRNYAJMZAZZ227557XFM3L3TGATMP6EOVUT"
USER_KEY = "UBCNKQTVLFZW6ROCBWNTTYC25S4TPOXOKCKCERNCNPT62IPF56TSGEJN"


def _user(name: str = "u", tags: tuple[str, ...] = (), **limits: Any) -> Claims[UserBody]:
    body = UserBody(limits=replace(UserPermissionLimits.unlimited(), **limits), tags=tags)
    return Claims(nats=body, name=name)


def _account(**body: Any) -> Claims[AccountBody]:
    body = {"limits": OperatorLimits.unlimited(), **body}
    return Claims(nats=AccountBody(**body), name="a", sub=ACCOUNT_KEY)


def _role(**template: Any) -> Claims[AccountBody]:
    limits = replace(UserPermissionLimits.unlimited(), **template)
    key = SigningKey(kind=USER_SCOPE, key=OTHER_ACCOUNT, role="r", template=limits)
    return _account(signing_keys=(key,))


def _found(claims: Claims[Any], before: Claims[Any] | None = None) -> list[tuple[str, str]]:
    return [(issue.grade.value, issue.path) for issue in stricter_issues(claims, before)]


def test_an_ordinary_user_and_account_raise_no_concern() -> None:
    assert _found(_user(pub=Permission(allow=("a.>", "*.b")), sub=Permission(allow=("a.> workers",)))) == []
    assert _found(_account(exports=(Export(subject="a.*", type="stream"),))) == []


@pytest.mark.parametrize("subject", ["a.>.b", "a\tb", "foo*", "a.b>", ">a", "a.**"])
def test_what_go_lets_pass_and_the_server_does_not_is_an_error_when_new(subject: str) -> None:
    claims = _user(pub=Permission(allow=("fine", subject)))
    assert not validate(claims, now=0).issues
    assert _found(claims) == [("error", "nats.pub.allow[1]")]


def test_an_untouched_value_is_only_warned_of_wherever_it_stands_now() -> None:
    before = _user(pub=Permission(allow=("foo*",)))
    after = _user(pub=Permission(allow=("a", "foo*", "bar*")), sub=Permission(allow=("foo*",)))
    assert _found(after, before) == [
        ("warning", "nats.pub.allow[1]"),
        ("error", "nats.pub.allow[2]"),
        ("error", "nats.sub.allow[0]"),
    ]


def test_what_go_reports_already_is_not_reported_again() -> None:
    assert _found(_user(pub=Permission(allow=("", ".a", "a..b", "a b c")))) == []


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        (_user(allowed_connection_types=("standard", "CARRIER_PIGEON")), "nats.allowed_connection_types[1]"),
        (_user(subs=-2), "nats.subs"),
        (Claims(nats=ActivationBody(subject="a*", kind="stream")), "nats.subject"),
        (Claims(nats=OperatorBody(signing_keys=("O",)), sub="O"), "nats.signing_keys[0]"),
        (Claims(nats=OperatorBody(strict_signing_key_usage=True)), "nats.strict_signing_key_usage"),
        (replace(_user(), exp=5, nbf=5), "exp"),
        (replace(_user(), nbf=-1), "nbf"),
        (
            _account(default_permissions=Permissions(sub=Permission(deny=("a>",)))),
            "nats.default_permissions.sub.deny[0]",
        ),
        (_account(trace=MsgTrace(dest="a\t")), "nats.trace.dest"),
        (_account(exports=(Export(subject="a*", type="stream"),)), "nats.exports[0].subject"),
        (
            _account(
                exports=(Export(subject="a", type="service", service_latency=ServiceLatency(results="a\tb")),)
            ),
            "nats.exports[0].service_latency.results",
        ),
        (
            _account(
                exports=(Export(subject="a.*", type="stream", token_req=True, account_token_position=2),)
            ),
            "nats.exports[0].account_token_position",
        ),
        (
            _account(exports=(Export(subject="a", type="stream", revocations={USER_KEY: 5}),)),
            f"nats.exports[0].revocations[{USER_KEY}]",
        ),
        (_account(imports=(Import(subject="a", account="A", type="stream"),)), "nats.imports[0].account"),
        (
            _account(imports=(Import(subject="a", account=ACCOUNT_KEY, type="stream"),)),
            "nats.imports[0].account",
        ),
        (
            _account(imports=(Import(subject="a", account=OTHER_ACCOUNT, type="stream"),) * 2),
            "nats.imports[1].subject",
        ),
        (
            _account(imports=(Import(subject="*.*.*.*.>", account=OTHER_ACCOUNT, type="service"),)),
            "nats.imports[0].subject",
        ),
        (_account(limits=replace(OperatorLimits.unlimited(), conn=-7)), "nats.limits.conn"),
        (
            _account(limits=replace(OperatorLimits.unlimited(), tiered_limits={"gold": JetStreamLimits()})),
            "nats.limits.tiered_limits[gold]",
        ),
        (_account(revocations={ACCOUNT_KEY: 5}), f"nats.revocations[{ACCOUNT_KEY}]"),
        (_account(revocations={"*": 0}), "nats.revocations[*]"),
        (_account(signing_keys=(SigningKey(key=ACCOUNT_KEY),)), "nats.signing_keys[0]"),
        (_role(subs=0), "nats.signing_keys[0].template.subs"),
        (_role(pub=Permission(allow=("{{nme()}}",))), "nats.signing_keys[0].template.pub.allow[0]"),
        (_role(pub=Permission(allow=("a..{{name()}}",))), "nats.signing_keys[0].template.pub.allow[0]"),
        (_role(src=("1.2.3.4",)), "nats.signing_keys[0].template.src[0]"),
        (_role(sub=Permission(allow=("{{name()}}", "a q"))), "nats.signing_keys[0].template.sub.allow[1]"),
    ],
)
def test_what_nats_would_ignore_or_take_otherwise_is_an_error_when_new(
    claims: Claims[Any], path: str
) -> None:
    assert _found(claims) == [("error", path)]
    assert {grade for grade, _ in _found(claims, claims)} == {"warning"}


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        (_user(name=">"), "name"),
        (_user(tags=("plain", "team:a.b")), "nats.tags[1]"),
        (_user(subs=0), "nats.subs"),
        (_user(pub=Permission(allow=("a.{{name()}}",))), "nats.pub.allow[0]"),
        (_user(times=(TimeRange(start="08:00:00", end="09:00:00"),)), "nats.times_location"),
        (_account(limits=replace(OperatorLimits.unlimited(), conn=0)), "nats.limits.conn"),
        (_account(limits=replace(OperatorLimits.unlimited(), wildcards=False)), "nats.limits.wildcards"),
        (_role(proxy_required=True), "nats.signing_keys[0].template.proxy_required"),
    ],
)
def test_advice_never_blocks(claims: Claims[Any], path: str) -> None:
    assert _found(claims) == [("warning", path)]


def test_of_a_service_one_may_import_the_same_under_two_names_but_not_of_a_stream() -> None:
    one = Import(subject="a.>", account=OTHER_ACCOUNT, type="service", local_subject="b.>")
    assert not _found(_account(imports=(one, replace(one, local_subject="c.>"))))
    stream = replace(one, type="stream")
    found = _found(_account(imports=(one, stream, replace(stream, local_subject="c.>"))))
    assert found == [("error", "nats.imports[2].subject")]


def test_a_role_s_user_is_not_told_that_its_limits_are_zero() -> None:
    assert _found(Claims(nats=UserBody(limits=UserPermissionLimits(), issuer_account=ACCOUNT_KEY))) == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a", "b"),
        ("a.*", "b.$1"),
        ("a.*.*", "b.{{wildcard(2)}}.{{Wildcard(1)}}"),
        ("a.*.>", "b.{{partition(10,1)}}.>"),
        ("a.*", "b.{{splitFromLeft(1,3)}}"),
        ("a.*", "b.{{split(1,-)}}"),
        ("a.*", "b"),
        ("a", "b.{{random(5)}}"),
    ],
)
def test_mappings_that_the_server_takes_raise_no_concern(source: str, target: str) -> None:
    assert _found(_account(mappings={source: (WeightedMapping(subject=target),)})) == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a", "b.$1"),
        ("a.*", "b.*"),
        ("a.>", "b"),
        ("a", "b.>"),
        ("a.*", "b.{{wildcard(2)}}"),
        ("a.*", "b.{{wildcard(x)}}"),
        ("a.*", "b.{{partition(3)}}.{{joker(1)}}"),
        ("a.*", "b.{{partition(3,2)}}"),
        ("a.*", "b.{{WILDCARD(1)}}"),
        ("a.*", "b.{{splitFROMleft(1,2)}}"),
    ],
)
def test_mappings_that_the_server_drops_silently_are_errors(source: str, target: str) -> None:
    claims = _account(mappings={source: (WeightedMapping(subject=target),)})
    assert _found(claims) == [("error", f"nats.mappings.{source}[0].subject")]


def test_a_target_may_stand_only_once_even_for_other_clusters() -> None:
    targets = (WeightedMapping(subject="b", cluster="east"), WeightedMapping(subject="b", cluster="west"))
    assert _found(_account(mappings={"a": targets})) == [("error", "nats.mappings.a[1].subject")]


def test_sources_that_overlap_are_advised_against() -> None:
    mappings = {"a.*": (WeightedMapping(subject="b.$1"),), "a.x": (WeightedMapping(subject="c"),)}
    assert _found(_account(mappings=mappings)) == [("warning", "nats.mappings.a.*")]


def test_grades_are_those_of_the_report() -> None:
    report = stricter_issues(_user(subs=-2), None)
    assert report.blocking
    assert [issue.grade for issue in report] == [Grade.ERROR]


def test_a_subject_that_no_server_line_and_no_index_holds_is_an_error_when_new() -> None:
    fits, too_long = "s" * 2048, "s" * 2049
    claims = _user(pub=Permission(allow=(fits, too_long)), sub=Permission(deny=(f"{fits} q",)))
    found = [issue.path for issue in stricter_issues(claims, None) if issue.grade is Grade.ERROR]
    assert found == ["nats.pub.allow[1]", "nats.sub.deny[0]"]
    assert all(issue.grade is Grade.WARNING for issue in stricter_issues(claims, claims))


def test_a_tag_is_as_long_as_a_name_at_most() -> None:
    fits, too_long = "é" * 127 + "x", "é" * 128
    assert _found(_user(tags=(fits,))) == []
    for claims in (
        _user(tags=("a", too_long)),
        _account(tags=("a", too_long)),
        Claims(nats=OperatorBody(tags=("a", too_long))),
    ):
        assert _found(claims) == [("error", "nats.tags[1]")]
        assert _found(claims, claims) == [("warning", "nats.tags[1]")]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://h", "nats://", "https:///jwt/v1", "nats://me:secret@h:4222"]
)
def test_an_account_server_is_an_address_that_takes_accounts_and_holds_no_password(url: str) -> None:
    claims = Claims(nats=OperatorBody(account_server_url=url))
    assert not validate(claims, now=0).issues
    assert _found(claims) == [("error", "nats.account_server_url")]
    assert _found(claims, claims) == [("warning", "nats.account_server_url")]


@pytest.mark.parametrize("url", ["", "nats://h", "wss://h:443", "http://h/jwt/v1", "https://h:1/jwt/v1"])
def test_an_account_server_that_can_be_reached_raises_no_concern(url: str) -> None:
    assert _found(Claims(nats=OperatorBody(account_server_url=url))) == []


def test_a_renaming_that_loses_a_wildcard_is_an_error_when_new_and_a_warning_when_it_was_there() -> None:
    lost = Import(subject="a.*.*", local_subject="$1.$1", account=OTHER_ACCOUNT, type="stream")
    claims = _account(imports=(lost,))
    assert not validate(claims, now=0).issues
    assert _found(claims) == [("error", "nats.imports[0].local_subject")]
    assert _found(claims, claims) == [("warning", "nats.imports[0].local_subject")]
