"""Who may do what: everything is denied unless a grant on a scope around it allows it."""

from __future__ import annotations

import pytest

from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.decisions import Allowed, Denied
from identities.policy.powers import READING
from identities.policy.principal import HeldRole, Principal, Role, Scope, ScopeKind, Way

SECRET = (Action.CREDS_DOWNLOAD, Action.BEARER_DOWNLOAD, Action.CLIENT_TEST)
WRITING = sorted(set(Action) - READING)


def holding(*roles: HeldRole) -> Principal:
    return Principal(key="person:1", name="Ann", way=Way.PAGE, roles=roles)


def operator_role(role: Role, operator: int) -> HeldRole:
    return HeldRole(role=role, kind=ScopeKind.OPERATOR, operator=operator)


def account_role(role: Role, operator: int, account: int) -> HeldRole:
    return HeldRole(role=role, kind=ScopeKind.ACCOUNT, operator=operator, account=account)


EVERYWHERE = (Scope(), Scope(operator=1), Scope(operator=1, account=2), None)


@pytest.mark.parametrize("action", sorted(Action))
@pytest.mark.parametrize("scope", EVERYWHERE)
def test_without_a_grant_everything_is_denied(action: Action, scope: Scope | None) -> None:
    found = decisions.decide(Principal.nobody(), action, scope)
    assert isinstance(found, Denied)
    assert "holds no role" in found.reason


@pytest.mark.parametrize("action", sorted(Action))
@pytest.mark.parametrize("scope", EVERYWHERE)
def test_an_administrator_of_the_installation_may_do_everything(action: Action, scope: Scope | None) -> None:
    administrator = holding(HeldRole(role=Role.ADMINISTRATOR))
    assert decisions.decide(administrator, action, scope) == Allowed(Role.ADMINISTRATOR)


@pytest.mark.parametrize("action", WRITING)
@pytest.mark.parametrize("scope", EVERYWHERE)
def test_a_viewer_changes_nothing_and_takes_no_secret(action: Action, scope: Scope | None) -> None:
    assert isinstance(decisions.decide(holding(HeldRole(role=Role.VIEWER)), action, scope), Denied)


def test_nothing_secret_counts_as_reading() -> None:
    assert not READING & set(SECRET)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope(), False),
        (Scope(operator=1), True),
        (Scope(operator=1, account=5), True),
        (Scope(operator=2), False),
        (Scope(operator=2, account=1), False),
    ],
)
def test_a_grant_on_an_operator_ends_at_it(scope: Scope, allowed: bool) -> None:
    found = decisions.decide(holding(operator_role(Role.ADMINISTRATOR, 1)), Action.USER_CREATE, scope)
    assert isinstance(found, Allowed) is allowed


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope(), False),
        (Scope(operator=1), False),
        (Scope(operator=1, account=5), True),
        (Scope(operator=1, account=6), False),
    ],
)
def test_a_grant_on_an_account_ends_at_it(scope: Scope, allowed: bool) -> None:
    found = decisions.decide(holding(account_role(Role.ADMINISTRATOR, 1, 5)), Action.USER_CREATE, scope)
    assert isinstance(found, Allowed) is allowed


def test_the_wider_of_two_grants_counts_where_it_reaches() -> None:
    mixed = holding(HeldRole(role=Role.VIEWER), operator_role(Role.ADMINISTRATOR, 1))
    assert decisions.decide(mixed, Action.ACCOUNT_EDIT, Scope(operator=1)) == Allowed(Role.ADMINISTRATOR)
    denied = decisions.decide(mixed, Action.ACCOUNT_EDIT, Scope(operator=2))
    assert isinstance(denied, Denied)
    assert "Ann" in denied.reason
    assert decisions.decide(mixed, Action.VIEW, Scope(operator=2)) == Allowed(Role.VIEWER)


def test_require_says_the_reason() -> None:
    with pytest.raises(decisions.Forbidden, match="the role owner here") as refused:
        decisions.require(holding(HeldRole(role=Role.VIEWER)), Action.OPERATOR_CREATE)
    assert refused.value.code == "forbidden"
    decisions.require(Principal.command("x"), Action.OPERATOR_CREATE)
    decisions.require(Principal.worker(), Action.CLIENT_TEST)
