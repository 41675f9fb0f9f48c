"""Every public key that an operator, account or user has or had, with its sealed seed where it is here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Purpose(models.TextChoices):
    """What a key is for."""

    IDENTITY = "identity"
    SIGNING = "signing"
    ROLE = "role"
    CURVE = "curve"
    SPARE = "spare"
    """Generated ahead of its use: no claims name it yet."""


class Key(models.Model):
    """One key. `sealed` is its seed as an envelope of the vault; NULL means public only: its seed never came here.

    `kind` is the nkey kind (operator, account, user, curve); `account` and `user` name the holder below the operator.
    A key that was replaced as an identity stays here, deleted: addresses with it lead to what has another key since.
    """

    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.PROTECT, related_name="keys", db_index=False
    )
    account = models.ForeignKey(
        "identities.Account", null=True, on_delete=models.PROTECT, related_name="keys"
    )
    user = models.ForeignKey("identities.User", null=True, on_delete=models.PROTECT, related_name="keys")
    public_key = models.CharField(max_length=56)
    kind = models.CharField(max_length=16)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    role = models.CharField(max_length=255, blank=True, default="")
    sealed = models.BinaryField(null=True, default=None)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "public_key"], condition=Q(deleted_at=None), name="key_unique"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["public_key"], name="key_by_public_key")]

    def __str__(self) -> str:
        return self.public_key
