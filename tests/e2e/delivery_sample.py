"""Deliveries for the walks: waiting, refused, a newer JWT on the servers, an account that is to be deleted there."""

from __future__ import annotations

from dataclasses import replace

from django.urls import reverse

from identities.claims import codec
from identities.models import Account, Cluster, Delivery
from identities.services import accounts, changes, outbox, removing, signing, stakes
from tests import make


def fill(cluster: Cluster, account: Account) -> None:
    """Accounts beside `account`, whose own servers hold a newer JWT."""
    operator = account.operator
    made = [make.account(operator, name=name) for name in ("Waiting", "Refused", "Removed")]
    words = "jwt update resulted in error - operator requires issuer to be a signing key"
    for one, state in zip(made, ("waiting", "refused", "done"), strict=True):
        rows = Delivery.objects.filter(cluster=cluster, account_key=one.public_key)
        rows.update(state=state, problem=words if state == "refused" else "", attempts=1)
    claims = changes.claims_of(account)
    body = replace(claims.nats, description="changed elsewhere")
    with signing.signer_for(signing.account_signer(operator, changes.claims_of(operator))) as key:
        newer = codec.encode(replace(claims, nats=body), key, account.last_iat + 60).text
    outbox.wake(principal=make.COMMAND, operator=operator.pk, keys=[account.public_key])
    Delivery.objects.filter(cluster=cluster, account_key=account.public_key).update(state="held", found=newer)
    gone = made[2]
    stakes.ask(principal=make.COMMAND, operator=operator, public_key=gone.public_key)
    accounts.delete(principal=make.COMMAND, account=gone, version=gone.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=gone.public_key)


def pages() -> tuple[str, ...]:
    """An account of which servers hold a newer JWT, and one that is to be deleted there."""
    held = Delivery.objects.select_related("cluster__operator").get(state="held")
    operator = held.cluster.operator.public_key
    gone = Account.objects.get(name="Removed")
    return (
        reverse("account-delivery", args=[operator, held.account_key]),
        reverse("account-delivery-choose", args=[operator, held.account_key, held.cluster_id]),
        reverse("account-removal", args=[operator, gone.public_key]),
    )
