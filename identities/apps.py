"""The one app: everything about NATS identities."""

from __future__ import annotations

from django.apps import AppConfig


class IdentitiesConfig(AppConfig):
    """Operators, accounts, users, their keys and tokens."""

    name = "identities"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "NATS identities"
