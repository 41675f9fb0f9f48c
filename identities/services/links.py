"""Connections to the system accounts of clusters: the worker opens what logs in, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from identities.errors import IdentityError
from identities.models import Cluster, Key, User
from identities.nkeys import SecretBytes
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import secrets, signing

CLIENT_KEY = "client-key"
"""The purpose under which a cluster's private TLS key is sealed, in table `cluster`, under the row's own number."""


class NoSystemUser(IdentityError):
    """There is nothing to log in with."""

    code = "no-system-user"


@contextmanager
def linked(cluster: Cluster) -> Iterator[SystemLink]:
    """A system connection to a cluster for the length of a block.

    Raises:
        Refused: the server or the network, with their words. AddressRefused. NoSystemUser.
    """
    link = open_link(cluster)
    try:
        yield link
    finally:
        link.close()


def open_link(cluster: Cluster) -> SystemLink:
    """A system connection that the caller closes; the seeds are open only while it logs in. Raises: as `linked`."""
    with login(cluster) as user, client_key(cluster) as key:
        return SystemLink(target(cluster, key), user)


def target(cluster: Cluster, client_key: SecretBytes | None = None) -> Target:
    """How a cluster is reached."""
    return Target(
        urls=tuple(cluster.urls.split()),
        ca_pem=cluster.ca_pem,
        client_cert=cluster.client_cert,
        client_key=client_key,
        tls_first=cluster.tls_first,
        allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS,
        connect_seconds=cluster.connect_seconds,
        request_seconds=cluster.request_seconds,
    )


@contextmanager
def login(cluster: Cluster) -> Iterator[TestUser]:
    """What logs us in to a cluster, for the length of a block. Raises: NoSystemUser."""
    user = (
        User.objects.live()
        .select_related("token")
        .filter(pk=cluster.user_id or 0, account__deleted_at=None)
        .first()
    )
    if user is None or user.token is None:
        raise NoSystemUser(
            f"Cluster “{cluster.name}” has no system user to log in with. Make one on the cluster's page."
        )
    key = Key.objects.filter(user=user, public_key=user.public_key, deleted_at=None).first()
    if key is None or key.sealed is None:
        raise NoSystemUser(
            f"The seed of the system user “{user.name}” is not here. Make another one on the cluster's page."
        )
    with (
        signing.token_text(user.token) as jwt,
        secrets.opened(bytes(key.sealed), table="key", public_key=key.public_key, purpose="seed") as seed,
    ):
        yield TestUser(name=user.name, jwt=jwt, seed=seed)


@contextmanager
def client_key(cluster: Cluster) -> Iterator[SecretBytes | None]:
    """The private key of the cluster's client certificate for the length of a block; None when it has none."""
    if cluster.client_key is None:
        yield None
        return
    with secrets.opened(
        bytes(cluster.client_key), table="cluster", public_key=str(cluster.pk), purpose=CLIENT_KEY
    ) as key:
        yield key
