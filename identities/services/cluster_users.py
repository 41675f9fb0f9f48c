"""Who a cluster is logged in to as: a system user made here, one that is there already, and its renewal."""

from __future__ import annotations

from dataclasses import replace

from identities.errors import IdentityError
from identities.models import Cluster, ClusterState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, changes, clock, clusters, kept_out, system_users, users
from identities.services.four_eyes import exempted


@exempted("nscweb's own way into the servers, with rights that are always the same")
def make(*, principal: Principal, cluster: Cluster, version: int, expires: int = 0) -> Cluster:
    """Make a new system user and log in to the cluster as it from now on; the one before stays as it is.

    Raises:
        StaleWrite: somebody else changed the cluster meanwhile. NoSystemAccount: none can be made.
    """
    decisions.require(principal, Action.CLUSTER_EDIT, clusters.scope(cluster))
    with changes.transaction_of_one():
        parent = changes.locked(cluster.operator, None)
        row = clusters.locked(cluster, version)
        row.user = system_users.make_unaudited(principal=principal, operator=parent, expires=expires)
        _save(row, principal)
        audit.record(
            principal,
            Action.CLUSTER_EDIT,
            [clusters.target(row), users.target(row.user, row.user.account)],
            f"Made system user “{row.user.name}” for cluster “{row.name}”",
        )
    return row


def choose(*, principal: Principal, cluster: Cluster, public_key: str, version: int) -> Cluster:
    """Log in to the cluster as a user of the system account that is there already.

    Raises:
        StaleWrite: somebody else changed the cluster meanwhile. IdentityError: no such user, or its seed is not here.
    """
    decisions.require(principal, Action.CLUSTER_EDIT, clusters.scope(cluster))
    with changes.transaction_of_one():
        row = clusters.locked(cluster, version)
        user = system_users.candidates(row.operator).filter(public_key=public_key).first()
        if user is None:
            raise IdentityError("Choose a user of the system account whose seed is here.", field="user")
        row.user = user
        _save(row, principal)
        audit.record(
            principal,
            Action.CLUSTER_EDIT,
            [clusters.target(row), users.target(user, user.account)],
            f"Chose system user “{user.name}” for cluster “{row.name}”",
        )
    return row


@exempted("nscweb's own way into the servers, with rights that are always the same")
def renew(*, principal: Principal, cluster: Cluster, version: int, expires: int = 0) -> Cluster:
    """Sign the cluster's system user anew, with the same key and this expiry (unix seconds, 0 = never).

    Raises:
        StaleWrite: somebody else changed the cluster meanwhile. NoSigner: nothing to sign with. Suspended.
        InvalidClaims: the expiry is in the past. IdentityError: the cluster has no system user.
    """
    decisions.require(principal, Action.CLUSTER_EDIT, clusters.scope(cluster))
    with changes.transaction_of_one():
        row = clusters.locked(cluster, version)
        if cluster.user is None or row.user_id is None:
            raise IdentityError(f"Cluster “{row.name}” has no system user to renew. Make one.")
        account = changes.locked(cluster.user.account, None)
        user = changes.locked(cluster.user, None)
        user.account = account
        kept_out.refuse(user)
        change = changes.plan(user, lambda claims: replace(claims, exp=expires), now=clock.unix())
        row.user = users.sign(
            user,
            change,
            account=account,
            key=users.signer(user),
            principal=principal,
            reason="Renewed system user",
            unchanged=True,
        )
        _save(row, principal)
        audit.record(
            principal,
            Action.CLUSTER_EDIT,
            [clusters.target(row), users.target(user, account)],
            f"Renewed system user “{user.name}” of cluster “{row.name}”",
        )
    return row


def _save(cluster: Cluster, principal: Principal) -> None:
    """Another login: what the last one came to says nothing any more."""
    cluster.version += 1
    cluster.state, cluster.problem = ClusterState.UNKNOWN, ""
    cluster.updated_at, cluster.updated_by = clock.now(), principal.name
    cluster.save(update_fields=["user", "version", "state", "problem", "updated_at", "updated_by"])
