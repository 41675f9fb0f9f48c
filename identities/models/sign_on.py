"""Signing in through OpenID Connect providers: who they are, whom they have named here, and their groups as teams."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower


class SignOnProviderQuerySet(QuerySet["SignOnProvider"]):
    """Providers, narrowed by adjectives."""

    def live(self) -> SignOnProviderQuerySet:
        """Those that were not removed."""
        return self.filter(deleted_at=None)

    def offered(self) -> SignOnProviderQuerySet:
        """Those that people may sign in through now."""
        return self.live().filter(is_enabled=True).order_by("name", "pk")


class SignOnProvider(models.Model):
    """One provider. `client_secret` is sealed, NULL for a public client; lists hold one entry a line.

    `groups_claim` is where it says which groups somebody is in, "" for nowhere. With `email_domains` only people whose
    verified address is in one of them come in. `creates_people`: whoever it lets in becomes a person here at the first
    sign-in; else only those who were invited, or who linked it themselves.
    """

    name = models.CharField(max_length=150)
    issuer = models.CharField(max_length=2000)
    client_id = models.CharField(max_length=255)
    client_secret = models.BinaryField(null=True, default=None)
    scopes = models.TextField(default="openid\nprofile\nemail")
    groups_claim = models.CharField(max_length=255, blank=True, default="")
    email_domains = models.TextField(blank=True, default="")
    creates_people = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)
    deleted_at = models.DateTimeField(null=True, default=None)

    objects: ClassVar = SignOnProviderQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("name"), condition=Q(deleted_at=None), name="sign_on_provider_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SignOnIdentity(models.Model):
    """A person as one provider knows them: by `subject`, for good; `email` is what it said last and decides nothing."""

    provider = models.ForeignKey(SignOnProvider, on_delete=models.PROTECT, related_name="identities")
    subject = models.CharField(max_length=255)
    person = models.ForeignKey(
        "identities.Person", on_delete=models.CASCADE, related_name="sign_on_identities"
    )
    email = models.CharField(max_length=320, blank=True, default="")
    created_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "subject"], name="sign_on_identity_unique"),
        ]


class SignOnGroup(models.Model):
    """A group of a provider whose members are members of a team here."""

    provider = models.ForeignKey(SignOnProvider, on_delete=models.CASCADE, related_name="groups")
    group = models.CharField(max_length=255)
    team = models.ForeignKey("identities.Team", on_delete=models.CASCADE, related_name="sign_on_groups")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "group", "team"], name="sign_on_group_unique"),
        ]
