"""What an operator grants an account, its admins do not change; what is theirs, they do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.drafts import AccountEdit
from identities.claims.permissions import Permission, Permissions
from identities.models import Account
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import account_settings, accounts, changes, clock
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    return make.account(name="Orders")


def test_an_account_admin_edits_texts_and_default_permissions(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=orders)
    edit = AccountEdit(name="Orders", description="mine")
    saved = accounts.update(principal=admin, account=orders, edit=edit, version=orders.version)
    rules = Permissions(pub=Permission(allow=("a",)))
    saved = account_settings.update_default_permissions(
        principal=admin, account=saved, permissions=rules, version=saved.version
    )
    assert changes.claims_of(saved).nats.description == "mine"


def test_an_account_admin_does_not_change_limits_expiry_traffic_or_signer(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=orders)
    limits = replace(changes.claims_of(orders).nats.limits, conn=5)
    later = AccountEdit(name="Orders", expires=clock.unix() + 9000)
    for work in (
        lambda: accounts.update_limits(
            principal=admin, account=orders, limits=limits, version=orders.version
        ),
        lambda: accounts.update(principal=admin, account=orders, edit=later, version=orders.version),
        lambda: account_settings.update_cluster_traffic(
            principal=admin, account=orders, traffic="owner", version=orders.version
        ),
        lambda: accounts.rewrite(  # an edit that nobody thought of
            principal=admin,
            account=orders,
            plan=lambda row: changes.plan(row, changes.edit_body(limits=limits), now=clock.unix()),
            version=orders.version,
            done="Edited",
        ),
    ):
        with pytest.raises(Forbidden, match="operator admin"):
            work()
    assert Account.objects.get(pk=orders.pk).version == orders.version


def test_an_operator_admin_changes_them(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, operator=orders.operator)
    limits = replace(changes.claims_of(orders).nats.limits, conn=5)
    saved = accounts.update_limits(principal=admin, account=orders, limits=limits, version=orders.version)
    assert changes.claims_of(saved).nats.limits.conn == 5
