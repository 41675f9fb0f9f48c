"""The audit says what was there before: also of who may do what, who comes in, and where things are sent."""

from __future__ import annotations

from typing import Any

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import UserPermissionLimits
from identities.models import AuditEvent, Key
from identities.nkeys import SecretBytes
from identities.policy.principal import Role
from identities.policy.terms import Terms
from identities.resolver.drafts import WebhookDraft
from identities.resolver.oidc_drafts import ProviderDraft, WorkloadDraft
from identities.services import (
    audit,
    grants,
    issuing_terms,
    members,
    people,
    sign_on_providers,
    signing_keys,
    webhooks,
    workload_rules,
)
from tests import make

pytestmark = pytest.mark.django_db
COMMAND: dict[str, Any] = {"principal": make.COMMAND}


def told() -> dict[str, tuple[str, str]]:
    """What the last event says of before and after, by field."""
    event = AuditEvent.objects.latest("seq")
    return {one.path: (one.before, one.after) for one in audit.changes_of(event.canonical)}


@pytest.fixture
def role(db: None) -> Key:
    account = make.account(name="Orders")
    draft = SigningKeyDraft(
        role=RoleDraft(role="work", description="", template=UserPermissionLimits.unlimited())
    )
    return signing_keys.add(**COMMAND, account=account, draft=draft, version=account.version)


def test_whose_tokens_a_rule_trusts(role: Key) -> None:
    rule = make.workload_rule(role, "Deploy")
    assert told()["conditions.repository"] == ("", "acme/shop")
    draft = WorkloadDraft(
        name="Deploy",
        issuer=rule.issuer,
        audience="nscweb",
        conditions=(("repository", "evil/*"),),
        user_name="ci",
        seconds=600,
    )
    workload_rules.update(**COMMAND, rule=rule, draft=draft, version=1)
    assert told() == {"conditions.repository": ("acme/shop", "evil/*")}


def test_what_an_issuer_may_call_its_users(role: Key) -> None:
    holder = make.person(None)
    for names, tags in (("ci-*", ("team:a",)), ("*", ("team:*",))):
        grants.give(**COMMAND, holder=holder, role=Role.ISSUER, place=role, names=names, tags=tags)
    assert told()["names"] == ("ci-*", "*")
    changed = audit.changes_of(AuditEvent.objects.latest("seq").canonical)
    tags = {(one.before, one.after) for one in changed if one.path == "tags"}
    assert tags == {("team:a", ""), ("", "team:*")}


def test_how_long_creds_of_a_role_live(role: Key) -> None:
    issuing_terms.edit(**COMMAND, key=role, terms=Terms(shortest=60, usual=60, longest=7200))
    assert told() == {"usual": ("3600", "60"), "longest": ("86400", "7200")}


def test_who_is_written_to(db: None) -> None:
    make.installation()
    person = make.person(username="ann")
    members.edit(**COMMAND, person=person, name="Ann", email="ann@example.com")
    assert told() == {"name": ("", "Ann"), "email": ("", "ann@example.com")}
    who = make.lookup.person_principal(person)
    people.edit_profile(principal=who, name="Ann", email="eve@example.net")
    assert told() == {"email": ("ann@example.com", "eve@example.net")}


def test_who_comes_in_through_a_provider_and_never_its_secret(db: None) -> None:
    provider = make.sign_on_provider("Company", groups_claim="groups", email_domains=("example.com",))
    draft = ProviderDraft(
        name="Company",
        issuer=provider.issuer,
        client_id="other",
        groups_claim="roles",
        creates_people=True,
        client_secret=SecretBytes(b"hush-hush"),
    )
    sign_on_providers.update(**COMMAND, provider=provider, draft=draft, version=1)
    found = told()
    assert found["client_id"] == ("nscweb", "other")
    assert found["groups_claim"] == ("groups", "roles")
    assert found["creates_people"] == ("no", "yes")
    assert found["client_secret"] == ("", "another one")
    assert "example.com" in str(found)
    assert "hush" not in AuditEvent.objects.latest("seq").canonical


def test_where_events_are_posted_but_not_the_path_which_holds_a_token(db: None) -> None:
    make.installation()
    hook = make.webhook(name="Chat", url="https://chat.example.com/hook/T0PSECRET")
    for url, expected in (
        ("https://chat.example.com/hook/T0PSECRET2", {"url": ("", "another path")}),
        ("https://evil.example.net/T0PSECRET3", {"url": ("chat.example.com", "evil.example.net")}),
    ):
        webhooks.edit(**COMMAND, hook=hook, draft=WebhookDraft(name="Chat", url=url))
        assert told() == expected
        assert "T0PSECRET" not in AuditEvent.objects.latest("seq").canonical
