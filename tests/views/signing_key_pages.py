"""The pages of signing keys: their addresses, keys and roles to show on them, and what then stands."""

from __future__ import annotations

from dataclasses import replace

from django.urls import reverse

from identities.claims.account import AccountBody
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.models import Account, Key
from identities.services import changes, signing_keys
from tests import make
from tests.pages import Page

UNLIMITED = UserPermissionLimits.unlimited()
TEMPLATE = replace(
    UNLIMITED, pub=Permission(allow=("orders.{{name()}}.>", "{{tag(team)}}.reports"), deny=("secret.>",))
)


def fresh(account: Account) -> Account:
    return Account.objects.select_related("operator").get(pk=account.pk)


def body(account: Account) -> AccountBody:
    found: AccountBody = changes.claims_of(fresh(account)).nats
    return found


def add(account: Account, **draft: object) -> Key:
    row = fresh(account)
    wanted = SigningKeyDraft(**draft)
    return signing_keys.add(principal=make.COMMAND, account=row, draft=wanted, version=row.version)


def role(account: Account, template: UserPermissionLimits = TEMPLATE, name: str = "worker") -> Key:
    return add(account, role=RoleDraft(role=name, template=template))


def url(name: str, account: Account, key: Key | None = None) -> str:
    more = [key.public_key] if key is not None else []
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def entry(account: Account, key: Key) -> SigningKey:
    return next(entry for entry in body(account).signing_keys if entry.key == key.public_key)


def becomes(page: Page) -> str:
    """The words of the card that says what the template becomes."""
    return page.text.partition("What the template becomes")[2].partition("Variables")[0]
