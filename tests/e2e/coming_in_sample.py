"""How people and machines come in: a provider with a group, invitations of each kind, and a rule of a role."""

from __future__ import annotations

from django.urls import reverse

from identities import lookup
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.models import Account, Key, SignOnProvider, WorkloadRule
from identities.policy.principal import Role
from identities.services import invitations, signing_keys
from tests import make
from tests.e2e.much import LONG


def fill(account: Account) -> None:
    """One of everything, with names as long as they get."""
    provider = make.sign_on_provider(
        "Company", groups_claim="groups", email_domains=("example.com",), creates_people=True
    )
    group = make.sign_on_group(provider, LONG)
    inviter = lookup.person_principal(make.person(username="inviter"))
    draft = invitations.InvitationDraft(
        name="Ann Lee", email="ann@example.com", roles=((Role.VIEWER, None),), teams=(group.team,)
    )
    invitations.invite(principal=inviter, draft=draft)
    gone, _ = invitations.invite(principal=inviter, draft=invitations.InvitationDraft(name=LONG))
    invitations.revoke(principal=inviter, number=gone.pk)
    account.refresh_from_db()
    role = signing_keys.add(
        principal=make.COMMAND,
        account=account,
        draft=SigningKeyDraft(role=RoleDraft(role="deployer")),
        version=account.version,
    )
    conditions = (("repository", f"acme/{LONG}"), ("ref", "refs/heads/*"))
    make.workload_rule(role, "Deployments of the shop", conditions=conditions, user_name="ci-{repository}")


def pages() -> tuple[str, ...]:
    """Pages of it."""
    provider, rule = SignOnProvider.objects.get(name="Company"), WorkloadRule.objects.latest("pk")
    role = Key.objects.select_related("account__operator").get(pk=rule.signing_key_id)
    account = role.account
    assert account is not None
    keys = [account.operator.public_key, account.public_key, role.public_key]
    return (
        reverse("my-sign-on"),
        reverse("sign-on-providers"),
        reverse("sign-on-provider", args=[provider.pk]),
        reverse("sign-on-provider-edit", args=[provider.pk]),
        reverse("sign-on-provider-delete", args=[provider.pk]),
        reverse("sign-on-group-create", args=[provider.pk]),
        reverse("sign-on-group-remove", args=[provider.pk, provider.groups.get().pk]),
        reverse("invitations"),
        reverse("invitation-create"),
        reverse("account-invite", args=keys[:2]),
        reverse("workload-rules", args=keys),
        reverse("workload-rule-create", args=keys),
        reverse("workload-rule-edit", args=[*keys, rule.pk]),
        reverse("workload-rule-delete", args=[*keys, rule.pk]),
    )
