"""What is true of this installation as a whole."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Installation(models.Model):
    """The one row: made with the first master key; its canary tells later whether the right key is here.

    `audit_key` is the sealed HMAC key of the audit chain. `default_operator` answers the bare `/jwt/v1`.
    `second_factor` says who must have a second factor (`policy.second_factor`).
    """

    canary = models.BinaryField()
    audit_key = models.BinaryField()
    default_operator = models.ForeignKey(
        "identities.Operator", null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    second_factor = models.CharField(max_length=16, default="nobody")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(second_factor__in=["nobody", "administrators", "everybody"]),
                name="installation_second_factor_known",
            )
        ]
