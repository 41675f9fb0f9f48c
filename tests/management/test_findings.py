"""`manage.py explain findings`."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account
from identities.services import signing_keys
from tests import make

pytestmark = pytest.mark.django_db
UNLIMITED = UserPermissionLimits.unlimited()


def rules(*allowed: str, deny: tuple[str, ...] = ()) -> UserPermissionLimits:
    return replace(UNLIMITED, pub=Permission(allow=allowed, deny=deny), sub=Permission(allow=("_INBOX.>",)))


def said(*arguments: str) -> str:
    output = io.StringIO()
    call_command("explain", "findings", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def shop() -> Account:
    account = make.account(make.operator("Op"), "Shop")
    template = replace(rules("a"), sub=Permission(allow=("news.*",)))
    draft = SigningKeyDraft(role=RoleDraft(role="reader", template=template))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    make.user(account, "of-role", signer=role.public_key)
    make.user(account, "fine", limits=rules("orders.>", deny=("orders.secret",)))
    return account


def test_users_and_roles_are_told_of_once_each_with_field_and_advice(shop: Account) -> None:
    dead = make.user(shop, "dead", limits=rules("orders.>", deny=("bills.>",)))
    found = json.loads(said("--account", "Shop", "--json"))
    assert [(one["holder"], one["kind"], one["entry"]) for one in found] == [
        ("the role reader", "wider than it looks", "news.*"),
        ("dead", "deny without use", "bills.>"),
        ("Shop", "nothing reaches it", "news.*"),
    ]
    assert found[0]["path"].endswith(".template.sub.allow")
    assert (found[1]["key"], found[1]["path"]) == (dead.public_key, "nats.pub.deny")
    text = said("--account", shop.public_key)
    assert "dead: deny without use\n  `bills.>` is denied, but nothing allows any of it" in text
    assert "fine" not in text


def test_a_user_with_half_of_everything_open_is_named(shop: Account) -> None:
    make.user(shop, "bare")
    assert "the account's defaults (users without rules: 1): everything open" in said("--account", "Shop")
    make.user(shop, "half", limits=replace(UNLIMITED, pub=Permission(allow=("x",))))
    assert "half: everything open\n  May subscribe everywhere" in said("--account", "Shop")


def test_nothing_wrong_and_nothing_known_are_said(shop: Account) -> None:
    make.account(shop.operator, "Alone")
    assert said("--account", "Alone").strip() == "Nothing is found wrong."
    with pytest.raises(CommandError, match="by --account"):
        said()
    with pytest.raises(CommandError, match="No account called Nowhere"):
        said("--account", "Nowhere")
