"""The page that validates: what is wrong, with whom, and the page that mends it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import Account, Operator
from identities.policy.principal import Role
from identities.policy.routes import ROUTES
from identities.services import accounts, clock
from identities.views import mending, validating_shown
from tests import make
from tests.pages import Page, Visitor
from tests.reissued import edited, with_key
from tests.services.test_validating import forge

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> Client:
    return make.client()


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def opened(browser: Client, operator: Operator, **query: str) -> Page:
    page = Visitor(browser).open(reverse("operator-validate", args=[operator.public_key]), query)
    assert page.status == 200
    return page


def test_all_is_well(admin: Client, operator: Operator, account: Account) -> None:
    page = opened(admin, operator)
    assert "No issues found in the operator and 2 accounts" in page.text
    assert ("Validate", page.url) in page.links


def test_findings_stand_with_grade_path_and_the_page_that_mends_them(
    admin: Client, operator: Operator, account: Account
) -> None:
    forge(account, lambda held: held["nats"].update(cluster_traffic="x"))
    forge(account, lambda held: held["nats"]["limits"].update(conn=0))
    stranger = make.operator().public_key
    forge(account, lambda held: held.update(iss=stranger))
    page = opened(admin, operator)
    assert "2 errors, 1 warning" in page.text
    assert 'Unknown cluster traffic option: "x"' in page.text
    assert "nats.limits.conn" in page.text
    assert "Account is not issued by operator or operator signing keys" in page.text
    assert page.link("Limits") == reverse("account-limits", args=[operator.public_key, account.public_key])
    assert page.link("Sign accounts anew") == reverse("operator-sign-anew", args=[operator.public_key])
    assert ("App", reverse("account", args=[operator.public_key, account.public_key])) in page.links
    for words in ("Limits", "Sign accounts anew"):
        assert Visitor(admin).open(page.link(words)).status == 200


def test_users_of_whom_the_same_is_said_stand_in_one_line(
    admin: Client, operator: Operator, account: Account
) -> None:
    made = make.many_users(account, [f"u{number:02}" for number in range(9)])
    accounts.revoke(
        principal=make.COMMAND, account=account, entries={user.public_key: clock.unix() for user in made}
    )
    page = opened(admin, operator)
    assert "9 warnings" in page.text
    assert page.text.count("Its JWT is revoked") == 1
    assert "9 users: u00 , u01 , u02 , u03 , u04 and 4 more" in page.text.replace(",", " ,").replace(
        "  ", " "
    )
    assert page.link("u00").endswith(f"/users/{made[0].public_key}/")
    assert "Warnings keep nobody out" in page.text


def test_users_that_no_key_stands_behind_lead_to_signing_them_anew(
    admin: Client, operator: Operator, account: Account
) -> None:
    key = with_key(account)
    make.user(Account.objects.get(pk=account.pk), "ann", signer=key.public_key)
    edited(account, signing_keys=())
    page = opened(admin, operator)
    assert "Is not issued by account or account signing keys" in page.text
    assert Visitor(admin).open(page.link("Sign users anew")).status == 200


def test_warnings_can_be_left_out(admin: Client, operator: Operator, account: Account) -> None:
    forge(account, lambda held: held["nats"]["limits"].update(conn=0))
    page = opened(admin, operator, show="errors")
    assert "nobody in the account can connect" not in page.text
    assert "the warnings are left out here" in page.text
    assert "nobody in the account can connect" in opened(admin, operator, show="nonsense").text


def test_htmx_gets_the_result_alone(admin: Client, operator: Operator) -> None:
    url = reverse("operator-validate", args=[operator.public_key])
    text = admin.get(url, headers={"HX-Request": "true"}).content.decode()
    assert text.lstrip().startswith('<div id="validation"')


def test_more_objects_than_a_page_shows_are_counted(
    admin: Client, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validating_shown, "MOST", 2)
    for number in range(4):
        forge(make.account(operator, f"Shop-{number}"), lambda held: held["nats"]["limits"].update(conn=0))
    page = opened(admin, operator)
    assert "Shop-1" in page.text
    assert "Shop-2" not in page.text
    assert f"2 more have findings. manage.py validate --operator {operator.public_key}" in page.text


def test_a_viewer_sees_what_is_wrong_and_no_page_that_edits(operator: Operator, account: Account) -> None:
    forge(account, lambda held: held["nats"]["limits"].update(conn=0))
    page = opened(make.client(Role.VIEWER), operator)
    assert "nats.limits.conn" in page.text
    assert not [address for _, address in page.links if address.endswith("/limits")]


def test_of_a_narrow_grant_only_its_account_is_shown(operator: Operator, account: Account) -> None:
    hidden = make.account(operator, "Hidden")
    for row in (account, hidden):
        forge(row, lambda held: held["nats"]["limits"].update(conn=0))
    page = opened(make.client(Role.ADMINISTRATOR, account=account), operator)
    assert "Hidden" not in page.text
    assert opened(make.client(Role.ADMINISTRATOR, operator=operator), operator).link("Limits")
    url = reverse("operator-validate", args=[operator.public_key])
    assert make.client(Role.VIEWER, operator=make.operator()).get(url).status_code == 404


def test_twice_the_rows_take_as_many_queries(admin: Client, operator: Operator, account: Account) -> None:
    make.many_users(account, ["a", "b"])
    opened(admin, operator)
    counts = []
    for round_ in range(2):
        with CaptureQueriesContext(connection) as asked:
            opened(admin, operator)
        counts.append(len(asked))
        for number in range(3):
            make.many_users(make.account(operator), [f"u{round_}{number}{one}" for one in range(5)])
    assert counts[0] == counts[1] <= 8, counts


def test_every_page_that_mends_is_a_page() -> None:
    places = (*mending._OPERATOR, *mending._ACCOUNT, *mending._USERS)
    assert {name for _, name, _ in places} <= set(ROUTES)
