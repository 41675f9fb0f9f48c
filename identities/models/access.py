"""Who holds which role where."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Grant(models.Model):
    """A role on a scope: the installation, one operator, or one account."""

    person = models.ForeignKey("identities.Person", on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=32)
    scope_kind = models.CharField(max_length=16)
    operator = models.ForeignKey("identities.Operator", null=True, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey("identities.Account", null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope_kind="installation", operator=None, account=None)
                | Q(scope_kind="operator", operator__isnull=False, account=None)
                | Q(scope_kind="account", operator__isnull=False, account__isnull=False),
                name="grant_scope_fits",
            ),
            models.CheckConstraint(
                condition=Q(role__in=["administrator", "viewer"]), name="grant_role_known"
            ),
            models.UniqueConstraint(
                fields=["person", "role"],
                condition=Q(scope_kind="installation"),
                name="grant_installation_unique",
            ),
            models.UniqueConstraint(
                fields=["person", "role", "operator"],
                condition=Q(scope_kind="operator"),
                name="grant_operator_unique",
            ),
            models.UniqueConstraint(
                fields=["person", "role", "account"],
                condition=Q(scope_kind="account"),
                name="grant_account_unique",
            ),
        ]
