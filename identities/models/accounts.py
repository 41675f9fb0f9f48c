"""Accounts: tenants of an operator."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from identities.models.base import Aggregate
from identities.policy.principal import Principal, ScopeKind


class AccountQuerySet(QuerySet["Account"]):
    """Accounts, narrowed by adjectives."""

    def live(self) -> AccountQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at=None)

    def visible_to(self, principal: Principal) -> AccountQuerySet:
        """Only what the principal's grants reach."""
        if any(held.kind is ScopeKind.INSTALLATION for held in principal.roles):
            return self
        operators = {h.operator for h in principal.roles if h.kind is ScopeKind.OPERATOR}
        accounts = {h.account for h in principal.roles if h.kind is ScopeKind.ACCOUNT}
        return self.filter(Q(operator_id__in=operators) | Q(pk__in=accounts))


class Account(Aggregate):
    """One account; its name (folded in `name_fold`) is unique among its operator's live accounts, ignoring case.

    `default_pub` and `default_sub` say what the account's default permissions give: see `permissions.Mode`.
    """

    operator = models.ForeignKey("identities.Operator", on_delete=models.PROTECT, related_name="accounts")
    name_fold = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    user_count = models.IntegerField(default=0)
    jetstream = models.BooleanField(default=False)
    default_pub = models.CharField(max_length=8, default="open")
    default_sub = models.CharField(max_length=8, default="open")

    objects: ClassVar = AccountQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "public_key"], condition=Q(deleted_at=None), name="account_key_unique"
            ),
            models.UniqueConstraint(
                fields=["operator", "name_fold"], condition=Q(deleted_at=None), name="account_name_unique"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["operator", "name", "id"], name="account_by_name"),
            models.Index(fields=["public_key"], name="account_by_key"),
            models.Index(fields=["expires", "id"], condition=Q(expires__gt=0), name="account_by_expiry"),
        ]
