"""Tokens and service accounts as strings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from identities.models import ApiToken, ServiceAccount
from identities.services import api_tokens, clock
from identities.views import shown

STATES = {
    "valid": shown.State(word="Valid", tone="ok", icon="circle-check"),
    "expired": shown.State(word="Expired", tone="muted", icon="clock"),
    "revoked": shown.State(word="Revoked", tone="danger", icon="ban"),
}
ON = shown.State(word="On", tone="ok", icon="circle-check")
OFF = shown.State(word="Switched off", tone="muted", icon="ban")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One token; `revoke_url` "" when it opens nothing any more."""

    name: str
    begins: str
    bounds: str
    state: shown.State
    by: str
    made: shown.When
    expires: shown.When
    used: shown.When
    used_from: str
    revoke_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRow:
    """One service account."""

    name: str
    description: str
    url: str
    state: shown.State
    roles: int
    tokens: int


def token(row: ApiToken) -> TokenRow:
    """One token as a row."""
    state = api_tokens.state_of(row, clock.now())
    bounds = ["reads only"] if row.read_only else []
    bounds += [f"only {row.operator.name}"] if row.operator is not None else []
    url = ""
    if state == "valid" and row.service_account_id is not None:
        url = reverse("service-account-token-revoke", args=[row.service_account_id, row.pk])
    elif state == "valid":
        url = reverse("token-revoke", args=[row.pk])
    return TokenRow(
        name=row.name,
        begins=f"{api_tokens.BRAND}_{row.prefix}_…",
        bounds=", ".join(bounds),
        state=STATES[state],
        by=row.by_name,
        made=shown.moment(row.created_at),
        expires=shown.moment(row.expires_at),
        used=shown.moment(row.last_used_at),
        used_from=row.last_used_from,
        revoke_url=url,
    )


def tokens(rows: Iterable[ApiToken]) -> tuple[TokenRow, ...]:
    """Tokens as rows."""
    return tuple(map(token, rows))


def machine(row: ServiceAccount, *, roles: int, tokens: int) -> MachineRow:
    """A service account as a row."""
    return MachineRow(
        name=row.name,
        description=row.description,
        url=reverse("service-account", args=[row.pk]),
        state=ON if row.is_active else OFF,
        roles=roles,
        tokens=tokens,
    )
