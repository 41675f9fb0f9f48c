"""One of everything, for works to be done on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from django.test import Client

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import UserPermissionLimits
from identities.claims.presets import Edition, Preset, PresetDraft
from identities.claims.presets_text import lines_of
from identities.claims.recipes import Side
from identities.claims.user import UserBody
from identities.lookup import person_principal
from identities.models import (
    Account,
    ActivationRequest,
    Cluster,
    Delivery,
    Holding,
    HoldingState,
    Job,
    Key,
    MessageState,
    Operator,
    Person,
    Proposal,
    User,
    Webhook,
    WebhookMessage,
    WorkloadRule,
)
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Principal, Role
from identities.policy.terms import LinkWish
from identities.services import (
    accounts,
    changes,
    clock,
    creds,
    filling,
    grants,
    handover_links,
    import_jobs,
    jobs,
    keys,
    lockouts,
    mappings,
    members,
    people,
    presets,
    pushes,
    signing,
    signing_keys,
    suspensions,
    teams,
    unsigned,
    uploads,
    users,
    webhook_messages,
)
from identities.services.kicking import Whom
from tests import authenticators, goldens, make
from tests.elsewhere import Elsewhere

BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)
WHO = {"principal": make.COMMAND}
LINK = LinkWish(lasting=timedelta(hours=1), for_name="Bob")
KEY = KeyPair.create(KeyKind.USER).public.text
PRESET = PresetDraft(title="Own", about="", edition=Edition(number=1, lines=lines_of(["a"], Side.PUBLISH)))
ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text


@dataclass(frozen=True)
class Sample:
    """One of everything."""

    operator: Operator
    account: Account
    user: User
    bearer: User
    person: Person
    bare: Operator
    seedless: Key
    spare: Key
    elsewhere: str
    """A JWT of a user of the account that was signed elsewhere."""
    role: str
    out: User
    other: Account
    plan: Job
    cluster: Cluster
    preset: Preset
    """Of version 2; version 1 filled the first user."""
    lockout: Job
    secured: Person
    """With an authenticator app, recovery codes and two sessions."""
    offline: Account
    """Its edit waits for the signature of its operator, whose key is not here."""
    hook: Webhook
    message: int
    """Of the webhook; it was delivered."""
    proposal: Proposal
    author: Principal
    second: Principal
    request: ActivationRequest
    """Of the other account, for what the first one exports."""
    rule: WorkloadRule
    """Of the role."""


Work = Callable[[Sample], object]


def _offline() -> Account:
    there = Elsewhere()
    seeds = {there.account.public.text: there.account.seed()}
    _, account = there.adopted(seeds=seeds, name="Offline")
    unsigned.keep(**WHO, row=account, change=tagged(account), version=account.version)
    return account


def tagged(row: Operator | Account) -> changes.Change:
    return changes.plan(row, changes.edit_body(tags=("new",)), now=clock.unix())


def _preset(filled: User) -> Preset:
    made = presets.create(**WHO, draft=PRESET)
    filling.fill_user(**WHO, user=filled, preset=made, values={}, version=filled.version)
    newer = replace(PRESET.edition, lines=lines_of(["a", "b"], Side.PUBLISH))
    return presets.edit(**WHO, key=made.key, draft=replace(PRESET, edition=newer), version=1)


def _planned() -> Job:
    """A plan that a worker has made."""
    upload = uploads.begin()
    uploads.add(upload, "a.jwt", goldens.store("basics", "Test").text.encode())
    job = import_jobs.begin(**WHO, upload=upload)
    assert jobs.work_once(import_jobs.HANDLERS)
    job.refresh_from_db()
    return job


def _staff(operator: Operator) -> None:
    """A team with a member and a role; somebody outside of it, and somebody who is switched off."""
    team = teams.create(**WHO, name="Held")
    teams.add_member(**WHO, team=team, person=make.person(None, username="member"))
    grants.give(**WHO, holder=team, role=Role.VIEWER, place=operator)
    make.api_token(name="held")
    make.person(None, username="loose")
    members.deactivate(**WHO, person=make.person(None, username="off"))


TOKEN: list[str] = []
TAKEN: list[handover_links.Made] = []
RECOVERY: list[str] = []
SEEDLESS = KeyPair.create(KeyKind.ACCOUNT)


@pytest.fixture
def sample() -> Sample:
    make.installation()
    operator = make.operator()
    pushes.open_door(**WHO, operator=operator, self_signed=False)
    account = make.account(operator)
    ways = [WeightedMapping(subject="orders.new")]
    account = mappings.put(**WHO, account=account, source="orders", targets=ways, version=account.version)
    account = accounts.revoke(**WHO, account=account, entries={"*": 2, KEY: 1})
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    role = signing_keys.add(**WHO, account=account, draft=draft, version=account.version).public_key
    out = make.user(account)
    out = suspensions.suspend(**WHO, user=out, version=out.version)
    user = make.user(account)
    user = users.update(**WHO, user=user, edit=UserEdit(name="edited"), version=user.version)
    creds.creds_file(**WHO, user=user)
    TAKEN[:] = [handover_links.make(**WHO, user=user, wish=LINK) for _ in range(2)]
    preset = _preset(make.user(account))
    bearer = make.user(account, limits=BEARER)
    account.refresh_from_db()
    make.export(account, "orders.>", token_req=True, revocations={"*": 1})
    make.imported(account, "other.>", of=ELSEWHERE)
    TOKEN[:] = [people.first_admin_token(**WHO)]
    account = Account.objects.select_related("operator").get(pk=account.pk)
    out = User.objects.select_related("account__operator").get(pk=out.pk)
    bare = make.operator(system_account=False)
    make.account(operator, public_key=SEEDLESS.public.text)
    seedless = keys.find(make.COMMAND, operator, SEEDLESS.public.text)
    spare = keys.generate(**WHO, operator=operator, kind=KeyKind.CURVE)
    person, elsewhere = make.person(None), _signed_elsewhere(account)
    secured = make.person(None)
    RECOVERY[:] = authenticators.app_of(person_principal(secured))[1]
    for _ in range(2):
        Client().force_login(secured)
    cluster = make.cluster(operator)
    Holding.objects.create(
        server=make.server(cluster),
        account_key=account.public_key,
        state=HoldingState.MISSING,
        at=clock.now(),
    )
    _staff(operator)
    other, author = make.account(operator), make.principal(operator=operator)
    Delivery.objects.filter(account_key=other.public_key).update(state="held", found=_newer(other))
    return Sample(
        operator,
        account,
        user,
        bearer,
        person,
        bare,
        seedless,
        spare,
        elsewhere,
        role,
        out,
        other,
        _planned(),
        cluster,
        preset,
        lockouts.enqueue(**WHO, account=account, whom=Whom(entries={KEY: 1}), reason="test"),
        secured,
        _offline(),
        *_hooked(),
        make.proposal(other, by=author),
        author,
        make.principal(operator=operator),
        make.activation_request(other, account),
        make.workload_rule(Key.objects.get(account=account, public_key=role)),
    )


def _hooked() -> tuple[Webhook, int]:
    hook = make.webhook(name="Hooked")
    message = webhook_messages.try_out(**WHO, hook=hook)
    WebhookMessage.objects.filter(pk=message.pk).update(state=MessageState.DELIVERED)
    return hook, message.pk


def _newer(account: Account) -> str:
    """A JWT of the account that was signed a little later, where nscweb does not see it."""
    claims = changes.claims_of(account)
    with signing.signer_for(Key.objects.get(public_key=account.issuer)) as signer:
        return codec.encode(claims, signer, account.last_iat + 3).text


def _signed_elsewhere(account: Account) -> str:
    subject = KeyPair.create(KeyKind.USER).public.text
    claims = Claims(nats=UserBody(), sub=subject, name="elsewhere")
    with signing.signer_for(Key.objects.get(public_key=account.public_key)) as signer:
        return codec.encode(claims, signer, 1_600_000_000).text
