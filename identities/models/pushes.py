"""Who may push account JWTs to the account server, and self-signed ones that wait for somebody to sign them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class PushDoor(models.Model):
    """An operator's account server takes pushes: JWTs that the operator signed, with `self_signed` others to be asked.

    `password_hash` is the SHA-256 (hex) of the password that a push has to bring; the password is random and long.
    """

    operator = models.OneToOneField("identities.Operator", on_delete=models.CASCADE, related_name="push_door")
    self_signed = models.BooleanField(default=False)
    password_hash = models.CharField(max_length=64)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"pushes to {self.operator_id}"


class Offer(models.Model):
    """A self-signed account JWT that was pushed; the newest of each account waits until somebody takes or declines it.

    `iat` is in unix seconds, `address` is where it came from.
    """

    operator = models.ForeignKey("identities.Operator", on_delete=models.CASCADE, related_name="offers")
    account_key = models.CharField(max_length=56)
    name = models.CharField(max_length=255)
    text = models.TextField()
    iat = models.BigIntegerField()
    address = models.CharField(max_length=64, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operator", "account_key"], name="offer_unique"),
        ]

    def __str__(self) -> str:
        return self.account_key
