"""Machines that come with a token of their own provider (a CI job) and get short-lived creds for it."""

from __future__ import annotations

import json
from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower


class WorkloadRule(models.Model):
    """Whose tokens get creds of which role: `conditions` is a JSON object of claims and the patterns they must fit.

    `user_name` is what the users of these creds are called, with `{claim}` in the place of a claim's value.
    """

    name = models.CharField(max_length=150)
    issuer = models.CharField(max_length=2000)
    audience = models.CharField(max_length=255)
    conditions = models.TextField()
    signing_key = models.ForeignKey("identities.Key", on_delete=models.CASCADE, related_name="workload_rules")
    user_name = models.CharField(max_length=255)
    seconds = models.IntegerField()
    is_enabled = models.BooleanField(default=True)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)
    last_used_at = models.DateTimeField(null=True, default=None)
    deleted_at = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "signing_key",
                Lower("name"),
                condition=models.Q(deleted_at=None),
                name="workload_rule_name_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def wanted(self) -> tuple[tuple[str, str], ...]:
        """What the claims of a token must fit: (claim, pattern) pairs."""
        return tuple(json.loads(self.conditions).items())


class WorkloadToken(models.Model):
    """A token that was exchanged, by the hash of its text: it is never exchanged again while it is good."""

    digest = models.CharField(max_length=64, unique=True)
    good_until = models.DateTimeField(db_index=True)
