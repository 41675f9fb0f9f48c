"""Operators: the root of trust of a NATS installation."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from identities.models.base import Aggregate
from identities.policy.principal import Principal, ScopeKind


class OperatorQuerySet(QuerySet["Operator"]):
    """Operators, narrowed by adjectives."""

    def live(self) -> OperatorQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at=None)

    def visible_to(self, principal: Principal) -> OperatorQuerySet:
        """Only what the principal's grants reach."""
        if any(held.kind is ScopeKind.INSTALLATION for held in principal.roles):
            return self
        return self.filter(pk__in={held.operator for held in principal.roles if held.operator is not None})


class Operator(Aggregate):
    """One operator; `name_fold` is its name folded for comparison, `system_account` the A key its JWT names or "".

    `four_eyes` says whose edits need a second person (`services.four_eyes.Mode`).
    """

    name_fold = models.CharField(max_length=255)
    system_account = models.CharField(max_length=56, blank=True, default="")
    strict = models.BooleanField(default=False)
    four_eyes = models.CharField(max_length=10, blank=True, default="")

    objects: ClassVar = OperatorQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["public_key"], condition=Q(deleted_at=None), name="operator_key_unique"
            ),
            models.UniqueConstraint(
                fields=["name_fold"], condition=Q(deleted_at=None), name="operator_name_unique"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["name", "id"], name="operator_by_name")]
