"""Webhooks: where events are sent to, and what became of each message; and which expiries were warned of."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from identities.models.operators import Operator


class Webhook(models.Model):
    """One address that events are posted to; those of the whole installation, or of one operator.

    `classes` are beginnings of names of actions ("account."), one a line; none: all. `seen` is the number of the last
    audit event that was looked at: the audit chain itself is the outbox. `secret` is sealed under `uid`.
    `failing_since` is when messages began to fail, None while they arrive; `off_reason` says why nscweb itself switched
    it off.
    """

    name = models.CharField(max_length=150)
    operator = models.ForeignKey(Operator, null=True, on_delete=models.PROTECT, related_name="webhooks")
    uid = models.CharField(max_length=32, unique=True)
    url = models.CharField(max_length=2000)
    classes = models.TextField(blank=True, default="")
    warnings = models.BooleanField(default=True)
    secret = models.BinaryField()
    is_active = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=500, blank=True, default="")
    failing_since = models.DateTimeField(null=True, default=None)
    seen = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "operator", Lower("name"), condition=Q(operator__isnull=False), name="webhook_name_unique"
            ),
            models.UniqueConstraint(
                Lower("name"), condition=Q(operator=None), name="webhook_of_all_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def wanted(self) -> tuple[str, ...]:
        """The classes that it is subscribed to; empty: everything."""
        return tuple(self.classes.split("\n")) if self.classes else ()

    @property
    def audit_key(self) -> str:
        """How the audit names this webhook, for good."""
        return f"webhook:{self.pk}"


class MessageState(models.TextChoices):
    """Where a message stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookMessage(models.Model):
    """One message to one webhook, with its exact body. `fence` rises with every attempt, so that a worker that was
    thought dead can't write a result; `message_id` is the same for every attempt and when it is sent again.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="messages")
    message_id = models.CharField(max_length=40)
    kind = models.CharField(max_length=32)
    seq = models.BigIntegerField(null=True, default=None)
    body = models.TextField()
    state = models.CharField(max_length=9, choices=MessageState.choices, default=MessageState.WAITING)
    attempts = models.IntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, default=None)
    status = models.IntegerField(null=True, default=None)
    said = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, default=None)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=Q(state="waiting"), name="webhook_message_due"),
            models.Index(fields=["webhook", "-id"], name="webhook_message_log"),
        ]


class Warned(models.Model):
    """An expiry that was warned of: of this object, at this time, so many days before."""

    kind = models.CharField(max_length=16)
    object_id = models.BigIntegerField()
    expires = models.BigIntegerField()
    days = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "object_id", "expires", "days"], name="warned_once"),
        ]
