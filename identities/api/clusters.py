"""Clusters over the API: how servers are reached, which there are, and how they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import Field, SecretStr

from identities.api import editing, finding, paging
from identities.api.operations import Answer, operation
from identities.api.operators import ONE as OPERATOR
from identities.api.schemas import Given, Lines, Name, Number, OperatorKey, Page, Stamped, Taken, Text, Unix
from identities.models import Cluster, Server
from identities.nkeys import SecretBytes
from identities.policy.actions import Action
from identities.resolver.drafts import LONGEST, SHORTEST, ClusterDraft
from identities.services import clusters

TAG = "Clusters"
PATH = OPERATOR + "/clusters"
ONE = PATH + "/{int:number}"

Seconds = Annotated[float, Field(ge=SHORTEST, le=LONGEST, strict=False)]


class ServerOut(Given):
    """One server of a cluster, as it was seen last."""

    name: str
    nats_cluster: str
    host: str
    version: str
    resolver: str
    started_at: datetime | None
    seen_at: datetime


class ClusterListed(Stamped):
    """A cluster in a list. `state` is what the last attempt to reach it came to."""

    number: int
    name: str
    urls: list[str]
    state: str
    problem: str
    checked_at: datetime | None


class ClusterOut(ClusterListed):
    """A cluster with its servers."""

    tls_first: bool
    ca_pem: str
    client_cert: str
    connect_seconds: float
    request_seconds: float
    system_user: str = Field(description="Public key of the user that we log in as; empty: none.")
    servers: list[ServerOut]


class ClusterReplaced(Taken):
    """How the servers of a cluster are reached. Without a `client_key` the one that is sealed here stays."""

    name: Name
    urls: Annotated[Lines, Field(min_length=1)]
    ca_pem: Text = ""
    client_cert: Text = ""
    client_key: SecretStr | None = None
    tls_first: bool = False
    connect_seconds: Seconds = 3.0
    request_seconds: Seconds = 2.0


class ClusterIn(ClusterReplaced):
    """A new cluster; `system_user_expires` is for the system user that is made for it."""

    system_user_expires: Unix = 0


@operation("list-clusters", "GET", PATH, Page[ClusterListed], tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, wanted: Query[paging.Paging]) -> Answer:
    """List the clusters of an operator by name"""
    principal, operator = finding.operator(request, operator_key)
    rows = Cluster.objects.visible_to(principal).live().filter(operator=operator)
    return Answer(body=paging.page(rows, wanted, _listed))


@operation("add-cluster", "POST", PATH, ClusterOut, tag=TAG, status=201)
def add(request: HttpRequest, operator_key: OperatorKey, sent: ClusterIn) -> Answer:
    """Add a cluster

    A system user with just the rights that nscweb uses is made for it.
    """
    principal, operator = finding.operator(request, operator_key, Action.CLUSTER_CREATE)

    def make() -> Answer:
        row = clusters.create(
            principal=principal,
            operator=operator,
            draft=_draft(sent),
            expires=sent.system_user_expires,
        )
        shown = _shown(row)
        return Answer(body=shown, version=row.version, status=201, location=f"{request.path}/{row.pk}")

    return editing.tried(request, make, [])


@operation("get-cluster", "GET", ONE, ClusterOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, number: Number) -> Answer:
    """Read a cluster with its servers"""
    _, cluster = finding.cluster(request, operator_key, number)
    return Answer(body=_shown(cluster), version=cluster.version)


@operation("replace-cluster", "PUT", ONE, ClusterOut, tag=TAG, versioned=True)
def replace(request: HttpRequest, operator_key: OperatorKey, number: Number, sent: ClusterReplaced) -> Answer:
    """Replace how a cluster is reached"""
    principal, cluster = finding.cluster(request, operator_key, number, Action.CLUSTER_EDIT)
    version = editing.version_of(request, cluster)

    def save() -> Answer:
        row = clusters.update(principal=principal, cluster=cluster, draft=_draft(sent), version=version)
        return Answer(body=_shown(row), version=row.version)

    return editing.tried(request, save, [])


@operation("remove-cluster", "DELETE", ONE, None, tag=TAG, versioned=True)
def remove(request: HttpRequest, operator_key: OperatorKey, number: Number) -> Answer:
    """Remove a cluster from here

    Its servers go on as they are.
    """
    principal, cluster = finding.cluster(request, operator_key, number, Action.CLUSTER_DELETE)
    version = editing.version_of(request, cluster)
    return editing.gone(
        request,
        lambda: clusters.delete(principal=principal, cluster=cluster, version=version),
        ["Its servers go on as they are, and learn of nothing from here any more."],
    )


def _draft(sent: ClusterReplaced) -> ClusterDraft:
    key = sent.client_key
    return ClusterDraft(
        name=sent.name,
        urls=tuple(sent.urls),
        ca_pem=sent.ca_pem,
        client_cert=sent.client_cert,
        client_key=SecretBytes(key.get_secret_value().encode()) if key is not None else None,
        tls_first=sent.tls_first,
        connect_seconds=sent.connect_seconds,
        request_seconds=sent.request_seconds,
    )


def _listed(cluster: Cluster) -> ClusterListed:
    return ClusterListed(
        number=cluster.pk,
        name=cluster.name,
        urls=cluster.urls.split("\n"),
        state=cluster.state,
        problem=cluster.problem,
        checked_at=cluster.checked_at,
        version=cluster.version,
        created_at=cluster.created_at,
        updated_at=cluster.updated_at,
        updated_by=cluster.updated_by,
    )


def _shown(cluster: Cluster) -> ClusterOut:
    rows = Server.objects.filter(cluster=cluster).order_by("name", "nats_cluster")
    return ClusterOut(
        **_listed(cluster).model_dump(),
        tls_first=cluster.tls_first,
        ca_pem=cluster.ca_pem,
        client_cert=cluster.client_cert,
        connect_seconds=cluster.connect_seconds,
        request_seconds=cluster.request_seconds,
        system_user=cluster.user.public_key if cluster.user is not None else "",
        servers=[
            ServerOut(
                name=row.name,
                nats_cluster=row.nats_cluster,
                host=row.host,
                version=row.version,
                resolver=row.resolver,
                started_at=row.started_at,
                seen_at=row.seen_at,
            )
            for row in rows
        ],
    )
