"""Single sign-on leaves an owner: groups, providers and links that go never take the last one along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.models import (
    AuditEvent,
    Installation,
    Person,
    SignOnGroup,
    SignOnIdentity,
    SignOnProvider,
    TeamMember,
)
from identities.policy.principal import Role
from identities.resolver.oidc_drafts import Identity, ProviderDraft
from identities.services import clock, members, ownership, sign_on_people, sign_on_providers, teams
from tests import make

pytestmark = pytest.mark.django_db
COMMAND: dict[str, Any] = {"principal": make.COMMAND}


def linked(person: Person, provider: SignOnProvider) -> SignOnIdentity:
    """Somebody's account at a provider, their only way to sign in."""
    person.set_unusable_password()
    person.save()
    moment = clock.now()
    return SignOnIdentity.objects.create(
        provider=provider, subject=person.username, person=person, created_at=moment, last_at=moment
    )


class Owned:
    """An installation that one person owns, by the group of a provider alone."""

    def __init__(self) -> None:
        self.provider = make.sign_on_provider("Company", groups_claim="groups")
        staff = make.staff(Role.ADMINISTRATOR, "Owners")
        self.team, self.person = staff.team, staff.person
        self.group: SignOnGroup = make.sign_on_group(self.provider, "owners", self.team)
        self.identity = linked(self.person, self.provider)
        TeamMember.objects.filter(person=self.person).update(managed_by="Company")

    def signs_in(self, *groups: str) -> None:
        identity = Identity(subject=self.identity.subject, groups=groups)
        sign_on_people.arrive(**COMMAND, provider=self.provider, identity=identity)


@pytest.fixture
def owned(db: None) -> Owned:
    return Owned()


def names() -> list[str]:
    return sorted(ownership.owners().values_list("username", flat=True))


def test_a_group_is_not_taken_back_that_makes_the_last_owner(owned: Owned) -> None:
    wanted: dict[str, Any] = {"provider": owned.provider, "number": owned.group.pk, "version": 1}
    with pytest.raises(ownership.LockedOut):
        sign_on_providers.unmap_group(**COMMAND, **wanted)
    assert SignOnGroup.objects.filter(pk=owned.group.pk).exists()
    make.person()
    sign_on_providers.unmap_group(**COMMAND, **wanted)
    assert owned.person.username not in names()


def test_whom_the_provider_takes_out_of_the_group_stays_while_they_are_the_last_owner(owned: Owned) -> None:
    owned.signs_in()
    assert names() == [owned.person.username]
    assert AuditEvent.objects.latest("seq").summary.endswith("; stays, as the last owner, in “Owners”")
    other = make.person()
    owned.signs_in()
    assert names() == [other.username]
    assert AuditEvent.objects.latest("seq").summary.endswith("; left “Owners”")


def test_the_last_owner_does_not_unlink_what_makes_them_one(owned: Owned) -> None:
    owned.person.set_password(make.PASSWORD)
    owned.person.save()
    who: dict[str, Any] = {"principal": make.lookup.person_principal(owned.person)}
    with pytest.raises(ownership.LockedOut):
        sign_on_people.unlink(**who, number=owned.identity.pk)
    assert names() == [owned.person.username]
    make.person()
    sign_on_people.unlink(**who, number=owned.identity.pk)
    assert owned.person.username not in names()


def test_who_comes_in_and_who_removes_the_provider_lock_in_the_same_order(owned: Owned) -> None:
    make.person()

    def first_locked(call: Callable[[], object]) -> str:
        tables = (Installation._meta.db_table, SignOnIdentity._meta.db_table)
        with CaptureQueriesContext(connection) as asked:
            call()
        return next(table for one in asked for table in tables if f'FROM "{table}"' in one["sql"])

    assert first_locked(lambda: owned.signs_in("owners")) == Installation._meta.db_table
    version = SignOnProvider.objects.get(pk=owned.provider.pk).version
    where: dict[str, Any] = {"provider": owned.provider, "version": version}
    assert first_locked(lambda: sign_on_providers.delete(**COMMAND, **where)) == Installation._meta.db_table


@pytest.mark.parametrize("way", ["switched off", "removed"])
def test_a_provider_stays_by_which_alone_an_owner_can_come_in(db: None, way: str) -> None:
    provider = make.sign_on_provider("Company")
    owner = make.person()
    linked(owner, provider)

    def end() -> None:
        if way == "removed":
            sign_on_providers.delete(**COMMAND, provider=provider, version=1)
            return
        draft = ProviderDraft(name="Company", issuer=provider.issuer, client_id="nscweb", is_enabled=False)
        sign_on_providers.update(**COMMAND, provider=provider, draft=draft, version=1)

    with pytest.raises(ownership.LockedOut):
        end()
    assert SignOnProvider.objects.offered().filter(pk=provider.pk).exists()
    make.person()
    end()
    assert not SignOnProvider.objects.offered().filter(pk=provider.pk).exists()


def test_whoever_comes_in_by_a_provider_alone_does_not_remove_it(db: None) -> None:
    provider = make.sign_on_provider("Company")
    owner = make.person()
    make.person()
    linked(owner, provider)
    with pytest.raises(ownership.LockedOut):
        sign_on_providers.delete(principal=make.lookup.person_principal(owner), provider=provider, version=1)


def test_an_owner_without_a_way_in_is_none_to_stay_behind(db: None) -> None:
    make.installation()
    able, stranded = make.person(), make.person()
    stranded.set_unusable_password()
    stranded.save()
    with pytest.raises(ownership.LockedOut):
        members.deactivate(**COMMAND, person=able)


def test_without_the_claim_that_says_groups_their_members_leave_the_teams(owned: Owned) -> None:
    draft = ProviderDraft(name="Company", issuer=owned.provider.issuer, client_id="nscweb")
    wanted: dict[str, Any] = {"provider": owned.provider, "draft": draft, "version": 1}
    with pytest.raises(ownership.LockedOut):
        sign_on_providers.update(**COMMAND, **wanted)
    other = make.person()
    sign_on_providers.update(**COMMAND, **wanted)
    assert names() == [other.username]
    assert not TeamMember.objects.filter(person=owned.person).exists()


def test_a_member_is_taken_out_by_hand_once_the_provider_puts_nobody_in(owned: Owned) -> None:
    make.person()
    owned.provider.groups_claim = ""
    owned.provider.save()
    teams.remove_member(**COMMAND, team=owned.team, person=owned.person)
    assert not TeamMember.objects.filter(person=owned.person).exists()
