"""Answers of the API that are kept for whoever asks again with the same `Idempotency-Key`."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class ApiCall(models.Model):
    """One write that was sent with a key of its sender's.

    `holder` is the sender's audit key, `digest` the SHA-256 (hex) of all that was sent, `rights` that of the roles with
    which it was carried out. `status` is NULL while it is; what it did and the answer are committed together.
    """

    holder = models.CharField(max_length=255)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    rights = models.CharField(max_length=64, blank=True, default="")
    status = models.IntegerField(null=True, default=None)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["holder", "key"], name="api_call_once"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} {self.key}"
