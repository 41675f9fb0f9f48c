"""What is true of this installation as a whole."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """The one row: made with the first master key; its canary tells later whether the right key is here.

    `audit_key` is the sealed HMAC key of the audit chain. `default_operator` answers the bare `/jwt/v1`.
    """

    canary = models.BinaryField()
    audit_key = models.BinaryField()
    default_operator = models.ForeignKey(
        "identities.Operator", null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
