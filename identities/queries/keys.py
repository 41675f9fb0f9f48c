"""Every key under an operator: whose it is, whether its seed is here, and whether current claims name it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import StrIndex

from identities.claims import codec
from identities.models import Key, Operator, Purpose
from identities.policy.principal import Principal
from identities.queries import reach

LOADED = (
    "public_key",
    "kind",
    "purpose",
    "role",
    "created_at",
    "deleted_at",
    "operator_id",
    "operator__name",
    "operator__public_key",
    "account__name",
    "account__public_key",
    "account__deleted_at",
    "user__name",
    "user__public_key",
    "user__deleted_at",
)
"""No claims and no envelopes: a page of keys is a page of small rows."""


class Use(StrEnum):
    """Whether current claims name a key."""

    ANY = ""
    REFERENCED = "referenced"
    UNREFERENCED = "unreferenced"


class Seed(StrEnum):
    """Whether a key's seed is here."""

    ANY = ""
    HERE = "here"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list of keys is narrowed to: `kind` is an nkey kind, `text` a part of a key or of its holder's name."""

    kind: str = ""
    seed: Seed = Seed.ANY
    use: Use = Use.ANY
    text: str = ""


def listed(principal: Principal, operator: Operator, wanted: Wanted) -> QuerySet[Key]:
    """The keys under `operator` that may be seen, each with `here` and `referenced`, not ordered yet."""
    rows = _marked(Key.objects.filter(reach.below_operator(principal), operator=operator), operator)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.seed:
        rows = rows.filter(sealed__isnull=wanted.seed is Seed.MISSING)
    if wanted.use:
        rows = rows.filter(referenced=wanted.use is Use.REFERENCED)
    if wanted.text:
        rows = _holding(rows, wanted.text)
    return rows.select_related("operator", "account", "user").only(*LOADED)


def is_referenced(key: Key) -> bool:
    """Whether current claims name this key; its operator is loaded."""
    return _marked(Key.objects.filter(pk=key.pk), key.operator).filter(referenced=True).exists()


def _marked(rows: QuerySet[Key], operator: Operator) -> QuerySet[Any]:
    return rows.annotate(
        here=ExpressionWrapper(Q(sealed__isnull=False), output_field=BooleanField()),
        # A role's key stands in its account's claims, as a curve key does: looked for in the text of each.
        place=StrIndex(F("account__claims"), F("public_key")),
    ).annotate(referenced=ExpressionWrapper(_referenced(operator), output_field=BooleanField()))


def _referenced(operator: Operator) -> Q:
    """NULL never comes out of this: each part asks for what may be missing first."""
    own = [operator.public_key, *codec.from_payload(operator.claims).nats.signing_keys]
    of_user = Q(user__isnull=False, user__deleted_at=None, user__public_key=F("public_key"))
    of_account = Q(user=None, account__isnull=False, account__deleted_at=None)
    in_account = of_account & (Q(account__public_key=F("public_key")) | Q(place__gt=0))
    of_operator = Q(account=None, public_key__in=own)
    live = Q(deleted_at=None) & ~Q(purpose=Purpose.SPARE)
    return live & (of_user | in_account | of_operator)


def _holding(rows: QuerySet[Key], text: str) -> QuerySet[Key]:
    """Those whose holder's name holds `text`, ignoring case, or whose public key does, bytewise."""
    named = Q(user__name__icontains=text) | Q(user=None, account__name__icontains=text)
    key = text.upper()
    if not (key.isascii() and key.isalnum()):
        return rows.filter(named)
    return rows.alias(in_key=StrIndex(F("public_key"), Value(key))).filter(named | Q(in_key__gt=0))
