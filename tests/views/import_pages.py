"""The pages of imports as tests open and fill them, and what an account then holds."""

from __future__ import annotations

from django.urls import reverse

from identities.claims.drafts import ActivationDraft
from identities.claims.imports import Import
from identities.claims.sharing import export_handles, import_handles
from identities.models import Account
from identities.nkeys import KeyKind, KeyPair
from identities.services import activations, changes
from tests import make
from tests.pages import Page, Visitor

STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def held(account: Account) -> tuple[Import, ...]:
    account.refresh_from_db()
    found: tuple[Import, ...] = changes.claims_of(account).nats.imports
    return found


def handle(account: Account, index: int = 0) -> str:
    return import_handles(held(account))[index]


def values(page: Page, *names: str) -> dict[str, str]:
    return {name: sent[0] for name, sent in page.form(*names).values.items()}


def token_for(orders: Account, target: str, subject: str = "orders.>", **times: int) -> str:
    """An activation, issued on the exporter's side."""
    name = export_handles(changes.claims_of(orders).nats.exports)[0]
    draft = ActivationDraft(target=target, subject=subject, **times)
    made = activations.issue(principal=make.COMMAND, account=orders, handle=name, draft=draft)
    return made.text


def new_import(visitor: Visitor, into: Account, /, **typed: object) -> Page:
    return visitor.send(visitor.open(url("import-create", into)), **typed)
