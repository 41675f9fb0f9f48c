"""What a person decides about a delivery: send it again now; or, where a server holds a newer JWT, which one stands."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from identities.claims import codec
from identities.claims.report import Report
from identities.errors import IdentityError
from identities.models import Account, Cluster, Delivery, DeliveryState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, importing, outbox, signing
from identities.services.delivering_checks import digest
from identities.services.import_items import Choices
from identities.services.import_reading import Collector
from identities.services.proposing import guarded

KEPT = "Kept the JWT that servers hold"
REPLACED = "Signed anew, to replace a newer JWT on servers"


class Decided(IdentityError):
    """There is nothing to decide (any more)."""

    code = "decided"


def deliver_now(*, principal: Principal, account: Account) -> None:
    """Have the account delivered again to every cluster at once, whatever came of it before."""
    decisions.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    with transaction.atomic():
        row = changes.locked(account, None)
        outbox.wake(principal=principal, operator=row.operator_id, keys=[row.public_key])
        said = f"Had account “{row.name}” delivered again"
        audit.record(principal, Action.ACCOUNT_DELIVER, [accounts.target(row)], said)


def keep_theirs(*, principal: Principal, account: Account, cluster: Cluster, found: str) -> None:
    """Take the newer JWT that servers hold over, to the byte; `found` is the digest of the one that was shown.

    One that was issued in the very second of ours is signed here anew: servers could not tell the two apart.

    Raises: Decided: another one is there now. IdentityError: it can't be taken over; the message says why.
    """
    decisions.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    decisions.require(principal, Action.JWT_ADOPT, accounts.scope(account))
    text = _found(account, cluster, found).found
    token = codec.decode(text)
    if token.claims.sub != account.public_key:
        raise IdentityError("What the server holds is not a JWT of this account.")
    if token.claims.iat <= account.last_iat:
        _sign(principal, account, token, KEPT)
        return
    collector = Collector(seal=False)
    collector.text(f"what cluster “{cluster.name}” holds", text.encode())
    report = importing.perform(
        principal=principal,
        collected=collector.finished(),
        choices=Choices(under=account.operator.public_key),
    )
    if report["nothing"]:
        said = "; ".join(note["message"] for note in report["notes"])
        raise IdentityError(said or "It could not be taken over.")


@guarded
def replace_theirs(*, principal: Principal, account: Account, cluster: Cluster, found: str) -> None:
    """Have ours stand: signed anew, later than theirs; `found` is the digest of the one that was shown.

    Where theirs was issued further in the future than ours may be, ours goes as it is.

    Raises: Decided: another one is there now. NoSigner: no key that may sign it is here.
    """
    decisions.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    with transaction.atomic():
        row = changes.locked(account, None)
        held = _found(row, cluster, found)
        theirs = codec.from_payload(codec.payload_of(held.found))
        Delivery.objects.filter(pk=held.pk).update(overrule=found)
        if theirs.iat <= clock.unix() + signing.MOST_AHEAD:
            row.last_iat = max(row.last_iat, theirs.iat)
            same = replace(changes.plan(row, lambda claims: claims, now=clock.unix()), report=Report())
            changes.commit(
                row, same, principal=principal, key=accounts.signer(row), reason=REPLACED, unchanged=True
            )
        else:
            outbox.wake(principal=principal, operator=row.operator_id, keys=[row.public_key])
        said = (
            f"Had the newer JWT of “{row.name}” on the servers of “{cluster.name}” replaced by the one here"
        )
        audit.record(principal, Action.ACCOUNT_DELIVER, [accounts.target(row)], said)


def _sign(principal: Principal, account: Account, token: codec.Token, reason: str) -> None:
    with changes.transaction_of_one():
        row = changes.locked(account, None)
        wanted = token.claims
        change = replace(changes.plan(row, lambda _: wanted, now=clock.unix()), report=Report())
        changes.commit(
            row, change, principal=principal, key=accounts.signer(row), reason=reason, unchanged=True
        )
        said = f"{reason} of account “{row.name}”"
        audit.record(principal, Action.ACCOUNT_DELIVER, [accounts.target(row)], said)


def _found(account: Account, cluster: Cluster, found: str) -> Delivery:
    row = Delivery.objects.filter(
        cluster=cluster, account_key=account.public_key, state=DeliveryState.HELD
    ).first()
    if row is None or not row.found:
        raise Decided("No server holds a newer JWT of this account any more, as far as is known.")
    if digest(row.found) != found:
        raise Decided("The servers hold yet another JWT by now. Look at it first, then choose.")
    return row
