"""Short-lived creds over the API: an issuer of one role issues within its grant, and everything is listed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims import codec
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.formats import creds as creds_format
from identities.models import Account, AuditEvent, Handover, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import creds, signing_keys
from tests import make
from tests.api.calls import Caller, caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def role() -> Key:
    account = make.account(make.operator("Test"), "Orders")
    draft = SigningKeyDraft(role=RoleDraft(role="worker"))
    return signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)


def path(role: Key) -> str:
    account = Account.objects.select_related("operator").get(pk=role.account_id)
    keys = f"operators/{account.operator.public_key}/accounts/{account.public_key}"
    return f"{keys}/signing-keys/{role.public_key}/creds"


def issuer(role: Key, names: str = "ci-*", tags: str = "run:*") -> Caller:
    """A machine that may issue creds of `role` and nothing else."""
    called = caller(None)
    make.issuer(called.machine, role, names=names, tags=tags)
    return called


def test_a_machine_gets_creds_that_end_and_the_ledger_names_it(role: Key) -> None:
    called = issuer(role)
    answer = called("POST", path(role), {"name": "ci-7", "tags": ["run:7"], "lifetime": 300})
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    told = answer.data
    parsed = creds_format.parse_creds(told["creds"])
    claims = codec.decode(parsed.jwt).claims
    assert (claims.sub, claims.name, claims.nats.tags) == (told["public_key"], "ci-7", ("run:7",))
    assert (told["lifetime"], told["expires"]) == (300, claims.exp)
    row = Handover.objects.get()
    assert (row.way, row.door, row.recipient) == ("short-lived", "token", called.machine.audit_key)
    assert AuditEvent.objects.latest("seq").actor == called.machine.audit_key
    assert not User.objects.filter(public_key=row.subject).exists()


def test_a_key_of_the_callers_own_brings_the_jwt_alone(role: Key) -> None:
    own = KeyPair.create(KeyKind.USER).public.text
    told = issuer(role)("POST", path(role), {"name": "ci-1", "public_key": own}).data
    assert (told["creds"], told["public_key"]) == ("", own)
    assert codec.decode(told["jwt"]).claims.sub == own


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "admin"}, 403, "forbidden"),
        ({"name": "ci-1", "tags": ["team:red"]}, 403, "forbidden"),
        ({"name": "ci-1", "public_key": "UABC"}, 422, "bad-input"),
        ({"name": "ci-1", "lifetime": 0}, 422, "bad-input"),
        ({"name": "ci-1", "more": 1}, 422, "bad-input"),
        ({}, 422, "bad-input"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    role: Key, body: dict[str, object], status: int, code: str
) -> None:
    answer = issuer(role)("POST", path(role), body)
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert not Handover.objects.exists()


def test_another_role_another_account_and_a_mere_viewer_get_nothing(role: Key) -> None:
    account = Account.objects.get(pk=role.account_id)
    draft = SigningKeyDraft(role=RoleDraft(role="other"))
    other = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    body = {"name": "ci-1"}
    assert issuer(role)("POST", path(other), body).status_code == 404
    assert caller(Role.VIEWER)("POST", path(role), body).status_code == 403
    assert caller(account=make.account())("POST", path(role), body).status_code == 404
    assert caller(read_only=True)("POST", path(role), body).status_code == 403
    assert not Handover.objects.exists()


def test_what_was_issued_is_listed_by_pages_and_filters_for_those_who_may(role: Key) -> None:
    called = issuer(role)
    for number in range(3):
        called("POST", path(role), {"name": f"ci-{number}"})
    account = Account.objects.get(pk=role.account_id)
    creds.creds_file(principal=make.COMMAND, user=make.user(account, "plain"))
    auditor = caller(Role.AUDITOR)
    first = auditor.get("issued-creds?limit=3").data
    assert [item["name"] for item in first["items"]] == ["plain", "ci-2", "ci-1"]
    last = auditor.get(f"issued-creds?limit=3&cursor={first['next']}").data
    assert [item["name"] for item in last["items"]] == ["ci-0"]
    assert last["next"] is None
    mine = auditor.get(f"issued-creds?to={called.machine.audit_key}&state=valid&role=work").data
    assert {item["recipient_name"] for item in mine["items"]} == {called.machine.name}
    assert len(mine["items"]) == 3
    assert called.get("issued-creds").status_code == 403
    assert caller(Role.VIEWER).get("issued-creds").status_code == 403
    assert caller(account=make.account()).get("issued-creds").data["items"] == []


def test_a_call_takes_few_statements(role: Key) -> None:
    called = issuer(role)
    called("POST", path(role), {"name": "ci-1"})
    with CaptureQueriesContext(connection) as asked:
        called("POST", path(role), {"name": "ci-2"})
    told = [query["sql"] for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(told) <= 18, told
