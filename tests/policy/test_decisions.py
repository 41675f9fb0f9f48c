"""Who may do what: everything is denied unless a grant on a scope around it allows it."""

from __future__ import annotations

import pytest

from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.decisions import Allowed, Denied
from identities.policy.powers import READING
from identities.policy.principal import HeldRole, Narrowing, Principal, Role, Scope, ScopeKind, Way

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


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        (Scope(), "owner or auditor of the installation here"),
        (Scope(operator=1), "owner, auditor of the installation, operator admin or operator auditor here"),
        (
            Scope(operator=1, account=5),
            "owner, auditor of the installation, operator admin, operator auditor, account admin or user manager here",
        ),
    ],
)
def test_a_refusal_names_the_roles_that_would_do_there(scope: Scope, named: str) -> None:
    found = decisions.decide(holding(account_role(Role.VIEWER, 1, 5)), Action.LEDGER_VIEW, scope)
    assert isinstance(found, Denied)
    assert found.reason == (
        f"“See who received which credentials” needs the role {named}, which “Ann” does not hold."
    )


def test_a_refusal_of_a_whole_page_names_all_that_would_do_somewhere() -> None:
    ann = holding(account_role(Role.ADMINISTRATOR, 1, 5))
    with pytest.raises(decisions.Forbidden, match="needs the role owner or operator admin here"):
        decisions.require_somewhere(ann, Action.JWT_ADOPT)
    assert decisions.decide_somewhere(ann, Action.LEDGER_VIEW) == Allowed(Role.ADMINISTRATOR)


def narrowed(
    *roles: HeldRole, of: tuple[HeldRole, ...], read_only: bool = False, bound: bool = False
) -> Principal:
    narrowing = Narrowing(
        held=of,
        read_only=read_only,
        operator=1 if bound else None,
        operator_name="Acme" if bound else "",
    )
    return Principal(key="person:1", name="Ann", way=Way.TOKEN, roles=roles, narrowing=narrowing)


OWNER = (HeldRole(role=Role.ADMINISTRATOR),)
HERE = Scope(operator=1, account=5)
ELSEWHERE = Scope(operator=2)


@pytest.mark.parametrize(
    ("principal", "scope", "said"),
    [
        (narrowed(HeldRole(role=Role.AUDITOR), of=OWNER, read_only=True), HERE, "this token may only read"),
        (
            narrowed(operator_role(Role.ADMINISTRATOR, 1), of=OWNER, bound=True),
            ELSEWHERE,
            "this token is bound to the operator “Acme”",
        ),
        (
            narrowed(operator_role(Role.AUDITOR, 1), of=OWNER, bound=True, read_only=True),
            HERE,
            "this token may only read",
        ),
        (
            narrowed(operator_role(Role.AUDITOR, 1), of=OWNER, bound=True, read_only=True),
            ELSEWHERE,
            "this token is bound to the operator “Acme”",
        ),
        (
            narrowed(of=(operator_role(Role.ADMINISTRATOR, 2),), bound=True),
            ELSEWHERE,
            "this token is bound to the operator",  # of which its holder sees nothing
        ),
    ],
)
def test_where_the_token_forbids_what_its_holder_may_the_refusal_says_so(
    principal: Principal, scope: Scope, said: str
) -> None:
    found = decisions.decide(principal, Action.USER_CREATE, scope)
    assert found == Denied(f"“Create users”: {said}, though “Ann” may do it.")


def test_what_the_holder_may_not_either_is_not_put_down_to_the_token() -> None:
    viewer = (HeldRole(role=Role.VIEWER),)
    found = decisions.decide(narrowed(*viewer, of=viewer, read_only=True), Action.USER_CREATE, HERE)
    assert isinstance(found, Denied)
    assert "needs the role" in found.reason


def test_require_says_the_reason() -> None:
    with pytest.raises(decisions.Forbidden, match="the role owner here") as refused:
        decisions.require(holding(HeldRole(role=Role.VIEWER)), Action.OPERATOR_CREATE)
    assert refused.value.code == "forbidden"
    decisions.require(Principal.command("x"), Action.OPERATOR_CREATE)
    decisions.require(Principal.worker(), Action.CLIENT_TEST)
