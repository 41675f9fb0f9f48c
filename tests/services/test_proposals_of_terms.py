"""Four eyes on what decides over short-lived creds: trust rules of machines, and how long a role's creds live."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.errors import IdentityError
from identities.models import Account, Key, Proposal, WorkloadRule
from identities.policy.principal import Principal, Role
from identities.policy.terms import USUAL, Terms
from identities.resolver.oidc_drafts import WorkloadDraft
from identities.services import issuing_terms, proposals, proposing, signing_keys, workload_rules
from tests import make

pytestmark = pytest.mark.django_db
DRAFT = WorkloadDraft(
    name="Builds",
    issuer="https://ci.example.com",
    audience="nscweb",
    conditions=(("repository", "acme/shop"),),
    user_name="ci",
    seconds=600,
)


@pytest.fixture
def role(db: None) -> Key:
    """A role under an operator that asks for four eyes of everybody."""
    account = make.account(make.operator("Main"), "Orders")
    draft = SigningKeyDraft(role=RoleDraft(role="deployer"))
    signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    make.four_eyes(account.operator)
    return fresh(Account.objects.get(pk=account.pk))


def fresh(account: Account) -> Key:
    return Key.objects.select_related("operator", "account__operator").get(account=account, role="deployer")


def proposed(act: Any, **options: Any) -> Proposal:
    with pytest.raises(proposing.Proposed) as made:
        act(**options)
    return made.value.proposal


def rule_of(role: Key) -> WorkloadRule:
    return workload_rules.of(role).get()


def test_a_rule_waits_with_all_that_it_says_and_lets_nobody_in_before(role: Key) -> None:
    made = proposed(workload_rules.create, principal=make.principal(), role=role, draft=DRAFT)
    assert not WorkloadRule.objects.exists()
    (change,) = json.loads(made.shown)["changes"]
    assert (change["kind"], change["name"]) == ("rule", "Builds")
    assert ["issuer", "", "https://ci.example.com"] in change["fields"]
    assert ["conditions.repository", "", "acme/shop"] in change["fields"]
    assert (made.account, made.operator) == (role.account, role.operator)
    proposals.approve(principal=make.principal(), proposal=made)
    assert rule_of(role).issuer == "https://ci.example.com"


def test_who_may_not_edit_roles_approves_no_rule(role: Key) -> None:
    made = proposed(workload_rules.create, principal=make.principal(), role=role, draft=DRAFT)
    manager = make.principal(Role.USER_MANAGER, account=role.account)
    with pytest.raises(IdentityError):
        proposals.approve(principal=manager, proposal=made)
    assert not WorkloadRule.objects.exists()


def test_a_wider_condition_waits_and_goes_stale_when_the_rule_is_edited_meanwhile(role: Key) -> None:
    rule = make.workload_rule(role, "Builds")
    author = make.principal()
    made = proposed(wider, principal=author, rule=rule)
    (change,) = json.loads(made.shown)["changes"]
    assert change["fields"] == [["conditions.repository", "acme/shop", "acme/*"]]
    assert not proposals.is_stale(made)
    workload_rules.update(principal=make.COMMAND, rule=rule, draft=replace(DRAFT, seconds=60), version=1)
    assert proposals.is_stale(made)
    assert proposals.approve(principal=make.principal(), proposal=made).state == "stale"
    again = proposals.again(principal=author, proposal=made)
    assert not proposals.is_stale(again)
    proposals.approve(principal=make.principal(), proposal=again)
    assert rule_of(role).wanted == (("repository", "acme/*"),)


def wider(*, principal: Principal, rule: WorkloadRule) -> None:
    draft = replace(DRAFT, conditions=(("repository", "acme/*"),))
    held = WorkloadRule.objects.get(pk=rule.pk)
    workload_rules.update(principal=principal, rule=held, draft=draft, version=held.version)


def test_a_removed_rule_lets_nobody_in_at_once(role: Key) -> None:
    rule = make.workload_rule(role, "Builds")
    held = WorkloadRule.objects.get(pk=rule.pk)
    made = proposed(wider, principal=make.principal(), rule=rule)
    workload_rules.delete(principal=make.principal(), rule=held, version=1)
    assert not workload_rules.of(role).exists()
    decided = proposals.approve(principal=make.principal(), proposal=made)
    assert (decided.state, decided.note) == ("stale", "What it is about is not there any more.")


def test_longer_lives_wait(role: Key) -> None:
    longer = Terms(shortest=60, usual=3600, longest=30 * 86_400)
    made = proposed(issuing_terms.edit, principal=make.principal(), key=role, terms=longer)
    assert issuing_terms.of(fresh(role.account)) == USUAL
    (change,) = json.loads(made.shown)["changes"]
    assert change["fields"] == [["longest", "86400", "2592000"]]
    proposals.approve(principal=make.principal(), proposal=made)
    assert issuing_terms.of(fresh(role.account)) == longer


def test_the_same_terms_are_nothing_to_propose(role: Key) -> None:
    assert issuing_terms.edit(principal=make.principal(), key=role, terms=USUAL) == USUAL
    assert not Proposal.objects.exists()
