"""The services by which people and machines come in, called on one of everything of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from identities import lookup
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.errors import IdentityError
from identities.models import (
    Invitation,
    Key,
    SignOnGroup,
    SignOnIdentity,
    SignOnProvider,
    Team,
)
from identities.nkeys import SecretBytes
from identities.policy.principal import Principal, Role
from identities.resolver.oidc_drafts import Identity, ProviderDraft
from identities.services import (
    clock,
    invitations,
    sign_on_people,
    sign_on_providers,
    signing_keys,
)
from tests import make

VISITOR = Principal.nobody("192.0.2.1")
PROVIDER = ProviderDraft(
    name="New",
    issuer="https://new.example.com",
    client_id="nscweb",
    client_secret=SecretBytes(b"s3cret"),
    creates_people=True,
)
DANA = Identity(subject="dana", name="Dana")


@dataclass(frozen=True)
class Sample:
    """One of everything."""

    provider: SignOnProvider
    group: SignOnGroup
    team: Team
    ann: Principal
    linked: SignOnIdentity
    invitation: Invitation
    token: str
    role: Key


Work = Callable[[Sample], object]


WORKS: dict[str, Work] = {
    "sign_on_providers.create": lambda at: sign_on_providers.create(principal=at.ann, draft=PROVIDER),
    "sign_on_providers.update": lambda at: sign_on_providers.update(
        principal=at.ann, provider=at.provider, draft=replace(PROVIDER, issuer=at.provider.issuer), version=1
    ),
    "sign_on_providers.delete": lambda at: sign_on_providers.delete(
        principal=at.ann, provider=at.provider, version=1
    ),
    "sign_on_providers.map_group": lambda at: sign_on_providers.map_group(
        principal=at.ann, provider=at.provider, group="new", team=at.team, version=1
    ),
    "sign_on_providers.unmap_group": lambda at: sign_on_providers.unmap_group(
        principal=at.ann, provider=at.provider, number=at.group.pk, version=1
    ),
    "sign_on_people.arrive": lambda at: sign_on_people.arrive(
        principal=VISITOR, provider=at.provider, identity=replace(DANA, groups=("ops",))
    ),
    "sign_on_people.note_refusal": lambda at: sign_on_people.note_refusal(
        principal=VISITOR, provider=at.provider, refused=IdentityError("No.")
    ),
    "sign_on_people.link": lambda at: sign_on_people.link(
        principal=at.ann, provider=at.provider, identity=DANA
    ),
    "sign_on_people.unlink": lambda at: sign_on_people.unlink(principal=at.ann, number=at.linked.pk),
    "invitations.invite": lambda at: invitations.invite(
        principal=at.ann,
        draft=invitations.InvitationDraft(name="New", roles=((Role.VIEWER, None),), teams=(at.team,)),
    ),
    "invitations.revoke": lambda at: invitations.revoke(principal=at.ann, number=at.invitation.pk),
    "invitations.accept": lambda at: invitations.accept(
        principal=VISITOR, token=at.token, username="new", password=make.PASSWORD
    ),
    "invitations.accept_through": lambda at: sign_on_people.arrive(
        principal=VISITOR, provider=at.provider, identity=DANA, invitation=at.invitation.pk
    ),
}


@pytest.fixture
def sample() -> Sample:
    provider = make.sign_on_provider("Company", creates_people=True, groups_claim="groups")
    team = Team.objects.create(name="Ops", created_at=clock.now())
    person = make.person(username="ann")
    ann = lookup.person_principal(person)
    linked = SignOnIdentity.objects.create(
        provider=provider, subject="ann", person=person, created_at=clock.now(), last_at=clock.now()
    )
    draft = invitations.InvitationDraft(name="Bob", roles=((Role.VIEWER, None),), teams=(team,))
    invitation, token = invitations.invite(principal=ann, draft=draft)
    account = make.account()
    role = signing_keys.add(
        principal=make.COMMAND,
        account=account,
        draft=SigningKeyDraft(role=RoleDraft(role="deployer")),
        version=account.version,
    )
    return Sample(
        provider=provider,
        group=make.sign_on_group(provider, "ops", team),
        team=team,
        ann=ann,
        linked=linked,
        invitation=invitation,
        token=token,
        role=role,
    )
