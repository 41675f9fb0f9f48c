"""What an account's permissions get wrong, across the accounts around it, on a page with the way to each field."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from identities.claims.findings import Kind
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account
from identities.queries import findings
from identities.services import clock
from tests import make

pytestmark = pytest.mark.django_db


def rules(pub: tuple[str, ...] = (), sub: tuple[str, ...] = ()) -> UserPermissionLimits:
    return replace(UserPermissionLimits.unlimited(), pub=Permission(allow=pub), sub=Permission(allow=sub))


def kinds(account: Account) -> set[tuple[Kind, str]]:
    account = Account.objects.select_related("operator").get(pk=account.pk)
    return {
        (one.finding.kind, one.finding.entry) for one in findings.of(make.COMMAND, account, now=clock.unix())
    }


@pytest.fixture
def account() -> Account:
    return make.account(name="Team")


def test_a_subscriber_whom_nobody_can_reach_is_found(account: Account) -> None:
    make.user(account, "listener", limits=rules(("x",), ("orders.*", "_INBOX.>")))
    assert (Kind.UNHEARD, "orders.*") in kinds(account)
    make.user(account, "speaker", limits=rules(("orders.new",), ("y.z",)))
    found = kinds(account)
    assert (Kind.UNHEARD, "orders.*") not in found
    assert (Kind.UNHEARD, "y.z") in found
    assert not any(entry.startswith("_INBOX") for _, entry in found)


def test_whoever_may_do_everything_reaches_everybody(account: Account) -> None:
    make.user(account, "listener", limits=rules(("x",), ("orders.*",)))
    make.user(account, "free")
    assert Kind.UNHEARD not in {kind for kind, _ in kinds(account)}


def test_a_publisher_in_another_account_counts_through_its_export(account: Account) -> None:
    giver = make.account(account.operator, "Giver")
    make.user(giver, "speaker", limits=rules(("news.a",), ("x",)))
    make.export(giver, "news.>")
    make.imported(account, "news.>", of=giver, local_subject="in.>")
    make.user(account, "listener", limits=rules(("x",), ("in.a",)))
    make.user(account, "deaf", limits=rules(("x",), ("out.a",)))
    found = kinds(account)
    assert (Kind.UNHEARD, "in.a") not in found
    assert (Kind.UNHEARD, "out.a") in found


def test_exports_that_nobody_fills_or_answers_are_found(account: Account) -> None:
    make.user(account, "one", limits=rules(("full",), ("ask.me",)))
    for subject, kind in (("full", "stream"), ("empty", "stream"), ("ask.>", "service"), ("deaf", "service")):
        make.export(account, subject, type=kind)
    found = kinds(account)
    assert {(Kind.UNSENT, "empty"), (Kind.UNANSWERED, "deaf")} <= found
    assert not {(Kind.UNSENT, "full"), (Kind.UNANSWERED, "ask.>")} & found


def test_the_page_leads_to_every_field(
    account: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    user = make.user(account, "listener", limits=rules((">",), ("orders.*",)))
    make.export(account, "deaf", type="service")
    browser = make.client()
    address = f"/operators/{account.operator.public_key}/accounts/{account.public_key}/findings"
    with django_assert_max_num_queries(12):
        page = browser.get(address).content.decode()
    assert "Everything open" in page
    assert "Nobody can answer it" in page
    assert f"/users/{user.public_key}/" in page
    assert "/exports/" in page


def test_an_account_without_faults_says_so(account: Account) -> None:
    make.user(account, "speaker", limits=rules(("a",), ("b",)))
    make.user(account, "listener", limits=rules(("b",), ("a",)))
    address = f"/operators/{account.operator.public_key}/accounts/{account.public_key}/findings"
    assert "Nothing is found wrong" in make.client().get(address).content.decode()
