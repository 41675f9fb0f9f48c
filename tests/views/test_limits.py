"""The form over an account's limits: JetStream as a switch, whole or by tier, moved from one to the other."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from identities.claims import codec
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.models import Account, IssuedToken
from identities.services import accounts, changes
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
OPEN = OperatorLimits.unlimited()
FULL: dict[str, Any] = {
    "mem_storage": 1024,
    "disk_storage": 2**30,
    "streams": 3,
    "consumer": 4,
    "max_ack_pending": 5,
    "mem_max_stream_bytes": 6,
    "disk_max_stream_bytes": 7,
    "max_bytes_required": True,
}


@pytest.fixture
def shop(db: None) -> Account:
    return make.account(make.operator("Test"), "Shop")


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def given(account: Account, **limits: Any) -> None:
    """Set limits behind the form's back, as another tool would."""
    claims = changes.claims_of(account)
    text = codec.payload_text(replace(claims, nats=replace(claims.nats, limits=replace(OPEN, **limits))))
    Account.objects.filter(pk=account.pk).update(claims=text)


def form(visitor: Visitor, account: Account) -> Page:
    return visitor.open(reverse("account-limits", args=[account.operator.public_key, account.public_key]))


def save(visitor: Visitor, page: Page, **values: Any) -> Page:
    answer = visitor.send(page, action="/limits", **values)
    if answer.status == 422 and (preview := answer.response.context["form"].preview):
        answer = visitor.send(answer, accept=preview.code)
    assert "Saved the limits" in answer.text, answer.text
    return answer


def limits_of(account: Account) -> OperatorLimits:
    found: OperatorLimits = changes.claims_of(Account.objects.get(pk=account.pk)).nats.limits
    return found


def test_switching_jetstream_on_alone_gives_storage_without_limit(visitor: Visitor, shop: Account) -> None:
    save(visitor, form(visitor, shop), jetstream=True)
    assert limits_of(shop) == replace(OPEN, mem_storage=-1, disk_storage=-1)
    assert Account.objects.get(pk=shop.pk).jetstream


def test_switching_it_off_clears_every_limit_of_it(visitor: Visitor, shop: Account) -> None:
    given(shop, **FULL)
    save(visitor, form(visitor, shop), jetstream=False)
    assert limits_of(shop) == OPEN
    given(shop, tiered_limits={"R1": JetStreamLimits(**FULL), "R9": JetStreamLimits(disk_storage=1)})
    save(visitor, form(visitor, shop), jetstream=False)
    assert limits_of(shop) == OPEN
    assert "tiered_limits" not in Account.objects.get(pk=shop.pk).claims


@pytest.mark.parametrize(
    "limits",
    [
        FULL,
        {"streams": -1, "consumer": -1},
        {"disk_storage": 5, "streams": 0},
        {"tiered_limits": {"R1": JetStreamLimits(**FULL), "R3": JetStreamLimits(disk_storage=-1)}},
        {
            "tiered_limits": {
                "R7": JetStreamLimits(streams=3),
                "R1": JetStreamLimits(disk_storage=1, streams=-1),
            }
        },
        {"conn": 0, "subs": 0, "payload": 0, "data": 0, "wildcards": False},
    ],
)
def test_an_untouched_form_signs_nothing(visitor: Visitor, shop: Account, limits: dict[str, Any]) -> None:
    given(shop, **limits)
    signed, before = IssuedToken.objects.count(), limits_of(shop)
    page = visitor.send(form(visitor, shop), action="/limits")
    assert "Nothing was changed" in page.text, page.text
    assert limits_of(shop) == before
    assert IssuedToken.objects.count() == signed


@pytest.mark.parametrize("prefix", ["", "R3-"])
@pytest.mark.parametrize("name", FULL)
def test_every_jetstream_limit_is_set_and_cleared_to_not_set(
    visitor: Visitor, shop: Account, prefix: str, name: str
) -> None:
    base: dict[str, Any] = {"disk_storage": -1}
    tiers = {"R3": JetStreamLimits(**base)}
    given(shop, **({"tiered_limits": tiers} if prefix else base))
    save(visitor, form(visitor, shop), **{f"{prefix}{name}": True if name == "max_bytes_required" else "17"})
    expected: dict[str, Any] = {**base, name: True if name == "max_bytes_required" else 17}
    held: Any = limits_of(shop).tiered_limits["R3"] if prefix else limits_of(shop)
    assert {one: getattr(held, one) for one in FULL} == {**dict.fromkeys(FULL, 0), **expected}
    cleared = False if name == "max_bytes_required" else ""
    keep = {f"{prefix}mem_storage": "1"} if name == "disk_storage" else {}
    save(visitor, form(visitor, shop), **{f"{prefix}{name}": cleared, **keep})
    held = limits_of(shop).tiered_limits["R3"] if prefix else limits_of(shop)
    assert getattr(held, name) == 0
    if name != "disk_storage":
        assert f'"{name}"' not in Account.objects.get(pk=shop.pk).claims


@pytest.mark.parametrize(
    "name", [one.name for one in fields(OperatorLimits) if one.name not in {*FULL, "tiered_limits", "extra"}]
)
def test_every_other_limit_is_set(visitor: Visitor, shop: Account, name: str) -> None:
    page = form(visitor, shop)
    before = getattr(OPEN, name)
    value: Any = not before if isinstance(before, bool) else "23"
    save(visitor, page, **{name: value})
    assert limits_of(shop) == replace(OPEN, **{name: value if isinstance(value, bool) else 23})


def test_limits_move_to_a_tier_and_back_without_being_saved(visitor: Visitor, shop: Account) -> None:
    given(shop, **FULL)
    page = visitor.send(form(visitor, shop), convert="R3")
    assert page.status == 200
    values = page.form("convert").values
    assert (values["R3-disk_storage"], values["R3-streams"]) == (["1 GiB"], ["3"])
    assert (values["disk_storage"], values["layout"]) == ([""], ["tiers"])
    assert limits_of(shop) == replace(OPEN, **FULL)
    save(visitor, page)
    assert limits_of(shop) == replace(OPEN, tiered_limits={"R3": JetStreamLimits(**FULL)})
    back = visitor.send(form(visitor, shop), convert="whole:R3")
    save(visitor, back)
    assert limits_of(shop) == replace(OPEN, **FULL)


def test_a_conversion_of_nowhere_changes_nothing(visitor: Visitor, shop: Account) -> None:
    given(shop, **FULL)
    page = visitor.send(form(visitor, shop), convert="R99")
    assert page.form("convert").values["disk_storage"] == ["1 GiB"]


def test_both_kinds_at_once_are_refused_and_both_stay_in_sight(visitor: Visitor, shop: Account) -> None:
    given(shop, **FULL)
    page = visitor.send(form(visitor, shop), layout="tiers", **{"R1-disk_storage": "1G"})
    assert page.status == 422
    assert "mutually exclusive" in page.response.context["form"].errors["layout"][0]
    assert "Move these to the tier" in page.text
    assert "when-whole holds" in page.html
    assert "when-tiers holds" in page.html
    page = visitor.send(form(visitor, shop), **{"R1-disk_storage": "1G"})
    assert "those of R1 are mutually exclusive" in page.response.context["form"].errors["layout"][0]
    assert limits_of(shop) == replace(OPEN, **FULL)


def test_counts_without_limit_do_not_stand_in_the_way_of_tiers(visitor: Visitor, shop: Account) -> None:
    given(shop, streams=-1, consumer=-1)
    save(visitor, form(visitor, shop), jetstream=True, layout="tiers", **{"R1-disk_storage": "1 KiB"})
    assert limits_of(shop) == replace(OPEN, tiered_limits={"R1": JetStreamLimits(disk_storage=1024)})


def test_a_tier_without_storage_is_refused(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(form(visitor, shop), jetstream=True, layout="tiers", **{"R1-streams": "5"})
    assert page.status == 422
    assert "Give the tier R1" in page.response.context["form"].errors["R1-disk_storage"][0]


def test_limits_for_jetstream_while_it_is_off_are_refused_in_sight(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(form(visitor, shop), disk_storage="5")
    assert page.status == 422
    assert "switch it on" in page.response.context["form"].errors["jetstream"][0]
    assert "jetstream-form refused" in page.html


def test_lower_limits_are_accepted_first_where_somebody_may_be_connected(
    visitor: Visitor, shop: Account
) -> None:
    make.user(shop)
    page = visitor.send(form(visitor, shop), conn="5")
    assert page.status == 422
    assert "Of more than 5 connections the newest are dropped." in page.text
    page = visitor.send(page, accept=page.response.context["form"].preview.code)
    assert "Saved the limits" in page.text
    assert limits_of(shop).conn == 5


def test_unknown_limits_of_another_tool_survive(visitor: Visitor, shop: Account) -> None:
    given(shop, tiered_limits={"R1": JetStreamLimits(disk_storage=5)})
    text = Account.objects.get(pk=shop.pk).claims
    text = text.replace('"tiered_limits":{"R1":{', '"mine":1,"tiered_limits":{"R1":{"yours":2,')
    Account.objects.filter(pk=shop.pk).update(claims=text)
    save(visitor, form(visitor, shop), **{"R1-streams": "4"}, conn="7")
    claims = Account.objects.get(pk=shop.pk).claims
    assert '"mine":1' in claims
    assert '"yours":2' in claims


def test_a_stale_form_shows_both_layouts(visitor: Visitor, shop: Account) -> None:
    mine = form(visitor, shop)
    account = Account.objects.get(pk=shop.pk)
    accounts.update_limits(
        principal=make.COMMAND,
        account=account,
        limits=replace(OPEN, tiered_limits={"R1": JetStreamLimits(disk_storage=5)}),
        version=account.version,
    )
    stale = visitor.send(mine, action=urlsplit(mine.url).path, conn="9")
    assert stale.status == 409
    assert "By tier" in stale.text
    save(visitor, stale)
    assert limits_of(shop) == replace(OPEN, conn=9, tiered_limits={"R1": JetStreamLimits(disk_storage=5)})
