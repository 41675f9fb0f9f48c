"""What a principal's grants reach, for rows that carry their operator and account but no QuerySet of their own."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from identities.models import AuditEvent, AuditTarget, Key
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, ScopeKind


def everything(principal: Principal) -> bool:
    """True when a grant covers the whole installation."""
    return any(held.kind is ScopeKind.INSTALLATION for held in principal.roles)


def anywhere(principal: Principal, action: Action) -> decisions.Decision:
    """Whether some grant, however narrow, allows `action`: for pages that show each what they may see."""
    decision = decisions.decide(principal, action)
    for held in principal.roles:
        if isinstance(decision, decisions.Denied):
            decision = decisions.decide(principal, action, held.scope)
    return decision


def below_operator(principal: Principal) -> Q:
    """Rows with `operator` and `account` that the principal may see."""
    if everything(principal):
        return Q()
    operators = {held.operator for held in principal.roles if held.kind is ScopeKind.OPERATOR}
    accounts = {held.account for held in principal.roles if held.kind is ScopeKind.ACCOUNT}
    return Q(operator_id__in=operators) | Q(account_id__in=accounts)


def audit_events(principal: Principal) -> QuerySet[AuditEvent]:
    """The events about what the principal may see; those of the installation itself need a grant on all of it."""
    if everything(principal):
        return AuditEvent.objects.all()
    operators = {h.operator for h in principal.roles if h.kind is ScopeKind.OPERATOR and h.operator}
    accounts = {h.account for h in principal.roles if h.kind is ScopeKind.ACCOUNT and h.account}
    # Events name what they are about by the key of their day: those before a reissue by a former one.
    operator_keys = Key.objects.filter(operator__in=operators, account=None, kind="operator").values(
        "public_key"
    )
    account_keys = Key.objects.filter(account__in=accounts, user=None, kind="account").values("public_key")
    about = AuditTarget.objects.filter(event=OuterRef("pk")).filter(
        Q(operator_key__in=operator_keys) | Q(key__in=account_keys)
    )
    return AuditEvent.objects.filter(Exists(about))
