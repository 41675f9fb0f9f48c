"""A 403 says which role is missing and who can give it, as the pages do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import Account, ApiToken
from identities.policy.principal import Role
from tests import make
from tests.api.calls import Caller, caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make.account()


def edited(call: Caller, account: Account) -> Any:
    path = f"operators/{account.operator.public_key}/accounts/{account.public_key}"
    answer = call("PATCH", path, {"description": "new"}, If_Match="*")
    assert (answer.status_code, answer.data["code"]) == (403, "forbidden")
    return answer


def test_the_missing_role_is_named_with_those_who_can_give_it(account: Account) -> None:
    near = make.person(Role.ADMINISTRATOR, username="near", account=account)
    make.person(Role.ADMINISTRATOR, username="elsewhere", account=make.account())
    detail = edited(caller(Role.VIEWER, account=account), account).data["detail"]
    assert "tracing” needs the role owner, operator admin or account admin here" in detail
    assert f"Who can give it: {near.username}" in detail and "elsewhere" not in detail


def test_it_says_what_the_page_says(account: Account) -> None:
    make.person(Role.ADMINISTRATOR, username="near", account=account)
    detail = edited(caller(Role.VIEWER, account=account), account).data["detail"]
    url = reverse("account-edit", args=[account.operator.public_key, account.public_key])
    page = make.client(Role.VIEWER, account=account).get(url)
    assert page.status_code == 403
    assert detail.partition("Who can give it")[2] in page.content.decode()


def test_what_nothing_allows_anywhere_names_them_too(account: Account) -> None:
    make.person(Role.ADMINISTRATOR, username="the-owner")
    answer = caller(Role.VIEWER, account=account)("POST", "operators", {"name": "more"})
    assert answer.status_code == 403 and "Who can give it: the-owner." in answer.data["detail"]


def test_who_holds_nothing_is_told_of_owners_alone(account: Account) -> None:
    make.person(Role.ADMINISTRATOR, username="the-owner")
    make.person(Role.ADMINISTRATOR, username="near", account=account)
    detail = edited(caller(None), account).data["detail"]
    assert "holds no role here" in detail and detail.endswith("Who can give it: the-owner.")


def test_a_narrowed_token_says_that_it_is(account: Account) -> None:
    call = caller(account=account, read_only=True)
    detail = edited(call, account).data["detail"]
    assert "this token may only read" in detail.casefold() and "Who can give it" not in detail
    both = caller(read_only=True, narrowed=account.operator)
    assert "this token may only read" in edited(both, account).data["detail"].casefold()


def test_it_takes_a_few_queries_however_many_can_give_it(account: Account) -> None:
    call = caller(Role.VIEWER, account=account)
    counts = []
    for _ in range(2):
        for _ in range(8):
            make.person(Role.ADMINISTRATOR, account=account)
            make.staff(Role.ADMINISTRATOR, account=account)
        ApiToken.objects.update(last_used_at=None)
        with CaptureQueriesContext(connection) as queries:
            edited(call, account)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
