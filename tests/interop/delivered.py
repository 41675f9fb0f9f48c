"""What stands where, and JWTs that are made elsewhere, for tests of deliveries to real servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from identities.claims import codec
from identities.models import Account, Cluster, Delivery, Holding, Key, Operator
from identities.resolver import messages
from identities.resolver.system import SystemLink
from identities.services import (
    accounts,
    changes,
    outbox,
    signing,
)
from tests import make, nodes


def row_of(account: Account) -> Delivery:
    return Delivery.objects.get(account_key=account.public_key)


def states(account: Account) -> dict[str, str]:
    """What each server was seen to hold of an account."""
    rows = Holding.objects.filter(account_key=account.public_key).select_related("server")
    return {row.server.name: row.state for row in rows}


def change(account: Account) -> Account:
    account.refresh_from_db()
    at = account.last_iat
    return accounts.revoke(principal=make.COMMAND, account=account, entries={"*": at - 100})


def held(link: SystemLink, account: Account, servers: int) -> list[str]:
    reply = link.ask(messages.of_account(account.public_key, "CLAIMS.LOOKUP"), expect=servers)
    return [payload.decode() for payload in reply.payloads]


def text(account: Account) -> str:
    account.refresh_from_db()
    assert account.token is not None
    return account.token.text


def clustered(three: nodes.Nodes) -> Cluster:
    cluster = nodes.cluster(three)
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    return cluster


def signed(account: Account, *, later: int = 0, by: Operator | None = None, **fields: Any) -> str:
    """The account's claims, changed and signed where nscweb does not see it."""
    account.refresh_from_db()
    claims = replace(changes.claims_of(account), **fields)
    key = Key.objects.get(public_key=account.issuer if by is None else by.public_key)
    with signing.signer_for(key) as signer:
        return codec.encode(claims, signer, account.last_iat + later).text


def pushed_elsewhere(at: nodes.Nodes, account: Account, *, later: int) -> str:
    body = replace(changes.claims_of(account).nats, description="from elsewhere")
    made = signed(account, later=later, nats=body)
    with nodes.linked(at) as link:
        answers = link.ask(messages.CLAIMS_UPDATE, made.encode(), expect=len(at.servers)).answers
    assert {answer.words for answer in answers} == {"jwt updated"}
    return made


def taken_over(account: Account, made: str) -> None:
    """Put a JWT into the account's row that nscweb itself would not sign."""
    token = codec.decode(made)
    entry = signing.ledger_row(
        token, principal=make.COMMAND, operator=account.operator, reason="test", origin="imported"
    )
    entry.save()
    claims = token.claims
    said = {"claims": token.payload, "last_iat": claims.iat, "issuer": claims.iss}
    Account.objects.filter(pk=account.pk).update(token=entry, **said)
