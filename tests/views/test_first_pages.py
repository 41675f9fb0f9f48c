"""Dashboard, activity and expirations: what they tell, to whom, and at what price."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.models import AuditEvent
from identities.policy.principal import Role
from identities.services import accounts, clock, users
from tests import make

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
DAY = 86_400
PAGES = ["dashboard", "activity", "expirations"]
QUERIES = 8


def get(browser: Client, name: str, **query: str) -> str:
    return browser.get(reverse(name), query).content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_viewers_see_them_strangers_and_people_without_a_role_do_not(name: str) -> None:
    assert make.client(Role.VIEWER).get(reverse(name)).status_code == 200
    assert make.client(None).get(reverse(name)).status_code == 403
    assert Client().get(reverse(name)).status_code == 302
    assert make.client().post(reverse(name)).status_code == 405


@pytest.mark.parametrize(("name", "part"), [("activity", "event-list"), ("expirations", "expiration-list")])
def test_htmx_gets_the_list_alone(name: str, part: str) -> None:
    answer = make.client().get(reverse(name), headers=HTMX).content.decode()
    assert f'id="{part}"' in answer
    assert "<html" not in answer


@pytest.mark.parametrize("name", PAGES)
def test_twice_the_rows_take_as_many_queries(
    name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make.client()
    account = make.account()
    for round_ in range(2):
        soon = clock.unix() + 2 * DAY
        make.many_users(account, [f"user-{round_}-{number}" for number in range(30)], expires=soon)
        for number in range(5):
            make.account(account.operator, f"account-{round_}-{number}", expires=soon)
        with django_assert_max_num_queries(QUERIES):
            assert browser.get(reverse(name)).status_code == 200


# --- dashboard


def test_an_empty_installation_is_told_what_to_do_next() -> None:
    page = get(make.client(), "dashboard")
    assert "Next steps" in page
    assert reverse("operator-create") in page
    assert reverse("operator-create") not in get(make.client(Role.VIEWER), "dashboard")


def test_next_steps_go_on_to_accounts_and_vanish_with_the_first_user() -> None:
    operator = make.operator("Op")
    page = get(make.client(), "dashboard")
    assert reverse("account-create", args=[operator.public_key]) in page
    make.user(make.account(operator))
    assert "Next steps" not in get(make.client(), "dashboard")


def test_the_numbers_count_what_lives() -> None:
    account = make.account()
    make.many_users(account, ["a", "b", "c"])
    gone = make.account(account.operator, "Gone")
    make.user(gone)
    gone.refresh_from_db()
    accounts.delete(principal=make.COMMAND, account=gone, version=gone.version)
    page = get(make.client(), "dashboard")
    for number, label in (("1", "operator"), ("2", "accounts"), ("4", "users")):  # SYS and its user are there
        assert f'<span class="tile-number">{number}</span><span class="tile-label">{label}</span>' in page


def test_what_expires_soon_and_what_happened_last_is_there() -> None:
    account = make.account(name="Shop")
    make.user(account, "soon", expires=clock.unix() + DAY)
    make.user(account, "late", expires=clock.unix() + 90 * DAY)
    page = get(make.client(), "dashboard")
    assert "soon</a>" in page
    assert "late</a>" not in page
    assert "Created user “late” in “Shop”" in page


def test_a_grant_on_one_account_shows_that_account_only() -> None:
    seen = make.account(name="Seen")
    unseen = make.account(seen.operator, "Unseen")
    make.user(unseen, "nobody-there", expires=clock.unix() + DAY)
    page = get(make.client(Role.VIEWER, account=seen), "dashboard")
    assert "nobody-there" not in page
    assert "“Unseen”" not in page
    assert "“Seen”" in page


# --- activity


def test_activity_is_filtered_by_person_action_and_object() -> None:
    account = make.account(name="Shop")
    user = make.user(account, "ann")
    by_ann = make.principal()
    make.account(account.operator, "Hers", by=by_ann)
    browser = make.client()
    assert "Created account “Hers”" in get(browser, "activity", actor=by_ann.key)
    assert "Created account “Shop”" not in get(browser, "activity", actor=by_ann.key)
    assert "Created user “ann”" not in get(browser, "activity", action="account.create")
    assert "Created user “ann”" in get(browser, "activity", object=user.public_key)
    assert "Created account “Hers”" not in get(browser, "activity", object="sho")
    assert "No event fits" in get(browser, "activity", object="nothing of the kind")


def test_activity_goes_on_over_pages() -> None:
    account = make.account()
    for number in range(60):
        make.user(account, f"user-{number}")
    newest = AuditEvent.objects.order_by("-seq")
    page = get(make.client(), "activity")
    assert newest[10].summary in page
    assert newest[55].summary not in page
    row = newest[49]
    assert newest[55].summary in get(make.client(), "activity", after=f"{row.seq}~{row.pk}")


def test_an_event_with_thousands_of_objects_shows_the_first_ones() -> None:
    account = make.account(name="Shop")
    make.many_users(account, [f"user-{number:03}" for number in range(100)])
    page = get(make.client(), "activity", action="user.create")
    assert "user-000" in page
    assert "user-050" not in page
    assert "…" in page


def test_deleted_objects_are_named_without_a_link() -> None:
    account = make.account(name="Shop")
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    page = get(make.client(), "activity", action="account.delete")
    assert "Shop" in page
    assert reverse("account", args=[account.operator.public_key, account.public_key]) not in page


# --- expirations


def test_the_report_holds_every_kind_soonest_first() -> None:
    now = clock.unix()
    operator = make.operator("Op", expires=now + 3 * DAY)
    account = make.account(operator, "Shop", expires=now + 2 * DAY)
    make.user(account, "ann", expires=now + DAY)
    page = get(make.client(), "expirations")
    assert page.index("ann</a>") < page.index("Shop</a>") < page.index("Op</a>")
    assert "with its creds" in page


def test_the_report_is_filtered_by_time_kind_and_operator() -> None:
    now = clock.unix()
    account = make.account(make.operator("Op"), "Shop", expires=now + 60 * DAY)
    make.user(account, "soon", expires=now + DAY)
    make.user(account, "late", expires=now + 60 * DAY)
    make.user(account, "never")
    other = make.user(make.account(make.operator("Other")), "elsewhere", expires=now + DAY)
    browser = make.client()
    default = get(browser, "expirations")
    assert "soon</a>" in default
    assert "late</a>" not in default
    quarter = get(browser, "expirations", within="quarter", kind="user")
    assert "late</a>" in quarter
    assert "Shop</a>" not in quarter
    assert "never</a>" in get(browser, "expirations", within="all")
    assert "soon.creds</a>" in get(browser, "expirations", kind="creds")
    mine = get(browser, "expirations", operator=other.operator.public_key)
    assert "elsewhere</a>" in mine
    assert "soon</a>" not in mine
    assert "Nothing expires here" in get(browser, "expirations", within="expired")


def test_what_has_expired_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make.account()
    make.user(account, "ann", expires=clock.unix() + DAY)
    late = clock.unix() + 2 * DAY
    monkeypatch.setattr(clock, "unix", lambda: late)
    page = get(make.client(), "expirations", within="expired")
    assert "ann</a>" in page
    assert "Expired" in page


def test_the_report_goes_on_over_pages_and_kinds() -> None:
    now = clock.unix()
    account = make.account(make.operator("Op"))
    make.many_users(account, [f"with-{number:02}" for number in range(60)], expires=now + DAY)
    make.many_users(account, [f"without-{number:02}" for number in range(60)])
    browser = make.client()
    seen, query = [], "?within=all"
    while query:
        page = browser.get(reverse("expirations") + query).content.decode()
        seen += [piece.partition("</a>")[0].rpartition(">")[2] for piece in page.split('main-cell">')[1:]]
        found = page.partition('rel="next" href="')[2].partition('"')[0]
        query = found.replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 60 + 60 + 1 + 2 + 1
    assert seen[:60] == [f"with-{number:02}" for number in range(60)]


def test_deleted_users_expire_no_more() -> None:
    user = make.user(expires=clock.unix() + DAY, name="gone")
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    assert "gone</a>" not in get(make.client(), "expirations")


def test_odd_filters_are_the_default() -> None:
    browser = make.client()
    for query in ({"within": "x", "kind": "y", "operator": "z"}, {"after": "1~2~3"}, {"after": "9~" * 9}):
        assert browser.get(reverse("expirations"), query).status_code == 200
    assert browser.get(reverse("activity"), {"after": "x", "action": "y"}).status_code == 200
