"""Edits that wait for a second person, with what was said about them."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from identities.policy.principal import Principal, ScopeKind


class ProposalState(StrEnum):
    """What became of a proposal. STALE: what it was made from has changed, so it can't be carried out as shown."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    STALE = "stale"


class ProposalQuerySet(QuerySet["Proposal"]):
    """Proposals, narrowed by adjectives."""

    def waiting(self) -> ProposalQuerySet:
        """Those that nobody has decided."""
        return self.filter(state=ProposalState.OPEN)

    def visible_to(self, principal: Principal) -> ProposalQuerySet:
        """Only those about what the principal's grants reach; what is about the operator itself, or about several
        accounts, for the operator's own roles and for who made it.
        """
        if any(held.kind is ScopeKind.INSTALLATION for held in principal.roles):
            return self
        operators = {held.operator for held in principal.roles if held.kind is ScopeKind.OPERATOR}
        accounts = {held.account for held in principal.roles if held.kind is ScopeKind.ACCOUNT}
        return self.filter(
            Q(by=principal.key, account=None) | Q(operator__in=operators) | Q(account__in=accounts)
        )


class Proposal(models.Model):
    """One call of a writing service that was tried, shown and undone; approved, it is called again for good.

    `command` and `parameters` (JSON, never a secret) are the call, `shown` (JSON) what it changes, `action` the right
    that it takes. `subject` is the public key of the object that it was made from, at `base_version` with
    `base_claims`; "" where it makes something new of an operator. `account` is None for what is the operator's own.
    `by` is who proposed it, `author` the person behind that: who made the token, where it was a machine; None where
    nobody knows.
    """

    operator = models.ForeignKey("identities.Operator", on_delete=models.CASCADE, related_name="proposals")
    account = models.ForeignKey(
        "identities.Account", null=True, on_delete=models.CASCADE, related_name="proposals"
    )
    command = models.CharField(max_length=100)
    parameters = models.TextField()
    shown = models.TextField()
    action = models.CharField(max_length=40)
    summary = models.TextField()
    subject_kind = models.CharField(max_length=10)
    subject = models.CharField(max_length=56)
    base_version = models.IntegerField()
    base_claims = models.TextField()
    author = models.ForeignKey("identities.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    state = models.CharField(max_length=10, default=ProposalState.OPEN)
    decided_by = models.CharField(max_length=255, blank=True, default="")
    decided_at = models.DateTimeField(null=True, default=None)
    note = models.TextField(blank=True, default="")

    objects: ClassVar = ProposalQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["operator", "state", "-id"], name="proposal_by_state"),
            models.Index(fields=["account", "state", "-id"], name="proposal_of_account"),
        ]

    def __str__(self) -> str:
        return self.summary

    @property
    def is_by_machine(self) -> bool:
        """Whether a service account proposed it."""
        return self.by.startswith("service-account:")


class ProposalComment(models.Model):
    """What somebody said about a proposal."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="comments")
    text = models.TextField()
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.text
