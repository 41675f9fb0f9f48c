"""Roles are given by who holds as much, and no change locks out its author or the last owner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities import lookup
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, Grant, Key, Person, ServiceAccount
from identities.policy import powers
from identities.policy.decisions import Allowed, Forbidden
from identities.policy.principal import Principal, Role, ScopeKind
from identities.services import clock, grants, members, ownership, signing_keys, teams
from tests import make
from tests.together import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    return make.account(make.operator("Main"), "Orders")


def role_of(account: Account) -> Key:
    draft = SigningKeyDraft(role=RoleDraft(role="device"))
    made = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    return Key.objects.select_related("account__operator").get(pk=made.pk)


def held_by(person: Person) -> set[tuple[str, str]]:
    return {(held.kind, held.role) for held in lookup.person_principal(person).roles}


def test_what_is_given_is_held_and_what_is_taken_is_not(orders: Account) -> None:
    admin, ann = (
        make.principal(Role.ADMINISTRATOR, operator=orders.operator),
        make.person(None, username="ann"),
    )
    grant = grants.give(principal=admin, holder=ann, role=Role.USER_MANAGER, place=orders)
    assert held_by(ann) == {(ScopeKind.ACCOUNT, Role.USER_MANAGER)}
    told = AuditEvent.objects.order_by("-seq")[0]
    assert told.summary == "Made “ann” user manager of “Orders”"
    assert set(AuditTarget.objects.filter(event=told).values_list("kind", "name")) == {
        ("person", "ann"),
        ("account", "Orders"),
    }
    grants.take(principal=admin, grant=grant)
    assert held_by(ann) == set()
    told = AuditEvent.objects.order_by("-seq")[0]
    assert told.summary == "Took from “ann” the role user manager of “Orders”"
    grants.take(principal=admin, grant=grant)  # twice is once
    assert AuditEvent.objects.order_by("-seq")[0].pk == told.pk


def test_a_team_and_a_machine_hold_roles_as_people_do(orders: Account) -> None:
    team = teams.create(principal=make.COMMAND, name="Platform")
    ann = make.person(None, username="ann")
    teams.add_member(principal=make.COMMAND, team=team, person=ann)
    grants.give(principal=make.COMMAND, holder=team, role=Role.ADMINISTRATOR, place=orders.operator)
    assert held_by(ann) == {(ScopeKind.OPERATOR, Role.ADMINISTRATOR)}
    machine = ServiceAccount.objects.create(name="ci", by_name="x", created_at=clock.now())
    grants.give(
        principal=make.COMMAND,
        holder=machine,
        role=Role.ISSUER,
        place=role_of(orders),
        names="ci-*",
        tags=["ci:1"],
    )
    (held,) = lookup.service_account_principal(machine).roles
    assert (held.kind, held.role, held.names, held.tags) == (ScopeKind.ROLE, Role.ISSUER, "ci-*", ("ci:1",))


def everywhere(orders: Account) -> dict[ScopeKind, grants.Place]:
    return {
        ScopeKind.INSTALLATION: None,
        ScopeKind.OPERATOR: orders.operator,
        ScopeKind.ACCOUNT: orders,
        ScopeKind.ROLE: role_of(orders),
    }


def test_nobody_gives_what_they_do_not_hold(orders: Account) -> None:
    places = everywhere(orders)
    ann = make.person(None, username="ann")
    may = {
        (ScopeKind.INSTALLATION, Role.ADMINISTRATOR): set(powers.POWERS),
        (ScopeKind.OPERATOR, Role.ADMINISTRATOR): {
            which for which in powers.POWERS if which[0] != "installation"
        },
        (ScopeKind.ACCOUNT, Role.ADMINISTRATOR): {
            which for which in powers.POWERS if which[0] in ("account", "role")
        },
    }
    for kind, role in powers.POWERS:
        giver = make.person(None)
        grants.give(principal=make.COMMAND, holder=giver, role=role, place=places[kind])
        principal = lookup.person_principal(giver)
        gave = set()
        for other_kind, other in powers.POWERS:
            try:
                grant = grants.give(principal=principal, holder=ann, role=other, place=places[other_kind])
            except Forbidden:
                continue
            gave.add((other_kind, other))
            grant.delete()
        assert gave == may.get((kind, role), set()), (kind, role)


def test_nobody_gives_or_takes_on_what_is_somebody_elses(orders: Account) -> None:
    other = make.account(make.operator("Other"), "Theirs")
    beside = make.account(orders.operator, "Beside")
    ann, admin = make.person(None), make.principal(Role.ADMINISTRATOR, account=orders)
    for place in (other, other.operator, beside, orders.operator, None):
        with pytest.raises(Forbidden):
            grants.give(principal=admin, holder=ann, role=Role.VIEWER, place=place)
        held = grants.give(principal=make.COMMAND, holder=ann, role=Role.VIEWER, place=place)
        with pytest.raises(Forbidden):
            grants.take(principal=admin, grant=held)
    assert Grant.objects.filter(person=ann).count() == 5


def test_an_account_admin_does_not_take_the_role_of_the_operator_admin_above(orders: Account) -> None:
    above = make.grant(make.person(None), Role.ADMINISTRATOR, operator=orders.operator)
    with pytest.raises(Forbidden):
        grants.take(principal=make.principal(Role.ADMINISTRATOR, account=orders), grant=above)


def test_the_last_owner_stays(orders: Account) -> None:
    ann = make.person(Role.ADMINISTRATOR, username="ann")
    grant = Grant.objects.get(person=ann)
    for work in (
        lambda: grants.take(principal=make.COMMAND, grant=grant),
        lambda: members.deactivate(principal=make.COMMAND, person=ann),
    ):
        with pytest.raises(ownership.LockedOut, match="nobody who owns"):
            work()
    assert held_by(ann) == {(ScopeKind.INSTALLATION, Role.ADMINISTRATOR)}
    make.person(Role.ADMINISTRATOR, username="bob")
    grants.take(principal=make.COMMAND, grant=grant)
    assert held_by(ann) == set()


def test_an_owner_who_may_not_sign_in_does_not_count(orders: Account) -> None:
    ann, bob = (
        make.person(Role.ADMINISTRATOR, username="ann"),
        make.person(Role.ADMINISTRATOR, username="bob"),
    )
    members.deactivate(principal=make.COMMAND, person=bob)
    with pytest.raises(ownership.LockedOut):
        grants.take(principal=make.COMMAND, grant=Grant.objects.get(person=ann))


def test_the_last_owners_may_be_a_team(orders: Account) -> None:
    ann = make.person(None, username="ann")
    team = teams.create(principal=make.COMMAND, name="Owners")
    teams.add_member(principal=make.COMMAND, team=team, person=ann)
    grants.give(principal=make.COMMAND, holder=team, role=Role.ADMINISTRATOR)
    for work in (
        lambda: teams.remove_member(principal=make.COMMAND, team=team, person=ann),
        lambda: teams.delete(principal=make.COMMAND, team=team),
        lambda: members.deactivate(principal=make.COMMAND, person=ann),
    ):
        with pytest.raises(ownership.LockedOut):
            work()
    assert list(ownership.owners()) == [ann]


def test_nobody_takes_their_own_right_to_give(orders: Account) -> None:
    ann = make.person(None, username="ann")
    make.person(Role.ADMINISTRATOR, username="owner")
    grant = make.grant(ann, Role.ADMINISTRATOR, account=orders)
    with pytest.raises(ownership.LockedOut, match="your own right"):
        grants.take(principal=lookup.person_principal(ann), grant=grant)
    make.grant(ann, Role.ADMINISTRATOR, operator=orders.operator)  # wider: the narrower one is not missed
    grants.take(principal=lookup.person_principal(ann), grant=grant)
    assert held_by(ann) == {(ScopeKind.OPERATOR, Role.ADMINISTRATOR)}


def test_who_lost_the_right_meanwhile_gives_nothing(orders: Account) -> None:
    ann, bob = make.person(None, username="ann"), make.person(None, username="bob")
    grant = make.grant(ann, Role.ADMINISTRATOR, account=orders)
    before = lookup.person_principal(ann)
    grants.take(principal=make.COMMAND, grant=grant)
    with pytest.raises(Forbidden):
        grants.give(principal=before, holder=bob, role=Role.VIEWER, place=orders)
    switched_off = replace(lookup.person_principal(bob), roles=before.roles)
    bob.is_active = False
    bob.save()
    with pytest.raises(Forbidden):
        grants.give(principal=switched_off, holder=ann, role=Role.VIEWER, place=orders)


def test_bounds_of_an_issuer_are_checked_kept_and_changed(orders: Account) -> None:
    role, ann = role_of(orders), make.person(None, username="ann")
    for names in ("", "a b", "a/b", "x" * 256, "a\tb"):
        with pytest.raises(IdentityError, match="no pattern of names"):
            grants.give(principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, names=names)
    with pytest.raises(IdentityError, match="one a line"):
        grants.give(principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, tags=["a\x00b"])
    first = grants.give(principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, names="a-*")
    with pytest.raises(IdentityError, match="already"):
        grants.give(principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, names="a-*")
    again = grants.give(
        principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, names="b-*", tags=["x:1"]
    )
    assert again.pk == first.pk
    assert (again.names, again.tags) == ("b-*", "x:1")


def test_a_plain_signing_key_has_no_issuers(orders: Account) -> None:
    made = signing_keys.add(
        principal=make.COMMAND, account=orders, draft=SigningKeyDraft(), version=orders.version
    )
    with pytest.raises(IdentityError, match="plain signing key"):
        grants.give(principal=make.COMMAND, holder=make.person(None), role=Role.ISSUER, place=made)


def test_a_role_of_another_scope_is_not_given(orders: Account) -> None:
    with pytest.raises(Forbidden, match="There is no role"):
        grants.give(
            principal=make.COMMAND, holder=make.person(None), role=Role.USER_MANAGER, place=orders.operator
        )
    assert not isinstance(grants.may_give(make.COMMAND, Role.ISSUER, orders), Allowed)


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_take_each_others_role_at_once_leave_one() -> None:
    make.installation()
    people = [make.person(Role.ADMINISTRATOR, username=name) for name in ("ann", "bob")]
    principals: list[Principal] = [lookup.person_principal(person) for person in people]
    held = [Grant.objects.get(person=person) for person in reversed(people)]

    raised = at_once(
        lambda: grants.take(principal=principals[0], grant=held[0]),
        lambda: grants.take(principal=principals[1], grant=held[1]),
    )
    assert [type(error) for error in raised] == [Forbidden]
    assert ownership.owners().count() == 1
