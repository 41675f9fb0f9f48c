"""The account server's short way answers with the same bytes as the long way, and hands on what it can't answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import RequestFactory
from prometheus_client import REGISTRY
from pytest_django import DjangoAssertNumQueries

from identities.models import Account, Installation
from identities.queries import account_server as queries
from identities.services import accounts, clock, operators
from nscweb.lean import AccountServer
from tests import make

pytestmark = pytest.mark.django_db


class Answer(NamedTuple):
    """An answer as a WSGI server sends it; the request's id, which is random, is told apart."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    request_id: str


def answered(application: Any, path: str, **headers: str) -> Answer:
    environ = RequestFactory().get(path, headers=headers).environ
    told: list[Any] = []

    def start_response(status: str, sent: Iterable[tuple[str, str]]) -> None:
        told.append((status, sorted(sent)))

    result = application(environ, start_response)
    body = b"".join(result)
    ((status, sent),) = told
    request_id = dict(sent)["X-Request-ID"]
    return Answer(status, [pair for pair in sent if pair[0] != "X-Request-ID"], body, request_id)


class Long:
    """Stands for Django, and counts what comes to it."""

    def __init__(self) -> None:
        self.application = WSGIHandler()
        self.asked = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked += 1
        return self.application(environ, start_response)


@pytest.fixture(autouse=True)
def _open_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between requests Django gives up a connection that is inside a transaction: here, the test's own."""
    monkeypatch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", lambda _connection: None)


@pytest.fixture
def long() -> Long:
    return Long()


@pytest.fixture
def lean(long: Long) -> AccountServer:
    return AccountServer(long)


@pytest.fixture
def account() -> Account:
    return make.account(name="Team")


@pytest.mark.parametrize("under_operator", [False, True])
@pytest.mark.parametrize("expires", [0, 3000])
def test_a_hit_is_answered_with_the_same_bytes(
    lean: AccountServer, long: Long, account: Account, expires: int, *, under_operator: bool
) -> None:
    prefix = f"/o/{account.operator.public_key}" if under_operator else ""
    path = f"{prefix}/jwt/v1/accounts/{account.public_key}"
    if expires:
        account = make.account(account.operator, expires=clock.unix() + expires)
        path = f"{prefix}/jwt/v1/accounts/{account.public_key}"
    short = answered(lean, path)
    assert long.asked == 0
    full = answered(long, path)
    assert short[:3] == full[:3]
    assert short.body.decode() == account.token.text
    assert short.request_id != full.request_id
    tag = dict(short.headers)["ETag"]
    short, full = (answered(one, path, if_none_match=f'W/"x", {tag}') for one in (lean, long))
    assert short[:3] == full[:3]
    assert short.status == "304 Not Modified"
    assert long.asked == 2


def test_a_hit_costs_one_query(
    lean: AccountServer, account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for path in (f"/jwt/v1/accounts/{account.public_key}",
                 f"/o/{account.operator.public_key}/jwt/v1/accounts/{account.public_key}"):  # fmt: skip
        with django_assert_num_queries(1):
            assert answered(lean, path).status == "200 OK"


def test_hits_are_counted_like_every_request(lean: AccountServer, account: Account) -> None:
    labels = {"method": "GET", "view": "account-server-account", "status": "200"}
    before = REGISTRY.get_sample_value("nscweb_requests_total", labels) or 0
    answered(lean, f"/jwt/v1/accounts/{account.public_key}")
    assert REGISTRY.get_sample_value("nscweb_requests_total", labels) == before + 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("{account}?decode=true", {}),
        ("{account}?check=true", {}),
        ("{account}", {"origin": "https://example.com"}),
        ("{account}x", {}),
        ("A" * 56, {}),
        ("", {}),
    ],
)
def test_what_is_no_plain_hit_goes_the_long_way(
    lean: AccountServer, long: Long, account: Account, path: str, headers: dict[str, str]
) -> None:
    path = f"/jwt/v1/accounts/{path.format(account=account.public_key)}"
    short = answered(lean, path, **headers)
    assert long.asked == 1
    assert short[:3] == answered(long, path, **headers)[:3]


def test_a_deleted_account_or_operator_is_gone_here_too(lean: AccountServer, account: Account) -> None:
    other = make.account(account.operator)
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    assert answered(lean, f"/jwt/v1/accounts/{account.public_key}").status == "404 Not Found"
    operator = other.operator
    operator.refresh_from_db()
    operators.delete(principal=make.COMMAND, operator=operator, version=operator.version)
    assert answered(lean, f"/jwt/v1/accounts/{other.public_key}").status == "404 Not Found"


def test_the_short_way_serves_the_same_operator_as_the_long_way(account: Account) -> None:
    """One operator, several, a chosen one, a chosen one that was deleted."""
    second = make.account()
    third = make.account()
    rows = [account, second, third]

    def both() -> list[tuple[str, str]]:
        served = queries.served_operator("")
        found = []
        for row in rows:
            short = queries.served_account("", row.public_key)
            long = queries.account_jwt(served.id, row.public_key) if served else None
            found.append((short.text if short else "", long.text if long else ""))
        return found

    assert all(short == long for short, long in both())
    assert not any(short for short, _ in both())
    Installation.objects.update(default_operator=second.operator)
    assert [bool(short) for short, _ in both()] == [False, True, False]
    assert all(short == long for short, long in both())
    for row in (second, third):
        operator = type(row.operator).objects.get(pk=row.operator_id)
        operators.delete(principal=make.COMMAND, operator=operator, version=operator.version)
    assert all(short == long for short, long in both())
    assert [bool(short) for short, _ in both()] == [True, False, False]


def test_a_database_in_trouble_is_answered_by_the_long_way(
    lean: AccountServer, long: Long, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(queries, "served_account", broken)
    assert answered(lean, f"/jwt/v1/accounts/{account.public_key}").status == "200 OK"
    assert long.asked == 1
