"""Accounts over the API."""

from __future__ import annotations

import pytest

from identities.policy.principal import Role
from tests import make
from tests.api.calls import caller

pytestmark = pytest.mark.django_db


def test_an_account_is_read_with_its_claims_and_its_version() -> None:
    account = make.account(name="Orders")
    answer = caller().get(f"operators/{account.operator.public_key}/accounts/{account.public_key}")
    assert answer.status_code == 200 and answer["ETag"] == f'"{account.version}"'
    assert answer.data["name"] == "Orders" and answer.data["claims"]["sub"] == account.public_key


def test_a_list_is_paged_by_cursor_without_gaps_or_repeats() -> None:
    operator = make.operator()
    names = sorted([make.account(operator, name=f"A{n:02}").name for n in range(7)] + ["SYS"])
    called, found, cursor = caller(), [], ""
    while True:
        page = called.get(f"operators/{operator.public_key}/accounts?limit=3&cursor={cursor}").data
        found += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == names


def test_a_list_is_filtered_by_a_part_of_the_name_ignoring_case() -> None:
    operator = make.operator()
    make.account(operator, name="Orders-EU")
    make.account(operator, name="Billing")
    page = caller().get(f"operators/{operator.public_key}/accounts?q=ORDERS").data
    assert [item["name"] for item in page["items"]] == ["Orders-EU"]


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "W10", "WyJhIiwgLTFd", "WyJcdTAwMDAiLCAxXQ", "WzEsIDFd"])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    operator = make.operator()
    answer = caller().get(f"operators/{operator.public_key}/accounts?cursor={cursor}")
    assert answer.status_code == 422 and answer.data["errors"][0]["path"] == "cursor"


def test_what_one_may_not_see_is_not_there_and_is_not_listed() -> None:
    mine = make.account()
    other = make.account(mine.operator)
    called = caller(Role.VIEWER, account=mine)
    here = f"operators/{mine.operator.public_key}/accounts"
    assert called.get(f"{here}/{mine.public_key}").status_code == 200
    assert called.get(f"{here}/{other.public_key}").status_code == 404
    assert [item["key"] for item in called.get(here).data["items"]] == [mine.public_key]
    foreign = make.account()
    assert called.get(f"operators/{foreign.operator.public_key}/accounts").status_code == 404


def test_who_holds_nothing_is_told_so() -> None:
    account = make.account()
    answer = caller(None).get(f"operators/{account.operator.public_key}/accounts")
    assert answer.status_code == 403 and "holds no role" in answer.data["detail"]
