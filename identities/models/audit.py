"""The audit chain: who did what to what, each event sealed to the one before by an HMAC."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditHead(models.Model):
    """The end of the chain; its one row is locked last, just before a commit."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")


class AuditEvent(models.Model):
    """One event. `canonical` is the exact text that `hash` = HMAC(key `key_id`, `prev` + canonical) covers."""

    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=255)
    actor_name = models.CharField(max_length=255)
    way = models.CharField(max_length=16)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    summary = models.TextField()
    key_id = models.CharField(max_length=64)
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    canonical = models.TextField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["actor", "-seq"], name="audit_by_actor"),
            models.Index(fields=["action", "-seq"], name="audit_by_action"),
        ]


class AuditTarget(models.Model):
    """One object of an event, named by text keys so that it outlives the row it speaks of."""

    event = models.ForeignKey(AuditEvent, on_delete=models.PROTECT, related_name="targets")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=16)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=255)
    operator_key = models.CharField(max_length=56, blank=True, default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["key", "-seq"], name="audit_target_by_key")]
