"""What servers were last seen to hold, counted, and the accounts that somebody should look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Q

from identities.models import LIVE_FIRST, Account, Cluster, Holding, HoldingState, Key, ResolverKind, Server
from identities.nkeys import KeyKind

PAGE = 50
_WITHOUT_STORE = (ResolverKind.OTHER, ResolverKind.CACHE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """One account of the list: `row` is None for one that is not here; `holdings` by the server's number.

    `former`: an account that is here had this key before.
    """

    key: str
    row: Account | None
    holdings: dict[int, Holding]
    former: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the list; `after` is the key to go on from, "" at its end."""

    accounts: tuple[Drifted, ...]
    after: str


def counts(cluster: Cluster) -> dict[int, Counter[str]]:
    """How many holdings of each state every server has, by the server's number: one query."""
    found: dict[int, Counter[str]] = {}
    rows = Holding.objects.filter(server__cluster=cluster).order_by().values_list("server_id", "state")
    for server, state, number in rows.annotate(number=Count("pk")):
        found.setdefault(server, Counter())[state] = number
    return found


def outlived(cluster: Cluster, now: int) -> Q:
    """Holdings of what expired on a server while a JWT that has not expired is here: a delivery ends them."""
    live = Account.objects.live().filter(operator=cluster.operator_id, token__isnull=False)
    valid = live.filter(Q(expires__lte=0) | Q(expires__gt=now))
    return Q(state=HoldingState.EXPIRED, account_key__in=valid.values("public_key"))


def takes_over(server: Server, state: str) -> bool:
    """Whether a delivery ends such a holding of the server, where ours is the newer JWT: not where a server without a
    full store has not loaded the account, since that takes nothing over.
    """
    return state != HoldingState.MISSING or server.resolver not in _WITHOUT_STORE


def lacking() -> Q:
    """Holdings that no delivery ends: see `takes_over`."""
    return Q(state=HoldingState.MISSING, server__resolver__in=_WITHOUT_STORE)


def count(cluster: Cluster, which: Q) -> int:
    """How many holdings are such: one query."""
    return Holding.objects.filter(which, server__cluster=cluster).count()


def servers(cluster: Cluster) -> list[Server]:
    """The roster: one query."""
    return list(cluster.servers.order_by("name", "nats_cluster"))


def page(cluster: Cluster, which: Q, after: str) -> Page:
    """Accounts of which a server holds something that is such, by key: three queries at most."""
    held = Holding.objects.filter(server__cluster=cluster)
    found = held.filter(which, account_key__gt=after).order_by("account_key")
    keys = found.values("account_key").distinct()[: PAGE + 1]
    by_account: dict[str, dict[int, Holding]] = {}
    for holding in held.filter(account_key__in=keys).order_by("account_key"):
        by_account.setdefault(holding.account_key, {})[holding.server_id] = holding
    shown = list(by_account)[:PAGE]
    rows: dict[str, Account] = {}
    for row in Account.objects.filter(operator=cluster.operator_id, public_key__in=shown).order_by(
        LIVE_FIRST, "pk"
    ):
        rows.setdefault(row.public_key, row)
    strange = [key for key in shown if key not in rows]
    former = set(
        Key.objects.filter(
            operator=cluster.operator_id, kind=KeyKind.ACCOUNT.value, user=None, public_key__in=strange
        ).values_list("public_key", flat=True)
        if strange
        else ()
    )
    accounts = tuple(
        Drifted(key=key, row=rows.get(key), holdings=by_account[key], former=key in former) for key in shown
    )
    return Page(accounts=accounts, after=shown[-1] if len(by_account) > PAGE else "")
