"""What is true of every operation."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from identities.api.urls import OPERATIONS as DECLARED
from identities.models import AuditEvent, IssuedToken, Proposal
from identities.policy.operations import OPERATIONS
from identities.policy.powers import POWERS
from identities.policy.principal import Role, ScopeKind
from tests.api.calls import ROOT, Caller, caller
from tests.api.samples import BODIES, SEED, World, world

pytestmark = pytest.mark.django_db
WRITES = sorted(name for name, one in DECLARED.items() if one.writes)
DRY = sorted(name for name, one in DECLARED.items() if one.dry)
VERSIONED = sorted(name for name, one in DECLARED.items() if one.versioned)


def send(called: Caller, place: World, name: str, **more: Any) -> Any:
    """Send the sample of an operation, for whatever version there is; the proposal is the caller's own."""
    if name == "withdraw-proposal":
        Proposal.objects.filter(pk=place.proposal.pk).update(by=called.machine.audit_key)
    headers = {"If_Match": "*"} if DECLARED[name].versioned else {}
    path = place.path(name) + more.pop("query", "")
    return called(DECLARED[name].method, path, more.pop("body", place.body(name)), **{**headers, **more})


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_its_owner_may_and_the_answer_fits_the_document(name: str) -> None:
    place, called = world(), caller()
    answer = send(called, place, name)
    assert answer.status_code in (200, 201, 204), answer.content
    if not DECLARED[name].secret:
        assert not SEED.search(answer.content.decode())
    if DECLARED[name].writes:
        event = AuditEvent.objects.latest("seq")
        assert (event.way, event.actor) == ("token", called.machine.audit_key)
    if answer.status_code == 201 and answer.headers.get("Location"):
        made = called.get(answer["Location"].removeprefix("/api/v1/"))
        assert made.status_code == 200 and made.data == answer.data


@pytest.mark.parametrize("name", DRY)
def test_a_dry_run_tells_what_would_change_and_saves_nothing(name: str) -> None:
    place, called = world(), caller()
    before = AuditEvent.objects.count(), IssuedToken.objects.count()
    answer = send(called, place, name, query="?dry_run=true")
    assert answer.status_code == 200 and answer.data["dry_run"] is True, answer.content
    assert (
        answer.data["changes"]
        or answer.data["consequences"]
        or name in {"deliver-account", "add-cluster", "replace-cluster", "compact-revocations"}
    )
    assert (AuditEvent.objects.count(), IssuedToken.objects.count()) == before
    again = send(called, place, name, query="?dry_run=true")
    assert {**again.data, "changes": []} == {**answer.data, "changes": []}


def test_a_write_says_which_version_it_was_made_for() -> None:
    place, called = world(), caller()
    before = AuditEvent.objects.count()
    for name in VERSIONED:
        path, method, body = place.path(name), DECLARED[name].method, place.body(name)
        missing = called(method, path, body)
        assert (missing.status_code, missing.data["code"]) == (428, "version-missing"), name
        stale = called(method, path, body, If_Match='"999"')
        assert (stale.status_code, stale.data["code"]) == (412, "stale"), name
        vague = called(method, path, body, If_Match="foo")
        assert (vague.status_code, vague.data["code"]) == (400, "bad-request"), name
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(
    ("header", "status"),
    [
        *(
            (header, 400)
            for header in ("foo", "3", '"', '"3', "'3'", '*, "3"', '"3" "4"', '"3",', ',"3"', "w/3")
        ),
        *((header, 412) for header in ('"999"', '""', '"foo"', 'W/"{}"', '"998", "999"')),
        *((header, 200) for header in ("*", " * ", '"{}"', '"999", "{}"', '"{}" ,"999"', 'W/"1", "{}"')),
    ],
)
def test_which_versions_a_write_may_name(header: str, status: int) -> None:
    place, called = world(), caller()
    answer = send(called, place, "edit-account", If_Match=header.format(place.account.version))
    assert answer.status_code == status, answer.content
    if status == 400:
        assert "`*`" in answer.data["detail"] and '`"3"`' in answer.data["detail"]


@pytest.mark.parametrize("name", sorted(name for name, one in DECLARED.items() if one.method == "GET"))
def test_head_is_get_without_a_body(name: str) -> None:
    place, called = world(), caller()
    path, headers = f"{ROOT}{place.path(name)}", {"Authorization": f"Bearer {called.token}"}
    read, head = Client().get(path, headers=headers), Client().head(path, headers=headers)
    assert (head.status_code, head.content) == (read.status_code, b"") == (200, b"")
    assert head["Content-Length"] == str(len(read.content))
    told = ("Content-Type", "Cache-Control", "X-Content-Type-Options", "ETag", "Content-Disposition")
    assert [head.headers.get(each) for each in told] == [read.headers.get(each) for each in told]


def test_head_is_refused_as_get_is() -> None:
    place, called = world(), caller(Role.VIEWER)
    headers = {"Authorization": f"Bearer {called.token}"}
    for path, status in ((place.path("get-creds"), 403), ("operators/none", 404), ("audit?x=1", 400)):
        answer = Client().head(f"{ROOT}{path}", headers=headers)
        assert (answer.status_code, answer.content) == (status, b"")
    assert Client().head(f"{ROOT}me").status_code == 401
    only_post = Client().head(f"{ROOT}{place.path('suspend-user')}", headers=headers)
    assert only_post.status_code == 405 and "HEAD" not in only_post["Allow"]
    assert Client().put(f"{ROOT}me", headers=headers)["Allow"] == "GET, HEAD"


def test_a_parameter_that_an_operation_does_not_have_is_refused() -> None:
    place, called = world(), caller()
    before = AuditEvent.objects.count()
    for name in sorted(DECLARED):
        mark = "&" if "?" in place.path(name) else "?"
        answer = send(called, place, name, query=f"{mark}dryrun=true")
        assert (answer.status_code, answer.data["code"]) == (400, "unknown-parameter"), name
    assert AuditEvent.objects.count() == before


def test_a_field_that_an_operation_does_not_have_is_refused() -> None:
    place, called = world(), caller()
    before = AuditEvent.objects.count()
    for name, body in BODIES.items():
        answer = send(called, place, name, body={**body, "unknown": 1})
        assert (answer.status_code, answer.data["errors"][0]["path"]) == (422, "unknown"), name
    assert AuditEvent.objects.count() == before


def test_roles_are_refused_what_the_table_does_not_give_them() -> None:
    place = world()
    scopes = {
        ScopeKind.INSTALLATION: {},
        ScopeKind.OPERATOR: {"operator": place.operator},
        ScopeKind.ACCOUNT: {"account": place.account},
    }
    before = IssuedToken.objects.count()
    for (kind, role), allowed in POWERS.items():
        if kind not in scopes:
            continue
        called = caller(role, **scopes[kind])
        for name in sorted(DECLARED):
            if OPERATIONS[name] not in allowed:
                answer = send(called, place, name)
                assert answer.status_code in (403, 404), (kind, role, name, answer.content)
    assert IssuedToken.objects.count() == before


def test_what_stands_elsewhere_is_not_there() -> None:
    place, own = world(), world()
    called = caller(Role.ADMINISTRATOR, operator=own.operator)
    before = IssuedToken.objects.count()
    for name in sorted(DECLARED):
        if "operator_key" in DECLARED[name].path:
            answer = send(called, place, name)
            assert answer.status_code == 404, (name, answer.content)
    assert IssuedToken.objects.count() == before
