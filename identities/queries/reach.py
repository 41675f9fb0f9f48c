"""What a principal's grants reach, for rows that carry their operator and account but no QuerySet of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from identities.models import AuditEvent, AuditTarget, Key
from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, ScopeKind

IDENTITIES = ("operator", "account", "user")
"""The kinds of objects of events that have a JWT."""


def everything(principal: Principal) -> bool:
    """True when a grant covers the whole installation."""
    return any(held.kind is ScopeKind.INSTALLATION for held in principal.roles)


def anywhere(principal: Principal, action: Action) -> decisions.Decision:
    """Whether some grant, however narrow, allows `action`: for pages that show each what they may see."""
    return decisions.decide_somewhere(principal, action)


def below_operator(principal: Principal) -> Q:
    """Rows with `operator` and `account` that the principal may see."""
    if everything(principal):
        return Q()
    operators = {held.operator for held in principal.roles if held.kind is ScopeKind.OPERATOR}
    accounts = {held.account for held in principal.roles if held.kind is ScopeKind.ACCOUNT}
    return Q(operator_id__in=operators) | Q(account_id__in=accounts)


def permitted(principal: Principal, action: Action, *, account: str = "account") -> Q:
    """Rows with `operator` and `account` (of accounts themselves "pk") on which a grant allows `action`."""
    held = [one for one in principal.roles if action in powers.POWERS.get((one.kind, one.role), frozenset())]
    if any(one.kind is ScopeKind.INSTALLATION for one in held):
        return Q()
    operators = {one.operator for one in held if one.kind is ScopeKind.OPERATOR}
    accounts = {one.account for one in held if one.kind is ScopeKind.ACCOUNT}
    return Q(operator__in=operators) | Q(**{f"{account}__in": accounts})


def keys(principal: Principal) -> Q:
    """Keys (`Key`) whose holder the principal may see: those of a seen operator itself, and of seen accounts."""
    if everything(principal):
        return Q()
    seen = {held.operator for held in principal.roles}
    return below_operator(principal) | Q(operator__in=seen, account=None)


def whole_operator(principal: Principal, operator: int | None) -> bool:
    """Whether a grant reaches everything below the operator with this id."""
    return everything(principal) or any(
        held.kind is ScopeKind.OPERATOR and held.operator == operator for held in principal.roles
    )


def audit_events(principal: Principal) -> QuerySet[AuditEvent]:
    """The events about what the principal may see; those of the installation itself need a grant on all of it.

    What an event is about stands first among its objects: one about something out of sight is not there, though it
    names something that is in sight.
    """
    if everything(principal):
        return AuditEvent.objects.all()
    about = AuditTarget.objects.filter(event=OuterRef("pk")).filter(_reached(principal))
    first = AuditTarget.objects.filter(event=OuterRef("pk"), kind__in=IDENTITIES).order_by("pk").values("pk")
    hidden = AuditTarget.objects.filter(out_of_sight(principal), pk=OuterRef("first"))
    return AuditEvent.objects.alias(first=Subquery(first[:1])).filter(Exists(about)).exclude(Exists(hidden))


def audit_targets(principal: Principal) -> QuerySet[AuditTarget]:
    """The objects of events that the principal may see: of others an event names no name."""
    return AuditTarget.objects.exclude(out_of_sight(principal))


def partly_hidden(principal: Principal, event_ids: Iterable[int]) -> frozenset[int]:
    """Those of these events that name something out of sight too: their summary is not for this reader."""
    if everything(principal):
        return frozenset()
    rows = AuditTarget.objects.filter(out_of_sight(principal), event_id__in=list(event_ids))
    return frozenset(rows.values_list("event_id", flat=True))


def out_of_sight(principal: Principal) -> Q:
    """Objects of events (`AuditTarget`) that the principal may not see. A bare key that was not known is no secret."""
    if everything(principal):
        return Q(pk=None)
    seen = {held.operator for held in principal.roles}
    above = Key.objects.filter(operator__in=seen, account=None, kind="operator").values("public_key")
    below = Key.objects.filter(account__in=_accounts(principal)).values("public_key")
    in_sight = (
        Q(operator_key__in=_operator_keys(principal))
        | Q(kind="operator", key__in=above)
        | Q(kind="cluster", operator_key__in=above)
        | Q(key__in=below)
    )
    return Q(kind__in=(*IDENTITIES, "key", "cluster")) & ~Q(name="") & ~Q(name=F("key")) & ~in_sight


def _reached(principal: Principal) -> Q:
    """Objects of events that a grant reaches. They are named by the key of their day, maybe one before a reissue."""
    account_keys = Key.objects.filter(account__in=_accounts(principal), user=None, kind="account")
    return Q(operator_key__in=_operator_keys(principal)) | Q(key__in=account_keys.values("public_key"))


def _operator_keys(principal: Principal) -> QuerySet[Key, Any]:
    operators = {h.operator for h in principal.roles if h.kind is ScopeKind.OPERATOR and h.operator}
    return Key.objects.filter(operator__in=operators, account=None, kind="operator").values("public_key")


def _accounts(principal: Principal) -> set[int]:
    return {h.account for h in principal.roles if h.kind is ScopeKind.ACCOUNT and h.account}
