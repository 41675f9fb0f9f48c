"""Accounts edited at will and put under another key, and what they and their plans say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from identities.claims import codec
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import Account, Key, Purpose, User
from identities.nkeys import KeyKind
from identities.services import (
    accounts,
    changes,
    clock,
    reissue_plans,
    reissuing,
    reissuing_accounts,
    signing,
)
from identities.services.reissuing_accounts import Reissued
from tests import make

BY: dict[str, Any] = {"principal": make.COMMAND}
BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


def edited(account: Account, **body: object) -> Account:
    """The account with these parts of its body replaced, whatever pages allow."""
    account = Account.objects.get(pk=account.pk)
    saved = accounts.rewrite(
        **BY,
        account=account,
        plan=lambda row: changes.plan(row, changes.edit_body(**body), now=clock.unix()),
        version=account.version,
        done="Edited account",
    )
    return Account.objects.get(pk=saved.pk)


def with_key(account: Account, *, role: str = "", template: UserPermissionLimits | None = None) -> Key:
    """One more signing key of the account, whose seed is here; a role when it is named."""
    key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.SIGNING)
    pair.wipe()
    key.operator, key.account = account.operator, account
    key.save()
    entry = SigningKey(key=key.public_key)
    if role:
        entry = replace(
            entry, kind=USER_SCOPE, role=role, template=template or UserPermissionLimits.unlimited()
        )
    held = changes.claims_of(Account.objects.get(pk=account.pk)).nats.signing_keys
    edited(account, signing_keys=(*held, entry))
    return Key.objects.get(pk=key.pk)


def reissue(account: Account, public_key: str = "") -> Reissued:
    """The account as it stands now, put under another key."""
    account = Account.objects.get(pk=account.pk)
    return reissuing_accounts.reissue(**BY, account=account, public_key=public_key, version=account.version)


def plan(account: Account, public_key: str = "") -> reissuing.Plan:
    """What a reissue of the account would move, leave and refuse."""
    return reissue_plans.of_account(**BY, account=Account.objects.get(pk=account.pk), public_key=public_key)


def said(lines: tuple[str, ...]) -> str:
    """These lines of a plan as one text."""
    return " ".join(lines)


def claims(row: Account | User) -> Claims[Any]:
    """What the JWT of this account or user says now."""
    row.refresh_from_db()
    return changes.claims_of(row)


def token_for(exporter: Account, importer: Account, subject: str, kind: str = "stream", **more: Any) -> str:
    """An activation token by the exporter's first key that may."""
    key = signing.user_signer(exporter, claims(exporter), strict=False)
    own = key.public_key == exporter.public_key
    body = ActivationBody(subject=subject, kind=kind, issuer_account="" if own else exporter.public_key)
    with signing.signer_for(key) as signer:
        made: str = codec.encode(
            Claims(nats=body, sub=importer.public_key, name=subject, **more), signer, clock.unix()
        ).text
    return made
