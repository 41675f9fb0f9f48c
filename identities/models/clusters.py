"""The nats-servers of an operator: clusters that we log in to, and the servers that were seen there."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from identities.policy.principal import Principal, ScopeKind


class ClusterState(models.TextChoices):
    """What the last attempt to reach a cluster came to."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class ClusterQuerySet(QuerySet["Cluster"]):
    """Clusters, narrowed by adjectives."""

    def live(self) -> ClusterQuerySet:
        """Those that were not removed."""
        return self.filter(deleted_at=None)

    def visible_to(self, principal: Principal) -> ClusterQuerySet:
        """Only those of operators that the principal's grants reach."""
        if any(held.kind is ScopeKind.INSTALLATION for held in principal.roles):
            return self
        return self.filter(
            operator_id__in={held.operator for held in principal.roles if held.kind is ScopeKind.OPERATOR}
        )


class Cluster(models.Model):
    """Servers that share one system account and are reached together.

    `urls` is one server URL a line, tried in that order; times are in seconds. `client_key` is the sealed private key
    of `client_cert`. `user` is the system user that we log in as, made here. `state`, `problem` and `checked_at` tell
    of the last attempt to reach it; `fence` rises each time a worker takes it in hand, until `lease_until`.
    """

    operator = models.ForeignKey("identities.Operator", on_delete=models.PROTECT, related_name="clusters")
    name = models.CharField(max_length=255)
    name_fold = models.CharField(max_length=255)
    urls = models.TextField()
    ca_pem = models.TextField(blank=True, default="")
    client_cert = models.TextField(blank=True, default="")
    client_key = models.BinaryField(null=True, default=None)
    tls_first = models.BooleanField(default=False)
    connect_seconds = models.FloatField(default=3.0)
    request_seconds = models.FloatField(default=2.0)
    user = models.ForeignKey(
        "identities.User", null=True, default=None, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=8, choices=ClusterState.choices, default=ClusterState.UNKNOWN)
    problem = models.TextField(blank=True, default="")
    checked_at = models.DateTimeField(null=True, default=None)
    compared_at = models.DateTimeField(null=True, default=None)
    lease_until = models.DateTimeField(null=True, default=None)
    fence = models.BigIntegerField(default=0)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)
    deleted_at = models.DateTimeField(null=True, default=None)

    objects: ClassVar = ClusterQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "name_fold"], condition=Q(deleted_at=None), name="cluster_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ResolverKind(models.TextChoices):
    """Where a server has account JWTs from, as far as its answers tell."""

    UNKNOWN = ""
    FULL = "full"
    CACHE = "cache"
    OTHER = "other"
    """MEMORY or URL: it answers neither LIST nor LOOKUP."""


class Server(models.Model):
    """One nats-server of the roster: it is its `name` and `nats_cluster`; `server_id` is new at each start.

    `allow_delete` is NULL while nobody knows. `operator_keys` names the operators that it runs with and the `iat` of
    their JWTs, as JSON text `{"O…": iat}`. A server whose `seen_at` is older than the cluster's last check was absent.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="servers")
    name = models.CharField(max_length=255)
    nats_cluster = models.CharField(max_length=255, blank=True, default="")
    server_id = models.CharField(max_length=56, blank=True, default="")
    host = models.CharField(max_length=255, blank=True, default="")
    version = models.CharField(max_length=64, blank=True, default="")
    resolver = models.CharField(max_length=8, choices=ResolverKind.choices, blank=True, default="")
    allow_delete = models.BooleanField(null=True, default=None)
    system_account = models.CharField(max_length=56, blank=True, default="")
    operator_keys = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(null=True, default=None)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cluster", "name", "nats_cluster"], name="server_unique"),
        ]

    def __str__(self) -> str:
        return self.name
