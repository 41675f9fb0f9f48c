"""Trust rules: which machines get short-lived creds of a role for a token of their own OpenID Connect provider.

Whoever edits an account's roles edits them, with a second person where the operator asks for four eyes. Removing one
waits for nobody: creds end that somebody should not get. A provider that the whole world may use (a public CI) signs
tokens for the whole world, so a rule always says more than who signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from django.db.models import QuerySet

from identities.claims import diff
from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Account, Key, Purpose, WorkloadRule
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.policy.terms import LEAST, MOST
from identities.resolver import oidc
from identities.resolver.oidc_drafts import WorkloadDraft
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    four_eyes,
    issuing_terms,
    short_lived,
    sign_on_providers,
)
from identities.services.proposing import guarded

MOST_CONDITIONS = 20
MOST_RULES = 100
_CLAIM = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_PLACE = re.compile(r"\{([^{}]*)\}")


def of(role: Key) -> QuerySet[WorkloadRule]:
    """The rules of a role, by name."""
    return WorkloadRule.objects.filter(signing_key=role, deleted_at=None).order_by("name", "pk")


def find(role: Key, number: int) -> WorkloadRule:
    """One rule of a role. Raises: NotFound."""
    found = of(role).filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such rule (any more).")
    return found


@guarded
def create(*, principal: Principal, role: Key, draft: WorkloadDraft) -> WorkloadRule:
    """Add a rule.

    Raises: IdentityError: a taken name, or what can't be used, with the field.
    """
    decisions.require(principal, Action.WORKLOAD_EDIT, short_lived.scope(role))
    with changes.transaction_of_one():
        key = _role(role)
        if of(key).count() >= MOST_RULES:
            raise IdentityError(f"{MOST_RULES} rules of a role are the most.")
        rule = WorkloadRule(signing_key=key, created_at=clock.now())
        _fill(rule, draft, principal)
        rule.save()
        added = f"Added the rule “{rule.name}”: machines of {rule.issuer} get creds of"
        _tell(principal, rule, added, diff.diff(None, _said(rule)))
    return rule


@guarded
def update(*, principal: Principal, rule: WorkloadRule, draft: WorkloadDraft, version: int) -> WorkloadRule:
    """Edit a rule; creds that were issued before keep their time. Raises: StaleWrite; else as `create`."""
    decisions.require(principal, Action.WORKLOAD_EDIT, short_lived.scope(rule.signing_key))
    with changes.transaction_of_one():
        _role(rule.signing_key)
        row = _locked(rule, version)
        before = _said(row)
        _fill(row, draft, principal)
        row.version += 1
        row.save()
        _tell(principal, row, f"Edited the rule “{row.name}” of", diff.diff(before, _said(row)))
    return row


def delete(*, principal: Principal, rule: WorkloadRule, version: int) -> None:
    """Remove a rule: nobody gets creds by it any more. Raises: StaleWrite."""
    decisions.require(principal, Action.WORKLOAD_EDIT, short_lived.scope(rule.signing_key))
    with changes.transaction_of_one():
        row = _locked(rule, version)
        row.deleted_at = row.updated_at = clock.now()
        row.updated_by, row.is_enabled = principal.name, False
        row.save()
        _tell(principal, row, f"Removed the rule “{row.name}” of")


def claims_in(user_name: str) -> tuple[str, ...]:
    """The claims whose values stand in the name of a user."""
    return tuple(_PLACE.findall(user_name))


def named(user_name: str, values: dict[str, str]) -> str:
    """The name of a user with the values of claims in it; slashes, which no name may hold, become `_`."""
    return _PLACE.sub(lambda found: values[found[1]].replace("/", "_").replace("\\", "_"), user_name)


def _role(role: Key) -> Key:
    rows = Key.objects.select_related("account__operator", "operator").filter(purpose=Purpose.ROLE)
    found = rows.filter(pk=role.pk, deleted_at=None, account__deleted_at=None).first()
    if found is None:
        raise IdentityError("Only a role issues short-lived creds, and this is none (any more).")
    return found


def _locked(rule: WorkloadRule, version: int) -> WorkloadRule:
    row = WorkloadRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    if row.deleted_at is not None or row.version != version:
        raise changes.StaleWrite(row)
    return row


def _fill(rule: WorkloadRule, draft: WorkloadDraft, principal: Principal) -> None:
    name = draft.name.strip()
    if not name:
        raise IdentityError("Give it a name.", field="name")
    taken = of(rule.signing_key).filter(name__iexact=name)
    if taken.exclude(pk=rule.pk).exists():
        raise IdentityError(f"This role has a rule “{name}” already. Choose another name.", field="name")
    if not draft.audience.strip():
        raise IdentityError("Give the audience that tokens must be made for.", field="audience")
    if not LEAST <= draft.seconds <= MOST:
        raise IdentityError(f"Creds live {LEAST} seconds at the least, a year at the most.", field="seconds")
    rule.name = name
    rule.issuer = oidc.checked_issuer(draft.issuer, wire=sign_on_providers.wire())
    rule.audience = draft.audience.strip()
    rule.conditions = json.dumps(dict(_conditions(draft.conditions)), ensure_ascii=False)
    rule.user_name = _user_name(draft.user_name.strip())
    rule.seconds, rule.is_enabled = draft.seconds, draft.is_enabled
    rule.updated_at, rule.updated_by = clock.now(), principal.name


def _conditions(given: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    if len(given) > MOST_CONDITIONS:
        raise IdentityError(f"{MOST_CONDITIONS} conditions are the most.", field="conditions")
    for claim, pattern in given:
        if _CLAIM.fullmatch(claim) is None or not pattern:
            words = (
                f"“{claim[:60]} = {pattern[:60]}” is no condition: write repository = acme/shop, one a line."
            )
            raise IdentityError(words, field="conditions")
    names = [claim for claim, _ in given]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise IdentityError(
            f"“{twice}” stands twice: put both into one pattern, or make two rules.", field="conditions"
        )
    if not any(pattern.strip("*") for _, pattern in given):
        raise IdentityError(
            "Say more than who signed: a public CI signs for everybody. Such as repository = acme/shop.",
            field="conditions",
        )
    return given


def _user_name(text: str) -> str:
    if not text:
        raise IdentityError("Say what the users are called, such as ci-{repository}.", field="user_name")
    left = _PLACE.sub("", text)
    if "{" in left or "}" in left or any(_CLAIM.fullmatch(claim) is None for claim in claims_in(text)):
        raise IdentityError(
            "Write the name of a claim between { and }, such as ci-{repository}.", field="user_name"
        )
    return text


def _said(rule: WorkloadRule) -> dict[str, object]:
    """What an edit may change, for the audit."""
    names = ("name", "issuer", "audience", "user_name", "seconds", "is_enabled")
    return {**{name: getattr(rule, name) for name in names}, "conditions": dict(rule.wanted)}


def _tell(principal: Principal, rule: WorkloadRule, words: str, changed: Sequence[FieldChange] = ()) -> None:
    key = rule.signing_key
    account = key.account
    assert isinstance(account, Account)  # noqa: S101 - a role has one
    if changed:
        shown = four_eyes.SeenChange(kind="rule", key="", name=rule.name, fields=tuple(changed))
        four_eyes.note_change(shown)
    audit.record(
        principal,
        Action.WORKLOAD_EDIT,
        [accounts.target(account), issuing_terms.target(key)],
        f"{words} {issuing_terms.called(key)} of “{account.name}”",
        changes=changed,
    )
