"""Rotation of the master key: every sealed value moves under the first key of the ring, a batch at a time."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet

from identities.models import Cluster, Installation, IssuedToken, Key, SignOnProvider, Webhook
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, links, second_factors, secrets, sign_on_providers, webhooks

BATCH = 500


def reseal_all(*, principal: Principal) -> int:
    """Re-wrap seeds, bearer tokens, TLS keys, second factors, secrets of sign-on providers and of webhooks, canary and
    audit key; return how many envelopes changed.

    It can be stopped and run again: what is already under the first key stays as it is. Afterwards the older keys
    may leave the ring.
    """
    decisions.require(principal, Action.INSTALLATION_EDIT)
    changed = _reseal_keys() + _reseal_tokens() + _reseal_clusters()
    changed += _reseal_factors() + _reseal_providers() + _reseal_webhooks()
    with transaction.atomic():
        installed = Installation.objects.select_for_update().get()
        installed.canary = secrets.fresh_canary()
        installed.audit_key = secrets.reseal(
            bytes(installed.audit_key), table="installation", public_key="", purpose="audit"
        )
        installed.save(update_fields=["canary", "audit_key"])
        first = secrets.key_ids()[0]
        audit.record(
            principal, Action.INSTALLATION_EDIT, [], f"Resealed {changed} secrets under master key “{first}”"
        )
    return changed


def _reseal_keys() -> int:
    return _reseal(Key.objects.only("pk", "public_key", "sealed"), "public_key", table="key", purpose="seed")


def _reseal_tokens() -> int:
    return _reseal(
        IssuedToken.objects.only("pk", "subject", "sealed"), "subject", table="token", purpose="bearer"
    )


def _reseal_clusters() -> int:
    rows = Cluster.objects.only("pk", "client_key")
    return _reseal(rows, "pk", table="cluster", purpose=links.CLIENT_KEY, column="client_key")


def _reseal_providers() -> int:
    rows = SignOnProvider.objects.only("pk", "client_secret")
    table, purpose = sign_on_providers.TABLE, sign_on_providers.PURPOSE
    return _reseal(rows, "pk", table=table, purpose=purpose, column="client_secret")


def _reseal_webhooks() -> int:
    rows = Webhook.objects.only("pk", "uid", "secret")
    return _reseal(rows, "uid", table=webhooks.TABLE, purpose=webhooks.PURPOSE, column="secret")


def _reseal_factors() -> int:
    """There are a few of each person."""
    with transaction.atomic():
        rows = list(Authenticator.objects.select_for_update().order_by("pk"))
        moved = [row for row in rows if second_factors.reseal(row)]
        Authenticator.objects.bulk_update(moved, ["data"])
    return len(moved)


def _reseal(sealed: QuerySet[Any], named: str, *, table: str, purpose: str, column: str = "sealed") -> int:
    changed, last = 0, 0
    while True:
        with transaction.atomic():
            rows = list(
                sealed.select_for_update()
                .filter(pk__gt=last, **{f"{column}__isnull": False})
                .order_by("pk")[:BATCH]
            )
            if not rows:
                return changed
            moved = []
            for row in rows:
                before = bytes(getattr(row, column))
                after = secrets.reseal(
                    before, table=table, public_key=str(getattr(row, named)), purpose=purpose
                )
                if after != before:
                    setattr(row, column, after)
                    moved.append(row)
            sealed.model.objects.bulk_update(moved, [column])
        changed, last = changed + len(moved), rows[-1].pk
