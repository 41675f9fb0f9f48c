"""What can be done with clusters: which servers an operator has, and how they are reached."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from identities.claims import diff, names
from identities.errors import IdentityError
from identities.models import Cluster, ClusterState, Operator, Server
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.resolver import addresses, contexts
from identities.resolver.drafts import LONGEST, MOST_URLS, SHORTEST, ClusterDraft
from identities.services import audit, changes, clock, columns, links, outbox, secrets, system_users, users
from identities.services.four_eyes import exempted

_REACHED_BY = (
    "urls",
    "ca_pem",
    "client_cert",
    "tls_first",
    "connect_seconds",
    "request_seconds",
)
_PEM = ("ca_pem", "client_cert")
_SHOWN = 100


@exempted("nscweb's own way into the servers, with rights that are always the same")
def create(*, principal: Principal, operator: Operator, draft: ClusterDraft, expires: int = 0) -> Cluster:
    """Add a cluster, with a system user of its own where one can be made (`system_users.obstacle` says why not).

    `expires` (unix seconds, 0 = never) is that user's.

    Raises:
        AddressRefused, ResolverError: an address or a PEM text that can't be used, with the field.
        IdentityError: a taken or impossible name, times out of bounds.
    """
    decisions.require(principal, Action.CLUSTER_CREATE, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        parent = changes.locked(operator, None)
        _refuse_taken_name(parent, draft.name)
        moment = clock.now()
        cluster = Cluster(operator=parent, created_at=moment)
        _check(cluster, draft)
        _fill(cluster, draft, principal)
        cluster.save()
        _seal(cluster, draft)
        if not system_users.obstacle(parent):
            cluster.user = system_users.make_unaudited(principal=principal, operator=parent, expires=expires)
            cluster.save(update_fields=["user"])
        outbox.wake_all(principal=principal, cluster=cluster)
        made = [users.target(cluster.user, cluster.user.account)] if cluster.user else []
        audit.record(
            principal,
            Action.CLUSTER_CREATE,
            [target(cluster), *made],
            f"Added cluster “{cluster.name}” of “{parent.name}”"
            + (f", reached as system user “{cluster.user.name}”" if cluster.user else ""),
        )
    return cluster


def update(*, principal: Principal, cluster: Cluster, draft: ClusterDraft, version: int) -> Cluster:
    """Edit a cluster; what servers hold and the system user stay as they are.

    Raises:
        StaleWrite: somebody else changed it meanwhile. Else as `create`.
    """
    decisions.require(principal, Action.CLUSTER_EDIT, scope(cluster))
    with changes.transaction_of_one():
        row = locked(cluster, version)
        if columns.folded(draft.name) != row.name_fold:
            _refuse_taken_name(row.operator, draft.name)
        _check(row, draft)
        before, way, name = _told(row), _way(row), row.name
        _fill(row, draft, principal)
        another_way = _way(row) != way or draft.client_key is not None
        if not another_way and row.name == name:
            return locked(cluster, version)
        told = list(diff.diff(before, _told(row)))
        if draft.client_key is not None:
            told.append(diff.FieldChange("client_key", "", "another one"))
        row.version += 1
        if another_way:  # what the last attempt came to says nothing any more
            row.state, row.problem = ClusterState.UNKNOWN, ""
        row.save()
        _seal(row, draft)
        audit.record(
            principal, Action.CLUSTER_EDIT, [target(row)], f"Edited cluster “{row.name}”", changes=told
        )
    return row


def delete(*, principal: Principal, cluster: Cluster, version: int) -> None:
    """Remove a cluster from here. Its servers go on as they are; its system user stays, and its key is thrown away."""
    decisions.require(principal, Action.CLUSTER_DELETE, scope(cluster))
    with transaction.atomic():
        row = locked(cluster, version)
        row.deleted_at = row.updated_at = clock.now()
        row.updated_by = principal.name
        row.client_key = None
        row.save()
        audit.record(principal, Action.CLUSTER_DELETE, [target(row)], f"Removed cluster “{row.name}”")


def forget_server(*, principal: Principal, cluster: Cluster, server: Server) -> None:
    """Take a server off the roster, with what it was seen to hold; it comes back when it answers again."""
    decisions.require(principal, Action.CLUSTER_EDIT, scope(cluster))
    with transaction.atomic():
        row = locked(cluster, None)
        name = server.name
        Server.objects.filter(pk=server.pk, cluster=row).delete()
        audit.record(
            principal, Action.CLUSTER_EDIT, [target(row)], f"Forgot server “{name}” of cluster “{row.name}”"
        )


def locked(cluster: Cluster, version: int | None) -> Cluster:
    """The row as it is now, locked until the transaction ends.

    Raises:
        StaleWrite: `version` is not the row's any more, or the cluster was removed.
    """
    rows = Cluster.objects.select_for_update(no_key=True, of=("self",)).select_related("operator")
    current: Cluster = rows.get(pk=cluster.pk)
    if current.deleted_at is not None or (version is not None and current.version != version):
        raise changes.StaleWrite(current)
    return current


def scope(cluster: Cluster) -> Scope:
    """Where a cluster stands, for policy."""
    return Scope(operator=cluster.operator_id)


def target(cluster: Cluster) -> audit.Target:
    """How the audit names a cluster."""
    return audit.Target(
        kind="cluster", key=str(cluster.pk), name=cluster.name, operator_key=cluster.operator.public_key
    )


def checked_urls(texts: Sequence[str]) -> tuple[str, ...]:
    """Server URLs in their plain form, in the order given.

    Raises: AddressRefused with the field `urls`: none, too many, malformed, or leading where nothing may connect to.
    """
    if not texts:
        raise addresses.AddressRefused("Give at least one server address.", field="urls")
    if len(texts) > MOST_URLS:
        raise addresses.AddressRefused(
            f"{len(texts)} addresses were given; {MOST_URLS} are enough to find a cluster by.", field="urls"
        )
    parsed = []
    for text in texts:
        try:
            url = addresses.parse_url(text, field="urls")
            addresses.refuse_literal(url, allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS, field="urls")
        except addresses.AddressRefused as refused:
            named = f"“{text[:_SHOWN]}”: " if "@" not in text else ""  # which may hold a password
            raise addresses.AddressRefused(f"{named}{refused.user_message}", field="urls") from None
        parsed.append(str(url))
    return tuple(dict.fromkeys(parsed))


def _way(cluster: Cluster) -> tuple[object, ...]:
    """How the cluster is reached."""
    return tuple(getattr(cluster, name) for name in _REACHED_BY)


def _told(cluster: Cluster) -> dict[str, object]:
    """What an edit may change, for the audit: of certificates only which they are."""
    held = {name: getattr(cluster, name) for name in ("name", *_REACHED_BY)}
    pem = {name: hashlib.sha256(held[name].encode()).hexdigest()[:12] for name in _PEM if held[name]}
    return {**held, "urls": held["urls"].split(), **{name: f"SHA-256 {told}" for name, told in pem.items()}}


def _fill(cluster: Cluster, draft: ClusterDraft, principal: Principal) -> None:
    cluster.name, cluster.name_fold = draft.name, columns.folded(draft.name)
    cluster.urls = "\n".join(checked_urls(draft.urls))
    cluster.ca_pem, cluster.client_cert = draft.ca_pem, draft.client_cert
    cluster.tls_first = draft.tls_first
    cluster.connect_seconds, cluster.request_seconds = draft.connect_seconds, draft.request_seconds
    cluster.updated_at, cluster.updated_by = clock.now(), principal.name


def _check(cluster: Cluster, draft: ClusterDraft) -> None:
    """Refuse what could never connect, by looking at it alone."""
    names.check_name(draft.name)
    for name, seconds in (
        ("connect_seconds", draft.connect_seconds),
        ("request_seconds", draft.request_seconds),
    ):
        if not SHORTEST <= seconds <= LONGEST:
            raise IdentityError(f"The time is from {SHORTEST:g} to {LONGEST:g} seconds.", field=name)
    if draft.client_key is not None and not draft.client_cert:
        raise IdentityError("A private key needs its certificate: give both.", field="client_cert")
    if draft.client_key is not None or not draft.client_cert:
        contexts.client_context(draft.ca_pem, draft.client_cert, draft.client_key)
    elif cluster.client_key is None:
        raise IdentityError("A client certificate needs its private key: give both.", field="client_key")
    else:
        with links.client_key(cluster) as held:
            contexts.client_context(draft.ca_pem, draft.client_cert, held)


def _seal(cluster: Cluster, draft: ClusterDraft) -> None:
    """Seal a new private key under the row's number; without a certificate the old one is thrown away."""
    if draft.client_key is not None:
        cluster.client_key = secrets.seal(
            draft.client_key, table="cluster", public_key=str(cluster.pk), purpose=links.CLIENT_KEY
        )
    elif not draft.client_cert:
        cluster.client_key = None
    cluster.save(update_fields=["client_key"])


def _refuse_taken_name(operator: Operator, name: str) -> None:
    if Cluster.objects.live().filter(operator=operator, name_fold=columns.folded(name)).exists():
        raise IdentityError(
            f"“{operator.name}” already has a cluster named “{name}”. Choose another name.", field="name"
        )
