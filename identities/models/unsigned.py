"""Claims that are to be signed elsewhere: by an operator's key that never comes here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Unsigned(models.Model):
    """What the next JWT of an operator or account is to say; one for each waits at a time.

    `claims` is the exact payload text that is wanted, still with the old `iat`, `iss` and `jti`. `version` is that of
    the row it was made from, `changes` names what differs, by path.
    """

    operator = models.ForeignKey("identities.Operator", on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey("identities.Account", null=True, on_delete=models.CASCADE, related_name="+")
    public_key = models.CharField(max_length=56)
    claims = models.TextField()
    version = models.IntegerField()
    changes = models.TextField(blank=True)
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operator", "public_key"], name="unsigned_key_unique"),
        ]

    def __str__(self) -> str:
        return self.public_key
