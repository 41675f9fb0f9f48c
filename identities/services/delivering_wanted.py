"""What is to be delivered, with what is known of each account: read before servers are spoken with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from identities.models import Account, Cluster, Holding, HoldingState
from identities.queries import known_tokens
from identities.services.delivering_checks import NOT_OURS, Ours, digest
from identities.services.delivering_results import Outcome, Seen


def ours(cluster: Cluster, keys: Sequence[str]) -> dict[str, Ours]:
    """The JWT of each live account that has one, by its key: as plain columns, since there are thousands."""
    found = Account.objects.live().filter(
        operator_id=cluster.operator_id, public_key__in=keys, token__isnull=False
    )
    columns = ("public_key", "name", "token__text", "token__jti", "token__iat", "token__exp")
    known = known_tokens.of(keys)
    return {
        key: Ours(
            account=key,
            name=name,
            text=text,
            jti=jti,
            iat=iat,
            exp=exp,
            digest=digest(text),
            known=known.get(key, known_tokens.NOTHING),
        )
        for key, name, text, jti, iat, exp in found.values_list(*columns)
    }


def tell_unsent(
    cluster: Cluster, strangers: Mapping[str, frozenset[int]], unsent: Sequence[tuple[Ours, Outcome]]
) -> None:
    """Of what was not sent, since no key of the operator signed it: servers that hold it do not go by it."""
    if not strangers:
        return
    issuers = dict(
        Account.objects.live()
        .filter(operator_id=cluster.operator_id, issuer__in=strangers)
        .filter(public_key__in=[one.account for one, _ in unsent])
        .values_list("public_key", "issuer")
    )
    held = Holding.objects.filter(server__cluster=cluster, account_key__in=issuers)
    there = set(held.values_list("server_id", "account_key", "digest"))
    for one, outcome in unsent:
        issuer = issuers.get(one.account, "")
        for server in strangers.get(issuer, ()):
            if (server, one.account, one.digest) in there:
                outcome.servers[server] = Seen(
                    state=HoldingState.REFUSED,
                    digest=one.digest,
                    jti=one.jti,
                    iat=one.iat,
                    exp=one.exp,
                    said=NOT_OURS.format(issuer=issuer),
                )
