"""The limits of accounts on their page: words read and shown, bad ones refused, both values of stale ones."""

from __future__ import annotations

import pytest
from django.test import Client

from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.forms.base import THEIRS_TAKEN
from identities.models import Account, Operator
from tests import make
from tests.pages import saved_all_the_same
from tests.views.account_pages import limited, limits_of, url

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


def test_limits_are_read_in_words_and_stored_as_numbers(admin: Client, orders: Account) -> None:
    typed = limited(
        orders,
        conn="100",
        payload="64 KiB",
        subs="unlimited",
        exports="none",
        mem_storage="1GiB",
        disk_storage="-1",
        streams="10",
        max_bytes_required="on",
        jetstream="on",
    )
    typed.pop("wildcards")
    assert admin.post(url("account-limits", orders), typed).status_code == 302
    limits = limits_of(orders)
    assert (limits.conn, limits.payload, limits.subs, limits.exports) == (100, 65536, -1, 0)
    assert (limits.mem_storage, limits.disk_storage, limits.streams) == (2**30, -1, 10)
    assert (limits.wildcards, limits.max_bytes_required, orders.jetstream) == (False, True, True)
    shown = admin.get(url("account-limits", orders)).content.decode()
    for words in ("64 KiB", "unlimited", "1 GiB"):
        assert f'value="{words}"' in shown


def test_a_jetstream_tier_is_set_and_cleared(admin: Client, orders: Account) -> None:
    admin.post(
        url("account-limits", orders),
        limited(orders, jetstream="on", layout="tiers", **{"R3-disk_storage": "10GB", "R3-streams": "5"}),
    )
    assert limits_of(orders).tiered_limits == {"R3": JetStreamLimits(disk_storage=10**10, streams=5)}
    cleared = limited(orders, **{"R3-disk_storage": "disabled", "R3-streams": "0"})
    assert admin.post(url("account-limits", orders), cleared).status_code == 302
    assert limits_of(orders).tiered_limits == {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("conn", "-2", "below -1"),
        ("conn", "", "Write a number"),
        ("payload", "12 parsecs", "no number"),
        ("data", "9" * 20, "too large"),
        ("R1-streams", "5", "JetStream is off: switch it on"),
        ("disk_storage", "5", "JetStream is off: switch it on"),
    ],
)
def test_a_bad_limit_is_refused_at_its_field(
    admin: Client, orders: Account, field: str, value: str, said: str
) -> None:
    answer = admin.post(url("account-limits", orders), limited(orders, **{field: value}), headers=HTMX)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert "autofocus" in page
    assert limits_of(orders) == OperatorLimits.unlimited()


def test_jetstream_whole_and_by_tier_exclude_each_other(admin: Client, orders: Account) -> None:
    for layout in ("whole", "tiers"):
        both = limited(
            orders, jetstream="on", layout=layout, **{"disk_storage": "1GB", "R1-disk_storage": "1GB"}
        )
        answer = admin.post(url("account-limits", orders), both)
        assert answer.status_code == 422
        assert "mutually exclusive" in answer.context["form"].errors["layout"][0]


def test_the_system_account_gets_no_jetstream(admin: Client, operator: Operator) -> None:
    system = Account.objects.get(name="SYS")
    answer = admin.post(url("account-limits", system), limited(system, jetstream="on", disk_storage="1GB"))
    assert answer.status_code == 422
    assert "system account" in answer.context["form"].errors["mem_storage"][0]


def test_stale_switches_take_over_theirs_too(admin: Client, orders: Account) -> None:
    mine = limited(orders, conn="10")
    theirs = limited(orders, disallow_bearer="on", payload="1 KiB")
    theirs.pop("wildcards")
    saved_all_the_same(admin, url("account-limits", orders), theirs)
    form = admin.post(url("account-limits", orders), mine).context["form"]
    assert {one.label for one in form.differences if one.yours == THEIRS_TAKEN} == {
        "Max message payload",
        "Exports may hold wildcards",
        "Forbid bearer users",
    }
    again = {bound.html_name: bound.value() for bound in form if bound.value() not in (False, None)}
    assert admin.post(url("account-limits", orders), again).status_code == 302
    limits = limits_of(orders)
    assert (limits.conn, limits.payload, limits.wildcards, limits.disallow_bearer) == (10, 1024, False, True)


def test_stale_limits_show_both_values_in_words(admin: Client, orders: Account) -> None:
    mine = limited(orders, conn="10")
    admin.post(url("account-limits", orders), limited(orders, conn="1000"))
    answer = admin.post(url("account-limits", orders), mine)
    assert answer.status_code == 409
    differences = answer.context["form"].differences
    assert [(one.label, one.theirs, one.yours) for one in differences] == [("Max connections", "1,000", "10")]
    assert limits_of(orders).conn == 1000
