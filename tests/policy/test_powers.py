"""The table of powers: complete, ordered by width, and nobody's scope gives what belongs above it."""

from __future__ import annotations

import itertools

import pytest

from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.decisions import Allowed
from identities.policy.principal import HeldRole, Principal, Role, Scope, ScopeKind, Way


def test_every_grant_has_a_title() -> None:
    assert set(powers.TITLES) == set(powers.POWERS)
    assert len(set(powers.TITLES.values())) == len(powers.TITLES)


def test_the_owner_may_everything_and_every_action_has_a_holder() -> None:
    assert powers.POWERS[ScopeKind.INSTALLATION, Role.ADMINISTRATOR] == set(Action)
    assert all(powers.holders(action)[0] == "Owner" for action in Action)


def test_a_narrower_admin_never_may_what_a_wider_one_may_not() -> None:
    widths = [
        powers.POWERS[kind, Role.ADMINISTRATOR]
        for kind in (ScopeKind.INSTALLATION, ScopeKind.OPERATOR, ScopeKind.ACCOUNT)
    ]
    assert all(narrow < wide for wide, narrow in itertools.pairwise(widths))
    assert widths[2] > powers.MANAGING_USERS


def test_what_an_operator_grants_its_accounts_is_not_for_their_admins() -> None:
    assert not powers.POWERS[ScopeKind.ACCOUNT, Role.ADMINISTRATOR] & powers.OF_OPERATOR


@pytest.mark.parametrize("action", sorted(Action))
def test_an_issuer_hands_out_creds_of_its_role_and_nothing_else(action: Action) -> None:
    held = HeldRole(role=Role.ISSUER, kind=ScopeKind.ROLE, operator=1, account=2, signing_key=3)
    issuer = Principal(key="person:1", name="Ann", way=Way.PAGE, roles=(held,))
    here = decisions.decide(issuer, action, Scope(operator=1, account=2, signing_key=3))
    assert isinstance(here, Allowed) is (action in powers.ISSUING)
    for elsewhere in (Scope(operator=1, account=2), Scope(operator=1, account=2, signing_key=4), Scope()):
        assert not isinstance(decisions.decide(issuer, action, elsewhere), Allowed)


def test_a_refusal_names_all_roles_that_would_do() -> None:
    viewer = Principal(key="person:1", name="Ann", way=Way.PAGE, roles=(HeldRole(role=Role.VIEWER),))
    refused = decisions.decide(viewer, Action.USER_CREATE, Scope(operator=1, account=2))
    assert refused == decisions.Denied(
        "“Create users” needs the role owner, operator admin, account admin or user manager here, "
        "which “Ann” does not hold."
    )
