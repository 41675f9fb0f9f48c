"""Drift: what every server of a cluster holds of every account, beside what it is to hold; seen, judged, kept.

Nothing is changed on a server here. What can't be told apart is unknown, never equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from identities.claims import holdings as judging
from identities.claims.holdings import Judged, Seen, State
from identities.models import Account, Cluster, Holding, HoldingState, Operator, ResolverKind, Server
from identities.queries import known_tokens, rollouts
from identities.resolver import holdings
from identities.resolver.holdings import Held, Observed, ServerKey
from identities.resolver.surveying import Kind
from identities.resolver.system import SystemLink
from identities.services import clock
from identities.services.delivering_checks import NOT_OURS, UNTRUSTED, is_stranger

BATCH = 500
TOLD = 30 * 24 * 3600
"""Seconds: for so long it is told that the JWT of an account that is not ours expired on a server."""
Wanted = Mapping[str, str]
"""The JWT that an account is to have, by its key."""
_WAS_THERE = (HoldingState.EXTRA, HoldingState.DELETED)
"""States that say so without the digest of a JWT: it was listed, or had gone already."""
_EXPLAINED = (HoldingState.MISSING, HoldingState.REFUSED)
NOT_GOT = (
    "It was made to look for this account and has not found it. A MEMORY resolver has only what its configuration "
    "preloads: give it the present one. A URL resolver could not fetch it, or got a JWT that it does not go by."
)
"""Of a server without a store; from outside MEMORY and URL look the same, and so does what it means for clients."""
NOT_GIVEN = "It was made to look for this account, and no full resolver gave it a JWT of it that it goes by."
"""Of a cache."""


class Before(NamedTuple):
    """What was kept of an account on a server the last time; `digest` is "" when no JWT was proven to be there."""

    state: str
    digest: str
    jti: str
    iat: int
    exp: int


def compare(cluster: Cluster, link: SystemLink) -> Counter[str]:
    """Compare all accounts of the cluster's operator with what its servers hold, and keep what was found.

    Returns: how many holdings are in which state, over all servers that answered.
    Raises: Refused: the connection is gone.
    """
    began, wanted = clock.now(), wanted_of(cluster)
    return keep(cluster, wanted, holdings.observe(link, wanted, known=_runs(cluster)), since=began)


def _runs(cluster: Cluster) -> dict[tuple[ServerKey, str], Kind]:
    """What the roster says of servers with a store."""
    rows = Server.objects.filter(cluster=cluster, resolver__in=[ResolverKind.FULL, ResolverKind.CACHE])
    return {((row.name, row.nats_cluster), row.server_id): Kind(row.resolver) for row in rows}


def wanted_of(cluster: Cluster) -> dict[str, str]:
    """The current JWT of every live account of the operator."""
    rows = Account.objects.live().filter(operator=cluster.operator_id, token__isnull=False)
    return dict(rows.values_list("public_key", "token__text"))


def keep(
    cluster: Cluster, wanted: Wanted, observed: Observed, *, since: datetime | None = None
) -> Counter[str]:
    """Write what was seen, one row an account and server, in few statements; a row that says the same stays.

    So does one that a delivery has written `since` it was begun to look: it knows better.
    """
    now = clock.unix()
    counts: Counter[str] = Counter()
    with transaction.atomic():
        servers = _servers(cluster, observed)
        distrusted = _distrusted(cluster)
        for key, held in observed.servers.items():
            before = _before(servers[key])
            later = _later(servers[key], since)
            judged = {
                account: judging.judge(
                    wanted.get(account), _seen(held, account, before.get(account), now), now=now
                )
                for account in {*wanted, *(held.listed or ()), *held.texts, *_gone(held, before, now)} - later
            }
            _tell_strangers(judged)
            refused = _refused(judged, distrusted.get(servers[key].pk, {}))
            counts.update(
                HoldingState.REFUSED.value if account in refused else one.state.value
                for account, one in judged.items()
            )
            said = {**_vain(held), **refused}
            _write(servers[key], judged, before, refused, said)
            _forget(servers[key], before.keys() - judged.keys() - later)
        Cluster.objects.filter(pk=cluster.pk).update(compared_at=clock.at(now))
    return counts


def _tell_strangers(judged: dict[str, Judged]) -> None:
    """What is older and was not made here is different: nobody here knows what it says; one query for 500 accounts."""
    older = [account for account, one in judged.items() if one.state is State.OLDER]
    known = known_tokens.of(older)
    for account in older:
        one = judged[account]
        if is_stranger(known.get(account, known_tokens.NOTHING), one.iat, one.jti):
            judged[account] = replace(one, state=State.DIFFERENT)


def _distrusted(cluster: Cluster) -> dict[int, dict[str, str]]:
    """Why a server does not go by an account, as far as is known, by the server's number and the account's key: it is
    signed by a key that the server does not trust, or that is none of the operator's.
    """
    operator = Operator.objects.get(pk=cluster.operator_id)
    claims = operator.document()
    lacking = rollouts.distrusting(operator, claims)
    strangers = rollouts.strangers(operator, claims)
    found: dict[int, dict[str, str]] = {}
    if not (lacking or strangers):
        return found
    rows = Account.objects.live().filter(operator=operator, issuer__in=[*lacking, *strangers])
    for account, issuer in rows.values_list("public_key", "issuer"):
        said = NOT_OURS.format(issuer=issuer) if issuer in strangers else UNTRUSTED
        for server in strangers.get(issuer, lacking.get(issuer, frozenset())):
            found.setdefault(server, {})[account] = said
    return found


def _vain(held: Held) -> dict[str, str]:
    """What is said of the accounts that a server without a store of its own looked for in vain."""
    if held.listed is not None and not held.cache:
        return {}
    return dict.fromkeys(held.sought, NOT_GIVEN if held.cache else NOT_GOT)


def _refused(judged: Mapping[str, Judged], distrusted: Mapping[str, str]) -> dict[str, str]:
    """What a server has as it is to be, and does not go by, with the reason."""
    return {
        account: said
        for account, said in distrusted.items()
        if account in judged and judged[account].state is State.SAME
    }


def _before(server: Server) -> dict[str, Before]:
    rows = Holding.objects.filter(server=server).values_list("account_key", *Before._fields)
    return {account: Before(*columns) for account, *columns in rows}


def _later(server: Server, since: datetime | None) -> set[str]:
    """The accounts of which something was written since then."""
    if since is None:
        return set()
    return set(Holding.objects.filter(server=server, at__gt=since).values_list("account_key", flat=True))


def _gone(held: Held, before: Mapping[str, Before], now: int) -> set[str]:
    """The accounts whose JWT a store was seen to hold that has expired since, not too long ago to be told of."""
    if held.listed is None or held.cache:
        return set()
    return {account for account, one in before.items() if one.digest and now - TOLD < one.exp <= now}


def _seen(held: Held, account: str, before: Before | None, now: int) -> Seen:
    listed = None if held.listed is None else account in held.listed
    return Seen(
        listed=None if held.cache and not listed else listed,
        text=held.texts.get(account),
        sought=account in held.sought,
        before=held.full and before is not None and (bool(before.digest) or before.state in _WAS_THERE),
        ended=_ended(before, now),
    )


def _ended(before: Before | None, now: int) -> Judged | None:
    """The JWT that was last seen to be there, where its time is over."""
    if before is None or not before.digest or not 0 < before.exp <= now:
        return None
    return Judged(state=State.EXPIRED, digest=before.digest, jti=before.jti, iat=before.iat, exp=before.exp)


def _servers(cluster: Cluster, observed: Observed) -> dict[tuple[str, str], Server]:
    rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
    moment = clock.now()
    for key, held in observed.servers.items():
        if key not in rows:
            rows[key] = Server.objects.create(
                cluster=cluster,
                name=held.server.name,
                nats_cluster=held.server.cluster,
                server_id=held.server.id,
                host=held.server.host,
                version=held.server.version,
                first_seen_at=moment,
                seen_at=moment,
            )
    return rows


def _write(
    server: Server,
    judged: Mapping[str, Judged],
    before: Mapping[str, Before],
    refused: Collection[str],
    said: Mapping[str, str],
) -> None:
    moment = clock.now()
    changed = []
    for account, one in judged.items():
        state = HoldingState.REFUSED if account in refused else HoldingState(one.state.value)
        if before.get(account) == (state.value, one.digest, one.jti, one.iat, one.exp):
            continue
        row = Holding(server=server, account_key=account, state=state, at=moment)
        row.digest, row.jti, row.iat, row.exp = one.digest, one.jti, one.iat, one.exp
        row.said = said.get(account, "") if state in _EXPLAINED else ""
        changed.append(row)
    Holding.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["server", "account_key"],
        update_fields=["state", "digest", "jti", "iat", "exp", "said", "at"],
    )


def _forget(server: Server, accounts: Iterable[str]) -> None:
    gone = sorted(accounts)
    for start in range(0, len(gone), BATCH):
        Holding.objects.filter(server=server, account_key__in=gone[start : start + BATCH]).delete()
