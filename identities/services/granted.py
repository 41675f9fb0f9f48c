"""What an operator grants an account: its admins may not change it, by whichever edit."""

from __future__ import annotations

from dataclasses import replace

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.models import Account
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope


def require(
    principal: Principal, account: Account, before: Claims[AccountBody], after: Claims[AccountBody]
) -> None:
    """Refuse an edit of limits (JetStream and bearer users among them), times, cluster traffic or signer by somebody
    who holds nothing on the operator.

    Raises:
        Forbidden: the edit touches one of them, and `principal` may not.
    """
    if not changed(before, after) and account.chosen_signer in ("", account.issuer):
        return
    decisions.require(
        principal, Action.ACCOUNT_LIMITS_EDIT, Scope(operator=account.operator_id, account=account.pk)
    )


def changed(before: Claims[AccountBody], after: Claims[AccountBody]) -> bool:
    """True when something that the operator grants differs."""
    return _granted(before) != _granted(after)


def kept(now: Claims[AccountBody], then: Claims[AccountBody]) -> Claims[AccountBody]:
    """`then` with all that the operator grants as it is `now`."""
    body = replace(then.nats, limits=now.nats.limits, cluster_traffic=now.nats.cluster_traffic)
    return replace(then, nats=body, exp=now.exp, nbf=now.nbf)


def _granted(claims: Claims[AccountBody]) -> tuple[object, ...]:
    return claims.nats.limits, claims.nats.cluster_traffic, claims.exp, claims.nbf
