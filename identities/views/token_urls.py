"""Routes of service accounts and of API tokens."""

from __future__ import annotations

from django.urls import path

from identities.views import service_accounts, tokens

MACHINE = "team/service-accounts/<int:machine_id>/"
PATTERNS = [
    path("team/service-accounts/", service_accounts.index, name="service-accounts"),
    path("team/service-accounts/new", service_accounts.create, name="service-account-create"),
    path(MACHINE, service_accounts.detail, name="service-account"),
    path(f"{MACHINE}edit", service_accounts.edit, name="service-account-edit"),
    path(f"{MACHINE}switch", service_accounts.switch, name="service-account-switch"),
    path(f"{MACHINE}tokens/new", tokens.create, name="service-account-token"),
    path(
        f"{MACHINE}tokens/<int:api_token_id>/revoke",
        tokens.revoke,
        name="service-account-token-revoke",
    ),
    path("you/tokens/", tokens.own, name="tokens"),
    path("you/tokens/new", tokens.create_own, name="token-create"),
    path("you/tokens/<int:api_token_id>/revoke", tokens.revoke_own, name="token-revoke"),
]
