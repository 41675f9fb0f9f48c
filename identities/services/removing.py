"""Deletes accounts from servers: a request that an operator key signs, only where the resolver allows it.

Nobody deletes by the way: `remove` notes what somebody meant; the worker sends the request and looks afterwards, server
by server, whether the account is gone. A server that was away gets it when it comes back: full resolvers that find
each other again only ever add accounts.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.generic import GenericBody
from identities.errors import IdentityError
from identities.models import (
    Account,
    Cluster,
    Delivery,
    DeliveryState,
    Holding,
    HoldingState,
    Key,
    Operator,
    Wish,
)
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.resolver import claims_requests
from identities.resolver.claims_requests import ServerKey
from identities.resolver.system import SystemLink
from identities.services import audit, changes, clock, outbox, signing
from identities.services.delivering_results import Outcome, Seen
from identities.services.delivering_roster import Roster, key_of

NOT_TRUSTED = "not trusted"
WITHOUT_STORE = (
    "Servers with a MEMORY or URL resolver can't be told to delete an account: they go on with it until they get a "
    "configuration without it, or until their resolver no longer has it, and are restarted."
)
SILENT = "Not every server has answered."
STILL_THERE = "It was deleted and is still there."


def remove(*, principal: Principal, operator: Operator, public_key: str) -> None:
    """Have an account that was deleted here deleted from the servers of all clusters of its operator.

    Raises: IdentityError: it lives here, is the system account, or no cluster is known.
    """
    decisions.require(principal, Action.ACCOUNT_DELETE, Scope(operator=operator.pk))
    with transaction.atomic():
        row = Account.objects.filter(operator=operator, public_key=public_key).order_by("-deleted_at").first()
        _refuse(operator, public_key)
        outbox.wake(principal=principal, operator=operator.pk, keys=[public_key], wish=Wish.DELETE)
        name = public_key if row is None else row.name
        target = audit.Target(kind="account", key=public_key, name=name, operator_key=operator.public_key)
        audit.record(
            principal, Action.ACCOUNT_DELETE, [target], f"Had account “{name}” deleted from the servers"
        )


def is_forbidden(cluster: Cluster) -> bool:
    """True when every server with a store is known to refuse deletions."""
    known = list(cluster.servers.values_list("allow_delete", flat=True))
    return bool(known) and all(allowed is False for allowed in known)


def carry_out(cluster: Cluster, link: SystemLink, roster: Roster, rows: Sequence[Delivery]) -> list[Outcome]:
    """Delete accounts from the servers that are here, and see which of them are gone. Raises: Refused."""
    outcomes = [Outcome(row=row, state=DeliveryState.WAITING) for row in rows]
    live = set(
        Account.objects.live()
        .filter(operator_id=cluster.operator_id, public_key__in=[row.account_key for row in rows])
        .values_list("public_key", flat=True)
    )
    for one in outcomes:
        one.gone = one.row.account_key in live
    wanted = [one for one in outcomes if not one.gone]
    stores = roster.stores
    before = claims_requests.listed(link, servers=len(stores))
    there = sorted({one.row.account_key for one in wanted} & set().union(*before.values()))
    words = _ask(cluster, link, there, servers=len(stores)) if there else {}
    after = claims_requests.listed(link, servers=len(stores)) if there else before
    ended = _ended([one.row.account_key for one in wanted if one.row.account_key not in there])
    for one in wanted:
        _settle(one, roster, after, words, ended)
    return outcomes


def _ended(accounts: Sequence[str]) -> dict[tuple[int, str], Seen]:
    """What was last seen of these accounts and has expired since, by the server's number and the key: servers have
    removed that by themselves.
    """
    rows = Holding.objects.filter(account_key__in=accounts, exp__gt=0, exp__lte=clock.unix()).exclude(
        digest=""
    )
    return {
        (row.server_id, row.account_key): Seen(
            state=HoldingState.EXPIRED, digest=row.digest, jti=row.jti, iat=row.iat, exp=row.exp
        )
        for row in rows
    }


def _ask(
    cluster: Cluster, link: SystemLink, accounts: Sequence[str], *, servers: int
) -> dict[ServerKey, str]:
    """Ask with one key after the other until one is trusted; per server why it refused, "" when it did not."""
    told: dict[ServerKey, str] = {}
    for key in _keys(
        Operator.objects.get(pk=cluster.operator_id)
    ):  # as it is now, not at the connection's start
        told = claims_requests.delete(link, signed_request(key, accounts), servers=servers)
        if not any(NOT_TRUSTED in words for words in told.values()):
            break
    return told


def signed_request(key: Key, accounts: Sequence[str]) -> str:
    """The signed request to delete these accounts (spec §7.3). Raises: NoSigner."""
    body = GenericBody(data={"accounts": [*accounts]})
    with signing.signer_for(key) as signer:
        return codec.encode_checked(Claims(nats=body, sub=key.public_key), signer, clock.unix()).text


def _keys(operator: Operator) -> list[Key]:
    """The operator's keys whose seeds are here and that servers may take a deletion from, the likeliest first."""
    claims = changes.claims_of(operator)
    candidates = [*claims.nats.signing_keys]
    if not claims.nats.strict_signing_key_usage:
        candidates.append(operator.public_key)
    rows = Key.objects.filter(
        operator=operator, public_key__in=candidates, deleted_at=None, sealed__isnull=False
    )
    found = {key.public_key: key for key in rows}
    if not found:
        raise signing.NoSigner(
            f"No key of “{operator.name}” that may sign a deletion has its seed here. {signing.where_to_add(operator)}"
        )
    return [found[candidate] for candidate in candidates if candidate in found]


def _settle(
    one: Outcome,
    roster: Roster,
    held: dict[ServerKey, frozenset[str]],
    words: dict[ServerKey, str],
    ended: dict[tuple[int, str], Seen],
) -> None:
    """What each server holds now, and where the deletion stands."""
    refused = ""
    for server in roster.servers:
        key = key_of(server)
        said = words.get(key, "")
        if server in roster.stores and key in held:
            if one.row.account_key in held[key]:
                refused = refused or said or STILL_THERE
                one.servers[server.pk] = Seen(state=HoldingState.EXTRA, said=said or STILL_THERE)
            else:
                gone = Seen(state=HoldingState.MISSING, said=said)
                one.servers[server.pk] = ended.get((server.pk, one.row.account_key), gone)
        elif server in roster.here and server not in roster.stores:
            refused = refused or WITHOUT_STORE
            one.servers[server.pk] = Seen(state=HoldingState.UNKNOWN, said=WITHOUT_STORE)
        else:
            one.servers[server.pk] = Seen(state=HoldingState.WAITING)
    states = {seen.state for seen in one.servers.values()}
    if refused:
        one.state, one.problem = DeliveryState.REFUSED, refused
    elif states and states <= {HoldingState.MISSING, HoldingState.EXPIRED}:
        one.state = DeliveryState.DONE
    else:
        one.problem = SILENT


def _refuse(operator: Operator, public_key: str) -> None:
    if public_key == operator.system_account:
        raise IdentityError(
            f"This is the system account of “{operator.name}”: its servers can't do without it."
        )
    if Account.objects.live().filter(operator=operator, public_key=public_key).exists():
        raise IdentityError("This account lives here. Delete it here first.")
    clusters = list(Cluster.objects.live().filter(operator=operator))
    if not clusters:
        raise IdentityError(f"No cluster of “{operator.name}” is known here, so no server can be asked.")
    if all(map(is_forbidden, clusters)):
        raise IdentityError(
            "The servers don't allow it: their resolver needs “allow_delete: true” in its configuration."
        )
