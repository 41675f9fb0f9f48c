"""What the pages of clusters show, as plain strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from identities.models import Cluster, ClusterState, Operator, ResolverKind, Server
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import changes, clock, clusters, jobs, roster, system_users
from identities.views import guards, shown

CHOOSE = (
    "Users of the operator's system account whose seeds are here. Everything that nscweb asks and delivers goes out as "
    "this user, so it needs the rights for it."
)
_STATES = {
    ClusterState.UP: ("Reached", "ok", "circle-check"),
    ClusterState.DOWN: ("Not reached", "danger", "circle-x"),
    ClusterState.UNKNOWN: ("Not asked yet", "muted", "circle-dashed"),
}
_KINDS = {
    ResolverKind.FULL: "full",
    ResolverKind.CACHE: "cache",
    ResolverKind.OTHER: "memory or URL",
    ResolverKind.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """One cluster in the list."""

    name: str
    url: str
    state: shown.State
    addresses: str
    more_addresses: str
    servers: str
    user: str
    checked: shown.When


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """One server of the roster; `deletes` says whether accounts can be deleted there."""

    name: str
    note: str
    nats_cluster: str
    host: str
    version: str
    state: shown.State
    up_since: shown.When
    resolver: str
    deletes: str
    seen: shown.When
    forget_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What of the page changes by itself."""

    state: shown.State
    words: str
    servers: tuple[ServerRow, ...]
    worker: bool


def rows(principal: Principal, operator: Operator) -> tuple[ClusterRow, ...]:
    """The operator's clusters: one query."""
    found = (
        Cluster.objects.visible_to(principal)
        .live()
        .filter(operator=operator)
        .select_related("user", "operator")
        .annotate(number=Count("servers"))
        .order_by("name_fold")
    )
    return tuple(_row(cluster) for cluster in found)


def page(principal: Principal, cluster: Cluster) -> dict[str, Any]:
    """What stands on a cluster's page beside its servers."""
    user = cluster.user
    return {
        "cluster_name": cluster.name,
        "can": guards.can(
            principal,
            clusters.scope(cluster),
            Action.CLUSTER_EDIT,
            Action.CLUSTER_DELETE,
            Action.CLUSTER_TEST,
        ),
        "url": shown.cluster_url("cluster", cluster),
        "addresses": tuple(cluster.urls.split()),
        "tls": _tls(cluster),
        "times": f"{cluster.connect_seconds:g} s to connect, {cluster.request_seconds:g} s for answers",
        "system_user": user_name(cluster),
        "user_url": shown.user_url("user", user) if user and user.deleted_at is None else "",
        "user_state": _user_state(cluster),
        "user_expires": shown.unix(user.expires if user else 0),
        "user_problem": _user_problem(cluster),
        "lacking": system_users.lacking(user) if user is not None else (),
        "obstacle": system_users.obstacle(cluster.operator) if user is None else "",
        "has_candidates": system_users.candidates(cluster.operator).exists(),
        "changed": shown.moment(cluster.updated_at),
        "by": cluster.updated_by,
        "urls": {
            name: shown.cluster_url(f"cluster-{route}", cluster)
            for name, route in (
                ("edit", "edit"),
                ("delete", "delete"),
                ("make", "user-make"),
                ("choose", "user-choose"),
                ("renew", "user-renew"),
                ("test", "test"),
            )
        },
        **shown.cluster_tabs(cluster),
    }


def live(cluster: Cluster) -> Live:
    """How the cluster is, as far as the worker knows: two queries."""
    servers = list(cluster.servers.order_by("name", "nats_cluster"))
    return Live(
        state=state(cluster),
        words=_words(cluster),
        servers=tuple(_server(cluster, server, servers) for server in servers),
        worker=bool(jobs.workers_alive()),
    )


def state(cluster: Cluster) -> shown.State:
    """Whether the cluster was reached."""
    word, tone, icon = _STATES[ClusterState(cluster.state)]
    return shown.State(word=word, tone=tone, icon=icon, title=shown.moment(cluster.checked_at).text)


def user_name(cluster: Cluster) -> str:
    """Who the cluster is logged in to as; "" for nobody."""
    return cluster.user.name if cluster.user is not None else ""


def user_choices(operator: Operator) -> tuple[tuple[str, str], ...]:
    """System users that can be chosen, by public key."""
    return tuple(
        (user.public_key, f"{user.name} ({shown.short(user.public_key)})")
        for user in system_users.candidates(operator)[:200]
    )


def suggested(operator: Operator) -> dict[str, Any]:
    """What a new cluster's form begins with: the operator's service URLs."""
    return {"urls": tuple(str(url) for url in changes.claims_of(operator).nats.operator_service_urls)}


def what_goes(cluster: Cluster) -> dict[str, Any]:
    """What removing a cluster means, for `components/confirm.html`."""
    number = cluster.servers.count()
    lines = [f"{shown.plural(number, 'server')} of the roster, with what each was seen to hold"]
    if cluster.client_key is not None:
        lines.append("the sealed private key of its client certificate")
    if cluster.user is not None:
        lines.append(f"not the system user “{cluster.user.name}”: delete it on its own page")
    return {
        "name": cluster.name,
        "submit": "Remove cluster",
        "intro": "The servers go on as they are, with what they hold; nothing is delivered to them any more. With it "
        "go:",
        "consequences": tuple(lines),
    }


def _row(cluster: Cluster) -> ClusterRow:
    urls = cluster.urls.split()
    number: int = cluster.number  # type: ignore[attr-defined]  # annotated above
    return ClusterRow(
        name=cluster.name,
        url=shown.cluster_url("cluster", cluster),
        state=state(cluster),
        addresses=urls[0],
        more_addresses=f"and {len(urls) - 1} more" if len(urls) > 1 else "",
        servers=f"{number:,}",
        user=user_name(cluster),
        checked=shown.moment(cluster.checked_at),
    )


def _words(cluster: Cluster) -> str:
    if cluster.state == ClusterState.DOWN:
        return cluster.problem or "The last attempt to reach it failed."
    if cluster.state == ClusterState.UNKNOWN:
        return "No worker has reached it yet."
    return ""


def _server(cluster: Cluster, server: Server, others: Sequence[Server]) -> ServerRow:
    return ServerRow(
        name=shown.short(server.name) if server.name == server.server_id else server.name,
        note="it has no server_name: after a restart it counts as another server"
        if server.name == server.server_id
        else "",
        nats_cluster=server.nats_cluster,
        host=server.host,
        version=server.version,
        state=_presence(cluster, server, others),
        up_since=shown.moment(server.started_at),
        resolver=_KINDS[ResolverKind(server.resolver)],
        deletes={True: "allowed", False: "off", None: "unknown"}[server.allow_delete],
        seen=shown.moment(server.seen_at),
        forget_url=shown.cluster_url("cluster-forget-server", cluster, server.pk),
    )


def _presence(cluster: Cluster, server: Server, others: Sequence[Server]) -> shown.State:
    if cluster.state == ClusterState.UP and roster.is_absent(server, others):
        return shown.State(word="Absent", tone="danger", icon="circle-x", title="It did not answer")
    if cluster.state != ClusterState.UP:
        return shown.State(
            word="Unknown", tone="muted", icon="circle-dashed", title="The cluster is not reached"
        )
    return shown.State(word="Answers", tone="ok", icon="circle-check")


def _tls(cluster: Cluster) -> str:
    parts = [
        "own CA certificate" if cluster.ca_pem else "",
        "TLS first" if cluster.tls_first else "",
        "client certificate, its key sealed here" if cluster.client_cert else "",
    ]
    return ", ".join(part for part in parts if part) or "the system's authorities, no client certificate"


def _user_state(cluster: Cluster) -> shown.State | None:
    user = cluster.user
    return shown.state(user.expires, user.not_before, clock.unix()) if user is not None else None


def _user_problem(cluster: Cluster) -> str:
    user = cluster.user
    if user is None:
        return ""
    if user.deleted_at is not None:
        return "It was deleted: make or choose another one."
    if user.suspended_at is not None:
        return "It is suspended: servers refuse it. Lift that on its page, or choose another one."
    if not user.has_seed:
        return "Its seed is not here (any more): make or choose another one."
    return ""
