"""What an operator grants an account, its admins do not change; what is theirs, they do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.drafts import AccountDraft, AccountEdit
from identities.claims.permissions import Permission, Permissions
from identities.models import Account
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    account_settings,
    accounts,
    changes,
    choosing,
    clock,
    importing,
    operator_keys,
    presets,
    pushes,
    reissuing_accounts,
    rolling_back,
    unsigned,
)
from tests import make
from tests.elsewhere import Elsewhere

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


def test_an_account_admin_does_not_choose_another_signer(orders: Account) -> None:
    operator_keys.add(principal=make.COMMAND, operator=orders.operator, version=orders.operator.version)
    orders.operator.refresh_from_db()
    keys = set(changes.claims_of(orders.operator).nats.signing_keys) - {orders.issuer}
    admin, edit = (
        make.principal(Role.ADMINISTRATOR, account=orders),
        AccountEdit(name="Orders", description="x"),
    )
    with pytest.raises(Forbidden, match="operator admin"):
        accounts.update(principal=admin, account=orders, edit=edit, version=orders.version, signer=keys.pop())
    saved = accounts.update(
        principal=admin, account=orders, edit=edit, version=orders.version, signer=orders.issuer
    )
    assert saved.issuer == orders.issuer


def test_an_account_admin_brings_back_texts_and_not_limits(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=orders)
    limits = replace(changes.claims_of(orders).nats.limits, conn=5)
    saved = accounts.update_limits(
        principal=make.COMMAND, account=orders, limits=limits, version=orders.version
    )
    with pytest.raises(Forbidden, match="operator admin"):
        rolling_back.roll_back_account(principal=admin, account=saved, number=1, version=saved.version)
    edit = AccountEdit(name="Orders", description="new")
    saved = accounts.update(principal=admin, account=saved, edit=edit, version=saved.version)
    saved = rolling_back.roll_back_account(principal=admin, account=saved, number=2, version=saved.version)
    assert changes.claims_of(saved).nats.description == ""
    assert changes.claims_of(saved).nats.limits.conn == 5


def test_an_edit_that_waits_for_a_signature_grants_no_more_than_one_that_is_signed_here(db: None) -> None:
    make.installation()
    there = Elsewhere()
    _, account = there.adopted(seeds={there.account.public.text: there.account.seed()})
    admin = make.principal(Role.ADMINISTRATOR, account=account)

    def keep(**fields: object) -> None:
        change = changes.plan(account, changes.edit_body(**fields), now=clock.unix())
        unsigned.keep(principal=admin, row=account, change=change, version=account.version)

    limits = replace(changes.claims_of(account).nats.limits, conn=5)
    for more in ({"limits": limits}, {"cluster_traffic": "owner"}):
        with pytest.raises(Forbidden, match="operator admin"):
            keep(**more)
    later = changes.plan(account, lambda held: replace(held, exp=clock.unix() + 9000), now=clock.unix())
    with pytest.raises(Forbidden, match="operator admin"):
        unsigned.keep(principal=admin, row=account, change=later, version=account.version)
    unsigned.keep(principal=make.COMMAND, row=account, change=later, version=account.version)
    with pytest.raises(Forbidden, match="operator admin"):
        unsigned.discard(principal=admin, row=account)
    unsigned.discard(principal=make.COMMAND, row=account)
    keep(tags=("mine",))
    wanted = codec.from_payload(unsigned.claims_text(account))
    back = codec.encode(wanted, there.operator, clock.unix()).text
    with pytest.raises(Forbidden):  # what comes back is an import, which an operator admin takes
        unsigned.take(principal=admin, row=account, text=back)
    unsigned.discard(principal=admin, row=account)


def test_no_other_way_leads_an_account_admin_to_what_the_operator_grants(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, account=orders)
    who: dict[str, Any] = {"principal": admin}
    cluster = make.cluster(orders.operator)
    for work in (
        lambda: reissuing_accounts.reissue(**who, account=orders, version=orders.version),
        lambda: choosing.keep_theirs(**who, account=orders, cluster=cluster, found="x"),
        lambda: accounts.create(**who, operator=orders.operator, draft=AccountDraft(name="Mine")),
        lambda: accounts.delete(**who, account=orders, version=orders.version),
        lambda: importing.require(admin),
        lambda: pushes.open_door(**who, operator=orders.operator, self_signed=True),
        lambda: presets.delete(**who, key="own-1", version=1),
    ):
        with pytest.raises(Forbidden):
            work()


def test_an_operator_admin_changes_them(orders: Account) -> None:
    admin = make.principal(Role.ADMINISTRATOR, operator=orders.operator)
    limits = replace(changes.claims_of(orders).nats.limits, conn=5)
    saved = accounts.update_limits(principal=admin, account=orders, limits=limits, version=orders.version)
    assert changes.claims_of(saved).nats.limits.conn == 5
