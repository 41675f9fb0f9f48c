"""The pages of accounts: their addresses, and what a browser sends of their forms."""

from __future__ import annotations

from django.urls import reverse

from identities.claims.limits import OperatorLimits
from identities.forms.limits import LimitsForm
from identities.models import Account, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.services import changes

UNKNOWN = KeyPair.create(KeyKind.ACCOUNT).public.text


def list_url(operator: Operator, name: str = "accounts") -> str:
    return reverse(name, args=[operator.public_key])


def url(name: str, account: Account, key: str = "") -> str:
    return reverse(name, args=[account.operator.public_key, key or account.public_key])


def edited(account: Account, **changed: str) -> dict[str, str]:
    return {"name": account.name, "version": str(account.version), **changed}


def limited(account: Account, **changed: str) -> dict[str, str]:
    """What the browser sends of the limits form, as shown, with `changed` typed over."""
    form = LimitsForm.of(account, None, now=0)
    typed = {
        bound.html_name: "on" if bound.value() is True else str(bound.value())
        for bound in form
        if bound.value() is not False
    }
    return {**typed, **changed}


def limits_of(account: Account) -> OperatorLimits:
    account.refresh_from_db()
    limits: OperatorLimits = changes.claims_of(account).nats.limits
    return limits
