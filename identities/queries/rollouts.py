"""How far a signing key of an operator has come: into the operator's JWT, onto the servers, under the accounts.

A nats-server takes a changed operator JWT over at its start only; a reload refuses it. Which JWT it runs with is what
it told of itself (VARZ), kept in the roster.
Source: nats-server `reload.go`, `jwt.go`; nats-jwt.md §5.4, §9.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.models import Account, IssuedToken, Operator, Server
from identities.models.accounts import AccountQuerySet

MOST_VERSIONS = 200
"""Versions of the operator's JWT that are looked through for the first one with the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One server of the roster: the `iat` of the operator JWT that it runs with, 0 for another operator's or none.

    `knows`: whether that JWT names the key; None while the server has not told which one it has.
    """

    cluster: str
    name: str
    iat: int
    knows: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Of one key: `since` is the `iat` of the first operator JWT that names it and all after it do; 0 = none does,
    1 = every one that is known here.

    `before` is the JWT of a configuration that was not replaced since: the oldest that a server without the key told
    of, else the last one without it; None where there is none. `servers` are all that are known of its clusters;
    `signed` is how many live accounts it signed, `others` how many every other key did.
    """

    key: str
    since: int
    before: Claims[OperatorBody] | None
    servers: tuple[Running, ...]
    signed: int
    others: Mapping[str, int]

    @property
    def lacking(self) -> tuple[Running, ...]:
        """The servers that would refuse what it signs, as far as is known."""
        return tuple(server for server in self.servers if server.knows is False)

    @property
    def everywhere(self) -> bool:
        """Whether every known server, and at least one, is known to trust it."""
        return bool(self.servers) and all(server.knows for server in self.servers)


def of_key(operator: Operator, key: str, among: AccountQuerySet | None = None) -> Rollout:
    """How far `key` has come; three queries. The identity key is known to every server from the beginning.

    `among`: which accounts are counted; None counts all.
    """
    versions = list(_versions(operator))
    since = 1 if key == operator.public_key else _since(versions, key)
    servers = tuple(_running(operator, since))
    rows = (
        (Account.objects.all() if among is None else among)
        .live()
        .filter(operator=operator, token__isnull=False)
        .order_by()
    )
    signed = dict(rows.values_list("issuer").annotate(number=Count("pk")))
    number = signed.pop(key, 0)
    return Rollout(
        key=key,
        since=since,
        before=_before(versions, since, servers),
        servers=servers,
        signed=number,
        others=signed,
    )


def distrusting(operator: Operator, claims: Claims[OperatorBody]) -> dict[str, frozenset[int]]:
    """The servers (numbers of their rows) that are known not to trust a key of the operator's `claims`, by that key.

    One query where all run with that JWT or a later one. A server trusts the identity key that it runs with, whosever
    that is now, and the signing keys that its own version names.
    """
    rows = Server.objects.filter(cluster__operator=operator, cluster__deleted_at=None).exclude(
        operator_keys=""
    )
    told: dict[int, dict[str, int]] = {
        pk: json.loads(keys) for pk, keys in rows.values_list("pk", "operator_keys")
    }
    behind = {pk: keys for pk, keys in told.items() if keys.get(operator.public_key, 0) < claims.iat}
    if not behind:
        return {}
    versions = list(_versions(operator))
    found = {}
    for key in (operator.public_key, *claims.nats.signing_keys):
        since = _since(versions, key)
        found[key] = frozenset(
            pk
            for pk, keys in behind.items()
            if key not in keys and not 0 < since <= keys.get(operator.public_key, 0)
        )
    return {key: servers for key, servers in found.items() if servers}


def strangers(operator: Operator, claims: Claims[OperatorBody]) -> dict[str, frozenset[int]]:
    """The servers (numbers of their rows) that are known not to trust issuers of the operator's live accounts which are
    no key of its `claims` (any more), by that issuer.

    One query where there are none. A server that runs with an earlier operator JWT may still trust a removed key.
    """
    trusted = [*claims.nats.signing_keys]
    if not claims.nats.strict_signing_key_usage:
        trusted.append(operator.public_key)
    rows = Account.objects.live().filter(operator=operator, token__isnull=False).exclude(issuer__in=trusted)
    issuers = set(rows.order_by().values_list("issuer", flat=True).distinct())
    if not issuers:
        return {}
    servers = Server.objects.filter(cluster__operator=operator, cluster__deleted_at=None)
    told = {pk: json.loads(keys) if keys else None for pk, keys in servers.values_list("pk", "operator_keys")}
    versions = {one.iat: one for one in _versions(operator)}
    return {
        issuer: frozenset(
            pk for pk, keys in told.items() if not _may_trust(operator.public_key, keys, issuer, versions)
        )
        for issuer in issuers
    }


def _may_trust(
    operator: str,
    keys: Mapping[str, int] | None,
    issuer: str,
    versions: Mapping[int, Claims[OperatorBody]],
) -> bool:
    """Whether a server that told these `keys` may go by what `issuer` signs.

    Asked is the version of the operator's JWT that it runs with, or, where that is not known, every one.
    """
    running = versions.get(keys.get(operator, 0)) if keys is not None else None
    asked = versions.values() if running is None else (running,)
    if keys is not None and issuer != operator and issuer in keys:  # the identity key of another operator
        return True
    return any(
        issuer in one.nats.signing_keys or (issuer == operator and not one.nats.strict_signing_key_usage)
        for one in asked
    )


def _versions(operator: Operator) -> Iterator[Claims[OperatorBody]]:
    """The operator's JWTs that are known here, the latest first."""
    texts = (
        IssuedToken.objects.of([operator.public_key])
        .filter(operator=operator)
        .order_by("-iat", "-pk")
        .values_list("text", flat=True)[:MOST_VERSIONS]
    )
    return (codec.decode(text).claims for text in texts)


def _since(versions: Iterable[Claims[OperatorBody]], key: str) -> int:
    since = 0
    for claims in versions:
        if key not in claims.nats.signing_keys:
            return since
        since = claims.iat
    return 1 if since else 0


def _before(
    versions: Sequence[Claims[OperatorBody]], since: int, servers: Sequence[Running]
) -> Claims[OperatorBody] | None:
    if since <= 1:
        return None
    earlier = [claims for claims in versions if claims.iat < since]
    told = [server.iat for server in servers if server.iat and server.knows is False]
    return next(
        (claims for claims in earlier if not told or claims.iat <= min(told)), next(iter(earlier), None)
    )


def _running(operator: Operator, since: int) -> Iterator[Running]:
    rows = Server.objects.filter(cluster__operator=operator, cluster__deleted_at=None).select_related(
        "cluster"
    )
    for row in rows.order_by("cluster__name_fold", "name", "nats_cluster"):
        told = json.loads(row.operator_keys) if row.operator_keys else None
        iat = int(told.get(operator.public_key, 0)) if told else 0
        knows = None if told is None else 0 < since <= iat
        yield Running(cluster=row.cluster.name, name=row.name, iat=iat, knows=knows)
