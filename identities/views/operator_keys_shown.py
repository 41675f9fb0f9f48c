"""What the pages of an operator's signing keys show, as plain strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse

from identities.claims.handles import handle
from identities.claims.operator import OperatorBody
from identities.models import Account, Key, Operator
from identities.models.accounts import AccountQuerySet
from identities.policy.principal import Principal
from identities.services import changes, operator_keys
from identities.views import shown

HERE = shown.State(word="Here, sealed", tone="ok", icon="lock")
ELSEWHERE = shown.State(word="Not here", tone="muted", icon="circle-dashed")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key that signs accounts of an operator, or did: how many, and what can be done about it."""

    key: shown.Chip
    what: str
    note: str
    seed: shown.State
    accounts: str
    remove_url: str
    stages_url: str


def listed(principal: Principal, operator: Operator) -> dict[str, Any]:
    """The identity key, the signing keys, and keys that signed accounts and may not (any more): two queries."""
    body: OperatorBody = changes.claims_of(operator).nats
    numbers = signed(Account.objects.visible_to(principal), operator)
    known = list(dict.fromkeys([operator.public_key, *body.signing_keys, *numbers]))
    here = set(
        Key.objects.filter(
            operator=operator, public_key__in=known, deleted_at=None, sealed__isnull=False
        ).values_list("public_key", flat=True)
    )
    rows = tuple(_row(operator, body, key, numbers[key], here=key in here) for key in known)
    return {"rows": rows, "strict": body.strict_signing_key_usage}


def signed(among: AccountQuerySet, operator: Operator) -> Counter[str]:
    """How many live accounts of these each key signed."""
    rows = among.live().filter(operator=operator).order_by().values("issuer")
    return Counter({row["issuer"]: row["number"] for row in rows.annotate(number=Count("pk"))})


def key_called(operator: Operator, wanted: str) -> str:
    """The key that a handle stands for, "" for none."""
    body: OperatorBody = changes.claims_of(operator).nats
    keys = (operator.public_key, *body.signing_keys, *signed(Account.objects.all(), operator))
    return next((key for key in keys if handle(key) == wanted), "")


def choices(operator: Operator, without: str) -> Sequence[tuple[str, str]]:
    """The keys that may sign accounts in the place of `without`, with what they are called."""
    return [
        (key, f"the identity key {shown.short(key)}" if key == operator.public_key else shown.short(key))
        for key in operator_keys.signers(operator, changes.claims_of(operator))
        if key != without
    ]


def _row(operator: Operator, body: OperatorBody, key: str, number: int, *, here: bool) -> KeyRow:
    what, note = "signing key", ""
    if key == operator.public_key:
        what = "identity key"
        note = "signs the operator's own JWT"
        if body.strict_signing_key_usage:
            note += " alone: signing keys are required"
    elif key not in body.signing_keys:
        what, note = "no key of this operator", "servers refuse what it signed"
    arguments = (operator.public_key, handle(key))
    return KeyRow(
        key=shown.chip(key),
        what=what,
        note=note,
        seed=HERE if here else ELSEWHERE,
        accounts=f"{number:,}",
        remove_url=reverse("operator-key-remove", args=arguments) if key in body.signing_keys else "",
        stages_url=reverse("operator-key-stages", args=arguments) if key in body.signing_keys else "",
    )
