"""What servers told of clients: logins that failed, connections that came and went. Bounded, pruned by the worker."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class EventKind(models.TextChoices):
    """What happened to a client."""

    AUTH_FAILED = "auth-failed"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "lost"
    """So many events (`reason`) came at once that they were not kept."""


class ServerEvent(models.Model):
    """One event. Keys are as the server told them, or as the client's JWT says where that is signed ("" for neither).

    `issued`, `expires` and `not_before` are that JWT's (Unix seconds, 0 for none); JWTs are never kept: a bearer's
    logs in. `reason` is in the server's words.
    """

    cluster = models.ForeignKey("identities.Cluster", on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    server = models.CharField(max_length=255)
    account_key = models.CharField(max_length=56, blank=True, default="")
    user_key = models.CharField(max_length=56, blank=True, default="")
    name = models.CharField(max_length=255, blank=True, default="")
    client = models.CharField(max_length=255, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(max_length=255, blank=True, default="")
    issued = models.BigIntegerField(default=0)
    expires = models.BigIntegerField(default=0)
    not_before = models.BigIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["cluster", "-at", "-id"], name="event_of_cluster"),
            models.Index(fields=["account_key", "-at", "-id"], name="event_of_account"),
            models.Index(fields=["user_key", "-at", "-id"], name="event_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.user_key or self.account_key}"
