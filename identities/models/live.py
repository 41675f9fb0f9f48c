"""What somebody looks at right now, and what servers last told of it: pages read these rows, the worker fills them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Snapshot(models.Model):
    """What the servers of a cluster last told of `subject`: "" for themselves, else the key of an account or user.

    `account_key` is the account, for a user too. Nothing is asked once `wanted_until` is past. `body` is JSON text
    without JWTs, taken at `taken_at`; `problem` says why nothing came of asking at `asked_at`.
    """

    cluster = models.ForeignKey("identities.Cluster", on_delete=models.CASCADE, related_name="snapshots")
    subject = models.CharField(max_length=56, blank=True, default="")
    account_key = models.CharField(max_length=56, blank=True, default="")
    wanted_until = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, default=None)
    asked_at = models.DateTimeField(null=True, default=None)
    body = models.TextField(blank=True, default="")
    problem = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cluster", "subject"], name="snapshot_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.subject or 'servers'}"
