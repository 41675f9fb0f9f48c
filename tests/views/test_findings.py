"""What an account's permissions get wrong, across the accounts around it, on a page with the way to each field."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from identities.claims.findings import Kind
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account
from identities.policy.principal import Role
from identities.queries import findings, who_can
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


def chain(first: Account, length: int) -> list[Account]:
    """Accounts that each import a service from the one before; the first one's user hears, the last one's asks."""
    accounts = [first]
    for number in range(length):
        make.export(accounts[-1], "ask.x", type="service")
        accounts.append(make.account(first.operator, f"Next {number}"))
        make.imported(accounts[-1], "ask.x", of=accounts[-2], type="service")
    make.user(first, "hears", limits=rules(("x",), ("ask.x",)))
    for between in accounts[1:-1]:
        make.user(between, "elsewhere", limits=rules(("x",), ("x",)))
    make.user(accounts[-1], "asks", limits=rules(("ask.x",), ("x",)))
    return accounts


def test_whoever_asks_from_three_imports_away_counts(account: Account) -> None:
    last = chain(account, 3)[-1]
    assert not {Kind.UNHEARD, Kind.UNJUDGED} & {kind for kind, _ in kinds(account)}
    row = Account.objects.select_related("operator").get(pk=account.pk)
    found = who_can.reached(make.COMMAND, row, who_can.Deed.PUBLISH, "ask.x", now=clock.unix())
    assert last.public_key in {way.account for way in found.ways}
    assert not found.cut


def test_where_too_many_accounts_share_it_is_said_to_be_unjudged(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(account, 4)
    row = Account.objects.select_related("operator").get(pk=account.pk)
    for most, cut in ((4, False), (3, True)):
        monkeypatch.setattr(who_can, "MOST_ACCOUNTS", most)
        found = {kind for kind, _ in kinds(account)}
        assert (Kind.UNJUDGED in found) is cut
        assert Kind.UNHEARD not in found
        asked = who_can.reached(make.COMMAND, row, who_can.Deed.PUBLISH, "ask.x", now=clock.unix())
        assert asked.cut is cut
        assert len(asked.rows) == most + 1


def test_whoever_may_not_see_an_account_is_not_told_that_nobody_there_may(account: Account) -> None:
    chain(account, 1)
    address = f"/operators/{account.operator.public_key}/accounts/{account.public_key}/findings"
    page = make.client(Role.VIEWER, account=account).get(address).content.decode()
    assert "out of your sight" in page
    assert "Nothing reaches it" not in page
    assert "Next 0" not in page


def test_jetstream_may_deliver_where_no_user_may_publish(account: Account) -> None:
    roomy = make.account(limits=replace(OperatorLimits.unlimited(), disk_storage=NO_LIMIT))
    for each, said in ((account, False), (roomy, True)):
        make.user(each, "listener", limits=rules(("x",), ("orders.*",)))
        row = Account.objects.select_related("operator").get(pk=each.pk)
        found = findings.of(make.COMMAND, row, now=clock.unix())
        (text,) = (one.finding.text for one in found if one.finding.kind is Kind.UNHEARD)
        assert ("unless JetStream delivers it" in text) is said


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
