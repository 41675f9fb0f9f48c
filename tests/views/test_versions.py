"""Pages of earlier versions: what one said, what differs between any two, and bringing one back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.drafts import AccountEdit, OperatorEdit, SigningKeyDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.models import Account, Operator, User
from identities.policy.principal import Role
from identities.services import accounts, changes, operators, signing_keys, users
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db
WHO: dict[str, Any] = {"principal": make.COMMAND}
OPEN = UserPermissionLimits.unlimited()


@pytest.fixture
def orders(db: None) -> Account:
    """An account with three versions, of which the second has one more signing key."""
    account = make.account(make.operator("Main"), "Orders")
    key = signing_keys.add(**WHO, account=account, draft=SigningKeyDraft(), version=1)
    row = Account.objects.get(pk=account.pk)
    row = signing_keys.remove(**WHO, account=row, public_key=key.public_key, version=row.version)
    limits = replace(changes.claims_of(row).nats.limits, conn=7)
    return accounts.update_limits(**WHO, account=row, limits=limits, version=row.version)


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def test_the_history_numbers_its_versions_and_leads_to_each(visitor: Visitor, orders: Account) -> None:
    page = visitor.open(url("account-history", orders))
    assert "4. Edited limits of account" in page.text
    assert "1. Created account" in page.text
    first = visitor.open(page.link("/history/1"))
    assert "Version 1 of Orders" in first.text
    assert "From this version to what stands now" in first.text
    assert "nats.limits.conn unlimited 7" in first.text


def test_any_two_versions_are_compared(visitor: Visitor, orders: Account) -> None:
    page = visitor.open(url("account-version", orders, 2) + "?with=1")
    assert "From version 1 to this one" in page.text
    assert "nats.signing_keys" in page.text
    assert "nats.limits.conn" not in page.text


@pytest.mark.parametrize("asked", ["9", "0", "-1", "x", "1" * 30, "²"])
def test_a_version_that_is_not_there_is_not_found(visitor: Visitor, orders: Account, asked: str) -> None:
    assert visitor.open(url("account-version", orders, 1) + f"?with={asked}").status == 404
    assert visitor.open(url("account-version", orders, 9)).status == 404
    assert visitor.open(url("account-roll-back", orders, 9)).status == 404


def test_bringing_one_back_shows_what_changes_first_and_then_signs(visitor: Visitor, orders: Account) -> None:
    page = visitor.open(visitor.open(url("account-version", orders, 1)).link("Bring this back"))
    assert "nats.limits.conn 7 unlimited" in page.text
    assert "Revocations stay as they are now" in page.text
    saved = visitor.send(page, action="/back")
    assert "Brought back version 1 of “Orders”" in saved.text
    assert changes.claims_of(Account.objects.get(pk=orders.pk)).nats.limits.conn == -1
    assert "5. Brought back version 1 of account" in visitor.open(url("account-history", orders)).text


def test_the_way_back_from_a_version_is_its_history(visitor: Visitor, orders: Account) -> None:
    for name in ("account-version", "account-roll-back"):
        crumb = visitor.open(url(name, orders, 2)).response.context["crumbs"][-2]
        assert (crumb.label, crumb.url) == ("History", url("account-history", orders))


def test_a_removed_signing_key_needs_its_own_tick_and_what_that_means_is_read_first(
    visitor: Visitor, orders: Account
) -> None:
    page = visitor.open(url("account-roll-back", orders, 2))
    assert "Bring these signing keys back too" in page.text
    assert not page.form("revive").values.get("revive")
    removed = page.response.context["form"].fields["revive"].choices[0][0]
    refused = visitor.send(page, action="/back", revive=[removed])
    assert refused.status == 422
    assert "which was removed, counts again" in refused.text
    saved = visitor.send(refused, accept=refused.response.context["form"].preview.code)
    assert "Brought back version 2" in saved.text
    row = Account.objects.get(pk=orders.pk)
    assert [entry.key for entry in changes.claims_of(row).nats.signing_keys] == [removed]


def test_somebody_who_was_overtaken_is_told_by_whom(visitor: Visitor, orders: Account) -> None:
    page = visitor.open(url("account-roll-back", orders, 1))
    accounts.update(**WHO, account=orders, edit=AccountEdit(name="Orders", description="x"), version=4)
    refused = visitor.send(page, action="/back")
    assert refused.status == 409
    assert f"was changed by {make.COMMAND.name} meanwhile" in refused.text
    again = visitor.send(refused, action="/back")
    assert "Brought back version 1" in again.text


def test_an_account_admin_brings_back_all_but_what_the_operator_grants(orders: Account) -> None:
    make.person(Role.ADMINISTRATOR, username="olga", operator=orders.operator)
    edit = AccountEdit(name="Orders", description="x")
    row = accounts.update(**WHO, account=orders, edit=edit, version=4)
    admin = Visitor(make.client(Role.ADMINISTRATOR, account=row))
    page = admin.open(admin.open(url("account-version", row, 1)).link("Bring this back"))
    assert "Limits, times and cluster traffic were other ones, and stay as they are now." in page.text
    assert "The operator grants it: olga can change it." in page.text
    assert "nats.limits.conn" not in page.text
    saved = admin.send(page, action="/back")
    assert "Brought back version 1 of “Orders”" in saved.text
    now = changes.claims_of(Account.objects.get(pk=orders.pk)).nats
    assert (now.description, now.limits.conn) == ("", 7)
    again = admin.open(url("account-roll-back", row, 5))
    assert "stay as they are now. The operator" not in again.text


def test_a_viewer_compares_and_brings_nothing_back(orders: Account) -> None:
    viewer = Visitor(make.client(Role.VIEWER))
    page = viewer.open(url("account-version", orders, 1))
    assert page.status == 200
    assert "Bring this back" not in page.text
    assert viewer.open(url("account-roll-back", orders, 1)).status == 403


def test_who_may_not_see_the_account_sees_no_version_of_it(orders: Account) -> None:
    stranger = Visitor(make.client(Role.ADMINISTRATOR, operator=make.operator()))
    for name in ("account-version", "account-roll-back"):
        assert stranger.open(url(name, orders, 1)).status == 404


def test_of_a_bearer_user_neither_is_offered(visitor: Visitor, orders: Account) -> None:
    user = make.user(orders, "plain", limits=replace(OPEN, bearer_token=True))
    row = users.update(**WHO, user=user, edit=UserEdit(name="plain", limits=OPEN), version=user.version)
    at = [orders.operator.public_key, orders.public_key, row.public_key]
    page = visitor.open(reverse("user-history", args=at))
    assert not any(address.endswith("/history/1") for _, address in page.links)
    sealed = visitor.open(reverse("user-version", args=[*at, 1]))
    assert "stays sealed" in sealed.text
    assert "eyJ0eXAi" not in sealed.html
    assert visitor.open(reverse("user-roll-back", args=[*at, 1])).status == 404


def test_users_and_operators_go_back_likewise(visitor: Visitor, orders: Account) -> None:
    user = make.user(orders, "first", limits=OPEN)
    users.update(**WHO, user=user, edit=UserEdit(name="second", limits=OPEN), version=user.version)
    at = [orders.operator.public_key, orders.public_key, user.public_key]
    page = visitor.open(reverse("user-roll-back", args=[*at, 1]))
    assert "Brought back version 1 of “first”" in visitor.send(page, action="/back").text
    assert User.objects.get(pk=user.pk).name == "first"
    operator = Operator.objects.get(pk=orders.operator_id)
    operators.update(**WHO, operator=operator, edit=OperatorEdit(name="Other"), version=operator.version)
    versions = visitor.open(reverse("operator-history", args=at[:1]))
    page = visitor.open(versions.link("/history/1"))
    page = visitor.open(page.link("Bring this back"))
    sent = visitor.send(page, action="/back")
    if sent.status == 422:  # the first version had no system account yet: that has to be read
        sent = visitor.send(sent, accept=sent.response.context["form"].preview.code)
    assert "Brought back version 1 of “Main”" in sent.text
    assert Operator.objects.get(pk=operator.pk).name == "Main"


def test_a_version_takes_as_many_queries_however_many_there_are(
    orders: Account,
) -> None:
    admin: Client = make.client()
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(url("account-version", orders, 1)).status_code == 200
        counts.append(len(seen))
        row = Account.objects.get(pk=orders.pk)
        for text in ("a", "b"):
            edit = AccountEdit(name="Orders", description=text)
            row = accounts.update(**WHO, account=row, edit=edit, version=row.version)
    assert counts[0] == counts[1]
