"""What new limits take away is said; what they give is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.models import Account
from identities.services import accounts, limit_effects, users
from tests import make

pytestmark = pytest.mark.django_db
OPEN = OperatorLimits.unlimited()
FLAT = replace(OPEN, disk_storage=100, mem_storage=50)


def tiered(**tiers: int) -> OperatorLimits:
    return replace(
        OPEN, tiered_limits={name: JetStreamLimits(disk_storage=size) for name, size in tiers.items()}
    )


@pytest.fixture
def shop(db: None) -> Account:
    account = make.account(make.operator("Test"), "Shop")
    make.user(account)
    return account


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (OPEN, replace(OPEN, conn=5), "Of more than 5 connections the newest are dropped"),
        (replace(OPEN, conn=9), replace(OPEN, conn=0), "Of more than 0 connections"),
        (OPEN, replace(OPEN, leaf=0), "leaf node connections"),
        (OPEN, replace(OPEN, subs=1000), "more than 1,000 subscriptions"),
        (OPEN, replace(OPEN, payload=1024), "more than 1,024 bytes is disconnected"),
        (OPEN, replace(OPEN, disallow_bearer=True), "Bearer users"),
        (FLAT, OPEN, "All streams and consumers of the account stop"),
        (tiered(R1=5), OPEN, "All streams and consumers of the account stop"),
        (FLAT, replace(FLAT, disk_storage=99), "take nothing more"),
        (FLAT, replace(FLAT, mem_storage=0), "take nothing more"),
        (FLAT, replace(FLAT, streams=3), "take nothing more"),
        (FLAT, replace(FLAT, max_bytes_required=True), "take nothing more"),
        (FLAT, tiered(R1=5, R3=5), "no tier take no more messages: there are R1, R3"),
        (tiered(R1=5, R3=5), tiered(R3=5), "there are R3"),
        (tiered(R1=5), tiered(R1=4), "take nothing more"),
        (tiered(R1=5), replace(OPEN, disk_storage=4), "take nothing more"),
    ],
)  # fmt: skip
def test_what_is_taken_away_is_said(
    shop: Account, before: OperatorLimits, after: OperatorLimits, said: str
) -> None:
    (line,) = limit_effects.of(shop, before, after)
    assert said in line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (replace(OPEN, conn=5), OPEN),
        (replace(OPEN, conn=5), replace(OPEN, conn=6)),
        (OPEN, FLAT),
        (FLAT, replace(FLAT, disk_storage=-1)),
        (FLAT, replace(FLAT, streams=-1)),
        (tiered(R1=5), tiered(R1=5, R3=1)),
        (OPEN, replace(OPEN, exports=3, imports=3, data=3, wildcards=False)),
        (OPEN, OPEN),
    ],
)
def test_what_is_given_or_touches_no_connection_is_not(
    shop: Account, before: OperatorLimits, after: OperatorLimits
) -> None:
    assert limit_effects.of(shop, before, after) == ()


def test_where_nobody_ever_was_nobody_is_dropped(shop: Account) -> None:
    empty = make.account(shop.operator)
    assert limit_effects.of(empty, OPEN, replace(OPEN, conn=5)) == ()
    gone = make.user(empty)
    users.delete(principal=make.COMMAND, user=gone, version=gone.version)
    assert limit_effects.of(empty, OPEN, replace(OPEN, conn=5))


def test_the_plan_of_new_limits_carries_them(shop: Account) -> None:
    def lines(**limits: Any) -> tuple[str, ...]:
        return accounts.plan_limits(shop, replace(OPEN, **limits)).consequences

    assert len(lines(conn=5, leaf=5)) == 2
    assert lines(exports=5) == ()
