"""An installation's own presets with all their versions, and what was filled from which preset."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class OwnPreset(models.Model):
    """A named set of permissions of this installation; `latest` is the number of its newest version.

    `version` counts edits of any kind; a write with a stale one is refused.
    """

    title = models.CharField(max_length=255)
    about = models.TextField(blank=True)
    latest = models.IntegerField(default=1)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)
    deleted_at = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["title"], condition=Q(deleted_at=None), name="preset_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class OwnPresetVersion(models.Model):
    """One version, never changed: `body` is its `presets.Edition` as JSON, `news` what is new in it."""

    preset = models.ForeignKey(OwnPreset, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    body = models.TextField()
    news = models.TextField(blank=True)
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["preset", "number"], name="preset_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.preset_id} version {self.number}"


class Filling(models.Model):
    """Which version of which preset filled a user, or a role of an account (`role`, its public key), and with what.

    `preset` is the preset's key, `given` its parameters as JSON. Whether the permissions were changed since is seen by
    filling them in again.
    """

    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        "identities.Account", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    user = models.ForeignKey("identities.User", null=True, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=56, blank=True, default="")
    preset = models.CharField(max_length=64)
    number = models.IntegerField()
    given = models.TextField()
    by_name = models.CharField(max_length=255)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(user__isnull=False), name="filling_user_unique"
            ),
            models.UniqueConstraint(
                fields=["account", "role"], condition=Q(user__isnull=True), name="filling_role_unique"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["preset", "number", "id"], name="filling_by_preset"),
            models.Index(fields=["account"], name="filling_by_account"),
            models.Index(fields=["operator"], name="filling_by_operator"),
        ]

    def __str__(self) -> str:
        return f"{self.preset} version {self.number}"
