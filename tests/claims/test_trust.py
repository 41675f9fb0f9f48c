from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.trust import (
    did_sign,
    has_empty_permissions,
    scoped_signer_issues,
    signing_key,
    without_rights,
)
from identities.claims.user import UserBody

SCOPE = SigningKey(kind=USER_SCOPE, key="ASCOPE", role="r", template=UserPermissionLimits())
OPERATOR = Claims(nats=OperatorBody(signing_keys=("OSIGN",)), sub="O", iss="O")
ACCOUNT = Claims(nats=AccountBody(signing_keys=(SigningKey(key="ASIGN"), SCOPE)), sub="A", iss="O")
SCOPED_USER = Claims(
    nats=UserBody(limits=UserPermissionLimits(), issuer_account="A", tags=("t",)), sub="U", iss="ASCOPE"
)


def test_an_operator_signs_by_identity_and_by_signing_keys() -> None:
    assert did_sign(OPERATOR, ACCOUNT)
    assert did_sign(OPERATOR, replace(ACCOUNT, iss="OSIGN"))
    assert not did_sign(OPERATOR, replace(ACCOUNT, iss="OTHER"))


def test_a_strict_operator_signs_by_identity_only_for_itself() -> None:
    strict = replace(OPERATOR, nats=replace(OPERATOR.nats, strict_signing_key_usage=True))
    assert did_sign(strict, strict)
    assert not did_sign(strict, ACCOUNT)
    assert did_sign(strict, replace(ACCOUNT, iss="OSIGN"))


@pytest.mark.parametrize("body", [UserBody(issuer_account="A"), ActivationBody(issuer_account="A")])
def test_an_account_s_signing_key_counts_when_the_account_is_named(body: Any) -> None:
    assert did_sign(ACCOUNT, Claims(nats=body, iss="ASIGN"))
    assert not did_sign(ACCOUNT, Claims(nats=replace(body, issuer_account=""), iss="ASIGN"))
    assert not did_sign(ACCOUNT, Claims(nats=replace(body, issuer_account="B"), iss="ASIGN"))
    assert did_sign(ACCOUNT, Claims(nats=replace(body, issuer_account=""), iss="A"))
    assert not did_sign(ACCOUNT, Claims(nats=body, iss="AOTHER"))


def test_a_user_signs_nothing() -> None:
    assert not did_sign(SCOPED_USER, SCOPED_USER)


def test_a_role_s_user_carries_nothing_of_its_own() -> None:
    assert scoped_signer_issues(SCOPE, SCOPED_USER) == []
    assert scoped_signer_issues(SCOPE, replace(SCOPED_USER, iss="ASIGN")) == ["issuer not the scoped signer"]
    assert scoped_signer_issues(SCOPE, ACCOUNT) == [
        "not an user claim - scoped signing key requires user claim"
    ]


@pytest.mark.parametrize(
    "limits",
    [
        UserPermissionLimits.unlimited(),
        UserPermissionLimits(pub=Permission(allow=("a",))),
        UserPermissionLimits(sub=Permission(deny=("a",))),
        UserPermissionLimits(resp=ResponsePermission()),
        UserPermissionLimits(bearer_token=True),
        UserPermissionLimits(times_location="UTC"),
    ],
)
def test_any_limit_or_permission_on_a_role_s_user_is_refused(limits: UserPermissionLimits) -> None:
    claims = replace(SCOPED_USER, nats=replace(SCOPED_USER.nats, limits=limits))
    assert scoped_signer_issues(SCOPE, claims) == ["scoped users require no permissions or limits set"]


@pytest.mark.parametrize(
    "inner",
    [
        '"src":[]',
        '"src":""',
        '"SRC":[]',
        '"times":[]',
        '"allowed_connection_types":[]',
        '"pub":{"allow":[]}',
        '"sub":{"deny":[]}',
    ],
)
def test_an_empty_list_is_not_the_same_as_none_to_a_server(inner: str) -> None:
    claims = codec.from_payload(f'{{"iss":"ASCOPE","sub":"U","nats":{{{inner},"type":"user","version":2}}}}')
    assert not has_empty_permissions(claims)


@pytest.mark.parametrize("inner", ['"resp":null', '"src":null', '"pub":{},"sub":{}', '"tags":[]', '"new":[]'])
def test_null_and_absent_are_the_same_to_a_server(inner: str) -> None:
    claims = codec.from_payload(f'{{"iss":"ASCOPE","sub":"U","nats":{{{inner},"type":"user","version":2}}}}')
    assert has_empty_permissions(claims)


def test_a_signing_key_is_found_by_its_public_key() -> None:
    assert signing_key(ACCOUNT.nats, "ASCOPE") is SCOPE
    assert signing_key(ACCOUNT.nats, "A") is None


def test_taking_the_rights_away_leaves_what_a_role_s_user_carries_and_nothing_unknown_is_lost() -> None:
    payload = (
        '{"iat":1,"iss":"A","sub":"U","x_top":1,"nats":{"pub":{"allow":["a"],"x_pub":1},"sub":{"deny":[]},'
        '"resp":{"max":1,"ttl":0},"src":[],"times":[],"subs":-1,"data":-1,"payload":-1,"x_new":true,'
        '"tags":["t"],"type":"user","version":2}}'
    )
    bare = without_rights(codec.from_payload(payload))
    assert has_empty_permissions(bare)
    assert codec.payload_text(bare) == (
        '{"iat":1,"iss":"A","sub":"U","x_top":1,"nats":{"pub":{"x_pub":1},"sub":{},"x_new":true,'
        '"tags":["t"],"type":"user","version":2}}'
    )
