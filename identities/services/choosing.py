"""What a person decides about a delivery: send it again now; or which of two JWTs stands, where a server holds one that
is newer than ours or was not made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import transaction

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.report import Report
from identities.errors import IdentityError
from identities.models import Account, Cluster, Delivery, DeliveryState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, importing, kept_out, outbox, signing
from identities.services.delivering_checks import digest, overruling
from identities.services.import_items import Choices
from identities.services.import_reading import Collector
from identities.services.proposing import guarded

KEPT = "Kept the JWT that servers hold"
REPLACED = "Signed anew, to replace another JWT on servers"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What taking their JWT over comes to: `claims` as they would stand here.

    `said` in words for people; empty where it is taken over to the byte.
    """

    claims: Claims[AccountBody]
    said: tuple[str, ...]


def plan_taking(account: Account, text: str) -> Taking:
    """What taking over the JWT `text` that servers hold would come to; writes nothing.

    Raises: ClaimsError: it can't be read.
    """
    before, theirs = changes.claims_of(account), codec.from_payload(codec.payload_of(text))
    return Taking(
        claims=replace(theirs, nats=kept_out.keeping_out(account, before.nats, theirs.nats)),
        said=tuple(_told(account, before.nats, theirs)),
    )


def _told(account: Account, before: AccountBody, theirs: Claims[AccountBody]) -> Iterator[str]:
    if not trust.did_sign(changes.claims_of(account.operator), theirs):
        yield (
            f"It is signed by {theirs.iss}, which is no key of the operator (any more), so servers do not go by it: "
            "taking it over signs what it says here anew."
        )
    ahead = theirs.iat - clock.unix()
    if ahead > signing.TAKEN_AHEAD:
        yield (
            f"It is dated {ahead:,} seconds from now, which nothing but lockouts could be signed after: taking it over "
            "signs what it says here anew, dated now. A server that is away while that is delivered may bring the one "
            "from the future back to the others: deliver again once it is there. A new account key ends that for good."
        )
    elif theirs.iat <= account.last_iat:
        yield (
            f"It was issued at {clock.in_words(theirs.iat)}, no later than the one here: taking it over signs what it "
            "says here anew, as the newest version, and what was changed here since goes."
        )
    back = kept_out.returning(account, before, theirs.nats)
    if back:
        yield (
            f"It would let in again who is kept out here: {back}. Taking it over signs it here anew with all of them "
            "still kept out; let somebody in afterwards on the page of revocations."
        )


def keep_theirs(*, principal: Principal, account: Account, cluster: Cluster, found: str) -> None:
    """Take the JWT that servers hold over, to the byte; `found` is the digest of the one that was shown.

    What it says is signed here anew where the operator did not sign it; where it is no later than ours, so that servers
    can tell the two apart; where it is dated so far ahead that nothing could follow it; and, with who was put out here
    still kept out, where it does not know of that.

    Raises: Decided: another one is there now. IdentityError: it can't be taken over; the message says why.
    """
    decisions.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    decisions.require(principal, Action.JWT_ADOPT, accounts.scope(account))
    text = _found(account, cluster, found).found
    token = codec.decode(text)
    if token.claims.sub != account.public_key:
        raise IdentityError("What the server holds is not a JWT of this account.")
    if plan_taking(account, text).said:
        _sign(principal, account, cluster, found)
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

    Where ours is later already, or theirs was issued further in the future than ours may be, ours goes as it is.

    Raises: Decided: another one is there now. NoSigner: no key that may sign it is here.
    """
    decisions.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    with transaction.atomic():
        row = changes.locked(account, None)
        held = _found(row, cluster, found)
        theirs = codec.from_payload(codec.payload_of(held.found))
        _overrule(held, found)
        if row.last_iat <= theirs.iat <= clock.unix() + signing.MOST_AHEAD:
            row.last_iat = max(row.last_iat, theirs.iat)
            same = replace(changes.plan(row, lambda claims: claims, now=clock.unix()), report=Report())
            changes.commit(
                row, same, principal=principal, key=accounts.signer(row), reason=REPLACED, unchanged=True
            )
        else:
            outbox.wake(principal=principal, operator=row.operator_id, keys=[row.public_key])
        said = f"Had the JWT of “{row.name}” on the servers of “{cluster.name}” replaced by the one here"
        audit.record(principal, Action.ACCOUNT_DELIVER, [accounts.target(row)], said)


def _sign(principal: Principal, account: Account, cluster: Cluster, found: str) -> None:
    with changes.transaction_of_one():
        row = changes.locked(account, None)
        held = _found(row, cluster, found)
        taking = plan_taking(row, held.found)
        _overrule(held, found)
        near = taking.claims.iat <= clock.unix() + signing.TAKEN_AHEAD
        if near:
            row.last_iat = max(row.last_iat, taking.claims.iat)
        change = replace(changes.plan(row, lambda _: taking.claims, now=clock.unix()), report=Report())
        changes.commit(
            row,
            change,
            principal=principal,
            key=accounts.signer(row),
            reason=KEPT,
            unchanged=True,
            urgent=near,
        )
        said = f"{KEPT} of account “{row.name}”, signed anew"
        audit.record(principal, Action.ACCOUNT_DELIVER, [accounts.target(row)], said, changes=change.diff)


def _overrule(held: Delivery, found: str) -> None:
    """Have the delivery replace what was found there, as what was chosen to be replaced before."""
    Delivery.objects.filter(pk=held.pk).update(overrule=overruling(held.overrule, found))


def _found(account: Account, cluster: Cluster, found: str) -> Delivery:
    row = Delivery.objects.filter(
        cluster=cluster, account_key=account.public_key, state=DeliveryState.HELD
    ).first()
    if row is None or not row.found:
        raise Decided("No server holds another JWT of this account any more, as far as is known.")
    if digest(row.found) != found:
        raise Decided("The servers hold yet another JWT by now. Look at it first, then choose.")
    return row
