"""People, teams, machines and how they sign in."""

from __future__ import annotations

from datetime import timedelta

from identities.lookup import person_principal
from identities.models import ApiToken, Grant, Person, ServiceAccount, Team
from identities.policy.actions import Action
from identities.policy.principal import Role
from identities.policy.second_factor import Demand
from identities.services import (
    api_tokens,
    clock,
    grants,
    installation,
    members,
    people,
    refusals,
    resets,
    second_factors,
    service_accounts,
    sessions,
    teams,
)
from tests import authenticators, make
from tests.works.sample import RECOVERY, TOKEN, WHO, Sample, Work


def _team() -> Team:
    return Team.objects.get(name="Held")


def _called(username: str) -> Person:
    return Person.objects.get(username=username)


def _sessions(at: Sample) -> list[int]:
    return [each.pk for each in sessions.of(person_principal(at.secured), "")]


WORKS: dict[str, Work] = {
    "installation.choose_default_operator": lambda at: installation.choose_default_operator(
        **WHO, operator=at.operator
    ),
    "teams.create": lambda _: teams.create(**WHO, name="New"),
    "service_accounts.create": lambda _: service_accounts.create(**WHO, name="New"),
    "service_accounts.update": lambda _: service_accounts.update(
        **WHO, machine=ServiceAccount.objects.get(), name="New", description="", is_active=False
    ),
    "api_tokens.make": lambda _: api_tokens.make(
        **WHO,
        holder=ServiceAccount.objects.get(),
        name="New",
        expires_at=clock.now() + timedelta(days=1),
    ),
    "api_tokens.revoke": lambda _: api_tokens.revoke(**WHO, token=ApiToken.objects.get()),
    "teams.edit": lambda _: teams.edit(**WHO, team=_team(), name="New", description=""),
    "teams.delete": lambda _: teams.delete(**WHO, team=_team()),
    "teams.add_member": lambda _: teams.add_member(**WHO, team=_team(), person=_called("loose")),
    "teams.remove_member": lambda _: teams.remove_member(**WHO, team=_team(), person=_called("member")),
    "members.add": lambda _: members.add(**WHO, username="new", password=make.PASSWORD),
    "members.edit": lambda _: members.edit(**WHO, person=_called("member"), name="New", email=""),
    "members.deactivate": lambda _: members.deactivate(**WHO, person=_called("member")),
    "members.activate": lambda _: members.activate(**WHO, person=_called("off")),
    "grants.give": lambda at: grants.give(**WHO, holder=_team(), role=Role.ADMINISTRATOR, place=at.account),
    "grants.take": lambda _: grants.take(**WHO, grant=Grant.objects.get(team=_team())),
    "people.first_admin_token": lambda at: people.first_admin_token(**WHO),
    "people.make_first_administrator": lambda at: people.make_first_administrator(
        **WHO, token=TOKEN[0], username="new", password=make.PASSWORD
    ),
    "people.record_failure": lambda at: people.record_failure(username="x", address=""),
    "refusals.note": lambda _: refusals.note(
        make.COMMAND, api_tokens.target(ApiToken.objects.get()), "Refused a token"
    ),
    "people.record": lambda at: people.record(
        person=at.person, action=Action.SIGN_IN, address="", summary="Signed in"
    ),
    "people.edit_profile": lambda at: people.edit_profile(
        principal=person_principal(at.secured), name="Another", email=""
    ),
    "sessions.end": lambda at: sessions.end(principal=person_principal(at.secured), pk=_sessions(at)[0]),
    "sessions.end_others": lambda at: sessions.end_others(
        principal=person_principal(at.secured), current="this one"
    ),
    "second_factors.add_app": lambda at: authenticators.app_of(person_principal(at.person)),
    "second_factors.new_recovery_codes": lambda at: second_factors.new_recovery_codes(
        principal=person_principal(at.secured)
    ),
    "second_factors.remove": lambda at: second_factors.remove(
        principal=person_principal(at.secured), pk=second_factors.of(at.secured)[0].pk
    ),
    "second_factors.demand": lambda at: second_factors.demand(**WHO, of_whom=Demand.EVERYBODY),
    "second_factors.take_all": lambda at: second_factors.take_all(**WHO, person=at.secured),
    "second_factors.check": lambda at: second_factors.check(
        person=at.secured, code=RECOVERY[0], address="192.0.2.7"
    ),
    "passkeys.add": lambda at: authenticators.passkey_of(
        person_principal(at.secured), authenticators.Passkeys()
    ),
    "resets.link_for": lambda at: resets.link_for(**WHO, person=at.secured),
    "resets.use": lambda at: resets.use(
        **WHO,
        number=at.secured.pk,
        token=resets._tokens.make_token(at.secured),
        password="a quite different passphrase",
    ),
}
