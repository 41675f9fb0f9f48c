"""Teams, roles, machines and their tokens, and the pages that show them."""

from __future__ import annotations

from django.urls import reverse

from identities.models import (
    Account,
    Grant,
    Key,
    Purpose,
    ServiceAccount,
    Team,
)
from identities.policy.principal import Role
from identities.services import (
    api_tokens,
    grants,
    members,
    service_accounts,
)
from tests import make
from tests.e2e.much import LONG


def machines() -> None:
    """Two service accounts, one of them switched off, with a token that is valid and one that was revoked."""
    held, ended = (
        make.api_token(),
        make.api_token(name="an older pipeline with rather a long name, of last year"),
    )
    make.grant(ServiceAccount.objects.get(pk=held.service_account_id), Role.VIEWER)
    api_tokens.revoke(principal=make.COMMAND, token=ended)
    machine = ServiceAccount.objects.get(pk=ended.service_account_id)
    service_accounts.update(
        principal=make.COMMAND, machine=machine, name=machine.name, description="Not used", is_active=False
    )


def fill(account: Account) -> None:
    """Teams that hold roles, an issuer within bounds, and somebody who is switched off."""
    make.staff(Role.ADMINISTRATOR, "Platform", operator=account.operator)
    make.staff(Role.USER_MANAGER, LONG, account=account)
    gone = make.person(Role.VIEWER, username="somebody.who.left@example.com", account=account)
    members.deactivate(principal=make.COMMAND, person=gone)
    role = Key.objects.filter(purpose=Purpose.ROLE, deleted_at=None).select_related("account__operator")[0]
    ann = make.person(None, username="issuer")
    grants.give(
        principal=make.COMMAND, holder=ann, role=Role.ISSUER, place=role, names="device-*", tags=["site:a"]
    )


def pages() -> tuple[str, ...]:
    """Who may do what on everything, an operator, an account and a role; and why not."""
    issuer = Grant.objects.select_related("account__operator", "signing_key").get(role=Role.ISSUER)
    here = [issuer.account.operator.public_key, issuer.account.public_key]
    team = Team.objects.get(name="Platform")
    grant = Grant.objects.get(team=team)
    return (
        reverse("team"),
        reverse("people"),
        reverse("teams"),
        reverse("team-detail", args=[team.pk]),
        reverse("person", args=[team.members.get().person_id]),
        reverse("grant-take", args=[grant.pk]),
        reverse("operator-access", args=[grant.operator.public_key]),
        reverse("account-access", args=here),
        reverse("role-access", args=[*here, issuer.signing_key.public_key]),
        reverse("role-access-new", args=[*here, issuer.signing_key.public_key]),
        reverse("powers"),
        f"{reverse('why')}?action=account.edit-limits&where={here[1]}&person=issuer",
    )
