"""What servers are to hold, and what they were seen to hold: delivery's outbox and its observations."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Wish(models.TextChoices):
    """What is to become of an account on the servers of a cluster."""

    PUSH = "push"
    """They are to hold the account's current JWT, whichever that is when it is sent."""
    DELETE = "delete"
    """They are to hold none."""


class DeliveryState(models.TextChoices):
    """Where the delivery of one account to one cluster stands."""

    WAITING = "waiting"
    DONE = "done"
    """Every server of the roster has it."""
    REFUSED = "refused"
    """A server refused it: the same JWT would be refused again."""
    HELD = "held"
    """A server holds a newer JWT than ours, or one that was not made here: a person has to choose."""


class Delivery(models.Model):
    """The outbox: one row an account and cluster, a wake-up. What is sent is the account's JWT at that moment.

    `generation` rises with every change of the account; a worker that ends writes it to `delivered`, so that a change
    made meanwhile is not lost. Only the worker that holds the cluster (`Cluster.fence`) delivers and may write results.
    `found` is the JWT there that was not overwritten, for showing; `overrule` names those that a person chose to
    replace, the last one first, by the first 16 hex digits of their SHA-256.
    """

    cluster = models.ForeignKey("identities.Cluster", on_delete=models.CASCADE, related_name="deliveries")
    account_key = models.CharField(max_length=56)
    wish = models.CharField(max_length=8, choices=Wish.choices, default=Wish.PUSH)
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    generation = models.BigIntegerField(default=1)
    delivered = models.BigIntegerField(default=0)
    run_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    problem = models.TextField(blank=True, default="")
    found = models.TextField(blank=True, default="")
    overrule = models.CharField(max_length=64, blank=True, default="")
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cluster", "account_key"], name="delivery_unique"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["cluster", "run_at", "id"], condition=Q(state="waiting"), name="delivery_waiting"
            ),
            models.Index(fields=["account_key"], name="delivery_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.wish} {self.account_key}"


class HoldingState(models.TextChoices):
    """What one server holds of one account, measured against what it is to hold."""

    SAME = "same"
    WAITING = "waiting"
    """It has not answered since the last change."""
    REFUSED = "refused"
    MISSING = "missing"
    DELETED = "deleted"
    """It was seen to hold one before and holds none now: somebody deleted it there, or its store was lost."""
    OLDER = "older"
    NEWER = "newer"
    DIFFERENT = "different"
    EXTRA = "extra"
    """It holds a JWT of an account that is not ours, or was deleted here."""
    EXPIRED = "expired"
    """What it held had expired, and the server removed it by itself; there may be a newer one here."""
    LAZY = "lazy"
    """It does not store accounts and was not made to load this one: it asks its resolver when it needs it."""
    UNKNOWN = "unknown"


class Holding(models.Model):
    """What a server was seen to hold: `digest` is the SHA-256 (hex) of the JWT text, since `jti` ignores the body.

    `said` is the server's own words, `iat`, `exp` (0 for never) and `jti` of the JWT it holds (0 and "" when nobody
    knows). Where it has not answered since, or what it held has expired, all of these are of the JWT that it was last
    seen to hold.
    """

    server = models.ForeignKey("identities.Server", on_delete=models.CASCADE, related_name="holdings")
    account_key = models.CharField(max_length=56)
    state = models.CharField(max_length=9, choices=HoldingState.choices, default=HoldingState.UNKNOWN)
    digest = models.CharField(max_length=64, blank=True, default="")
    jti = models.CharField(max_length=64, blank=True, default="")
    iat = models.BigIntegerField(default=0)
    exp = models.BigIntegerField(default=0)
    said = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "account_key"], name="holding_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["account_key"], name="holding_by_account")]

    def __str__(self) -> str:
        return f"{self.account_key}: {self.state}"
