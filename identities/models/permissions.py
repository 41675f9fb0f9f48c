"""Permissions as rows, beside the claims document, so that "who may publish to `orders.>`?" is a query."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Mode(models.TextChoices):
    """Where the right to publish (or subscribe) comes from (spec §9.4: nats-server's own rules)."""

    RULES = "rules", "own allow list"
    OPEN = "open", "everywhere, less what is denied"
    REPLIES = "replies", "only replies to requests"
    DEFAULT = "default", "the account's default permissions"
    ROLE = "role", "the role's template"


class SubjectPattern(models.Model):
    """One distinct subject pattern; its first token is indexed so that overlap is asked of few rows."""

    text = models.TextField(unique=True)
    first_token = models.CharField(max_length=255)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["first_token", "id"], name="pattern_by_first_token")]

    def __str__(self) -> str:
        return self.text


class Permission(models.Model):
    """One subject in one list: holder is a user, a role (its key) or the account's defaults (neither set)."""

    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey("identities.Account", on_delete=models.PROTECT, related_name="permissions")
    user = models.ForeignKey(
        "identities.User", null=True, on_delete=models.CASCADE, related_name="permissions"
    )
    key = models.ForeignKey("identities.Key", null=True, on_delete=models.CASCADE, related_name="permissions")
    direction = models.CharField(max_length=3)
    effect = models.CharField(max_length=5)
    pattern = models.ForeignKey(SubjectPattern, on_delete=models.PROTECT, related_name="permissions")
    queue = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(direction__in=["pub", "sub"]), name="permission_direction"),
            models.CheckConstraint(condition=Q(effect__in=["allow", "deny"]), name="permission_effect"),
            models.CheckConstraint(condition=Q(user=None) | Q(key=None), name="permission_one_holder"),
        ]
