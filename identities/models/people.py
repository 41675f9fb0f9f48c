"""People who sign in. (*User* always means a NATS user.)"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class PersonManager(BaseUserManager["Person"]):
    """Finds people by username, ignoring case."""

    def get_by_natural_key(self, username: str | None) -> Person:
        """The person of that username."""
        return self.get(username__iexact=username)


_SHOWN = 100
"""So many characters of a name: with the name to sign in with (150) it fits wherever names are kept (255)."""


class Person(AbstractBaseUser):
    """Somebody with a password."""

    username = models.CharField(max_length=150)
    name = models.CharField(max_length=255, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("username"), name="person_username_unique")]

    def __str__(self) -> str:
        """Their name with what they sign in with: a name alone could be somebody else's, people write their own."""
        return f"{self.name[:_SHOWN]} ({self.username})" if self.name else self.username

    @property
    def audit_key(self) -> str:
        """How the audit names this person, for good."""
        return f"person:{self.pk}"


class FirstAdminLink(models.Model):
    """The one-time link by which the first administrator is made; only a hash of its token is kept."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, default=None)


class SignInFailure(models.Model):
    """How often signing in as somebody failed lately; durable, unlike a cache.

    `username` is an HMAC of what was typed: people type passwords there.
    """

    username = models.CharField(max_length=150, unique=True)
    failures = models.IntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
