"""Second factors as strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.services.second_factors import PASSKEY, RECOVERY, TOTP, Factor
from identities.views import shown

FEW_CODES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRow:
    """An app or a passkey."""

    name: str
    kind: str
    added: shown.When
    used: shown.When
    remove_url: str


def context(factors: Sequence[Factor]) -> dict[str, Any]:
    """What the page of second factors and the page of one's account tell."""
    rows = [
        FactorRow(
            name=factor.name or "Authenticator app",
            kind="Passkey" if factor.kind == PASSKEY else "Codes of an app",
            added=shown.moment(factor.created_at),
            used=shown.moment(factor.used_at),
            remove_url=reverse("second-factor-remove", args=[factor.pk]),
        )
        for factor in factors
        if factor.kind != RECOVERY
    ]
    left = [factor.left for factor in factors if factor.kind == RECOVERY]
    return {
        "factors": rows,
        "may_add_app": not any(factor.kind == TOTP for factor in factors),
        "codes_left": f"{left[0]} left" if left else "",
        "few_codes": bool(left) and left[0] <= FEW_CODES,
    }


def named(factor: Factor) -> str:
    """In a sentence."""
    return f"the passkey “{factor.name}”" if factor.kind == PASSKEY else "the authenticator app"
