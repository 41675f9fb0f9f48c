"""Invitations: expiring links by which people come in, and what waits for them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Invitation(models.Model):
    """One link for one person; only a hash of its token is kept. `invited_by` is asked again when it is used: nobody
    gives by it what they do not hold any more.
    """

    token_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    email = models.EmailField(blank=True, default="")
    invited_by = models.ForeignKey(
        "identities.Person", null=True, on_delete=models.CASCADE, related_name="invitations"
    )
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, default=None)
    used_at = models.DateTimeField(null=True, default=None)
    person = models.ForeignKey("identities.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    teams = models.ManyToManyField("identities.Team", related_name="+")


class InvitationGrant(models.Model):
    """A role that waits for who is invited; columns as those of a grant."""

    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=32)
    scope_kind = models.CharField(max_length=16)
    operator = models.ForeignKey("identities.Operator", null=True, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey("identities.Account", null=True, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope_kind="installation", operator=None, account=None)
                | Q(scope_kind="operator", operator__isnull=False, account=None)
                | Q(scope_kind="account", operator__isnull=False, account__isnull=False),
                name="invitation_grant_scope_fits",
            ),
        ]
